"""Libraries that replace requests or urllib3 in tests see the requests of the adapter: none reaches the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import requests
import requests_mock
import responses
import vcr

from blocking_request import requests_session, route_requests

from ..support.names import Serve
from ..support.servers.raw import always

URL = "http://nowhere.invalid/x"


@pytest.fixture(params=["requests_session", "route_requests"])
def session(request: pytest.FixtureRequest) -> Iterator[requests.Session]:
    if request.param == "requests_session":
        with requests_session() as made:
            yield made
    else:
        with route_requests(), requests.Session() as made:
            yield made


def test_responses(session: requests.Session) -> None:
    with responses.RequestsMock() as replies:
        replies.get(URL, json={"a": 1}, status=201)
        response = session.get(URL)
        assert (response.status_code, response.json(), len(replies.calls)) == (201, {"a": 1}, 1)
        with pytest.raises(requests.exceptions.ConnectionError, match="Connection refused by Responses"):
            session.get("http://nowhere.invalid/other")


def test_requests_mock(session: requests.Session) -> None:
    with requests_mock.Mocker() as replies:
        replies.get(URL, text="mocked")
        assert session.get(URL).text == "mocked" and replies.call_count == 1


def test_requests_mock_outside_of_a_route() -> None:
    with requests_mock.Mocker() as replies, route_requests():
        replies.get(URL, text="mocked")
        assert requests.get(URL, timeout=5).text == "mocked"


def test_patched_send(session: requests.Session) -> None:
    answer = requests.Response()
    answer.status_code = 204
    with mock.patch("requests.adapters.HTTPAdapter.send", return_value=answer) as send:
        assert session.get(URL).status_code == 204
    assert send.call_count == 1


def test_vcr(session: requests.Session, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"recorded"))
    cassette = str(tmp_path / "cassette.yaml")
    for _ in range(2):
        with vcr.use_cassette(cassette):
            assert session.get(server.url).text == "recorded"
    assert len(server.requests) == 1


def test_afterwards_the_engines_serve(session: requests.Session, serve: Serve) -> None:
    server = serve(always(b"sent"))
    with responses.RequestsMock():
        pass
    with mock.patch("urllib3.connectionpool.HTTPConnectionPool.urlopen", side_effect=AssertionError):
        assert session.get(server.url).text == "sent"

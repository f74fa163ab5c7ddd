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

from blocking_request import NetworkAccessManager, requests_session, route_requests
from blocking_request.netlog import NetworkLog
from blocking_request.testing import FakeReplies

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


def test_library_for_tests_is_before_fake_replies_and_the_log(session: requests.Session) -> None:
    """The order that docs/howto/tests_without_server.rst tells."""
    with FakeReplies() as fake, NetworkLog() as log:
        fake.get(URL, body="fake")
        with responses.RequestsMock() as replies:
            replies.get(URL, body="responses")
            assert session.get(URL).text == "responses"
        with requests_mock.Mocker() as mocked:
            mocked.get(URL, text="requests_mock")
            assert session.get(URL).text == "requests_mock"
        assert fake.callCount == log.count() == 0
        assert session.get(URL).text == "fake" and fake.callCount == log.count() == 1


def test_library_for_tests_does_not_see_calls_without_requests() -> None:
    with FakeReplies() as fake, responses.RequestsMock(assert_all_requests_are_fired=False) as replies:
        replies.get(URL, body="responses")
        fake.get(URL, body="fake")
        manager = NetworkAccessManager()
        assert manager.blockingGet(URL).text() == "fake"
        assert [result.reply.text() for result in manager.getMany([URL])] == ["fake"]
        assert len(replies.calls) == 0


def test_url_that_responses_lets_pass(session: requests.Session, serve: Serve) -> None:
    server = serve(always(b"sent"))
    with responses.RequestsMock() as replies:
        replies.add_passthru(server.url)
        assert session.get(server.url).text == "sent"


def test_requests_mock_that_lets_pass(session: requests.Session, serve: Serve) -> None:
    server = serve(always(b"sent"))
    with requests_mock.Mocker(real_http=True) as replies:
        replies.get(URL, text="mocked")
        assert (session.get(URL).text, session.get(server.url).text) == ("mocked", "sent")


def test_adapter_of_requests_mock_beside_ours(serve: Serve) -> None:
    """A test may mount the adapter of the library for one host."""
    server = serve(always(b"sent"))
    with requests_session() as session:
        adapter = requests_mock.Adapter()
        adapter.register_uri("GET", URL, text="mocked")
        session.mount("http://nowhere.invalid", adapter)
        assert (session.get(URL).text, session.get(server.url).text) == ("mocked", "sent")

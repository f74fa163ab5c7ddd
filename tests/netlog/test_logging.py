"""The log of Python's module logging: one INFO line for each call, DEBUG lines for its requests."""

from __future__ import annotations

import logging
import re

import pytest
from urllib3.util import Retry

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, NetworkMemoryCache

from ..support.names import NET, OK, SERVER, Serve
from ..support.servers.raw import Connection, always


@pytest.fixture
def info(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "blocking_request")
    return caplog


def without_times(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the messages of the INFO lines, without times."""
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    return [re.sub(r"\d+\.\d ms", "T", message) for message in messages]


def test_one_line_for_each_call(
    engine: str, manager: NetworkAccessManager, info: pytest.LogCaptureFixture, serve: Serve
) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b" /old" in request:
                connection.respond(b"", "302 Found", "Location: /new?token=hunter2\r\n")
            else:
                connection.respond(b"body", headers="Cache-Control: max-age=9\r\n")

    request, url = BlockingNetworkRequest(manager), serve(handle).url
    assert request.get(f"{url}/old?token=hunter2") is OK
    with request.stream(f"{url}/stream") as chunks:
        assert b"".join(chunks) == b"body"
    list(manager.getMany([f"{url}/batch"]))
    assert request.get("http://127.0.0.1:1/") is request.get("no url") is NET
    manager.setCache(NetworkMemoryCache())
    assert request.get(f"{url}/c") is request.get(f"{url}/c") is OK
    cached_over = "python" if engine == "python" else "qt"
    assert without_times(info) == [
        f"GET {url}/old?token=***: 200 (4 bytes in T, over {engine}, redirects: 1, the last to {url}/new?token=***)",
        f"GET {url}/stream: 200 (4 bytes in T, over {engine})",
        f"GET {url}/batch: 200 (4 bytes in T, over {engine})",
        f"GET http://127.0.0.1:1/: Connection refused (0 bytes in T, over {engine})",
        'GET no url: Protocol "" is unknown: the URL must begin with http:// or https:// (0 bytes in T)',
        f"GET {url}/c: 200 (4 bytes in T, over {cached_over})",
        f"GET {url}/c: 200 (4 bytes in T, from the cache)",
    ]
    assert "hunter2" not in info.text


def test_attempts(manager: NetworkAccessManager, info: pytest.LogCaptureFixture, serve: Serve) -> None:
    manager.setRetry(Retry(1, status_forcelist=[503], raise_on_status=False))
    assert BlockingNetworkRequest(manager).get(serve(always(b"busy", "503 Busy")).url) is SERVER
    assert [message.endswith(", attempts: 2)") for message in without_times(info)] == [True]


def test_debug_lines_name_hops_and_reuse(
    manager: NetworkAccessManager, caplog: pytest.LogCaptureFixture, serve: Serve
) -> None:
    caplog.set_level(logging.DEBUG, "blocking_request")
    manager.setEngine("python")

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            is_first = b"/again" not in request
            connection.respond(b"", *(("302 Found", "Location: /again\r\n") if is_first else ()))

    url = serve(handle).url
    assert BlockingNetworkRequest(manager).get(url) is OK
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert [message.partition(" after ")[0] for message in messages] == [
        f"GET {url}", f"GET {url}: 302", f"GET {url}/again", f"GET {url}/again: 200"
    ]  # fmt: skip
    assert "reused connection" in messages[3] and "reused connection" not in messages[1]

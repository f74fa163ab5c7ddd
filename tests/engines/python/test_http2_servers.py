"""HTTP/2 with nginx and hypercorn. The results equal those of HTTP/1.1."""

from __future__ import annotations

import asyncio
import re
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from blocking_request import BatchRequest, BlockingNetworkRequest, NetworkAccessManager
from blocking_request.engines.python import routes
from blocking_request.engines.python.engine import engine
from blocking_request.qt.binding import enum_value

from ...support.names import OK, SERVER, Attribute
from ...support.servers.nginx import Nginx, has_nginx, nginx
from ...support.servers.unreachable import unused_port
from ...support.waiting import eventually
from ..test_conformance import HTTPBIN, VARYING_HEADERS, facts, in_order, reply_of

REPLIED = re.compile(r"replied: .* \(")
"""HTTP/2 has no reason phrase, so the standard one is used."""
HTTP2_USED = enum_value(Attribute.Http2WasUsedAttribute)
needs_nginx = pytest.mark.skipif(not has_nginx(), reason="there is no nginx")


@pytest.fixture(scope="module")
def server(http2_authority: trustme.CA) -> Iterator[Nginx]:
    with nginx(http2_authority, "keepalive_requests 100000;") as started:
        yield started


@pytest.fixture(scope="module")
def nginx_httpbin(http2_authority: trustme.CA, httpbin: str) -> Iterator[Nginx]:
    with nginx(http2_authority, upstream=httpbin) as started:
        yield started


@needs_nginx
@pytest.mark.parametrize("name", HTTPBIN)
def test_same_response_as_with_http_1_1(
    name: str, over_http2: NetworkAccessManager, nginx_httpbin: Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[dict[str, Any]] = []
    for offer in (routes.alpn_offer, tuple):
        monkeypatch.setattr(routes, "alpn_offer", offer)
        monkeypatch.setattr(engine, "_routes", routes.Routes())
        engine.clear_connections()
        reply = reply_of("python", over_http2, lambda request: HTTPBIN[name](request, nginx_httpbin.url))
        if reply.statusCode():
            assert reply.attributes()[HTTP2_USED] is (offer is not tuple)
        seen = facts(reply)
        for each in (seen, *seen["history"]):
            del each["reason"]  # HTTP/2 has none
            each["attributes"] = {
                key: value
                for key, value in each["attributes"].items()
                if key not in (HTTP2_USED, enum_value(Attribute.HttpReasonPhraseAttribute))
            }
            each["headers"] = {
                key: value
                for key, value in each["headers"].items()
                if key not in {"connection", "transfer-encoding"} | VARYING_HEADERS.get(name, frozenset())
                and (seen["status"], key) != (204, "content-type")  # nginx leaves it out in HTTP/2
            }
            each["body"] = in_order(each["body"])
            each["message"] = REPLIED.sub("replied (", each["message"])
        found.append(seen)
    assert found[0] == found[1]


@needs_nginx
def test_batch_of_1000_requests_over_one_connection(over_http2: NetworkAccessManager, server: Nginx) -> None:
    before = len(server.connections())
    results = list(over_http2.getMany(f"{server.url}/small?{number}" for number in range(1000)))
    assert [result.code for result in results] == [OK] * 1000
    assert len(set(server.connections()[before:])) == 1


@needs_nginx
def test_goaway_after_each_ten_requests(over_http2: NetworkAccessManager, http2_authority: trustme.CA) -> None:
    """nginx ends the connection by GOAWAY and processes no later stream."""
    with nginx(http2_authority, "keepalive_requests 10;") as server:
        requests = [BatchRequest(f"{server.url}/small", "POST", b"x" * 100) for _ in range(200)]
        results = list(over_http2.sendMany(requests))
        assert {result.code for result in results} == {OK}, [result.reply.errorString() for result in results]
        assert len(server.connections()) == 200


@needs_nginx
@pytest.mark.parametrize("size", [0, 1, 100_000, 5_000_000])
def test_upload(size: int, over_http2: NetworkAccessManager, http2_authority: trustme.CA, httpbin: str) -> None:
    with nginx(http2_authority, upstream=httpbin) as server:
        request = BlockingNetworkRequest(over_http2)
        data = bytes(number % 90 + 32 for number in range(1000)) * (size // 1000 + 1)
        assert request.put(f"{server.url}/put", data[:size]) is OK, request.errorMessage()
        assert request.reply().json()["data"] == data[:size].decode()


@needs_nginx
def test_refused_upload(over_http2: NetworkAccessManager, server: Nginx) -> None:
    request = BlockingNetworkRequest(over_http2)
    assert request.post(f"{server.url}/refused", bytes(50_000_000)) is SERVER, request.errorMessage()
    assert request.reply().body == b"too large"


@needs_nginx
def test_large_download_in_constant_memory(over_http2: NetworkAccessManager, server: Nginx, tmp_path: Path) -> None:
    with (server.folder / "files" / "large").open("wb") as file:
        for number in range(300):
            file.write(bytes([number % 251]) * (1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    requests = {f"{server.url}/files/large?{number}": tmp_path / str(number) for number in range(2)}
    results = list(over_http2.downloadMany(requests.items()))
    assert [result.code for result in results] == [OK] * 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64_000
    for path in requests.values():
        assert path.stat().st_size == 300 << 20
        with path.open("rb") as file:
            for number in range(300):
                block = file.read(1 << 20)
                assert block == bytes([number % 251]) * (1 << 20)
        path.unlink()


def accepts(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def hypercorn(http2_authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    config_module = pytest.importorskip("hypercorn.config")
    serving = pytest.importorskip("hypercorn.asyncio")
    pem = str(tmp_path_factory.mktemp("hypercorn") / "server.pem")
    http2_authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    config = config_module.Config()
    url = f"127.0.0.1:{unused_port()}"
    config.bind, config.certfile, config.keyfile, config.errorlog = [url], pem, pem, None
    loop = asyncio.new_event_loop()
    stop: list[asyncio.Event] = []
    ready = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Respond with the request line and the number of bytes of the body."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            ready.set()
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        size, has_more = 0, True
        while has_more:
            message = await receive()
            size += len(message.get("body", b""))
            has_more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
        await send({"type": "http.response.body", "body": b"%d" % size, "more_body": True})
        await send({"type": "http.response.body", "body": b" bytes"})

    async def serve() -> None:
        stop.append(asyncio.Event())  # in Python 3.9 it belongs to the loop in which it is made
        await serving.serve(app, config, shutdown_trigger=stop[0].wait)

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10) and eventually(lambda: accepts(url))
    yield f"https://{url}"
    loop.call_soon_threadsafe(stop[0].set)
    thread.join(10)


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_hypercorn(size: int, over_http2: NetworkAccessManager, hypercorn: str) -> None:
    request = BlockingNetworkRequest(over_http2)
    assert request.post(f"{hypercorn}/a", bytes(size)) is OK, request.errorMessage()
    assert request.reply().body == b"%d bytes" % size and request.reply().headers["x-path"] == "/a"
    assert request.reply().attributes()[HTTP2_USED] is True
    results = list(over_http2.getMany(f"{hypercorn}/{number}" for number in range(200)))
    assert {(result.code, result.reply.body) for result in results} == {(OK, b"0 bytes")}

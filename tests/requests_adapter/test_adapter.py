"""requests over our engines: the same responses and exceptions as without them, streams, and route_requests()."""

from __future__ import annotations

import gzip
import io
import pickle
import re
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable
from unittest import mock

import pytest
import requests
import trustme
import urllib3
from requests import exceptions
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3.util import Retry

from blocking_request import Feedback, NetworkAccessManager, QtAdapter, TlsSettings, requests_session, route_requests
from blocking_request.engines.choice import engine as engine_named
from blocking_request.requests_adapter import RequestCanceled

from ..support.names import TLS_ENGINES, Serve
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import Connection, Handler, always, once, silence
from ..support.servers.tls import TlsServer
from ..support.servers.unreachable import full_port


@pytest.fixture
def session(manager: NetworkAccessManager) -> Iterator[requests.Session]:
    with requests_session(manager) as made:
        yield made


ENDPOINTS: dict[str, Callable[[requests.Session, str], requests.Response]] = {
    **{
        path: lambda session, server, path=path: session.get(server + path)  # type: ignore[misc]
        for path in (
            "/get?a=1&b=%C3%A4", "/headers", "/ip", "/user-agent", "/gzip", "/deflate", "/brotli", "/encoding/utf8",
            "/html", "/json", "/xml", "/robots.txt", "/deny", "/image/png", "/image/jpeg", "/image/svg", "/image/webp",
            "/bytes/10000?seed=7", "/stream/5", "/stream-bytes/5000?seed=3", "/drip?numbytes=20&duration=0",
            "/range/1024", "/etag/tag", "/cache", "/cache/60", "/cookies", "/cookies/set?a=1&b=2",
            "/cookies/delete?a", "/response-headers?X-A=1&X-B=2", "/redirect/3", "/relative-redirect/2",
            "/absolute-redirect/2", "/redirect-to?url=/get", "/base64/aGVsbG8=", "/links/3/1", "/anything/x?y=1",
            "/basic-auth/user/pass", "/hidden-basic-auth/user/pass", "/bearer", "/delay/0", "/forms/post",
        )
    },
    **{
        f"/status/{code}": lambda session, server, code=code: session.get(f"{server}/status/{code}")  # type: ignore[misc]
        for code in (200, 201, 204, 206, 300, 304, 400, 401, 403, 404, 405, 410, 418, 429, 500, 503)
    },
    "HEAD": lambda session, server: session.head(f"{server}/get"),
    "OPTIONS": lambda session, server: session.options(f"{server}/get"),
    "POST form": lambda session, server: session.post(f"{server}/post", data={"a": "1"}),
    "POST json": lambda session, server: session.post(f"{server}/post", json={"a": 1}),
    "POST text": lambda session, server: session.post(f"{server}/post", data="text"),
    "POST bytes": lambda session, server: session.post(f"{server}/post", data=b"bytes"),
    "POST nothing": lambda session, server: session.post(f"{server}/post"),
    "POST file": lambda session, server: session.post(f"{server}/post", data=io.BytesIO(b"x" * 2_000_000)),
    "PUT": lambda session, server: session.put(f"{server}/put", data=b"x"),
    "PATCH": lambda session, server: session.patch(f"{server}/patch", data=b"x"),
    "DELETE": lambda session, server: session.delete(f"{server}/delete"),
    "POST redirected": lambda session, server: session.post(f"{server}/redirect-to?url=/get&status_code=302", data="x"),
    "POST kept": lambda session, server: session.post(f"{server}/redirect-to?url=/post&status_code=307", data="x"),
    "not followed": lambda session, server: session.get(f"{server}/redirect/2", allow_redirects=False),
    "basic": lambda session, server: session.get(f"{server}/basic-auth/u/p", auth=("u", "p")),
    "digest": lambda session, server: session.get(f"{server}/digest-auth/auth/u/p", auth=HTTPDigestAuth("u", "p")),
    "userinfo": lambda session, server: session.get(server.replace("//", "//u:p@") + "/basic-auth/u/p"),
    "own headers": lambda session, server: session.get(f"{server}/headers", headers={"X-A": "1", "Accept": "a/b"}),
    "no user agent": lambda session, server: session.get(f"{server}/get", headers={"User-Agent": "mine"}),
}  # fmt: skip

VARYING_HEADERS = ("date", "etag", "last-modified", "connection", "keep-alive", "transfer-encoding", "www-authenticate")


def is_json(response: requests.Response) -> bool:
    """Return whether the body is one JSON value; /stream sends one value per line."""
    return "json" in response.headers.get("Content-Type", "") and "/stream" not in response.url


def summary(response: requests.Response) -> dict[str, Any]:
    content = response.content
    content = re.sub(rb'(, )?"Accept-Language": "[^"]*"', b"", content)
    return {
        "status": response.status_code,
        "reason": response.reason,
        "url": response.url.replace("u:p@", ""),
        "headers": sorted(
            (name.lower(), value)
            for name, value in response.headers.items()
            if name.lower() not in VARYING_HEADERS and name.lower() != "content-length"
        ),
        "cookies": response.cookies.get_dict(),
        "history": [(each.status_code, each.url) for each in response.history],
        "encoding": response.encoding,
        "is json": is_json(response),
        "text": None if is_json(response) else content,
    }


@pytest.mark.parametrize("name", ENDPOINTS)
def test_same_response_as_with_requests(name: str, session: requests.Session, httpbin: str) -> None:
    with requests.Session() as stock:
        expected = ENDPOINTS[name](stock, httpbin)
        expected_cookies = stock.cookies.get_dict()
    found = ENDPOINTS[name](session, httpbin)
    assert summary(found) == summary(expected)
    assert session.cookies.get_dict() == expected_cookies
    if summary(found)["is json"] and found.content:
        ours, theirs = found.json(), expected.json()
        for each in (ours, theirs):
            for field in ("Accept-Language", "Accept-Encoding"):
                if isinstance(each, dict) and isinstance(each.get("headers"), dict):
                    each["headers"].pop(field, None)
        assert ours == theirs
    assert isinstance(found.raw, urllib3.HTTPResponse)
    assert bool(found.elapsed) == bool(expected.elapsed)


def test_repeated_headers_are_kept(session: requests.Session, serve: Serve) -> None:
    response = session.get(serve(always(b"", headers="Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n")).url)
    assert response.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert session.cookies.get_dict() == {"a": "1", "b": "2"}


# -- streams


def test_streamed_responses(session: requests.Session, serve: Serve) -> None:
    body = bytes(range(256)) * 8000
    server = serve(always(body))
    with session.get(server.url, stream=True) as response:
        assert b"".join(response.iter_content(1000)) == body
    with session.get(server.url, stream=True) as response:
        assert response.raw.read(10) == body[:10] and response.raw.read(5) == body[10:15]
    with session.get(server.url, stream=True) as response:
        assert response.raw.read() == body
    lines = serve(always(gzip.compress(b"one\ntwo\nthree"), headers="Content-Encoding: gzip\r\n"))
    with session.get(lines.url, stream=True) as response:
        assert list(response.iter_lines()) == [b"one", b"two", b"three"]
    with session.get(serve(always(b"no", "404 No")).url, stream=True) as response:
        assert response.status_code == 404 and response.content == b"no"
    assert session.get(server.url).content == body


def test_closed_stream_frees_its_worker(engine: str, session: requests.Session, serve: Serve) -> None:
    server = serve(always(b"x" * 10_000_000))
    for _ in range(200):
        response = session.get(server.url, stream=True)
        next(response.iter_content(100))
        response.close()
    assert session.get(server.url).status_code == 200
    running = engine_named(engine)
    busy = running._running if engine == "python" else [worker for worker in running._workers if worker.load]  # type: ignore[attr-defined]
    assert len(busy) == 0


# -- exceptions


def sends(raw: bytes) -> Handler:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(raw)

    return handle


@pytest.mark.parametrize("stream", [False, True])
def test_exceptions(stream: bool, session: requests.Session, serve: Serve) -> None:
    def get(url: str, **options: Any) -> bytes:
        return session.get(url, stream=stream, **options).content

    with pytest.raises(exceptions.ConnectionError, match="Connection refused"):
        get("http://127.0.0.1:1/")
    with pytest.raises(exceptions.ConnectionError, match="not found"):
        get("http://no-such-host.invalid/")
    with pytest.raises(exceptions.ConnectionError):
        get(serve(lambda connection: None).url)
    with pytest.raises(exceptions.ChunkedEncodingError):
        get(serve(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")).url)
    with pytest.raises(exceptions.ContentDecodingError):
        get(serve(always(b"no gzip", headers="Content-Encoding: gzip\r\n")).url)
    with pytest.raises(exceptions.ReadTimeout):
        get(serve(silence).url, timeout=0.2)
    with pytest.raises(exceptions.ReadTimeout):
        get(serve(silence).url, timeout=(5, 0.2))
    with pytest.raises(exceptions.InvalidHeader):
        get(serve(silence).url, headers={"X-A": "1\r\nX-B: 2"})
    for url in ("http://", "http:///path", "http://*"):
        with pytest.raises(exceptions.RequestException) as caught:
            get(url)
        assert isinstance(caught.value, (exceptions.InvalidURL, exceptions.ConnectionError))
    with pytest.raises(exceptions.InvalidSchema):
        get("gopher://host/")
    with pytest.raises(ValueError, match="must be an int, float or None"):
        get("http://127.0.0.1:1/", timeout="soon")

    def stall(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        connection.wait_for_close()

    with pytest.raises((exceptions.ReadTimeout, exceptions.ConnectionError)):
        get(serve(stall).url, timeout=0.2)


def test_connect_timeout(session: requests.Session) -> None:
    with full_port() as port:
        started = time.monotonic()
        with pytest.raises(exceptions.ConnectTimeout, match="not connected within 300 ms"):
            session.get(f"http://127.0.0.1:{port}/", timeout=(0.3, 30))
        assert time.monotonic() - started < 1


def test_connect_timeout_does_not_apply_to_a_slow_response(session: requests.Session, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        time.sleep(1)
        connection.respond(b"late")

    assert session.get(serve(handle).url, timeout=(0.4, 30)).content == b"late"


def test_proxies_of_requests_and_of_the_manager(
    session: requests.Session, manager: NetworkAccessManager, serve: Serve
) -> None:
    server = serve(always(b"ok"))
    url = f"http://somewhere.test:{server.port}/"
    proxy = ProxyServer()
    address = f"http://127.0.0.1:{proxy.port}"
    assert session.get(url, proxies={"http": address}).content == b"ok"
    session.proxies = {"http": f"socks5h://127.0.0.1:{proxy.port}"}
    assert session.get(url).content == b"ok"
    session.proxies = {}
    manager.setProxy(address)
    assert session.get(url).content == b"ok"
    assert len(proxy.asked) == 3
    with pytest.raises(exceptions.ProxyError):
        session.get(url, proxies={"http": "http://127.0.0.1:1"})
    with pytest.raises(exceptions.InvalidProxyURL):
        session.get(url, proxies={"http": "gopher://x:1"})
    proxy.close()


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_tls_options_of_requests_and_of_the_manager(engine: str, tmp_path: Any) -> None:
    authority, client = trustme.CA(), trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"), trusts=client, requires=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "me.pem"))
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    with requests_session(manager) as session:
        with pytest.raises(exceptions.SSLError):
            session.get(server.url)
        with pytest.raises((exceptions.SSLError, exceptions.ConnectionError)):
            session.get(server.url, verify=str(tmp_path / "ca.pem"))
        cert = str(tmp_path / "me.pem")
        assert session.get(server.url, verify=str(tmp_path / "ca.pem"), cert=cert).content == b"secret"
        assert session.get(server.url, verify=False, cert=(cert, cert)).content == b"secret"
        manager.setTlsSettings(TlsSettings(caFile=str(tmp_path / "ca.pem"), clientCertificate=cert))
        assert session.get(server.url).content == b"secret"
    server.close()


# -- cancel, route_requests, threads


def test_feedback_cancels_all_requests_of_a_session(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(silence)
    feedback = Feedback()
    session = requests_session(manager, feedback)
    ended: list[BaseException] = []

    def work() -> None:
        try:
            session.get(server.url)
        except exceptions.RequestException as error:
            ended.append(error)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    server.wait_for_requests(5)
    feedback.cancel()
    for thread in threads:
        thread.join(10)
    assert len(ended) == 5 and all(isinstance(error, RequestCanceled) for error in ended)
    with pytest.raises(RequestCanceled):
        session.get(server.url)


def test_route_requests_is_undone(manager: NetworkAccessManager, httpbin: str) -> None:
    before = requests.Session.get_adapter
    mounted = requests.Session()
    own = requests.adapters.HTTPAdapter()

    class Own(requests.adapters.HTTPAdapter):
        pass

    mounted.mount("http://", Own())
    with route_requests(manager) as outer:
        assert requests.Session().get_adapter(httpbin) is outer
        assert isinstance(mounted.get_adapter(httpbin), Own)
        with route_requests(manager) as inner:
            assert requests.Session().get_adapter(httpbin) is inner
        assert requests.Session().get_adapter(httpbin) is outer
        assert requests.get(f"{httpbin}/get").json()["args"] == {}
        with pytest.raises(LookupError), route_requests(manager):
            raise LookupError
    assert requests.Session.get_adapter is before
    assert type(requests.Session().get_adapter(httpbin)) is type(own)


def test_session_is_pickled(manager: NetworkAccessManager, httpbin: str) -> None:
    session = pickle.loads(pickle.dumps(requests_session(manager)))
    assert isinstance(session.get_adapter(httpbin), QtAdapter)
    assert session.get(f"{httpbin}/get").status_code == 200


def test_many_threads_over_one_session(session: requests.Session, httpbin: str) -> None:
    bodies: list[bytes] = []

    def work() -> None:
        for _ in range(10):
            bodies.append(session.get(f"{httpbin}/range/100").content)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(bodies) == 80 and len(set(bodies)) == 1


def test_raw_attributes_performance_and_retries(
    session: requests.Session, manager: NetworkAccessManager, serve: Serve
) -> None:
    lines = serve(always(b"a,b\nc,d\n"))
    if hasattr(urllib3.HTTPResponse, "read1"):  # urllib3 1.26 has none
        with session.get(lines.url, stream=True) as response:
            assert response.raw.read1(3) == b"a,b"
        with session.get(lines.url, stream=True) as response:
            response.raw.auto_close = False  # an attribute of urllib3
            assert list(io.TextIOWrapper(response.raw)) == ["a,b\n", "c,d\n"]  # type: ignore[type-var]
    large = bytes(48_000_000)
    started = time.process_time()
    assert session.get(serve(always(large)).url).content == large
    assert time.process_time() - started < 5  # it took a minute when the body was copied repeatedly
    server = serve(always(b"", "503 Busy"))
    session.mount("http://", QtAdapter(manager, max_retries=urllib3.Retry(2, status_forcelist=[503])))
    with pytest.raises(exceptions.RetryError, match="too many 503 error responses"):
        session.get(server.url)
    assert len(server.requests) == 3


def test_stream_closed_by_another_thread(session: requests.Session, serve: Serve) -> None:
    def stall(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        connection.wait_for_close()

    response = session.get(serve(stall).url, stream=True, timeout=30)
    pieces = response.iter_content(3)
    assert next(pieces) == b"abc"
    threading.Timer(0.3, response.close).start()
    started = time.monotonic()
    with pytest.raises((exceptions.RequestException, AttributeError)):
        next(pieces)
    assert time.monotonic() - started < 10


def test_truncated_body_error_counts_bytes(session: requests.Session, serve: Serve) -> None:
    def half(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n12345")

    with pytest.raises(exceptions.ChunkedEncodingError, match=r"5 of 100 bytes.*\(5 bytes read, 95 more expected\)"):
        session.get(serve(half).url)


# -- as requests has it


def test_retries_of_a_mounted_adapter(manager: NetworkAccessManager, serve: Serve) -> None:
    """As pystac-client mounts them."""

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            is_third = len(connection.server.requests) % 3 == 0
            connection.respond(b"ok", "200 OK" if is_third else "503 Service Unavailable")

    server = serve(handle)
    session = requests.Session()
    with route_requests(manager):
        assert session.get(server.url).status_code == 503 and len(server.requests) == 1
        rule = Retry(total=5, status_forcelist=[503], backoff_factor=0)
        session.mount("http://", HTTPAdapter(max_retries=rule))
        for _ in range(2):
            assert session.get(server.url).status_code == 200
        assert len(server.requests) in (6, 7)
        first = session.get_adapter(server.url)
        assert isinstance(first, QtAdapter) and first is session.get_adapter(server.url)
        with route_requests(NetworkAccessManager()):
            assert session.get_adapter(server.url) is not first
    assert type(session.get_adapter(server.url)) is HTTPAdapter


@pytest.mark.parametrize(
    "rule", [Retry(total=None, status=3, status_forcelist=[503]), Retry(2, status_forcelist=[503])]
)
def test_each_kind_of_retry_counts(rule: Retry, manager: NetworkAccessManager, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"ok", "200 OK" if len(connection.server.requests) > 1 else "503 Service Unavailable")

    server, session = serve(handle), requests.Session()
    session.mount("http://", QtAdapter(manager, max_retries=rule))
    assert session.get(server.url).status_code == 200 and len(server.requests) == 2


@pytest.mark.parametrize(
    ("verify", "cert", "text"),
    [
        ("/garbage", None, "Could not find a suitable TLS CA certificate bundle, invalid path: /garbage"),
        (True, "/garbage", "Could not find the TLS certificate file, invalid path: /garbage"),
        (True, (__file__, "/garbage"), "Could not find the TLS key file, invalid path: /garbage"),
    ],
)
def test_tls_files_that_do_not_exist(verify: Any, cert: Any, text: str, session: requests.Session) -> None:
    with pytest.raises(OSError, match=re.escape(text)):
        session.get("https://127.0.0.1:1/", verify=verify, cert=cert)


def test_timeouts_of_a_wrong_shape(session: requests.Session) -> None:
    for timeout, text in (
        ((1, 2, 3), "Pass a (connect, read) timeout tuple"),
        ("soon", "must be an int, float or None"),
        (0, "less than or equal to 0"),
        (True, "cannot be a boolean"),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            session.get("http://127.0.0.1:1/", timeout=timeout)  # type: ignore[arg-type]
    Timeout = urllib3.util.Timeout
    for good in (Timeout(connect=1, read=2), (None, 3.5), Timeout()):
        with pytest.raises(exceptions.ConnectionError):
            session.get("http://127.0.0.1:1/", timeout=good)  # type: ignore[arg-type]


def test_arguments_of_a_read_timeout(session: requests.Session, serve: Serve) -> None:
    with pytest.raises(exceptions.ReadTimeout) as caught:
        session.get(serve(silence).url, timeout=0.2)
    cause = caught.value.args[0]
    assert isinstance(cause, urllib3.exceptions.ReadTimeoutError) and "Read timed out" in cause.args[0]


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", b"HTTP/1.1 200 OK\r\nConte"])
def test_header_that_is_cut_off(raw: bytes, serve: Serve) -> None:
    server = serve(once(raw))
    with requests_session() as session, pytest.raises(exceptions.ChunkedEncodingError, match="cut off"):
        session.get(server.url)
    assert len(server.requests) == 1


def test_lengths_that_differ(session: requests.Session, serve: Serve) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"))
    with pytest.raises((exceptions.InvalidHeader, exceptions.ConnectionError)):
        session.get(server.url)
    for stream in (True, False):
        with requests_session() as own, pytest.raises((exceptions.InvalidHeader, exceptions.ConnectionError)):
            own.get(server.url, stream=stream)


def test_proxy_without_a_port(session: requests.Session) -> None:
    with pytest.raises(exceptions.ProxyError):
        session.get("http://somewhere.invalid/", proxies={"http": "no-such-proxy.invalid"})


def test_user_agent_that_is_removed(serve: Serve) -> None:
    server = serve(always(b"ok"))
    with requests_session() as session:
        session.get(server.url, headers={"User-Agent": None})  # type: ignore[dict-item]
        session.get(server.url)
    assert b"user-agent" not in server.requests[0].lower()
    assert b"\r\nUser-Agent: python-requests/" in server.requests[1]


def test_close_clears_the_pools_of_urllib3(session: requests.Session) -> None:
    """Libraries put their own there."""
    adapter = session.get_adapter("http://x/")
    assert isinstance(adapter, QtAdapter)
    pool = mock.Mock()
    adapter.proxy_manager["http://proxy"] = pool
    session.close()
    assert pool.clear.called

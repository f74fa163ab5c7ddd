"""The same request over both engines: the same code, status, headers, body, history and message.

The only differences that are allowed are in ``DIFFERENCES`` and ``ENGINE_HEADERS``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, ReplyContent, TlsSettings
from blocking_request.qt.binding import QT_VERSION, QtCore, QtNetwork, enum_value

from ..support.faults import CUT_OFF, FAULTS, LONG, NOT_HTTP, Fault
from ..support.marks import needs_tls_in_qt
from ..support.names import Serve
from ..support.servers.raw import Handler, always, once
from ..support.servers.tls import EXPIRED, TlsServer

Call = Callable[[BlockingNetworkRequest, str], Any]
QT5 = QT_VERSION < (6,)

ENGINE_HEADERS = frozenset(("date", "access-control-allow-origin"))
"""The current time, and a field that httpbin derives from the request."""

VARYING_HEADERS = {
    "/cache": frozenset(("etag", "last-modified")),
    "/digest-auth/auth/user/password": frozenset(("www-authenticate", "set-cookie")),
}
"""Values that httpbin generates for each request."""

DIFFERENCES = {
    "no header field at all": "Qt 6 drops a header that it cannot parse and continues, so an empty header is an error",
    "resets in the body": "how much of a body is readable after a reset depends on the kernel",
    "closes in a chunk": "Qt gives a chunk only when it is complete",
    "header without colon": "Qt 5 joins the line with the next name, Qt 6 drops the header without a reason",
    "header without colon, then closes": "Qt 5 joins the line with the next name, Qt 6 drops the header, too",
    "status 99": "the python engine accepts no status below 100",
    **dict.fromkeys((*NOT_HTTP, *CUT_OFF), "Qt does not report the bytes of the server that are not a response"),
}


def request(url: str, *headers: tuple[bytes, bytes], **attributes: Any) -> QtNetwork.QNetworkRequest:
    made = QtNetwork.QNetworkRequest(QtCore.QUrl(url))
    for name, value in headers:
        made.setRawHeader(name, value)
    for name, value in attributes.items():  # type: ignore[assignment]
        made.setAttribute(getattr(QtNetwork.QNetworkRequest.Attribute, name), value)  # type: ignore[call-overload]
    return made


def get(path: str, *headers: tuple[bytes, bytes]) -> Call:
    return lambda blocking, server: blocking.get(request(server + path, *headers))


MANUAL = QtNetwork.QNetworkRequest.RedirectPolicy.ManualRedirectPolicy

HTTPBIN: dict[str, Call] = {
    **{
        path: get(path)
        for path in (
            "/get?a=1&b=%C3%A4%2f&a=2",
            "/headers",
            "/gzip",
            "/deflate",
            "/brotli",
            "/encoding/utf8",
            "/html",
            "/json",
            "/xml",
            "/robots.txt",
            "/deny",
            "/image/png",
            "/bytes/10000?seed=7",
            "/stream/5",
            "/stream-bytes/5000?seed=3&chunk_size=700",
            "/drip?numbytes=20&duration=0",
            "/range/1024",
            "/etag/tag",
            "/cache",
            "/cookies",
            "/cookies/set?a=1&b=2",
            "/response-headers?X-A=1&X-A=2&X-B=%20b%20",
            "/redirect/3",
            "/relative-redirect/2",
            "/absolute-redirect/2",
            "/redirect-to?url=/get%3Fx%3D1&status_code=307",
            "/redirect-to?url=ftp://somewhere/",
            "/basic-auth/user/password",
            "/bearer",
            "/digest-auth/auth/user/password",
            "/base64/aGVsbG8=",
            "/links/3/1",
            "/user-agent",
            "/anything/%C3%A4/a%20b/c%2Fd/%7e;p=1?q=a+b%20c&%C3%A4=1#fragment",
            "/anything/a|b/c^d/e`f/{g}/[h]",
        )
    },
    **{f"/status/{code}": get(f"/status/{code}") for code in (200, 202, 204, 304, 400, 404, 405, 410, 418, 500, 503)},
    "HEAD /get": lambda blocking, server: blocking.head(f"{server}/get"),
    "HEAD /gzip": lambda blocking, server: blocking.head(f"{server}/gzip"),
    "POST form": lambda blocking, server: blocking.post(f"{server}/post", b"a=1&b=%C3%A4"),
    "POST json": lambda blocking, server: blocking.post(
        request(f"{server}/post", (b"Content-Type", b"application/json")), b'{"a": 1}'
    ),
    "POST nothing": lambda blocking, server: blocking.post(f"{server}/post", None),
    "POST 300 KB": lambda blocking, server: blocking.post(
        request(f"{server}/post", (b"Content-Type", b"text/plain")), b"0123456789" * 30_000
    ),
    "PUT": lambda blocking, server: blocking.put(f"{server}/put", b"data"),
    "PATCH": lambda blocking, server: blocking.patch(f"{server}/patch", b"data"),
    "DELETE": lambda blocking, server: blocking.deleteResource(f"{server}/delete"),
    "DELETE with a body": lambda blocking, server: blocking.sendCustomRequest(f"{server}/delete", "DELETE", b"x"),
    "OPTIONS": lambda blocking, server: blocking.sendCustomRequest(f"{server}/get", "OPTIONS"),
    "TRACE": lambda blocking, server: blocking.sendCustomRequest(f"{server}/anything", "TRACE"),
    "POST redirected": lambda blocking, server: blocking.post(f"{server}/redirect-to?url=/get&status_code=302", b"x"),
    "POST kept": lambda blocking, server: blocking.post(f"{server}/redirect-to?url=/post&status_code=308", b"x"),
    "not followed": lambda blocking, server: blocking.get(
        request(f"{server}/redirect/2", RedirectPolicyAttribute=MANUAL)
    ),
    "own headers": get("/headers", (b"X-Mine", b"\xe9 one"), (b"User-Agent", b"mine"), (b"Accept", b"a/b")),
    "own Accept-Encoding": get("/gzip", (b"Accept-Encoding", b"gzip")),
    "own Accept-Language": get("/headers", (b"Accept-Language", b"de")),
    "range": get("/range/1024", (b"Range", b"bytes=10-19")),
    "If-None-Match": get("/etag/tag", (b"If-None-Match", b"tag")),
    "userinfo": lambda blocking, server: blocking.get(
        server.replace("//", "//user:password@") + "/basic-auth/user/password"
    ),
    "forceRefresh": lambda blocking, server: blocking.get(f"{server}/headers", True),
    "wrong method": lambda blocking, server: blocking.post(f"{server}/get", b"x"),
    "unknown verb": lambda blocking, server: blocking.sendCustomRequest(f"{server}/get", "FROBNICATE"),
}

FOLDED = b"HTTP/1.1 200 Fine\r\nX-Folded: one\r\n  two\r\n\tthree\r\nContent-Length: 2\r\n\r\nhi"
RAW: dict[str, Handler] = {
    "folded header": once(FOLDED),
    "latin-1 in headers": once(b"HTTP/1.1 200 OK\r\nX-A: caf\xe9\r\nContent-Length: 2\r\n\r\nhi"),
    "utf-8 in headers": once(b"HTTP/1.1 200 OK\r\nX-A: caf\xc3\xa9\r\nContent-Length: 2\r\n\r\nhi"),
    "spaces around values": once(b"HTTP/1.1 200 OK\r\nX-A:   a b  \r\nX-B:\r\nContent-Length: 2\r\n\r\nhi"),
    "repeated headers": once(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\nx-a: 3\r\nContent-Length: 2\r\n\r\nhi"),
    "repeated cookies": once(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT\r\nSet-Cookie: b=2\r\n"
        b"Content-Length: 2\r\n\r\nhi"
    ),
    "line feeds only": once(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"),
    "no reason": once(b"HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\nhi"),
    "no reason, no space": once(b"HTTP/1.1 404\r\nContent-Length: 2\r\n\r\nhi"),
    "HTTP/1.0": once(b"HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nuntil the end"),
    "connection: close": once(b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-A: 1\r\n\r\nuntil the end"),
    "chunk extensions and trailers": once(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Trailer: t\r\n\r\n"
    ),
    "chunked in capitals": once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    "gzip, chunked": once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    "chunked with a length": once(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    ),
    **{
        f"framed by {line!r}": once(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        for line in (
            b"Transfer-Encoding: chunked ",
            b"Transfer-Encoding: chunked\t",
            b"transfer-encoding:chunked",
            b"Transfer-Encoding:\r\n chunked",
            b"Transfer-Encoding: identity, chunked",
            b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        )
    },
    "101 Connection lines": once(b"HTTP/1.1 200 OK\r\n" + b"Connection: x\r\n" * 90 + b"Content-Length: 2\r\n\r\nhi"),
    "204 with a length": once(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX-A: 1\r\n\r\n"),
    "205 with a body": once(b"HTTP/1.1 205 Reset\r\nContent-Length: 5\r\n\r\nhello"),
    "status 299": once(b"HTTP/1.1 299 Odd\r\nContent-Length: 5\r\n\r\nhello"),
    "status 799": once(b"HTTP/1.1 799 Odder\r\nContent-Length: 5\r\n\r\nhello"),
    "switching protocols": once(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    "continue first": once(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    "redirect with a body": once(b"HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nhello"),
    "redirect to nowhere": once(b"HTTP/1.1 302 Found\r\nLocation: http://\r\nContent-Length: 5\r\n\r\nhello"),
}


def reply_of(engine: str, manager: NetworkAccessManager, call: Callable[[BlockingNetworkRequest], Any]) -> ReplyContent:
    blocking = BlockingNetworkRequest(manager)
    blocking.setEngine(engine)
    blocking.setTimeout(LONG)
    code = call(blocking)
    reply = blocking.reply()
    assert code is reply.errorCode()
    assert blocking.errorMessage() == reply.errorString()
    return reply


def facts(reply: ReplyContent) -> dict[str, Any]:
    """Return the values of a reply that do not name the engine."""
    return {
        "code": reply.errorCode(),
        "error": enum_value(reply.error()),
        "message": reply.errorString(),
        "status": reply.statusCode(),
        "reason": reply.reasonPhrase(),
        "headers": {
            name.lower(): reply.headers.getlist(name) if name.lower() == "set-cookie" else value
            for name, value in reply.headers.items()
            if name.lower() not in ENGINE_HEADERS
        },
        "attributes": reply.attributes(),
        "body": reply.body,
        "url": reply.url().toString(),
        "operation": reply.operation(),
        "history": [facts(earlier) for earlier in reply.history()],
        "session": (reply.sessionProtocol(), reply.sessionCipher(), reply.peerCertificateChain(), reply.sslErrors()),
    }


def assert_same(
    call: Callable[[BlockingNetworkRequest], Any],
    manager: NetworkAccessManager,
    varying: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    over_qt, over_python = (facts(reply_of(engine, manager, call)) for engine in ("qt", "python"))
    for each in (over_qt, over_python):
        each["headers"] = {name: value for name, value in each["headers"].items() if name not in varying}
        each["body"] = in_order(each["body"])
    assert over_python == over_qt
    return over_qt


def in_order(body: bytes) -> Any:
    """Return a body without the parts that differ between responses.

    httpbin's /stream writes the headers in the order they came in, which is the engine's own. A gzip stream that is not
    undone has the second in which it was made (RFC 1952 section 2.3).
    """
    if body.startswith(b"\x1f\x8b"):
        return body[:4] + body[8:]
    try:
        return [json.loads(line) for line in body.splitlines()]
    except ValueError:
        return body


@pytest.mark.parametrize("name", HTTPBIN)
def test_httpbin(name: str, httpbin: str) -> None:
    varying = VARYING_HEADERS.get(name, frozenset())
    assert_same(lambda blocking: HTTPBIN[name](blocking, httpbin), NetworkAccessManager(), varying)


@pytest.mark.parametrize("name", RAW)
def test_raw_response(name: str, serve: Serve) -> None:
    server = serve(RAW[name])
    assert_same(lambda blocking: blocking.get(f"{server.url}/a?token=s3cret"), NetworkAccessManager())


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.idle == LONG], ids=lambda fault: fault.name)
def test_fault(fault: Fault, serve: Serve) -> None:
    if fault.name == "endless drip":
        return  # ends by a clock: test_faults
    server = serve(fault.handler)
    manager = NetworkAccessManager()
    over_qt, over_python = (
        facts(reply_of(engine, manager, lambda blocking: blocking.get(server.url))) for engine in ("qt", "python")
    )
    if fault.name in DIFFERENCES:
        for each in (over_qt, over_python):
            del each["body"]
            if fault.name == "no header field at all" and not QT5:
                del each["code"], each["error"], each["message"]
            elif fault.name == "status 99":
                del each["status"], each["reason"], each["attributes"], each["headers"]
            elif fault.name in (*NOT_HTTP, *CUT_OFF):
                del each["error"], each["message"]
            elif "without colon" in fault.name:
                del each["headers"], each["attributes"]
                each["message"] = each["message"].partition(":")[0]
    assert over_python == over_qt


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "http://127.0.0.1:0/", "http://", "nonsense", "x:y"]
)
def test_unreachable_or_invalid_url(url: str) -> None:
    assert_same(lambda blocking: blocking.get(url), NetworkAccessManager())


def test_sent_requests(serve: Serve) -> None:
    """The request as sent, except the order and the case of its field names."""

    def sent(engine: str) -> list[Any]:
        server = serve(always(b"ok"))
        for call in (
            lambda blocking: blocking.get(f"{server.url}/a%7Eb/%2f?x=%20y+z#f"),
            lambda blocking: blocking.get(f"{server.url}?x"),
            lambda blocking: blocking.post(server.url, b"data"),
            lambda blocking: blocking.put(server.url, b""),
            lambda blocking: blocking.sendCustomRequest(server.url, "PROPFIND", None),
            lambda blocking: blocking.get(request(server.url, (b"X-A", b"1"), (b"Accept-Language", b"fr"))),
        ):
            reply_of(engine, NetworkAccessManager(), call)
        found = []
        for raw in server.requests:
            head, _, body = raw.replace(str(server.port).encode(), b"PORT").partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
            found.append((first, fields, body))
        return found

    assert sent("python") == sent("qt")


@pytest.fixture(scope="module")
def secure_servers() -> Iterator[dict[str, tuple[TlsServer, TlsSettings]]]:
    authority, stranger = trustme.CA(), trustme.CA(organization_name="Strangers Ltd")
    ca = TlsSettings(caData=authority.cert_pem.bytes())
    leaf = authority.issue_cert("127.0.0.1")
    servers = {
        "good": (TlsServer(leaf), ca),
        "TLS 1.2": (TlsServer(leaf, versions=("TLSv1_2", "TLSv1_2")), ca),
        "not verified": (TlsServer(leaf), TlsSettings(verify=False)),
        "expired": (TlsServer(authority.issue_cert("127.0.0.1", not_after=EXPIRED)), ca),
        "wrong host": (TlsServer(authority.issue_cert("internal.test")), ca),
        "unknown issuer": (TlsServer(stranger.issue_cert("127.0.0.1")), ca),
        "all of it": (TlsServer(stranger.issue_cert("internal.test", not_after=EXPIRED)), ca),
        "client certificate wanted": (TlsServer(leaf, trusts=authority, requires=True), ca),
        "not pinned": (TlsServer(leaf), TlsSettings(caData=ca.caData, pinnedFingerprints=("0" * 64,))),
        "truncated": (TlsServer(leaf, once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")), ca),
    }
    yield servers
    for server, _ in servers.values():
        server.close()


SECURE = (
    "good", "TLS 1.2", "not verified", "expired", "wrong host", "unknown issuer", "all of it",
    "client certificate wanted", "not pinned", "truncated",
)  # fmt: skip


@needs_tls_in_qt
@pytest.mark.parametrize("name", SECURE)
def test_tls(name: str, secure_servers: dict[str, tuple[TlsServer, TlsSettings]]) -> None:
    server, settings = secure_servers[name]
    manager = NetworkAccessManager()
    manager.setTlsSettings(settings)
    found = assert_same(lambda blocking: blocking.get(server.url), manager)
    if name != "client certificate wanted":
        assert found["session"][2]


def test_number_of_cases() -> None:
    assert len(HTTPBIN) + len(RAW) + len(FAULTS) + len(SECURE) > 120
    assert {fault.name for fault in FAULTS} >= set(DIFFERENCES)

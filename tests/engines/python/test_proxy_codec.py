"""The messages to HTTP and SOCKS proxies before a tunnel is open, and their responses."""

from __future__ import annotations

import sys
from typing import Callable, Optional

import pytest

from blocking_request import Proxy
from blocking_request.engines.python.channel import Channel
from blocking_request.engines.python.engine import PythonEngine
from blocking_request.engines.python.failures import TransferFailed
from blocking_request.engines.python.proxy import open_tunnel
from blocking_request.engines.python.socks import open_socks, socks_unusable_reason
from blocking_request.engines.qt.engine import engine as qt_engine
from blocking_request.engines.wanted import Steps
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.models.http_messages import Request

from ...support.drive_steps import connected, drive, receive_some, send_all
from ...support.names import Serve
from ...support.servers.raw import Connection
from ...support.servers.scripted import Script, following

REFUSED = "The proxy did not let us through: "
AUTHENTICATION = (Q.ProxyAuthenticationRequiredError, "Proxy requires authentication")
CLOSED = (Q.ProxyConnectionClosedError, "Proxy connection closed prematurely")
NOT_SOCKS = (Q.UnknownProxyError, REFUSED + "its answer is none of SOCKS")
BEHIND = (Q.UnknownProxyError, REFUSED + "it sent something behind its answer")

Open = Callable[[Channel], Steps[None]]
Outcome = Optional[tuple[Q, str]]
"""None if the tunnel is open."""


def outcome(port: int, open_way: Open) -> Outcome:
    """Open a tunnel through the proxy at a port and, if it is open, check both directions."""
    channel = drive(connected(port)())
    try:
        drive(open_way(channel))
    except TransferFailed as failed:
        return failed.failure.error, failed.failure.text
    else:
        drive(send_all(channel, b"to the server"))
        received = b""
        while len(received) < 13:
            received += drive(receive_some(channel))
        assert received == b"to the server"
        return None
    finally:
        channel.close()


def tunnel(proxy: Proxy, host: str = "h.test", port: int = 443) -> Open:
    return lambda channel: open_tunnel(channel, proxy, host, port)


def socks(proxy: Proxy, host: str = "h.test", port: int = 80) -> Open:
    return lambda channel: open_socks(channel, proxy, host, port, Request("GET", "http://h.test/"))


# -- CONNECT

HTTP = Proxy("http", "proxy", 3128)
CONNECT = b"CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n"


@pytest.mark.parametrize(
    ("proxy", "host", "head"),
    [
        (HTTP, "h.test", CONNECT),
        (HTTP, "1.2.3.4", CONNECT.replace(b"h.test", b"1.2.3.4")),
        (HTTP, "::1", CONNECT.replace(b"h.test", b"[::1]")),
        (HTTP, "fe80::1%eth0", CONNECT.replace(b"h.test", b"[fe80::1]")),
        (
            Proxy("http", "proxy", 3128, "user", "pass"),
            "h.test",
            CONNECT[:-2] + b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n",
        ),
    ],
)
def test_connect_request_head(proxy: Proxy, host: str, head: bytes, serve: Serve) -> None:
    received: list[bytes] = []
    server = serve(following(((head, b"HTTP/1.1 200 OK\r\n\r\n"),), received))
    assert outcome(server.port, tunnel(proxy, host)) is None
    assert received == [head]


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.0 200 Connection established\r\nProxy-Agent: x\r\n\r\n", None),
        (b"HTTP/1.1 204 \r\n\r\n", None),
        # RFC 9110 section 9.3.6: these fields are ignored here
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n", AUTHENTICATION),
        (b"HTTP/1.1 407 Who?\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", AUTHENTICATION),
        (b"HTTP/1.1 403 Not you\r\nContent-Length: 9\r\n\r\n", (Q.UnknownProxyError, REFUSED + "403 Not you")),
        (b"HTTP/1.1 502 \r\n\r\n", (Q.UnknownProxyError, REFUSED + "502")),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", (Q.UnknownProxyError, REFUSED + "302 Found")),
        (b"HTTP/1.1 101 Other\r\n\r\n", (Q.UnknownProxyError, REFUSED + "101 Other")),
        (
            b"SSH-2.0-OpenSSH_9\r\n",
            (
                Q.UnknownProxyError,
                REFUSED + "Data corrupted: the response is not HTTP/1: it begins with 'SSH-2.0-OpenSSH_9'",
            ),
        ),
    ],
)
def test_connect_response(is_slow: bool, answer: bytes, expected: Outcome, serve: Serve) -> None:
    server = serve(following(((CONNECT, answer),), [], is_slow))
    found = outcome(server.port, tunnel(HTTP))
    if expected is not None and "SSH" in expected[1]:  # how much of the line has arrived is random
        assert found is not None and found[1].startswith(expected[1].partition("SSH")[0])
    else:
        assert found == expected


def test_bytes_behind_a_connect_response(serve: Serve) -> None:
    server = serve(following(((CONNECT, b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03"),), []))
    assert outcome(server.port, tunnel(HTTP)) == BEHIND


@pytest.mark.parametrize("count", [0, 1, 10, 17, 18, 30])
def test_proxy_closes_before_its_response(count: int, serve: Serve) -> None:
    answer = b"HTTP/1.1 200 OK\r\nProxy-Agent: x\r\n\r\n"
    server = serve(following(((CONNECT, answer),), [], answers=count))
    assert outcome(server.port, tunnel(HTTP)) == CLOSED


def test_proxy_resets_the_connection(serve: Serve) -> None:
    def reset(connection: Connection) -> None:
        connection.read_request()
        connection.reset()

    assert outcome(serve(reset).port, tunnel(HTTP)) == CLOSED


@pytest.mark.parametrize("line", [b"A: b\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n"])
def test_endless_connect_response(line: bytes, serve: Serve) -> None:
    start = b"HTTP/1.1 200 OK\r\n" if line.startswith(b"A") else b""
    server = serve(following(((CONNECT, start + line * 100_000),), []))
    found = outcome(server.port, tunnel(HTTP))
    assert found is not None and found[1].startswith(REFUSED + "The header of the response is larger than 300 KB")


def test_line_end_in_a_host() -> None:
    with pytest.raises(ValueError, match="a line end stands within the head of the request"):
        next(open_tunnel(None, HTTP, "h\r\nX: y", 443))  # type: ignore[arg-type]


# -- SOCKS5

SOCKS5 = Proxy("socks5", "proxy", 1080)
WITH_USER = Proxy("socks5", "proxy", 1080, "user", "pass")
GREETING, LOGIN_GREETING, LOGIN = b"\5\1\0", b"\5\2\0\2", b"\1\4user\4pass"
NAME = b"\5\1\0\3\6h.test\0\x50"
REPLY = b"\5\0\0\1\1\2\3\4\0\x50"


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize(
    ("proxy", "host", "script"),
    [
        (SOCKS5, "h.test", ((GREETING, b"\5\0"), (NAME, REPLY))),
        (SOCKS5, "1.2.3.4", ((GREETING, b"\5\0"), (b"\5\1\0\1\1\2\3\4\0\x50", REPLY))),
        (SOCKS5, "::1", ((GREETING, b"\5\0"), (b"\5\1\0\4" + bytes(15) + b"\1\0\x50", REPLY))),
        (SOCKS5, "fe80::1%eth0", ((GREETING, b"\5\0"), (b"\5\1\0\4\xfe\x80" + bytes(13) + b"\1\0\x50", REPLY))),
        (SOCKS5, "h.test", ((GREETING, b"\5\0"), (NAME, b"\5\0\0\4" + bytes(18)))),
        (SOCKS5, "h.test", ((GREETING, b"\5\0"), (NAME, b"\5\0\0\3\4a\xff\n\0\0\0"))),
        (SOCKS5, "h.test", ((GREETING, b"\5\0"), (NAME, b"\5\0\0\3\0\0\0"))),
        (WITH_USER, "h.test", ((LOGIN_GREETING, b"\5\2"), (LOGIN, b"\1\0"), (NAME, REPLY))),
        (WITH_USER, "h.test", ((LOGIN_GREETING, b"\5\0"), (NAME, REPLY))),
        (
            Proxy("socks5", "proxy", 1080, "ü", ""),
            "h.test",
            ((LOGIN_GREETING, b"\5\2"), (b"\1\2\xc3\xbc\0", b"\1\0"), (NAME, REPLY)),
        ),
    ],
)
def test_socks5(is_slow: bool, proxy: Proxy, host: str, script: Script, serve: Serve) -> None:
    received: list[bytes] = []
    server = serve(following(script, received, is_slow))
    assert outcome(server.port, socks(proxy, host)) is None
    assert received == [expected for expected, _ in script]


HTTP_ANSWER = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize(
    ("proxy", "script", "expected"),
    [
        (SOCKS5, ((GREETING, b"\5\xff"),), AUTHENTICATION),
        (SOCKS5, ((GREETING, b"\5\2"),), AUTHENTICATION),
        (SOCKS5, ((GREETING, b"\5\1"),), AUTHENTICATION),
        (WITH_USER, ((LOGIN_GREETING, b"\5\1"),), AUTHENTICATION),
        (WITH_USER, ((LOGIN_GREETING, b"\5\2"), (LOGIN, b"\1\1")), AUTHENTICATION),
        (SOCKS5, ((GREETING, b"\5\x80"),), NOT_SOCKS),
        (SOCKS5, ((GREETING, b"\4\0"),), NOT_SOCKS),
        (SOCKS5, ((GREETING, HTTP_ANSWER),), NOT_SOCKS),
        (SOCKS5, ((GREETING, b"\5\0"), (NAME, HTTP_ANSWER)), NOT_SOCKS),
        (SOCKS5, ((GREETING, b"\5\0"), (NAME, b"\5\0\0\2" + bytes(6))), NOT_SOCKS),
    ],
)
def test_socks5_refuses_the_client(
    is_slow: bool, proxy: Proxy, script: Script, expected: Outcome, serve: Serve
) -> None:
    server = serve(following(script, [], is_slow))
    assert outcome(server.port, socks(proxy)) == expected


@pytest.mark.parametrize("is_short", [False, True])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1, (Q.UnknownProxyError, REFUSED + "general SOCKS server failure")),
        (2, (Q.UnknownProxyError, REFUSED + "connection not allowed by ruleset")),
        (3, (Q.UnknownProxyError, REFUSED + "network unreachable")),
        (4, (Q.HostNotFoundError, "Host h.test not found")),
        (5, (Q.ConnectionRefusedError, "Connection refused")),
        (6, (Q.UnknownProxyError, REFUSED + "TTL expired")),
        (7, (Q.UnknownProxyError, REFUSED + "command not supported")),
        (8, (Q.UnknownProxyError, REFUSED + "address type not supported")),
        (0xF0, (Q.UnknownProxyError, REFUSED + "error 240")),  # one of Tor's
    ],
)
def test_socks5_reply_codes(is_short: bool, code: int, expected: Outcome, serve: Serve) -> None:
    """Some proxies send no address with the reply."""
    reply = bytes([5, code, 0, 0]) if is_short else bytes([5, code, 0, 1]) + bytes(6)
    server = serve(following(((GREETING, b"\5\0"), (NAME, reply)), [], answers=2 + len(reply)))
    assert outcome(server.port, socks(SOCKS5)) == expected


@pytest.mark.parametrize("count", range(14))
def test_socks5_proxy_closes(count: int, serve: Serve) -> None:
    script = ((LOGIN_GREETING, b"\5\2"), (LOGIN, b"\1\0"), (NAME, REPLY))
    server = serve(following(script, [], answers=count))
    assert outcome(server.port, socks(WITH_USER)) == CLOSED


def test_bytes_behind_a_socks5_reply(serve: Serve) -> None:
    server = serve(following(((GREETING, b"\5\0"), (NAME, REPLY + b"HTTP/1.1 200 OK\r\n\r\n")), []))
    assert outcome(server.port, socks(SOCKS5)) == BEHIND


@pytest.mark.parametrize("kind", ["socks5", "socks4"])
@pytest.mark.parametrize(
    ("user", "password", "host"), [("u" * 256, "", "h.test"), ("ü" * 128, "", "h.test"), ("", "", "h" * 256)]
)
def test_socks_names_over_255_bytes(kind: str, user: str, password: str, host: str, serve: Serve) -> None:
    server = serve(lambda connection: connection.wait_for_close())
    found = outcome(server.port, socks(Proxy(kind, "proxy", 1080, user, password), host))
    assert found == (Q.UnknownProxyError, REFUSED + "SOCKS has names, users and passwords of 255 bytes at most")


# -- SOCKS4a

SOCKS4 = Proxy("socks4", "proxy", 1080)
NAME4 = b"\4\1\0\x50\0\0\0\xff\0h.test\0"
GRANTED = b"\0\x5a" + bytes(6)


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize(
    ("proxy", "host", "expected"),
    [
        (SOCKS4, "h.test", NAME4),
        (SOCKS4, "1.2.3.4", b"\4\1\0\x50\1\2\3\4\0"),
        (Proxy("socks4", "proxy", 1080, "user", "pass"), "h.test", b"\4\1\0\x50\0\0\0\xffuser\0h.test\0"),
        (Proxy("socks4", "proxy", 1080, "user"), "1.2.3.4", b"\4\1\0\x50\1\2\3\4user\0"),
    ],
)
def test_socks4(is_slow: bool, proxy: Proxy, host: str, expected: bytes, serve: Serve) -> None:
    received: list[bytes] = []
    server = serve(following(((expected, GRANTED),), received, is_slow))
    assert outcome(server.port, socks(proxy, host)) is None
    assert received == [expected]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            b"\0\x5b" + bytes(6),
            (Q.UnknownProxyError, REFUSED + "it could not connect to the server, or does not allow it"),
        ),
        (
            b"\0\x5c" + bytes(6),
            (Q.UnknownProxyError, REFUSED + "it asks an identd on this computer who the user is, and there is none"),
        ),
        (b"\0\x5d" + bytes(6), AUTHENTICATION),
        (b"\0\x01" + bytes(6), NOT_SOCKS),
        (b"\4\x5a" + bytes(6), NOT_SOCKS),
        (HTTP_ANSWER, NOT_SOCKS),
        (GRANTED + b"HTTP/1.1 200 OK\r\n\r\n", BEHIND),
    ],
)
def test_socks4_refuses(reply: bytes, expected: Outcome, serve: Serve) -> None:
    server = serve(following(((NAME4, reply),), []))
    assert outcome(server.port, socks(SOCKS4)) == expected


@pytest.mark.parametrize("count", range(8))
def test_socks4_proxy_closes(count: int, serve: Serve) -> None:
    server = serve(following(((NAME4, GRANTED),), [], answers=count))
    assert outcome(server.port, socks(SOCKS4)) == CLOSED


def test_ipv6_and_zero_bytes_with_socks4(serve: Serve) -> None:
    server = serve(lambda connection: connection.wait_for_close())
    assert outcome(server.port, socks(SOCKS4, "::1")) == (
        Q.UnknownProxyError,
        REFUSED + "SOCKS4 knows no IPv6 addresses",
    )
    with_zero = Proxy("socks4", "proxy", 1080, "user\0evil.test")
    assert outcome(server.port, socks(with_zero)) == (
        Q.UnknownProxyError,
        REFUSED + "SOCKS4 ends a user with a zero byte, so none may stand in it",
    )


# -- proxies that an engine cannot use


@pytest.mark.parametrize("kind", ["socks5", "socks4"])
def test_without_the_socksio_package(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PythonEngine()
    request = Request("GET", "http://h.test/", proxy=Proxy(kind, "proxy", 1080))
    assert socks_unusable_reason() is None and engine.unsupported_reason(request) is None
    monkeypatch.setitem(sys.modules, "socksio", None)
    reason = engine.unsupported_reason(request)
    assert reason is not None and reason.error is Q.UnknownProxyError
    assert reason.text == socks_unusable_reason()
    assert "python3 -m pip install socksio" in reason.text


@pytest.mark.parametrize("kind", ["https", "socks4"])
def test_proxy_kinds_that_qt_does_not_support(kind: str) -> None:
    reason = qt_engine.unsupported_reason(Request("GET", "http://h.test/", proxy=Proxy(kind, "proxy", 1080)))
    assert reason is not None and reason.error is Q.UnknownProxyError
    assert reason.text == f"Qt cannot speak to {kind} proxies: use setEngine('python')"

"""Unusual but harmless responses: they are read, or the message names their fault."""

from __future__ import annotations

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode

from ..support.names import Serve
from ..support.servers.raw import Connection, once


@pytest.mark.parametrize("line", [b"PHP Warning:  x", b"X-Odd : 1", b"X[a]: 1", b"X-\xd6: 1"])
def test_field_with_an_invalid_name_is_dropped(line: bytes, on_python: BlockingNetworkRequest, serve: Serve) -> None:
    """RFC 9110 section 5.1: a field name is a token. The other fields are kept."""
    server = serve(once(b"HTTP/1.1 200 OK\r\nX-Good: 1\r\n" + line + b"\r\nContent-Length: 2\r\n\r\nhi"))
    assert on_python.get(server.url) is ErrorCode.NoError
    assert set(on_python.reply().headers) == {"X-Good", "Content-Length"}


@pytest.mark.parametrize("byte", [b"\r", b"\0"])
def test_control_characters_in_a_value(byte: bytes, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """RFC 9110 section 5.5: they become blanks. Qt 6 drops the field."""
    server = serve(once(b"HTTP/1.1 200 OK\r\nServer: a" + byte + b"b\r\nContent-Length: 2\r\n\r\nhi"))
    code = blocking.get(server.url)
    if blocking.engine() == "qt" and byte == b"\0" and code is not ErrorCode.NoError:
        return  # Qt 6 refuses the header
    assert code is ErrorCode.NoError, blocking.errorMessage()
    assert blocking.reply().headers.get("Server", "a b") == "a b"
    assert blocking.engine() == "qt" or "Server" in blocking.reply().headers


@pytest.mark.parametrize(
    "raw",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"<html>hello</html>\n", b"\x15\x03\x01\x00\x02\x02\x46", b"hello"],
    ids=["SSH", "HTML", "TLS alert", "text"],
)
def test_response_that_is_not_http(raw: bytes, on_python: BlockingNetworkRequest, serve: Serve) -> None:
    assert on_python.get(serve(once(raw)).url) is ErrorCode.NetworkError
    assert "without an answer" not in on_python.errorMessage()


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\nA: 1", b"HTTP/1.1 20"])
def test_truncated_header(raw: bytes, on_python: BlockingNetworkRequest, serve: Serve) -> None:
    assert on_python.get(serve(once(raw)).url) is ErrorCode.NetworkError
    assert "without an answer" not in on_python.errorMessage()


def test_empty_line_before_the_status_line(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    """RFC 9112 section 2.2 allows it for requests; curl and Qt accept it in responses too."""
    server = serve(once(b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
    assert on_python.get(server.url) is ErrorCode.NoError
    assert on_python.reply().body == b"hi"


def test_empty_content_length(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """RFC 9112 section 6.3: an invalid length is an error; curl treats it as one, too."""
    server = serve(once(b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi"))
    assert blocking.get(server.url) is ErrorCode.NetworkError
    assert "Content-Length is ''" in blocking.errorMessage()


def test_leading_zeros_of_a_chunk_size(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    chunks = b"0000000000000000000005\r\nhello\r\n000000000000000000000\r\n\r\n"
    server = serve(once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    assert blocking.get(server.url) is ErrorCode.NoError
    assert blocking.reply().body == b"hello"


def test_unsupported_http_version(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(once(b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
    assert on_python.get(server.url) is ErrorCode.NetworkError
    assert "HTTP/2.0" in on_python.errorMessage()


def test_connect_target_of_an_ipv6_address(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    """RFC 9112 section 3.2.3."""

    def refuse(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    server = serve(refuse)
    on_python.setProxy(server.url)
    assert on_python.get("https://[::1]/") is ErrorCode.NetworkError
    assert server.requests[0].startswith(b"CONNECT [::1]:443 ")

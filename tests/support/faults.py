"""The fault table: faults of servers, and the result for the caller on every engine."""

from __future__ import annotations

import gzip
import socket
import zlib
from dataclasses import dataclass
from typing import Optional

from blocking_request import ErrorCode
from blocking_request.models.failure import QtNetworkError as Q

from .names import NET, OK, SERVER, TIMEOUT
from .servers.raw import Connection, Handler, always, once, silence

SHORT = 400
"""Milliseconds of a timeout that ends the wait."""

LONG = 8_000
"""Milliseconds of a timeout before which the fault must be noticed."""

TEXT = b"All work and no play makes Jack a dull boy. " * 100


@dataclass(frozen=True)
class Fault:
    name: str
    handler: Handler
    code: ErrorCode
    error: Q
    message: str = ""
    """A part of the error message."""
    body: Optional[bytes] = b""
    """The bytes that must have arrived; None: not compared."""
    idle: int = LONG


def before_header(connection: Connection) -> None:
    connection.read_request()


def reset(connection: Connection) -> None:
    connection.read_request()
    connection.reset()


def reset_in_body(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100)
    connection.reset()


def then_silence(raw: bytes) -> Handler:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(raw)
        connection.wait_for_close()

    return handle


def dripping(head: bytes, piece: bytes) -> Handler:
    """Sends ``head`` and then ``piece`` now and then, until the client has gone."""

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(head)
        connection.sock.settimeout(0.05)
        while True:
            connection.send(piece)
            try:
                if not connection.sock.recv(1):
                    return
            except socket.timeout:
                continue
            except OSError:
                return

    return handle


drip = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x")
header_drip = dripping(b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n")


def unauthorized_for_ever(scheme: str) -> Handler:
    return always(b"no", "401 Unauthorized", f"WWW-Authenticate: {scheme}\r\n")


def ok(body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


GZ = gzip.compress(TEXT)
GZIPPED = "Content-Encoding: gzip\r\n"
RAW_DEFLATE = zlib.compressobj(wbits=-15)
RAW_DEFLATED = RAW_DEFLATE.compress(TEXT) + RAW_DEFLATE.flush()
CORRUPT = GZ[:20] + b"\xff\x00\xff" + GZ[23:]
MANY_HEADERS = (
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(200)) + b"Content-Length: 2\r\n\r\nhi"
)
BIG_HEADER = b"HTTP/1.1 200 OK\r\nX-Big: " + b"z" * 250_000 + b"\r\nContent-Length: 2\r\n\r\nhi"
NO_COLON = b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 2\r\n\r\nhi"
CLOSED = Q.RemoteHostClosedError

FAULTS = [
    Fault("closes without a word", lambda connection: None, NET, CLOSED, "Connection closed"),
    Fault("closes before the header", before_header, NET, CLOSED, "Connection closed"),
    Fault("closes in the status line", once(b"HTTP/1.1 20"), NET, CLOSED, "Connection closed"),
    Fault("closes in the header", once(b"HTTP/1.1 200 OK\r\nContent-Le"), NET, CLOSED, "Connection closed"),
    Fault(
        "closes after the header", once(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), NET, CLOSED, "0 of 5 bytes"
    ),
    Fault("resets", reset, NET, CLOSED, "Connection closed"),
    Fault("resets in the body", reset_in_body, NET, CLOSED, "of 1000 bytes", None),
    Fault("empty body", once(ok(b"")), OK, Q.NoError),
    Fault(
        "body of 3 where 10 were promised",
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        NET,
        CLOSED,
        "3 of 10 bytes",
        b"abc",
    ),
    Fault(
        "short body of a 500", once(b"HTTP/1.1 500 Oh\r\nContent-Length: 10\r\n\r\nabc"), NET, CLOSED, "3 of 10", b"abc"
    ),
    Fault(
        "more than was promised", once(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef"), OK, Q.NoError, "", b"abc"
    ),
    Fault("last chunk missing", once(chunked(b"abc", end=b"")), NET, CLOSED, "Connection closed", b"abc"),
    Fault("closes in a chunk", once(chunked(end=b"a\r\nabc")), NET, CLOSED, "Connection closed", None),
    Fault("closes before the last line", once(chunked(b"abc", end=b"0\r\n")), NET, CLOSED, "Connection closed", b"abc"),
    Fault("closes in the last size", once(chunked(b"abc", end=b"0")), NET, CLOSED, "Connection closed", b"abc"),
    Fault("garbage for a header", once(b"\x00\x01\x02garbage\r\n\r\n"), NET, CLOSED, "Connection closed"),
    Fault("HTTP/0.9", once(b"<html>hello</html>"), NET, CLOSED, "Connection closed"),
    Fault("status is no number", once(b"HTTP/1.1 abc OK\r\n\r\n"), NET, CLOSED, "Connection closed"),
    Fault("status 99", once(b"HTTP/1.1 099 Hm\r\nContent-Length: 0\r\n\r\n"), NET, Q.ProtocolFailure, "status 99"),
    Fault("header without colon", then_silence(NO_COLON), NET, Q.ProtocolFailure, "a line without a colon", None),
    Fault("header without colon, then closes", once(NO_COLON), NET, Q.ProtocolFailure, "a line without a colon", None),
    Fault("no header field at all", once(b"HTTP/1.0 200 OK\r\n\r\nhi"), OK, Q.NoError, "", b"hi"),
    Fault(
        "length is no number",
        once(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\nabc"),
        NET,
        Q.ProtocolFailure,
        "Content-Length is 'ten'",
    ),
    Fault(
        "length is negative", once(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc"), NET, Q.ProtocolFailure, "'-5'"
    ),
    Fault(
        "two lengths",
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
        NET,
        Q.ProtocolFailure,
        "'3, 5'",
    ),
    Fault(
        "a length of 20 digits",
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc"),
        NET,
        Q.ProtocolFailure,
        "which is not a number of bytes",
    ),
    Fault(
        "a length of 5000 digits",
        once(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nabc"),
        NET,
        Q.ProtocolFailure,
        "which is not a number of bytes",
    ),
    Fault(
        "the same length twice",
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        OK,
        Q.NoError,
        "",
        b"abc",
    ),
    Fault("truncated gzip", once(ok(GZ[:-20], GZIPPED)), NET, Q.ProtocolFailure, "ends too early", None),
    Fault(
        "truncated gzip in chunks",
        once(chunked(GZ[:40]).replace(b"Tr", GZIPPED.encode() + b"Tr", 1)),
        NET,
        Q.ProtocolFailure,
        "ends too early",
        None,
    ),
    Fault("corrupt gzip", once(ok(CORRUPT, GZIPPED)), NET, Q.ProtocolFailure, "corrupt", None),
    Fault("corrupt gzip checksum", once(ok(GZ[:-8] + b"\0" * 8, GZIPPED)), NET, Q.ProtocolFailure, "corrupt", None),
    Fault("garbage for gzip", once(ok(b"not gzip at all", GZIPPED)), NET, Q.ProtocolFailure, "corrupt"),
    Fault("gzip of nothing", once(ok(b"", GZIPPED)), OK, Q.NoError),
    Fault("gzip of two members", once(ok(GZ + GZ, GZIPPED)), OK, Q.NoError, "", TEXT + TEXT),
    Fault("gzip and then padding", once(ok(GZ + b"\0" * 7, GZIPPED)), OK, Q.NoError, "", TEXT),
    Fault("raw deflate", once(ok(RAW_DEFLATED, "Content-Encoding: deflate\r\n")), OK, Q.NoError, "", TEXT),
    Fault(
        "truncated raw deflate",
        once(ok(RAW_DEFLATED[:-5], "Content-Encoding: deflate\r\n")),
        NET,
        Q.ProtocolFailure,
        "ends too early",
        None,
    ),
    Fault("zlib deflate", once(ok(zlib.compress(TEXT), "Content-Encoding: deflate\r\n")), OK, Q.NoError, "", TEXT),
    Fault("gzip twice", once(ok(gzip.compress(GZ), "Content-Encoding: gzip, gzip\r\n")), OK, Q.NoError, "", TEXT),
    Fault("unknown coding", once(ok(b"abc", "Content-Encoding: shorthand\r\n")), OK, Q.NoError, "", b"abc"),
    Fault("endless drip", drip, TIMEOUT, Q.TimeoutError, "deadline of 900 ms", None),
    Fault("endless header", header_drip, TIMEOUT, Q.TimeoutError, "400 ms", None, SHORT),
    Fault("silence", silence, TIMEOUT, Q.TimeoutError, "no data moved for 400 ms", b"", SHORT),
    Fault(
        "silence after the header",
        then_silence(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        TIMEOUT,
        Q.TimeoutError,
        "400 ms",
        b"",
        SHORT,
    ),
    Fault(
        "silence in the body",
        then_silence(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
        TIMEOUT,
        Q.TimeoutError,
        "400 ms",
        b"abc",
        SHORT,
    ),
    Fault(
        "401 without a challenge",
        always(b"no", "401 Unauthorized"),
        SERVER,
        Q.AuthenticationRequiredError,
        "Host requires authentication",
        b"no",
    ),
    Fault(
        "401 Basic for ever",
        unauthorized_for_ever('Basic realm="x"'),
        SERVER,
        Q.AuthenticationRequiredError,
        "Host requires authentication",
        b"no",
    ),
    Fault(
        "401 Digest for ever",
        unauthorized_for_ever('Digest realm="x", nonce="y"'),
        SERVER,
        Q.AuthenticationRequiredError,
        "Host requires authentication",
        b"no",
    ),
    Fault(
        "401 NTLM for ever",
        unauthorized_for_ever("NTLM"),
        SERVER,
        Q.AuthenticationRequiredError,
        "Host requires authentication",
        b"no",
    ),
    Fault(
        "401 Negotiate for ever",
        unauthorized_for_ever("Negotiate"),
        SERVER,
        Q.AuthenticationRequiredError,
        "Host requires authentication",
        b"no",
    ),
]

NOT_HTTP = ("garbage for a header", "HTTP/0.9", "status is no number")
"""Bytes that are no response at all; the python engine describes them."""

CUT_OFF = ("closes in the status line", "closes in the header")
"""A header that ends too early."""

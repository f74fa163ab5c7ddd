"""Headers made to cost time or memory: status lines, sizes, line counts, folded lines, trailers (RFC 9112)."""

from __future__ import annotations

import time

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode
from blocking_request.engines import choice
from blocking_request.engines.python import http1
from blocking_request.engines.python.http1 import ResponseParser
from blocking_request.models.headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES, known_fields
from blocking_request.qt.binding import QT_VERSION

from ..support.names import Serve
from ..support.servers.raw import Connection, once
from ..support.transfers import perform

QT_6_LOST_IT = "Data corrupted: no header field could be read"
TOO_LARGE = "The header of the response is larger than 300 KB or has more than 1000 lines"


def test_status_line_is_matched_in_linear_time() -> None:
    """1 217 bytes of this form once stopped every thread of the process for 2.6 s."""
    for filler in (b" ", b"\t", b" \t", b"x ", b" x"):
        line = b"HTTP/1.1 200" + filler * (30_000 // len(filler)) + b"\rX\n"
        started = time.process_time()
        assert http1._STATUS_LINE.fullmatch(line) is None
        assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 60_000,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(60_000)),
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1_000_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\n" + b" folded\r\n" * 60_000,
        b"HTTP/1.1 200 OK\r\n" + b"Set-Cookie: a=%s\r\n" % (b"b" * 100) * 20_000,
        b"HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n" * 60_000 + b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 " + b"R" * 400_000 + b"\r\n",
    ],
    ids=["equal lines", "distinct lines", "one long line", "folded lines", "cookies", "interim responses", "reason"],
)
def test_too_large_header(head: bytes, on_python: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(once(head + b"Content-Length: 2\r\n\r\nhi"))
    started = time.monotonic()
    assert on_python.get(server.url) is ErrorCode.NetworkError
    assert time.monotonic() - started < 5
    assert on_python.errorMessage().startswith((TOO_LARGE, "Data corrupted"))


def test_endless_header_line(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    def flood(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        for _ in range(100):
            connection.send(b"a" * 100_000)

    assert on_python.get(serve(flood).url) is ErrorCode.NetworkError
    assert on_python.errorMessage().startswith(TOO_LARGE)


def test_too_many_trailers(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
    server = serve(once(head + b"X-A: 1\r\n" * 60_000 + b"\r\n"))
    assert on_python.get(server.url) is ErrorCode.NetworkError
    assert on_python.errorMessage().startswith(TOO_LARGE)
    assert on_python.reply().body == b"hi"


def test_header_of_the_largest_size_is_read(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 280) for number in range(MAXIMUM_HEADER_LINES - 1))
    assert len(lines) < MAXIMUM_HEADER_BYTES
    server = serve(once(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 2\r\n\r\nhi"))
    assert on_python.get(server.url) is ErrorCode.NoError, on_python.errorMessage()
    assert on_python.reply().body == b"hi"
    assert len(on_python.reply().headers) == MAXIMUM_HEADER_LINES


def test_fields_are_joined_in_linear_time() -> None:
    """400 000 equal lines once took 68 s."""
    started = time.process_time()
    fields = known_fields(tuple([(b"X-A", b"1")] * 400_000))
    assert len(fields.whole_value(b"x-a") or b"") == 3 * 400_000 - 2
    assert time.process_time() - started < 10


def pairs_of(lines: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The fields of a header that has these lines."""
    parser = ResponseParser("GET")
    assert parser.receive_head(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n")
    assert parser.head is not None
    return parser.head.fields.pairs


def test_folded_lines_are_joined_by_one_space() -> None:
    assert pairs_of(b"A:\r\n\t1 \r\n  2\r\nB: x\r\n \r\n") == ((b"A", b"1 2"), (b"B", b"x"))


def test_continuation_of_a_line_without_a_name() -> None:
    assert pairs_of(b": a\r\n Content-Length: 5\r\nB: x\r\n") == ((b"B", b"x"),)


@pytest.mark.parametrize(
    "lines",
    [
        b"".join(b"X-%d: 1\r\n" % number for number in range(1_050)),
        b"X-A: " + b"a" * 1_000_000 + b"\r\n",
        b"X-A: %s\r\n" % (b"a" * 300) * 1_050,
        b"X-A: 1\r\n" + b" %s\r\n" % (b"a" * 300) * 1_050,
        b"".join(b"Set-Cookie: a%d=%s\r\n" % (number, b"b" * 300) for number in range(1_050)),
    ],
    ids=["distinct lines", "one long line", "equal lines", "folded lines", "cookies"],
)
@pytest.mark.parametrize(
    "status", ["200 OK", "302 Found\r\nLocation: /", "401 Who\r\nWWW-Authenticate: Basic", "500 X"]
)
def test_too_large_header_on_each_engine(
    status: str, lines: bytes, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    server = serve(once(f"HTTP/1.1 {status}\r\n".encode() + lines + b"Content-Length: 2\r\n\r\nhi"))
    assert blocking.get(server.url) is ErrorCode.NetworkError
    texts = TOO_LARGE if blocking.engine() == "python" or QT_VERSION < (6,) else (TOO_LARGE, QT_6_LOST_IT)
    assert blocking.errorMessage().startswith(texts)
    assert not blocking.reply().headers


def test_field_over_8_kb_is_not_parsed(engine: str, serve: Serve) -> None:
    value = b"a" * 9_000
    server = serve(once(b"HTTP/1.1 200 OK\r\nX-Long: " + value + b"\r\nContent-Length: 2\r\n\r\nhi"))
    response = perform(choice.engine(engine), server.url)
    assert response.failure is None
    assert response.headers.value(b"x-long") is None and response.headers.values(b"x-long") == []
    assert response.headers.whole_value(b"x-long") == value

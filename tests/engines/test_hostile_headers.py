"""Headers made to cost time or memory: status lines, sizes, line counts, folded lines, trailers (RFC 9112)."""

from __future__ import annotations

import time

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode
from blocking_request.engines import choice
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.urllib3 import response as urllib3_response
from blocking_request.engines.urllib3.response import header_pairs
from blocking_request.models.headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES, known_fields
from blocking_request.models.http_messages import Request, Response
from blocking_request.qt.binding import QT_VERSION

from ..support.names import Serve
from ..support.servers.raw import Connection, once

QT_6_LOST_IT = "Data corrupted: no header field could be read"
TOO_LARGE = "The header of the response is larger than 300 KB or has more than 1000 lines"


def test_status_line_is_matched_in_linear_time() -> None:
    """1 217 bytes of this form once stopped every thread of the process for 2.6 s."""
    for filler in (b" ", b"\t", b" \t", b"x ", b" x"):
        line = b"HTTP/1.1 200" + filler * (30_000 // len(filler)) + b"\rX\n"
        started = time.process_time()
        assert urllib3_response._STATUS_LINE.fullmatch(line) is None
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
def test_too_large_header_is_a_network_error(head: bytes, on_urllib3: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(once(head + b"Content-Length: 2\r\n\r\nhi"))
    started = time.monotonic()
    assert on_urllib3.get(server.url) is ErrorCode.NetworkError
    assert time.monotonic() - started < 5
    assert on_urllib3.errorMessage().startswith((TOO_LARGE, "Data corrupted"))


def test_header_line_without_an_end(on_urllib3: BlockingNetworkRequest, serve: Serve) -> None:
    def flood(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        for _ in range(100):
            connection.send(b"a" * 100_000)

    assert on_urllib3.get(serve(flood).url) is ErrorCode.NetworkError
    assert on_urllib3.errorMessage().startswith(TOO_LARGE)


def test_trailers_without_an_end(on_urllib3: BlockingNetworkRequest, serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
    server = serve(once(head + b"X-A: 1\r\n" * 60_000 + b"\r\n"))
    assert on_urllib3.get(server.url) is ErrorCode.NetworkError
    assert on_urllib3.errorMessage().startswith(TOO_LARGE)
    assert on_urllib3.reply().body == b"hi"


def test_header_of_the_largest_size_is_read(on_urllib3: BlockingNetworkRequest, serve: Serve) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 280) for number in range(MAXIMUM_HEADER_LINES - 1))
    assert len(lines) < MAXIMUM_HEADER_BYTES
    server = serve(once(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 2\r\n\r\nhi"))
    assert on_urllib3.get(server.url) is ErrorCode.NoError, on_urllib3.errorMessage()
    assert on_urllib3.reply().body == b"hi"
    assert len(on_urllib3.reply().headers) == MAXIMUM_HEADER_LINES


def test_fields_are_joined_in_linear_time() -> None:
    """400 000 equal lines once took 68 s."""
    started = time.process_time()
    fields = known_fields(tuple([(b"X-A", b"1")] * 400_000))
    assert len(fields.whole_value(b"x-a") or b"") == 3 * 400_000 - 2
    pairs = list(header_pairs([b"X-A: 1\r\n", *[b" 2\r\n"] * 400_000]))
    assert pairs == [(b"X-A", b"1" + b" 2" * 400_000)]
    assert time.process_time() - started < 10


def test_folded_lines_are_joined_by_one_space() -> None:
    lines = [b"A:\r\n", b"\t1 \r\n", b"  2\r\n", b"B: x\r\n", b" \r\n"]
    assert list(header_pairs(lines)) == [(b"A", b"1 2"), (b"B", b"x")]


def test_the_continuation_of_a_line_without_a_name_is_no_field() -> None:
    lines = [b": a\r\n", b" Content-Length: 5\r\n", b"B: x\r\n"]
    assert list(header_pairs(lines)) == [(b"B", b"x")]


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
def test_too_large_header_on_every_engine(
    status: str, lines: bytes, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    server = serve(once(f"HTTP/1.1 {status}\r\n".encode() + lines + b"Content-Length: 2\r\n\r\nhi"))
    assert blocking.get(server.url) is ErrorCode.NetworkError
    texts = TOO_LARGE if blocking.engine() == "urllib3" or QT_VERSION < (6,) else (TOO_LARGE, QT_6_LOST_IT)
    assert blocking.errorMessage().startswith(texts)
    assert not blocking.reply().headers


def test_parsers_get_no_field_over_8_kb(engine: str, serve: Serve) -> None:
    value = b"a" * 9_000
    server = serve(once(b"HTTP/1.1 200 OK\r\nX-Long: " + value + b"\r\nContent-Length: 2\r\n\r\nhi"))
    mailbox = Mailbox()
    choice.engine(engine).start(Request("GET", server.url), mailbox)
    response = mailbox.take(10)
    assert isinstance(response, Response) and response.failure is None
    assert response.headers.value(b"x-long") is None and response.headers.values(b"x-long") == []
    assert response.headers.whole_value(b"x-long") == value

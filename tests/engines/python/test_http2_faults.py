"""Servers that violate HTTP/2: each such request ends, and other streams are not affected."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Optional

import h2.errors
import h2.settings
import hypothesis
import pytest
from hpack import Decoder, Encoder
from hypothesis import strategies as st

from blocking_request import BatchRequest, BlockingNetworkRequest, NetworkAccessManager
from blocking_request.engines.python.channel import SocketChannel
from blocking_request.engines.python.failures import Http11Required
from blocking_request.engines.python.http2 import MOST_UNSENT_BYTES, Http2Connection
from blocking_request.engines.python.http2_headers import count_fields
from blocking_request.engines.python.http2_protocol import MOST_IDLE_FRAMES, Http2Protocol
from blocking_request.engines.python.http2_stream import STREAM_WINDOW_BYTES, Http2Stream
from blocking_request.engines.python.state import TransferState

from ...support.interpreter import without_garbage_collector
from ...support.names import CANCELED, NET, OK, TIMEOUT
from ...support.servers.http2 import Handler, Http2Peer, Http2Request
from ...support.waiting import eventually
from .conftest import Start

BODY = bytes(range(256)) * 4
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
UNKNOWN = 99
END_STREAM, END_HEADERS = 1, 4
FIELDS = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def send_head(peer: Http2Peer, request: Http2Request, pairs: Sequence[tuple[bytes, bytes]], flags: int = 0) -> None:
    """Send header fields unchanged; the h2 library would validate them."""
    block = Encoder().encode([(name, value, True) for name, value in pairs])
    first, rest = block[:16384], [block[start : start + 16384] for start in range(16384, len(block), 16384)]
    data = frame(HEADERS, flags | (0 if rest else END_HEADERS), request.stream, first)
    for number, part in enumerate(rest, 1):
        data += frame(CONTINUATION, END_HEADERS if number == len(rest) else 0, request.stream, part)
    peer.sock.sendall(data)


def hello(peer: Http2Peer, request: Http2Request) -> None:
    peer.respond(request, BODY)


def with_odd_response(odd: Handler) -> Handler:
    """Serve /odd with the handler; delay the other responses, so that these streams are open in the meantime."""
    waiting: list[Http2Request] = []

    def serve(peer: Http2Peer, request: Http2Request) -> None:
        if request.field(b":path") == b"/odd":
            odd(peer, request)
            for each in waiting:
                peer.respond(each, BODY)
        elif len(peer.server.requests) < 5:
            waiting.append(request)
        else:
            peer.respond(request, BODY)

    return serve


def result_of_odd(manager: NetworkAccessManager, url: str) -> Any:
    """Return the result of /odd; all other requests of the batch must succeed."""
    requests = [f"{url}/{number}" for number in range(4)] + [f"{url}/odd"] + [f"{url}/{number}" for number in range(9)]
    results = list(manager.getMany(requests, ordered=True))
    assert [result.code for result in results[:4] + results[5:]] == [OK] * 13, [
        result.reply.errorString() for result in results
    ]
    return results[4]


ODD_HEADS: dict[str, tuple[list[tuple[bytes, bytes]], str]] = {
    "no status": ([(b"content-type", b"text/plain")], "no status"),
    "status that is no number": ([(b":status", b"abc")], "abc"),
    "status of two digits": ([(b":status", b"20")], "20"),
    "two statuses": ([(b":status", b"200"), (b":status", b"404")], "status"),
    "status behind a field": ([(b"content-type", b"text/plain"), (b":status", b"200")], "status"),
    "unknown pseudo field": ([(b":status", b"200"), (b":path", b"/")], ":path"),
    "length that is none": ([(b":status", b"200"), (b"content-length", b"abc")], "Content-Length is 'abc'"),
    "two lengths": ([(b":status", b"200"), (b"content-length", b"1"), (b"content-length", b"2")], "Content-Length"),
}


@pytest.mark.parametrize("name", ODD_HEADS)
def test_invalid_header_fails_one_stream_only(name: str, over_http2: NetworkAccessManager, start: Start) -> None:
    """RFC 9113 section 8.1.1: this is a stream error."""
    pairs, words = ODD_HEADS[name]
    server = start(with_odd_response(lambda peer, request: send_head(peer, request, pairs, END_STREAM)))
    result = result_of_odd(over_http2, server.url)
    assert result.code is NET
    assert words in result.reply.errorString()
    assert len(server.peers) == 1


INTERIM = b"\x08\x03103"
OK_HEAD = b"\x88"

ODD_FRAMES: dict[str, tuple[Callable[[int], bytes], str]] = {
    "body before the header": (lambda stream: frame(DATA, 0, stream, b"x"), "a body before the header"),
    "empty body before the header": (lambda stream: frame(DATA, END_STREAM, stream), "a body before the header"),
    "interim status at the end": (
        lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, INTERIM),
        "ended a response with the interim status 103",
    ),
    "second header": (
        lambda stream: frame(HEADERS, END_HEADERS, stream, OK_HEAD) * 2 + frame(DATA, END_STREAM, stream, b"x"),
        "a second header",
    ),
    "trailers that do not end": (
        lambda stream: frame(HEADERS, END_HEADERS, stream, OK_HEAD) + frame(HEADERS, END_HEADERS, stream, b"\0\1a\1b"),
        "a second header",
    ),
    "window update of 0": (lambda stream: frame(WINDOW_UPDATE, 0, stream, bytes(4)), "a WINDOW_UPDATE of 0 bytes"),
    "window that overflows": (
        lambda stream: frame(WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff"),
        "opened the window of a request too far",
    ),
}


@pytest.mark.parametrize("name", ODD_FRAMES)
def test_malformed_response_fails_one_stream_only(name: str, over_http2: NetworkAccessManager, start: Start) -> None:
    """RFC 9113 section 5.4.2: an error of a stream does not affect others."""
    data, words = ODD_FRAMES[name]
    server = start(with_odd_response(lambda peer, request: peer.sock.sendall(data(request.stream))))
    result = result_of_odd(over_http2, server.url)
    assert result.code is NET
    assert words in result.reply.errorString()
    assert len(server.peers) == 1


SOUND_FRAMES: dict[str, Callable[[int], bytes]] = {
    "priority of a wrong length": lambda stream: frame(PRIORITY, 0, stream, b"\0"),
    "priority of a stream that depends on itself": lambda stream: frame(
        PRIORITY, 0, stream, stream.to_bytes(4, "big") + b"\1"
    ),
    "header with a priority": lambda stream: frame(
        HEADERS, END_HEADERS | 32, stream, stream.to_bytes(4, "big") + b"\1" + INTERIM
    ),
    "padded header": lambda stream: frame(HEADERS, END_HEADERS | 8, stream, b"\3" + INTERIM + b"\0\0\0"),
    "frame of an unknown type": lambda stream: frame(UNKNOWN, 0, stream, b"abc"),
}


@pytest.mark.parametrize("name", SOUND_FRAMES)
def test_frames_that_change_no_response(name: str, over_http2: NetworkAccessManager, start: Start) -> None:
    def send(peer: Http2Peer, request: Http2Request) -> None:
        peer.sock.sendall(SOUND_FRAMES[name](request.stream))
        peer.respond(request, BODY)

    result = result_of_odd(over_http2, start(with_odd_response(send)).url)
    assert (result.code, result.reply.body) == (OK, BODY), result.reply.errorString()


def test_frames_behind_the_end_of_a_response(over_http2: NetworkAccessManager, start: Start) -> None:
    """They are ignored; those of a header change the compression."""

    def send(peer: Http2Peer, request: Http2Request) -> None:
        encoder = peer.h2.encoder
        peer.respond(request, BODY)
        peer.sock.sendall(frame(DATA, END_STREAM, request.stream, b"surplus"))
        block = encoder.encode([(b":status", b"500"), (b"x-of-the-table", b"value")])
        peer.sock.sendall(frame(HEADERS, END_HEADERS | END_STREAM, request.stream, block))

    result = result_of_odd(over_http2, start(with_odd_response(send)).url)
    assert (result.code, result.reply.body) == (OK, BODY), result.reply.errorString()
    assert result.reply.statusCode() == 200


BROKEN_FRAMES: dict[str, bytes] = {
    "header of no request": frame(HEADERS, END_HEADERS | END_STREAM, 1001, OK_HEAD),
    "header of the connection": frame(HEADERS, END_HEADERS | END_STREAM, 0, OK_HEAD),
    "header of an even stream": frame(HEADERS, END_HEADERS | END_STREAM, 2, OK_HEAD),
    "body of no request": frame(DATA, 0, 1001, b"x"),
    "continuation of nothing": frame(CONTINUATION, END_HEADERS, 1, OK_HEAD),
    "frame within a header": frame(HEADERS, 0, 1, OK_HEAD) + frame(PING, 0, 0, bytes(8)),
    "continuation of another stream": frame(HEADERS, 0, 1, OK_HEAD) + frame(CONTINUATION, END_HEADERS, 3, b""),
    "short header with a priority": frame(HEADERS, END_HEADERS | 32, 1, b"\0\0"),
    "padding longer than the header": frame(HEADERS, END_HEADERS | 8, 1, b"\x09" + OK_HEAD),
    "compression that is invalid": frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\x0f"),
    "push promise": frame(PUSH_PROMISE, 0, 1, b"\0\0\0\2\x82"),
    "index beyond the table": frame(HEADERS, END_HEADERS, 1, b"\xfe"),
}


@pytest.mark.parametrize("name", BROKEN_FRAMES)
def test_broken_connection(name: str) -> None:
    protocol = Http2Protocol()
    stream = protocol.open("GET", lambda: None)
    protocol.send_headers(stream, FIELDS, ends=True)
    protocol.receive(frame(SETTINGS, 0, 0), 0.0)
    protocol.data_to_send()
    protocol.receive(BROKEN_FRAMES[name], 0.0)
    assert protocol.error is not None and stream.error is protocol.error
    assert "breaks the rules of HTTP/2" in str(protocol.error)
    sent = protocol.data_to_send()
    assert sent[3] == GOAWAY and int.from_bytes(sent[13:17], "big") > 0


@hypothesis.given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                frame,
                st.sampled_from([*range(11), 99]),
                st.integers(0, 255),
                st.sampled_from([0, 1, 2, 3, 5, 1 << 31]),
                st.one_of(st.binary(max_size=20), st.sampled_from([OK_HEAD, INTERIM, bytes(4), bytes(8)])),
            ),
        ),
        max_size=12,
    )
)
def test_random_frames_raise_nothing(pieces: list[bytes]) -> None:
    protocol = Http2Protocol()
    protocol.receive(frame(SETTINGS, 0, 0), 0.0)
    streams = []
    for _ in range(2):
        streams.append(protocol.open("GET", lambda: None))
        protocol.send_headers(streams[-1], FIELDS, ends=True)
    for piece in pieces:
        protocol.receive(piece, 0.0)
        protocol.data_to_send()
        if protocol.error is not None:
            break
    for stream in streams:
        protocol.close(stream)
    assert not protocol.streams


def test_invalid_fields_are_dropped(over_http2: NetworkAccessManager, start: Start) -> None:
    """As with HTTP/1.1, only that field is dropped."""
    pairs = [
        (b":status", b"200"),
        (b"X-Upper", b"1"),
        (b"connection", b"keep-alive"),
        (b"transfer-encoding", b"chunked"),
        (b"x space", b"2"),
        (b"x-blank", b" 3 "),
        (b"x-line", b"a\r\nb: c"),
        (b"", b"4"),
        (b"x-good", b"5"),
    ]
    server = start(with_odd_response(lambda peer, request: send_head(peer, request, pairs, END_STREAM)))
    result = result_of_odd(over_http2, server.url)
    assert result.code is OK, result.reply.errorString()
    names = {bytes(name): bytes(value) for name, value in result.reply.rawHeaderPairs()}
    assert names[b"x-good"] == b"5" and names[b"x-blank"] == b"3"
    assert not {b"connection", b"transfer-encoding", b"x space", b"x-line", b""} & set(names)


@pytest.mark.parametrize("promised", [10, 2000])
def test_wrong_content_length(promised: int, over_http2: NetworkAccessManager, start: Start) -> None:
    def lie(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"200"), (b"content-length", b"%d" % promised)])
        peer.sock.sendall(frame(DATA, END_STREAM, request.stream, BODY))

    server = start(with_odd_response(lie))
    result = result_of_odd(over_http2, server.url)
    words = "1024 of 2000 bytes" if promised > len(BODY) else "longer than its Content-Length of 10"
    assert result.code is NET and words in result.reply.errorString()


@pytest.mark.parametrize(("size", "fits"), [(250_000, True), (400_000, False)])
def test_limit_of_header_bytes(size: int, fits: bool, over_http2: NetworkAccessManager, start: Start) -> None:
    def long(peer: Http2Peer, request: Http2Request) -> None:
        fields = [(b"x-%d" % number, b"v" * 10_000) for number in range(size // 10_000)]
        send_head(peer, request, [(b":status", b"200"), *fields], END_STREAM)

    result = result_of_odd(over_http2, start(with_odd_response(long)).url)
    if fits:
        assert result.code is OK, result.reply.errorString()
    else:
        assert result.code is NET and "larger than" in result.reply.errorString()


def test_endless_continuation_frames(over_http2: NetworkAccessManager, start: Start) -> None:
    def flood(peer: Http2Peer, request: Http2Request) -> None:
        peer.sock.sendall(frame(HEADERS, 0, request.stream, b"\x88"))
        for _ in range(100_000):
            peer.sock.sendall(frame(CONTINUATION, 0, request.stream, b""))

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(flood).url) is NET
    assert "breaks the rules of HTTP/2" in request.errorMessage()


def test_hpack_bomb(over_http2: NetworkAccessManager, start: Start) -> None:
    """Each byte of the header block decodes to 4 KB."""

    def bomb(peer: Http2Peer, request: Http2Request) -> None:
        block = Encoder().encode([(b":status", b"200"), (b"x", b"v" * 4000)]) + b"\xbe" * 900
        peer.sock.sendall(frame(HEADERS, END_HEADERS | END_STREAM, request.stream, block))

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(bomb).url) is NET
    assert "larger than" in request.errorMessage()


BLOCKS = {
    "one field a thousand times": b"\x88" + b"\x82" * 4_000,
    "literals": b"\x88" + b"\x40\0\0" * 333_000,
    "sizes of the table": b"\x3f\xe1\x1f\x20" * 262_000 + b"\x88",
    "names and values": b"\x88" + b"\0\1a\1b" * 20_000,
}


def block_frames(block: bytes, stream: int) -> bytes:
    parts = [block[start : start + 16384] for start in range(0, len(block), 16384)]
    data = frame(HEADERS, END_STREAM | (0 if parts[1:] else END_HEADERS), stream, parts[0])
    for number, part in enumerate(parts[1:], 2):
        data += frame(CONTINUATION, END_HEADERS if number == len(parts) else 0, stream, part)
    return data


@pytest.mark.parametrize("name", BLOCKS)
def test_header_with_very_many_fields(name: str, over_http2: NetworkAccessManager, start: Start) -> None:
    """hpack needs seconds for some of these blocks. They are refused before."""
    server = start(lambda peer, request: peer.sock.sendall(block_frames(BLOCKS[name], request.stream)))
    client = BlockingNetworkRequest(over_http2)
    began = time.monotonic()
    assert client.get(server.url) is NET and "more than 1000 lines" in client.errorMessage()
    assert time.monotonic() - began < 5  # hpack alone would need 18 seconds


@pytest.mark.parametrize(
    "block",
    [
        b"\x88",
        b"\x3f\xe1\x1f\x88",
        b"\x40\1a\1b",
        b"\x44\1b",
        b"\x0f\x0d\0010",
        b"\x10\1a\1b" * 3,
        b"\0\1a\x7f\x80\1" + b"v" * 255,
    ],
)
def test_count_of_fields(block: bytes) -> None:
    decoded = Decoder().decode(block, raw=True)
    sizes = 1 if block.startswith(b"\x3f") else 0
    assert count_fields(block, 10) == len(list(decoded)) + sizes


@hypothesis.given(st.lists(st.tuples(st.binary(max_size=200), st.binary(max_size=200), st.booleans()), max_size=20))
def test_count_of_encoded_fields(fields: list[tuple[bytes, bytes, bool]]) -> None:
    encoder = Encoder()
    for _ in range(2):  # the second time from the table
        assert count_fields(encoder.encode(fields), 100) == len(fields)


@hypothesis.given(st.binary(max_size=60))
def test_count_of_damaged_fields(block: bytes) -> None:
    assert count_fields(block, 5) <= min(6, len(block))


def test_headers_of_a_closed_stream_are_a_flood(over_http2: NetworkAccessManager, start: Start) -> None:
    def serve(peer: Http2Peer, request: Http2Request) -> None:
        if request.stream == 1:
            peer.respond(request, BODY)
            return
        with suppress(OSError):
            for _ in range(200):
                peer.sock.sendall(block_frames(b"\x88" + b"\x82" * 3_000, 1))

    client = BlockingNetworkRequest(over_http2)
    server = start(serve)
    assert client.get(server.url) is OK
    began = time.monotonic()
    assert client.get(server.url) is NET and "too many frames" in client.errorMessage()
    assert time.monotonic() - began < 2


def test_body_beyond_its_length_is_not_read(over_http2: NetworkAccessManager, start: Start) -> None:
    """RFC 9113 section 8.1.1."""

    def lie(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"200"), (b"content-length", b"10")])
        peer.sock.sendall(frame(DATA, 0, request.stream, BODY))

    server = start(lie)
    client = BlockingNetworkRequest(over_http2)
    assert client.get(server.url) is NET and "longer than its Content-Length of 10" in client.errorMessage()
    assert eventually(lambda: server.resets == [1] or server.closed == 1)


@pytest.mark.parametrize("how", ["HEAD", "204", "limit"])
def test_body_that_is_not_wanted_ends_no_other_stream(how: str, over_http2: NetworkAccessManager, start: Start) -> None:
    """It comes in more frames than are allowed without a part of a response."""
    status = b"204" if how == "204" else b"200"
    if how == "limit":
        over_http2.setMaximumBodySize(2_000)
    waiting: list[Http2Request] = []

    def serve(peer: Http2Peer, request: Http2Request) -> None:
        if request.field(b":path") == b"/slow":
            waiting.append(request)
            return
        send_head(peer, request, [(b":status", status)])
        peer.sock.sendall(frame(DATA, 0, request.stream, b"z" * 64) * (MOST_IDLE_FRAMES + 1_000))
        for each in waiting:
            peer.respond(each, BODY)

    server = start(serve)
    requests = [
        BatchRequest(f"{server.url}/slow"),
        BatchRequest(f"{server.url}/odd", "HEAD" if how == "HEAD" else "GET"),
    ]
    slow, odd = over_http2.sendMany(requests, ordered=True)
    assert (slow.code, slow.reply.body) == (OK, BODY), slow.reply.errorString()
    assert odd.code is (NET if how == "limit" else OK), odd.reply.errorString()


def test_table_of_the_encoder_stays_small() -> None:
    """The next header begins with one change of the table's size, at most, and it is not larger than 4 096 bytes."""
    protocol, _ = open_stream()
    for size in (65_536, 16_384, 5_000):
        protocol.receive(frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff\0\1" + size.to_bytes(4, "big")), 0.0)
    protocol.data_to_send()
    for number in range(2_000):
        stream = protocol.open("GET", lambda: None)
        protocol.send_headers(stream, [*FIELDS[:3], (b":path", b"/%d" % number)], ends=True)
        block = protocol.data_to_send()[9:]
        assert block[0] & 0xE0 != 0x20, "a change of the table's size, which is 4 096 from the start"
        protocol.close(stream)
    assert protocol._h2.encoder.header_table.maxsize == 4_096


def test_small_table_of_the_server() -> None:
    protocol, _ = open_stream()
    protocol.receive(frame(SETTINGS, 0, 0, b"\0\1\0\0\0\0"), 0.0)
    protocol.data_to_send()
    stream = protocol.open("GET", lambda: None)
    protocol.send_headers(stream, FIELDS, ends=True)
    assert protocol.data_to_send()[9] == 0x20  # a table of 0 bytes: RFC 7541 section 6.3


def test_damaged_settings() -> None:
    protocol, stream = open_stream()
    protocol.receive(frame(SETTINGS, 0, 0, b"\0\1\0"), 0.0)
    assert protocol.error is not None and stream.error is protocol.error


def test_window_that_overflows_is_our_reset() -> None:
    protocol, stream = open_stream()
    protocol.receive(frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"), 0.0)
    assert "opened the window of a request too far" in str(stream.error)
    assert RST_STREAM in {protocol.data_to_send()[3]}


def test_large_headers_to_a_server_that_reads_late(over_http2: NetworkAccessManager, start: Start) -> None:
    """Our own requests that wait to be sent are no flood of the server."""

    def read_late(peer: Http2Peer, request: Http2Request) -> None:
        if request.stream == 1:
            time.sleep(0.3)
            for _ in range(50):
                peer.h2.ping(bytes(8))
            peer.flush()
        peer.respond(request, BODY)

    server = start(read_late)
    server.settings = {h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 20}
    fields = {f"X-{number}": f"{number}" + "v" * 4_000 for number in range(8)}
    results = list(over_http2.getMany([server.url] * 200, maxConcurrent=100, headers=fields))
    assert [result.code for result in results] == [OK] * 200, {result.reply.errorString() for result in results}


def test_unread_replies_are_a_flood() -> None:
    """The server sends PING and does not read our replies."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs, ours:
        connection = Http2Connection(SocketChannel(ours))
        stream = connection.open("GET", lambda: None)
        connection.send_headers(stream, FIELDS, ends=True)
        theirs.sendall(frame(SETTINGS, 0, 0))
        sent = 0
        while stream.error is None and sent < 20 * MOST_UNSENT_BYTES:
            theirs.sendall(frame(UNKNOWN, 0, 1) + frame(PING, 0, 0, bytes(8)) * 1_000)
            sent += 17_000
            while connection.receive(None):
                connection._protocol._idle_frames = 0.0
        assert "too many frames" in str(stream.error)


def test_timeouts_of_waiting_requests_do_not_add_up(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(lambda peer, request: None)
    server.most_streams = 1
    over_http2.setTimeout(700)
    began = time.monotonic()
    assert {result.code for result in over_http2.getMany([server.url] * 8)} == {TIMEOUT}
    assert time.monotonic() - began < 4


def test_waiting_streams_go_on_after_an_error_of_the_reading_one(
    over_http2: NetworkAccessManager, start: Start
) -> None:
    """The first stream of the batch reads for all. A push promise in its response ends the connection at once."""

    def serve(peer: Http2Peer, request: Http2Request) -> None:
        if len(peer.server.peers) > 1:
            peer.respond(request, BODY)
        elif len(peer.server.requests) == 5:
            peer.sock.sendall(frame(PUSH_PROMISE, 0, 1, b"\0\0\0\2\x82"))

    began = time.monotonic()
    codes = [result.code for result in over_http2.getMany([start(serve).url] * 5, maxConcurrent=5)]
    # The requests of the broken connection have failed, or were sent again over another one.
    assert set(codes) <= {OK, NET} and time.monotonic() - began < 5


Flood = dict[str, bytes]


def floods(stream: int) -> Flood:
    return {
        "interim responses": frame(HEADERS, END_HEADERS, stream, b"\x08\x03103"),
        "pings": frame(6, 0, 0, b"12345678"),
        "settings": frame(4, 0, 0),
        "settings that change": frame(4, 0, 0, b"\0\4\0\0\xff\xff") + frame(4, 0, 0, b"\0\4\0\1\0\0"),
        "window updates": frame(8, 0, 0, b"\0\0\0\1"),
        "unknown frames": frame(0xBB, 0, 0, b"x" * 10),
        "priorities": frame(2, 0, stream, b"\0\0\0\0\1"),
    }


def endless(peer: Http2Peer, data: bytes, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            peer.sock.sendall(data * 2000)
        except OSError:
            return


@pytest.mark.parametrize("name", floods(1))
def test_endless_frames(name: str, over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(lambda peer, request: endless(peer, floods(request.stream)[name]))
    request = BlockingNetworkRequest(over_http2)
    aborted_at: list[float] = []

    def abort() -> None:
        aborted_at.append(time.monotonic())
        request.abort()

    timer = threading.Timer(10.0, abort)
    timer.start()
    try:
        assert request.get(server.url) is NET and not aborted_at
        words = "more than 1000 lines" if name == "interim responses" else "too many frames that are no response"
        assert words in request.errorMessage()
    finally:
        timer.cancel()


def test_endless_empty_data(over_http2: NetworkAccessManager, start: Start) -> None:
    def flood(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"200")])
        endless(peer, frame(DATA, 0, request.stream))

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(flood).url) is NET and "too many frames" in request.errorMessage()


def test_push_is_refused(over_http2: NetworkAccessManager, start: Start) -> None:
    def push(peer: Http2Peer, request: Http2Request) -> None:
        block = Encoder().encode(
            [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"a")]
        )
        peer.sock.sendall(frame(5, END_HEADERS, request.stream, b"\0\0\0\2" + block))
        peer.respond(request, BODY)

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(push).url) is NET
    assert "breaks the rules of HTTP/2" in request.errorMessage()


def test_trailers_are_ignored(over_http2: NetworkAccessManager, start: Start) -> None:
    def trail(peer: Http2Peer, request: Http2Request) -> None:
        peer.h2.send_headers(request.stream, [(b":status", b"200")])
        peer.h2.send_data(request.stream, BODY)
        peer.h2.send_headers(request.stream, [(b"x-checksum", b"1"), (b"content-length", b"3")], end_stream=True)
        peer.flush()

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(trail).url) is OK, request.errorMessage()
    assert request.reply().body == BODY and not request.reply().hasRawHeader(b"x-checksum")


@pytest.mark.parametrize("pair", [(b":status", b"500"), (b":path", b"/")])
def test_trailers_with_a_pseudo_field(
    pair: tuple[bytes, bytes], over_http2: NetworkAccessManager, start: Start
) -> None:
    """RFC 9113 section 8.1: the response is malformed."""

    def send(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"200")])
        peer.sock.sendall(frame(DATA, 0, request.stream, b"part"))
        send_head(peer, request, [pair], END_STREAM)

    client = BlockingNetworkRequest(over_http2)
    assert client.get(start(send).url) is NET and "after the body" in client.errorMessage()


def test_body_in_a_response_to_head(over_http2: NetworkAccessManager, start: Start) -> None:
    def send_both(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"200"), (b"content-length", b"%d" % len(BODY))])
        peer.sock.sendall(frame(DATA, END_STREAM, request.stream, BODY))

    server = start(send_both)
    for _ in range(2):
        assert BlockingNetworkRequest(over_http2).head(server.url) is OK
    assert len(server.peers) == 1


def test_data_beyond_the_flow_control_window() -> None:
    protocol = Http2Protocol()
    stream = protocol.open("GET", lambda: None)
    protocol.send_headers(stream, FIELDS, ends=True)
    protocol.receive(frame(4, 0, 0) + frame(HEADERS, END_HEADERS, 1, b"\x88"), 0.0)
    for _ in range(STREAM_WINDOW_BYTES >> 14):
        protocol.receive(frame(DATA, 0, 1, bytes(1 << 14)), 0.0)
    assert stream.error is None and stream.buffered_bytes == STREAM_WINDOW_BYTES
    protocol.receive(frame(DATA, 0, 1, b"x"), 0.0)
    assert "than the window of HTTP/2 allows" in str(stream.error) and protocol.error is None


@pytest.mark.parametrize("padding", [0, 1, 200])
def test_padded_data(padding: int, over_http2: NetworkAccessManager, start: Start) -> None:
    def pad(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"200")])
        for number in range(3):
            payload = bytes([padding]) + BODY + bytes(padding)
            peer.sock.sendall(frame(DATA, 8 | (END_STREAM if number == 2 else 0), request.stream, payload))

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(pad).url) is OK, request.errorMessage()
    assert request.reply().body == BODY * 3


def test_padding_longer_than_the_frame(over_http2: NetworkAccessManager, start: Start) -> None:
    def pad(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"200")])
        peer.sock.sendall(frame(DATA, 8 | END_STREAM, request.stream, b"\xc8abc"))

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(pad).url) is NET and "breaks the rules" in request.errorMessage()


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_a_body(status: int, over_http2: NetworkAccessManager, start: Start) -> None:
    def answer(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"%d" % status), (b"content-length", b"1000")], END_STREAM)

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(answer).url) is OK, request.errorMessage()
    assert (request.reply().statusCode(), request.reply().body) == (status, b"")


def test_streams_after_the_last_of_goaway_are_retried(over_http2: NetworkAccessManager, start: Start) -> None:
    """RFC 9113 section 6.8: also if they have a body, because the server has not processed them."""
    sent: list[bytes] = []

    def leave(peer: Http2Peer, request: Http2Request) -> None:
        is_first = peer is peer.server.peers[0]
        if is_first and request.stream > 5:
            return  # they arrived before the client has read GOAWAY
        if is_first and request.stream == 5:
            peer.sock.sendall(frame(7, 0, 0, (5).to_bytes(4, "big") + bytes(4)))
            time.sleep(0.1)
        sent.append(request.body)
        peer.respond(request, request.body)

    server = start(leave)
    bodies = [b"%d" % number for number in range(30)]
    results = list(over_http2.sendMany([BatchRequest(server.url, "POST", body) for body in bodies], maxConcurrent=12))
    assert {result.code for result in results} == {OK}, [result.reply.errorString() for result in results]
    assert sorted(sent) == sorted(bodies) and len(server.peers) == 2


def test_goaway_with_an_error(over_http2: NetworkAccessManager, start: Start) -> None:
    def leave(peer: Http2Peer, request: Http2Request) -> None:
        peer.h2.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, last_stream_id=request.stream)
        peer.flush()

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(leave).url) is NET
    assert "the server has ended the connection (ENHANCE_YOUR_CALM)" in request.errorMessage()


def test_failed_stream_creates_no_reference_cycle(over_http2: NetworkAccessManager, start: Start) -> None:
    """An error with its traceback would keep the request and its body until the garbage collector runs."""

    def refuse(peer: Http2Peer, request: Http2Request) -> None:
        peer.reset(request, h2.errors.ErrorCodes.INTERNAL_ERROR)

    server = start(refuse)
    request = BlockingNetworkRequest(over_http2)
    gc.collect()
    before = sum(isinstance(each, TransferState) for each in gc.get_objects())
    with without_garbage_collector():
        assert [request.get(server.url) for _ in range(3)] == [NET] * 3
        assert sum(isinstance(each, TransferState) for each in gc.get_objects()) <= before


def test_pings_during_a_long_poll() -> None:
    protocol = Http2Protocol()
    protocol.receive(frame(4, 0, 0), 1000.0)
    for second in range(2 * MOST_IDLE_FRAMES):
        protocol.receive(frame(PING, 0, 0, bytes(8)), 1000.0 + second)
        assert protocol.data_to_send()
    assert protocol.error is None
    for _ in range(MOST_IDLE_FRAMES + 1):
        protocol.receive(frame(PING, 0, 0, bytes(8)), 1000.0 + second)
    assert protocol.error is not None
    assert b"\0\0\0\x0b" in protocol.data_to_send()[-8:]  # GOAWAY with ENHANCE_YOUR_CALM


def test_fields_that_need_http_1_1() -> None:
    """The request is sent over HTTP/1.1; this connection ends because its encoder has changed its state."""
    protocol = Http2Protocol()
    protocol.receive(frame(4, 0, 0), 0.0)
    stream = protocol.open("GET", lambda: None)
    with pytest.raises(Http11Required):
        protocol.send_headers(stream, [(b":method", b"GET"), (b":unknown", b"x")], ends=True)
    assert protocol.is_ending


def test_waiting_for_a_handshake_causes_no_idle_timeout(start: Start) -> None:
    """The first request needs two handshakes to find the certificate error, and then each of the others, too."""
    server = start(hello)
    server.handshake_pause = 0.5
    manager = NetworkAccessManager()
    manager.setEngine("python")
    manager.setTimeout(1_600)
    assert [code for _, code, _ in manager.getMany([server.url] * 4)] == [NET] * 4


def test_waiting_for_a_stream_causes_no_idle_timeout(over_http2: NetworkAccessManager, start: Start) -> None:
    def late(peer: Http2Peer, request: Http2Request) -> None:
        time.sleep(0.15)
        peer.respond(request, BODY)

    server = start(late)
    server.most_streams = 1
    over_http2.setTimeout(1_200)
    assert [code for _, code, _ in over_http2.getMany([server.url] * 12)] == [OK] * 12
    assert len(server.peers) == 1


def test_server_without_concurrent_streams(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(hello)
    server.most_streams = 0
    over_http2.setTimeout(2000)
    codes = {code for _, code, _ in over_http2.getMany([server.url] * 5)}
    assert codes <= {OK, NET, TIMEOUT}


@pytest.mark.parametrize("others", [0, 3])
def test_server_that_allows_no_streams_for_a_while(others: int, over_http2: NetworkAccessManager, start: Start) -> None:
    """The other requests of the batch wait: RFC 9113 section 6.5.2."""
    first: list[Http2Request] = []

    def pause(peer: Http2Peer, request: Http2Request) -> None:
        if len(first) > others:
            peer.respond(request, BODY)
            return
        first.append(request)
        if len(first) <= others:
            return
        peer.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 0})
        for each in first:
            peer.respond(each, BODY)
        # A request that comes behind the acknowledgement of 0, and before that of 100, is an error for the server's h2.
        time.sleep(0.3)
        peer.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100})
        peer.flush()

    server = start(pause)
    results = list(over_http2.getMany([server.url] * 12, maxConcurrent=others + 1))
    assert [code for _, code, _ in results] == [OK] * 12, [reply.errorString() for _, _, reply in results]
    assert len(server.peers) == 1


def test_server_that_allows_no_streams_any_more(over_http2: NetworkAccessManager, start: Start) -> None:
    """Frames that say nothing do not prolong the idle timeout."""

    def stop(peer: Http2Peer, request: Http2Request) -> None:
        peer.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 0})
        peer.flush()
        peer.respond(request, BODY)
        with suppress(OSError):
            while True:
                peer.sock.sendall(frame(PING, 0, 0, bytes(8)))
                time.sleep(0.05)

    over_http2.setTimeout(700)
    began = time.monotonic()
    codes = [code for _, code, _ in over_http2.getMany([start(stop).url] * 6, maxConcurrent=3)]
    assert OK in codes and set(codes) == {OK, TIMEOUT}
    assert time.monotonic() - began < 10


def test_canceled_call_closes_its_connection(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(lambda peer, request: None)
    request = BlockingNetworkRequest(over_http2)
    threading.Timer(0.2, request.abort).start()
    assert request.get(server.url) is CANCELED
    assert eventually(lambda: server.closed == 1)


# -- a response that has begun


@pytest.mark.parametrize("code", [h2.errors.ErrorCodes.REFUSED_STREAM, h2.errors.ErrorCodes.HTTP_1_1_REQUIRED, None])
def test_request_whose_response_has_begun_is_not_sent_again(
    code: Optional[h2.errors.ErrorCodes], over_http2: NetworkAccessManager, start: Start, tmp_path: Path
) -> None:
    """RFC 9113 section 8.7. None: GOAWAY says that the server has not looked at the request."""

    def begin(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, b"first half ", ends=False)
        if code is None:
            peer.sock.sendall(frame(GOAWAY, 0, 0, bytes(8)))
        else:
            peer.reset(request, code)

    server = start(begin)
    client = BlockingNetworkRequest(over_http2)
    assert client.post(server.url, b"pay") is NET and client.reply().body in (b"", b"first half ")
    assert client.download(server.url, tmp_path / "file") is NET and not (tmp_path / "file").exists()
    assert [result.code for result in over_http2.downloadMany([(server.url, tmp_path / "other")])] == [NET]
    assert len(server.requests) == 3


def test_response_after_goaway_with_an_error(over_http2: NetworkAccessManager, start: Start) -> None:
    """RFC 9113 section 6.8: streams up to the last one may end well."""

    def leave(peer: Http2Peer, request: Http2Request) -> None:
        last = request.stream.to_bytes(4, "big") + h2.errors.ErrorCodes.ENHANCE_YOUR_CALM.to_bytes(4, "big")
        peer.sock.sendall(frame(GOAWAY, 0, 0, last))
        peer.respond(request, BODY)

    assert over_http2.blockingGet(start(leave).url).body == BODY


def open_stream() -> tuple[Http2Protocol, Http2Stream]:
    """Return a protocol, and its stream with the header of a response."""
    protocol = Http2Protocol()
    stream = protocol.open("GET", lambda: None)
    protocol.send_headers(stream, FIELDS, ends=True)
    protocol.receive(frame(4, 0, 0) + frame(HEADERS, END_HEADERS, 1, b"\x88"), 0.0)
    protocol.data_to_send()
    return protocol, stream


def test_reserved_bit_of_a_stream_number_is_ignored() -> None:
    """RFC 9113 section 4.1."""
    protocol, stream = open_stream()
    protocol.receive(frame(DATA, 0, 1 | 1 << 31, b"abc"), 0.0)
    assert stream.chunks == [b"abc"]


def test_no_frame_of_a_stream_follows_its_reset() -> None:
    """RFC 9113 section 5.1."""
    protocol, stream = open_stream()
    protocol.acknowledge(stream, STREAM_WINDOW_BYTES // 2)
    protocol.close(stream)
    data = protocol.data_to_send()
    assert data[3] == WINDOW_UPDATE and data[13 + 3] == RST_STREAM and len(data) == 26


def test_connection_error_is_told_to_the_server(over_http2: NetworkAccessManager, start: Start) -> None:
    """RFC 9113 section 5.4.1."""
    received: list[bytes] = []
    ended = threading.Event()

    def break_the_rules(peer: Http2Peer, request: Http2Request) -> None:
        peer.sock.sendall(frame(WINDOW_UPDATE, 0, 0, bytes(4)))
        with suppress(OSError):
            while data := peer.sock.recv(65536):
                received.append(data)
        ended.set()

    assert BlockingNetworkRequest(over_http2).get(start(break_the_rules).url) is NET
    assert ended.wait(10)
    assert frame(GOAWAY, 0, 0)[3:9] in b"".join(received)


@pytest.mark.parametrize("kind", [PRIORITY, UNKNOWN])
@pytest.mark.parametrize("how", ["deadline", "abort"])
def test_body_among_many_frames_that_say_nothing(
    kind: int, how: str, over_http2: NetworkAccessManager, start: Start
) -> None:
    """The clocks are looked at after some frames, however little of a body comes."""

    def flood(peer: Http2Peer, request: Http2Request) -> None:
        send_head(peer, request, [(b":status", b"200")])
        payload = bytes(4) + b"\x10" if kind == PRIORITY else b""
        data = frame(DATA, 0, request.stream, b"x") + frame(kind, 0, request.stream, payload) * 4_000
        with suppress(OSError):
            while True:
                peer.sock.sendall(data)

    client = BlockingNetworkRequest(over_http2)
    if how == "abort":
        threading.Timer(0.5, client.abort).start()
    else:
        client.setDeadline(500)
    began = time.monotonic()
    assert client.get(start(flood).url) is (CANCELED if how == "abort" else TIMEOUT), client.errorMessage()
    assert time.monotonic() - began < 2

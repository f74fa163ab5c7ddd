"""The driver of a transfer has its turn now and then, however fast the bytes come and whatever they are made of."""

from __future__ import annotations

import gzip
from typing import Any, Optional

import pytest

from blocking_request.engines.body_reader import MEMBER_BYTES, BodyReader
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.python.http1 import ResponseParser
from blocking_request.engines.python.reading import LOOK_UP_BYTES, read_body, read_head
from blocking_request.engines.python.state import TransferState
from blocking_request.engines.wanted import LOOK_AROUND, READ, Wanted
from blocking_request.models.http_messages import Request


class QuickChannel:
    """Stands for a connection on which bytes come faster than we read them."""

    wanted = Wanted(((0, READ),))

    def __init__(self, head: bytes, body: bytes) -> None:
        self._head = head
        self._body = body
        self.read = 0

    def receive(self, limit: int) -> Optional[bytes]:
        head, self._head = self._head, b""
        if head:
            return head
        self.read += len(self._body)
        return self._body

    def receive_into(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._body))
        self.read += count
        return count


def begun(head: bytes, body: bytes, streams: bool) -> tuple[TransferState, QuickChannel]:
    """A response whose header has been read."""
    state = TransferState(Request("GET", "http://127.0.0.1/", streams=streams), Mailbox())
    channel = QuickChannel(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", body)
    connection: Any = type("Connection", (), {"channel": channel, "session": None})()
    state.connection, state.parser = connection, ResponseParser("GET")
    assert list(read_head(state)) == []
    return state, channel


TINY_CHUNKS = b"1\r\nx\r\n" * 10_000


@pytest.mark.parametrize("streams", [False, True], ids=["into memory", "streamed"])
@pytest.mark.parametrize(
    ("head", "body", "most"),
    [
        (b"Transfer-Encoding: chunked\r\n", TINY_CHUNKS, 5_000 * 6),
        (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n" % (1 << 16, bytes(1 << 16)), 2 * LOOK_UP_BYTES),
        (b"", bytes(1 << 16), 2 * LOOK_UP_BYTES),
        (b"Content-Length: 500000000\r\n", bytes(1 << 16), 2 * LOOK_UP_BYTES),
    ],
    ids=["tiny chunks", "large chunks", "until the end", "known length"],
)
def test_driver_looks_around_while_bytes_flood(head: bytes, body: bytes, most: int, streams: bool) -> None:
    """``most``: how many bytes may be read between two looks; one block more is read ahead."""
    state, channel = begun(head, body, streams)
    looks = at_last_look = 0
    steps = read_body(state)
    for wanted in steps:
        if wanted is LOOK_AROUND:
            assert channel.read - at_last_look <= most + len(body)
            looks, at_last_look = looks + 1, channel.read
            if looks == 20:
                break
    assert looks == 20
    steps.close()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_reader_stops_at_pieces_that_come_to_nothing(layers: int) -> None:
    """A body of empty gzip members takes time, and makes no bytes."""
    body = gzip.compress(b"") * 20_000
    for _ in range(layers - 1):
        body = gzip.compress(body)
    reader = BodyReader(None, b", ".join([b"gzip"] * layers))
    sizes = list(reader.pieces(body))
    assert sizes.count(MEMBER_BYTES) >= 20_000
    assert reader.content() == b"" and reader.body_error() is None

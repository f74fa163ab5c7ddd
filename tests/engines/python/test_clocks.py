"""The driver of a transfer has its turn now and then, however fast the bytes come and whatever they are made of."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from typing import Any, Optional

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.engines.body_reader import MEMBER_BYTES, BodyReader
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.python.http1 import ResponseParser
from blocking_request.engines.python.reading import LOOK_UP_BYTES, read_body, read_head
from blocking_request.engines.python.state import TransferState
from blocking_request.engines.wanted import LOOK_AROUND, READ, Wanted
from blocking_request.models.http_messages import Request

from ...support.names import CANCELED, TIMEOUT, Serve
from ...support.servers.raw import always


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


def bomb(layers: int) -> bytes:
    """So many bytes of nothing that decoding them takes seconds. Its end is not right, and is not reached."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    first, block = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    data = first + block * 4_000
    for _ in range(layers - 1):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("how", ["deadline", "cancel"])
def test_end_of_a_call_while_a_bomb_is_decoded(how: str, layers: int, serve: Serve) -> None:
    """Within 50 ms, as promised; here with a margin for a busy machine."""
    manager = NetworkAccessManager()
    manager.setEngine("python")
    manager.setMaximumExpansion(0)
    manager.setMaximumBodySize(0)
    request = BlockingNetworkRequest(manager)
    server = serve(always(bomb(layers), headers=f"Content-Encoding: {', '.join(['gzip'] * layers)}\r\n"))
    due: list[float] = []

    def abort() -> None:
        due.append(time.monotonic())
        request.abort()

    if how == "deadline":
        due.append(time.monotonic() + 0.15)
        request.setDeadline(150)
    else:
        threading.Timer(0.15, abort).start()
    assert request.get(server.url) is (TIMEOUT if how == "deadline" else CANCELED)
    assert time.monotonic() - due[0] < 0.5

"""``Stream.setReadBufferSize``: how many bytes the engines hold that the program has not taken."""

from __future__ import annotations

import gzip
import socket
import threading
from pathlib import Path
from typing import Any, Optional

import pytest

from blocking_request import BlockingNetworkRequest
from blocking_request.engines.events import BodyChunks
from blocking_request.engines.mailbox import Mailbox

from ..support.marks import needs_proc
from ..support.names import OK, Serve
from ..support.servers.raw import Connection, always

DEFAULT = 6 << 20
SLACK = 1 << 22
"""How much more than the size the qt engine may hold: the buffers of Qt's socket and of its HTTP thread. It is 120 KB
on a machine that has nothing else to do, and was 2 MB on a busy one."""
BODY = bytes(range(256)) * 8000


class Flood:
    """A handler that sends until the client has taken nothing for a second."""

    def __init__(self, most: int = 60_000_000) -> None:
        self.most = most
        self.sent = 0
        self.is_stuck = threading.Event()
        self.ports = (0, 0)

    def __call__(self, connection: Connection) -> None:
        connection.read_request()
        sock = connection.sock
        self.ports = sock.getsockname()[1], sock.getpeername()[1]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while self.sent < self.most:
            sock.settimeout(1.0)
            try:
                self.sent += sock.send(b"x" * 65536)
            except socket.timeout:
                self.is_stuck.set()
            except OSError:
                break
        self.is_stuck.set()

    def wait_until_stuck(self) -> None:
        self.is_stuck.clear()
        assert self.is_stuck.wait(30)

    def received(self) -> int:
        """Return how many bytes have left the buffers of the operating system."""
        return self.sent - sum(queued(*self.ports))


def queued(server: int, client: int) -> tuple[int, int]:
    """Return how many bytes wait in the server's socket and in the client's."""
    unsent = unread = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = tuple(int(address.rpartition(":")[2], 16) for address in fields[1:3])
        queues = [int(size, 16) for size in fields[4].split(":")]
        if ports == (server, client):
            unsent = queues[0]
        elif ports == (client, server):
            unread = queues[1]
    return unsent, unread


@needs_proc
@pytest.mark.parametrize("size", [1, 65536, 1 << 20, None, 1 << 24])
def test_engine_holds_no_more(blocking: BlockingNetworkRequest, serve: Serve, engine: str, size: Optional[int]) -> None:
    flood = Flood()
    stream = blocking.stream(serve(flood).url)
    assert stream.readBufferSize() == DEFAULT
    if size is not None:
        stream.setReadBufferSize(size)
        assert stream.readBufferSize() == size
    with stream as chunks:
        taken = len(next(chunks))
        flood.wait_until_stuck()
        held = flood.received() - taken
    bound = DEFAULT if size is None else size
    assert held <= bound + SLACK
    if engine == "python":
        assert held <= 65536
    elif bound > SLACK:
        assert held > bound // 2


@needs_proc
def test_no_limit(blocking: BlockingNetworkRequest, serve: Serve, engine: str) -> None:
    flood = Flood()
    stream = blocking.stream(serve(flood).url)
    stream.setReadBufferSize(0)
    with stream as chunks:
        assert chunks.readBufferSize() == 0
        taken = len(next(chunks))
        flood.wait_until_stuck()
        held = flood.received() - taken
    if engine == "qt":
        assert flood.sent >= flood.most and held > flood.most // 2
    else:
        assert held <= 65536


@needs_proc
def test_size_is_changed_inside_the_block(serve: Serve, on_qt: BlockingNetworkRequest) -> None:
    """An engine that has stopped goes on if there is room, and stays stopped if there is less."""
    flood = Flood()
    stream = on_qt.stream(serve(flood).url)
    stream.setReadBufferSize(65536)
    with stream as chunks:
        taken = len(next(chunks))
        flood.wait_until_stuck()
        assert flood.received() - taken <= 65536 + SLACK
        thread = threading.Thread(target=chunks.setReadBufferSize, args=(1 << 23,))
        thread.start()
        thread.join()
        flood.wait_until_stuck()
        held = flood.received() - taken
        assert (1 << 22) < held <= (1 << 23) + SLACK
        chunks.setReadBufferSize(65536)
        flood.wait_until_stuck()
        assert flood.received() - taken <= held + SLACK
        chunks.setReadBufferSize(0)
        flood.wait_until_stuck()
        assert flood.sent >= flood.most


@pytest.mark.parametrize("size", [0, 1, 20_000, 65536, 1 << 30, 1 << 80])
@pytest.mark.parametrize("framing", ["length", "chunked", "gzip", "close"])
def test_whole_body_arrives(blocking: BlockingNetworkRequest, serve: Serve, size: int, framing: str) -> None:
    def chunked(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(BODY), 50_000):
            piece = BODY[start : start + 50_000]
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")

    def until_close(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)

    compressed = always(gzip.compress(BODY), headers="Content-Encoding: gzip\r\n")
    handlers: dict[str, Any] = {"length": always(BODY), "chunked": chunked, "gzip": compressed, "close": until_close}
    stream = blocking.stream(serve(handlers[framing]).url)
    stream.setReadBufferSize(size)
    with stream as chunks:
        assert b"".join(chunks) == BODY
    assert blocking.reply().errorCode() is OK


def test_slot_sets_the_size(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """A program of Qt often does so when the header is there."""
    stream = blocking.stream(serve(always(BODY)).url)
    blocking.metaDataChanged.connect(lambda: stream.setReadBufferSize(1 << 14))
    with stream as chunks:
        assert stream.readBufferSize() == 1 << 14
        received = list(chunks)
    assert b"".join(received) == BODY
    stream.setReadBufferSize(5)  # no effect any more
    assert stream.readBufferSize() == 5


def test_chunks_in_the_hands_of_the_call_count() -> None:
    """The call takes all chunks that wait, and the program takes one after another from it."""
    mailbox = Mailbox()
    mailbox.counts_use = True
    mailbox.resize(60_000)
    resumed: list[bool] = []

    def resume() -> None:
        resumed.append(True)

    while mailbox.deliver(b"x" * 10_000, resume):
        pass
    event = mailbox.take(0)
    assert isinstance(event, BodyChunks) and [len(chunk) for chunk in event.chunks] == [10_000] * 4
    assert mailbox.room <= 0 and not resumed
    mailbox.count_used(10_000)
    assert mailbox.room == 10_000 and not resumed
    mailbox.count_used(10_000)
    assert mailbox.room == 20_000 and resumed == [True]


def test_wrong_sizes(blocking: BlockingNetworkRequest) -> None:
    stream = blocking.stream("http://host.example/")
    wrong: Any
    for wrong in ("1", 1.5, None, True):
        with pytest.raises(TypeError, match=f"size must be a whole number of bytes, not {type(wrong).__name__}"):
            stream.setReadBufferSize(wrong)
    with pytest.raises(ValueError, match="size must not be negative"):
        stream.setReadBufferSize(-1)
    assert stream.readBufferSize() == DEFAULT

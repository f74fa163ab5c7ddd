"""A transfer yields regularly to its driver, also if bytes arrive very fast or decode to nothing."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from contextlib import suppress
from functools import cache
from typing import Any, Callable, Optional

import brotli
import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback, NetworkAccessManager, RequestError
from blocking_request.calls.task import POLL_SECONDS
from blocking_request.calls.timeouts import Timeouts
from blocking_request.engines.body_reader import MEMBER_BYTES, BodyReader
from blocking_request.engines.content_decoding import READABLE_CODINGS
from blocking_request.engines.events import Event
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.python.engine import PythonTransfer
from blocking_request.engines.python.http1 import ResponseParser
from blocking_request.engines.python.reading import read_body, read_head
from blocking_request.engines.python.state import TransferState
from blocking_request.engines.wanted import BYTES_PER_TURN, READ, YIELD_NOW, Wanted
from blocking_request.models.error_texts import deadline_passed
from blocking_request.models.failure import Failure
from blocking_request.models.http_messages import Request

from ...support.large_bodies import null_device
from ...support.names import CANCELED, TIMEOUT, Serve
from ...support.servers.raw import always, flood


class QuickChannel:
    """A channel on which bytes arrive faster than they are read."""

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


def state_after_header(head: bytes, body: bytes, streams: bool) -> tuple[TransferState, QuickChannel]:
    """Return the state and the channel of a response whose header has been read."""
    state = TransferState(Request("GET", "http://127.0.0.1/", streams=streams), Mailbox())
    channel = QuickChannel(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", body)
    connection: Any = type("Connection", (), {"channel": channel, "session": None, "http2": None})()
    state.connection, state.parser = connection, ResponseParser("GET")
    assert list(read_head(state)) == []
    return state, channel


TINY_CHUNKS = b"1\r\nx\r\n" * 10_000


@pytest.mark.parametrize("streams", [False, True], ids=["into memory", "streamed"])
@pytest.mark.parametrize(
    ("head", "body", "most"),
    [
        (b"Transfer-Encoding: chunked\r\n", TINY_CHUNKS, 5_000 * 6),
        (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n" % (1 << 16, bytes(1 << 16)), 2 * BYTES_PER_TURN),
        (b"", bytes(1 << 16), 2 * BYTES_PER_TURN),
        (b"Content-Length: 500000000\r\n", bytes(1 << 16), 2 * BYTES_PER_TURN),
    ],
    ids=["tiny chunks", "large chunks", "until the end", "known length"],
)
def test_download_yields_regularly_to_the_driver(head: bytes, body: bytes, most: int, streams: bool) -> None:
    """``most``: how many bytes may be read between two yields; one more block is read ahead."""
    state, channel = state_after_header(head, body, streams)
    looks = at_last_look = 0
    steps = read_body(state)
    for wanted in steps:
        if wanted is YIELD_NOW:
            assert channel.read - at_last_look <= most + len(body)
            looks, at_last_look = looks + 1, channel.read
            if looks == 20:
                break
    assert looks == 20
    steps.close()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_reader_yields_for_empty_gzip_members(layers: int) -> None:
    """A body of empty gzip members takes time to decode and gives no bytes."""
    body = gzip.compress(b"") * 20_000
    for _ in range(layers - 1):
        body = gzip.compress(body)
    reader = BodyReader(None, b", ".join([b"gzip"] * layers))
    sizes = list(reader.pieces(body))
    assert sizes.count(MEMBER_BYTES) >= 20_000
    assert reader.content() == b"" and reader.body_error() is None


CODINGS = ["gzip", "gzip, gzip", *(coding for coding in READABLE_CODINGS if coding != "gzip")]


@cache
def bomb(coding: str) -> bytes:
    """Return a compressed body of zeros that takes seconds to decode."""
    zeros = bytes(1 << 20)
    if coding == "br":
        compressor: Any = brotli.Compressor(quality=5)
        return b"".join(compressor.process(zeros) for _ in range(2_000)) + bytes(compressor.finish())
    if coding == "zstd":
        return zstd_frames(zeros) * 4_000
    first, _, rest = coding.partition(", ")
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS + (16 if first == "gzip" else 0))
    begin, block = (packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    data = begin + block * 4_000  # its end is invalid and never reached
    return gzip.compress(data) if rest else data


def zstd_frames(data: bytes) -> bytes:
    """Return frames of 128 KB of one repeated byte (RFC 8878 section 3.1.1), made without a library."""
    size = 1 << 17
    block = ((size << 3) | 0b011).to_bytes(3, "little") + data[:1]  # the last block of its frame, one repeated byte
    return (b"\x28\xb5\x2f\xfd\xa0" + size.to_bytes(4, "little") + block) * (len(data) // size)


def into_memory(request: BlockingNetworkRequest, url: str) -> ErrorCode:
    return request.get(url)


def to_a_device(request: BlockingNetworkRequest, url: str) -> ErrorCode:
    return request.download(url, null_device())


def streamed(request: BlockingNetworkRequest, url: str) -> ErrorCode:
    with suppress(RequestError), request.stream(url) as chunks:
        for _ in chunks:
            pass
    return request.reply().errorCode()


@pytest.mark.parametrize("way", [into_memory, to_a_device, streamed])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("how", ["deadline", "cancel"])
def test_deadline_and_cancel_while_a_bomb_is_decoded(
    how: str, coding: str, way: Callable[[BlockingNetworkRequest, str], ErrorCode], serve: Serve
) -> None:
    """The documented limit is 50 ms; the fastest of some runs counts, because the machine may be busy."""
    manager = NetworkAccessManager()
    manager.setEngine("python")
    manager.setMaximumExpansion(0)
    manager.setMaximumBodySize(0)
    request = BlockingNetworkRequest(manager)
    server = serve(always(bomb(coding), headers=f"Content-Encoding: {coding}\r\n"))

    def seconds_late() -> float:
        due = [time.monotonic() + 0.1]

        def abort() -> None:
            due[0] = time.monotonic()
            request.abort()

        if how == "deadline":
            request.setDeadline(100)
        else:
            threading.Timer(0.1, abort).start()
        assert way(request, server.url) is (TIMEOUT if how == "deadline" else CANCELED)
        return time.monotonic() - due[0]

    assert any(seconds_late() < 0.05 for _ in range(10))


@pytest.mark.parametrize("how", ["deadline", "cancel"])
def test_deadline_and_cancel_of_a_batch_with_slow_steps(
    how: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeouts are checked after the step of each transfer, not only after the steps of all."""
    manager, feedback = NetworkAccessManager(), Feedback()
    manager.setEngine("python")
    count = 0
    last = 60  # number of steps before the end
    step, stop_reason = PythonTransfer.step, Timeouts.stop_reason

    def slow_step(transfer: PythonTransfer) -> Optional[Event]:
        nonlocal count
        state = transfer._state
        if state.reader is not None and not state.is_aborted:
            count += 1
            time.sleep(1.2 * POLL_SECONDS)  # the work of a decoder
            if how == "cancel" and count == last:
                feedback.cancel()
        return step(transfer)

    def is_late(timeouts: Timeouts) -> Optional[Failure]:
        return deadline_passed(1) if how == "deadline" and count >= last else stop_reason(timeouts)

    monkeypatch.setattr(PythonTransfer, "step", slow_step)
    monkeypatch.setattr(Timeouts, "stop_reason", is_late)
    codes = [result.code for result in manager.getMany([serve(flood).url] * 24, feedback)]
    assert set(codes) == {TIMEOUT if how == "deadline" else CANCELED}
    assert count == last

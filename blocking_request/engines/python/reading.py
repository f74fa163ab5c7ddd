"""Reads a response of HTTP/1.1: its header, and its body into memory or chunk by chunk to the caller."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Optional, Union

from ...models.failure import Failure
from ...models.http_messages import streams_body
from ..body_errors import BodyError
from ..body_reader import BodyReader, framing_value, limits_of
from ..events import PROGRESS_SECONDS, BodyChunks, Chunk, Event, HeadersReceived, Progress, reports_progress
from ..mailbox import SMALLEST_ENGINE_BUFFER_BYTES, Mailbox
from ..wanted import BYTES_PER_TURN, YIELD_NOW, Wanted
from .channel import Channel
from .failures import TransferFailed
from .state import TransferState

HEAD_BYTES = 1 << 16
"""How many bytes are read at a time until the header is complete."""

BLOCK_BYTES = 1 << 18
"""How many bytes of a body are read at a time."""

DIRECT_BYTES = 1 << 16
"""A body that is kept in memory is read without a copy if it has at least this size."""

MOST_DIRECT_BYTES = 1 << 30
"""A larger body is not read so: its length may be false, and memory is allocated as the bytes come."""

CHUNK_BYTES = 1 << 10
"""Each chunk counts as so many bytes more, because a small chunk takes as long as one of 1 KB."""

Reading = Generator[Union[Wanted, Event], None, None]


def has_head(state: TransferState) -> bool:
    """Read once; return whether the header is complete, as it nearly always is.

    Raises OSError, ConnectionLost, BodyError.
    """
    parser, connection = state.parser, state.connection
    assert parser is not None and connection is not None
    if parser.head is None:
        data = connection.channel.receive(HEAD_BYTES)
        if not data or not parser.receive_head(data):
            _note_first_byte(state)
            return False
    state.mailbox.mark_active()
    return True


def read_head(state: TransferState) -> Generator[Wanted, None, None]:
    """Read up to the end of the header. Raises OSError, ConnectionLost, BodyError."""
    parser, connection = state.parser, state.connection
    assert parser is not None and connection is not None
    channel = connection.channel
    while parser.head is None:
        data = channel.receive(HEAD_BYTES)
        if data is None:
            yield channel.wanted
        elif data:
            parser.receive_head(data)
            _note_first_byte(state)
        else:
            parser.receive_end()
    # Once for the header: bytes of an incomplete header do not postpone the idle timeout, as in Qt.
    state.mailbox.mark_active()


def _note_first_byte(state: TransferState) -> None:
    parser = state.parser
    if parser is not None and parser.has_begun and state.trace.first_byte is None:
        state.trace.first_byte = state.mailbox.now()


def take_whole_body(state: TransferState) -> bool:
    """Take a body that has come with the header, as most small bodies do; return False if ``read_body`` has to read it.

    Raises BodyError.
    """
    parser, request = state.parser, state.request
    assert parser is not None and parser.head is not None
    head = parser.head
    if state.early_chunks or (request.streams and streams_body(request, head.status)):
        return False
    if parser.is_complete:
        state.body = b""
        return True
    length = parser.length
    if len(parser.rest) != length or 0 < request.body_limit < length:
        return False
    if request.decode and framing_value(head.fields, b"content-encoding"):
        return False
    state.body = b"".join(parser.receive_body(parser.rest))
    return True


def read_body(state: TransferState) -> Reading:
    """Read up to the end of the body. Raises OSError, ConnectionLost, BodyError, TransferFailed."""
    parser, request = state.parser, state.request
    assert parser is not None and parser.head is not None
    head = parser.head
    streams = streams_body(request, head.status)
    if parser.is_complete and not state.early_chunks:
        state.body = b""
        yield HeadersReceived(state.begun_response())
        return
    encoding = framing_value(head.fields, b"content-encoding") if request.decode else None
    sink: Optional[list[Chunk]] = [] if streams else None
    reader = state.reader = BodyReader(
        None,
        encoding or b"",
        limits_of(request, encoding or b""),
        None if sink is None else sink.append,
    )
    reader.total_bytes = parser.total_bytes
    if streams:
        yield HeadersReceived(state.begun_response())
    yield from _Http1BodyReader(state, reader, sink).read()
    failure: Optional[Failure] = reader.body_error()
    if failure is not None:
        raise TransferFailed(failure)


def streamed_bytes(mailbox: Mailbox, most: int) -> int:
    """Return how many bytes of a streamed body may be read at a time: the size of its read buffer, or ``most``."""
    size = mailbox.read_buffer
    return most if size == 0 or size >= most else max(size, SMALLEST_ENGINE_BUFFER_BYTES)


class BodyDelivery:
    """Gives the chunks of a body to its BodyReader, and reports them to the caller."""

    def __init__(self, state: TransferState, reader: BodyReader, sink: Optional[list[Chunk]]) -> None:
        """``sink``: the list into which the reader puts the chunks for the caller; None if the reader keeps them."""
        received = state.received
        assert received is not None and received.head is not None
        self._mailbox = state.mailbox
        self._reader = reader
        self._sink = sink
        self._tells_progress = reports_progress(received.head.status)
        self._progress_due = 0.0
        self._since_turn = 0

    def take(self, chunks: Iterable[Chunk]) -> Iterator[Union[Wanted, Event]]:
        """Give the chunks to the reader, and report them. The bytes before an error are reported, too."""
        reader = self._reader
        had = reader.encoded_bytes
        turn = BYTES_PER_TURN if self._sink is None else streamed_bytes(self._mailbox, BYTES_PER_TURN)
        try:
            for chunk in chunks:
                for size in reader.pieces(chunk):
                    self._since_turn += size
                    if self._since_turn >= turn:
                        yield from self._yield_to_driver()
                self._since_turn += len(chunk) + CHUNK_BYTES
                if self._since_turn >= turn:
                    yield from self._yield_to_driver()
        except BodyError:
            yield from self._tell_chunks()
            raise
        yield from self._tell_chunks()
        if reader.encoded_bytes > had:
            yield from self.tell_progress()

    def _yield_to_driver(self) -> Iterator[Union[Wanted, Event]]:
        self._since_turn = 0
        yield from self._tell_chunks()
        yield YIELD_NOW

    def tell_progress(self) -> Iterator[Event]:
        if not (self._mailbox.wants_progress and self._tells_progress):
            return
        now = self._mailbox.last_activity
        if now >= self._progress_due:
            self._progress_due = now + PROGRESS_SECONDS
            yield Progress(False, self._reader.encoded_bytes, self._reader.total_bytes)

    def _tell_chunks(self) -> Iterator[Event]:
        if self._sink:
            yield BodyChunks(self._sink[:])
            self._sink.clear()


class _Http1BodyReader(BodyDelivery):
    """Reads a body of HTTP/1.1."""

    def __init__(self, state: TransferState, reader: BodyReader, sink: Optional[list[Chunk]]) -> None:
        super().__init__(state, reader, sink)
        assert state.parser is not None and state.connection is not None
        self._parser = state.parser
        self._channel: Channel = state.connection.channel
        self._buffer: Optional[bytearray] = None
        self._early_chunks = state.take_early_chunks()

    def read(self) -> Reading:
        parser, mailbox = self._parser, self._mailbox
        if self._early_chunks:
            yield from self.take(self._early_chunks)
        yield from self.take(parser.receive_body(parser.rest))
        if DIRECT_BYTES <= parser.length <= MOST_DIRECT_BYTES and self._sink is None and not self._reader.decodes:
            yield from self._read_into_memory()
            return
        while not parser.is_complete:
            block = yield from self._receive()
            if not block:
                parser.receive_end()
                return
            mailbox.mark_active()
            self._since_turn += len(block) >> 2  # the framing of chunks takes time, too
            yield from self.take(parser.receive_body(block))

    def _read_into_memory(self) -> Reading:
        """Read the rest of a body of known length into the memory in which it stays."""
        parser, channel, reader, mailbox = self._parser, self._channel, self._reader, self._mailbox
        room = reader.reserve(parser.length)
        position = looked_at = 0
        try:
            while position < len(room):
                count = channel.receive_into(room[position:])
                if count is None:
                    yield channel.wanted
                    continue
                if count == 0:
                    parser.receive_end()
                    return
                position += count
                parser.took(count)
                reader.took(count)
                mailbox.mark_active()
                if mailbox.wants_progress:
                    yield from self.tell_progress()
                if position - looked_at >= BYTES_PER_TURN:
                    looked_at = position
                    yield YIELD_NOW
        finally:
            room.release()

    def _receive(self) -> Generator[Wanted, None, Union[bytes, memoryview]]:
        """Return some bytes; empty bytes at the end of the connection."""
        channel = self._channel
        block = BLOCK_BYTES if self._sink is None else streamed_bytes(self._mailbox, BLOCK_BYTES)
        if self._parser.length < 0:
            # The chunks are views of these bytes, so the memory must not be used again.
            while True:
                data = channel.receive(block)
                if data is not None:
                    return data
                yield channel.wanted
        view = memoryview(self._free_buffer())
        most = min(block, self._parser.length)
        if most < len(view):
            view = view[:most]
        while True:
            count = channel.receive_into(view)
            if count is not None:
                return view[:count]
            yield channel.wanted

    def _free_buffer(self) -> bytearray:
        """Return memory to read into, no larger than the rest of the body. It is reused unless the caller keeps it."""
        if self._sink is not None and self._reader.passes_on:
            # The caller has the chunks for a while, and gives their memory back.
            try:
                return self._mailbox.buffers.pop()
            except IndexError:
                return bytearray(BLOCK_BYTES)
        if self._buffer is None:
            self._buffer = bytearray(min(self._parser.length, BLOCK_BYTES))
        return self._buffer

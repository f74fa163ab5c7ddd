"""An HTTP/2 connection over a channel, which several transfers share.

One of the transfers reads from the connection, and hands the frames to the streams of the others. If it ends, another
transfer reads. The layers: ``http2_codec`` splits bytes into frames and holds h2, ``http2_protocol`` keeps the state of
the connection, this module moves bytes and wakes transfers, ``http2_transfer`` performs one request.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Callable, Optional, Union

from ...models.connection_options import DEFAULT_CONNECTION, ConnectionOptions
from ..mailbox import Mailbox
from ..waiting import this_process
from ..wanted import READ, WAKE_UP, WRITE, YIELD_NOW, Wanted
from .channel import Channel
from .failures import ConnectionLost
from .http2_protocol import Http2Protocol
from .http2_stream import Http2Stream

MOST_UNSENT_BYTES = 1 << 20
"""How many bytes of replies may be unsent. A server that sends PING and does not read our replies exceeds it."""

_FIELD_BYTES = 16
"""How many bytes a field of a request takes at most beside its name and its value (RFC 7541 section 6.2)."""

READ_BYTES = 1 << 16
FULL_READ_BYTES = 1 << 14
"""TLS returns at most so many bytes at once. After a full read there may be more."""
FULL_READS_AT_ONCE = 4

READS_AT_ONCE = 8
FRAMES_AT_ONCE = 400
"""After so many calls of ``receive``, or frames, the driver checks its timeouts, and other streams have their turn."""


class Http2Connection:
    """An HTTP/2 connection. It is not thread-safe: one thread at a time drives its transfers."""

    def __init__(self, channel: Channel, options: ConnectionOptions = DEFAULT_CONNECTION) -> None:
        self._channel = channel
        self._protocol = Http2Protocol(options)
        self._unsent = b""
        self._unsent_requests = 0
        """How many of these bytes may be headers of requests."""
        self._reads = self._frames = 0
        """How many reads and frames there were since a transfer has yielded."""
        self._is_cut = False
        """Whether the connection can send no more."""
        self._reading_stream: Optional[Http2Stream] = None
        self._waiting_for_room: list[tuple[Callable[[], None], Mailbox]] = []
        """The wake-up functions and mailboxes of requests that wait until a stream may be opened."""
        self._is_read_for_room = False
        """Whether such a request reads from the connection, because there is no stream."""
        self._process = this_process[0]
        self._wants_both = Wanted(((channel.fileno(), READ | WRITE),))

    # Streams

    def is_usable(self) -> bool:
        """Read the frames that have come; return whether another stream may be opened, now or later."""
        if self._process != this_process[0]:
            return False  # in a forked child it is the parent's
        protocol = self._protocol
        if not protocol.streams and not self._is_read_for_room:
            for _ in range(READS_AT_ONCE):
                if protocol.error is not None or not self.receive(None):
                    break
            else:
                return False  # a server that sends so much without a request
        return self._is_open

    @property
    def _is_open(self) -> bool:
        return self._protocol.error is None and not self._protocol.is_ending

    @property
    def is_idle(self) -> bool:
        return not self._protocol.streams

    def has_room(self) -> bool:
        """Return whether a stream may be opened now."""
        return self._protocol.has_room()

    def wait_for_room(self, wake: Callable[[], None], mailbox: Mailbox) -> Generator[Wanted, None, None]:
        """Wait until there may be room for a stream, or the connection is lost.

        While other streams are open, each read from the connection restarts the idle timeout of the mailbox.
        """
        if self._protocol.streams or self._is_read_for_room:
            waiting = (wake, mailbox)
            self._waiting_for_room.append(waiting)
            try:
                yield WAKE_UP
            finally:
                if waiting in self._waiting_for_room:  # it was cancelled
                    self._waiting_for_room.remove(waiting)
            return
        # The server allows no stream for now, so none reads from the connection.
        self._is_read_for_room = True
        try:
            while not self.has_room() and not self._protocol.streams and self._is_open:
                if self._is_turn_over:
                    self._reads = self._frames = 0
                    yield YIELD_NOW
                elif not self.receive(None):
                    yield self._wants_both if self._has_unsent() else self._channel.wanted
        finally:
            self._is_read_for_room = False
            self._wake_waiting(is_active=self.has_room())

    def _wake_waiting(self, is_active: bool = True) -> None:
        waiting, self._waiting_for_room = self._waiting_for_room, []
        for wake, mailbox in waiting:
            if is_active:
                mailbox.mark_active()
            wake()

    def open(self, method: str, wake: Callable[[], None]) -> Http2Stream:
        """Open a stream; ``wake`` has its transfer go on. Raises StreamRefused."""
        return self._protocol.open(method, wake)

    def close(self, stream: Http2Stream) -> None:
        """Forget a stream, and reset one that has not ended. Never blocks."""
        protocol = self._protocol
        if self._process != this_process[0]:
            protocol.error = protocol.error or ConnectionLost()
        try:
            protocol.close(stream)
            if stream.is_reset and protocol.error is None:
                self.flush()
        finally:
            self._hand_over(stream)
            # A stream that has timed out does not restart the idle timeouts of others: they would end one by one.
            self._wake_waiting(is_active=stream.has_ended)

    # The request

    def send_headers(self, stream: Http2Stream, fields: list[tuple[bytes, bytes]], ends: bool) -> None:
        """Raises StreamRefused, Http11Required."""
        self._protocol.send_headers(stream, fields, ends)
        self._unsent_requests += sum(len(name) + len(value) + _FIELD_BYTES for name, value in fields)
        self.flush()

    def sendable(self, stream: Http2Stream) -> int:
        """Return how many bytes of the body may be sent now."""
        return 0 if self._unsent or self._is_cut else self._protocol.sendable(stream)

    def send_data(self, stream: Http2Stream, data: Union[bytes, memoryview], ends: bool) -> None:
        """``data``: as much as is sendable."""
        self._protocol.send_data(stream, data, ends)
        self.flush()

    def flush(self) -> bool:
        """Send as much as the channel takes; return True if bytes had waited, and all are sent now."""
        data = self._protocol.data_to_send()
        if self._is_cut or (not data and not self._unsent):
            return False
        was_full = bool(self._unsent)
        unsent = memoryview(self._unsent + data)
        try:
            while unsent:
                sent = self._channel.send(unsent)
                if sent is None:
                    break
                unsent = unsent[sent:]
        except OSError:
            # The server may have sent a reason before: then it is read, and reported instead of this error.
            self._is_cut, unsent = True, unsent[:0]
        self._unsent = bytes(unsent)
        if not self._unsent:
            self._unsent_requests = 0
        if self._unsent or not was_full:
            return False
        for stream in self._protocol.streams.values():
            if stream.is_sending_open and stream.is_waiting:
                stream.wake()
        return True

    # The response

    def _has_unsent(self) -> bool:
        return bool(self._unsent) or self._channel.has_unsent

    def wait(self, stream: Http2Stream, is_ready: Callable[[], bool]) -> Generator[Wanted, None, None]:
        """Wait until something is ready, or until the stream has failed.

        One of the waiting streams, the reader, polls the socket. The others wait for a wake-up. A stream that leaves
        this method hands the role of the reader to a waiting one.
        """
        # Invariant: if a stream is waiting, ``_reading_stream`` is set, and its transfer polls the socket or is about
        # to run.
        while not is_ready() and stream.error is None:
            if self.flush():
                continue  # there is room to send again, so the stream may be ready
            if self._reading_stream is None:
                self._reading_stream = stream
            if self._reading_stream is not stream:
                if self._has_unsent():
                    self._reading_stream.wake()  # so that it waits until the socket can be written to, too
                stream.is_waiting = True
                yield WAKE_UP
                stream.is_waiting = False
            elif self._is_turn_over:
                self._reads = self._frames = 0
                yield YIELD_NOW
            elif not self.receive(stream):
                yield self._wants_both if self._has_unsent() else self._channel.wanted
        # The caller may take long before it wants more, so it must not stay the reader.
        self._hand_over(stream)

    def _hand_over(self, stream: Http2Stream) -> None:
        """Let another stream read from the connection, if this one did so."""
        if self._reading_stream is stream:
            self._reading_stream = None
        if self._reading_stream is None:
            successor = next((other for other in self._protocol.streams.values() if other.is_waiting), None)
            if successor is not None:
                self._reading_stream = successor
                successor.wake()

    @property
    def _is_turn_over(self) -> bool:
        return self._reads >= READS_AT_ONCE or self._frames >= FRAMES_AT_ONCE

    def acknowledge(self, stream: Http2Stream, size: int) -> None:
        """Allow the server to send as many bytes of a body as the caller has taken."""
        self._protocol.acknowledge(stream, size)

    def receive(self, stream: Optional[Http2Stream]) -> bool:
        """Read frames, and hand them to their streams. Return False if nothing has come.

        The transfers of all streams but ``stream`` are woken if something has come for them.
        """
        protocol = self._protocol
        if protocol.error is not None:
            return False
        self._reads += 1
        for count in range(FULL_READS_AT_ONCE):
            try:
                data = self._channel.receive(READ_BYTES)
            except OSError as error:
                protocol.fail(error)
                break
            if data is None:
                if not count:
                    return False
                break
            if not data:
                protocol.fail(ConnectionLost())
                break
            frames = protocol.received_frames
            protocol.receive(data, time.monotonic())
            self._frames += protocol.received_frames - frames
            if len(data) < FULL_READ_BYTES or protocol.error is not None or self._is_turn_over:
                break
        if len(self._unsent) > MOST_UNSENT_BYTES + self._unsent_requests:
            protocol.fail_by_flood()
        if protocol.streams:
            for _, mailbox in self._waiting_for_room:
                mailbox.mark_active()
        changed, protocol.changed_streams = protocol.changed_streams, {}
        for each in changed:
            if each is not stream:
                each.wake()
        if protocol.may_have_room:
            protocol.may_have_room = False
            self._wake_waiting()
        self.flush()  # after an error of the server: GOAWAY (RFC 9113 section 5.4.1)
        return True

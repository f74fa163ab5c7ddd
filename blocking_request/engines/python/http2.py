"""One HTTP/2 connection (RFC 9113) over the library h2: what goes out, what comes in, and to which stream it belongs.

Of the transfers that share a connection, one reads from it and hands what has come to the others. If that one ends,
another one takes its place.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Callable, Optional, Union

import h2.errors
import h2.events
import h2.exceptions

from ..body_errors import BodyError, CorruptBody, HeaderTooLarge
from ..mailbox import Mailbox
from ..waiting import this_process
from ..wanted import LOOK_AROUND, READ, WAKE_UP, WRITE, Wanted
from .channel import Channel
from .failures import ConnectionLost, Http11Required, ServerLeaves, StreamRefused
from .http2_codec import FrameSplitter, goaway_of, new_connection
from .http2_stream import Http2Stream, StreamFailed, name_of

STREAM_WINDOW_BYTES = 1 << 20
"""How much of a body a server may send before its caller takes any of it (RFC 9113 section 5.2)."""

MOST_STREAMS = 100
"""How many streams a connection has at once, if the server allows as many. Before it has said so, there is one: it
says so first of all (RFC 9113 sections 3.4 and 6.5.2)."""

MOST_UNSENT_BYTES = 1 << 20
MOST_IDLE_FRAMES = 10_000
"""A server that sends more than this, and nothing of a response in the meantime, is left."""

READ_BYTES = 1 << 16
READS_AT_ONCE = 16
"""After so many the driver looks at its clocks, and the streams that something has come for have their turn."""

_Codes = h2.errors.ErrorCodes


class Http2Connection:
    """For the thread that drives its transfers."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._h2 = new_connection(MOST_STREAMS, STREAM_WINDOW_BYTES)
        self._frames = FrameSplitter()
        self._unsent = b""
        self._streams: dict[int, Http2Stream] = {}
        self._reader: Optional[Http2Stream] = None
        self._news: dict[Http2Stream, None] = {}
        """The streams that something has come for."""
        self._waiting: list[tuple[Callable[[], None], Mailbox]] = []
        """Who is woken when there is room for a stream."""
        self._has_settings = False
        self._is_ending = False
        """Whether the server takes no more streams."""
        self._error: Optional[Exception] = None
        self._idle_frames = 0
        self._process = this_process[0]
        descriptor = channel.fileno()
        self._wants_both = Wanted(((descriptor, READ | WRITE),))

    # Streams

    def is_usable(self) -> bool:
        """Read what has come in the meantime; return whether another stream may be opened, now or later."""
        if self._process != this_process[0]:
            return False  # in a forked child it is the parent's
        if not self._streams:
            try:
                for _ in range(READS_AT_ONCE):
                    if self._error is not None or not self.receive(None):
                        break
                else:
                    return False
            except OSError:
                return False
        return self._error is None and not self._is_ending

    @property
    def is_idle(self) -> bool:
        return not self._streams

    def has_room(self) -> bool:
        """Return whether a stream may be opened now."""
        most = self._h2.remote_settings.max_concurrent_streams if self._has_settings else 1
        return len(self._streams) < max(min(most, MOST_STREAMS), 1)

    def wake_with_room(self, wake: Callable[[], None], mailbox: Mailbox) -> None:
        """Have somebody woken when there may be room for a stream; until then he is as active as the connection."""
        self._waiting.append((wake, mailbox))

    def _wake_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for wake, mailbox in waiting:
            mailbox.mark_active()
            wake()

    def open(self, method: str, wake: Callable[[], None]) -> Http2Stream:
        """Open a stream; ``wake`` has its transfer go on. Raises StreamRefused."""
        try:
            number = self._h2.get_next_available_stream_id()
        except h2.exceptions.ProtocolError as error:  # all numbers are used
            self._is_ending = True
            raise StreamRefused from error
        stream = self._streams[number] = Http2Stream(number, method, wake)
        return stream

    def close(self, stream: Http2Stream) -> None:
        """Forget a stream. One that has not ended is reset (RFC 9113 section 8.7). Never blocks."""
        if self._process != this_process[0]:
            self._error = self._error or ConnectionLost()
        self._streams.pop(stream.number, None)
        if not stream.has_ended or stream.is_ours_open:
            self._reset(stream, _Codes.CANCEL)
        for _, size in stream.chunks:
            self.acknowledge(stream, size)
        stream.chunks.clear()
        self._hand_over(stream)
        self._wake_waiting()

    def _reset(self, stream: Http2Stream, code: h2.errors.ErrorCodes) -> None:
        if stream.is_reset or self._error is not None:
            return
        stream.is_reset = True
        try:
            self._h2.reset_stream(stream.number, code)
            self.flush()
        except (h2.exceptions.ProtocolError, OSError):
            pass  # it was never opened, or the connection has gone: whoever reads from it finds out

    # The request

    def send_headers(self, stream: Http2Stream, fields: list[tuple[bytes, bytes]], ends: bool) -> None:
        """Raises OSError, StreamRefused."""
        try:
            self._h2.send_headers(stream.number, fields, end_stream=ends)
        except h2.exceptions.TooManyStreamsError as error:
            raise StreamRefused from error
        except h2.exceptions.ProtocolError as error:
            self._is_ending = True  # the fields that were encoded before are not known to the server
            raise StreamRefused from error
        stream.is_ours_open = not ends
        self.flush()

    def sendable(self, stream: Http2Stream) -> int:
        """Return how many bytes of the body may be sent now."""
        if self._unsent or self._error is not None or stream.is_reset:
            return 0
        return min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)

    def send_data(self, stream: Http2Stream, data: Union[bytes, memoryview], ends: bool) -> None:
        """Raises OSError."""
        self._h2.send_data(stream.number, bytes(data), end_stream=ends)
        self._idle_frames = 0
        stream.is_ours_open = not ends
        # The one that has sent last is the last one to be woken.
        self._streams[stream.number] = self._streams.pop(stream.number)
        self.flush()

    def flush(self) -> bool:
        """Send as much as the channel takes; return whether there is room for more, and was none. Raises OSError."""
        data = self._h2.data_to_send()
        if not data and not self._unsent:
            return False
        was_full = bool(self._unsent)
        unsent = memoryview(self._unsent + data)
        while unsent:
            sent = self._channel.send(unsent)
            if sent is None:
                break
            unsent = unsent[sent:]
        self._unsent = bytes(unsent)
        if self._unsent or not was_full:
            return False
        for stream in self._streams.values():
            if stream.is_ours_open and stream.is_waiting:
                stream.wake()
        return True

    # The response

    def wait(self, stream: Http2Stream, is_ready: Callable[[], bool]) -> Generator[Wanted, None, None]:
        """Wait until something is ready, or until the stream has failed. Raises OSError."""
        reads = 0
        while not is_ready() and stream.error is None:
            if self.flush():
                continue
            if self._reader is None:
                self._reader = stream
            if self._reader is not stream:
                if self._unsent:
                    self._reader.wake()  # it waits for both from now on
                stream.is_waiting = True
                yield WAKE_UP
                stream.is_waiting = False
            elif self.receive(stream):
                reads += 1
                if reads % READS_AT_ONCE == 0:
                    yield LOOK_AROUND
            else:
                yield self._wants_both if self._unsent else self._channel.wanted
        # The caller may take long before it wants more.
        self._hand_over(stream)

    def _hand_over(self, stream: Http2Stream) -> None:
        """Let another stream read from the connection, if this one did so."""
        if self._reader is stream:
            self._reader = None
        if self._reader is None:
            successor = next((other for other in self._streams.values() if other.is_waiting), None)
            if successor is not None:
                self._reader = successor
                successor.wake()

    def acknowledge(self, stream: Http2Stream, size: int) -> None:
        """The caller has taken so much of a body: the server may send as much again."""
        if size and self._error is None:
            self._h2.acknowledge_received_data(size, stream.number)

    def receive(self, stream: Optional[Http2Stream]) -> bool:
        """Read what is there, and hand it to its streams; return whether there was something. Raises OSError.

        The transfers of all streams but ``stream`` are woken if something has come for them.
        """
        data = self._channel.receive(READ_BYTES)
        if data is None:
            return False
        if data:
            self._receive_frames(data)
            if len(self._unsent) > MOST_UNSENT_BYTES or self._idle_frames > MOST_IDLE_FRAMES:
                self._fail(CorruptBody("the server sends too many frames that are no response"))
            for _, mailbox in self._waiting:
                mailbox.mark_active()
        else:
            self._fail(ConnectionLost())
        if self._news:
            news, self._news = self._news, {}
            for each in news:
                if each is not stream:
                    each.wake()
        if self._error is None:
            self.flush()
        return True

    def _receive_frames(self, data: bytes) -> None:
        try:
            for frame in self._frames.split(data):
                self._idle_frames += 1
                goaway = goaway_of(frame)
                if goaway is not None:
                    self._handle_goaway(*goaway)
                    continue
                for event in self._h2.receive_data(frame):
                    self._handle(event)
        except h2.exceptions.DenialOfServiceError:
            self._fail(HeaderTooLarge())
        except h2.exceptions.ProtocolError as error:
            self._fail(CorruptBody(f"the server breaks the rules of HTTP/2 ({type(error).__name__}: {error})"))

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            for stream in self._streams.values():
                self._end(stream, error)

    def _end(self, stream: Http2Stream, error: Exception) -> None:
        if not stream.has_ended:
            stream.error = stream.error or error
        self._news[stream] = None

    def _handle(self, event: Any) -> None:
        if isinstance(event, (h2.events.RemoteSettingsChanged, h2.events.WindowUpdated)):
            if isinstance(event, h2.events.RemoteSettingsChanged):
                self._has_settings = True
                self._wake_waiting()
            self._news.update((each, None) for each in self._streams.values() if each.is_ours_open)
            return
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, h2.events.DataReceived):
            size = event.flow_controlled_length or 0
            if stream is None or stream.error is not None or not event.data or not stream.has_body:
                # Nobody takes it: the windows are as before.
                if size and self._error is None:
                    self._h2.acknowledge_received_data(size, event.stream_id)
                return
            stream.chunks.append((event.data, size))
        elif stream is None or stream.error is not None:
            return
        elif isinstance(event, (h2.events.ResponseReceived, h2.events.InformationalResponseReceived)):
            stream.has_begun = True
            try:
                stream.read_head(event.headers, isinstance(event, h2.events.ResponseReceived))
            except BodyError as error:
                stream.error = error
                self._reset(stream, _Codes.PROTOCOL_ERROR)
        elif isinstance(event, h2.events.StreamEnded):
            stream.has_ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.is_reset = True
            self._handle_reset(stream, event.error_code)
        else:
            return  # trailers, and what says nothing of a response
        self._idle_frames = 0
        self._news[stream] = None

    def _handle_reset(self, stream: Http2Stream, code: Any) -> None:
        stream.is_ours_open = False
        if stream.has_ended:
            return  # the response is whole, the rest of the request is not wanted (RFC 9113 section 8.1)
        if code == _Codes.REFUSED_STREAM:
            stream.error = StreamRefused()
        elif code == _Codes.HTTP_1_1_REQUIRED:
            stream.error = Http11Required()
        else:
            stream.error = StreamFailed(f"Connection closed: the server has ended the stream ({name_of(code)})")

    def _handle_goaway(self, last: int, code: int) -> None:
        """``last``: the number of the last stream that the server has looked at (RFC 9113 section 6.8)."""
        self._is_ending = True
        for stream in self._streams.values():
            if stream.number > last:
                self._end(stream, ServerLeaves())
            elif code != _Codes.NO_ERROR:
                text = f"Connection closed: the server has ended the connection ({name_of(code)})"
                self._end(stream, StreamFailed(text))
        self._wake_waiting()

"""One HTTP/2 connection (RFC 9113) over the library h2: what goes out, what comes in, and to which stream it belongs.

Of the transfers that share a connection, one reads from it and hands what has come to the others. If that one ends,
another one takes its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any, Callable, Optional, Union

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from ...models.headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES, known_fields
from ..body_errors import BodyError, CorruptBody, HeaderTooLarge
from ..body_reader import parse_length
from ..wanted import READ, WAKE_UP, WRITE, Wanted
from .channel import Channel
from .failures import ConnectionLost, Http11Required, StreamRefused
from .http1 import ResponseHead

STREAM_WINDOW_BYTES = 1 << 20
"""How much of a body a server may send before its caller takes any of it (RFC 9113 section 5.2)."""

CONNECTION_WINDOW_BYTES = (1 << 31) - 1
"""So large that a body that nobody takes does not hold up the others."""

MOST_STREAMS = 100
"""How many streams a connection has at once, if the server allows as many. Before it has said so, there is one: it
says so first of all (RFC 9113 sections 3.4 and 6.5.2)."""

MOST_UNSENT_BYTES = 1 << 20
MOST_IDLE_FRAMES = 10_000
"""A server that has us answer more than this, and sends no response in the meantime, is left."""

READ_BYTES = 1 << 16


class StreamFailed(BodyError):
    """The server has ended the stream, or the connection, with an error."""


class Http2Stream:
    """One request and its response, as far as they have come."""

    def __init__(self, number: int, wake: Callable[[], None]) -> None:
        self.number = number
        self.wake = wake
        self.head: Optional[ResponseHead] = None
        self.total_bytes = -1
        """What ``Content-Length`` promises, or -1."""
        self.has_begun = False
        """Whether anything of a response has come."""
        self.chunks: deque[tuple[bytes, int]] = deque()
        """What of the body nobody has taken yet, and how much of the window each chunk fills."""
        self.has_ended = False
        self.error: Optional[Exception] = None
        """Why nothing more comes."""
        self.is_waiting = False
        """Whether its transfer waits until another one has read something for it."""
        self.is_ours_open = True
        """Whether more of the request is to be sent."""

    @property
    def has_news(self) -> bool:
        return bool(self.chunks) or self.has_ended or self.error is not None


class Http2Connection:
    """For the thread that drives its transfers."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        codes = h2.settings.SettingCodes
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                codes.ENABLE_PUSH: 0,
                codes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
                codes.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
                codes.MAX_HEADER_LIST_SIZE: MAXIMUM_HEADER_BYTES,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW_BYTES - self._h2.inbound_flow_control_window)
        self._unsent = b""
        self._streams: dict[int, Http2Stream] = {}
        self._reader: Optional[Http2Stream] = None
        self._waiting: list[Callable[[], None]] = []
        """Who is woken when there is room for a stream."""
        self._has_settings = False
        self._is_ending = False
        """Whether the server takes no more streams."""
        self._error: Optional[Exception] = None
        self._idle_frames = 0
        descriptor = channel.fileno()
        self._wants_read = Wanted(((descriptor, READ),))
        self._wants_both = Wanted(((descriptor, READ | WRITE),))

    # Streams

    def is_usable(self) -> bool:
        """Read what has come in the meantime; return whether another stream may be opened, now or later."""
        if not self._streams:
            try:
                while self._error is None and self.receive():
                    pass
            except OSError:
                return False
        return self._error is None and not self._is_ending

    @property
    def is_idle(self) -> bool:
        return not self._streams

    def has_room(self) -> bool:
        """Return whether a stream may be opened now."""
        most = self._h2.remote_settings.max_concurrent_streams if self._has_settings else 1
        return len(self._streams) < min(most, MOST_STREAMS)

    def wake_with_room(self, wake: Callable[[], None]) -> None:
        """Have somebody woken when there may be room for a stream."""
        self._waiting.append(wake)

    def open(self, wake: Callable[[], None]) -> Http2Stream:
        """Open a stream; ``wake`` has its transfer go on. Raises ConnectionLost."""
        try:
            number = self._h2.get_next_available_stream_id()
        except h2.exceptions.ProtocolError as error:  # all numbers are used
            self._is_ending = True
            raise StreamRefused from error
        stream = self._streams[number] = Http2Stream(number, wake)
        return stream

    def close(self, stream: Http2Stream) -> None:
        """Forget a stream. One that has not ended is reset (RFC 9113 section 8.7). Never blocks."""
        self._streams.pop(stream.number, None)
        if self._error is None and (not stream.has_ended or stream.is_ours_open) and stream.error is None:
            try:
                self._h2.reset_stream(stream.number, h2.errors.ErrorCodes.CANCEL)
                self.flush()
            except (h2.exceptions.ProtocolError, OSError):
                pass  # it was never opened, or has ended by itself
        for _, size in stream.chunks:
            self.acknowledge(stream, size)
        self._hand_over(stream)
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    # The request

    def send_headers(self, stream: Http2Stream, fields: list[tuple[bytes, bytes]], ends: bool) -> None:
        """Raises OSError, StreamRefused."""
        try:
            self._h2.send_headers(stream.number, fields, end_stream=ends)
        except h2.exceptions.ProtocolError as error:
            raise StreamRefused from error
        stream.is_ours_open = not ends
        self.flush()

    def sendable(self, stream: Http2Stream) -> int:
        """Return how many bytes of the body may be sent now."""
        if self._unsent:
            return 0
        return min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)

    def send_data(self, stream: Http2Stream, data: Union[bytes, memoryview], ends: bool) -> None:
        """Raises OSError."""
        self._h2.send_data(stream.number, bytes(data), end_stream=ends)
        stream.is_ours_open = not ends
        self.flush()

    def flush(self) -> None:
        """Send as much as the channel takes. Raises OSError."""
        data = self._h2.data_to_send()
        unsent = self._unsent + data if self._unsent else data
        while unsent:
            sent = self._channel.send(unsent)
            if sent is None:
                break
            unsent = unsent[sent:]
        self._unsent = unsent

    # The response

    def wait(self, stream: Http2Stream, is_ready: Callable[[], bool]) -> Generator[Wanted, None, None]:
        """Wait until something is ready, or until the stream has failed. Raises OSError."""
        while not is_ready() and stream.error is None:
            if self._reader is None:
                self._reader = stream
            if self._reader is not stream:
                self.flush()
                if self._unsent:
                    self._reader.wake()  # it waits for both from now on
                stream.is_waiting = True
                yield WAKE_UP
                stream.is_waiting = False
                continue
            self.flush()
            if self.receive():
                continue
            needs_both = self._unsent or self._channel.wanted is self._channel.wants_write
            yield self._wants_both if needs_both else self._wants_read
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

    def receive(self) -> bool:
        """Read what is there, and hand it to its streams; return whether there was something. Raises OSError."""
        data = self._channel.receive(READ_BYTES)
        if data is None:
            return False
        if not data:
            self._fail(ConnectionLost())
            return True
        try:
            events = self._h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self._fail(CorruptBody(f"the server breaks the rules of HTTP/2 ({type(error).__name__}: {error})"))
            return True
        for event in events:
            self._handle(event)
        if len(self._unsent) > MOST_UNSENT_BYTES or self._idle_frames > MOST_IDLE_FRAMES:
            self._fail(CorruptBody("the server sends too many frames that are no response"))
        self.flush()
        return True

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        for stream in list(self._streams.values()):
            self._end(stream, error)

    def _end(self, stream: Http2Stream, error: Exception) -> None:
        if not stream.has_ended or stream.is_ours_open:
            stream.error = stream.error or error
        self._wake(stream)

    def _wake(self, stream: Http2Stream) -> None:
        if stream is not self._reader:
            stream.wake()

    def _handle(self, event: Any) -> None:
        self._idle_frames += 1
        if isinstance(event, h2.events.ConnectionTerminated):
            self._handle_goaway(event)
            return
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self._has_settings = True
        if isinstance(event, (h2.events.RemoteSettingsChanged, h2.events.WindowUpdated)):
            for each in self._streams.values():
                if each.is_ours_open:
                    self._wake(each)
            waiting, self._waiting = self._waiting, []
            for wake in waiting:
                wake()
            return
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if stream is None:
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                # Of a stream that was reset: the window of the connection is as before.
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            return
        stream.has_begun = True
        self._idle_frames = 0
        if isinstance(event, h2.events.ResponseReceived):
            self._handle_head(stream, event.headers)
        elif isinstance(event, h2.events.DataReceived):
            stream.chunks.append((event.data, event.flow_controlled_length))
        elif isinstance(event, h2.events.StreamEnded):
            stream.has_ended = True
        elif isinstance(event, h2.events.StreamReset):
            self._handle_reset(stream, event.error_code)
        else:
            return  # an interim response, trailers
        self._wake(stream)

    def _handle_head(self, stream: Http2Stream, headers: Any) -> None:
        pairs = tuple((bytes(name), bytes(value)) for name, value in headers)
        if len(pairs) > MAXIMUM_HEADER_LINES:
            stream.error = HeaderTooLarge()
            return
        fields = known_fields(tuple(pair for pair in pairs if not pair[0].startswith(b":")))
        status = int(dict(pairs).get(b":status", b"0"))
        stream.head = ResponseHead(status, "", 1, fields)
        length = fields.whole_value(b"content-length")
        if length is not None:
            try:
                stream.total_bytes = parse_length(length)
            except CorruptBody as error:
                stream.error = error

    def _handle_reset(self, stream: Http2Stream, code: Any) -> None:
        codes = h2.errors.ErrorCodes
        if code == codes.REFUSED_STREAM:
            stream.error = StreamRefused()
        elif code == codes.HTTP_1_1_REQUIRED:
            stream.error = Http11Required()
        elif code == codes.NO_ERROR and stream.head is not None:
            stream.has_ended = True  # the response is whole, the rest of the request is not wanted (section 8.1)
            stream.is_ours_open = False
        else:
            stream.error = StreamFailed(f"Connection closed: the server has ended the stream ({_name_of(code)})")

    def _handle_goaway(self, event: h2.events.ConnectionTerminated) -> None:
        self._is_ending = True
        last = event.last_stream_id or 0
        is_error = event.error_code not in (None, h2.errors.ErrorCodes.NO_ERROR)
        for stream in list(self._streams.values()):
            if stream.number > last:
                self._end(stream, StreamRefused())
            elif is_error:
                text = f"Connection closed: the server has ended the connection ({_name_of(event.error_code)})"
                self._end(stream, StreamFailed(text))
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()


def _name_of(code: Any) -> str:
    try:
        return h2.errors.ErrorCodes(code).name
    except ValueError:
        return f"error {code}"

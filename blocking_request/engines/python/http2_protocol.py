"""The client's state of an HTTP/2 connection (RFC 9113): turns received bytes into events of streams, and requests into
bytes to send. It uses h2 for requests (see ``http2_codec``), does no I/O and has no clock.

An error of one response fails its stream alone. The window of the connection is so large that one stream cannot hold up
the others. The window of a stream is opened again by ``acknowledge``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, Optional, Union

import h2.errors
import h2.events
import h2.exceptions

from ...models.connection_options import DEFAULT_CONNECTION, ConnectionOptions
from ..body_errors import BodyError, CorruptBody, HeaderTooLarge
from .failures import ConnectionLost, Http11Required, ServerLeaves, StreamRefused
from .http2_codec import (
    CONNECTION_WINDOW_BYTES,
    CONTINUATION,
    DATA,
    END_STREAM,
    FRAME_BYTES,
    FRAME_HEAD_BYTES,
    HEADERS,
    PRIORITY,
    PUSH_PROMISE,
    SMALLEST_WINDOW_BYTES,
    FrameSplitter,
    goaway_of,
    is_zero_window_update,
    new_connection,
    payload_of,
    rst_stream_frame,
    stream_of,
    window_update,
    with_small_table,
)
from .http2_headers import HeaderBlock, HeaderReader
from .http2_stream import STREAM_WINDOW_BYTES, Http2Stream, MalformedResponse, StreamFailed, name_of

MOST_STREAMS = 100
"""How many streams a connection has at once, if the server allows so many. Before its SETTINGS, which come first, there
is one stream (RFC 9113 sections 3.4 and 6.5.2)."""

MOST_IDLE_FRAMES = 10_000
"""The connection is closed if the server sends more frames than this without a part of a response."""

FIELDS_PER_FRAME = 8
"""So many decoded fields count as one frame."""

IDLE_FRAMES_PER_SECOND = 10
"""So many frames a second do not count: a server may send PING for hours before it responds to a long poll."""

_Codes = h2.errors.ErrorCodes


class Http2Protocol:
    """The state of a connection. It is not thread-safe: one thread at a time drives its transfers."""

    def __init__(self, options: ConnectionOptions = DEFAULT_CONNECTION) -> None:
        self.streams: dict[int, Http2Stream] = {}
        """The open streams. The stream that has sent data last is the last one."""
        self.changed_streams: dict[Http2Stream, None] = {}
        """The streams for which frames have come, in this order: a set would have none."""
        self.may_have_room = False
        """Whether the number of streams that the server allows may have changed."""
        self.is_ending = False
        """Whether the server takes no more streams."""
        self.error: Optional[Exception] = None
        """Why the connection cannot be used any more."""
        self._stream_window = options.stream_window or STREAM_WINDOW_BYTES
        self._connection_window = max(options.connection_window or CONNECTION_WINDOW_BYTES, SMALLEST_WINDOW_BYTES)
        frame_bytes = options.frame_bytes or FRAME_BYTES
        self._h2 = new_connection(MOST_STREAMS, self._stream_window, self._connection_window, frame_bytes)
        self._frames = FrameSplitter(frame_bytes)
        self._headers = HeaderReader()
        self._updates = b""
        """Frames that let the server send more of a body."""
        self._received_since_update = 0
        """How many bytes of the connection's window are filled."""
        self._has_settings = False
        self._end_text = ""
        """Why the server has announced the end of the connection."""
        self._idle_frames = 0.0
        self._unwanted_bytes = 0
        """How many bytes of unwanted bodies may come: what the windows of streams allowed at their reset."""
        self._received_at = 0.0
        self.received_frames = 0
        """How many frames have come. Some fields of a header count as one, too."""

    def has_room(self) -> bool:
        """Return whether a stream may be opened now."""
        most = self._h2.remote_settings.max_concurrent_streams if self._has_settings else 1
        return len(self.streams) < min(most, MOST_STREAMS)

    def open(self, method: str, wake: Callable[[], None]) -> Http2Stream:
        """Open a stream. Raises StreamRefused."""
        try:
            number = self._h2.get_next_available_stream_id()
        except h2.exceptions.ProtocolError as error:  # all numbers are used
            self.is_ending = True
            raise StreamRefused from error
        stream = self.streams[number] = Http2Stream(number, method, wake, self._stream_window)
        return stream

    def close(self, stream: Http2Stream) -> None:
        """Forget a stream. One that has not ended is reset (RFC 9113 section 8.7)."""
        self.streams.pop(stream.number, None)
        if not stream.has_ended or stream.is_sending_open:
            self._reset(stream, _Codes.CANCEL)
        elif not stream.is_reset and self.error is None:
            try:
                self._h2.receive_data(rst_stream_frame(stream.number))
            except h2.exceptions.ProtocolError as error:
                self._fail_by_rule(error)

    def _reset(self, stream: Http2Stream, code: h2.errors.ErrorCodes) -> None:
        if stream.is_reset or self.error is not None:
            return
        stream.is_reset = True
        self._unwanted_bytes += max(stream.window, 0)
        with suppress(h2.exceptions.ProtocolError):  # it was never opened, or has ended by itself
            self._h2.reset_stream(stream.number, code)

    # Sending

    def data_to_send(self) -> bytes:
        # The updates come first: behind RST_STREAM none may follow (RFC 9113 section 5.1).
        data, self._updates = self._updates + self._h2.data_to_send(), b""
        return data

    def send_headers(self, stream: Http2Stream, fields: list[tuple[bytes, bytes]], ends: bool) -> None:
        """Raises StreamRefused; Http11Required if HTTP/2 does not allow the request, such as CONNECT with a path."""
        try:
            self._h2.send_headers(stream.number, fields, end_stream=ends)
        except h2.exceptions.TooManyStreamsError as error:
            raise StreamRefused from error
        except h2.exceptions.ProtocolError as error:
            # The server lacks the fields that were encoded before, so both ends disagree on the compression.
            self.is_ending = True
            raise Http11Required from error
        stream.is_sending_open = not ends

    def sendable(self, stream: Http2Stream) -> int:
        """Return how many bytes of the body the server allows now."""
        if self.error is not None or stream.is_reset:
            return 0
        return min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)

    def send_data(self, stream: Http2Stream, data: Union[bytes, memoryview], ends: bool) -> None:
        """Send a part of a body. ``data``: at most as many bytes as ``sendable`` returns."""
        self._h2.send_data(stream.number, bytes(data), end_stream=ends)
        self._idle_frames = 0.0
        stream.is_sending_open = not ends
        self.streams[stream.number] = self.streams.pop(stream.number)

    def acknowledge(self, stream: Http2Stream, size: int) -> None:
        """Allow the server to send as many bytes of a body as the caller has taken."""
        stream.unacknowledged += size
        if (
            stream.unacknowledged < max(self._stream_window // 2, 1)
            or stream.has_ended
            or stream.is_reset
            or self.error is not None
        ):
            return
        stream.window += stream.unacknowledged
        self._updates += window_update(stream.number, stream.unacknowledged)
        stream.unacknowledged = 0

    # Receiving

    def receive(self, data: bytes, now: float) -> None:
        """Hand the frames to their streams, and note these in ``changed_streams``.

        ``now``: the time in seconds, of any clock.
        """
        if self.error is not None:
            return
        if not self.received_frames and data.startswith(b"HTTP/1."):
            self.fail(CorruptBody("the server responds by HTTP/1.1 to HTTP/2, which Http2DirectAttribute demands"))
            return
        allowed = (now - self._received_at) * IDLE_FRAMES_PER_SECOND
        self._idle_frames, self._received_at = max(self._idle_frames - allowed, 0.0), now
        try:
            for frame in self._frames.split(data):
                self._receive_frame(frame)
                if self._idle_frames > MOST_IDLE_FRAMES:
                    self.fail_by_flood()
                    break
        except h2.exceptions.ProtocolError as error:
            self._fail_by_rule(error)

    def _fail_by_rule(self, error: h2.exceptions.ProtocolError) -> None:
        """The server has broken a rule of the connection (RFC 9113 section 5.4.1)."""
        if isinstance(error, h2.exceptions.DenialOfServiceError):
            self.fail(HeaderTooLarge())
        else:
            self.fail(CorruptBody(f"the server breaks the rules of HTTP/2 ({type(error).__name__}: {error})"))
        self._h2.close_connection(error.error_code)

    def fail_by_flood(self) -> None:
        self.fail(CorruptBody("the server sends too many frames that are no response"))
        self._h2.close_connection(_Codes.ENHANCE_YOUR_CALM)

    def fail(self, error: Exception) -> None:
        """End all streams with the error."""
        if self.error is None:
            if self._end_text and isinstance(error, (ConnectionLost, OSError)):
                error = StreamFailed(self._end_text)
            self.error = error
            for stream in self.streams.values():
                self._end(stream, error)

    def _end(self, stream: Http2Stream, error: Exception) -> None:
        if not stream.has_ended:
            stream.error = stream.error or error
        self.changed_streams[stream] = None

    def _receive_frame(self, frame: bytes) -> None:
        """Raises h2.exceptions.ProtocolError."""
        self._idle_frames += 1
        self.received_frames += 1
        kind = frame[3]
        if kind in (HEADERS, CONTINUATION) or self._headers.is_open:
            block = self._headers.receive(frame)
            if block is not None:
                self._take_headers(block)
        elif kind == DATA:
            self._take_data(frame)
        elif kind == PUSH_PROMISE:
            raise h2.exceptions.ProtocolError("a push, which SETTINGS forbid")
        elif is_zero_window_update(frame):
            stream = self._stream(stream_of(frame))
            if stream is not None:
                self._fail_stream(stream, MalformedResponse("The server has sent a WINDOW_UPDATE of 0 bytes"))
        elif kind != PRIORITY:  # it says nothing (RFC 9113 section 5.3.2)
            goaway = goaway_of(frame)
            if goaway is not None:
                self._take_goaway(*goaway)
                return
            for event in self._h2.receive_data(with_small_table(frame)):
                self._handle(event)

    def _stream(self, number: int) -> Optional[Http2Stream]:
        """Return the stream of that number; None if no more of its response is wanted.

        Raises h2.exceptions.ProtocolError if it was never opened.
        """
        if not number & 1 or number > self._h2.highest_outbound_stream_id:
            raise h2.exceptions.ProtocolError(f"a frame of the stream {number}, which is not open")
        stream = self.streams.get(number)
        return None if stream is None or stream.has_ended or stream.error is not None else stream

    def _take_headers(self, block: HeaderBlock) -> None:
        stream = self._stream(block.stream)
        count = len(block.pairs) // FIELDS_PER_FRAME
        self.received_frames += count
        if stream is None:
            self._idle_frames += count
            return
        self._note_change(stream)
        try:
            stream.read_headers(block.pairs, block.ends_stream)
        except BodyError as error:
            self._fail_stream(stream, error)

    def _take_data(self, frame: bytes) -> None:
        data, size = payload_of(frame), len(frame) - FRAME_HEAD_BYTES
        stream = self._stream(stream_of(frame))
        self._received_since_update += size
        if self._received_since_update >= self._connection_window // 2:
            self._updates += window_update(0, self._received_since_update)
            self._received_since_update = 0
        if stream is None:
            self._note_unwanted(size)
            return
        stream.window -= size
        if stream.head is None:
            self._fail_stream(stream, MalformedResponse("The server has sent a body before the header of the response"))
            return
        if stream.window < 0:
            error = CorruptBody("the server sends more of a body than the window of HTTP/2 allows")
            self._fail_stream(stream, error, _Codes.FLOW_CONTROL_ERROR)
            return
        if data and not stream.has_body:
            # A response to HEAD, or with the status 204 or 304, is complete without a body.
            stream.has_ended = True
            self._note_change(stream)
            self._reset(stream, _Codes.CANCEL)
            return
        if data:
            stream.chunks.append(data)
            stream.buffered_bytes += size
            stream.body_bytes += len(data)
            self._note_change(stream)
            if 0 <= stream.total_bytes < stream.body_bytes:
                error = CorruptBody(f"the body is longer than its Content-Length of {stream.total_bytes}")
                self._fail_stream(stream, error)
                return
        else:
            self.acknowledge(stream, size)  # it is padding
        if frame[4] & END_STREAM:
            stream.has_ended = True
            self._note_change(stream)

    def _note_unwanted(self, size: int) -> None:
        """Take a part of an unwanted body.

        It does not count as a frame that says nothing if the server may have sent it before it had our RST_STREAM.
        """
        if 0 < size <= self._unwanted_bytes:
            self._unwanted_bytes -= size
            self._idle_frames -= 1

    def _note_change(self, stream: Http2Stream) -> None:
        """A part of a response has come."""
        self._idle_frames = 0.0
        self.changed_streams[stream] = None

    def _fail_stream(
        self, stream: Http2Stream, error: BodyError, code: h2.errors.ErrorCodes = _Codes.PROTOCOL_ERROR
    ) -> None:
        """End one stream with the error, and tell the server (RFC 9113 section 5.4.2)."""
        stream.error = error.with_traceback(None)  # which would hold the stream
        self._note_change(stream)
        self._reset(stream, code)

    def _handle(self, event: Any) -> None:
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self._has_settings = self.may_have_room = True
        if isinstance(event, (h2.events.RemoteSettingsChanged, h2.events.WindowUpdated)):
            self.changed_streams.update((each, None) for each in self.streams.values() if each.is_sending_open)
        elif isinstance(event, h2.events.StreamReset):
            stream = self.streams.get(event.stream_id)
            if stream is not None and stream.error is None:
                stream.is_reset = True
                if event.remote_reset:
                    self._handle_reset(stream, event.error_code)
                else:  # h2 has reset it
                    stream.error = MalformedResponse("The server has opened the window of a request too far")
                self._note_change(stream)

    def _handle_reset(self, stream: Http2Stream, code: Any) -> None:
        stream.is_sending_open = False
        if stream.has_ended:
            return  # the response is whole, the rest of the request is not wanted (RFC 9113 section 8.1)
        # A request whose response has begun is not sent again (section 8.7): the caller may have a part of it.
        if code == _Codes.REFUSED_STREAM and not stream.has_begun:
            stream.error = StreamRefused()
        elif code == _Codes.HTTP_1_1_REQUIRED and not stream.has_begun:
            stream.error = Http11Required()
        else:
            stream.error = StreamFailed(f"Connection closed: the server has ended the stream ({name_of(code)})")

    def _take_goaway(self, last: int, code: int) -> None:
        """``last``: the number of the last stream that the server has processed (RFC 9113 section 6.8)."""
        self.is_ending = self.may_have_room = True
        text = "Connection closed: the server has ended the connection"
        if code != _Codes.NO_ERROR:
            # The streams up to ``last`` may still end well. If not, this is the reason.
            text = self._end_text = f"{text} ({name_of(code)})"
        for stream in self.streams.values():
            if stream.number > last:
                self._end(stream, StreamFailed(text) if stream.has_begun else ServerLeaves())

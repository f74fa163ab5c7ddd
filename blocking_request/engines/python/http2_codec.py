"""Frames of HTTP/2 (RFC 9113 section 4), and the part of h2 that is used.

h2 ends the whole connection for some errors of one response, and takes five times as long for DATA. So
``http2_protocol`` reads HEADERS and DATA, and h2 gets SETTINGS, PING, WINDOW_UPDATE, RST_STREAM and frames of unknown
types. h2 keeps the settings and the windows of the requests, and writes the frames of the requests. h2 gets one frame
at a time, so that an error does not lose the frames before it. h2 does not get GOAWAY, because h2 takes no frame after
it, but the server goes on with the streams that it has begun (RFC 9113 section 6.8). A GOAWAY that is too short is for
h2, which refuses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

import h2.config
import h2.connection
import h2.exceptions
import h2.settings

from ...models.headers import MAXIMUM_HEADER_BYTES

CONNECTION_WINDOW_BYTES = (1 << 31) - 1
"""So large that a body that its caller does not take does not hold up other streams."""

FRAME_HEAD_BYTES = 9
SMALLEST_WINDOW_BYTES = (1 << 16) - 1
"""The window of a connection cannot be made smaller (RFC 9113 section 6.9.2)."""

FRAME_BYTES = 1 << 14
"""The largest frame that a server may send, unless we allow a larger one (RFC 9113 section 4.2)."""
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
"""Types of frames (RFC 9113 section 6)."""
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY = 1, 4, 8, 32
"""Flags of frames."""

LARGEST_TABLE_BYTES = 1 << 12
_SETTING_BYTES = 6
_SMALL_TABLE = b"\0\1" + LARGEST_TABLE_BYTES.to_bytes(4, "big")
"""SETTINGS_HEADER_TABLE_SIZE (RFC 9113 section 6.5.2)."""

_LARGEST_NUMBER = (1 << 31) - 1


def new_connection(streams: int, window: int, connection_window: int, frame_bytes: int) -> h2.connection.H2Connection:
    """Return the client's end of a connection. ``window``: how many bytes of a body may come before any is taken;
    ``connection_window``: the same for all bodies; ``frame_bytes``: the size of the largest frame that may come.
    """
    configuration = h2.config.H2Configuration(header_encoding=None)
    connection = h2.connection.H2Connection(configuration)
    codes = h2.settings.SettingCodes
    connection.local_settings = h2.settings.Settings(
        client=True,
        initial_values={
            codes.ENABLE_PUSH: 0,
            codes.INITIAL_WINDOW_SIZE: window,
            codes.MAX_CONCURRENT_STREAMS: streams,
            codes.MAX_HEADER_LIST_SIZE: MAXIMUM_HEADER_BYTES,
            **({} if frame_bytes == FRAME_BYTES else {codes.MAX_FRAME_SIZE: frame_bytes}),
        },
    )
    connection.initiate_connection()
    more = connection_window - connection.inbound_flow_control_window
    if more > 0:
        connection.increment_flow_control_window(more)
    return connection


class FrameSplitter:
    """Splits bytes into frames."""

    def __init__(self, frame_bytes: int = FRAME_BYTES) -> None:
        """``frame_bytes``: the size of the largest frame that may come."""
        self._frame_bytes = frame_bytes
        self._parts: list[bytes] = []
        """The beginning of a frame. It is joined when the frame is complete: a frame may have 16 MB."""
        self._size = 0
        self._needed = FRAME_HEAD_BYTES

    def split(self, data: bytes) -> Iterator[bytes]:
        """Return the frames that are complete. Raises h2.exceptions.FrameTooLargeError."""
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._needed:
            return
        incoming = b"".join(self._parts)
        start, size = 0, len(incoming)
        self._needed = FRAME_HEAD_BYTES
        while size - start >= FRAME_HEAD_BYTES:
            length = int.from_bytes(incoming[start : start + 3], "big")
            if length > self._frame_bytes:
                raise h2.exceptions.FrameTooLargeError(f"a frame of {length} bytes")
            end = start + FRAME_HEAD_BYTES + length
            if size < end:
                self._needed = end - start
                break
            yield incoming[start:end]
            start = end
        self._parts = [incoming[start:]]
        self._size = size - start


def stream_of(frame: bytes) -> int:
    """Return the number of a frame's stream; the reserved bit is ignored (RFC 9113 section 4.1)."""
    return int.from_bytes(frame[5:FRAME_HEAD_BYTES], "big") & _LARGEST_NUMBER


def goaway_of(frame: bytes) -> Optional[tuple[int, int]]:
    """Return the last stream and the error code of a GOAWAY frame (RFC 9113 section 6.8); None if it is none."""
    if frame[3] != GOAWAY or len(frame) < FRAME_HEAD_BYTES + 8 or stream_of(frame):
        return None
    return int.from_bytes(frame[9:13], "big") & _LARGEST_NUMBER, int.from_bytes(frame[13:17], "big")


def payload_of(frame: bytes) -> bytes:
    """Return the payload of a DATA or HEADERS frame without its padding (RFC 9113 section 6.1).

    Raises h2.exceptions.ProtocolError.
    """
    if not frame[4] & PADDED:
        return frame[FRAME_HEAD_BYTES:]
    end = len(frame) - frame[FRAME_HEAD_BYTES] if len(frame) > FRAME_HEAD_BYTES else 0
    if end <= FRAME_HEAD_BYTES:
        raise h2.exceptions.ProtocolError("the padding is longer than the frame")
    return frame[FRAME_HEAD_BYTES + 1 : end]


def is_zero_window_update(frame: bytes) -> bool:
    """Return whether this is a WINDOW_UPDATE of 0 for a stream, which is an error of the stream alone (RFC 9113 section
    6.9). h2 would end the connection.
    """
    is_update = frame[3] == WINDOW_UPDATE and len(frame) == FRAME_HEAD_BYTES + 4
    return is_update and stream_of(frame) > 0 and not int.from_bytes(frame[9:13], "big") & _LARGEST_NUMBER


def with_small_table(frame: bytes) -> bytes:
    """Return a SETTINGS frame that allows us a table of header fields of at most ``LARGEST_TABLE_BYTES``.

    hpack searches all of the table for each field. Other frames are returned as they are.
    """
    if frame[3] != SETTINGS or len(frame) % _SETTING_BYTES != FRAME_HEAD_BYTES % _SETTING_BYTES:
        return frame
    settings = [frame[start : start + _SETTING_BYTES] for start in range(FRAME_HEAD_BYTES, len(frame), _SETTING_BYTES)]
    return frame[:FRAME_HEAD_BYTES] + b"".join(
        _SMALL_TABLE if each[:2] == _SMALL_TABLE[:2] and each > _SMALL_TABLE else each for each in settings
    )


def rst_stream_frame(number: int) -> bytes:
    """Return the frame that has h2 forget a stream whose end it has not seen."""
    return b"\0\0\4\x03\0" + number.to_bytes(4, "big") + bytes(4)


def window_update(number: int, size: int) -> bytes:
    """Return the frame that lets the server send so much more on a stream; 0: on the connection."""
    return b"\0\0\4\x08\0" + number.to_bytes(4, "big") + size.to_bytes(4, "big")

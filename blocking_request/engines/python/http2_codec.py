"""Works around properties of the library h2, which ends the whole connection for some errors of one response.

h2 gets one frame at a time, so that an error does not lose the frames before it. The header fields that h2 would check
are hidden from it; ``http2_stream`` checks them. GOAWAY is hidden, because h2 takes no frame after it, but the server
goes on with the streams that it has begun (RFC 9113 section 6.8). h2 gets only the ends of DATA, because it takes five
times as long for DATA.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import h2.config
import h2.connection
import h2.exceptions
import h2.settings
import hpack

from ...models.headers import MAXIMUM_HEADER_BYTES

CONNECTION_WINDOW_BYTES = (1 << 31) - 1
"""So large that a body that its caller does not take does not hold up other streams."""

MOST_DECODED_BYTES = 4 * MAXIMUM_HEADER_BYTES
"""Up to this size, a header that is too large fails alone; beyond it, it ends the connection."""

HIDDEN_LENGTH = b":content-length"
"""The name of Content-Length while h2 has the header."""

_LENGTH = b"content-length"
FRAME_HEAD_BYTES = 9
_FRAME_BYTES = 1 << 14
"""The largest frame that a server may send, because we allow no larger one (RFC 9113 section 4.2)."""
_DATA = 0
_GOAWAY = 7
_END_STREAM = 1
_PADDED = 8
_LARGEST_NUMBER = (1 << 31) - 1


def new_connection(streams: int, window: int) -> h2.connection.H2Connection:
    """Return the client's end of a connection. ``window``: how many bytes of a body may come before any is taken."""
    configuration = h2.config.H2Configuration(
        header_encoding=None, validate_inbound_headers=False, normalize_inbound_headers=False
    )
    connection = h2.connection.H2Connection(configuration)
    codes = h2.settings.SettingCodes
    connection.local_settings = h2.settings.Settings(
        client=True,
        initial_values={
            codes.ENABLE_PUSH: 0,
            codes.INITIAL_WINDOW_SIZE: window,
            codes.MAX_CONCURRENT_STREAMS: streams,
            codes.MAX_HEADER_LIST_SIZE: MAXIMUM_HEADER_BYTES,
        },
    )
    connection.decoder = _HeaderDecoder(connection.local_settings.header_table_size)
    connection.initiate_connection()
    connection.increment_flow_control_window(CONNECTION_WINDOW_BYTES - connection.inbound_flow_control_window)
    return connection


class _HeaderDecoder(hpack.Decoder):
    """Hides Content-Length from h2, which ends the connection if a body is not that long, or if it is no number."""

    def __init__(self, table_size: int) -> None:
        super().__init__(MOST_DECODED_BYTES)
        self.max_allowed_table_size = table_size

    def decode(self, data: bytes, raw: bool = False) -> Any:
        pairs = super().decode(data, raw=True)
        return [(HIDDEN_LENGTH if name == _LENGTH else name, value) for name, value in pairs if name != HIDDEN_LENGTH]


class FrameSplitter:
    """Splits bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""
        """The beginning of a frame."""

    def split(self, data: bytes) -> Iterator[bytes]:
        """Return the frames that are complete. Raises h2.exceptions.FrameTooLargeError."""
        incoming = self._rest + data
        start, size = 0, len(incoming)
        while size - start >= FRAME_HEAD_BYTES:
            length = int.from_bytes(incoming[start : start + 3], "big")
            if length > _FRAME_BYTES:
                raise h2.exceptions.FrameTooLargeError(f"a frame of {length} bytes")
            end = start + FRAME_HEAD_BYTES + length
            if size < end:
                break
            yield incoming[start:end]
            start = end
        self._rest = incoming[start:]


def stream_of(frame: bytes) -> int:
    """Return the number of a frame's stream; the reserved bit is ignored (RFC 9113 section 4.1)."""
    return int.from_bytes(frame[5:FRAME_HEAD_BYTES], "big") & _LARGEST_NUMBER


def goaway_of(frame: bytes) -> Optional[tuple[int, int]]:
    """Return the last stream and the error code of a GOAWAY frame (RFC 9113 section 6.8); None if it is none."""
    if frame[3] != _GOAWAY or len(frame) < FRAME_HEAD_BYTES + 8 or stream_of(frame):
        return None
    return int.from_bytes(frame[9:13], "big") & _LARGEST_NUMBER, int.from_bytes(frame[13:17], "big")


def data_of(frame: bytes) -> Optional[bytes]:
    """Return the data of a DATA frame without its padding (RFC 9113 section 6.1); None if it is none, or not sound."""
    if frame[3] != _DATA:
        return None
    if not frame[4] & _PADDED:
        return frame[FRAME_HEAD_BYTES:]
    end = len(frame) - frame[FRAME_HEAD_BYTES] if len(frame) > FRAME_HEAD_BYTES else 0
    return frame[FRAME_HEAD_BYTES + 1 : end] if end > FRAME_HEAD_BYTES else None


def end_of_stream(frame: bytes) -> Optional[bytes]:
    """Return a DATA frame that ends the stream, and has no data, if this one ends it; else None."""
    return b"\0\0\0\0\1" + frame[5:FRAME_HEAD_BYTES] if frame[4] & _END_STREAM else None


def window_update(number: int, size: int) -> bytes:
    """Return the frame that lets the server send so much more on a stream; 0: on the connection."""
    return b"\0\0\4\x08\0" + number.to_bytes(4, "big") + size.to_bytes(4, "big")

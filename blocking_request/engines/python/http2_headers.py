"""Reads the header blocks of HTTP/2 (RFC 9113 section 4.3), which HEADERS and CONTINUATION frames carry."""

from __future__ import annotations

from typing import NamedTuple, Optional

import h2.exceptions
import hpack
import hpack.exceptions

from ...models.headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES, Pairs
from ...models.redaction import hidden_repr
from .http2_codec import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    FRAME_HEAD_BYTES,
    HAS_PRIORITY,
    HEADERS,
    payload_of,
    stream_of,
)

MOST_DECODED_BYTES = 4 * MAXIMUM_HEADER_BYTES
"""Up to this size, a header that is too large fails alone; beyond it, it ends the connection."""

MOST_CONTINUATIONS = 64
"""How many CONTINUATION frames may follow a HEADERS frame."""

MOST_FIELDS = 4 * MAXIMUM_HEADER_LINES
MOST_WORK = 1 << 29
"""Beyond so many fields, or fields times bytes, a block ends the connection. hpack takes a microsecond for each field,
and copies the rest of the block for most of them.
"""

_PRIORITY_BYTES = 5


class HeaderBlock(NamedTuple):
    """The fields of a header, or of trailers."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    stream: int
    pairs: Pairs
    ends_stream: bool


class HeaderReader:
    """Joins frames, and decodes their fields.

    The compression has one state for all streams. So each block must be decoded, even if its stream was closed.
    """

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(MOST_DECODED_BYTES)
        self._parts: list[bytes] = []
        self._stream = 0
        self._ends_stream = False

    @property
    def is_open(self) -> bool:
        """Whether a block has begun. Then the next frame must be its CONTINUATION (RFC 9113 section 6.10)."""
        return bool(self._parts)

    def receive(self, frame: bytes) -> Optional[HeaderBlock]:
        """Return the block that the frame completes; None if more frames belong to the block.

        Raises h2.exceptions.ProtocolError; DenialOfServiceError, which is one, if the block is too large.
        """
        kind, flags = frame[3], frame[4]
        if kind != (CONTINUATION if self._parts else HEADERS) or (self._parts and stream_of(frame) != self._stream):
            raise h2.exceptions.ProtocolError("the frames of a header are out of order")
        if kind == HEADERS:
            part = payload_of(frame)
            if flags & HAS_PRIORITY:
                if len(part) < _PRIORITY_BYTES:
                    raise h2.exceptions.ProtocolError("a HEADERS frame is too short")
                part = part[_PRIORITY_BYTES:]
            self._stream, self._ends_stream = stream_of(frame), bool(flags & END_STREAM)
        else:
            part = frame[FRAME_HEAD_BYTES:]
            if len(self._parts) > MOST_CONTINUATIONS:
                raise h2.exceptions.ProtocolError("too many CONTINUATION frames")
        self._parts.append(part)
        if not flags & END_HEADERS:
            return None
        block, self._parts = b"".join(self._parts), []
        if len(block) > MOST_FIELDS:  # a block of n bytes has at most n fields
            most = min(MOST_FIELDS, MOST_WORK // len(block))
            if count_fields(block, most) > most:
                raise h2.exceptions.DenialOfServiceError("too many fields")
        return HeaderBlock(self._stream, self._decode(block), self._ends_stream)

    def _decode(self, block: bytes) -> Pairs:
        try:
            return tuple((bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True))
        except hpack.exceptions.OversizedHeaderListError as error:
            raise h2.exceptions.DenialOfServiceError(str(error)) from error
        except (hpack.exceptions.HPACKError, IndexError) as error:
            raise h2.exceptions.ProtocolError(f"a header cannot be decoded: {error}") from error


def count_fields(block: bytes, most: int) -> int:
    """Return how many fields a block has, and changes of the table's size (RFC 7541 section 6), without decoding it.

    It stops beyond ``most``. The rest of a block that is damaged counts as one.
    """
    count, place, end = 0, 0, len(block)
    while place < end and count <= most:
        count += 1
        first = block[place]
        if first & 0x80:  # an indexed field
            _, place = _integer(block, place, 7)
        elif first & 0xE0 == 0x20:  # a size of the table
            _, place = _integer(block, place, 5)
        else:  # a literal; its name is indexed, or a literal, too
            index, place = _integer(block, place, 6 if first & 0x40 else 4)
            for _ in range(1 if index else 2):
                length, place = _integer(block, place, 7)
                place += length
    return count


def _integer(block: bytes, place: int, bits: int) -> tuple[int, int]:
    """Return an integer, and the place behind it (RFC 7541 section 5.1)."""
    end = len(block)
    if place >= end:
        return 0, end
    most = (1 << bits) - 1
    value, place, shift = block[place] & most, place + 1, 0
    if value < most:
        return value, place
    while place < end and shift < 64:
        byte = block[place]
        value, place, shift = value + ((byte & 0x7F) << shift), place + 1, shift + 7
        if not byte & 0x80:
            return value, place
    return 0, end  # it is damaged

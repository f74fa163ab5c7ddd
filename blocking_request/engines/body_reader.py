"""Reads the body of a response: collects it without copies, decodes it, and finds out whether it is complete.

A body is complete if as many bytes came as ``Content-Length`` says, and if the end of each compressed stream was seen:
a truncated gzip stream decodes without an error.

The body is collected in a BytesIO, because a BytesIO grows in place and ``getvalue`` gives its memory away without a
copy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Callable, NamedTuple, Optional

from ..models.error_texts import canceled
from ..models.failure import Failure
from ..models.headers import MAXIMUM_PARSED_FIELD_BYTES, Fields, is_readable
from ..models.http_messages import Request
from .body_errors import BodyError, CorruptBody, corrupt_body, truncated
from .content_decoding import decoders

BOMB_BYTES = 1 << 27
"""The limit of expansion holds for larger bodies only."""


MEMBER_BYTES = 1 << 10
"""The end of a gzip member or a zstd frame counts as so many bytes: a body of empty members takes time to decode."""

DECODE_AFTER_ABORT_SECONDS = 0.02
"""How long the bytes that have arrived are decoded after an abort. Shorter than the caller's ABORT_GRACE_SECONDS."""

_NEVER = float("inf")


class Limits(NamedTuple):
    """The limits of one body; 0 is no limit."""

    size: int = 0
    """In bytes, decoded."""
    expansion: int = 0
    """How many times larger than its encoded bytes the body may become, if it is larger than ``threshold``."""
    threshold: int = BOMB_BYTES
    setting: str = "setMaximumExpansion"
    """Which setting has given the limit of expansion."""


QT_EXPANSION = 40
QT_EXPANSION_OF_NEWER_CODINGS = 100
"""Qt's limits with ``setDecompressedSafetyCheckThreshold``: for gzip and deflate, and for br and zstd."""


def limits_of(request: Request, content_encoding: bytes) -> Limits:
    """Return the limits of the body of a response with this ``Content-Encoding``."""
    threshold = request.expansion_threshold
    if threshold is None:
        return Limits(request.body_limit, request.expansion_limit)
    if threshold < 0:
        return Limits(request.body_limit)
    codings = content_encoding.lower()
    is_newer = b"br" in codings or b"zstd" in codings
    times = QT_EXPANSION_OF_NEWER_CODINGS if is_newer else QT_EXPANSION
    return Limits(request.body_limit, times, threshold, "setDecompressedSafetyCheckThreshold")


NO_LIMITS = Limits()


def too_large(limit: int) -> str:
    return f"The body is larger than the limit of {limit} bytes (setMaximumBodySize)"


class BodyTooLarge(BodyError):
    """The body is larger than the caller accepts."""


class DecodingStopped(BodyError):
    """The caller has aborted the transfer while a body was decoded."""

    @property
    def failure(self) -> Failure:
        return canceled()


class BodyReader:
    """Reads the bytes of one body as they come. One thread at a time uses it."""

    def __init__(
        self,
        content_length: Optional[bytes],
        content_encoding: bytes = b"",
        limits: Limits = NO_LIMITS,
        sink: Optional[Callable[[Any], None]] = None,
        is_aborted: Callable[[], bool] = bool,
    ) -> None:
        """``content_length``: the field, or None if it does not say where the body ends; ``content_encoding``: the
        codings to decode; ``sink``: takes the decoded body piece by piece, and ``content`` is empty then;
        ``is_aborted``: returns whether the caller has aborted. Decoding ends soon then.

        Raises CorruptBody if ``content_length`` is not a number (RFC 9112 section 6.3).
        """
        self._limits = limits
        self.encoded_bytes = self._read_bytes = 0
        self._buffer = BytesIO()
        self._room: Optional[memoryview] = None
        self._sink: Callable[[bytes], Any] = sink if sink is not None else self._buffer.write
        self._has_sink = sink is not None
        self._decoders = decoders(content_encoding) if content_encoding else []
        self._decoded_bytes = [0] * len(self._decoders)
        """How many bytes each decoder has produced."""
        self._is_aborted = is_aborted
        self._stop_at = _NEVER
        self.total_bytes = -1 if content_length is None else parse_length(content_length)

    def reserve(self, size: int) -> memoryview:
        """Return memory for ``size`` bytes that are still to come, of a body without a coding.

        The system gives pages to this memory when they are written to, so a false length costs nothing. The caller
        reports the bytes that it has written by ``took``. Raises BodyTooLarge, MemoryError.
        """
        if 0 < self._limits.size < self.encoded_bytes + size:
            raise BodyTooLarge(too_large(self._limits.size))
        begun = self._buffer.getvalue()
        # If nothing else refers to its bytes, a BytesIO lets them be written to, and gives them away without a copy.
        self._buffer = BytesIO(bytes(len(begun) + size))
        self._room = self._buffer.getbuffer()
        self._room[: len(begun)] = begun
        return self._room[len(begun) :]

    def took(self, count: int) -> None:
        """Count bytes that the caller has written into the reserved memory."""
        self.encoded_bytes += count

    @property
    def passes_on(self) -> bool:
        """Whether the chunks go to the sink as they are."""
        return self._has_sink and not self._decoders

    @property
    def decodes(self) -> bool:
        """Whether the body has a coding that is decoded here."""
        return bool(self._decoders)

    def feed(self, chunk: Any) -> None:
        """Read a chunk. Raises BodyError; the bytes decoded before it stay readable."""
        for _ in self.pieces(chunk):
            pass

    def pieces(self, chunk: Any) -> Iterator[int]:
        """Read a chunk, and yield the size of each piece that a decoder produces, so that the caller can stop between
        two pieces. If the body has several codings, the pieces of each decoder count. Raises BodyError, as ``feed``.
        """
        self.encoded_bytes += len(chunk)
        if not self._decoders:
            size = max(self.encoded_bytes, self.total_bytes)
            if 0 < self._limits.size < size:
                raise BodyTooLarge(too_large(self._limits.size))
            self._sink(chunk)
            return
        yield from self._decode(bytes(chunk), 0)

    def _count(self, layer: int, size: int) -> None:
        """Count the bytes that a decoder has produced. Raises BodyTooLarge, DecodingStopped."""
        total = self._decoded_bytes[layer] = self._decoded_bytes[layer] + size
        expansion = self._limits.expansion
        if expansion and total > self._limits.threshold and total > expansion * self.encoded_bytes:
            raise BodyTooLarge(
                f"The body has become more than {expansion} times as large when its compression was undone "
                f"({self._limits.setting})"
            )
        if self._is_aborted():
            now = time.monotonic()
            self._stop_at = min(self._stop_at, now + DECODE_AFTER_ABORT_SECONDS)
            if now >= self._stop_at:
                raise DecodingStopped("decoding was stopped")

    def _decode(self, data: bytes, first: int) -> Iterator[int]:
        """Decode by the decoders from ``first`` on, and give the result to the sink."""
        is_last = first + 1 == len(self._decoders)
        for piece in self._decoders[first].decode(data):
            size = len(piece)
            self._count(first, size or MEMBER_BYTES)
            if size and is_last:
                self._read_bytes += size
                if 0 < self._limits.size < self._read_bytes:
                    raise BodyTooLarge(too_large(self._limits.size))
                self._sink(piece)
            elif size:
                yield from self._decode(piece, first + 1)
            yield size or MEMBER_BYTES

    def body_error(self) -> Optional[Failure]:
        """Return why the body is not complete, or None if it is. Called when no more bytes will come."""
        if 0 <= self.total_bytes != self.encoded_bytes:
            return truncated(self.encoded_bytes, self.total_bytes)
        if self.encoded_bytes and not all(decoder.ended() for decoder in self._decoders):
            return corrupt_body("the compressed data ends too early")
        return None

    def content(self) -> bytes:
        """Return the decoded body without a copy. No chunk may be fed afterwards."""
        if self._room is not None:
            self._room.release()
            try:
                self._buffer.truncate(self.encoded_bytes)
            except BufferError:  # the frames of an exception that is being handled still refer to the memory
                return self._buffer.getvalue()[: self.encoded_bytes]
        return self._buffer.getvalue()


def framing_value(fields: Fields, name: bytes) -> Optional[bytes]:
    """Return the value of a field that says where the body ends or how it is coded.

    Raises CorruptBody if the field is too long to be read.
    """
    value = fields.whole_value(name)
    if value is None or is_readable(value):
        return value
    raise CorruptBody(
        f"the field {name.decode('ascii')} is longer than {MAXIMUM_PARSED_FIELD_BYTES >> 10} KB "
        "or holds a line end or NUL"
    )


def is_chunked(transfer_encoding: Optional[bytes]) -> bool:
    """Return whether ``Transfer-Encoding`` (RFC 9112 section 6.1) names chunks.

    Raises CorruptBody if it names a coding that no engine decodes: the caller would get the body encoded.
    """
    if transfer_encoding is None:
        return False
    codings = [coding.strip(b" \t").lower() for coding in transfer_encoding.split(b",")]
    if any(coding not in (b"chunked", b"identity", b"") for coding in codings):
        raise CorruptBody(f"Transfer-Encoding is {transfer_encoding.decode('latin-1')[:40]!r}, which cannot be undone")
    return b"chunked" in codings


_MAXIMUM_DIGITS = 18
"""So many digits fit into 64 bits, the size of a length in Qt."""


def parse_length(field: bytes) -> int:
    """Return the value of ``Content-Length`` (RFC 9110 section 8.6). Raises CorruptBody if it is not a number."""
    if field.isdigit() and len(field) <= _MAXIMUM_DIGITS:
        return int(field)
    texts = [length.strip(b" \t") for length in field.split(b",")]
    lengths = {int(text) if text.isdigit() and len(text) <= _MAXIMUM_DIGITS else -1 for text in texts}
    length = lengths.pop()
    if lengths or length < 0:
        raise CorruptBody(f"Content-Length is {field.decode('latin-1')[:40]!r}, which is not a number of bytes")
    return length

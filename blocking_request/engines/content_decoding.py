"""Decodes gzip, deflate, br and zstd, in pieces of bounded size, and tells whether the end was seen."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Optional, Protocol, Union

from .body_errors import BodyError, CorruptBody

Chunk = Union[bytes, bytearray, memoryview]

PIECE_BYTES = 1 << 20
"""The largest piece that a decoder produces."""

SIP_BYTES = 1 << 7
"""How many encoded bytes zstandard's decoder gets at a time. It has no limit of output; it makes at most 4 MB of so
many bytes."""

MAXIMUM_CODINGS = 5
"""How many codings a body may have, as in curl and urllib3."""

_SMALLEST_WINDOW = 1 << 9
_LARGEST_WINDOW = 1 << 16
"""How many encoded bytes a stream gets at a time. The bytes that a stream leaves over at its end are copied, so a body
of many small members gets small windows.
"""


class Decoder(Protocol):
    def decode(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the decoded bytes in pieces of at most ``PIECE_BYTES``, and empty bytes after each member.

        Raises CorruptBody.
        """

    def ended(self) -> bool:
        """Return whether the end of the compressed stream has been seen."""


class _Stream(Protocol):
    """One member of gzip, one zlib or brotli stream, or one frame of zstd."""

    def pieces(self, window: bytes) -> Iterator[bytes]: ...

    def ended(self) -> bool: ...

    def unused(self) -> int:
        """Return how many bytes of the last window follow the end of the stream."""


class _StreamDecoder:
    """Decodes the streams of a body, one after another: gzip and zstd allow several.

    Zero bytes may follow the last stream, because some servers pad with them. If other bytes follow, the body is
    corrupt, however its bytes were split into chunks.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream: Optional[_Stream] = None
        self._held = b""
        """The first byte of a stream that is recognised by two."""
        self._stream_seen = False
        self._is_padding = False
        self._window = _LARGEST_WINDOW

    def decode(self, chunk: Chunk) -> Iterator[bytes]:
        data = memoryview(self._held + bytes(chunk) if self._held else chunk)
        self._held = b""
        position = 0
        while position < len(data):
            if self._stream is None:
                rest = data[position:]
                if self._padding(rest):
                    return
                self._stream = self._begin(rest)
                if self._stream is None:
                    self._held = bytes(rest)
                    return
            window = bytes(data[position : position + self._window])
            yield from _library_errors_mapped(self._stream.pieces(window))
            position += len(window)
            self._window = min(2 * self._window, _LARGEST_WINDOW)
            if self._stream.ended():
                position -= self._stream.unused()
                self._stream, self._stream_seen, self._window = None, True, _SMALLEST_WINDOW
                yield b""

    def _padding(self, rest: memoryview) -> bool:
        """Return whether ``rest`` is padding behind the last stream. Raises CorruptBody if other bytes are in it."""
        self._is_padding = self._is_padding or (self._stream_seen and rest[0] == 0)
        if self._is_padding and bytes(rest).strip(b"\0"):
            raise CorruptBody(_TRAILING)
        return self._is_padding

    def _begin(self, rest: memoryview) -> Optional[_Stream]:
        """Return the stream that begins with ``rest``, or None if more bytes are needed. Raises CorruptBody."""
        if self._coding == "zstd":
            return _ZstdStream()
        if self._coding == "gzip":
            if not self._stream_seen:
                return _ZlibStream(16 + zlib.MAX_WBITS)
            if not _GZIP_MAGIC.startswith(bytes(rest[:2])):
                raise CorruptBody(_TRAILING)
            return _ZlibStream(16 + zlib.MAX_WBITS) if len(rest) > 1 else None
        if self._stream_seen:
            raise CorruptBody(_TRAILING)
        if self._coding == "br":
            return _BrotliStream()
        if len(rest) < 2:
            return None
        # Some servers send bare deflate (RFC 1951) in place of zlib (RFC 1950). It lacks the header of zlib.
        has_zlib_header = rest[0] & 0x0F == 8 and (rest[0] * 256 + rest[1]) % 31 == 0
        return _ZlibStream(zlib.MAX_WBITS if has_zlib_header else -zlib.MAX_WBITS)

    def ended(self) -> bool:
        return self._stream_seen and self._stream is None and not self._held


_GZIP_MAGIC = b"\x1f\x8b"
_TRAILING = "other bytes follow the end of its compressed data"


def _library_errors_mapped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same pieces. Raises CorruptBody in place of each library's own exception."""
    try:
        yield from pieces
    except (BodyError, MemoryError):
        raise
    except Exception as error:
        raise CorruptBody(f"its compressed data is corrupt ({error})") from None


class _ZlibStream:
    """A member of gzip (RFC 1952), zlib (RFC 1950), or bare deflate (RFC 1951)."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)

    def pieces(self, window: bytes) -> Iterator[bytes]:
        stream = self._stream
        piece = stream.decompress(window, PIECE_BYTES)
        while piece:
            yield piece
            # After a full piece zlib may hold more output, although it has taken the whole window.
            if stream.eof or (len(piece) < PIECE_BYTES and not stream.unconsumed_tail):
                return
            piece = stream.decompress(stream.unconsumed_tail, PIECE_BYTES)

    def ended(self) -> bool:
        return self._stream.eof

    def unused(self) -> int:
        return len(self._stream.unused_data)


BROTLI_PIECE_BYTES = 1 << 16
"""The largest piece of brotli. brotlicffi allocates a buffer of this size in each call."""

MAXIMUM_SINGLE_ZEROS = 1 << 12
"""How many zero bytes a brotli stream gets one by one."""


class _BrotliStream:
    """Brotli (RFC 7932), by the library that urllib3 uses."""

    def __init__(self) -> None:
        try:
            import brotlicffi as brotli
        except ImportError:
            import brotli
        self._stream: Any = brotli.Decompressor()
        self._unused = 0
        self._single_zeros = MAXIMUM_SINGLE_ZEROS
        if not hasattr(self._stream, "can_accept_more_data"):
            raise ImportError("brotli before 1.2 has no limit of output: a small body could fill the memory")

    def pieces(self, window: bytes) -> Iterator[bytes]:
        # The library fails on bytes behind the end, also on zero bytes, which are allowed as padding. So the stream
        # gets zero bytes one by one, until it ends. That takes a thousand times as long, so only the first ones are so
        # given.
        body = window.rstrip(b"\0")
        if body:
            yield from self._processed(body)
        zeros = len(window) - len(body)
        while zeros and not self.ended():
            count = 1 if self._single_zeros else zeros
            self._single_zeros = max(self._single_zeros - count, 0)
            zeros -= count
            yield from self._processed(bytes(count))
        self._unused = zeros

    def _processed(self, data: bytes) -> Iterator[bytes]:
        piece = self._stream.process(data, output_buffer_limit=BROTLI_PIECE_BYTES)
        while piece or not self._stream.can_accept_more_data():
            if piece:
                yield piece
            if self._stream.can_accept_more_data():
                return
            piece = self._stream.process(b"", output_buffer_limit=BROTLI_PIECE_BYTES)

    def ended(self) -> bool:
        return bool(self._stream.is_finished())

    def unused(self) -> int:
        return self._unused


class _ZstdStream:
    """One frame of zstd (RFC 8878), by the libraries that urllib3 uses."""

    def __init__(self) -> None:
        self._is_limited = True
        self._unused = 0
        try:
            from compression import zstd  # Python 3.14
        except ImportError:
            try:
                from backports import zstd
            except ImportError:
                import zstandard

                self._is_limited = False
                self._stream: Any = zstandard.ZstdDecompressor().decompressobj()
                return
        self._stream = zstd.ZstdDecompressor()

    def pieces(self, window: bytes) -> Iterator[bytes]:
        if not self._is_limited:
            for start in range(0, len(window), SIP_BYTES):
                if piece := self._stream.decompress(window[start : start + SIP_BYTES]):
                    yield piece
                if self.ended():
                    behind = len(window) - start - SIP_BYTES
                    self._unused = len(self._stream.unused_data) + max(behind, 0)
                    return
            return
        piece = self._stream.decompress(window, PIECE_BYTES)
        while piece:
            yield piece
            if self._stream.eof or self._stream.needs_input:
                break
            piece = self._stream.decompress(b"", PIECE_BYTES)
        self._unused = len(self._stream.unused_data) if self._stream.eof else 0

    def ended(self) -> bool:
        return bool(self._stream.eof)

    def unused(self) -> int:
        return self._unused


def _readable_codings() -> tuple[str, ...]:
    """Return the content codings that can be decoded, by the standard library or by a library that is installed."""
    readable = []
    for coding in ("gzip", "deflate", "br", "zstd"):
        try:
            _StreamDecoder(coding)._begin(memoryview(b"\0\0"))
        except ImportError:
            continue
        readable.append(coding)
    return tuple(readable)


READABLE_CODINGS = _readable_codings()
ACCEPT_ENCODING = ", ".join(READABLE_CODINGS).encode("ascii")


def decoders(field: bytes) -> list[Decoder]:
    """Return decoders in the order in which they must be applied; none if a coding is unknown: the body stays encoded.

    Raises CorruptBody if there are too many codings, because each can make a body a thousand times larger.
    """
    aliases = {"x-gzip": "gzip"}
    codings = [coding.strip().lower() for coding in field.decode("latin-1").split(",")]
    codings = [aliases.get(coding, coding) for coding in codings if coding not in ("", "identity")]
    if len(codings) > MAXIMUM_CODINGS:
        raise CorruptBody(f"the body has {len(codings)} content codings; at most {MAXIMUM_CODINGS} are decoded")
    if not all(coding in READABLE_CODINGS for coding in codings):
        return []
    return [_StreamDecoder(coding) for coding in reversed(codings)]

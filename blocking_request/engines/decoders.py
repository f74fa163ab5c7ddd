"""Content codings undone: gzip, deflate, br and zstd, in pieces of bounded size, and whether the end was seen."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Protocol, Union

from urllib3.util import make_headers

from .damage import DamagedBody

Chunk = Union[bytes, bytearray, memoryview]

PIECE_BYTES = 1 << 20
"""How large the pieces are that come out of a decoder."""

SIP_BYTES = 1 << 7
"""How much is given at a time to a decoder that cannot be told to stop: zstd's makes 4 MB of it at most."""


class Decoder(Protocol):
    def decode(self, chunk: Chunk) -> Iterator[bytes]:
        """What comes out, in pieces that a small chunk cannot make large; raises DamagedBody."""

    def ended(self) -> bool:
        """Whether the end of the compressed stream has been seen."""


class _ZlibDecoder:
    """gzip of one or more members (RFC 1952), zlib (RFC 1950), or the bare deflate that some servers send for it."""

    def __init__(self, coding: str) -> None:
        self._gzip = coding == "gzip"
        self._stream: Any = zlib.decompressobj(16 + zlib.MAX_WBITS) if self._gzip else None
        self._held = b""
        """The first bytes of what may be the next member, too few to tell."""
        self._swallowing = False
        self._member_seen = False

    def decode(self, chunk: Chunk) -> Iterator[bytes]:
        data = self._held + bytes(chunk) if self._held else chunk
        self._held = b""
        is_more = False
        while (data or is_more) and not self._swallowing:
            if self._stream is None:
                if len(data) < 2:
                    self._held = bytes(data)
                    break
                self._stream = self._next_stream(data)
                continue
            try:
                piece = self._stream.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise DamagedBody(f"its compressed data is corrupt ({error})") from None
            # A full piece may have left something behind, though all of the data was taken.
            is_more = len(piece) == PIECE_BYTES and not self._stream.eof
            if piece:
                yield piece
            if self._stream.eof:
                data, self._stream = self._stream.unused_data, None
                self._swallowing = not self._gzip
                self._member_seen = True
            else:
                data = self._stream.unconsumed_tail

    def _next_stream(self, data: Chunk) -> Any:
        first, second = data[0], data[1]
        if self._gzip:
            if (first, second) == (0x1F, 0x8B):
                return zlib.decompressobj(16 + zlib.MAX_WBITS)
            # What stands behind a complete member and is none is padding, as gzip itself takes it.
            self._swallowing = True
            return None
        has_zlib_header = first & 0x0F == 8 and (first * 256 + second) % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if has_zlib_header else -zlib.MAX_WBITS)

    def ended(self) -> bool:
        return self._member_seen and self._stream is None


class _LibraryDecoder:
    """br (RFC 7932) and zstd of one or more frames (RFC 8878), by the libraries urllib3 itself uses for them."""

    def __init__(self, coding: str) -> None:
        self._make_stream = _BrotliStream if coding == "br" else _ZstdStream
        self._stream = self._make_stream()

    def decode(self, chunk: Chunk) -> Iterator[bytes]:
        data = bytes(chunk)
        while data:
            if self._stream.ended():
                self._stream = self._make_stream()
            try:
                yield from self._stream.pieces(data)
            except Exception as error:  # each library has an exception of its own
                if isinstance(error, DamagedBody):
                    raise
                raise DamagedBody(f"its compressed data is corrupt ({error})") from None
            data = self._stream.unused() if self._stream.ended() else b""

    def ended(self) -> bool:
        return self._stream.ended()


class _BrotliStream:
    def __init__(self) -> None:
        try:
            import brotlicffi as brotli
        except ImportError:
            import brotli
        self._stream: Any = brotli.Decompressor()
        if not hasattr(self._stream, "can_accept_more_data"):
            raise ImportError("a brotli before 1.2 cannot be stopped when a body becomes too large")

    def pieces(self, data: bytes) -> Iterator[bytes]:
        piece = self._stream.process(data, output_buffer_limit=PIECE_BYTES)
        while piece or not self._stream.can_accept_more_data():
            if piece:
                yield piece
            if self._stream.can_accept_more_data():
                return
            piece = self._stream.process(b"", output_buffer_limit=PIECE_BYTES)

    def unused(self) -> bytes:
        return b""

    def ended(self) -> bool:
        return bool(self._stream.is_finished())


class _ZstdStream:
    def __init__(self) -> None:
        self._is_limited = True
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

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if not self._is_limited:
            for start in range(0, len(data), SIP_BYTES):
                if piece := self._stream.decompress(data[start : start + SIP_BYTES]):
                    yield piece
                if self.ended():
                    self._rest = self._stream.unused_data + data[start + SIP_BYTES :]
                    return
            return
        piece = self._stream.decompress(data, PIECE_BYTES)
        while piece:
            yield piece
            if self._stream.eof or self._stream.needs_input:
                return
            piece = self._stream.decompress(b"", PIECE_BYTES)

    def unused(self) -> bytes:
        return self._rest if not self._is_limited else bytes(self._stream.unused_data)

    def ended(self) -> bool:
        return bool(self._stream.eof)


def _readable_codings() -> tuple[str, ...]:
    """The content codings this installation can undo: those urllib3 offers, as far as their libraries load here."""
    offered = [coding.strip() for coding in make_headers(accept_encoding=True)["accept-encoding"].split(",")]
    readable = []
    for coding in offered:
        try:
            _decoder(coding)
        except ImportError:
            continue
        readable.append(coding)
    return tuple(readable)


def _decoder(coding: str) -> Decoder:
    return _ZlibDecoder(coding) if coding in ("gzip", "deflate") else _LibraryDecoder(coding)


READABLE_CODINGS = _readable_codings()
ACCEPT_ENCODING = ", ".join(READABLE_CODINGS).encode("ascii")


def decoders(field: bytes) -> list[Decoder]:
    """Decoders in the order they must be applied; none where a coding is unknown: the body is left as it came."""
    aliases = {"x-gzip": "gzip"}
    codings = [coding.strip().lower() for coding in field.decode("latin-1").split(",")]
    codings = [aliases.get(coding, coding) for coding in codings if coding not in ("", "identity")]
    if not all(coding in READABLE_CODINGS for coding in codings):
        return []
    return [_decoder(coding) for coding in reversed(codings)]

"""The body of an answer: gathered without copies, its content coding undone, damage detected.

Rules of this file: what came complete and undamaged is the only thing called complete. The end of a compressed stream
must have been seen, because a truncated gzip decodes without complaint, and the bytes on the wire must be as many as
``Content-Length`` says.

A BytesIO is the one growing buffer: it grows in place, and ``getvalue`` hands its memory over without a copy.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Callable, NamedTuple, Optional, Protocol, Union

from urllib3.util import make_headers

from ..errors import Failure, QtNetworkError, network_failure

Chunk = Union[bytes, bytearray, memoryview]

PIECE_BYTES = 1 << 20
"""How large the pieces are that come out of a decoder."""

SIP_BYTES = 1 << 7
"""How much is given at a time to a decoder that cannot be told to stop: zstd's makes 4 MB of it at most."""

BOMB_BYTES = 1 << 27
"""Up to this size a body may expand as it likes."""


class Limits(NamedTuple):
    """What a body may come to; 0 is anything."""

    size: int = 0
    """In bytes, its content coding undone."""
    expansion: int = 0
    """How many times as large it may become when its content coding is undone, beyond ``BOMB_BYTES``."""


NO_LIMITS = Limits()


def too_large(limit: int) -> str:
    return f"The body is larger than the limit of {limit} bytes (setMaximumBodySize)"


class DamagedBody(Exception):
    """The body cannot be what the server meant to send; the text says what is wrong with it."""

    @property
    def failure(self) -> Failure:
        return damaged(str(self))


class BodyTooLarge(DamagedBody):
    """The body is larger than the caller wants one."""

    @property
    def failure(self) -> Failure:
        return network_failure(QtNetworkError.UnknownContentError, str(self))


class _Decoder(Protocol):
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


def _decoder(coding: str) -> _Decoder:
    return _ZlibDecoder(coding) if coding in ("gzip", "deflate") else _LibraryDecoder(coding)


READABLE_CODINGS = _readable_codings()
ACCEPT_ENCODING = ", ".join(READABLE_CODINGS).encode("ascii")


class BodyReader:
    """Takes the bytes of one body as they come. For one thread at a time."""

    def __init__(
        self,
        content_length: Optional[bytes],
        content_encoding: bytes = b"",
        limits: Limits = NO_LIMITS,
        sink: Optional[Callable[[Any], None]] = None,
    ) -> None:
        """``content_length``: None where the body ends otherwise (a transfer coding, or none was given);
        ``content_encoding``: what is to be undone; ``sink``: takes the body piece by piece, instead of ``content``.

        Raises DamagedBody where the length is none (RFC 9112 section 6.3).
        """
        self._limits = limits
        self.wire_bytes = self._read_bytes = 0
        self._buffer = BytesIO()
        self._sink: Callable[[bytes], Any] = sink if sink is not None else self._buffer.write
        self._has_sink = sink is not None
        self._decoders = _decoders(content_encoding) if content_encoding else []
        self.total_bytes = -1 if content_length is None else _length(content_length)

    @property
    def passes_on(self) -> bool:
        """Whether what it is fed with goes on as it is, and is not kept here."""
        return self._has_sink and not self._decoders

    def feed(self, chunk: Any) -> None:
        """Raises DamagedBody; what was decoded before stays readable."""
        self.wire_bytes += len(chunk)
        if not self._decoders:
            size = max(self.wire_bytes, self.total_bytes)
            if 0 < self._limits.size < size:
                raise BodyTooLarge(too_large(self._limits.size))
            self._sink(chunk)
            return
        for piece in self._decoded(bytes(chunk), 0):
            self._read_bytes += len(piece)
            self._check_expansion()
            self._sink(piece)

    def _check_expansion(self) -> None:
        size, expansion = self._limits
        if 0 < size < self._read_bytes:
            raise BodyTooLarge(too_large(size))
        if expansion and self._read_bytes > BOMB_BYTES and self._read_bytes > expansion * self.wire_bytes:
            raise BodyTooLarge(
                f"The body has become more than {expansion} times as large when its compression was undone "
                "(setMaximumExpansion)"
            )

    def _decoded(self, data: bytes, first: int) -> Iterator[bytes]:
        """Through the decoders from ``first`` on."""
        if first == len(self._decoders):
            yield data
            return
        for piece in self._decoders[first].decode(data):
            yield from self._decoded(piece, first + 1)

    def damage(self) -> Optional[Failure]:
        """What is missing from a body whose connection says it has ended, or None."""
        if 0 <= self.total_bytes != self.wire_bytes:
            return truncated(self.wire_bytes, self.total_bytes)
        if self.wire_bytes and not all(decoder.ended() for decoder in self._decoders):
            return damaged("the compressed data ends too early")
        return None

    def content(self) -> bytes:
        """What has been read, its coding undone. No copy is made; nothing may be fed after it."""
        return self._buffer.getvalue()


def truncated(arrived: int, promised: int) -> Failure:
    text = f"Connection closed: {arrived} of {promised} bytes of the body arrived"
    return network_failure(QtNetworkError.RemoteHostClosedError, text)


def damaged(how: str) -> Failure:
    return network_failure(QtNetworkError.ProtocolFailure, f"Data corrupted: {how}")


def _decoders(field: bytes) -> list[_Decoder]:
    """Decoders in the order they must be applied; none where a coding is unknown: the body is left as it came."""
    aliases = {"x-gzip": "gzip"}
    codings = [coding.strip().lower() for coding in field.decode("latin-1").split(",")]
    codings = [aliases.get(coding, coding) for coding in codings if coding not in ("", "identity")]
    if not all(coding in READABLE_CODINGS for coding in codings):
        return []
    return [_decoder(coding) for coding in reversed(codings)]


def is_chunked(transfer_encoding: Optional[bytes]) -> bool:
    """Whether ``Transfer-Encoding`` (RFC 9112 section 6.1) frames the body by chunks.

    Raises DamagedBody where it names a coding that no engine undoes: the body would be handed over coded.
    """
    if transfer_encoding is None:
        return False
    codings = [coding.strip().lower() for coding in transfer_encoding.split(b",")]
    if any(coding not in (b"chunked", b"identity", b"") for coding in codings):
        raise DamagedBody(f"Transfer-Encoding is {transfer_encoding.decode('latin-1')[:40]!r}, which cannot be undone")
    return b"chunked" in codings


_MAXIMUM_DIGITS = 18
"""As many as fit into the 64 bits that lengths have in Qt."""


def _length(field: bytes) -> int:
    if field.isdigit() and len(field) <= _MAXIMUM_DIGITS:
        return int(field)
    lengths = {length.strip() for length in field.split(b",")}
    length = lengths.pop()
    if lengths or not length.isdigit() or len(length) > _MAXIMUM_DIGITS:
        raise DamagedBody(f"Content-Length is {field.decode('latin-1')[:40]!r}, which is no length")
    return int(length)

"""Where the body of a response ends (RFC 9112 sections 6 and 7): by chunks, by a length, or with the connection.

http.client has the same rules, but puts up with more: it takes the end of the connection for the last chunk, does not
look at what stands between two chunks, and reads sizes as Python reads numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Callable, Optional, Union

from ..body_errors import CorruptBody

BLOCK_BYTES = 1 << 18
BUFFER_BYTES = 1 << 20
_LINE_BYTES = 1 << 16
_SIZE_DIGITS = 16
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_LINE_ENDS = (b"\r\n", b"\n")


_INTERIM = re.compile(rb"HTTP/1\.[0-9][ \t]+1(?!01)[0-9][0-9][ \t\r\n]")
_INTERIM_START = b"HTTP/1.1 1"
_HEADER_END = re.compile(rb"\n\r?\n")


def interim_length(begun: bytes) -> int:
    """How many bytes the interim response has that ``begun`` starts with; 0 if it may be one and is not there yet.

    -1 if it is something else: a final response, or the end of the connection. 101 is final.
    """
    if _INTERIM.match(begun) is None:
        return 0 if begun and _INTERIM_START.startswith(begun) else -1
    end = _HEADER_END.search(begun)
    return 0 if end is None else end.end()


class BodyLost(Exception):
    """The connection has ended before the body did."""


def blocks(
    file: Any,
    chunked: bool,
    length: int,
    read_trailer: Callable[[Any], bytes],
    buffers: Optional[list[bytearray]] = None,
) -> Iterator[Union[bytes, memoryview]]:
    """The body as it arrives; ``length``: -1 where it ends with the connection; ``read_trailer``: reads a line
    behind the last chunk; ``buffers``: what it may be read into,
    if that shall be used again.

    What is missing from a ``length`` the reader of the blocks can tell. Raises BodyLost, CorruptBody.
    """
    if chunked:
        return _chunks(file, read_trailer)
    if length < 0:
        return _all(file)
    return _counted(file, length) if buffers is None or length < BUFFER_BYTES else _into(file, length, buffers)


def _all(file: Any) -> Iterator[bytes]:
    while block := file.read1(BLOCK_BYTES):
        yield block


def _into(file: Any, length: int, buffers: list[bytearray]) -> Iterator[memoryview]:
    while length > 0:
        try:
            buffer = buffers.pop()
        except IndexError:
            buffer = bytearray(BUFFER_BYTES)
        view = memoryview(buffer)[: min(length, BUFFER_BYTES)]
        count = file.readinto1(view)
        if not count:
            return
        length -= count
        yield view[:count]


def _counted(file: Any, length: int) -> Iterator[bytes]:
    while length > 0:
        block = file.read1(min(length, BLOCK_BYTES))
        if not block:
            return
        length -= len(block)
        yield block


def _chunks(file: Any, read_trailer: Callable[[Any], bytes]) -> Iterator[bytes]:
    while True:
        line = _line(file)
        size = _CHUNK_SIZE.fullmatch(line)
        # Leading zeros are valid (RFC 9112 section 7.1); a longer number is not a size.
        digits = size[1].lstrip(b"0") if size is not None else None
        if digits is None or len(digits) > _SIZE_DIGITS:
            raise CorruptBody(f"the size of a chunk is {line[:20]!r}")
        length = int(digits or b"0", 16)
        if length == 0:
            break
        while length > 0:
            block = file.read1(min(length, BLOCK_BYTES))
            if not block:
                raise BodyLost
            length -= len(block)
            yield block
        if _line(file) not in _LINE_ENDS:
            raise CorruptBody("a chunk is longer than its size")
    while read_trailer(file) not in _LINE_ENDS:
        pass


def _line(file: Any) -> bytes:
    line: bytes = file.readline(_LINE_BYTES)
    if not line.endswith(b"\n"):
        if len(line) >= _LINE_BYTES:
            raise CorruptBody("a line between two chunks is longer than 64 KB")
        raise BodyLost
    return line


def will_close(version: int, connection: bytes, is_framed: bool, is_doubtful: bool) -> bool:
    """Whether the connection ends with this response (RFC 9112 section 9.3); ``version``: 10 or 11.

    ``is_doubtful``: whether another reader may see the end of the body somewhere else.
    """
    options = {option.strip().lower() for option in connection.split(b",")}
    if not is_framed or is_doubtful or b"close" in options:
        return True
    return version < 11 and b"keep-alive" not in options


def is_doubtful(version: int, transfer_encoding: Optional[bytes], has_length: bool) -> bool:
    """Whether the framing is such that RFC 9112 section 6.1 wants the connection closed."""
    if transfer_encoding is None:
        return False
    return version < 11 or has_length or transfer_encoding.strip().lower() != b"chunked"

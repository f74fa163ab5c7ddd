"""Bodies that come in chunks (RFC 9112 section 7.1). No I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Callable, Union

from ..body_errors import CorruptBody

Data = Union[bytes, memoryview]

# No pattern has two neighbouring quantifiers that match the same bytes: a hostile line could make the search quadratic.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r?\n")
_LINE = re.compile(rb"[^\n]*\n")
_EMPTY_LINES = (b"\r\n", b"\n")
_MAXIMUM_LINE_BYTES = 1 << 16
_MAXIMUM_DIGITS = 16

_SIZE, _DATA_END, _TRAILER = range(3)


class ChunkReader:
    """Reads the chunks of one body. ``rest``: the bytes behind its end, if ``is_complete``."""

    def __init__(self, count: Callable[[int, int], None], check_size: Callable[[int], None]) -> None:
        """``count`` is called with the number of bytes and lines of a trailer, ``check_size`` with the number of bytes
        of an incomplete trailer. Both raise HeaderTooLarge.
        """
        self.is_complete = False
        self.rest = b""
        self._count = count
        self._check_size = check_size
        self._expected = _SIZE
        """Which kind of line comes next."""
        self._left = 0
        """How many bytes of the chunk are still to come."""
        self._line_ends: tuple[bytes, ...] = ()
        """The line ends that may follow the chunk. A bare LF is allowed only if the line of its size ends with one:
        otherwise another reader may take a CR for a part of the line end that belongs to the body here."""
        self._line = bytearray()
        """The beginning of a line."""

    def read(self, data: Data) -> Iterator[Data]:
        """Return the bytes of the body within ``data``. Raises CorruptBody, HeaderTooLarge."""
        position, size = 0, len(data)
        while position < size:
            if self._left:
                end = min(position + self._left, size)
                self._left -= end - position
                yield memoryview(data)[position:end]
                position = end
                continue
            match = _LINE.match(data, position)
            if match is None:
                self._line += data[position:]
                self._check_begun(self._line)
                return
            position = match.end()
            line = match[0]
            if self._line:
                line = bytes(self._line + line)
                self._line.clear()
            self._read_line(line)
            if self.is_complete:
                self.rest = bytes(data[position:])
                return

    def _check_begun(self, line: bytearray) -> None:
        """Raise an error if the beginning of a line shows it already."""
        if self._expected == _TRAILER:
            self._check_size(len(line))
        elif self._expected == _SIZE:
            _check_length(len(line) + 1)
        elif line != b"\r":
            raise CorruptBody("a chunk is longer than its size")

    def _read_line(self, line: bytes) -> None:
        if self._expected == _SIZE:
            _check_length(len(line))
            self._left = _chunk_size(line)
            self._line_ends = (b"\r\n",) if line.endswith(b"\r\n") else _EMPTY_LINES
            self._expected = _DATA_END if self._left else _TRAILER
        elif self._expected == _DATA_END:
            if line not in self._line_ends:
                raise CorruptBody("a chunk is longer than its size")
            self._expected = _SIZE
        else:
            self._count(len(line), 1)
            self.is_complete = line in _EMPTY_LINES


def _check_length(length: int) -> None:
    if length > _MAXIMUM_LINE_BYTES:
        raise CorruptBody("a line between two chunks is longer than 64 KB")


def _chunk_size(line: bytes) -> int:
    match = _SIZE_LINE.fullmatch(line)
    # Leading zeros are valid; a longer number is not a size.
    digits = match[1].lstrip(b"0") if match is not None else None
    if digits is None or len(digits) > _MAXIMUM_DIGITS:
        raise CorruptBody(f"the size of a chunk is {line[:20]!r}")
    return int(digits or b"0", 16)

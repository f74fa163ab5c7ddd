"""The standard streams of the command line, with the same behaviour for each failed write.

click, rich and Python itself treat a failed write differently, and ``sys.stdout`` is None if the stream was closed.
``replace_streams`` replaces the streams. A failed write to standard output raises OutputError. A failed write to
standard error is ignored: there is no other place to report it.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, Callable, TextIO


class OutputError(Exception):
    """Standard output cannot be written.

    It is not an OSError, because click and rich end the program themselves for some OSErrors.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"Standard output cannot be written: {error.strerror}")
        self.is_broken_pipe = error.errno == errno.EPIPE


class RawOutput(io.RawIOBase):
    """An unbuffered stream on a file descriptor."""

    def __init__(self, descriptor: int, on_error: Callable[[OSError], None]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._on_error = on_error
        self._is_broken = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        """Write some of ``data``. After the first error, write nothing and report success.

        Buffers above this stream write again when the interpreter exits, and must not fail then.
        """
        while not self._is_broken:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # another program has made the pipe non-blocking
                select.select([], [self._descriptor], [])
            except OSError as error:
                self._is_broken = True
                self._on_error(error)
        return len(data)


def replace_streams() -> RawOutput:
    """Replace ``sys.stdout`` and ``sys.stderr``, and ``sys.stdin`` if it is closed. Return a binary standard output."""
    _occupy_standard_descriptors()
    output = RawOutput(_descriptor(sys.stdout, 1, os.O_RDONLY), _raise_output_error)
    errors = RawOutput(_descriptor(sys.stderr, 2, os.O_WRONLY), _ignore)
    # backslashreplace: do not fail if the encoding of the terminal lacks a character.
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(errors, sys.stderr)
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_WRONLY), encoding="utf-8")  # noqa: SIM115
    return output


def _occupy_standard_descriptors() -> None:
    """Open the null device on descriptors 0, 1 and 2 if they are closed.

    Otherwise the next file or socket would get that number, and receive the output for the stream. Descriptors 0 and 1
    are opened for the wrong direction, so that reading and writing fail as they do on a closed stream.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free number, which is this one


def _descriptor(stream: Any, number: int, flags: int) -> int:
    """Return the descriptor of a standard stream; if the stream is None, it was closed when the program started."""
    return number if stream is not None else os.open(os.devnull, flags)


def _text(raw: RawOutput, replaced: Any) -> TextIO:
    encoding = getattr(replaced, "encoding", None) or "utf-8"
    # Line buffering, so that a terminal shows each line at once.
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=raw.isatty())


def _raise_output_error(error: OSError) -> None:
    raise OutputError(error) from None


def _ignore(error: OSError) -> None:
    pass


def write_all(output: RawOutput, data: Any) -> None:
    """Write all of ``data``. Raises OutputError."""
    view = memoryview(data)
    while view:
        view = view[output.write(view) :]

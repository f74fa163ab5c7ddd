"""The standard streams of the command line: a failed write has one consequence, whichever library has written.

click, rich and Python itself treat a failed write differently, and a closed stream makes ``sys.stdout`` None.
``replace_streams`` puts streams in place that raise OutputError for standard output, and lose what cannot be shown on
standard error: there is no place left to report that.
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

    It is not an OSError, because click and rich end the program for some of those.
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
        """Write some of ``data``; after the first error, write nothing any more and do as if.

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
    """Replace ``sys.stdout`` and ``sys.stderr``, and ``sys.stdin`` if it is closed; return standard output's bytes."""
    _occupy_standard_descriptors()
    output = RawOutput(_descriptor(sys.stdout, 1, os.O_RDONLY), _raise_output_error)
    errors = RawOutput(_descriptor(sys.stderr, 2, os.O_WRONLY), _ignore)
    # backslashreplace: a character that the terminal's encoding lacks is no reason to fail.
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(errors, sys.stderr)
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_WRONLY), encoding="utf-8")  # noqa: SIM115
    return output


def _occupy_standard_descriptors() -> None:
    """Open the null device on descriptors 0, 1 and 2 if they are closed.

    The next file or socket would get the number otherwise, and receive what is meant for the stream. Descriptors 0 and
    1 are opened for the wrong direction, so that reading and writing fail as they do on a closed stream.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest free number, which is this one


def _descriptor(stream: Any, number: int, flags: int) -> int:
    """Return the descriptor of a standard stream; if the stream is None, it was closed when the program started."""
    return number if stream is not None else os.open(os.devnull, flags)


def _text(raw: RawOutput, replaced: Any) -> TextIO:
    encoding = getattr(replaced, "encoding", None) or "utf-8"
    # A terminal shows each line at once.
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=raw.isatty())


def _raise_output_error(error: OSError) -> None:
    raise OutputError(error) from None


def _ignore(error: OSError) -> None:
    pass

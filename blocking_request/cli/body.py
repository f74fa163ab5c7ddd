"""Writes the body of a reply to standard output, a file or a device."""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
from pathlib import Path
from typing import Any, Optional

from .. import ReplyContent
from ..bodies.checksum import Checksum
from ..bodies.download_files import ResumableFile
from ..bodies.file_sink import FileSink
from ..bodies.finished_file import Naming, is_special
from ..bodies.sink import BodySink, DeviceSink
from ..bodies.special_file import open_special
from ..bodies.temporary_file import TemporaryFile
from ..models.redaction import printable
from ..reply import response_of
from .streams import RawOutput

_DESCRIPTORS = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")


def descriptor_of(path: Optional[str]) -> Optional[int]:
    """Return the open file descriptor that a path stands for, None if it is the path of a file.

    A descriptor is written to, and not opened by its path: if it is a file that other programs append to, the file must
    not be truncated or replaced.
    """
    if path is None:
        return 1
    match = _DESCRIPTOR.fullmatch(path)
    return int(match[1]) if match is not None else _DESCRIPTORS.get(path)


class TerminalOutput:
    """Writes a body to a terminal as text. Control characters are shown as escapes: the terminal would obey them."""

    def __init__(self, output: RawOutput) -> None:
        self._output = output
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("backslashreplace"), True)

    def write(self, piece: Any) -> int:
        data = printable(self._decoder.decode(bytes(piece)), allowed="\n\t").encode()
        while data:
            data = data[self._output.write(data) :]
        return len(piece)


class OpenedDevice(io.RawIOBase):
    """Writes to a device, pipe or descriptor. It is opened when the first chunk of a body arrives."""

    def __init__(self, path: str, descriptor: Optional[int]) -> None:
        super().__init__()
        self._path = path
        self._descriptor = descriptor
        self._file: Optional[io.FileIO] = None

    def write(self, piece: Any) -> Optional[int]:
        try:
            if self._file is None:
                if self._descriptor is None:
                    self._file = io.FileIO(self._path, "wb", opener=_opener)
                else:
                    self._file = io.FileIO(os.dup(self._descriptor), "wb")
            return self._file.write(piece)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from None


def _opener(path: str, flags: int) -> int:
    """Open a file without creating or truncating it. Raises OSError."""
    return open_special(path, flags & ~(os.O_CREAT | os.O_TRUNC))


class BodyTarget:
    """The sink for one body, and the state of it after the request."""

    def __init__(
        self, output: RawOutput, path: Optional[str], may_resume: bool, checksum: Optional[Checksum] = None
    ) -> None:
        """``path``: the argument of -o. ``may_resume``: whether a download by this request can be resumed."""
        self._device: Any = None
        self.may_resume = False
        """Whether an interrupted download is kept, and continued by the next run."""
        self.sink: BodySink
        descriptor = descriptor_of(path)
        if path is None or descriptor == 1:
            self._device = TerminalOutput(output) if output.isatty() else output
            self.sink = DeviceSink(self._device, checksum)
        elif descriptor is not None:
            self.sink = DeviceSink(OpenedDevice(path, descriptor), checksum)
        else:
            self.may_resume = may_resume and _can_resume(path)
            self.sink = FileSink(path, self.may_resume, checksum)

    @property
    def is_standard_output(self) -> bool:
        """Whether the body goes to standard output."""
        return self._device is not None

    def write(self, data: bytes) -> None:
        """Write the body of an error response, which the sink leaves in the reply, to standard output."""
        while data:
            data = data[self._device.write(data) :]

    def written(self) -> Optional[Path]:
        """Return the file that was created or replaced, None if there is none."""
        return self.sink.written if isinstance(self.sink, FileSink) else None

    def lacks_file(self) -> bool:
        """Return whether a file was requested by -o and not written."""
        return isinstance(self.sink, FileSink) and self.sink.written is None

    def resume_hint(self) -> str:
        """Return a sentence about the partial download that the next run can resume; '' if there is none."""
        part = self.sink.resumable_part() if isinstance(self.sink, FileSink) else None
        return "" if part is None else f"{part.size} bytes are kept. Run the same command again to continue."


def _can_resume(path: str) -> bool:
    """Return whether ``<path>.part`` may be used: it does not exist, or this library has written it."""
    if os.path.isdir(path) or path.endswith(("/", os.sep)):
        return False  # the name of the file is known only when the response has arrived
    return ResumableFile(Path(os.path.realpath(path))).is_free()


def write_head(output: RawOutput, reply: ReplyContent, path: Optional[str]) -> None:
    """Write the status line and the headers. Raises OSError if the file of -o cannot be written."""
    text = head_of(reply)
    descriptor = descriptor_of(path)
    if path is None or descriptor is not None or is_special(Path(path)):
        target: Any = TerminalOutput(output) if output.isatty() else output
        if path is not None and descriptor != 1:
            target = OpenedDevice(path, descriptor)
        while text:
            text = text[target.write(text) :]
        return
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    destination = TemporaryFile(Path(os.path.realpath(path)))
    try:
        with destination.open(0) as file:
            file.write(text)
    except OSError as error:
        destination.discard(corrupt=True)
        raise OSError(error.errno, error.strerror, path) from None
    destination.rename(Naming(True, False, {}))


def head_of(reply: ReplyContent) -> bytes:
    """Return the status line and the headers in the format of HTTP/1.1."""
    response = response_of(reply)
    version = reply.httpVersion() or "HTTP/1.1"
    lines = [f"{version} {response.status} {response.reason}".rstrip().encode("latin-1", "replace")]
    lines += [name + b": " + value for name, value in response.headers.pairs]
    return b"".join(line + b"\n" for line in (*lines, b""))

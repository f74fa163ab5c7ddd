"""Where the body of a reply goes: standard output, a file, a device."""

from __future__ import annotations

import codecs
import errno
import io
import os
from pathlib import Path
from typing import Any, Optional

from . import ReplyContent
from .cli_output import printable
from .cli_streams import RawOutput
from .download import FileReceiver
from .download_files import Partial, is_special, place_of
from .receivers import DeviceReceiver, Receiver

STANDARD_OUTPUT = "-"


class TerminalOutput:
    """Writes a body to a terminal as text. Control characters are shown as escapes: they could do harm there."""

    def __init__(self, output: RawOutput) -> None:
        self._output = output
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("backslashreplace"), True)

    def write(self, piece: Any) -> int:
        data = printable(self._decoder.decode(bytes(piece)), kept="\n\t").encode()
        while data:
            data = data[self._output.write(data) :]
        return len(piece)


class SpecialFile(io.RawIOBase):
    """A device or pipe, which cannot be replaced by a file. It is opened when the first piece of a body is there."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._file: Optional[io.FileIO] = None

    def write(self, piece: Any) -> Optional[int]:
        if self._file is None:
            self._file = io.FileIO(self._path, "wb")
        try:
            return self._file.write(piece)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from None


class BodyTarget:
    """The receiver for one body, and what became of it."""

    def __init__(self, output: RawOutput, path: Optional[str], may_resume: bool) -> None:
        """``path``: of -o; ``may_resume``: whether the request can be continued at all."""
        self._device: Any = None
        self.receiver: Receiver
        if path is None or path == STANDARD_OUTPUT:
            self._device = TerminalOutput(output) if output.isatty() else output
            self.receiver = DeviceReceiver(self._device, None)
        elif is_special(Path(path)):
            self.receiver = DeviceReceiver(SpecialFile(path), None)
        else:
            self.receiver = FileReceiver(path, may_resume and _can_resume(path), None)

    @property
    def is_standard_output(self) -> bool:
        return self._device is not None

    def write(self, data: bytes) -> None:
        """Write to standard output what the receiver has left in the reply: the body of an error."""
        while data:
            data = data[self._device.write(data) :]

    def written(self) -> Optional[Path]:
        """Return the file that has been replaced or created, None if there is none."""
        return self.receiver.written if isinstance(self.receiver, FileReceiver) else None

    def lacks_file(self) -> bool:
        """Return whether a file was wanted and not written."""
        return isinstance(self.receiver, FileReceiver) and self.receiver.written is None

    def kept(self) -> str:
        """Return a sentence about the part that the next run goes on from; '' if there is no such part."""
        known = self.receiver.kept() if isinstance(self.receiver, FileReceiver) else None
        return "" if known is None else f"{known.size} bytes are kept. The same command goes on from there."


def _can_resume(path: str) -> bool:
    """Return whether ``<path>.part`` may be used: there is none, or it is one of ours."""
    if os.path.isdir(path) or path.endswith(("/", os.sep)):
        return False  # the name of the file is not known before the server has answered
    return Partial(Path(os.path.realpath(path))).is_free()


def write_head(output: RawOutput, reply: ReplyContent, path: Optional[str]) -> None:
    """Write status line and header fields. Raises OSError if the file of -o cannot be written."""
    text = head_of(reply)
    if path is None or path == STANDARD_OUTPUT:
        target = TerminalOutput(output) if output.isatty() else output
        while text:
            text = text[target.write(text) :]
        return
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    place = place_of(Path(os.path.realpath(path)))
    try:
        with place.open(0) as file:
            file.write(text)
    except OSError as error:
        place.leave(True)
        raise OSError(error.errno, error.strerror, path) from None
    place.rename()


def head_of(reply: ReplyContent) -> bytes:
    """Return status line and header fields as HTTP/1.1 writes them."""
    answer = reply._answer
    version = "HTTP/2" if answer.http2 else "HTTP/1.1"
    lines = [f"{version} {answer.status} {answer.reason}".rstrip().encode("latin-1", "replace")]
    lines += [name + b": " + value for name, value in answer.headers.pairs]
    return b"".join(line + b"\n" for line in (*lines, b""))

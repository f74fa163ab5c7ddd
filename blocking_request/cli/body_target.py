"""Writes the body of a reply to standard output, a file or a device."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Optional

import click

from .. import ErrorCode, ReplyContent
from ..bodies.checksum import Checksum
from ..bodies.download_files import ResumableFile
from ..bodies.file_sink import FileSink
from ..bodies.finished_file import is_special
from ..bodies.sink import BodySink, DeviceSink, ReadBody, SinkSteps, is_success
from ..calls.unused_bodies import read_unused_body
from ..models.http_messages import Request, Response
from .devices import OpenedDevice, descriptor_of
from .head import head_bytes, write_heads
from .output_settings import output_settings
from .printed_body import BinaryBodyError, PrintedBody
from .streams import RawOutput, write_all
from .terminal import may_reach_terminal

FIRST_ERROR_STATUS = 400


class _StandardOutputSink(DeviceSink):
    """Writes the heads of ``--include``, and the body while it arrives, to standard output."""

    def __init__(self, output: RawOutput, is_raw: bool, checksum: Optional[Checksum]) -> None:
        """``is_raw``: write the bytes as they are, also to a terminal."""
        super().__init__(self, checksum)
        settings = output_settings()
        self._writes_error = not settings.fail
        self._output = output
        self._includes_head = settings.include
        self._is_pretty = settings.pretty if settings.pretty is not None else not is_raw and output.isatty()
        self._printed: Optional[PrintedBody] = None
        if self._is_pretty or (output.isatty() and not is_raw):
            self._printed = PrintedBody(output, self._is_pretty)
        self.is_binary = False
        """Whether the body was not shown, because it is binary."""

    def prepare(self, request: Request) -> Request:
        return _streaming_errors(super().prepare(request))

    def steps(self, response: Response) -> SinkSteps:
        if response.status is not None:
            self._begin(response)
        is_error = (response.status or 0) >= FIRST_ERROR_STATUS
        if is_error and not self._writes_error and response.is_streaming:
            return (yield from read_unused_body(response))
        last = yield from super().steps(response)
        if last is not None and is_error and self.is_binary:
            last = last._replace(failure=None)  # the message names the status
        if last is not None and response.failure is not None:
            last = last._replace(failure=response.failure)  # too many redirects
        if last is not None and not last.body:  # otherwise it is that of an error, which ``finish`` writes
            self.end()
        return last

    def _begin(self, response: Response) -> None:
        if self._includes_head:
            write_heads(self._output, [*response.history, response], self._is_pretty)
        if self._printed is not None:
            self._printed.begin((response.headers.value(b"content-type") or b"").decode("latin-1"))

    def write(self, piece: Any) -> None:
        """Write a chunk. Raises OutputError, BinaryBodyError."""
        if self._printed is None:
            write_all(self._output, piece)
            return
        try:
            self._printed.write(piece)
        except BinaryBodyError:
            self.is_binary = True
            raise

    def end(self, ends_line: bool = True) -> None:
        """Write the rest of a body that is not written as it arrives, and on a terminal an end of the last line."""
        if self._printed is not None and not self.is_binary:
            try:
                self._printed.end(ends_line)
            except BinaryBodyError:
                self.is_binary = True


class _DeviceSink(DeviceSink):
    """Writes the heads of ``--include`` and the body into a device, pipe or descriptor."""

    def __init__(self, device: OpenedDevice, checksum: Optional[Checksum]) -> None:
        super().__init__(device, checksum)
        self._includes_head = output_settings().include

    def prepare(self, request: Request) -> Request:
        return _streaming_errors(super().prepare(request))

    def steps(self, response: Response) -> SinkSteps:
        if self._includes_head and response.status is not None:
            self._write_chunk(b"".join(map(head_bytes, [*response.history, response])))
        response = yield from _without_error_body(response)
        return (yield from super().steps(response))


class _FileSink(FileSink):
    """Writes into a file, and does not keep the body of an error."""

    def prepare(self, request: Request) -> Request:
        return _streaming_errors(super().prepare(request))

    def steps(self, response: Response) -> SinkSteps:
        response = yield from _without_error_body(response)
        return (yield from super().steps(response))


def _streaming_errors(request: Request) -> Request:
    """Return a request whose error body is not collected in memory: a server may send one without end."""
    return request._replace(streams_all=True)


def _without_error_body(response: Response) -> Generator[ReadBody, Response, Response]:
    """Read the body of a response that is no success, and drop it. Return the response at its end."""
    if response.is_streaming and not is_success(response):
        return (yield from read_unused_body(response))
    return response


class BodyTarget:
    """The sink for one body, and the state of it after the request."""

    def __init__(
        self,
        output: RawOutput,
        path: Optional[str],
        is_resumable: bool,
        checksum: Optional[Checksum] = None,
    ) -> None:
        """``path``: the argument of -o. ``is_resumable``: whether a download by this request can be resumed.

        Raises click.UsageError.
        """
        self._standard_output: Optional[_StandardOutputSink] = None
        self.may_resume = False
        """Whether an interrupted download is kept, and continued by the next run."""
        self.sink: BodySink
        descriptor = descriptor_of(path)
        if path is None or descriptor == 1:
            self._standard_output = _StandardOutputSink(output, path is not None, checksum)
            self.sink = self._standard_output
        elif descriptor is not None or (output_settings().include and is_special(Path(path))):
            self.sink = _DeviceSink(OpenedDevice(path, descriptor), checksum)
        elif output_settings().include:
            raise click.UsageError(
                "--include writes the headers before the body, so a file of -o would not be the resource: use 'head -o "
                "FILE' for the headers, or redirect standard output"
            )
        else:
            self.may_resume = is_resumable and _is_part_free(path)
            self.sink = _FileSink(path, self.may_resume, checksum)

    @property
    def is_shown(self) -> bool:
        """Whether the body may be shown on a terminal."""
        return self._standard_output is not None and may_reach_terminal(sys.stdout)

    def finish(self, reply: ReplyContent) -> None:
        """Write what is left of the body after the request: the body of an error response from the cache, which the
        sink leaves in the reply, and the end of the last line.
        """
        if self._standard_output is None:
            return
        is_written = not output_settings().fail or reply.errorCode() is not ErrorCode.ServerExceptionError
        if reply.body and is_written and not self._standard_output.is_binary:
            try:
                self._standard_output.write(reply.body)
            except BinaryBodyError:
                return
        self._standard_output.end()

    def stop(self) -> None:
        """Write what has arrived of the body, after Ctrl-C."""
        if self._standard_output is not None:
            # A terminal has shown ^C in this line, which the message about it ends.
            self._standard_output.end(ends_line=not sys.stderr.isatty())

    def refused_binary(self) -> bool:
        """Return whether the body was not written because it is binary and standard output is a terminal."""
        return self._standard_output is not None and self._standard_output.is_binary

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


def _is_part_free(path: str) -> bool:
    """Return whether ``<path>.part`` may be used: it does not exist, or this library has written it."""
    if os.path.isdir(path) or path.endswith(("/", os.sep)):
        return False  # the name of the file is known only when the response has arrived
    return ResumableFile(Path(os.path.realpath(path))).is_free()

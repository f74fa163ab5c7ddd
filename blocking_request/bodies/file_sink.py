"""Downloads to a file: written beside the target, renamed when complete, resumed after an interruption.

Theory of operation: the bytes that have come so far are in ``<target>.part``. A download is resumed only with the same
representation. So ``<target>.part.json`` keeps the validator of the part (RFC 9110 section 8.8: a strong ETag, else
Last-Modified), and the request for the rest has ``Range`` and ``If-Range`` (sections 14.2 and 13.1.5). A server that
does not support ranges, or has another representation, sends all of it, and the download starts from scratch. A
resumable download has no content coding, because ranges are counted in encoded bytes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Optional, Protocol, Union
from urllib.parse import unquote, urlsplit

from ..engines.body_errors import truncated
from ..engines.events import Chunk
from ..models.failure import QtNetworkError, RequestNotSent, network_failure, request_not_sent
from ..models.http_messages import Request, Response
from .download_files import ResumableFile, ResumePoint, disposition_name, safe_name
from .finished_file import Naming, is_special, take_permissions
from .range_response import continues_part, is_part, is_part_complete, whole_size
from .sink import (
    Drain,
    ReadBody,
    ReportWhole,
    SinkSteps,
    is_success,
    missing_folder,
    write_and_drain,
    write_failure,
    write_in_worker,
)
from .special_file import SpecialFile
from .temporary_file import TemporaryFile

if TYPE_CHECKING:
    from .checksum import Checksum

DEFAULT_NAME = "download"
READ_BYTES = 1 << 20


def checked_overwrite(overwrite: Any) -> Optional[bool]:
    """Return ``overwrite``. Raises TypeError if it is not True, False or None."""
    if overwrite is not None and not isinstance(overwrite, bool):
        raise TypeError(f"overwrite must be True, False or None, not {type(overwrite).__name__}")
    return overwrite


class Destination(Protocol):
    """A file that is written beside its target, and gets the target's name when it is complete."""

    target: Path

    def open(self, start: int) -> BinaryIO: ...

    def save_validator(self, response: Response, url: str) -> None: ...

    def discard(self, corrupt: bool) -> None: ...

    def rename(self, naming: Naming) -> Path: ...


class FileSink:
    """Writes into a file."""

    def __init__(
        self,
        path: Union[str, os.PathLike[str]],
        resume: bool,
        checksum: Optional[Checksum],
        overwrite: Optional[bool] = None,
        taken: Optional[dict[str, int]] = None,
    ) -> None:
        """``overwrite``: whether a file that exists is replaced; None: only a file that the caller has named.
        ``taken``: the names that the downloads of the batch have got; this download adds its own.
        """
        self._path = os.fspath(path)
        self._overwrite = overwrite
        self._taken: dict[str, int] = {} if taken is None else taken
        self._is_in_folder = False
        """Whether the name of the file comes from the server or the URL."""
        self._resume = resume
        self._checksum = checksum
        self.is_checked = checksum is not None
        self._url = ""
        """The requested URL, not the one that it redirects to."""
        self._resume_point: Optional[ResumePoint] = None
        """The part whose rest was requested; None if the whole file was."""
        self._has_caller_range = False
        self._restart = False
        """Whether the download starts from scratch, because the part cannot be continued."""
        self._resumable: Optional[ResumableFile] = None
        self.written: Optional[Path] = None
        """The file, once it is complete."""

    def prepare(self, request: Request) -> Request:
        """Return the request, for the rest of a part if there is one. Raises RequestNotSent."""
        self._resume_point, self._url = None, request.url
        self._has_caller_range = request.has_field(b"range")
        self._check_folder()
        if not self._resume:
            return request
        if self._has_caller_range:
            text = "A download that resumes sets Range itself: leave the field out, or do not set resume"
            raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, text)
        if self._resumable is None:
            self._resumable = self._lock_part(self._target(None))
            if self._resumable is None:
                self._resume = False
                return request
        others = (b"accept-encoding", b"if-range")
        headers = tuple(pair for pair in request.headers if pair[0].lower() not in others)
        headers += ((b"Accept-Encoding", b"identity"),)
        resume_point = self._resume_point = None if self._restart else self._resumable.resume_point(self._url)
        if resume_point is not None:
            headers += (
                (b"Range", b"bytes=%d-" % resume_point.size),
                (b"If-Range", resume_point.validator.encode("latin-1")),
            )
        return request._replace(headers=headers)

    def _check_folder(self) -> None:
        """Raise RequestNotSent if the folder of the target does not exist. Nothing need be sent then."""
        path = self._path
        if os.path.isdir(path):
            return
        folder = path if path.endswith(("/", os.sep)) else os.path.dirname(os.path.realpath(path))
        if not os.path.lexists(folder):
            raise RequestNotSent(missing_folder(folder))

    @staticmethod
    def _lock_part(target: Path) -> Optional[ResumableFile]:
        """Lock the part of a target and return it; None if the download must not use it, and so starts from scratch."""
        resumable = ResumableFile(target)
        try:
            # A device must not be replaced by a file.
            return None if is_special(target) or not resumable.lock() else resumable
        except OSError:
            return None  # the error is reported when the file is opened for writing

    def steps(self, response: Response) -> SinkSteps:
        """Write the body of a response. Returns None if the request is to be sent again, without a range."""
        resume_point = self._resume_point
        # 416: the part is complete, or larger than the file that the server has now.
        if resume_point is not None and response.status == 416:
            if is_part_complete(response, resume_point):
                last = self._finish_complete_part(response._replace(status=200, reason="OK", body=b""))
                if last.failure is None:
                    yield ReportWhole(resume_point.size)
                return last
            self._restart = True
            return None
        if not is_success(response):
            return response
        # 206, or a part under another status: it continues the part, or the download starts from scratch.
        may_be_part = response.status == 206 or is_part(response, resume_point)
        continues = response.status == 206 and resume_point is not None and continues_part(response, resume_point)
        if may_be_part and resume_point is not None and not continues:
            self._restart = True
            return None
        if may_be_part and resume_point is None and not self._has_caller_range:
            text = "The server sent a part that was not asked for"
            return response._replace(failure=network_failure(QtNetworkError.ProtocolFailure, text))
        if response.status != 206:
            self._resume_point = None
        return (yield from self._write_to_target(response))

    def close(self) -> None:
        """Let other downloads use the part."""
        if self._resumable is not None:
            self._resumable.unlock()

    def _write_to_target(self, response: Response) -> Generator[Union[ReadBody, Drain], Any, Response]:
        target = self._target(response) if self._resumable is None else self._resumable.target
        if self._resumable is None and is_special(target) and not self._is_in_folder:
            return (yield from self._write_special(response, target))
        return (yield from self._write_file(response, self._resumable or TemporaryFile(target)))

    def _write_special(self, response: Response, target: Path) -> Generator[Union[ReadBody, Drain], Any, Response]:
        """Write to a pipe or device, which is neither renamed nor resumed."""
        file = SpecialFile(target)
        if self._checksum is not None:
            self._checksum.begin()

        def write(piece: Chunk) -> None:
            if self._checksum is not None:
                self._checksum.add(piece)
            file.write(piece)

        try:
            response = yield from write_and_drain(response, write, file)
        finally:
            file.close()
        if response.failure is None and self._checksum is not None:
            response = response._replace(failure=self._checksum.failure())
        if response.failure is None:
            return self._record_written(target, response)
        return response

    def _write_file(self, response: Response, destination: Destination) -> Generator[ReadBody, Any, Response]:
        start, total = 0 if self._resume_point is None else self._resume_point.size, whole_size(response)
        known_total = self._resume_point.total if self._resume_point is not None and total < 0 else total
        try:
            self._check_name(destination.target)
            file = destination.open(start)
        except OSError as error:
            return response._replace(failure=write_failure(error))
        try:
            with file:
                if self._naming().replaces:
                    take_permissions(destination.target, file)
                self._seek_to_rest(file, start)
                if not start:
                    destination.save_validator(response, self._url)

                def write(piece: Chunk) -> None:
                    if self._checksum is not None:
                        self._checksum.add(piece)
                    file.write(piece)

                response = yield from write_in_worker(response, write, start, known_total)
                # The rest may come without the size of the whole file, which the beginning has told.
                if response.failure is None and self._resume and known_total >= 0 and file.tell() != known_total:
                    response = response._replace(failure=truncated(file.tell(), known_total))
                if response.failure is None and self._checksum is not None:
                    response = response._replace(failure=self._checksum.failure())
        except OSError as error:
            response = response._replace(failure=write_failure(error))
        except BaseException:
            destination.discard(corrupt=False)
            raise
        if response.failure is not None:
            destination.discard(corrupt=response.failure.error is QtNetworkError.ProtocolFailure)
            return response
        return self._rename_to_target(destination, response)

    def _naming(self) -> Naming:
        replaces = not self._is_in_folder if self._overwrite is None else self._overwrite
        return Naming(replaces, self._is_in_folder, self._taken)

    def _check_name(self, target: Path) -> None:
        """Check before the body comes that the file can get its name. Raises OSError."""
        naming = self._naming()
        if naming.numbers:
            return
        if target.is_symlink():  # realpath() has followed all links that lead to something
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(target))
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(target))
        if not naming.replaces and os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target))

    def _seek_to_rest(self, file: BinaryIO, start: int) -> None:
        """Go to the end of the part. The checksum includes the part."""
        if self._checksum is None:
            if start:
                file.seek(start)
            return
        self._checksum.begin()
        left = start
        while left > 0:
            piece = file.read(min(left, READ_BYTES))
            self._checksum.add(piece)
            left -= len(piece) or left  # the file has ended early

    def _finish_complete_part(self, response: Response) -> Response:
        """Finish a download whose part is complete already."""
        resumable, resume_point = self._resumable, self._resume_point
        assert resumable is not None and resume_point is not None
        try:
            if self._checksum is not None:
                with resumable.open(resume_point.size) as file:
                    self._seek_to_rest(file, resume_point.size)
                failure = self._checksum.failure()
                if failure is not None:
                    resumable.discard(corrupt=True)
                    return response._replace(failure=failure)
        except OSError as error:
            return response._replace(failure=write_failure(error))
        return self._rename_to_target(resumable, response)

    def _rename_to_target(self, destination: Destination, response: Response) -> Response:
        """Give a complete file its name, and return the response with it, or with the failure to do so."""
        try:
            return self._record_written(destination.rename(self._naming()), response)
        except OSError as error:
            return response._replace(failure=write_failure(error))

    def _record_written(self, path: Path, response: Response) -> Response:
        """Remember the file of the finished download, and return the response with its path."""
        self.written = path
        return response._replace(file=os.fspath(path))

    def resumable_part(self) -> Optional[ResumePoint]:
        """Return the part that a later download can continue; None if that has to start from scratch."""
        return None if self._resumable is None else self._resumable.resume_point(self._url)

    def _target(self, response: Optional[Response]) -> Path:
        """Return the path of the target.

        ``response``: None before the request is sent.
        """
        path = Path(self._path)
        # Not Path.is_dir(), which raises for a name that is too long.
        if not os.path.isdir(path) and not self._path.endswith(("/", os.sep)):
            if is_special(path):
                return path  # realpath() of /dev/stdout may be "pipe:[1]", which cannot be opened
            return Path(os.path.realpath(path))
        name = "" if response is None else disposition_name(response)
        url = self._url if response is None else response.request.url
        name = name or safe_name(unquote(urlsplit(url).path)) or DEFAULT_NAME
        self._is_in_folder = True
        return Path(os.path.realpath(path)) / name

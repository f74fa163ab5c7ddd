"""Downloads to a file: written beside the target, renamed when whole, resumed where they broke off.

Theory of operation: what has come so far stands in ``<target>.part``. To resume it must be the same representation that
goes on, so ``<target>.part.json`` keeps what identifies it (RFC 9110 section 8.8: a strong ETag, else the date of the
last change), and the server is asked for the rest with ``Range`` and ``If-Range`` (sections 14.2 and 13.1.5). One that
has no ranges, or another representation, sends the whole, and it begins anew. No content coding then: ranges are
counted in coded bytes.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO, Optional, Union
from urllib.parse import unquote, urlsplit

from ..engines.body_errors import truncated
from ..engines.events import Chunk
from ..models.failure import QtNetworkError, network_failure
from ..models.http_messages import Request, Response
from .download_files import Known, Partial, disposition_name, safe_name
from .finished_file import Naming, is_special
from .scratch_file import Scratch
from .sink import (
    Checksum,
    Drain,
    FileIsWhole,
    ReadBody,
    SinkSteps,
    cannot_write,
    write_in_worker,
    write_slowly,
)
from .special_file import SpecialFile

_CONTENT_RANGE = re.compile(rb"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_ANY_RANGE = re.compile(rb"(?i)bytes[=:]?(\d{1,18})-(\d{1,18})?(?:/(\d{1,18}|\*))?")
"""As servers write it that do not follow the RFC, without white space."""
_UNSATISFIED = re.compile(rb"bytes\s+\*/(\d{1,18})")
DEFAULT_NAME = "download"
READ_BYTES = 1 << 20


def checked_overwrite(overwrite: Any) -> Optional[bool]:
    """Raises TypeError."""
    if overwrite is not None and not isinstance(overwrite, bool):
        raise TypeError(f"overwrite must be True, False or None, not {type(overwrite).__name__}")
    return overwrite


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
        """``overwrite``: whether a file that exists is replaced; None: if the caller has named it. ``taken``: the names
        that other downloads of the same batch have got, which are added to.
        """
        self._given = os.fspath(path)
        self._overwrite = overwrite
        self._taken: dict[str, int] = {} if taken is None else taken
        self._is_in_folder = False
        """Whether the name of the file comes from the server or the URL."""
        self._resume = resume
        self._checksum = checksum
        self.is_checked = checksum is not None
        self._url = ""
        """That was asked for, whatever it redirects to."""
        self._asked: Optional[Known] = None
        """What is there already, whose rest was asked for."""
        self._has_own_range = False
        self._is_anew = False
        self._partial: Optional[Partial] = None
        self.written: Optional[Path] = None
        """The file, when it is whole."""

    def prepare(self, request: Request) -> Request:
        self._asked, self._url = None, request.url
        self._has_own_range = request.has_field(b"range")
        if not self._resume:
            return request
        if self._partial is None:
            self._partial = self._locked(self._target(None))
            if self._partial is None:
                self._resume = False
                return request
        others = (b"accept-encoding", b"range", b"if-range")
        headers = tuple(pair for pair in request.headers if pair[0].lower() not in others)
        headers += ((b"Accept-Encoding", b"identity"),)
        known = self._asked = None if self._is_anew else self._partial.known(self._url)
        if known is not None:
            headers += ((b"Range", b"bytes=%d-" % known.size), (b"If-Range", known.validator.encode("latin-1")))
        return request._replace(headers=headers)

    @staticmethod
    def _locked(target: Path) -> Optional[Partial]:
        """Return the part of a target; None if the download has to begin at the beginning, and beside the part."""
        partial = Partial(target)
        try:
            # A device must not be replaced by a file.
            return None if is_special(target) or not partial.lock() else partial
        except OSError:
            return None  # it is told when the file is written

    def steps(self, response: Response) -> SinkSteps:
        known = self._asked
        last = yield from self._steps(response)
        if known is not None and response.status == 416 and last is not None and last.failure is None:
            yield FileIsWhole(known.size)
        return last

    def _steps(self, response: Response) -> SinkSteps:
        if self._asked is not None and response.status == 416:
            if self._is_complete(response, self._asked):
                return self._finish(response._replace(status=200, reason="OK", body=b""))
            # What is there is longer than what the server has by now.
            self._is_anew = True
            return None
        if response.failure is not None or (response.status is not None and response.status >= 300):
            return response
        is_part = response.status == 206 or _is_part(response, self._asked)
        if is_part and self._asked is not None and not (response.status == 206 and _goes_on(response, self._asked)):
            self._is_anew = True
            return None
        if is_part and self._asked is None and (self._resume or not self._has_own_range):
            text = "The server sent a part that was not asked for"
            return response._replace(failure=network_failure(QtNetworkError.ProtocolFailure, text))
        if response.status != 206:
            self._asked = None
        return (yield from self._write(response))

    def close(self) -> None:
        if self._partial is not None:
            self._partial.unlock()

    def _write(self, response: Response) -> Generator[Union[ReadBody, Drain], Any, Response]:
        target = self._target(response) if self._partial is None else self._partial.target
        if self._partial is None and is_special(target) and not self._is_in_folder:
            return (yield from self._write_special(response, target))
        return (yield from self._write_file(response, self._partial or Scratch(target)))

    def _write_special(self, response: Response, target: Path) -> Generator[Union[ReadBody, Drain], Any, Response]:
        """Write to a pipe or device: there is nothing to rename, nor to resume."""
        file = SpecialFile(target)
        if self._checksum is not None:
            self._checksum.begin()

        def write(piece: Chunk) -> None:
            if self._checksum is not None:
                self._checksum.add(piece)
            file.write(piece)

        try:
            response = yield from write_slowly(response, write, file)
        finally:
            file.close()
        if response.failure is None and self._checksum is not None:
            response = response._replace(failure=self._checksum.failure())
        if response.failure is None:
            return self._done(target, response)
        return response

    def _write_file(self, response: Response, place: Union[Partial, Scratch]) -> Generator[ReadBody, Any, Response]:
        start, total = 0 if self._asked is None else self._asked.size, _total(response)
        known_total = self._asked.total if self._asked is not None and total < 0 else total
        try:
            self._check_name(place.target)
            file = place.open(start)
        except OSError as error:
            return response._replace(failure=cannot_write(error))
        try:
            with file:
                self._begin(file, start)
                if not start:
                    place.describe(response, self._url)

                def write(piece: Chunk) -> None:
                    if self._checksum is not None:
                        self._checksum.add(piece)
                    file.write(piece)

                response = yield from write_in_worker(response, write, start, known_total)
                if response.failure is None and self._resume and total >= 0 and file.tell() != total:
                    response = response._replace(failure=truncated(file.tell(), total))
                if response.failure is None and self._checksum is not None:
                    response = response._replace(failure=self._checksum.failure())
        except OSError as error:
            response = response._replace(failure=cannot_write(error))
        except BaseException:
            place.leave(is_wrong=False)
            raise
        if response.failure is not None:
            place.leave(is_wrong=response.failure.error is QtNetworkError.ProtocolFailure)
            return response
        return self._renamed(place, response)

    def _naming(self) -> Naming:
        replaces = not self._is_in_folder if self._overwrite is None else self._overwrite
        return Naming(replaces, self._is_in_folder, self._taken)

    def _check_name(self, target: Path) -> None:
        """Find out before the body comes that the file cannot have its name. Raises OSError."""
        naming = self._naming()
        if naming.numbers:
            return
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(target))
        if not naming.replaces and os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target))

    def _begin(self, file: BinaryIO, start: int) -> None:
        """Go to where the rest belongs; what is there counts in the checksum."""
        if self._checksum is None:
            if start:
                file.seek(start)
            return
        self._checksum.begin()
        left = start
        while left > 0:
            piece = file.read(min(left, READ_BYTES))
            self._checksum.add(piece)
            left -= len(piece) or left

    @staticmethod
    def _is_complete(response: Response, known: Known) -> bool:
        """Whether nothing was missing from what is there."""
        match = _UNSATISFIED.fullmatch((response.headers.value(b"content-range") or b"").strip())
        if match is None or int(match[1]) != known.size:
            return False
        # Few servers name the version here; then the part must be as long as it was said to become at its beginning.
        named = _version(response, known)
        return named == known.validator or (named is None and known.total == known.size)

    def _finish(self, response: Response) -> Response:
        """Of a part that is whole already."""
        partial, known = self._partial, self._asked
        assert partial is not None and known is not None
        try:
            if self._checksum is not None:
                with partial.open(known.size) as file:
                    self._begin(file, known.size)
                failure = self._checksum.failure()
                if failure is not None:
                    partial.leave(is_wrong=True)
                    return response._replace(failure=failure)
        except OSError as error:
            return response._replace(failure=cannot_write(error))
        return self._renamed(partial, response)

    def _renamed(self, place: Union[Partial, Scratch], response: Response) -> Response:
        try:
            return self._done(place.rename(self._naming()), response)
        except OSError as error:
            return response._replace(failure=cannot_write(error))

    def _done(self, path: Path, response: Response) -> Response:
        self.written = path
        return response._replace(file=os.fspath(path))

    def kept(self) -> Optional[Known]:
        """Return what a later download of the same goes on from; None if it starts from the beginning."""
        return None if self._partial is None else self._partial.known(self._url)

    def _target(self, response: Optional[Response]) -> Path:
        """``response``: None where it is not known yet, or must not be asked because a part goes on."""
        path = Path(self._given)
        # Not Path.is_dir(), which raises for a name that is too long.
        if not os.path.isdir(path) and not self._given.endswith(("/", os.sep)):
            if is_special(path):
                return path  # the real path of /dev/stdout is no name that can be opened
            return Path(os.path.realpath(path))
        name = "" if response is None else disposition_name(response)
        url = self._url if response is None else response.request.url
        name = name or safe_name(unquote(urlsplit(url).path)) or DEFAULT_NAME
        self._is_in_folder = True
        return Path(os.path.realpath(path)) / name


def _goes_on(response: Response, known: Known) -> bool:
    """Return whether a 206 is the rest of what is there (RFC 9110 sections 15.3.7 and 15.3.7.3).

    It must name the same version: a server that does not know If-Range sends a part of any version.
    """
    match = _CONTENT_RANGE.fullmatch((response.headers.value(b"content-range") or b"").strip())
    if match is None or int(match[1]) != known.size:
        return False
    is_total = known.total < 0 or match[3] == b"*" or int(match[3]) == known.total
    return is_total and _version(response, known) == known.validator


def _is_part(response: Response, known: Optional[Known]) -> bool:
    """Return whether the body of a response of another status than 206 is, or may be, not the whole file.

    ``known``: whose rest was asked for. Content-Range has no meaning there (RFC 9110 section 14.4), but a server that
    sends one has sent a part, however it is written. One that sends the rest without it is found by the size: one
    version has one size (section 8.8.1).
    """
    is_same = known is not None and known.total >= 0 and _version(response, known) == known.validator
    if is_same and known is not None and response.total_bytes != known.total:
        return True
    match = _ANY_RANGE.fullmatch(b"".join((response.headers.value(b"content-range") or b"").split()))
    if match is None:
        return False
    is_whole = match[2] is None or match[3] in (None, b"*") or int(match[2]) + 1 == int(match[3])
    return int(match[1]) != 0 or not is_whole


def _version(response: Response, known: Known) -> Optional[str]:
    """Return what the response has in the place of the validator; None if there is nothing."""
    is_tag = known.validator.startswith('"')
    named = response.headers.value(b"etag" if is_tag else b"last-modified")
    return None if named is None else named.decode("latin-1")


def _total(response: Response) -> int:
    """How large the whole file is; -1 where the response does not say."""
    if response.status != 206:
        return response.total_bytes
    match = _CONTENT_RANGE.fullmatch((response.headers.value(b"content-range") or b"").strip())
    return -1 if match is None or match[3] == b"*" else int(match[3])

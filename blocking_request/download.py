"""Downloads to a file: written beside the target, renamed when whole, resumed where they broke off.

Theory of operation: what has come so far stands in ``<target>.part``. To resume it must be the same representation that
goes on, so ``<target>.part.json`` keeps what identifies it (RFC 9110 section 8.8: a strong ETag, else the date of the
last change), and the server is asked for the rest with ``Range`` and ``If-Range`` (sections 14.2 and 13.1.5). One that
has no ranges, or another representation, sends the whole, and it begins anew. No content coding then: ranges are
counted in coded bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO, Optional, Union
from urllib.parse import unquote, urlsplit

from .call import Call
from .errors import Failure, QtNetworkError, network_failure
from .exchange import Answer, Exchange, Piece
from .receivers import Checksum, cannot_write, take
from .reply import ReplyContent

_CONTENT_RANGE = re.compile(rb"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_UNSATISFIED = re.compile(rb"bytes\s+\*/(\d{1,18})")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
DEFAULT_NAME = "download"
READ_BYTES = 1 << 20


class FileReceiver:
    """Writes into a file."""

    def __init__(self, path: Union[str, os.PathLike[str]], resume: bool, checksum: Optional[Checksum]) -> None:
        self._given = os.fspath(path)
        self._resume = resume
        self._checksum = checksum
        self._start = 0
        self._is_anew = False
        self.path: Optional[Path] = None
        """The target, when it is known."""

    def prepare(self, exchange: Exchange) -> Exchange:
        self._start = 0
        if not self._resume:
            return exchange
        others = (b"accept-encoding", b"range", b"if-range")
        headers = tuple(pair for pair in exchange.headers if pair[0].lower() not in others)
        headers += ((b"Accept-Encoding", b"identity"),)
        partial = _Partial(self._target(exchange.url, None))
        known = None if self._is_anew else partial.known(exchange.url)
        if known is not None:
            self._start, validator = known
            headers += ((b"Range", b"bytes=%d-" % self._start), (b"If-Range", validator.encode("latin-1")))
        return exchange._replace(headers=headers)

    def receive(self, call: Call, answer: Answer) -> Optional[Answer]:
        if self._start and answer.status == 416 and not self._is_anew:
            if self._is_complete(answer):
                return self._finish(answer._replace(status=200, reason="OK", body=b""))
            # What is there is longer than what the server has by now.
            self._is_anew = True
            return None
        if answer.failure is not None or (answer.status is not None and answer.status >= 300):
            return answer
        if answer.status == 206 and self._range_start(answer) != self._start:
            if self._is_anew or not self._start:
                text = "The server sent a part that was not asked for"
                call.abandon()
                return answer._replace(failure=network_failure(QtNetworkError.ProtocolFailure, text))
            self._is_anew = True
            return None
        if answer.status != 206:
            self._start = 0
        return self._write(call, answer)

    def _write(self, call: Call, answer: Answer) -> Answer:
        try:
            self.path = self._target(answer.exchange.url, answer)
            partial = _Partial(self.path) if self._resume else _Scratch(self.path)
            file = partial.open(self._start)
        except OSError as error:
            call.abandon()
            return answer._replace(failure=cannot_write(error))
        try:
            with file:
                self._begin(file)
                if not self._start:
                    partial.describe(answer)

                def write(piece: Piece) -> None:
                    if self._checksum is not None:
                        self._checksum.add(piece)
                    file.write(piece)

                answer = take(call, answer, write, self._checksum, in_wire=True)
        except OSError as error:
            call.abandon()
            answer = answer._replace(failure=cannot_write(error))
        except BaseException:
            partial.leave(whole_is_wrong=False)
            raise
        if answer.failure is not None:
            is_wrong = answer.failure.error is QtNetworkError.ProtocolFailure
            partial.leave(whole_is_wrong=is_wrong)
            return answer
        return self._rename(partial, answer)

    def _begin(self, file: BinaryIO) -> None:
        """Go to where the rest belongs; what is there counts in the checksum."""
        if self._checksum is None:
            file.seek(self._start)
            return
        self._checksum.begin()
        left = self._start
        while left > 0:
            piece = file.read(min(left, READ_BYTES))
            self._checksum.add(piece)
            left -= len(piece) or left

    def _is_complete(self, answer: Answer) -> bool:
        """Whether nothing was missing from what is there."""
        match = _UNSATISFIED.fullmatch((answer.headers.value(b"content-range") or b"").strip())
        return match is not None and int(match[1]) == self._start

    def _finish(self, answer: Answer) -> Answer:
        """Of a part that is whole already."""
        self.path = self._target(answer.exchange.url, None)
        partial = _Partial(self.path)
        try:
            if self._checksum is not None:
                with partial.open(self._start) as file:
                    self._begin(file)
                failure = self._checksum.failure()
                if failure is not None:
                    partial.leave(whole_is_wrong=True)
                    return answer._replace(failure=failure)
        except OSError as error:
            return answer._replace(failure=cannot_write(error))
        return self._rename(partial, answer)

    @staticmethod
    def _rename(partial: Any, answer: Answer) -> Answer:
        try:
            partial.rename()
        except OSError as error:
            failure: Failure = cannot_write(error)
            return answer._replace(failure=failure)
        return answer

    @staticmethod
    def _range_start(answer: Answer) -> int:
        match = _CONTENT_RANGE.fullmatch((answer.headers.value(b"content-range") or b"").strip())
        return -1 if match is None else int(match[1])

    def _target(self, url: str, answer: Optional[Answer]) -> Path:
        """``answer``: None where it is not known yet, or must not be asked because a part goes on."""
        path = Path(self._given)
        if not path.is_dir() and not self._given.endswith(("/", os.sep)):
            return Path(os.path.realpath(path))
        name = "" if answer is None or self._resume else _disposition_name(answer)
        return Path(os.path.realpath(path)) / (name or _safe(unquote(urlsplit(url).path)) or DEFAULT_NAME)


def _disposition_name(answer: Answer) -> str:
    field = answer.headers.value(b"content-disposition")
    return "" if field is None else _safe(ReplyContent.extractFileNameFromContentDispositionHeader(field))


def _safe(name: str) -> str:
    """The last part of a path, without what would lead elsewhere or is no name on some system."""
    last = re.split(r"[\\/]", name)[-1]
    cleaned = _FORBIDDEN.sub("_", last).strip(" .")
    if PureWindowsPath(cleaned).is_reserved():
        cleaned = f"_{cleaned}"
    return cleaned[:200]


class _Scratch:
    """A file beside the target, of a name of its own, that is gone when it did not become whole."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._file = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")

    def open(self, start: int) -> BinaryIO:
        return open(self._file, "xb")

    def describe(self, answer: Answer) -> None:
        pass

    def leave(self, whole_is_wrong: bool) -> None:
        with suppress(OSError):
            self._file.unlink()

    def rename(self) -> None:
        try:
            os.replace(self._file, self._target)
        except OSError:
            self.leave(False)
            raise


class _Partial:
    """What has come so far of a download that may go on, and what identifies it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._file = target.with_name(target.name + ".part")
        self._description = target.with_name(target.name + ".part.json")

    def known(self, url: str) -> Optional[tuple[int, str]]:
        """How much there is of this URL's, and what it is known by; None where that cannot go on."""
        try:
            size = self._file.stat().st_size
            description = json.loads(self._description.read_text("utf-8"))
            validator = description["validator"]
            is_same = description["url"] == _digest(url) and isinstance(validator, str) and validator.isprintable()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (size, validator) if size > 0 and is_same else None

    def open(self, start: int) -> BinaryIO:
        # Truncated first: an old description must not stand beside new bytes.
        return open(self._file, "r+b" if start else "w+b")

    def describe(self, answer: Answer) -> None:
        tag, date = answer.headers.value(b"etag"), answer.headers.value(b"last-modified")
        validator = tag if tag is not None and not tag.startswith(b"W/") else date
        with suppress(OSError):
            self._description.unlink()
        if validator is not None:
            text = json.dumps({"url": _digest(answer.exchange.url), "validator": validator.decode("latin-1")})
            self._description.write_text(text, "utf-8")

    def leave(self, whole_is_wrong: bool) -> None:
        """Keep it for another time, but for what is not worth it."""
        if whole_is_wrong or not self._description.exists():
            for file in (self._description, self._file):
                with suppress(OSError):
                    file.unlink()

    def rename(self) -> None:
        os.replace(self._file, self._target)
        with suppress(OSError):
            self._description.unlink()


def _digest(url: str) -> str:
    """The URL may hold secrets."""
    return hashlib.sha256(url.encode()).hexdigest()

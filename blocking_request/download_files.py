"""The files of downloads: their names, what is written beside a target, and what identifies a part that may go on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Optional

from .exchange import Answer
from .reply import ReplyContent

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be renamed anyhow
    fcntl = None  # type: ignore[assignment]

_RESERVED = frozenset(
    ("CON", "PRN", "AUX", "NUL", *(f"{name}{digit}" for name in ("COM", "LPT") for digit in range(10)))
)
"""Names that are devices on Windows, whatever their ending."""

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


class Known(NamedTuple):
    """What is there of a download that broke off."""

    size: int
    validator: str
    total: int
    """-1 where the server did not say."""


def disposition_name(answer: Answer) -> str:
    field = answer.headers.value(b"content-disposition")
    return "" if field is None else safe_name(ReplyContent.extractFileNameFromContentDispositionHeader(field))


def safe_name(name: str) -> str:
    """The last part of a path, without what would lead elsewhere or is no name on some system."""
    last = name.replace("\\", "/").rpartition("/")[2]
    cleaned = _FORBIDDEN.sub("_", last).strip(" .")
    if cleaned.partition(".")[0].upper() in _RESERVED:
        cleaned = f"_{cleaned}"
    stem, dot, suffix = cleaned.rpartition(".")
    stem, suffix = (stem, dot + suffix) if stem and len(suffix.encode()) < LONGEST_SUFFIX else (cleaned, "")
    room = LONGEST_NAME - len(suffix.encode())
    return stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + suffix


LONGEST_NAME = 200
"""Bytes: most file systems take 255, and a part has a longer name."""
LONGEST_SUFFIX = 20


def place_of(target: Path) -> Any:
    """Where a download is written that is not to be resumed."""
    # A folder, too: that cannot be opened, which is found out before the download and not after it.
    return Special(target) if target.exists() and not target.is_file() else Scratch(target)


def is_special(target: Path) -> bool:
    """Return whether there is a device, pipe or socket, which must not be replaced by a file."""
    return target.exists() and not target.is_file() and not target.is_dir()


class Special:
    """A pipe, a device: nothing to rename."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def open(self, start: int) -> BinaryIO:
        return open(self.target, "wb")

    def describe(self, answer: Answer, url: str) -> None:
        pass

    def leave(self, is_wrong: bool) -> None:
        pass

    def rename(self) -> None:
        pass


class Scratch:
    """A file beside the target, of a name of its own, that is gone when it did not become whole."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._file = target.with_name(f".{secrets.token_hex(8)}.part")

    def open(self, start: int) -> BinaryIO:
        return open(self._file, "xb")

    def describe(self, answer: Answer, url: str) -> None:
        pass

    def leave(self, is_wrong: bool) -> None:
        with suppress(OSError):
            self._file.unlink()

    def rename(self) -> None:
        try:
            os.replace(self._file, self.target)
        except OSError:
            self.leave(False)
            raise


class Partial:
    """What has come so far of a download that may go on, and what identifies it. One at a time has it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._file = target.with_name(target.name + ".part")
        self._description = target.with_name(target.name + ".part.json")
        self._lock: Optional[BinaryIO] = None

    def is_free(self) -> bool:
        """Return whether there is no file of that name that somebody else has made."""
        return self._description.exists() or not os.path.lexists(self._file)

    def lock(self) -> bool:
        """False where another has it. What cannot be written is told later."""
        try:
            self._lock = open(self._file, "ab")  # noqa: SIM115
        except OSError:
            return True
        if fcntl is None:
            return True
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            return False
        return True

    def unlock(self) -> None:
        if self._lock is None:
            return
        with suppress(OSError):
            if self._file.stat().st_size == 0:
                self._file.unlink()
        self._lock.close()
        self._lock = None

    def known(self, url: str) -> Optional[Known]:
        """What there is of this URL's; None where that cannot go on."""
        try:
            size = self._file.stat().st_size
            description = json.loads(self._description.read_text("utf-8"))
            validator, total = description["validator"], description["total"]
            is_same = description["url"] == _digest(url) and isinstance(validator, str) and validator.isprintable()
            is_same = is_same and isinstance(total, int) and (total < 0 or size <= total)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Known(size, validator, total) if size > 0 and is_same else None

    def open(self, start: int) -> BinaryIO:
        # Truncated first: an old description must not stand beside new bytes.
        return open(self._file, "r+b" if start else "w+b")

    def describe(self, answer: Answer, url: str) -> None:
        tag, date = answer.headers.value(b"etag"), answer.headers.value(b"last-modified")
        validator = tag if tag is not None and not tag.startswith(b"W/") else date
        with suppress(OSError):
            self._description.unlink()
        if validator is not None:
            description = {"url": _digest(url), "validator": validator.decode("latin-1"), "total": answer.total_bytes}
            self._description.write_text(json.dumps(description), "utf-8")

    def leave(self, is_wrong: bool) -> None:
        """Keep it for another time, but for what is not worth it."""
        if is_wrong or not self._description.exists():
            for file in (self._description, self._file):
                with suppress(OSError):
                    file.unlink()

    def rename(self) -> None:
        os.replace(self._file, self.target)
        with suppress(OSError):
            self._description.unlink()


def _digest(url: str) -> str:
    """The URL may hold secrets."""
    return hashlib.sha256(url.encode()).hexdigest()

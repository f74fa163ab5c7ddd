"""The files of downloads: their names, the parts beside the targets, and how a part is recognized to be continued."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from ..models.http_messages import Response
from ..reply import ReplyContent
from ..trace import logger
from .finished_file import Naming, move
from .part_description import DESCRIPTION_SUFFIX, PART_SUFFIX, Description, read_description, write_description
from .regular_files import NotRegular, open_regular, status_of
from .temporary_file import CAN_LOCK, has_name, lock, sweep_once

_RESERVED = frozenset(
    ("CON", "PRN", "AUX", "NUL", *(f"{name}{digit}" for name in ("COM", "LPT") for digit in range(10)))
)
"""Names that are devices on Windows, with any ending."""

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')

_STRONG_TAG = re.compile(rb'"[\x21\x23-\x7e\x80-\xff]*"')
"""An entity tag (RFC 9110 section 8.8.3). Some servers send a tag without quotes, which If-Range cannot name."""


class ResumePoint(NamedTuple):
    """The part of an interrupted download."""

    size: int
    validator: str
    total: int
    """The size of the whole file; -1 if the server did not say it."""


def disposition_name(response: Response) -> str:
    field = response.headers.value(b"content-disposition")
    return "" if field is None else safe_name(ReplyContent.extractFileNameFromContentDispositionHeader(field))


def safe_name(name: str) -> str:
    """Return the last part of a path, without characters that lead to another folder or that a system forbids."""
    last = name.replace("\\", "/").rpartition("/")[2]
    cleaned = _FORBIDDEN.sub("_", last.encode("utf-8", "replace").decode()).strip(" .")
    if cleaned.partition(".")[0].upper() in _RESERVED:
        cleaned = f"_{cleaned}"
    stem, dot, suffix = cleaned.rpartition(".")
    stem, suffix = (stem, dot + suffix) if stem and len(suffix.encode()) < LONGEST_SUFFIX else (cleaned, "")
    room = LONGEST_NAME - len(suffix.encode())
    name = (stem.encode()[:room].decode("utf-8", "ignore") + suffix).rstrip(" .")
    # If a server could name such a file, it could plant the part from which a later download continues.
    return f"{name}_" if name.lower().endswith(DESCRIPTION_SUFFIX) else name


LONGEST_NAME = 200
"""In bytes. Most file systems take 255, and the name of a part is longer."""
LONGEST_SUFFIX = 20


class ResumableFile:
    """The part of a download that may be resumed, and its description. One download at a time has it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._file = target.with_name(target.name + PART_SUFFIX)
        self._description = target.with_name(target.name + DESCRIPTION_SUFFIX)
        self._descriptor = -1
        """The descriptor of the part, which is locked."""
        self._has_validator = True
        """Whether the server has given a validator."""

    def is_free(self) -> bool:
        """Return whether the name is free, or belongs to a file that a download of ours has made."""
        try:
            return status_of(os.fspath(self._description)) is not None or not os.path.lexists(self._file)
        except OSError:  # the target's name leaves no room for a suffix
            return False

    def lock(self) -> bool:
        """Lock the part; return False if another download has it, or another program may have made it. Raises
        OSError.
        """
        status = status_of(os.fspath(self._description))
        if status is not None and not _is_ours(status):
            return self._leave_alone(self._description)
        # The download that had it may rename or delete it between two steps.
        for _ in range(LOCK_TRIES):
            try:
                descriptor = _open_part(os.fspath(self._file))
            except NotRegular:
                return self._leave_alone(self._file)
            except FileNotFoundError:
                if not self._file.parent.is_dir():
                    raise
                continue
            if not _is_ours(os.fstat(descriptor)):
                os.close(descriptor)
                return self._leave_alone(self._file)
            if CAN_LOCK and not lock(descriptor):
                os.close(descriptor)
                return False
            self._descriptor = descriptor
            if self._is_still_named():
                foreign = self._foreign_file()
                if foreign is None:
                    return True
                self._remove_if_empty()
                self._close()
                return self._leave_alone(foreign)
            self._close()
        return False

    def _foreign_file(self) -> Optional[Path]:
        """Return the file that no download has written: the part or its description; None if there is no such file."""
        try:
            description = read_description(os.fspath(self._description))
        except (OSError, ValueError):
            return self._description
        status = os.fstat(self._descriptor)
        is_ours = status.st_size == 0 or (description is not None and description.is_of(status))
        return None if is_ours else self._file

    @staticmethod
    def _leave_alone(path: Path) -> bool:
        logger.warning(
            "%s is a link, is no regular file, belongs to another user or was not written by an earlier download. "
            "It is left alone, and the download is not resumed. Delete it to resume downloads to this file",
            path,
        )
        return False

    def _is_still_named(self) -> bool:
        """Return whether the locked file is still the one of that name."""
        return has_name(self._descriptor, self._file)

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    def _remove_if_empty(self) -> bool:
        """Delete the part if nothing has come of it; return whether it is deleted."""
        with suppress(OSError):
            if os.fstat(self._descriptor).st_size == 0 and self._is_still_named():
                self._file.unlink()
                return True
        return False

    def unlock(self) -> None:
        if self._descriptor < 0:
            return
        if self._remove_if_empty():
            with suppress(OSError):
                self._description.unlink()
        self._close()

    def resume_point(self, url: str) -> Optional[ResumePoint]:
        """Return where the download of a URL can be resumed; None if it cannot be."""
        try:
            status = os.lstat(self._file) if self._descriptor < 0 else os.fstat(self._descriptor)
            description = read_description(os.fspath(self._description))
        except (OSError, ValueError):
            return None
        if description is None or description.validator is None or status.st_size == 0:
            return None
        is_same = description.url == _digest(url) and description.is_of(status)
        is_same = is_same and (description.total < 0 or status.st_size <= description.total)
        return ResumePoint(status.st_size, description.validator, description.total) if is_same else None

    def open(self, start: int) -> BinaryIO:
        """Open the locked part; ``start``: how many of its bytes are used. Raises OSError."""
        sweep_once(self.target.parent)
        if start == 0:
            # The part is truncated first: an old description must not belong to new bytes.
            os.ftruncate(self._descriptor, 0)
        else:
            self._save_size(-1)  # it is going to change
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return open(os.dup(self._descriptor), "r+b")

    def save_validator(self, response: Response, url: str) -> None:
        """Write the description of the part: its URL and the validator of its version. Raises OSError."""
        tag, date = response.headers.value(b"etag"), response.headers.value(b"last-modified")
        validator = tag if tag is not None and _STRONG_TAG.fullmatch(tag) else date
        self._has_validator = validator is not None
        inode = os.fstat(self._descriptor).st_ino
        text = None if validator is None else validator.decode("latin-1")
        write_description(self._description, Description(_digest(url), text, response.total_bytes, inode))

    def _save_size(self, size: int) -> None:
        """Write down how large the part is. Raises OSError."""
        with suppress(ValueError):
            description = read_description(os.fspath(self._description))
            if description is not None and description.size != size:
                write_description(self._description, description._replace(size=size))

    def discard(self, corrupt: bool) -> None:
        """Give the download up. Keep the part for a later download, if it can be resumed.

        ``corrupt``: whether the body was wrong, and not only incomplete. Then the part is deleted.
        """
        can_resume = self._has_validator and self._description.exists()
        if (corrupt or not can_resume) and self._is_still_named():
            for file in (self._description, self._file):
                with suppress(OSError):
                    file.unlink()
        else:
            with suppress(OSError):  # of a full disk: then the inode number has to do
                self._save_size(os.fstat(self._descriptor).st_size)

    def rename(self, naming: Naming) -> Path:
        """Give the file its final name, and return the path. Raises OSError."""
        if not self._is_still_named():
            raise OSError(errno.ESTALE, "another program has replaced the part of the download", str(self._file))
        path = move(self._file, self.target, naming)
        # Another download may have begun a new part of that name, with its own description.
        with suppress(OSError, ValueError):
            description = read_description(os.fspath(self._description))
            if description is not None and description.inode == os.fstat(self._descriptor).st_ino:
                self._description.unlink()
        return path


LOCK_TRIES = 20


def _open_part(path: str) -> int:
    """Open a part that is there, else make it. Raises NotRegular, OSError."""
    try:
        return open_regular(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return open_regular(path, os.O_RDWR)


def _is_ours(status: os.stat_result) -> bool:
    """Return whether it is a file of this user that has no other name, so that no other program writes or reads it."""
    is_owner = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
    # The file has no name any more if another download has just deleted it.
    return stat.S_ISREG(status.st_mode) and is_owner and status.st_nlink <= 1


def _digest(url: str) -> str:
    """Return the digest of a URL. It is written in place of the URL, which may hold secrets."""
    return hashlib.sha256(url.encode()).hexdigest()

"""The folder of a cache on disk: which folders may be used, and which of their files are the cache's own.

A folder is used if it bears the cache's mark, or is empty and is given the mark now. So a folder with the user's own
files is refused, whatever their names. In a marked folder only names of the cache's own form are opened or deleted, and
no symbolic link is followed: neither a link nor a damaged index leads outside.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import Callable, Optional

from ...bodies.regular_files import NotRegular, open_regular, read_regular, status_of
from ...qt.binding import QtCore

MARK = ".blocking-request-cache"
_MARK_TEXT = b"This folder is a cache of blocking_request (NetworkDiskCache), which deletes files in it.\n"

INDEX = "index.sqlite"
INDEX_FILES = ("index.sqlite-wal", "index.sqlite-shm", INDEX)
"""The log is deleted first: another process must not find the log of the old index beside a new index."""
KEY = "key"
SWEPT = "swept"

_BODY_NAME = re.compile(r"[0-9a-f]{32}")
_NAMES_SHOWN = 3


def shared_place(path: Path) -> str:
    """Return how other programs use a folder, as "the user's home"; '' if it may belong to one program.

    A folder that other programs use must not become a cache, even if it is empty.
    """
    try:
        status = os.stat(path)
    except OSError:
        return ""
    for what, find in _SHARED:
        with suppress(OSError):  # of a place that does not exist
            if os.path.samestat(status, os.stat(find(path))):
                return what
    return "for files of all users" if status.st_mode & stat.S_ISVTX and status.st_mode & stat.S_IWOTH else ""


_CACHES = QtCore.QStandardPaths.StandardLocation.GenericCacheLocation
_SHARED: tuple[tuple[str, Callable[[Path], str]], ...] = (
    ("the user's home", lambda path: os.path.expanduser("~")),
    ("for temporary files", lambda path: tempfile.gettempdir()),
    ("the root of the file system", lambda path: os.path.join(path, os.pardir)),  # it is its own parent
    ("for the caches of all programs", lambda path: QtCore.QStandardPaths.writableLocation(_CACHES)),
)


class ForeignFolder(OSError):
    """The cache has not made the folder, or something in it, and must change nothing there."""


class WrongBodyName(OSError):
    """The index names a file whose name does not have the form of a body's name, so the index is damaged."""


class CacheFolder:
    """The files of one cache. Any thread may call every method, and every method may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = path / INDEX
        self._bodies = path / "bodies"
        # Looked for once, under a lock of the tempfile module: a child forked meanwhile would wait for it for good.
        tempfile.gettempdir()

    def check(self) -> None:
        """Make sure that nothing in the folder is foreign; change nothing. Raises ForeignFolder, OSError."""
        place = shared_place(self.path)
        if place:
            raise ForeignFolder(self._shared_place_problem(place))
        if self._belongs_to_another_user():
            raise ForeignFolder(
                f"The folder {self.path} belongs to another user, who could change what the cache serves. "
                "Give a folder of your own"
            )
        if not self._is_marked():
            names = self._names()
            # The mark is the first file that another process makes: if its other files are seen, the mark is, too.
            if names and not self._is_marked():
                raise ForeignFolder(self._foreign_files_problem(names))
        for name in (*INDEX_FILES, KEY, SWEPT):
            self._check_kind(self.path / name, stat.S_ISREG, "a regular file")
        self._check_kind(self._bodies, stat.S_ISDIR, "a folder")

    def claim(self) -> None:
        """Make the folder and its mark if they are not there. Raises ForeignFolder, OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check()
        if not self._is_marked():
            with suppress(FileExistsError):  # another process was quicker
                _make(os.fspath(self.path / MARK), _MARK_TEXT)
        self._bodies.mkdir(mode=0o700, exist_ok=True)
        # SQLite would make it readable for others; the log and its index get the permissions of this file.
        os.close(open_regular(os.fspath(self.index), os.O_RDWR | os.O_CREAT))

    def remove_index(self) -> None:
        """Delete a damaged index. Raises ForeignFolder, OSError."""
        self.check()
        for name in INDEX_FILES:
            with suppress(OSError):
                (self.path / name).unlink()

    def must_be_swept(self, seconds: float) -> bool:
        """Return whether the last sweep began more than ``seconds`` ago, and note that one begins now if so."""
        mark = self.path / SWEPT
        status = status_of(os.fspath(mark))
        # If the time is in the future, a clock was wrong.
        if status is not None and 0 <= time.time() - status.st_mtime < seconds:
            return False
        descriptor = open_regular(os.fspath(mark), os.O_WRONLY | os.O_CREAT)
        os.close(descriptor)
        # The cache's own mark, too: programs that tidy up delete files that are old.
        for name in (SWEPT, MARK):
            os.utime(self.path / name, follow_symlinks=os.utime not in os.supports_follow_symlinks)
        return True

    # -- bodies

    def new_name(self) -> str:
        return secrets.token_hex(16)

    def write(self, name: str, body: bytes) -> None:
        """Write the file of a new body. If this raises, the caller removes the incomplete file."""
        try:
            _make(self._body_path(name), body)
        except FileNotFoundError:  # the folder was tidied up
            self.claim()
            _make(self._body_path(name), body)

    def read(self, name: str) -> Optional[bytes]:
        """Return the content of a body's file.

        Returns None if there is no regular file of that name, or if the name does not have the form of a body's name.
        """
        try:
            return read_regular(self._body_path(name))
        except (FileNotFoundError, ForeignFolder, NotRegular, WrongBodyName):
            return None

    def remove(self, name: str) -> None:
        """Delete a body's file if there is one. If the system refuses that, a later sweep deletes it."""
        with suppress(OSError):
            os.unlink(self._body_path(name))

    def sweep(self, seconds: float, keep: Container[str] = ()) -> None:
        """Delete the files of bodies that are older than ``seconds``, except those whose names are in ``keep``.

        A thread or process may still write a younger file.
        """
        now = time.time()
        with suppress(OSError):
            self._check_kind(self._bodies, stat.S_ISDIR, "a folder")
            for entry in os.scandir(self._bodies):
                with suppress(OSError):
                    is_body = _BODY_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
                    age = now - entry.stat(follow_symlinks=False).st_mtime
                    # If the time is further than that in the future, a clock was wrong.
                    if is_body and not -seconds < age < seconds and entry.name not in keep:
                        os.unlink(entry.path)

    def _body_path(self, name: str) -> str:
        """Return the path of a body's file. Raises WrongBodyName, ForeignFolder."""
        if not isinstance(name, str) or not _BODY_NAME.fullmatch(name):
            raise WrongBodyName(f"the index names {name!r}, which is no file of the cache")
        self._check_kind(self._bodies, stat.S_ISDIR, "a folder")
        return f"{self._bodies}{os.sep}{name}"

    # -- the mark

    def _belongs_to_another_user(self) -> bool:
        """Return whether the folder belongs to a user who is neither this one nor the system's administrator."""
        try:
            owner = os.stat(self.path).st_uid
        except FileNotFoundError:
            return False
        return hasattr(os, "geteuid") and owner not in (os.geteuid(), 0)

    def _is_marked(self) -> bool:
        status = status_of(os.fspath(self.path / MARK))
        return status is not None and stat.S_ISREG(status.st_mode)

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self.path))
        except FileNotFoundError:
            return []

    def _foreign_files_problem(self, names: list[str]) -> str:
        shown = ", ".join(repr(name) for name in names[:_NAMES_SHOWN])
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        return self._problem(
            f"is not a cache of blocking_request: it contains {shown}{more} and not the file {MARK}, and a cache"
        )

    def _shared_place_problem(self, place: str) -> str:
        return self._problem(f"is {place}, where other programs make their files, and a cache")

    def _problem(self, why: str) -> str:
        return (
            f"The folder {self.path} {why} deletes files in its folder. Give an empty folder or one that does not "
            f"exist yet, for example {self.path / 'blocking-request'}"
        )

    @staticmethod
    def _check_kind(path: Path, is_right: Callable[[int], bool], kind: str) -> None:
        status = status_of(os.fspath(path))
        if status is not None and not is_right(status.st_mode):
            raise ForeignFolder(
                f"{path} is not {kind}, so the cache did not make it. Delete it, or give another folder"
            )


def _make(path: str, content: bytes) -> None:
    """Write a new file. Raises FileExistsError, OSError."""
    descriptor = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    with open(descriptor, "wb", buffering=0) as target:
        view = memoryview(content)
        while view:
            view = view[target.write(view) :]

"""Gives a finished download its name, without replacing a file that must stay.

A name that the caller has given is the caller's to decide about. One that the server has chosen may be that of any file
in the folder, so a number is added. The name is taken in one step that fails if it exists, so two processes that finish
at the same time get two names.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

MOST_NUMBERS = 100_000


class Naming(NamedTuple):
    """Says how a download treats a file that has its name already."""

    replaces: bool
    """Whether the file of that name is replaced."""
    numbers: bool
    """Whether a number is added if it is not replaced: the server has chosen the name."""
    taken: dict[str, int]
    """The names, in lower case, that other downloads of the same batch have got, each with the next number to try. The
    files of these names are never replaced.
    """


def is_special(path: Path) -> bool:
    """Return whether there is a device, pipe or socket, which must not be replaced by a file."""
    try:
        mode = os.stat(path).st_mode
    except OSError:  # also for a name that is too long, or a folder that may not be read: opening it tells
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def take_permissions(target: Path, file: BinaryIO) -> None:
    """Give a new file the permissions of the one that it will replace, before anything is written into it.

    So a file that only its owner may read does not become readable by others. The owner may always write.
    """
    if not hasattr(os, "fchmod"):  # Windows, where the permissions are those of the folder
        return
    # Some file systems have no permissions.
    with suppress(OSError):
        mode = os.stat(target).st_mode
        os.fchmod(file.fileno(), (mode & 0o777) | stat.S_IRUSR | stat.S_IWUSR)


def move(source: Path, target: Path, naming: Naming) -> Path:
    """Give a finished file the name of the target, or the next free one; return it. Raises OSError."""
    rename = os.replace if naming.replaces else _rename_to_free_name
    if not naming.numbers:
        rename(source, target)
        return target
    taken, wanted = naming.taken, str(target).lower()
    first = taken.get(wanted, 0)
    for number in range(first, first + MOST_NUMBERS):
        path = _numbered(target, number)
        key = str(path).lower()
        if key in taken or is_special(path):
            continue
        try:
            rename(source, path)
        except (FileExistsError, IsADirectoryError):
            continue
        taken[key], taken[wanted] = 1, number + 1
        return path
    raise FileExistsError(f"{MOST_NUMBERS} files have the name {target} and a number")


def _numbered(target: Path, number: int) -> Path:
    if number == 0:
        return target
    stem, suffix = target.stem, target.suffix
    if stem.endswith(".tar"):
        stem, suffix = stem[:-4], f".tar{suffix}"
    return target.with_name(f"{stem} ({number}){suffix}")


def _rename_to_free_name(source: Path, target: Path) -> None:
    """Rename a file to a name that is free. Raises FileExistsError, OSError."""
    try:
        os.link(source, target)
    except FileExistsError as error:
        raise FileExistsError(error.errno, error.strerror, os.fspath(target)) from None
    except OSError:  # this file system has no hard links: an empty file reserves the name
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            os.replace(source, target)
        except OSError:
            target.unlink()
            raise
    else:
        with suppress(OSError):
            source.unlink()

"""The description of the part of a download: its URL, and the values that must match to continue it.

Theory of operation: ``<target>.part`` is a name that other programs use, too. The description beside it binds the part:
it has the inode number and the size of the file, the digest of its URL and the validator of its version. So a part is
continued or overwritten only if a download has written it, and a server cannot choose the name of a description for its
file. The size is known when a download ends; of one whose process was killed only the inode number is.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import NamedTuple, Optional

from .finished_file import Naming
from .regular_files import read_regular
from .temporary_file import TemporaryFile

PART_SUFFIX = ".part"
DESCRIPTION_SUFFIX = ".part.json"
MOST_DESCRIPTION = 1 << 16
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Description(NamedTuple):
    """The description of a part."""

    url: str
    """The SHA-256 digest of the URL, because the URL may hold secrets."""
    validator: Optional[str]
    """None if the server gave none: then the download cannot be continued."""
    total: int
    """The size of the whole file in bytes, -1 if the server did not tell."""
    inode: int
    """The inode number of the part."""
    size: int = -1
    """The size of the part in bytes; -1 while it is being written, and after its process was killed."""

    def is_of(self, part: os.stat_result) -> bool:
        """Return whether that is the part which was written."""
        return self.inode == part.st_ino and self.size in (-1, part.st_size)


def read_description(path: str) -> Optional[Description]:
    """Read a description; return None if there is none.

    Raises ValueError if no download has written it; OSError.
    """
    try:
        text = read_regular(path, MOST_DESCRIPTION)
    except FileNotFoundError:
        return None
    try:
        description = Description(**json.loads(text))
    except (TypeError, RecursionError):
        raise ValueError(f"{path} is not the description of a part") from None
    validator = description.validator
    is_right = isinstance(description.url, str) and _DIGEST.fullmatch(description.url) is not None
    is_right = is_right and (validator is None or (isinstance(validator, str) and validator.isprintable()))
    if not is_right or any(
        type(number) is not int for number in (description.total, description.inode, description.size)
    ):
        raise ValueError(f"{path} is not the description of a part")
    return description


def write_description(path: Path, description: Description) -> None:
    """Write a description, or replace it in one step. Raises OSError."""
    destination = TemporaryFile(path)
    try:
        with destination.open(0) as file:
            file.write(json.dumps(description._asdict()).encode())
    except OSError:
        destination.discard(corrupt=True)
        raise
    destination.rename(Naming(True, False, {}))

"""Which files of ``--from`` are in the folder already, so that ``--resume`` fetches the missing ones only.

A file is found by the name in its URL. Two URLs may have the same name, and a server may choose another one: for these
the folder has a small file that says which URL gave which name. It has digests of the URLs, because a URL may be a
secret.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Optional

from ..bodies.replaced_file import replace_file
from .options.url import name_in_url

RECORD_NAME = ".blocking-request.json"


class DownloadRecord:
    """The files that the URLs of a list have given in a folder."""

    def __init__(self, folder: Path, urls: Iterable[str]) -> None:
        self._folder = folder
        self._names = {url: name_in_url(url) for url in urls}
        self._count = Counter(name.lower() for name in self._names.values())
        self._given = self._read()
        self._is_changed = False

    def _read(self) -> dict[str, str]:
        """Return the names by digest. A file that cannot be read counts as missing: the files are fetched again."""
        with suppress(OSError, ValueError):
            content = json.loads((self._folder / RECORD_NAME).read_text("utf-8"))
            if isinstance(content, dict):
                return {key: name for key, name in content.items() if isinstance(name, str)}
        return {}

    def is_there(self, url: str) -> bool:
        """Return whether the file of a URL is in the folder."""
        name = self._given.get(_digest(url)) or self._certain_name(url)
        return bool(name) and os.path.basename(name) == name and (self._folder / name).is_file()

    def _certain_name(self, url: str) -> str:
        """Return the name in the URL; '' if another URL of the list has it, too."""
        name = self._names[url]
        return name if self._count[name.lower()] == 1 else ""

    def add(self, url: str, path: Optional[str]) -> None:
        """Note that the URL gave this file."""
        name = os.path.basename(path or "")
        if name and name != self._certain_name(url):
            self._given[_digest(url)] = name
            self._is_changed = True

    def save(self) -> None:
        """Write the file if the names in the URLs do not say enough. Raises OSError."""
        if self._is_changed:
            replace_file(self._folder / RECORD_NAME, (json.dumps(self._given).encode(),), 0o666)


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()

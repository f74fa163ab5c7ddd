"""Which files of ``--from`` are in the folder already, so that ``--resume`` fetches the missing ones only.

The folder has a small file that says which URL gave which name: two URLs may have the same name in them, and a server
may choose another one. It has digests of the URLs, because a URL may be a secret. A file that no URL is known to have
given, because another program has written it, is found by the name in the URL.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from ..bodies.regular_files import read_regular
from ..bodies.replaced_file import replace_file
from .options.url import name_in_url

RECORD_NAME = ".blocking-request.json"


class DownloadRecord:
    """The files that the URLs of a list have given in a folder."""

    def __init__(self, folder: Path, urls: Iterable[str], query: Iterable[tuple[Any, bytes]] = ()) -> None:
        """``query``: the parameters that are added to each URL."""
        self._folder = folder
        self._query = list(query)
        self._names = {url: name_in_url(url) for url in urls}
        self._count = Counter(name.lower() for name in self._names.values())
        self._given = self._read()
        self._added: dict[str, str] = {}

    def _read(self) -> dict[str, str]:
        """Return the names by digest. A file that cannot be read counts as missing."""
        with suppress(OSError, ValueError):
            content = json.loads(read_regular(os.fspath(self._folder / RECORD_NAME)))
            if isinstance(content, dict):
                return {key: name for key, name in content.items() if isinstance(name, str)}
        return {}

    def missing(self) -> list[str]:
        """Return the URLs whose files are not in the folder."""
        taken = {name.lower() for name in self._given.values()}
        return [url for url in self._names if not self._is_there(url, taken)]

    def _is_there(self, url: str, taken: set[str]) -> bool:
        """``taken``: the names, in lower case, that a URL is known to have given."""
        name = self._given.get(self._digest(url))
        if name is None:
            name = self._names[url]
            if self._count[name.lower()] > 1 or name.lower() in taken:
                return False
        return bool(name) and os.path.basename(name) == name and (self._folder / name).is_file()

    def add(self, url: str, path: Optional[str]) -> None:
        """Note that the URL gave this file."""
        name = os.path.basename(path or "")
        if name:
            self._added[self._digest(url)] = name

    def save(self) -> None:
        """Write the file if there are new names. Raises OSError."""
        if self._added:
            new = {name.lower() for name in self._added.values()}
            # Another command may have written it in the meantime. A name that is new now was deleted before.
            kept = {key: name for key, name in self._read().items() if name.lower() not in new}
            replace_file(self._folder / RECORD_NAME, (json.dumps({**kept, **self._added}).encode(),), 0o666)

    def _digest(self, url: str) -> str:
        text = f"{url}\n{self._query}" if self._query else url
        return hashlib.sha256(text.encode()).hexdigest()

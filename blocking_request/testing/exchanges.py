"""Exchanges: the exchanges of a recording, in its file and in memory."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from ..bodies.regular_files import read_whole
from ..bodies.replaced_file import replace_file
from ..models import har
from ..models.exchange_redaction import redacted_fields
from ..models.har import HarEntry
from ..models.har_reader import entries_of
from ..models.http_messages import Request
from ..models.known_secrets import Secrets
from ..models.urls import normalized
from .pattern import without_root
from .recording_file import alone, written_state
from .seen_secrets import SeenSecrets
from .sent_request import body_size

COMMENT = "Recorded by blocking_request.testing. Secrets were removed."

MOST_SHOWN = 10
"""How many exchanges a message lists."""

_Key = tuple[Any, ...]


class MatchRules(NamedTuple):
    """What must be equal in a request and in an exchange, besides method and URL."""

    headers: frozenset[str] = frozenset()
    """Names of header fields, in lower case."""
    body: bool = True
    repeats: bool = False
    """Whether the last exchange that matches is replayed any number of times."""
    redacted_names: tuple[str, ...] = ()
    """The names of secrets, besides the usual ones and those of each request."""


Filter = Callable[[dict[str, Any]], Optional[dict[str, Any]]]
"""Changes an exchange, or leaves it out. It is an object of HAR."""


class Exchanges:
    """Any thread may call every method."""

    def __init__(self, path: Path, rules: MatchRules, filter_entry: Optional[Filter]) -> None:
        """``filter_entry``: is called with each new exchange."""
        self._path = path
        self._rules = rules
        self._filter_entry = filter_entry
        self._guard = threading.Lock()
        self._file = written_state(path)
        self.known: list[HarEntry] = []
        """The exchanges of the file."""
        self.recorded: list[dict[str, Any]] = []
        self.unmatched: list[str] = []
        """The requests that could not be replayed, and must not be recorded."""
        self._secrets = SeenSecrets()
        self._unplayed: dict[_Key, deque[HarEntry]] = {}
        self._played: set[int] = set()
        """The exchanges that were replayed, by ``id``."""
        self.played_count = 0

    def read(self) -> None:
        """Read the file. Raises ValueError if it is not HAR, OSError if it cannot be read."""
        try:
            self.known = entries_of(read_whole(self._path))
        except ValueError as error:
            raise ValueError(f"{self._path} cannot be replayed: {error}") from None
        for entry in self.known:
            self._unplayed.setdefault(self._key(entry, (), None), deque()).append(entry)

    @property
    def are_all_played(self) -> bool:
        """Whether each exchange of the file was replayed."""
        return len(self._played) == len(self.known)

    def write(self) -> None:
        """Write the exchanges of the file and the new ones, if there are any.

        If another process has written the file in the meantime, its exchanges stay.
        """
        with self._guard:
            recorded = self.recorded[:]
        if not recorded:
            return
        with alone(self._path):
            before = self.known
            if written_state(self._path) not in (None, self._file):
                with suppress(ValueError):
                    before = entries_of(read_whole(self._path))
            known = [har.to_har(entry, self._rules.redacted_names) for entry in before]
            text = har.document([*known, *recorded], COMMENT)
            replace_file(self._path, [text.encode("utf-8", "backslashreplace")], 0o666)

    def add(self, entry: HarEntry, redacted_names: tuple[str, ...]) -> None:
        """Add a new exchange. Raises the exceptions of the filter; TypeError or ValueError if it returns no entry."""
        names = (*self._rules.redacted_names, *redacted_names)
        exported: Optional[dict[str, Any]] = har.to_har(entry, names, self._secrets)
        if self._filter_entry is not None and exported is not None:
            exported = _checked(self._filter_entry(exported))
        if exported is not None:
            with self._guard:
                self.recorded.append(exported)

    def take(self, request: Request) -> Optional[HarEntry]:
        """Return the exchange to replay for a request, or None if there is none (left)."""
        names = (*self._rules.redacted_names, *request.redacted_names)
        self._secrets.see(request.url, request.headers, kept_body(request), names)
        key = self._key_of(request)
        with self._guard:
            entries = self._unplayed.get(key)
            if not entries:
                return None
            entry = entries[0] if len(entries) == 1 and self._rules.repeats else entries.popleft()
            self._played.add(id(entry))
            self.played_count += 1
        return entry

    def _key_of(self, request: Request) -> _Key:
        entry = HarEntry(
            method=request.method,
            url=request.url,
            started=0.0,
            request_headers=request.headers,
            request_body=kept_body(request),
            request_size=body_size(request),
        )
        return self._key(entry, request.redacted_names, self._secrets)

    def _key(self, entry: HarEntry, redacted_names: tuple[str, ...], secrets: Optional[Secrets]) -> _Key:
        """Return a value that is equal for requests that match. ``secrets``: None for an exchange without secrets."""
        names = (*self._rules.redacted_names, *redacted_names)
        request = har.to_har_request(entry, names, secrets)
        fields = sorted(
            (name.lower(), value)
            for name, value in redacted_fields(entry.request_headers, names, secrets)
            if name.lower() in self._rules.headers
        )
        body: Any = None
        if self._rules.body:
            post = request.get("postData")
            body = _without_boundary(post["text"], post["mimeType"]) if post else max(entry.request_size, 0)
        return request["method"], _normalized(request["url"]), tuple(fields), body

    def unmatched_text(self, request: Request, mode: str) -> str:
        """Return a sentence for a request that is not in the recording, and note it."""
        key = self._key_of(request)
        with self._guard:
            left = [other for other, entries in self._unplayed.items() if entries]
            self.unmatched.append(f"{request.method} {request.redacted_url.partition('#')[0]}")
        if self._file is None:
            return f"The recording {self._path} does not exist, and the mode {mode!r} records none: use the mode 'once'"
        similar = next((other for other in left if other[:2] == key[:2]), None)
        if similar is not None:
            return (
                f"The recording {self._path.name} has this {request.method} request with {_difference(key, similar)}, "
                f"and the mode {mode!r} records none: use the mode 'new' once, or delete the file"
            )
        expected = [f"{method} {url}" for method, url, *_ in left[:MOST_SHOWN]]
        if len(left) > MOST_SHOWN:
            expected.append(f"and {len(left) - MOST_SHOWN} more")
        has = f"still has {', '.join(expected)}, but" if expected else "has"
        return (
            f"The recording {self._path.name} {has} no exchange for this {request.method} request that was not "
            f"replayed yet, and the mode {mode!r} records none: use the mode 'new' once, or delete the file"
        )


def _difference(key: _Key, other: _Key) -> str:
    """Return what is different in a recorded request of the same method and URL, in words."""
    fields, others = dict(key[2]), dict(other[2])
    names = sorted(name for name in {*fields, *others} if fields.get(name) != others.get(name))
    parts = ["another body"] if key[3] != other[3] else []
    if names:
        parts.append(f"another value of {', '.join(names)}")
    return " and ".join(parts) or "other header fields"


def _checked(entry: Any) -> Optional[dict[str, Any]]:
    """Return a copy of the entry that a filter has returned. Raises TypeError, ValueError."""
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise TypeError(f"filter must return an entry of HAR, or None, not {type(entry).__name__}")
    try:
        text = json.dumps(entry, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
        copy: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"filter has returned an entry that JSON cannot hold: {error}") from None
    try:
        entries_of(f'{{"log": {{"entries": [{text}]}}}}')
    except ValueError as error:
        raise ValueError(f"filter has returned an object that is no entry: {error}") from None
    return copy


def kept_body(request: Request) -> Optional[bytes]:
    """Return the body of a request; None if it has none, or if it is sent as it is read."""
    return request.body if isinstance(request.body, bytes) and request.body else None


def _normalized(url: str) -> str:
    """Return a URL in the form of ours: a browser writes the path ``/`` also if it is left out."""
    try:
        url = normalized(url)
    except ValueError:
        return url
    return without_root(url)


_BOUNDARY = re.compile(r'boundary="?([^";]+)')


def _without_boundary(text: str, kind: str) -> str:
    """Return the text of a multipart body without its boundary, which is another one each time."""
    boundary = _BOUNDARY.search(kind)
    return text if boundary is None else text.replace(boundary[1], "")

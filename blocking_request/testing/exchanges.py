"""Exchanges: the exchanges of a recording, in its file and in memory."""

from __future__ import annotations

import re
import threading
from collections import deque
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


class Exchanges:
    """Any thread may call every method."""

    def __init__(
        self, path: Path, rules: MatchRules, keep: Optional[Callable[[dict[str, Any]], Optional[dict[str, Any]]]]
    ) -> None:
        """``keep``: changes or leaves out each new exchange."""
        self._path = path
        self._rules = rules
        self._keep = keep
        self._guard = threading.Lock()
        self.known: list[HarEntry] = []
        """The exchanges of the file."""
        self.recorded: list[dict[str, Any]] = []
        self._secrets = Secrets(rules.redacted_names)
        """Those of all requests so far, which later requests may repeat in another place."""
        self._unplayed: dict[_Key, deque[HarEntry]] = {}
        self.played_count = 0

    def read(self) -> None:
        """Read the file. Raises ValueError if it is not HAR, OSError if it cannot be read."""
        try:
            self.known = entries_of(read_whole(self._path))
        except ValueError as error:
            raise ValueError(f"{self._path} cannot be replayed: {error}") from None
        for entry in self.known:
            self._unplayed.setdefault(self._key(entry, (), None), deque()).append(entry)

    def write(self) -> None:
        """Write the exchanges of the file and the new ones, if there are any."""
        with self._guard:
            recorded = self.recorded[:]
        if not recorded:
            return
        known = [har.to_har(entry, self._rules.redacted_names) for entry in self.known]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = har.document([*known, *recorded], COMMENT)
        replace_file(self._path, [text.encode("utf-8", "backslashreplace")], 0o666)

    def add(self, entry: HarEntry, redacted_names: tuple[str, ...]) -> None:
        """Add a new exchange. Raises the exceptions of ``keep``."""
        names = (*self._rules.redacted_names, *redacted_names)
        exported: Optional[dict[str, Any]] = har.to_har(entry, names, self._secrets)
        if self._keep is not None and exported is not None:
            exported = self._keep(exported)
        if exported is not None:
            with self._guard:
                self.recorded.append(exported)

    def take(self, request: Request) -> Optional[HarEntry]:
        """Return the exchange to replay for a request, or None if there is none (left)."""
        body = kept_body(request)
        self._secrets.add(request.url, request.headers, body)
        key = self._key(
            HarEntry(
                method=request.method,
                url=request.url,
                started=0.0,
                request_headers=request.headers,
                request_body=body,
                request_size=body_size(request),
            ),
            request.redacted_names,
            self._secrets,
        )
        with self._guard:
            entries = self._unplayed.get(key)
            if not entries:
                return None
            entry = entries[0] if len(entries) == 1 and self._rules.repeats else entries.popleft()
            self.played_count += 1
        return entry

    def _key(self, entry: HarEntry, redacted_names: tuple[str, ...], secrets: Optional[Secrets]) -> _Key:
        """Return a value that is equal for requests that match. ``secrets``: None for an exchange without secrets."""
        names = (*self._rules.redacted_names, *redacted_names)
        request = har.to_har(entry, names, secrets)["request"]
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
        """Return a sentence for a request that is not in the recording."""
        with self._guard:
            left = [key for key, entries in self._unplayed.items() if entries]
        expected = [f"{method} {url}" for method, url, *_ in left[:MOST_SHOWN]]
        if len(left) > MOST_SHOWN:
            expected.append(f"and {len(left) - MOST_SHOWN} more")
        shown = f"{request.method} {request.redacted_url.partition('#')[0]}"
        return (
            f"The recording {self._path.name} has no exchange for {shown} that was not replayed yet, and the mode "
            f"{mode!r} records none: use the mode 'new' once, or delete the file. "
            f"It still has: {', '.join(expected) or 'nothing'}"
        )


def kept_body(request: Request) -> Optional[bytes]:
    """Return the body of a request; None if it has none, or if it is sent as it is read."""
    return request.body if isinstance(request.body, bytes) and request.body else None


def body_size(request: Request) -> int:
    """Return the size of the body of a request in bytes, -1 if it is not known."""
    body = request.body
    return 0 if body is None else len(body) if isinstance(body, bytes) else body.size


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

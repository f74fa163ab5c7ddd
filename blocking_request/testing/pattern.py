"""Pattern: which URLs a route is for."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Callable, Optional
from urllib.parse import parse_qsl

from ..models.redaction import redact_url
from ..models.urls import is_web_url, normalized
from ..qt.binding import QtCore
from .sent_request import SentRequest

_WILDCARD = "zqxjq"
"""Stands for a ``*`` while a pattern is normalized as a URL. It is short, as a part of a host is."""
_WILDCARDS = re.compile(rf"{_WILDCARD}|\*")
_AUTHORITY = re.compile(r"([^:/?#]+://)(?:[^/?#]*@)?([^/?#]*)")
_PORT = re.compile(r":[0-9]*\Z")


class Pattern:
    """A pattern of URLs: see ``FakeReplies.add``."""

    def __init__(self, url: Any) -> None:
        """Raises TypeError, ValueError."""
        self._function: Optional[Callable[[SentRequest], bool]] = None
        self._search: Optional[re.Pattern[str]] = None
        self._host: Optional[tuple[str, ...]] = None
        """The scheme and the host, split at each ``*``; None: any URL."""
        self._path: tuple[str, ...] = ()
        self._has_any_port = False
        self._query: Optional[list[tuple[str, str]]] = None
        self._is_path = False
        if isinstance(url, QtCore.QUrl):
            url = bytes(url.toEncoded()).decode("ascii")
        if url is None:
            self.description = "any URL"
        elif isinstance(url, re.Pattern):
            if not isinstance(url.pattern, str):
                raise TypeError("a regular expression of a URL must be a pattern of str, not of bytes")
            self._search, self.description = url, f"a URL with {redact_url(url.pattern)!r}"
        elif isinstance(url, str):
            self._read(url)
            self.description = redact_url(url)
        elif callable(url):
            self._function = url
            self.description = f"requests that {getattr(url, '__name__', 'a function')}() accepts"
        else:
            raise TypeError(
                "url must be a str, a QUrl, a compiled regular expression, a function of the request or None, "
                f"not {type(url).__name__}"
            )
        query = None if self._query is None else tuple(self._query)
        self.key: Any = (self._search, self._host, self._path, self._has_any_port, query)
        """Equal for patterns that match the same URLs; None: not known."""
        if self._function is not None:
            self.key = None

    def _read(self, url: str) -> None:
        base, question, query = url.partition("#")[0].partition("?")
        self._is_path = base.startswith("/")
        if not self._is_path and not base.startswith("*") and ":" not in base:
            raise ValueError(f"url must begin with a scheme, such as https://, with / or with *, not {base!r}")
        authority = _AUTHORITY.match(base)
        if authority is not None:
            # A user and a password are sent in a header field, and not in the URL.
            host = authority[2]
            self._has_any_port = host.endswith(":*")
            base = authority[1] + (host[:-2] if self._has_any_port else host) + base[authority.end() :]
        if is_web_url(base):
            base = without_root(_normalized(base))
            start = base.find("/", base.find("://") + 3)
        else:
            start = base.find("/", base.find("://") + 3) if "://" in base else base.find("/")
            if start >= 0 and base.startswith(("/", "*")):
                prefix = "http://h"
                base = base[:start] + _normalized(prefix + base[start:])[len(prefix) :]
        # Without a host, a "*" stands for any part of the URL.
        split = max(start, 0) if "://" in base else 0
        self._host, self._path = (tuple(_WILDCARDS.split(part)) for part in (base[:split], base[split:]))
        if question:
            self._query = parse_qsl(query, keep_blank_values=True)

    def matches(self, request: SentRequest) -> bool:
        if self._function is not None:
            return bool(self._function(request))
        if self._search is not None:
            return self._search.search(request.url) is not None
        if self._host is None:
            return True
        base, _, query = request.url.partition("?")
        start = base.find("/", base.find("://") + 3) if "://" in base else -1
        host, path = (base, "") if start < 0 else (base[:start], base[start:])
        if not self._matches_path(host, path):
            return False
        return self._query is None or _queries_match(self._query, query)

    def _matches_path(self, host: str, path: str) -> bool:
        """Return whether the URL without its query matches."""
        assert self._host is not None
        if self._is_path:
            return _fits(self._path, path or "/")
        # The path "/" may be left out, and a "*" may stand for nothing.
        paths = {path, "" if path == "/" else path or "/"} if "://" in host else {path}
        if self._has_any_port:
            host = _PORT.sub("", host)
        if self._host == ("",):
            return any(_fits(self._path, host + each) for each in paths)
        return _fits(self._host, host) and any(_fits(self._path, each) for each in paths)


def _normalized(base: str) -> str:
    """Return the pattern of a URL as a normal URL, with ``_WILDCARD`` for each ``*``. Raises ValueError."""
    try:
        return normalized(base.replace("*", _WILDCARD))
    except ValueError as error:
        raise ValueError(f"url is not valid: {error}".replace(_WILDCARD, "*")) from None


def _fits(parts: tuple[str, ...], text: str) -> bool:
    """Return whether a text has these parts, one after the other, with any characters in between."""
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    position, end = len(first), len(text) - len(last)
    if position > end or not text.startswith(first) or not text.endswith(last):
        return False
    # The first place of each part leaves most of the text for the next ones, so no other place need be tried.
    for part in middle:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _queries_match(expected: list[tuple[str, str]], query: str) -> bool:
    """Return whether a query has the same parameters, in any order. A ``*`` as a value stands for any value."""
    left = Counter(parse_qsl(query, keep_blank_values=True))
    wildcards: Counter[str] = Counter()
    for name, value in expected:
        if value == "*":
            wildcards[name] += 1
        elif left[name, value] > 0:
            left[name, value] -= 1
        else:
            return False
    names: Counter[str] = Counter()
    for (name, _), count in left.items():
        names[name] += count
    return +names == wildcards


def without_root(url: str) -> str:
    """Return a URL without the path ``/``, which may be left out."""
    return url[:-1] if url.endswith("/") and url.count("/") == 3 else url

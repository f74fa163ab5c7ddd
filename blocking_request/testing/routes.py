"""FakeRoute: which requests get which replies."""

from __future__ import annotations

import re
from typing import Any, Callable, Optional, Union
from urllib.parse import parse_qsl

from ..models.redaction import redact_url
from ..models.urls import is_web_url, normalized
from ..qt.binding import QtCore
from ..reply import ReplyContent
from .reply import FakeReply, reply_of
from .sent_request import SentRequest

ReplyFunction = Callable[[SentRequest], ReplyContent]
Source = Union[FakeReply, ReplyFunction]
"""A reply, or a function that returns one."""

_WILDCARD = "qqwildcardqq"
"""Stands for a ``*`` while a pattern is normalized as a URL."""
_WILDCARDS = re.compile(rf"{_WILDCARD}|\*")


class FakeRoute:
    """Gives the replies to the requests of one method and URL. ``FakeReplies.add`` makes it. For any thread."""

    def __init__(self, rule: RouteRule) -> None:
        """Internal: ``FakeReplies`` makes it."""
        self._rule = rule

    @property
    def calls(self) -> list[SentRequest]:
        """The requests that got a reply of this route, oldest first."""
        return self._rule.calls[:]

    @property
    def callCount(self) -> int:
        """How many requests got a reply of this route."""
        return len(self._rule.calls)

    def then(self, reply: Any = None, **options: Any) -> FakeRoute:
        """Add a reply for the next request; the last reply is repeated. Return this object.

        The arguments are those of ``FakeReplies.add`` that describe a reply.
        """
        self._rule.sources.append(self._rule.new_source(reply, **options))
        return self

    def __repr__(self) -> str:
        return f"<FakeRoute {self._rule.description()}, called {self.callCount} times>"


class RouteRule:
    """The rule of a FakeRoute: which requests it serves, and how."""

    def __init__(
        self,
        method: Optional[str],
        pattern: Pattern,
        match: Optional[Callable[[SentRequest], bool]],
        times: Optional[int],
        sources: list[Source],
        new_source: Callable[..., Source],
    ) -> None:
        """``times``: how many requests it serves; None: any number. ``new_source``: makes a further reply."""
        self._method = method
        self._pattern = pattern
        self._match = match
        self._times = times
        self.sources = sources
        """The replies, of which the last one is repeated."""
        self.new_source = new_source
        self.calls: list[SentRequest] = []
        self.route = FakeRoute(self)

    def is_same(self, other: RouteRule) -> bool:
        """Return whether the replies of the other rule continue those of this one."""
        is_plain = all(each._times is None and each._match is None for each in (self, other))
        key = self._pattern.key
        return is_plain and key is not None and (key, self._method) == (other._pattern.key, other._method)

    def accepts(self, request: SentRequest) -> bool:
        """Return whether the rule is for the request. Calls functions of the test."""
        if self._method is not None and self._method != request.method:
            return False
        return self._pattern.matches(request) and (self._match is None or bool(self._match(request)))

    def take(self, request: SentRequest) -> Optional[Source]:
        """Return what replies to the request, and count it; None if the rule has served all of its requests.

        One thread at a time may call this.
        """
        count = len(self.calls)
        if self._times is not None and count >= self._times:
            return None
        self.calls.append(request)
        return self.sources[min(count, len(self.sources) - 1)]

    def description(self) -> str:
        method = self._method or "any method"
        if self._times is None:
            return f"{method} {self._pattern.description}"
        return f"{method} {self._pattern.description} ({len(self.calls)} of {self._times} calls made)"

    def is_unused(self) -> bool:
        """Return whether fewer requests came than expected."""
        return len(self.calls) < (1 if self._times is None else self._times)


def reply_for(source: Source, sent: SentRequest) -> FakeReply:
    """Return the reply of a source. Raises the exceptions of the test's function."""
    if isinstance(source, FakeReply):
        return source
    content = source(sent)
    if not isinstance(content, ReplyContent):
        raise TypeError(
            f"the function of a reply returns a ReplyContent, from makeReply(), not {type(content).__name__}"
        )
    return reply_of(content)


class Pattern:
    """A pattern of URLs: see ``FakeReplies.add``."""

    def __init__(self, url: Any) -> None:
        """Raises TypeError, ValueError."""
        self._function: Optional[Callable[[SentRequest], bool]] = None
        self._search: Optional[re.Pattern[str]] = None
        self._query: Optional[list[tuple[str, str]]] = None
        self._is_path = False
        self._is_searched = False
        if isinstance(url, QtCore.QUrl):
            url = bytes(url.toEncoded()).decode("ascii")
        if url is None:
            self.description = "any URL"
        elif isinstance(url, re.Pattern):
            if not isinstance(url.pattern, str):
                raise TypeError("a regular expression of a URL must be a pattern of str, not of bytes")
            self._is_searched = True
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
        self.key: Any = (
            None if self._function is not None else (self._search, tuple(self._query or ()), self._query is None)
        )
        """Equal for patterns that match the same URLs; None: not known."""

    def _read(self, url: str) -> None:
        base, question, query = url.partition("#")[0].partition("?")
        self._is_path = base.startswith("/")
        if is_web_url(base):
            base = _without_slash(normalized(base.replace("*", _WILDCARD)))
        elif not self._is_path and not base.startswith("*") and ":" not in base:
            raise ValueError(f"url must begin with a scheme, such as https://, with / or with *, not {base!r}")
        elif self._is_path:
            prefix = "http://h"
            base = normalized(prefix + base.replace("*", _WILDCARD))[len(prefix) :]
        start = base.find("/", base.find("://") + 3) if "://" in base else 0
        host, path = (_WILDCARDS.split(part) for part in (base[: max(start, 0)], base[max(start, 0) :]))
        expression = "[^/?#]*".join(map(re.escape, host)) + "[^?#]*".join(map(re.escape, path))
        self._search = re.compile(expression + r"\Z")
        if question:
            self._query = sorted(parse_qsl(query, keep_blank_values=True))

    def matches(self, request: SentRequest) -> bool:
        if self._function is not None:
            return bool(self._function(request))
        if self._search is None:
            return True
        if self._is_searched:
            return self._search.search(request.url) is not None
        base, _, query = request.url.partition("?")
        # The path "/" may be left out, and a "*" may stand for nothing.
        forms = (
            (_path(base),) if self._is_path else (_without_slash(base), f"{base}/" if base.count("/") == 2 else base)
        )
        if not any(self._search.match(form) for form in forms):
            return False
        return self._query is None or _queries_match(self._query, query)


def _queries_match(expected: list[tuple[str, str]], query: str) -> bool:
    """Return whether a query has the same parameters, in any order. A ``*`` as a value stands for any value."""
    found = sorted(parse_qsl(query, keep_blank_values=True))
    return len(found) == len(expected) and all(
        name == other and value in ("*", given) for (name, value), (other, given) in zip(expected, found)
    )


def _without_slash(url: str) -> str:
    """Return a URL without the path ``/``, which may be left out."""
    return url[:-1] if url.endswith("/") and url.count("/") == 3 else url


def _path(base: str) -> str:
    path = base.partition("://")[2].partition("/")
    return f"/{path[2]}"

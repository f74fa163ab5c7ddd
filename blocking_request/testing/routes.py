"""FakeRoute: which requests get which replies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Callable, Optional, Union

from ..reply import ReplyContent
from .pattern import Pattern
from .reply import NOT_GIVEN, FakeReply, new_reply, reply_of
from .sent_request import SentRequest

ReplyFunction = Callable[[SentRequest], ReplyContent]
Source = Union[FakeReply, ReplyFunction]
"""A reply, or a function that returns one."""

DEFAULTS: dict[str, Any] = {
    "status": 200,
    "body": b"",
    "json": NOT_GIVEN,
    "headers": None,
    "reason": None,
    "delay": 0,
    "error": None,
}
"""The arguments that describe a reply."""

_OTHER_NAMES = {
    **dict.fromkeys(("text", "content", "data", "html", "stream"), "body=..."),
    "status_code": "status=...",
    "content_type": 'headers={"Content-Type": ...}',
    **dict.fromkeys(("params", "query", "match_querystring"), "a query in the url"),
    **dict.fromkeys(("exception", "exc", "side_effect"), "error=..., or a function as the reply"),
    "callback": "a function as the reply",
}
"""The names that other libraries for tests have for such arguments."""


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
        check_names(options, DEFAULTS, "FakeRoute.then")
        self._rule.sources.extend(sources_of(reply, {**DEFAULTS, **options}))
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
    ) -> None:
        """``times``: how many requests it serves; None: any number."""
        self._method = method
        self._pattern = pattern
        self._match = match
        self._times = times
        self.sources = sources
        """The replies, of which the last one is repeated."""
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
    return replace(reply_of(content), is_of_function=True)


def check_names(given: Mapping[str, Any], known: Iterable[str], method: str) -> None:
    """Raise TypeError if a method has no argument of a name that is given."""
    for name in given:
        if name not in known:
            advice = f": give {_OTHER_NAMES[name]}" if name in _OTHER_NAMES else ""
            raise TypeError(f"{method}() has no argument {name!r}{advice}")


def sources_of(reply: Any, options: Mapping[str, Any]) -> list[Source]:
    """Return the replies of a route. ``options``: all of ``DEFAULTS``. Raises TypeError, ValueError."""
    if reply is None:
        return [new_reply(**options)]
    other = [name for name, value in options.items() if value != DEFAULTS[name]]
    if other:
        raise TypeError(f"reply and {other[0]} are both given: give one of them")
    replies = reply if isinstance(reply, (list, tuple)) else [reply]
    if not replies:
        raise ValueError("reply is an empty list")
    return [_source(each) for each in replies]


def _source(reply: Any) -> Source:
    if isinstance(reply, ReplyContent):
        return reply_of(reply)
    if callable(reply):
        source: Source = reply
        return source
    raise TypeError(
        "reply must be a ReplyContent, from makeReply(), a function of the request or a list of them, "
        f"not {type(reply).__name__}: give body=, json= or status= instead"
    )

"""How old a stored response is and how long it is fresh (RFC 9111 section 4.2), for a cache of one user."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...models.headers import Fields
from .cache_control import MOST_SECONDS, Directives, seconds_of
from .http_date import parsed_date
from .store import StoredResponse

HEURISTIC_STATUSES = frozenset((200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501))
"""Of these a response may be fresh though it does not say so (RFC 9110 section 15.1)."""

HEURISTIC_SHARE = 0.1
"""Of the time since it was last modified (section 4.2.2)."""

MOST_HEURISTIC = 7 * 24 * 3600
"""Seconds for which a response without a lifetime may be fresh, as in Firefox."""

CLOCK_SECONDS = 60
"""Seconds by which the clock may go back. After more, the age of a stored response is not known any more."""


class Freshness(NamedTuple):
    age: float
    lifetime: float

    @property
    def left(self) -> float:
        """Seconds that it is still fresh; 0 and below: it is stale, and since when."""
        return self.lifetime - self.age


def freshness(response: StoredResponse, response_directives: Directives, now: float) -> Freshness:
    """Return how old and how fresh a response is. ``response_directives``: its own."""
    date = _date(response.fields, b"date", now)
    date = response.received if date is None else date
    if now < response.received - CLOCK_SECONDS:
        return Freshness(float(MOST_SECONDS), 0.0)
    return Freshness(_age(response, date, now), _lifetime(response, response_directives, date, now))


def _age(response: StoredResponse, date: float, now: float) -> float:
    """Section 4.2.3."""
    apparent = max(0.0, response.received - date)
    corrected = _age_field(response.fields) + max(0.0, response.received - response.requested)
    return max(apparent, corrected) + max(0.0, now - response.received)


def _age_field(fields: Fields) -> int:
    """Section 5.1: of several the first, and one that is no number is ignored."""
    value = fields.value(b"age")
    return 0 if value is None else seconds_of(value.partition(b",")[0].strip().decode("latin-1"))


def _lifetime(response: StoredResponse, response_directives: Directives, date: float, now: float) -> float:
    """Return the freshness lifetime in seconds (section 4.2.1). ``s-maxage`` is meant for shared caches, so it is
    ignored.
    """
    seconds = response_directives.seconds("max-age")
    if seconds is not None:
        return float(seconds)
    expires = response.fields.value(b"expires")
    if expires is not None:
        # One that is no date, as the usual "0", is in the past (section 5.3).
        moment = parsed_date(expires, now)
        return 0.0 if moment is None else max(0.0, moment - date)
    if response.status not in HEURISTIC_STATUSES and "public" not in response_directives:
        return 0.0
    modified = _date(response.fields, b"last-modified", now)
    return 0.0 if modified is None else min(max(0.0, date - modified) * HEURISTIC_SHARE, MOST_HEURISTIC)


def is_explicit(fields: Fields, response_directives: Directives) -> bool:
    """Whether it says itself how long it is fresh."""
    return "max-age" in response_directives or fields.value(b"expires") is not None


def _date(fields: Fields, name: bytes, now: float) -> Optional[float]:
    value = fields.value(name)
    return None if value is None else parsed_date(value, now)

"""Dates in header fields, in each of the three formats that were ever allowed (RFC 9110 section 5.6.7)."""

from __future__ import annotations

import calendar
import re
from email.utils import formatdate
from functools import lru_cache
from typing import Optional

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMATS = tuple(
    re.compile(text, re.IGNORECASE)
    for text in (
        rf"[A-Z]{{3}}, (?P<day>\d\d) (?P<month>[A-Z]{{3}}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[A-Z]{{6,9}}, (?P<day>\d\d)-(?P<month>[A-Z]{{3}})-(?P<year>\d\d) {_TIME} GMT",
        rf"[A-Z]{{3}} (?P<month>[A-Z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)


def parsed_date(value: bytes, now: float) -> Optional[float]:
    """Return the seconds since 1970, or None if the value is not a date. ``now`` tells the century of two digits."""
    return _parsed(value, int(now) // _YEAR)


_YEAR = 31556952


@lru_cache(maxsize=512)
def _parsed(value: bytes, years: int) -> Optional[float]:
    """``years``: how many have passed since 1970."""
    text = value.decode("latin-1").strip()
    match = next((match for match in (form.fullmatch(text) for form in _FORMATS) if match), None)
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    year = int(match["year"])
    if year < 100:
        # One that seems more than 50 years ahead was meant to be in the past.
        year += (1970 + years) // 100 * 100
        year -= 100 if year > 1970 + years + 50 else 0
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    month = _MONTHS.index(match["month"].lower()) + 1
    if year < 1 or not 1 <= day <= calendar.monthrange(year, month)[1] or hour > 23 or minute > 59 or second > 60:
        return None
    return float(calendar.timegm((year, month, day, hour, minute, second)))


def date_field(moment: float) -> bytes:
    """As a field has it."""
    return formatdate(moment, usegmt=True).encode()

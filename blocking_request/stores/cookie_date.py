"""Read the date of a cookie by the algorithm of RFC 6265 section 5.1.1, which accepts what browsers accept."""

from __future__ import annotations

import re
from calendar import monthrange, timegm
from typing import Optional

_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_YEAR = 1601


def cookie_date(text: str) -> Optional[int]:
    """Return the seconds since 1970, which are negative before it; None if the text is no date."""
    time = day = month = year = None
    for token in _DELIMITERS.split(text):
        # Each token is the first of these that has not been found, and that it can be.
        if time is None and (match := _TIME.match(token)):
            time = tuple(map(int, match.groups()))
        elif day is None and (match := _DAY.match(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.match(token)):
            year = int(match[1])
    if time is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    hour, minute, second = time
    if year < _FIRST_YEAR or not 1 <= day <= monthrange(year, month)[1] or hour > 23 or minute > 59 or second > 59:
        return None
    return timegm((year, month, day, hour, minute, second))

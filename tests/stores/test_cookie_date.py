"""Dates of cookies, by RFC 6265 section 5.1.1. Many are those of public bug reports."""

from __future__ import annotations

import time
from calendar import timegm
from datetime import datetime, timezone
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocking_request.stores.cookie_date import cookie_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed, 09 Jun 2021 10:18:14 GMT", (2021, 6, 9, 10, 18, 14)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
        ("Sun Nov  6 08:49:37 1994", (1994, 11, 6, 8, 49, 37)),
        ("Thu, 01-Jan-70 00:00:01 GMT", (1970, 1, 1, 0, 0, 1)),
        ("Tue Jan 01 2019 00:00:00 GMT+0100 (CET)", (2019, 1, 1, 0, 0, 0)),
        ("Tue, Jan 01 2019 00:00:00 GMT", (2019, 1, 1, 0, 0, 0)),
        ("Mon Dec 10 16:32:30 2007 GMT", (2007, 12, 10, 16, 32, 30)),
        ("Mon, 10 Dec 2007 0:0:00 GMT", (2007, 12, 10, 0, 0, 0)),
        ("15 Apr 21:01:22 2017", (2017, 4, 15, 21, 1, 22)),
        ("Sat, 15-Apr-17 21:01:22 GMT", (2017, 4, 15, 21, 1, 22)),
        ("Thursday, 01-January-1970 00:00:00", (1970, 1, 1, 0, 0, 0)),
        ("10 Dec 69 00:00:00", (2069, 12, 10, 0, 0, 0)),
        ("10 Dec 1601 00:00:00", (1601, 12, 10, 0, 0, 0)),
        ("29 Feb 2020 00:00:00", (2020, 2, 29, 0, 0, 0)),
        ("10th Dec 2007 17:02:24Z", (2007, 12, 10, 17, 2, 24)),
        ("2007 Dec 10 17:02:24", (2007, 12, 10, 17, 2, 24)),
        ("05-03-2016 00:00:00 GMT", None),
        ("2017-04-15 21:01:22", None),
        ("Fri, 07 Aug 2019", None),
        ("10 Dec 2007 24:00:00", None),
        ("10 Dec 2007 00:60:00", None),
        ("10 Dec 2007 00:00:60", None),
        ("10 Dec 2007 00:00", None),
        ("10 Dec 2007 000:00:00", None),
        ("32 Dec 2007 00:00:00", None),
        ("0 Dec 2007 00:00:00", None),
        ("29 Feb 2019 00:00:00", None),
        ("10 Dec 1600 00:00:00", None),
        ("10 Dec 20007 00:00:00", None),
        ("10 Deb 2007 00:00:00", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_cookie_date(text: str, expected: Optional[tuple[int, ...]]) -> None:
    assert cookie_date(text) == (None if expected is None else timegm((*expected, 0, 0, 0)))


@given(st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31)))
def test_every_date_in_the_form_of_http(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=timezone.utc)
    text = f"{moment:%a, %d %b} {moment.year:04} {moment:%H:%M:%S} GMT"
    assert cookie_date(text) == timegm(moment.timetuple())


@given(st.text("0123456789:-, JanDecGMT\x80", max_size=40))
def test_no_text_raises(text: str) -> None:
    cookie_date(text)


@pytest.mark.parametrize("unit", ["1", ":", " ", "1:", "10 ", "Jan ", "00:00:00"])
def test_linear_time(unit: str) -> None:
    began = time.monotonic()
    cookie_date(unit * (65_536 // len(unit)))
    assert time.monotonic() - began < 1

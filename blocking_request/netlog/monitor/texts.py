"""The texts of the monitor for one call: the cells of the table. They hold no secrets, because entries hold none."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any, Callable, NamedTuple

from ...errors import ErrorCode
from ...models.timings import Timings
from ...models.urls import end_of_host
from ..entry import NetworkEntry

STEPS = {
    "blocked": "Queued",
    "lookUp": "Look-up",
    "connect": "Connect",
    "tls": "TLS",
    "send": "Send",
    "wait": "Wait",
    "receive": "Receive",
}
"""The names of ``Timings``, in the order of the steps, and their names for a reader."""

LONGEST = 2000
"""Characters of one value that are shown: a header field may have 300 000."""

LARGEST = 1e15
"""Of a number that is shown. A HAR file may have NaN, an infinite time, or a size of 400 digits."""

_OUTCOMES = {
    ErrorCode.NetworkError: "failed",
    ErrorCode.TimeoutError: "timeout",
    ErrorCode.CanceledError: "canceled",
}


class Column(NamedTuple):
    """A column of the table."""

    title: str
    text: Callable[[NetworkEntry], str]
    key: Callable[[NetworkEntry], Any]
    """Its value for sorting; the values of one column can be compared."""
    is_number: bool = False
    """Whether the text stands at the right."""
    sample: str = ""
    """A wide text, for the width of the column."""


def bounded(text: str, longest: int = LONGEST) -> str:
    """Return the text, or its beginning if it is too long."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def finite(number: float) -> float:
    """Return a number that can be drawn and shown: from ``-LARGEST`` to ``LARGEST``, and 0.0 for NaN."""
    return 0.0 if number != number else float(min(max(number, -LARGEST), LARGEST))


def counted(number: int, noun: str) -> str:
    """Return a number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def status_text(entry: NetworkEntry) -> str:
    """Return how a call, or a request, has ended: the status code, or a word."""
    if not entry.isFinished():
        return "running"
    status = entry.statusCode()
    code = entry.errorCode()
    text = _OUTCOMES.get(code, "") if code is not ErrorCode.ServerExceptionError else ""
    if status is None:
        return text or "failed"
    status = int(finite(status))
    if text:
        return f"{status} {text}"
    return f"{status} cache" if entry.isFromCache() else str(status)


def is_failed(entry: NetworkEntry) -> bool:
    """Return whether a call has ended without a usable response."""
    return entry.isFinished() and entry.errorCode() is not ErrorCode.NoError


def path_text(entry: NetworkEntry) -> str:
    """Return the URL after the host."""
    url = entry.url()
    return bounded(url[end_of_host(url) :] or "/" if "://" in url else url)


def size_text(size: int) -> str:
    """Return a size of bytes with a unit; '' if it is not known."""
    if size < 0:
        return ""
    if size < 1000:
        return f"{size} B"
    value = finite(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def time_text(milliseconds: float) -> str:
    """Return a duration with a unit."""
    milliseconds = finite(milliseconds)
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.2f} s" if milliseconds < 99_500 else f"{milliseconds / 1000:.0f} s"


def moment_text(seconds: float) -> str:
    """Return the time of day in the time zone of this machine. ``seconds``: since 1970."""
    try:
        day = time.strftime("%H:%M:%S", time.localtime(seconds))
        thousandths = int(seconds * 1000) % 1000
    except (OSError, OverflowError, ValueError):  # of a HAR file with an odd date
        return ""
    return f"{day}.{thousandths:03d}"


def known_steps(timings: Timings) -> list[tuple[str, float]]:
    """Return the names and durations, in ms, of the steps that are known, in their order."""
    pairs = ((each.name, getattr(timings, each.name)) for each in fields(timings))
    return [(name, finite(value)) for name, value in pairs if value is not None]


def span_of(entry: NetworkEntry, now: float) -> tuple[float, float]:
    """Return when a call, or a request, has started and ended, in seconds since 1970. ``now``: the end if it runs."""
    start = finite(entry.started())
    return start, start + finite(entry.elapsed()) if entry.isFinished() else max(now, start)


def timings_text(entry: NetworkEntry) -> str:
    """Return the steps of each request of a call."""
    lines = []
    for each in entry.children()[:20] or [entry]:
        steps = ", ".join(f"{STEPS[name]} {time_text(value)}" for name, value in known_steps(each.timings()))
        total = time_text(each.elapsed() * 1000) if each.isFinished() else "running"
        lines.append(f"{each.kind()}: {total}{f' ({steps})' if steps else ''}")
    return "\n".join(lines)


def _size(entry: NetworkEntry) -> str:
    return size_text(entry.responseSize()) if entry.isFinished() and entry.statusCode() is not None else ""


def _time(entry: NetworkEntry) -> str:
    return time_text(entry.elapsed() * 1000) if entry.isFinished() else ""


def _time_key(entry: NetworkEntry) -> float:
    return finite(entry.elapsed()) if entry.isFinished() else float("inf")


def _requests(entry: NetworkEntry) -> int:
    return len(entry.children())


COLUMNS = (
    Column("Start", lambda entry: moment_text(entry.started()), lambda entry: 0, sample="00:00:00.000"),
    Column("Method", lambda entry: bounded(entry.method()), NetworkEntry.method, sample="OPTIONS"),
    Column("Status", status_text, status_text, sample="200 canceled"),
    Column("Host", lambda entry: bounded(entry.host()), NetworkEntry.host, sample="www.example.org"),
    Column("Path", path_text, path_text, sample="/data/items.json"),
    Column("Size", _size, NetworkEntry.responseSize, True, sample="99.9 MB"),
    Column("Time", _time, _time_key, True, sample="99.99 s"),
    Column("Engine", lambda entry: bounded(entry.engine()), NetworkEntry.engine, sample="python"),
    Column("Requests", lambda entry: str(_requests(entry)), _requests, True, sample="Requests"),
    Column("Timings", lambda entry: "", lambda entry: 0, sample="Timings │ 100 ms    "),
)
START, STATUS, PATH, TIMINGS = 0, 2, 4, len(COLUMNS) - 1
"""Places in ``COLUMNS``. ``START`` and ``TIMINGS`` are sorted by the order in which the calls have started."""
LESS_IMPORTANT = (8, 7, 0, 3, 5, 1)
"""Places of the columns that a narrow table hides, in this order: requests, engine, start, host, size, method."""

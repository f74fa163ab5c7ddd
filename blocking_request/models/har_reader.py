"""Reads documents of HAR 1.2, also those that a browser or another program has saved.

A document may hold any value at any place. Those that this package uses are checked here, so that no later code meets a
number that is not finite, a size that no integer of Qt can hold, or a date that ``datetime`` does not know.
"""

from __future__ import annotations

import json
import math
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Optional, Union

from .har import END, LATEST_MOMENT, HarEntry
from .headers import Pairs
from .timings import Timings

LARGEST = 1 << 53
"""No number may be larger. All programs can read integers up to it exactly (RFC 8259 section 6)."""
LONGEST_MS = 1e12
"""The longest time of an entry: 31 years."""
DEEPEST = 50
"""How deep values may be nested in our own members, which are written again."""

_OWN_BEGINNING = '{"log": {"version": "1.2", "creator": {"name": "blocking_request"'
"""Documents of this package begin so. They have one entry a line."""


def entries_of(content: Union[str, bytes]) -> list[HarEntry]:
    """Return the entries of a document. ``content``: a text, or the bytes of a file, which may have a byte order mark.

    Of a document of this package that is cut off, they are the entries that are whole. Raises ValueError, which says
    what is wrong with it.
    """
    try:
        text = content if isinstance(content, str) else _decoded(content)
        try:
            parsed = _parsed(text)
        except json.JSONDecodeError as error:
            whole = _without_cut_line(text)
            if whole is None:
                raise ValueError(f"it is not JSON: {error}") from None
            parsed = _parsed(whole)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("its values are nested too deep") from None
    log = parsed.get("log") if isinstance(parsed, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it is not HAR: it has no log.entries")
    return [_checked_entry(entry, number) for number, entry in enumerate(entries)]


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_not_huge)


def _decoded(content: bytes) -> str:
    """Return the text of a file. Raises UnicodeDecodeError."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            raise
        return content[: error.start].decode("utf-8-sig")  # it is cut off within a character


def _without_cut_line(text: str) -> Optional[str]:
    """Return a document of this package without its last entry, which is cut off; None if it is another document.

    If a process is killed while it writes, Linux may write a part: it looks for the signal after each 4096 bytes.
    """
    last = text.rfind("\n{")
    return text[:last].rstrip(",") + END if text.startswith(_OWN_BEGINNING) and last > 0 else None


def _no_number(name: str) -> float:
    raise ValueError(f"it has {name}, which is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"it has the number {digits[:40]}, which is too large")
    return number


def _not_huge(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > LARGEST:  # a long text takes quadratic time to convert
        raise ValueError(f"it has the number {digits[:40]}, which is too large")
    return int(digits)


def _checked_entry(entry: Any, number: int) -> HarEntry:
    try:
        return _entry(entry)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"the entry {number} is not one of HAR 1.2: {what}") from None


_PORT = re.compile("[0-9]{1,5}")


def _entry(entry: Mapping[str, Any]) -> HarEntry:
    """Return the entry of an object of JSON. Raises KeyError, TypeError, ValueError or AttributeError."""
    request, response = entry["request"], entry["response"]
    post, content = request.get("postData") or {}, response.get("content") or {}
    sent = _bytes(post, post.get("_encoding") or post.get("encoding"))
    kept = _bytes(content, content.get("encoding"))
    if sent is None and post.get("params"):
        pairs = (f"{each['name']}={each.get('value', '')}" for each in post["params"])
        sent = "&".join(pairs).encode("utf-8", "surrogatepass")
    port = str(entry.get("connection") or "")  # some programs write another number here
    port_number = int(port) if _PORT.fullmatch(port) else 0
    address = entry.get("serverIPAddress")
    return HarEntry(
        method=str(request["method"]),
        url=str(request["url"]),
        started=_moment(entry.get("startedDateTime")),
        seconds=_milliseconds(entry.get("time"), "time") / 1000,
        request_headers=_pairs(request),
        request_body=sent,
        request_size=_size(request, "bodySize"),
        status=_status(response.get("status")),
        reason=str(response.get("statusText") or ""),
        http_version=str(response.get("httpVersion") or ""),
        response_headers=_pairs(response),
        response_body=kept,
        response_size=_size(content, "size"),
        encoded_size=_size(response, "bodySize"),
        timings=_timings(entry.get("timings") or {}),
        peer=(str(address), port_number if port_number < 1 << 16 else 0) if address else None,
        error=str(entry.get("_error") or response.get("_error") or ""),
        comment=str(entry.get("comment") or ""),
        extra={name: _shallow(value) for name, value in entry.items() if name.startswith("_") and name != "_error"},
    )


def _number(value: Any, name: str, most: float) -> float:
    """Return a number, which some programs write as a text. Raises TypeError, ValueError."""
    number = float(value)
    if not abs(number) <= most:  # also if it is not a number
        raise ValueError(f"its {name} is {str(value)[:40]}, and not a number up to {most:.0f}")
    return number


def _size(message: Mapping[str, Any], name: str) -> int:
    """Return a size in bytes; -1 if it is not known."""
    value = message.get(name)
    return -1 if value is None else max(int(_number(value, name, LARGEST)), -1)


def _status(value: Any) -> int:
    """Return a status code; 0: there was no response, for which some programs write -1."""
    return max(int(_number(value or 0, "status", 999)), 0)


def _milliseconds(value: Any, name: str) -> float:
    return max(_number(value or 0, name, LONGEST_MS), 0.0)


def _shallow(value: Any) -> Any:
    """Return a value of ours. Raises ValueError if it is nested too deep to be written again."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return value
    raise ValueError(f"a value of it is nested more than {DEEPEST} deep")


def _bytes(body: Mapping[str, Any], encoding: Any) -> Optional[bytes]:
    text = body.get("text")
    if text is None:
        return None
    return b64decode(text, validate=True) if encoding == "base64" else str(text).encode("utf-8", "surrogatepass")


def _pairs(message: Mapping[str, Any]) -> Pairs:
    """Return the header fields. Browsers join the values of a field by a line end, and have pseudo-fields of HTTP/2."""
    return tuple(
        (str(each["name"]).encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for each in message.get("headers") or ()
        if not str(each["name"]).startswith(":")
        for value in str(each.get("value", "")).split("\n")
    )


def _timings(timings: Mapping[str, Any]) -> Timings:
    def known(name: str) -> Optional[float]:
        value = timings.get(name)
        number = -1.0 if value is None else _number(value, name, LONGEST_MS)
        return None if number < 0 else number

    connect, tls = known("connect"), known("ssl")
    if connect is not None and tls is not None:
        connect = max(connect - tls, 0.0)
    return Timings(known("blocked"), known("dns"), connect, tls, known("send"), known("wait"), known("receive"))


_FRACTION = re.compile(r"\.(\d+)")


def _moment(text: Any) -> float:
    """Return the seconds since 1970; 0.0 if it is no moment, or one that no time zone can show."""
    # Python before 3.11 knows neither the letter Z nor fractions of other than three or six digits.
    text = _FRACTION.sub(lambda match: f".{match[1]:0<6.6}", str(text)).replace("Z", "+00:00")
    try:
        seconds = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
    return seconds if 0.0 <= seconds < LATEST_MOMENT - LONGEST_MS / 1000 else 0.0

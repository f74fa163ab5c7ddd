"""A part of what was kept whole, for who asks for a range of it (RFC 9110 section 14)."""

from __future__ import annotations

import re
from typing import Optional

from ...models.headers import known_fields
from ...models.http_messages import Request, Response

_RANGE = re.compile(rb"bytes\s*=\s*(?:(\d{1,18})\s*)?-\s*(?:(\d{1,18})\s*)?", re.IGNORECASE)


def part_of(request: Request, whole: Response) -> Optional[Response]:
    """``whole``: the response to a GET. None for what is left to the server: several ranges, one that is not there, and
    one of a body whose content coding is undone, because ranges are counted in coded bytes.
    """
    fields = {name.lower(): value for name, value in request.headers}
    if whole.status != 200 or whole.headers.value(b"content-encoding") is not None:
        return None
    if not _is_wanted(fields.get(b"if-range"), whole):
        return None
    limits = _limits(fields.get(b"range", b""), len(whole.body))
    if limits is None:
        return None
    start, end = limits
    part = whole.body[start:end]
    others = (pair for pair in whole.headers.pairs if pair[0].lower() not in (b"content-length", b"content-range"))
    size = b"%d" % len(part)
    told = (b"Content-Length", size), (b"Content-Range", b"bytes %d-%d/%d" % (start, end - 1, len(whole.body)))
    headers = known_fields((*others, *told))
    return whole._replace(
        status=206,
        reason="Partial Content",
        headers=headers,
        body=part,
        encoded_bytes=len(part),
        total_bytes=len(part),
    )


def _is_wanted(condition: Optional[bytes], whole: Response) -> bool:
    """Whether ``If-Range`` names just this (section 13.1.5): by a strong tag, or by the date to the letter."""
    if condition is None:
        return True
    named = whole.headers.value(b"etag" if condition.startswith(b'"') else b"last-modified")
    return named == condition


def _limits(value: bytes, size: int) -> Optional[tuple[int, int]]:
    """Where the range begins, and where it is over (section 14.1.2)."""
    match = _RANGE.fullmatch(value.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, end = max(size - int(match[2]), 0), size
    else:
        start, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    return (start, end) if start < end else None

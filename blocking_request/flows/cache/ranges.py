"""A part of a complete stored response, for a request with a ``Range`` (RFC 9110 section 14)."""

from __future__ import annotations

import re
from typing import Optional

from ...models.headers import known_fields
from ...models.http_messages import Request, Response

_RANGE = re.compile(rb"bytes\s*=\s*(?:(\d{1,18})\s*)?-\s*(?:(\d{1,18})\s*)?", re.IGNORECASE)


def part_of(request: Request, complete: Response) -> Optional[Response]:
    """Return the range of ``complete``, the response to a GET.

    Returns None if the server must answer: several ranges, one that does not exist, or a decoded body, because ranges
    are counted in encoded bytes.
    """
    fields = {name.lower(): value for name, value in request.headers}
    if complete.status != 200 or complete.headers.value(b"content-encoding") is not None:
        return None
    if not _if_range_matches(fields.get(b"if-range"), complete):
        return None
    limits = _limits(fields.get(b"range", b""), len(complete.body))
    if limits is None:
        return None
    start, end = limits
    part = complete.body[start:end]
    others = (pair for pair in complete.headers.pairs if pair[0].lower() not in (b"content-length", b"content-range"))
    size = b"%d" % len(part)
    content_range = b"bytes %d-%d/%d" % (start, end - 1, len(complete.body))
    headers = known_fields((*others, (b"Content-Length", size), (b"Content-Range", content_range)))
    return complete._replace(
        status=206,
        reason="Partial Content",
        headers=headers,
        body=part,
        encoded_bytes=len(part),
        total_bytes=len(part),
    )


def _if_range_matches(condition: Optional[bytes], complete: Response) -> bool:
    """Return whether ``If-Range`` names this response (section 13.1.5): by a strong tag, or by the exact date."""
    if condition is None:
        return True
    validator = complete.headers.value(b"etag" if condition.startswith(b'"') else b"last-modified")
    return validator == condition


def _limits(value: bytes, size: int) -> Optional[tuple[int, int]]:
    """Return the beginning and the end of the range (section 14.1.2); None if it does not exist."""
    match = _RANGE.fullmatch(value.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, end = max(size - int(match[2]), 0), size
    else:
        start, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    return (start, end) if start < end else None

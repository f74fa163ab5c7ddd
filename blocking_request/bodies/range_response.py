"""Tells whether a response to a request with ``Range`` is the rest of the part, another part, or the whole file."""

from __future__ import annotations

import re
from typing import Optional

from ..models.http_messages import Response
from .download_files import ResumePoint

_CONTENT_RANGE = re.compile(rb"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_ANY_RANGE = re.compile(rb"(?i)bytes[=:]?(\d{1,18})-(\d{1,18})?(?:/(\d{1,18}|\*))?")
"""Content-Range in the form of servers that do not follow the RFC, without white space."""
_UNSATISFIED = re.compile(rb"bytes\s+\*/(\d{1,18})")


def continues_part(response: Response, resume_point: ResumePoint) -> bool:
    """Return whether a 206 is the rest of the part (RFC 9110 sections 15.3.7 and 15.3.7.3).

    It must name the same version: a server that does not know If-Range sends a part of any version.
    """
    match = _CONTENT_RANGE.fullmatch((response.headers.value(b"content-range") or b"").strip())
    if match is None or int(match[1]) != resume_point.size:
        return False
    is_total = resume_point.total < 0 or match[3] == b"*" or int(match[3]) == resume_point.total
    return is_total and _validator(response, resume_point) == resume_point.validator


def is_part(response: Response, resume_point: Optional[ResumePoint]) -> bool:
    """Return whether the body of a response of another status than 206 is, or may be, not the whole file.

    ``resume_point``: the part whose rest was requested. Content-Range has no meaning there (RFC 9110 section 14.4). But
    a server that sends one has sent a part, however it is written. A part without it is recognized by the size: one
    version has one size (section 8.8.1).
    """
    if resume_point is not None and resume_point.total >= 0:
        is_same = _validator(response, resume_point) == resume_point.validator
        if is_same and response.total_bytes != resume_point.total:
            return True
    match = _ANY_RANGE.fullmatch(b"".join((response.headers.value(b"content-range") or b"").split()))
    if match is None:
        return False
    is_whole = match[2] is None or match[3] in (None, b"*") or int(match[2]) + 1 == int(match[3])
    return int(match[1]) != 0 or not is_whole


def _validator(response: Response, resume_point: ResumePoint) -> Optional[str]:
    """Return the validator of the response, of the same kind as the part's; None if it has none."""
    is_tag = resume_point.validator.startswith('"')
    validator = response.headers.value(b"etag" if is_tag else b"last-modified")
    return None if validator is None else validator.decode("latin-1")


def whole_size(response: Response) -> int:
    """Return the size of the whole file; -1 if the response does not say it."""
    if response.status != 206:
        return response.total_bytes
    match = _CONTENT_RANGE.fullmatch((response.headers.value(b"content-range") or b"").strip())
    return -1 if match is None or match[3] == b"*" else int(match[3])


def is_part_complete(response: Response, resume_point: ResumePoint) -> bool:
    """Return whether a 416 means that the part is complete already."""
    match = _UNSATISFIED.fullmatch((response.headers.value(b"content-range") or b"").strip())
    if match is None or int(match[1]) != resume_point.size:
        return False
    # Few servers name the version in a 416. Otherwise the part must have the size that the first response announced.
    version = _validator(response, resume_point)
    return version == resume_point.validator or (version is None and resume_point.total == resume_point.size)

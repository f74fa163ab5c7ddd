"""What a cache may keep, what of it, and what a later response changes in it (RFC 9111 sections 3 and 4.3.4)."""

from __future__ import annotations

from typing import Optional

from ...models.headers import Fields, Pairs, known_fields
from ...models.http_messages import Request, Response
from .cache_control import Directives
from .freshness import HEURISTIC_STATUSES, is_explicit
from .http_date import date_field, parsed_date
from .store import CacheStore, StoredResponse, opaque, varying

_UNDERSTOOD = frozenset((*HEURISTIC_STATUSES, 302, 303, 307, 400, 403, 500, 502, 503, 504)) - {206}

_NEVER_KEPT_STATUSES = frozenset((206, 304, 401, 407))
"""A part, what is no response by itself, and the questions that a later request may answer otherwise."""

_NEVER_KEPT = frozenset(
    (
        # Of the connection, not of the response (section 3.1).
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        # Of the one request, and secrets: a jar would take an old one for a new one.
        b"set-cookie",
        b"set-cookie2",
        b"authentication-info",
    )
)

_NEEDED = frozenset((b"cache-control", b"expires", b"vary", b"etag", b"last-modified"))
"""Whoever names these in ``Connection`` must not make something fresh of what is not."""

_OF_THE_BODY = frozenset((b"content-encoding", b"content-length", b"content-md5", b"content-range", b"etag"))
"""What a 304 cannot change: the body is the one that was kept, its coding undone (section 3.2)."""


def may_be_kept(request: Request, response: Response, asked: Directives, said: Directives) -> bool:
    """``asked``: the request's directives, ``said``: the response's (section 3)."""
    status = response.status or 0
    if request.method != "GET" or response.failure is not None or status < 200 or status in _NEVER_KEPT_STATUSES:
        return False
    if "no-store" in asked or ("no-store" in said and "must-understand" not in said):
        return False
    if "must-understand" in said and status not in _UNDERSTOOD:
        return False
    if response.tls is not None and response.tls.session.errors:
        # From somebody whose certificate is not right, whoever has accepted that.
        return False
    says_so = is_explicit(response.headers, said) or "public" in said or "private" in said
    return says_so or status in HEURISTIC_STATUSES


def stored_response(
    request: Request, response: Response, store: CacheStore, implied: Pairs, requested: float, received: float
) -> Optional[StoredResponse]:
    """None where no later request can be known to match (section 4.1)."""
    vary = varying(request, response, store, implied)
    if vary is None:
        return None
    return StoredResponse(
        response.status or 0,
        response.reason,
        known_fields(_dated(_kept(response.headers), received)),
        requested,
        received,
        vary,
        request.decode,
        response.encoded_bytes,
        response.total_bytes,
        response.body,
    )


def _kept(fields: Fields) -> Pairs:
    named = (fields.value(b"connection") or b"").split(b",")
    dropped = _NEVER_KEPT | ({name.strip().lower() for name in named} - _NEEDED)
    return tuple(pair for pair in fields.pairs if pair[0].lower() not in dropped)


def _dated(pairs: Pairs, received: float) -> Pairs:
    """Who keeps a response without a date gives it one (RFC 9110 section 6.6.1)."""
    if any(name.lower() == b"date" and parsed_date(value, received) is not None for name, value in pairs):
        return pairs
    others = (pair for pair in pairs if pair[0].lower() != b"date")
    return (*others, (b"Date", date_field(received)))


def is_confirmed(stored: StoredResponse, response: Response) -> bool:
    """Whether a 304 speaks of what was kept (section 4.3.4)."""
    tag = response.headers.value(b"etag")
    kept = stored.fields.value(b"etag")
    return tag is None or kept is None or opaque(tag) == opaque(kept)


def speaks_of(stored: StoredResponse, response: Response, request: Request) -> bool:
    """Whether a 304 to the caller's own condition speaks of what was kept, and not of what the caller has."""
    tag, kept = response.headers.value(b"etag"), stored.fields.value(b"etag")
    if tag is not None:
        return tag == kept
    asked = {name.lower(): value for name, value in request.headers}
    if b"if-none-match" in asked:
        return asked[b"if-none-match"] == kept
    return asked.get(b"if-modified-since") == stored.fields.value(b"last-modified")


def is_same_representation(stored: StoredResponse, head: Response) -> bool:
    """Whether the response to a HEAD speaks of what was kept (section 4.3.5)."""
    for name in (b"etag", b"last-modified", b"content-length"):
        told, kept = head.headers.value(name), stored.fields.value(name)
        if told is not None and told != kept:
            return False
    return head.status == stored.status


def freshened(stored: StoredResponse, response: Response, requested: float, received: float) -> StoredResponse:
    """What was kept with the fields of a later response (section 3.2)."""
    news = tuple(pair for pair in _kept(response.headers) if pair[0].lower() not in _OF_THE_BODY)
    names = {name.lower() for name, _ in news} | {b"age", b"date"}
    fields = _dated((*(pair for pair in stored.fields.pairs if pair[0].lower() not in names), *news), received)
    return stored._replace(fields=known_fields(fields), requested=requested, received=received)

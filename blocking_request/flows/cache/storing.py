"""Decides whether a response may be stored, and updates stored responses (RFC 9111 sections 3 and 4.3.4)."""

from __future__ import annotations

from typing import Optional

from ...models.headers import Fields, Pairs, known_fields
from ...models.http_messages import Request, Response
from .cache_control import Directives
from .freshness import HEURISTIC_STATUSES, is_explicit
from .http_date import date_field, parsed_date
from .store import CacheStore, StoredResponse, opaque, varying

_UNDERSTOOD_STATUSES = frozenset((*HEURISTIC_STATUSES, 302, 303, 307, 400, 403, 500, 502, 503, 504)) - {206}

_NEVER_STORED_STATUSES = frozenset((206, 304, 401, 407))
"""A part, a 304, and challenges, which a later request may get no more."""

_NEVER_STORED = frozenset(
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

_ALWAYS_STORED = frozenset((b"cache-control", b"expires", b"vary", b"etag", b"last-modified"))
"""These are stored even if ``Connection`` names them: without them a stale response could be taken for fresh."""

_BODY_FIELDS = frozenset((b"content-encoding", b"content-length", b"content-md5", b"content-range", b"etag"))
"""A 304 cannot change these: they describe the body that is stored, decoded (section 3.2)."""


def may_be_stored(
    request: Request, response: Response, request_directives: Directives, response_directives: Directives
) -> bool:
    """Return whether a response may be stored (section 3)."""
    status = response.status or 0
    if request.method != "GET" or response.failure is not None or status < 200 or status in _NEVER_STORED_STATUSES:
        return False
    must_understand = "must-understand" in response_directives
    if "no-store" in request_directives or ("no-store" in response_directives and not must_understand):
        return False
    if must_understand and status not in _UNDERSTOOD_STATUSES:
        return False
    if response.tls is not None and response.tls.session.errors:
        # The certificate of the server is not valid, even if the user has accepted it.
        return False
    if is_explicit(response.headers, response_directives):
        return True
    return "public" in response_directives or "private" in response_directives or status in HEURISTIC_STATUSES


def stored_response(
    request: Request, response: Response, store: CacheStore, default_headers: Pairs, requested: float, received: float
) -> Optional[StoredResponse]:
    """Return the response to store; None if no later request can be known to match (section 4.1)."""
    vary = varying(request, response, store, default_headers)
    if vary is None:
        return None
    return StoredResponse(
        status=response.status or 0,
        reason=response.reason,
        fields=known_fields(_with_date(_stored_fields(response.headers), received)),
        requested=requested,
        received=received,
        vary=vary,
        is_decoded=request.decode,
        encoded_bytes=response.encoded_bytes,
        total_bytes=response.total_bytes,
        body=response.body,
    )


def _stored_fields(fields: Fields) -> Pairs:
    connection_options = (fields.value(b"connection") or b"").split(b",")
    dropped = _NEVER_STORED | ({name.strip().lower() for name in connection_options} - _ALWAYS_STORED)
    return tuple(pair for pair in fields.pairs if pair[0].lower() not in dropped)


def _with_date(pairs: Pairs, received: float) -> Pairs:
    """Add the date to a response without one, as RFC 9110 section 6.6.1 demands of a cache."""
    if any(name.lower() == b"date" and parsed_date(value, received) is not None for name, value in pairs):
        return pairs
    others = (pair for pair in pairs if pair[0].lower() != b"date")
    return (*others, (b"Date", date_field(received)))


def validator_matches(stored: StoredResponse, response: Response) -> bool:
    """Return whether a 304 has the validator of the stored response (section 4.3.4)."""
    tag = response.headers.value(b"etag")
    stored_tag = stored.fields.value(b"etag")
    return tag is None or stored_tag is None or opaque(tag) == opaque(stored_tag)


def is_304_for(stored: StoredResponse, response: Response, request: Request) -> bool:
    """Return whether a 304 to a condition of the caller is about the stored response, and not about the caller's."""
    tag, stored_tag = response.headers.value(b"etag"), stored.fields.value(b"etag")
    if tag is not None:
        return tag == stored_tag
    fields = {name.lower(): value for name, value in request.headers}
    if b"if-none-match" in fields:
        return fields[b"if-none-match"] == stored_tag
    since = fields.get(b"if-modified-since")
    return since is not None and since == stored.fields.value(b"last-modified")


def is_same_representation(stored: StoredResponse, head: Response) -> bool:
    """Return whether the response to a HEAD is about the stored response (section 4.3.5)."""
    for name in (b"etag", b"last-modified", b"content-length"):
        value = head.headers.value(name)
        if value is not None and value != stored.fields.value(name):
            return False
    return head.status == stored.status


def update_stored(stored: StoredResponse, response: Response, requested: float, received: float) -> StoredResponse:
    """Return the stored response with the fields of a later one (section 3.2)."""
    updates = tuple(pair for pair in _stored_fields(response.headers) if pair[0].lower() not in _BODY_FIELDS)
    names = {name.lower() for name, _ in updates} | {b"age", b"date"}
    fields = _with_date((*(pair for pair in stored.fields.pairs if pair[0].lower() not in names), *updates), received)
    return stored._replace(fields=known_fields(fields), requested=requested, received=received)

"""Decides whether a stored response may be served: as it is, after a validation, or in the place of an error (RFC 9111
section 4).
"""

from __future__ import annotations

from enum import Enum
from typing import Optional

from ...models.failure import QtNetworkError
from ...models.header_parameters import split_unquoted
from ...models.headers import known_fields
from ...models.http_messages import Request, Response
from .cache_control import Directives, directives
from .freshness import Freshness, freshness
from .http_date import parsed_date
from .load_control import CacheLoadControl
from .store import StoredResponse, opaque


class Reuse(Enum):
    """How a stored response may be used."""

    SERVE = 1
    SERVE_STALE_WHILE_REVALIDATE = 2
    """Serve it, and validate it in the background (RFC 5861 section 3)."""
    VALIDATE = 3


def reuse(stored: StoredResponse, request_directives: Directives, load_control: CacheLoadControl, now: float) -> Reuse:
    """Return how a stored response may be used. ``request_directives``: the directives of the request."""
    stored_directives = directives(stored.fields)
    if _must_always_validate(stored_directives):
        return Reuse.VALIDATE
    age = freshness(stored, stored_directives, now)
    if load_control is CacheLoadControl.AlwaysCache:
        return Reuse.SERVE if age.left > 0 or not _must_revalidate(stored_directives) else Reuse.VALIDATE
    if "no-cache" in request_directives:
        return Reuse.VALIDATE
    # It is fresh, and the request may want a fresher one.
    if age.left > 0:
        return Reuse.SERVE if _is_fresh_enough(age, request_directives, stored_directives) else Reuse.VALIDATE
    # It is stale: PreferNetwork and must-revalidate forbid it, max-stale of the request may allow it.
    if load_control is CacheLoadControl.PreferNetwork or _must_revalidate(stored_directives):
        return Reuse.VALIDATE
    is_stale_allowed = _allows_staleness(request_directives, "max-stale", -age.left, without_value=True)
    if is_stale_allowed and _meets_request(age, request_directives):
        return Reuse.SERVE
    if "max-age" in request_directives or "min-fresh" in request_directives:
        return Reuse.VALIDATE
    if _allows_staleness(stored_directives, "stale-while-revalidate", -age.left):
        return Reuse.SERVE_STALE_WHILE_REVALIDATE
    return Reuse.VALIDATE


def _is_fresh_enough(age: Freshness, request_directives: Directives, stored_directives: Directives) -> bool:
    """Return whether a fresh response satisfies max-age and min-fresh of the request (section 5.2.1)."""
    min_fresh = request_directives.seconds("min-fresh")
    if min_fresh is not None and age.left < min_fresh:
        return False
    is_reload = request_directives.seconds("max-age") == 0
    is_immutable = "immutable" in stored_directives  # RFC 8246 section 2
    return _meets_request(age, request_directives) or (is_reload and is_immutable)


def _meets_request(age: Freshness, request_directives: Directives) -> bool:
    max_age = request_directives.seconds("max-age")
    return max_age is None or age.age <= max_age


def _must_always_validate(stored_directives: Directives) -> bool:
    """Return whether no-cache stands there (section 5.2.2.4).

    With field names it only keeps these fields out of a response that was not validated.
    """
    return "no-cache" in stored_directives and not stored_directives.fields("no-cache")


def _must_revalidate(stored_directives: Directives) -> bool:
    """Section 5.2.2.2. ``proxy-revalidate`` is for caches that many users share."""
    return "must-revalidate" in stored_directives


def _allows_staleness(message_directives: Directives, name: str, seconds: float, without_value: bool = False) -> bool:
    if name not in message_directives:
        return False
    if without_value and message_directives.values[name] is None:
        return True
    return seconds <= (message_directives.seconds(name) or 0)


ERROR_STATUSES = frozenset((500, 502, 503, 504))

_UNREACHABLE = frozenset(
    (
        QtNetworkError.ConnectionRefusedError,
        QtNetworkError.RemoteHostClosedError,
        QtNetworkError.HostNotFoundError,
        QtNetworkError.TimeoutError,
        QtNetworkError.TemporaryNetworkFailureError,
        QtNetworkError.UnknownNetworkError,
        QtNetworkError.ProxyConnectionRefusedError,
        QtNetworkError.ProxyConnectionClosedError,
        QtNetworkError.ProxyNotFoundError,
        QtNetworkError.ProxyTimeoutError,
    )
)
"""TLS and body errors are not among these: a stale response must not hide them."""


def may_serve_on_error(
    stored: StoredResponse,
    response: Response,
    request_directives: Directives,
    load_control: CacheLoadControl,
    now: float,
) -> bool:
    """Return whether a stored response may be served in the place of an error (RFC 5861 section 4)."""
    failure = response.failure
    is_out_of_reach = failure is not None and failure.error in _UNREACHABLE and not failure.ends_the_call
    is_error = is_out_of_reach or (failure is None and response.status in ERROR_STATUSES)
    if not is_error or load_control is CacheLoadControl.PreferNetwork:
        return False
    stored_directives = directives(stored.fields)
    if _must_revalidate(stored_directives) or _must_always_validate(stored_directives):
        return False
    staleness = -freshness(stored, stored_directives, now).left
    return any(_allows_staleness(each, "stale-if-error", staleness) for each in (stored_directives, request_directives))


def response_from_cache(
    request: Request, stored: StoredResponse, body: bytes, now: float, validation: Optional[Response] = None
) -> Response:
    """Make a response from a stored one. ``validation``: the 304 that allows it."""
    stored_directives = directives(stored.fields)
    age = freshness(stored, stored_directives, now)
    pairs = stored.fields.pairs
    if validation is None:
        dropped = {b"age", *stored_directives.fields("no-cache")}
        remaining = (pair for pair in pairs if pair[0].lower() not in dropped)
        pairs = (*remaining, (b"Age", b"%d" % age.age))
    elif validation.headers.has_set_cookie:
        pairs += tuple(pair for pair in validation.headers.pairs if pair[0].lower() == b"set-cookie")
    return Response(
        request=request,
        status=stored.status,
        reason=stored.reason,
        headers=known_fields(pairs),
        body=body,
        engine="" if validation is None else validation.engine,
        http2=validation is not None and validation.http2,
        encoded_bytes=0 if request.method == "HEAD" else stored.encoded_bytes,
        total_bytes=stored.total_bytes,
        tls=None if validation is None else validation.tls,
        from_cache=True,
        expires=now + age.left,
        trace=None if validation is None else validation.trace,
    )


def validators(stored: StoredResponse) -> tuple[tuple[bytes, bytes], ...]:
    """Return the conditions that validate a stored response (section 4.3.1); none if it has no validator."""
    tag, modified = stored.fields.value(b"etag"), stored.fields.value(b"last-modified")
    fields = [] if tag is None else [(b"If-None-Match", tag)]
    if modified is not None:
        fields.append((b"If-Modified-Since", modified))
    return tuple(fields)


def is_not_modified(request: Request, stored: StoredResponse, now: float) -> bool:
    """Return whether If-None-Match or If-Modified-Since shows that the caller has the response (section 4.3.2)."""
    if stored.status != 200:
        return False  # a condition counts only if the status would be 200 (RFC 9110 section 13.2.1)
    tag_lists = [value for name, value in request.headers if name.lower() == b"if-none-match"]
    if tag_lists:
        wanted = b",".join(tag_lists).decode("latin-1")
        tags = {opaque(each.encode("latin-1")) for each in split_unquoted(wanted, ",")}
        tag = stored.fields.value(b"etag")
        return b"*" in tags or (tag is not None and opaque(tag) in tags)
    dates = [value for name, value in request.headers if name.lower() == b"if-modified-since"]
    since = parsed_date(dates[-1], now) if dates else None
    modified = parsed_date(stored.fields.value(b"last-modified") or stored.fields.value(b"date") or b"", now)
    return since is not None and modified is not None and modified <= since


_OF_A_304 = frozenset((b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary", b"age"))


def not_modified(response: Response) -> Response:
    """Return the 304 for a caller that has the stored response already (RFC 9110 section 15.4.5)."""
    fields = tuple(pair for pair in response.headers.pairs if pair[0].lower() in _OF_A_304)
    return response._replace(status=304, reason="Not Modified", headers=known_fields(fields), body=b"", encoded_bytes=0)

"""Serves stored responses if HTTP allows it; otherwise validates them, or sends the request and stores the response.

Theory of operation: RFC 9111, as the cache of one user ("private"). Only the handler of certificate errors lies between
the cache and the engines, so the cache sees the cookies and credentials that are sent. Responses are
stored by URL and partition key, so no user gets the response of another. Clock and store are passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Callable, Optional
from urllib.parse import urldefrag

from ...models.failure import QtNetworkError, network_failure
from ...models.headers import NO_FIELDS, Pairs, known_fields
from ...models.http_messages import Request, Response
from ...models.redaction import hidden_repr
from ...models.urls import origin, redirect_target
from .. import Flow, Send, send_directly
from .cache_control import Directives, directives
from .freshness import freshness
from .load_control import CacheLoadControl
from .ranges import part_of
from .reuse import (
    Reuse,
    is_not_modified,
    may_serve_on_error,
    not_modified,
    response_from_cache,
    reuse,
    validators,
)
from .store import CacheStore, StoredResponse, matches
from .storing import (
    is_304_for,
    is_same_representation,
    may_be_stored,
    stored_response,
    update_stored,
    validator_matches,
)

_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
"""RFC 9110 section 9.2.1."""

CALLER_CONDITIONS = frozenset((b"if-none-match", b"if-modified-since"))
UNCACHEABLE_CONDITIONS = frozenset((b"if-match", b"if-unmodified-since"))
"""Conditions that only the server can evaluate (section 4.3.2)."""

UNINFORMATIVE_STATUSES = frozenset((206, 304, 401, 407, 408, 425, 429))
"""These say nothing about the stored response: a part of it, or a demand of the server."""

RANGE_FIELDS = frozenset((b"range", b"if-range"))


@dataclass(frozen=True)
class CacheRules:
    """The cache of a call, and how the call uses it."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    store: CacheStore
    partition_key: Callable[[Request], Optional[bytes]]
    """Returns the partition key of the response; None if the response must not be stored."""
    now: Callable[[], float]
    """Seconds since 1970."""
    default_headers: Pairs = ()
    """Fields that the engine adds if a request does not have them; names in lower case."""
    load_control: CacheLoadControl = CacheLoadControl.PreferCache
    may_store: bool = True
    validate_later: Callable[[Request, CacheRules], None] = lambda request, rules: None
    """Validates a response that was served stale, in the background."""


def with_cache(request: Request, rules: CacheRules, send: Send = send_directly) -> Flow:
    """Serve a stored response, or send the request and store the response."""
    url = urldefrag(request.url).url
    if request.is_retry and rules.load_control is not CacheLoadControl.AlwaysCache:
        # A retry must not get the stored response again.
        rules = replace(rules, load_control=CacheLoadControl.AlwaysNetwork)
    if request.method not in _SAFE_METHODS:
        if rules.load_control is CacheLoadControl.AlwaysCache:
            return _missing(request)
        response = yield from send(request)
        _invalidate(url, response, rules)
        return response
    names = {name.lower() for name, _ in request.headers}
    partition_key = rules.partition_key(request)
    is_for_cache = request.method in ("GET", "HEAD") and request.body is None
    if partition_key is None or not is_for_cache or not names.isdisjoint(UNCACHEABLE_CONDITIONS):
        return (yield from _bypass(request, rules, send))
    is_conditional = not names.isdisjoint(CALLER_CONDITIONS)
    lookup = _Lookup(url, partition_key, request, directives(known_fields(request.headers)), is_conditional)
    stored = _select(lookup, rules)
    if not names.isdisjoint(RANGE_FIELDS):
        part = None if stored is None or lookup.is_conditional else _part(lookup, stored, rules)
        return part or (yield from _bypass(request, rules, send))
    served = _serve(lookup, stored, rules)
    if served is not None:
        return served
    return (yield from _fetch(lookup, stored, rules, send))


@dataclass(frozen=True)
class _Lookup:
    """A request that the cache may answer."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    url: str
    partition_key: bytes
    request: Request
    request_directives: Directives
    is_conditional: bool
    """Whether the caller has set a condition."""


def fail_as_not_cached(request: Request) -> Flow:
    """Fail a request whose response must come from a cache, because there is no cache."""
    return _missing(request)
    yield request  # never reached: it makes this function a generator


def _bypass(request: Request, rules: CacheRules, send: Send) -> Flow:
    return _missing(request) if rules.load_control is CacheLoadControl.AlwaysCache else (yield from send(request))


def _missing(request: Request, is_there: bool = False) -> Response:
    """``is_there``: whether the response is stored, but must be validated first."""
    text = "The cached response is stale and must be revalidated" if is_there else "Not in the cache"
    return Response(request, failure=network_failure(QtNetworkError.ContentNotFoundError, text))


def _select(lookup: _Lookup, rules: CacheRules) -> Optional[StoredResponse]:
    if rules.load_control is CacheLoadControl.AlwaysNetwork or "no-store" in lookup.request_directives:
        return None
    for candidate in rules.store.find(lookup.url, lookup.partition_key):
        if matches(candidate, lookup.request, rules.store, rules.default_headers):
            return candidate
    return None


def _serve(lookup: _Lookup, stored: Optional[StoredResponse], rules: CacheRules) -> Optional[Response]:
    """Return a response without sending the request; None if it must be sent."""
    request, load_control, now = lookup.request, rules.load_control, rules.now()
    verdict = Reuse.VALIDATE if stored is None else reuse(stored, lookup.request_directives, load_control, now)
    if stored is not None and verdict is not Reuse.VALIDATE:
        body = _body(lookup, stored, rules)
        if body is not None:
            rules.store.count("hit")
            if verdict is Reuse.SERVE_STALE_WHILE_REVALIDATE:
                rules.validate_later(request, replace(rules, load_control=CacheLoadControl.PreferNetwork))
            response = response_from_cache(request, stored, body, now)
            is_known = lookup.is_conditional and is_not_modified(request, stored, now)
            return not_modified(response) if is_known else response
    if load_control is CacheLoadControl.AlwaysCache:
        return _missing(request, is_there=stored is not None and verdict is Reuse.VALIDATE)
    if "only-if-cached" in lookup.request_directives:
        return Response(request, 504, "Gateway Timeout", NO_FIELDS)  # section 5.2.1.7
    return None


def _body(lookup: _Lookup, stored: StoredResponse, rules: CacheRules) -> Optional[bytes]:
    """Return the stored body; None if it is gone, or larger than the call accepts."""
    if lookup.request.method == "HEAD":
        return b""
    body, limit = rules.store.body(stored), lookup.request.body_limit
    return None if body is None or 0 < limit < len(body) else body


def _part(lookup: _Lookup, stored: StoredResponse, rules: CacheRules) -> Optional[Response]:
    """Return a range of a complete and fresh stored response. A part from the server is passed on and never stored."""
    now = rules.now()
    if lookup.request.method != "GET":
        return None
    if reuse(stored, lookup.request_directives, rules.load_control, now) is not Reuse.SERVE:
        return None
    body = _body(lookup, stored, rules)
    part = None if body is None else part_of(lookup.request, response_from_cache(lookup.request, stored, body, now))
    if part is not None:
        rules.store.count("hit")
    return part


def _fetch(lookup: _Lookup, stored: Optional[StoredResponse], rules: CacheRules, send: Send) -> Flow:
    """Send the request, and store the response."""
    request = lookup.request
    conditions = () if stored is None or lookup.is_conditional or request.method == "HEAD" else validators(stored)
    sent = request._replace(headers=(*request.headers, *conditions)) if conditions else request
    requested = rules.now()
    response = yield from send(sent)
    received = rules.now()
    request_directives = lookup.request_directives
    if stored is not None and may_serve_on_error(stored, response, request_directives, rules.load_control, received):
        body = _body(lookup, stored, rules)
        if body is not None:
            rules.store.count("hit")
            return response_from_cache(request, stored, body, received)
    if stored is not None and response.status == 304 and response.failure is None:
        if not conditions:  # it answers a condition of the caller, or none at all
            if lookup.is_conditional and is_304_for(stored, response, request):
                _update(stored, response, rules, requested, received)
            return response
        body = _body(lookup, stored, rules) if validator_matches(stored, response) else None
        if body is not None:
            rules.store.count("validated")
            updated = _update(stored, response, rules, requested, received)
            return response_from_cache(request, updated, body, received, response)
        # The body has been evicted in the meantime, or the 304 is about another response.
        rules.store.evict(stored)
        requested = rules.now()
        response = yield from send(request)
        received = rules.now()
    rules.store.count("miss")
    return _store(lookup, stored, response, rules, requested, received)


def _update(
    stored: StoredResponse, response: Response, rules: CacheRules, requested: float, received: float
) -> StoredResponse:
    updated = update_stored(stored, response, requested, received)
    if rules.may_store:
        rules.store.update(updated)
    return updated


def _store(
    lookup: _Lookup,
    stored: Optional[StoredResponse],
    response: Response,
    rules: CacheRules,
    requested: float,
    received: float,
) -> Response:
    """Store the response if that is allowed, and evict the stored responses that it has made wrong."""
    request, store = lookup.request, rules.store
    if response.failure is not None or response.status is None or not rules.may_store:
        return response
    if request.method == "HEAD":
        if stored is not None and response.status < 500 and response.status not in UNINFORMATIVE_STATUSES:
            if is_same_representation(stored, response):
                store.update(update_stored(stored, response, requested, received))
            else:
                store.evict(stored)
        return response
    response_directives = directives(response.headers)
    to_store = None
    if may_be_stored(request, response, lookup.request_directives, response_directives):
        to_store = stored_response(request, response, store, rules.default_headers, requested, received)
    if to_store is None:
        is_informative = response.status not in UNINFORMATIVE_STATUSES and response.status < 500
        if is_informative and "no-store" not in lookup.request_directives:
            # The stored responses differ from the server's current one.
            was_bypassed = rules.load_control is CacheLoadControl.AlwaysNetwork
            candidates = store.find(lookup.url, lookup.partition_key) if was_bypassed else (stored,)
            for candidate in candidates:
                if candidate is not None and matches(candidate, request, store, rules.default_headers):
                    store.evict(candidate)
        return response
    expires = received + freshness(to_store, response_directives, received).left
    if response.is_streaming:
        return response._replace(keep=partial(_store_complete, store, lookup, to_store), expires=expires)
    store.store(lookup.url, lookup.partition_key, to_store)
    return response._replace(expires=expires)


def _store_complete(store: CacheStore, lookup: _Lookup, streaming: StoredResponse, last: Response) -> None:
    """Store a streamed response when its body is complete."""
    complete = streaming._replace(body=last.body, encoded_bytes=last.encoded_bytes, total_bytes=last.total_bytes)
    store.store(lookup.url, lookup.partition_key, complete)


def _invalidate(url: str, response: Response, rules: CacheRules) -> None:
    """Evict the responses that an unsafe method may have changed (section 4.4)."""
    status = response.status
    if status is not None and not 200 <= status < 400:
        return
    rules.store.invalidate(url, rules.now())
    for name in (b"location", b"content-location"):
        value = response.headers.value(name)
        try:
            target = None if value is None else urldefrag(redirect_target(url, value)).url
            if target is not None and origin(target) == origin(url):
                rules.store.invalidate(target, rules.now())
        except ValueError:  # no URL
            pass

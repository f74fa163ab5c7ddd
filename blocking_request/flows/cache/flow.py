"""The cache: what was kept is served where HTTP allows it, else the server is asked, with as few bytes as it takes.

Theory of operation: RFC 9111, as the cache of one user ("private"). It stands right above the engines, so it sees what
is really sent: the cookies and credentials. Whom a response is for is part of what it is kept under, so nobody is
served another's. Clock and store come from outside.
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
from .ranges import part_of
from .reuse import Load, Reuse, is_not_modified, not_modified, reuse, served, stands_in, validators
from .store import CacheStore, StoredResponse, matches
from .storing import freshened, is_confirmed, is_same_representation, may_be_kept, speaks_of, stored_response

_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
"""RFC 9110 section 9.2.1."""

_OWN_CONDITIONS = frozenset((b"if-none-match", b"if-modified-since"))
_NOT_FOR_A_CACHE = frozenset((b"if-match", b"if-unmodified-since"))
"""What only the server can know is asked of it (section 4.3.2)."""

_TELLS_NOTHING = frozenset((206, 304, 401, 407, 408, 425, 429))
"""Of what was kept: a part, and what is asked for before the response comes."""

_OF_A_PART = frozenset((b"range", b"if-range"))


@dataclass(frozen=True)
class CacheRules:
    """What the cache of a call is, and how it is used."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    store: CacheStore
    identify: Callable[[Request], Optional[bytes]]
    """Whom the response will be for; None where it cannot be known."""
    now: Callable[[], float]
    """Seconds since 1970."""
    implied: Pairs = ()
    """Fields that the engine adds where a request has none; names in lower case."""
    load: Load = Load.PreferCache
    saves: bool = True
    validate_later: Callable[[Request, CacheRules], None] = lambda request, rules: None
    """Validates beside the call what is served stale."""


def with_cache(request: Request, rules: CacheRules, send: Send = send_directly) -> Flow:
    """Serve what was kept, or send and keep."""
    url = urldefrag(request.url).url
    if request.is_retry and rules.load is not Load.AlwaysCache:
        # It is not the response that was kept that is wanted again.
        rules = replace(rules, load=Load.AlwaysNetwork)
    if request.method not in _SAFE_METHODS:
        response = yield from send(request)
        _invalidate(url, response, rules)
        return response
    names = {name.lower() for name, _ in request.headers}
    identity = rules.identify(request)
    is_for_cache = request.method in ("GET", "HEAD") and request.body is None and names.isdisjoint(_NOT_FOR_A_CACHE)
    if identity is None or not is_for_cache:
        return (yield from _passed_by(request, rules, send))
    asked = directives(known_fields(request.headers))
    lookup = _Lookup(url, identity, request, asked, not names.isdisjoint(_OWN_CONDITIONS))
    stored = _selected(lookup, rules)
    if not names.isdisjoint(_OF_A_PART):
        part = None if stored is None or lookup.is_conditional else _part(lookup, stored, rules)
        return part or (yield from _passed_by(request, rules, send))
    answered = _answered(lookup, stored, rules)
    if answered is not None:
        return answered
    return (yield from _asked(lookup, stored, rules, send))


@dataclass(frozen=True)
class _Lookup:
    """A request that a cache may answer."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    url: str
    identity: bytes
    request: Request
    asked: Directives
    is_conditional: bool
    """By the caller's own fields."""


def without_cache(request: Request) -> Flow:
    """Of what is to come from a cache where there is none."""
    return _missing(request)
    yield request  # which makes it a flow


def _passed_by(request: Request, rules: CacheRules, send: Send) -> Flow:
    return _missing(request) if rules.load is Load.AlwaysCache else (yield from send(request))


def _missing(request: Request, is_there: bool = False) -> Response:
    """``is_there``: but may not be used without the server's word."""
    text = "Only in the cache as what the server has to confirm first" if is_there else "Not in the cache"
    return Response(request, failure=network_failure(QtNetworkError.ContentNotFoundError, text))


def _selected(lookup: _Lookup, rules: CacheRules) -> Optional[StoredResponse]:
    if rules.load is Load.AlwaysNetwork or "no-store" in lookup.asked:
        return None
    found = rules.store.find(lookup.url, lookup.identity)
    return next((each for each in found if matches(each, lookup.request, rules.store, rules.implied)), None)


def _answered(lookup: _Lookup, stored: Optional[StoredResponse], rules: CacheRules) -> Optional[Response]:
    """What can be said without asking the server."""
    request, load, now = lookup.request, rules.load, rules.now()
    verdict = Reuse.Validate if stored is None else reuse(stored, lookup.asked, load, now)
    if stored is not None and verdict is not Reuse.Validate:
        body = _body(lookup, stored, rules)
        if body is not None:
            rules.store.count("hit")
            if verdict is Reuse.ServeAndValidate:
                rules.validate_later(request, replace(rules, load=Load.PreferNetwork))
            response = served(request, stored, body, now)
            is_known = lookup.is_conditional and is_not_modified(request, stored, now)
            return not_modified(response) if is_known else response
    if load is Load.AlwaysCache:
        return _missing(request, is_there=stored is not None and verdict is Reuse.Validate)
    if "only-if-cached" in lookup.asked:
        return Response(request, 504, "Gateway Timeout", NO_FIELDS)  # section 5.2.1.7
    return None


def _body(lookup: _Lookup, stored: StoredResponse, rules: CacheRules) -> Optional[bytes]:
    """None where there is none, or a larger one than is wanted."""
    if lookup.request.method == "HEAD":
        return b""
    body, limit = rules.store.body(stored), lookup.request.body_limit
    return None if body is None or 0 < limit < len(body) else body


def _part(lookup: _Lookup, stored: StoredResponse, rules: CacheRules) -> Optional[Response]:
    """Of what is there whole and fresh; a part that comes from the server is passed on and never kept."""
    now = rules.now()
    if lookup.request.method != "GET" or reuse(stored, lookup.asked, rules.load, now) is not Reuse.Serve:
        return None
    body = _body(lookup, stored, rules)
    part = None if body is None else part_of(lookup.request, served(lookup.request, stored, body, now))
    if part is not None:
        rules.store.count("hit")
    return part


def _asked(lookup: _Lookup, stored: Optional[StoredResponse], rules: CacheRules, send: Send) -> Flow:
    """Ask the server, and keep what it says."""
    request = lookup.request
    conditions = () if stored is None or lookup.is_conditional or request.method == "HEAD" else validators(stored)
    sent = request._replace(headers=(*request.headers, *conditions)) if conditions else request
    requested = rules.now()
    response = yield from send(sent)
    received = rules.now()
    if stored is not None and stands_in(stored, response, lookup.asked, rules.load, received):
        body = _body(lookup, stored, rules)
        if body is not None:
            rules.store.count("hit")
            return served(request, stored, body, received)
    if stored is not None and response.status == 304 and response.failure is None:
        if not conditions:  # the caller's own
            if speaks_of(stored, response, request):
                _freshen(stored, response, rules, requested, received)
            return response
        body = _body(lookup, stored, rules) if is_confirmed(stored, response) else None
        if body is not None:
            rules.store.count("validated")
            return served(request, _freshen(stored, response, rules, requested, received), body, received, response)
        # It is gone meanwhile, or the server speaks of another.
        rules.store.evict(stored)
        requested = rules.now()
        response = yield from send(request)
        received = rules.now()
    rules.store.count("miss")
    return _kept(lookup, stored, response, rules, requested, received)


def _freshen(
    stored: StoredResponse, response: Response, rules: CacheRules, requested: float, received: float
) -> StoredResponse:
    fresher = freshened(stored, response, requested, received)
    if rules.saves:
        rules.store.update(fresher)
    return fresher


def _kept(
    lookup: _Lookup,
    stored: Optional[StoredResponse],
    response: Response,
    rules: CacheRules,
    requested: float,
    received: float,
) -> Response:
    """Keep the response where that is allowed, and nothing that it has made wrong."""
    request, store = lookup.request, rules.store
    if response.failure is not None or response.status is None or not rules.saves:
        return response
    if request.method == "HEAD":
        if stored is not None and response.status < 500 and response.status not in _TELLS_NOTHING:
            if is_same_representation(stored, response):
                store.update(freshened(stored, response, requested, received))
            else:
                store.evict(stored)
        return response
    said = directives(response.headers)
    made = None
    if may_be_kept(request, response, lookup.asked, said):
        made = stored_response(request, response, store, rules.implied, requested, received)
    if made is None:
        if response.status not in _TELLS_NOTHING and response.status < 500 and "no-store" not in lookup.asked:
            # What was kept is not what the server says by now.
            found = store.find(lookup.url, lookup.identity) if rules.load is Load.AlwaysNetwork else (stored,)
            for each in found:
                if each is not None and matches(each, request, store, rules.implied):
                    store.evict(each)
        return response
    expires = received + freshness(made, said, received).left
    if response.is_streaming:
        return response._replace(keep=partial(_keep_whole, store, lookup, made), expires=expires)
    store.store(lookup.url, lookup.identity, made)
    return response._replace(expires=expires)


def _keep_whole(store: CacheStore, lookup: _Lookup, begun: StoredResponse, last: Response) -> None:
    whole = begun._replace(body=last.body, encoded_bytes=last.encoded_bytes, total_bytes=last.total_bytes)
    store.store(lookup.url, lookup.identity, whole)


def _invalidate(url: str, response: Response, rules: CacheRules) -> None:
    """What an unsafe method may have changed is asked for anew (section 4.4)."""
    status = response.status
    if status is not None and not 200 <= status < 400:
        return
    rules.store.invalidate(url, rules.now())
    for name in (b"location", b"content-location"):
        value = response.headers.value(name)
        try:
            named = None if value is None else urldefrag(redirect_target(url, value)).url
            if named is not None and origin(named) == origin(url):
                rules.store.invalidate(named, rules.now())
        except ValueError:  # no URL
            pass

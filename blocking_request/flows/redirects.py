"""Follows redirects (RFC 9110 section 15.4).

Theory of operation: the method is kept, with two exceptions: a POST on 301 and 302 becomes a GET, as in every browser,
and so does every method but HEAD on 303. The GET has no body. Credentials are not sent to another origin (section 15.4,
and the Fetch standard's rule for Authorization).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Callable, Optional, Union
from urllib.parse import urlsplit

from .._names import pickled
from ..models.failure import Failure, QtNetworkError, network_failure
from ..models.headers import Pairs
from ..models.http_messages import Request, Response
from ..models.redaction import hidden_repr, without_secret_fields
from ..models.tls import without_client_certificate
from ..models.urls import origin, redirect_target, split_userinfo, without_parameters
from . import Flow, Send, send_directly

FOLLOWED = frozenset((301, 302, 303, 307, 308))

MAXIMUM_HISTORY_BYTES = 1 << 20
"""How large the bodies of followed redirects may be together. Beyond it ``history()`` has them without a body."""

_ORIGIN_FIELDS = frozenset((b"host", b"origin"))

_BODY_FIELDS = frozenset(
    (
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"content-language",
        b"content-location",
        b"content-disposition",
        b"content-md5",
        b"content-digest",
        b"digest",
        b"transfer-encoding",
    )
)


@pickled
class RedirectPolicy(Enum):
    """Which redirects are followed, with the names of ``QNetworkRequest.RedirectPolicy``."""

    Manual = 0
    """None: the redirecting response is the result."""
    NoLessSafe = 1
    """Follow all redirects but those from https to http."""
    SameOrigin = 2
    """Follow redirects to the same scheme, host and port."""
    UserVerified = 3
    """Follow redirects if ``RedirectRules.verify`` returns true."""


@pickled
@dataclass(frozen=True)
class RedirectRules:
    def __repr__(self) -> str:
        return hidden_repr(self)

    policy: RedirectPolicy = RedirectPolicy.NoLessSafe
    limit: int = 50
    """Qt's own default (RFC 9110 names none)."""
    upgrade: Callable[[str], str] = str
    """Gives the URL that is used for one, of a host that wants https."""
    added_parameters: tuple[str, ...] = ()
    """Query parameters with their values that were added to the request, such as an API key. If a server repeats them
    in ``Location``, they must not be sent to another host, or twice."""
    verify: Optional[Callable[[str, str], Optional[bool]]] = None
    """Says whether to follow, from which URL to which; for ``UserVerified``. None: there is nothing to ask."""


def follow_redirects(first: Request, rules: RedirectRules, send: Send = send_directly) -> Flow:
    """Send ``first``, and follow the redirects of its responses."""
    request = first
    history: list[Response] = []
    while True:
        response = yield from send(request)
        if response.status not in FOLLOWED:
            return response._replace(history=tuple(history)) if history else response
        following = _next_request(request, response, rules)
        if isinstance(following, Failure):
            response = response._replace(failure=following)
        if not isinstance(following, Request):
            return response._replace(history=tuple(history)) if history else response
        room = MAXIMUM_HISTORY_BYTES - sum(len(earlier.body) for earlier in history)
        history.append(response if len(response.body) <= room else response._replace(body=b""))
        request = following


def _next_request(previous: Request, response: Response, rules: RedirectRules) -> Union[Failure, Request, None]:
    """``previous``: the request as it came from above; a layer below may have sent it to another URL."""
    if response.status is None or response.failure is not None or rules.policy is RedirectPolicy.Manual:
        return None
    locations = {value for name, value in response.headers.pairs if name.lower() == b"location"}
    if not any(value.strip() for value in locations):
        return None  # an empty one is not followed, as in browsers and curl
    if len(locations) > 1:
        text = "The redirect has several Locations that differ"
        return network_failure(QtNetworkError.ProtocolFailure, text)
    location = locations.pop()
    request = previous if previous.url == response.request.url else previous._replace(url=response.request.url)
    if request.redirects >= max(rules.limit, 0):
        text = f"Too many redirects: more than {max(rules.limit, 0)}"
        return network_failure(QtNetworkError.TooManyRedirectsError, text)
    try:
        target = without_parameters(rules.upgrade(redirect_target(request.url, location)), rules.added_parameters)
        crosses = origin(target) != origin(request.url)
    except ValueError as error:
        text = f"The redirect's Location is no URL ({error})"
        return network_failure(QtNetworkError.ProtocolUnknownError, text)
    refusal = _refusal(request, target, crosses, rules)
    if refusal is not None:
        return refusal
    following = _redirected(request, response.status, target, crosses)
    if not following.is_replayable:
        text = "The redirect wants the body again, and what it is read from cannot go back to its beginning"
        return network_failure(QtNetworkError.ContentReSendError, text)
    return following


def _refusal(request: Request, target: str, crosses: bool, rules: RedirectRules) -> Union[Failure, None]:
    scheme, policy = urlsplit(target).scheme, rules.policy
    seen = request._replace(url=target).redacted_url
    if scheme not in ("http", "https"):
        text = f'Protocol "{scheme}" is unknown: redirected to {seen}'
        return network_failure(QtNetworkError.ProtocolUnknownError, text)
    if policy is RedirectPolicy.UserVerified:
        is_allowed = None if rules.verify is None else rules.verify(request.url, target)
        if is_allowed:
            return None
        why = "and there is nothing to ask: set a redirect handler" if is_allowed is None else "and did not get it"
        text = f"The redirect to {seen} needs the user's consent {why}"
        return network_failure(QtNetworkError.InsecureRedirectError, text)
    if policy is RedirectPolicy.SameOrigin and crosses:
        text = f"The redirect to {seen} leaves the origin"
        return network_failure(QtNetworkError.InsecureRedirectError, text)
    if scheme == "http" and request.url.startswith("https:"):
        text = f"Insecure redirect: from https to {seen}"
        return network_failure(QtNetworkError.InsecureRedirectError, text)
    return None


def _redirected(request: Request, status: int, target: str, crosses: bool) -> Request:
    headers, method, body = request.headers, redirected_method(status, request.method), request.body
    if method != request.method:
        body = None
        headers = _without(headers, _BODY_FIELDS)
    if crosses:
        headers = without_secret_fields(_without(headers, _ORIGIN_FIELDS), request.redacted_names)
    # Userinfo in a Location is the server's word, not the caller's: it is not sent (as browsers have it).
    url, _ = split_userinfo(target)
    return request._replace(
        method=method,
        url=url,
        headers=headers,
        body=body,
        redirects=request.redirects + 1,
        same_origin=request.same_origin and not crosses,
        tls=without_client_certificate(request.tls) if request.tls is not None and crosses else request.tls,
    )


def redirected_method(status: int, method: str) -> str:
    """The method of the next request (RFC 9110 sections 15.4.2 to 15.4.9)."""
    if status == 303:
        return method if method == "HEAD" else "GET"
    if status in (301, 302) and method == "POST":
        return "GET"
    return method


def _without(headers: Pairs, names: frozenset[bytes]) -> Pairs:
    return tuple(pair for pair in headers if pair[0].lower() not in names)

"""Chooses the proxy of a request, and answers a proxy's 407 (RFC 9110 section 11.7).

User and password belong to one proxy, and are sent to no other.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from ...models.auth import AuthAnswer, AuthConfig, AuthHandler, first_answer
from ...models.error_texts import PROXY_REFUSED_PASSWORD
from ...models.failure import QtNetworkError, network_failure
from ...models.http_messages import Request, Response
from ...models.proxy import Proxy, ProxyUnusable
from .. import Flow, Send, send_directly
from .challenges import challenges
from .server import ATTEMPTS

Find = Callable[[str], Optional[Proxy]]
ProxyPrompt = Callable[[Proxy, str], AuthAnswer]
"""Takes a proxy and the realm. Returns as an AuthHandler."""


@dataclass(frozen=True)
class ProxyChoice:
    find: Find
    """Returns the proxy of the settings for a URL; None if Qt chooses it. Raises ProxyUnusable."""
    find_by_qt: Find
    """The proxy Qt would take."""
    handler: Optional[AuthHandler] = None
    prompt: Optional[ProxyPrompt] = None
    """It is called before the handler, which is called if it returns None."""
    credential_cache: MutableMapping[Proxy, AuthConfig] = field(default_factory=dict)
    """Credentials that the handler has returned and a proxy has accepted, by the proxy as it was set."""
    asks_qt: bool = False
    """Whether Qt's may have a user and a password, which an engine does not use by itself."""


def through_proxy(request: Request, choice: ProxyChoice, send: Send = send_directly) -> Flow:
    """Send through the proxy that is chosen for the URL."""
    try:
        proxy = choice.find(request.url)
    except ProxyUnusable as error:
        return Response(request, failure=network_failure(QtNetworkError.UnknownProxyError, str(error)))
    if proxy is None and (choice.credential_cache or choice.asks_qt):
        proxy = choice.find_by_qt(request.url)
    cached = None if proxy is None else choice.credential_cache.get(proxy)
    if proxy is not None:
        request = request._replace(proxy=proxy if cached is None else _with_credentials(proxy, cached))
    response = yield from send(request)
    proxy = proxy if proxy is not None or not _is_challenge(response) else choice.find_by_qt(request.url)
    if proxy is None or not _is_challenge_of(response, proxy):
        return response
    if cached is not None:
        choice.credential_cache.pop(proxy, None)
    if request.proxy is not None and request.proxy.user:
        response = _not_accepted(response)
    if not request.is_replayable:
        return response
    for attempt in range(1, ATTEMPTS + 1):
        realm = _realm(response)
        config = first_answer((choice.prompt, (proxy, realm)), (choice.handler, (realm, proxy.address, attempt)))
        if config is None:
            return response
        response = yield from send(request._replace(proxy=_with_credentials(proxy, config)))
        if not _is_challenge_of(response, proxy):
            if response.status is not None:
                choice.credential_cache[proxy] = config
            return response
        response = _not_accepted(response)
    return response


def _not_accepted(response: Response) -> Response:
    """Return the response of a proxy that asks again; the failure of a tunnel says so."""
    failure = response.failure
    if failure is None:
        return response
    return response._replace(failure=replace(failure, text=PROXY_REFUSED_PASSWORD))


def _with_credentials(proxy: Proxy, config: AuthConfig) -> Proxy:
    return replace(proxy, user=config.user, password=config.secret)


def _is_challenge(response: Response) -> bool:
    if response.failure is not None:
        return response.failure.error is QtNetworkError.ProxyAuthenticationRequiredError
    return response.status == 407


def _is_challenge_of(response: Response, proxy: Proxy) -> bool:
    """Return whether the proxy asks for credentials. A 407 through a tunnel is the server's, and is ignored."""
    is_forwarded = proxy.forwards(response.request.url)
    return not proxy.is_none and _is_challenge(response) and (response.failure is not None or is_forwarded)


def _realm(response: Response) -> str:
    """Return the realm; '' if a tunnel was refused, because no engine reports it then."""
    values = response.headers.values(b"proxy-authenticate")
    return next((challenge.realm for challenge in challenges(values)), "")

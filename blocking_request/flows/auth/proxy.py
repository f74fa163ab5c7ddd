"""Proxies: which one an exchange goes through, and what is said when that wants to know who we are.

RFC 9110 section 11.7. A proxy that asks is answered with user and password, which belong to that proxy and no other.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from ...errors import QtNetworkError, network_failure
from ...models.auth import AuthConfig, AuthHandler, checked_answer
from ...models.http_messages import Answer, Exchange
from ...models.proxy import Proxy, ProxyUnusable
from .. import Flow, Send, directly
from .challenges import challenges
from .server import ATTEMPTS

Find = Callable[[str], Optional[Proxy]]


@dataclass(frozen=True)
class ProxyChoice:
    find: Find
    """The proxy for a URL as our own settings have it; None where it is for Qt to say. Raises ProxyUnusable."""
    find_by_qt: Find
    """The proxy Qt would take."""
    ask: Optional[AuthHandler] = None
    known: MutableMapping[Proxy, AuthConfig] = field(default_factory=dict)
    """By the proxy as it was set: what was asked for earlier and found to be right."""
    asks_qt: bool = False
    """Whether Qt's may have a user and a password, which an engine does not use by itself."""


def through_proxy(exchange: Exchange, choice: ProxyChoice, send: Send = directly) -> Flow:
    """Send through the proxy that is chosen for the URL."""
    try:
        proxy = choice.find(exchange.url)
    except ProxyUnusable as error:
        return Answer(exchange, failure=network_failure(QtNetworkError.UnknownProxyError, str(error)))
    if proxy is None and (choice.known or choice.asks_qt):
        proxy = choice.find_by_qt(exchange.url)
    known = None if proxy is None else choice.known.get(proxy)
    if proxy is not None:
        exchange = exchange._replace(proxy=proxy if known is None else _as(proxy, known))
    answer = yield from send(exchange)
    proxy = proxy if proxy is not None or not _may_be_asked(answer) else choice.find_by_qt(exchange.url)
    if proxy is None or not _is_asked(answer, proxy):
        return answer
    if known is not None:
        choice.known.pop(proxy, None)
    if choice.ask is None or not exchange.can_be_sent_again:
        return answer
    for attempt in range(1, ATTEMPTS + 1):
        given = checked_answer(choice.ask(_realm(answer), proxy.address, attempt))
        if given is None:
            return answer
        answer = yield from send(exchange._replace(proxy=_as(proxy, given)))
        if not _is_asked(answer, proxy):
            if answer.status is not None:
                choice.known[proxy] = given
            return answer
    return answer


def _as(proxy: Proxy, config: AuthConfig) -> Proxy:
    return replace(proxy, user=config.user, password=config.secret)


def _may_be_asked(answer: Answer) -> bool:
    if answer.failure is not None:
        return answer.failure.error is QtNetworkError.ProxyAuthenticationRequiredError
    return answer.status == 407


def _is_asked(answer: Answer, proxy: Proxy) -> bool:
    """A 407 that comes through a tunnel is the server's own, who has no business with it."""
    is_forwarded = proxy.forwards(answer.exchange.url)
    return not proxy.is_none and _may_be_asked(answer) and (answer.failure is not None or is_forwarded)


def _realm(answer: Answer) -> str:
    """Of a tunnel that was refused no engine tells it."""
    found = challenges(answer.headers.values(b"proxy-authenticate"))
    return next((challenge.realm for challenge in found), "")

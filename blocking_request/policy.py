"""What happens to the exchange of one call, from the settings and what the call itself says: the order of the flows.

From the caller to the wire: redirects; for each hop strict transport, preprocessors and retries; for each attempt the
proxy, the cookies, the credentials, and the questions about certificates. What the last four add is theirs: the answer
that comes back from below them has the exchange as it was above, so that no secret goes into a reply, and each hop and
attempt begins without them.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from . import engines
from .call_rules import CallRules
from .engines.proxy import proxy_of_qt
from .exchange import Exchange
from .flows import Flow, Send, directly
from .flows.cookies import with_cookies
from .flows.credentials import CredentialRules, with_credentials
from .flows.hsts import with_strict_transport
from .flows.proxies import ProxyChoice, through_proxy
from .flows.redirects import follow_redirects
from .flows.retry import with_retries
from .flows.tls import CertificateQuestions, ask_about_certificates
from .netrc import netrc_config
from .preprocessing import preprocessed
from .proxy_rules import environment_names_proxies, uses_system_proxies
from .qt import application
from .settings import RequestPreprocessor, Settings


def policy(exchange: Exchange, settings: Settings, rules: CallRules) -> Flow:
    """The flow of a call. Layers that have nothing to do are left out."""
    if not exchange.url.startswith("http"):
        return follow_redirects(exchange, rules.redirects)
    return follow_redirects(exchange, rules.redirects, _known_hop(settings, rules, _outer_proxies(rules)))


class _OuterProxies(NamedTuple):
    """Who else has a say in which proxy is taken."""

    environment: bool
    application: bool


_NOBODY = _OuterProxies(False, False)


def _outer_proxies(rules: CallRules) -> _OuterProxies:
    if rules.proxies.are_all:
        return _NOBODY
    if not uses_system_proxies():
        return _OuterProxies(False, True)
    return _OuterProxies(True, False) if environment_names_proxies() else _NOBODY


class _Latest(NamedTuple):
    """What was made last: most calls want the same again, and to make it takes as long as to run it."""

    settings: Settings
    rules: CallRules
    outer: _OuterProxies
    send: Send


_latest: list[_Latest] = []


def _known_hop(settings: Settings, rules: CallRules, outer: _OuterProxies) -> Send:
    for latest in _latest:
        if (
            latest.settings is settings
            and latest.outer == outer
            and latest.rules[1:] == rules[1:]  # of redirects a hop knows nothing
        ):
            return latest.send
    send = _hop(settings, rules, outer)
    if settings.ssl_error_handler is None:  # what it has accepted is the call's
        _latest[:] = [_Latest(settings, rules, outer, send)]
    return send


def _hop(settings: Settings, rules: CallRules, outer: _OuterProxies) -> Send:
    send = _attempt(settings, rules, outer)
    if rules.retry is not None:
        send = partial(with_retries, rule=rules.retry, send=send)
    if settings.request_preprocessors:
        functions = tuple(function for _, function in settings.request_preprocessors)
        send = partial(_preprocess, functions=functions, send=send)
    if settings.strict_transport is not None:
        send = partial(with_strict_transport, hosts=settings.strict_transport, send=send)
    return send


def _attempt(settings: Settings, rules: CallRules, outer: _OuterProxies) -> Send:
    """One attempt at one hop."""
    send: Send = directly
    if settings.ssl_error_handler is not None:
        send = partial(ask_about_certificates, questions=CertificateQuestions(settings.ssl_error_handler), send=send)
    credentials = _credential_rules(settings, rules)
    if not credentials.are_none:
        send = partial(with_credentials, rules=credentials, send=send)
    if rules.loads_cookies or rules.saves_cookies:
        send = partial(
            with_cookies, jar=settings.cookies, loads=rules.loads_cookies, saves=rules.saves_cookies, send=send
        )
    proxies = rules.proxies
    if settings.auth_handler is not None or not proxies.are_plain or any(outer):
        choice = ProxyChoice(
            proxies.find, proxy_of_qt, settings.auth_handler, settings.known_proxy_logins, outer.application
        )
        send = partial(through_proxy, choice=choice, send=send)
    return partial(_without_secrets, send=send)


def _credential_rules(settings: Settings, rules: CallRules) -> CredentialRules:
    netrc = settings.netrc
    return CredentialRules(
        rules.auth,
        partial(netrc_config, file=netrc) if netrc else None,
        settings.auth_handler,
        settings.known_logins if rules.reuses_logins else {},
        lambda: rules.engine in (engines.AUTO, "qt") and application() is not None,
    )


def _without_secrets(exchange: Exchange, send: Send) -> Flow:
    answer = yield from send(exchange)
    return answer if answer.exchange is exchange else answer._replace(exchange=exchange)


def _preprocess(exchange: Exchange, functions: tuple[RequestPreprocessor, ...], send: Send) -> Flow:
    return (yield from send(preprocessed(exchange, functions)))

"""Builds the flow of a call: which policies run, and in which order.

From the caller to the engine:

- once: redirects;
- for each hop: request preprocessors, HSTS, retries;
- for each attempt: proxy, credentials, cookies, pre-shared keys, cache, handler for certificate errors.

The policies of an attempt add fields to the request, such as ``Cookie`` and ``Authorization``. The response then gets
the original request back: so no secret gets into a reply, and each hop and attempt begins without these fields.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .._first_use import first_use
from ..engines import choice
from ..flows import Flow, Send, send_directly
from ..flows.cache.load_control import CacheLoadControl
from ..flows.cookies import with_cookies
from ..flows.fallback import send_to_be_read
from ..flows.redirects import follow_redirects
from ..models.error_texts import naming_proxy
from ..models.http_messages import ConnectionCredentials, Request
from ..prepare.options import CallOptions
from ..prepare.prepare_call import PreparedCall
from ..prepare.preprocessing import preprocessed
from ..prepare.settings import BuiltHop, RequestPreprocessor, Settings
from ..proxies.rules import environment_names_proxies, uses_system_proxies
from ..proxies.system import proxy_of_qt
from ..stores.cookie_holder import CookieHolder

if TYPE_CHECKING:
    from ..flows.auth.server import CredentialRules


def build_flow(prepared: PreparedCall) -> Flow:
    """Build the flow of a call. Policies that have nothing to do are left out."""
    request, options, settings, _ = prepared
    if not request.url.startswith("http"):
        return follow_redirects(request, prepared.redirects)
    return follow_redirects(request, prepared.redirects, _reused_hop(settings, options, _outer_proxies(options)))


class _OuterProxies(NamedTuple):
    """Which sources outside the manager can name a proxy: the environment, or Qt's application proxy."""

    environment: bool
    application: bool


_NO_OUTER_PROXIES = _OuterProxies(False, False)


def _outer_proxies(options: CallOptions) -> _OuterProxies:
    if options.proxies.ignores_environment:
        return _NO_OUTER_PROXIES
    if not uses_system_proxies():
        return _OuterProxies(False, True)
    return _OuterProxies(True, False) if environment_names_proxies() else _NO_OUTER_PROXIES


def _reused_hop(settings: Settings, options: CallOptions, outer: _OuterProxies) -> Send:
    """Return the function that sends one hop; the one of the last call if its options are equal."""
    last = settings.last_built.hop
    # The first option, the redirect rules, does not concern a single hop.
    if (
        last is not None
        and last.outer_proxies == outer
        and (last.options is options or last.options[1:] == options[1:])
    ):
        return last.send
    send = _hop(settings, options, outer)
    # A prompt for certificates and a QGIS auth config belong to one call, and must not be reused.
    if settings.ssl_error_handler is None and settings.ssl_error_prompt is None and options.qgis_auth is None:
        settings.last_built.hop = BuiltHop(options, outer, send)
    return send


def _hop(settings: Settings, options: CallOptions, outer: _OuterProxies) -> Send:
    send = _attempt(settings, options, outer)
    if options.retry is not None:
        with first_use:
            from ..flows.retry import with_retries
        send = partial(with_retries, rule=options.retry, send=send)
    if settings.strict_transport is not None:
        with first_use:
            from ..flows.hsts import with_strict_transport
        send = partial(with_strict_transport, hosts=settings.strict_transport, send=send)
    if settings.request_preprocessors:
        functions = tuple(function for _, function in settings.request_preprocessors)
        send = partial(_preprocess, functions=functions, send=send)
    return send


def _attempt(settings: Settings, options: CallOptions, outer: _OuterProxies) -> Send:
    """Return the function that sends one attempt of a hop. The layer that is added last runs first."""
    send: Send = send_to_be_read if options.engine == choice.AUTO else send_directly
    # Certificate errors.
    if settings.ssl_error_handler is not None or settings.ssl_error_prompt is not None:
        with first_use:
            from ..flows.certificate_errors import CertificatePrompt, ask_about_certificates
        prompt = CertificatePrompt(settings.ssl_error_handler, settings.ssl_error_prompt)
        send = partial(ask_about_certificates, prompt=prompt, send=send)
    # The cache.
    if settings.cache is not None:
        with first_use:
            from .revalidation import with_manager_cache
        send = with_manager_cache(settings, options.cache_load_control, options.stores_in_cache, send, options.engine)
    elif options.cache_load_control is CacheLoadControl.AlwaysCache:
        with first_use:
            from ..flows.cache.flow import fail_as_not_cached
        send = fail_as_not_cached
    # Pre-shared keys. Outside the cache, so that responses for one key are not served for another.
    if settings.pre_shared_key_handler is not None:
        with first_use:
            from ..flows.pre_shared_keys import PreSharedKeys, with_pre_shared_key
        keys = PreSharedKeys(settings.pre_shared_key_handler, settings.pre_shared_keys)
        send = partial(with_pre_shared_key, keys=keys, send=send)
    # Cookies.
    if options.loads_cookies or options.saves_cookies:
        send = _cookie_layer(settings.cookies, options.loads_cookies, options.saves_cookies, send)
    # Credentials for the server.
    if _may_have_credentials(settings, options):
        with first_use:
            from ..flows.auth.server import with_credentials
        send = partial(with_credentials, rules=_credential_rules(settings, options), send=send)
    # The proxy, with its credentials.
    proxies = options.proxies
    may_be_asked = settings.auth_handler is not None or settings.proxy_auth_prompt is not None
    if may_be_asked or not proxies.is_default or any(outer):
        with first_use:
            from ..flows.auth.proxy import ProxyChoice, through_proxy
        handler = settings.proxy_auth_handler or settings.auth_handler
        proxy_choice = ProxyChoice(
            find=proxies.find,
            find_by_qt=proxy_of_qt,
            handler=handler,
            prompt=settings.proxy_auth_prompt,
            credential_cache=settings.proxy_credential_cache,
            asks_qt=outer.application,
        )
        send = partial(through_proxy, choice=proxy_choice, send=send)
    return lambda request: _with_original_request(request, send)


def _cookie_layer(cookies: CookieHolder, loads: bool, saves: bool, send: Send) -> Send:
    header = cookies.header if loads else None
    receive = cookies.receive if saves else None
    # A lambda, because it is called for each request, and a partial with keywords takes three times as long.
    return lambda request: with_cookies(request, header, receive, send)


def _may_have_credentials(settings: Settings, options: CallOptions) -> bool:
    is_named = options.auth is not None or options.qgis_auth is not None or bool(settings.netrc)
    # The credentials that a handler gave stay in the cache even after the handler was removed.
    may_be_asked = settings.auth_handler is not None or settings.auth_prompt is not None
    return is_named or may_be_asked or settings.had_auth_handler


def _credential_rules(settings: Settings, options: CallOptions) -> CredentialRules:
    with first_use:
        from ..flows.auth.server import CredentialRules
        from ..stores.netrc import netrc_config
    netrc = settings.netrc
    return CredentialRules(
        config=options.auth,
        qgis_auth=options.qgis_auth,
        find=partial(netrc_config, file=netrc) if netrc else None,
        handler=settings.auth_handler,
        prompt=settings.auth_prompt,
        credential_cache=settings.credential_cache if options.reuses_credentials else _EmptyCache(),
        engine_supports_ntlm=partial(_engine_supports_ntlm, wanted=options.engine),
    )


def _engine_supports_ntlm(request: Request, wanted: str) -> bool:
    if wanted not in (choice.AUTO, "qt"):
        return False
    with_ntlm = request._replace(connection_credentials=ConnectionCredentials("", ""))
    return choice.engine("qt").unsupported_reason(with_ntlm) is None


class _EmptyCache(dict[str, Any]):
    """A credential cache that stays empty, for requests that neither reuse credentials nor leave theirs to others."""

    def __setitem__(self, key: str, value: Any) -> None:
        pass


def _with_original_request(request: Request, send: Send) -> Flow:
    response = yield from send(request)
    failure, proxy = response.failure, response.request.proxy
    if failure is not None and proxy is not None and not proxy.is_none:
        response = response._replace(failure=naming_proxy(failure, proxy))
    return response if response.request is request else response._replace(request=request)


def _preprocess(request: Request, functions: tuple[RequestPreprocessor, ...], send: Send) -> Flow:
    return (yield from send(preprocessed(request, functions)))

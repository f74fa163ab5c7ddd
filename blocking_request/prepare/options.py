"""The options of one call. Precedence: the call's arguments, then the request, then the manager's settings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Protocol

from ..engines import choice
from ..flows.cache.load_control import CacheLoadControl
from ..flows.hsts import secure_url
from ..flows.redirects import RedirectPolicy, RedirectRules
from ..models.auth import AuthConfig, AuthMethod, key_parameter, secret_name
from ..models.failure import Failure, QtNetworkError, request_not_sent
from ..models.http_messages import Request
from ..models.proxy import Proxy
from ..proxies.rules import ProxyRules
from ..qt.binding import QtNetwork, encoded_url
from ..qt.network_request import has_tls_configuration
from .build_request import url_credentials
from .request_attributes import RequestLike, cache_load_control, is_automatic, may_store_response, redirect_rules
from .settings import MEMORY_LIMIT, RedirectHandler, Settings

if TYPE_CHECKING:
    from urllib3.util import Retry

_Attribute = QtNetwork.QNetworkRequest.Attribute


class HasEngine(Protocol):
    """A manager or a request, which has an engine setting."""

    def engine(self) -> str: ...


def usable_engine(owner: HasEngine) -> str:
    """Return the engine setting. Raises RequestNotSent if BLOCKING_REQUEST_ENGINE names an unknown engine."""
    try:
        return owner.engine()
    except ValueError as error:
        raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, str(error)) from None


class CallOverrides(NamedTuple):
    """The settings of a BlockingNetworkRequest, which override the manager's."""

    engine: str = choice.AUTO
    auth_cfg: str = ""
    auth_config: Optional[AuthConfig] = None
    proxy: Optional[Proxy] = None
    retry: Optional[Retry] = None


class CallOptions(NamedTuple):
    """How the requests of one call are to be sent."""

    redirects: RedirectRules
    auth: Optional[AuthConfig] = None
    qgis_auth: Optional[Callable[[Request], Request]] = None
    """In the place of ``auth``: adds the credentials that QGIS has."""
    proxies: ProxyRules = ProxyRules()
    retry: Optional[Retry] = None
    engine: str = choice.AUTO
    loads_cookies: bool = True
    saves_cookies: bool = True
    reuses_credentials: bool = True
    cache_load_control: CacheLoadControl = CacheLoadControl.PreferCache
    stores_in_cache: bool = True

    def without_redirects_and_cookies(self) -> CallOptions:
        """Return these options for a caller that follows redirects and keeps cookies by itself."""
        return self._replace(redirects=_NOT_FOLLOWED, loads_cookies=False, saves_cookies=False)

    def bypassing_cache(self) -> CallOptions:
        """Return these options for a response that must come from the server itself. Offline, the request fails."""
        if self.cache_load_control is CacheLoadControl.AlwaysCache:
            return self
        return self._replace(cache_load_control=CacheLoadControl.AlwaysNetwork, stores_in_cache=False)


def call_options(
    request: RequestLike,
    settings: Settings,
    own: CallOverrides,
    stop_reason: Callable[[float], Optional[Failure]],
    force_refresh: bool = False,
) -> CallOptions:
    """``stop_reason``: returns why a call must end that waits since a time, or None. Raises RequestNotSent."""
    config, qgis_auth = _auth(request, settings, own, stop_reason)
    rules = CallOptions(
        redirects=_redirects(request, settings, config),
        auth=config,
        qgis_auth=qgis_auth,
        proxies=_proxies(settings, own, stop_reason),
        retry=own.retry,
        engine=own.engine,
        cache_load_control=CacheLoadControl.AlwaysNetwork if force_refresh else CacheLoadControl.PreferCache,
    )
    if not isinstance(request, QtNetwork.QNetworkRequest):
        return rules
    return rules._replace(
        loads_cookies=is_automatic(request, _Attribute.CookieLoadControlAttribute),
        saves_cookies=is_automatic(request, _Attribute.CookieSaveControlAttribute),
        reuses_credentials=is_automatic(request, _Attribute.AuthenticationReuseAttribute),
        cache_load_control=cache_load_control(request, force_refresh),
        stores_in_cache=may_store_response(request),
    )


def _proxies(settings: Settings, own: CallOverrides, stop_reason: Callable[[float], Optional[Failure]]) -> ProxyRules:
    if own.proxy is not None:
        return ProxyRules(own.proxy)
    if not settings.proxies.qgis_auth_cfg:
        return settings.proxies
    from ..qgis.auth import with_proxy_credentials

    return with_proxy_credentials(settings.proxies, stop_reason)


_DEFAULT_REDIRECTS = RedirectRules()
_NOT_FOLLOWED = RedirectRules(RedirectPolicy.Manual)


def _redirects(request: RequestLike, settings: Settings, config: Optional[AuthConfig]) -> RedirectRules:
    rules = _DEFAULT_REDIRECTS
    if settings.redirect_policy is not None or settings.redirect_handler is not None:
        handler = settings.redirect_handler
        rules = RedirectRules(
            settings.redirect_policy or RedirectPolicy.NoLessSafe,
            verify=None if handler is None else _verifier(handler),
        )
    if settings.strict_transport is not None:
        rules = replace(rules, upgrade=partial(secure_url, hosts=settings.strict_transport))
    if config is not None and config.method is AuthMethod.ApiKeyQuery:
        rules = replace(rules, added_parameters=(key_parameter(config),))
    return redirect_rules(request, rules)


def _verifier(handler: RedirectHandler) -> Callable[[str, str], bool]:
    return lambda url, target: bool(handler(encoded_url(url), encoded_url(target)))


def _auth(
    request: RequestLike, settings: Settings, own: CallOverrides, stop_reason: Callable[[float], Optional[Failure]]
) -> tuple[Optional[AuthConfig], Optional[Callable[[Request], Request]]]:
    """Return the credentials for the origin of the request. Raises RequestNotSent if the id is not known."""
    config = own.auth_config
    if config is None and own.auth_cfg:
        config = settings.registry.load(own.auth_cfg)
        if config is None:
            from ..qgis.auth import qgis_auth_of

            qgis_auth = qgis_auth_of(own.auth_cfg, stop_reason)
            if qgis_auth is None:
                text = f"There is no authentication config {own.auth_cfg!r}: store it in the manager's authRegistry()"
                raise request_not_sent(QtNetworkError.AuthenticationRequiredError, text)
            return None, qgis_auth
    if config is None:
        return url_credentials(request), None
    if config.method is AuthMethod.ClientCertificate and has_tls_configuration(request):
        text = (
            "The request has a QSslConfiguration of its own, so the client certificate of the authentication config "
            "would not be shown: leave one of the two out"
        )
        raise request_not_sent(QtNetworkError.SslHandshakeFailedError, text)
    return config, None


def with_settings(
    request: Request, settings: Settings, config: Optional[AuthConfig] = None, streams: bool = False
) -> Request:
    """Return the request with the settings' values. Raises RequestNotSent if the settings forbid to send it."""
    if not settings.is_accessible and request.url.startswith("http"):
        text = "Network access is disabled: setNetworkAccessible(False) was called"
        raise request_not_sent(QtNetworkError.UnknownNetworkError, text)
    limit = settings.body_limit
    return request._replace(
        tls=settings.tls,
        body_limit=limit if limit is not None else 0 if streams else MEMORY_LIMIT,
        expansion_limit=settings.expansion_limit,
        streams=streams,
        redacted_names=(*settings.secret_parameters, *secret_name(config)),
        qgis=settings.qgis and request.url.startswith("http"),
    )

"""Qt's side of an Exchange: the QNetworkRequest that goes out.

Qt's own redirects, cookies, cached credentials, cache and decoding are switched off: they resend requests, carry
headers to other hosts and pass damage as success. They are decided above the engines.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Optional

from ...models.headers import DEFAULT_FIELDS, Pairs, are_defaults
from ...models.http_messages import Exchange
from ...qt.binding import QtCore, QtNetwork, encoded_url, enum_value, has_tls
from ...tls.qt_configuration import configuration_for, own_configuration

ADDED_FIELDS = frozenset((b"user-agent", b"accept-encoding", b"accept-language", b"content-type", b"connection"))
"""Fields that Qt adds to requests that have none; ``Content-Type`` to a POST."""

_Attribute = QtNetwork.QNetworkRequest.Attribute
_Request = QtNetwork.QNetworkRequest


def native_request(exchange: Exchange) -> QtNetwork.QNetworkRequest:
    """The request as Qt sends it. May be called from any thread: it is a value, which nobody changes afterwards."""
    native: Optional[QtNetwork.QNetworkRequest] = exchange.native
    headers = exchange.headers
    if native is None:
        # Other fields might be secrets, which nothing keeps.
        defaults = headers[:DEFAULT_FIELDS]
        if not are_defaults(defaults):
            defaults = ()
        request = _Request(_prototype(defaults))
        headers = headers[len(defaults) :]
    else:
        request = _Request(native)
        for name in request.rawHeaderList():
            request.setRawHeader(name, QtCore.QByteArray())
        _own(request)
    if exchange.url.startswith("https:"):
        if exchange.tls is not None and own_configuration(exchange) is None:
            request.setSslConfiguration(configuration_for(exchange.tls))
        if not exchange.keeps_identity:
            _leave_identity(request)
    proxy = exchange.proxy
    if proxy is not None and proxy.user and proxy.forwards(exchange.url):
        # Qt itself would ask the proxy first, and then use what the request may not reuse.
        request.setRawHeader(b"Proxy-Authorization", proxy.authorization)  # type: ignore[arg-type]
    if exchange.login is not None:
        # Only so Qt does the rounds; what it remembers is its worker's, which serves this user only.
        request.setAttribute(_Attribute.AuthenticationReuseAttribute, enum_value(_Request.LoadControl.Automatic))
    request.setUrl(encoded_url(exchange.url))
    for field, value in headers:
        request.setRawHeader(field, value)  # type: ignore[arg-type]
    return request


def _own(request: QtNetwork.QNetworkRequest) -> None:
    """Switch off what is decided above the engine."""
    manual = enum_value(_Request.LoadControl.Manual)
    request.setAttribute(_Attribute.RedirectPolicyAttribute, _MANUAL_REDIRECTS)
    request.setAttribute(_Attribute.CookieLoadControlAttribute, manual)
    request.setAttribute(_Attribute.CookieSaveControlAttribute, manual)
    request.setAttribute(_Attribute.AuthenticationReuseAttribute, manual)
    request.setAttribute(_Attribute.CacheLoadControlAttribute, _PREFER_NETWORK)
    request.setAttribute(_Attribute.DoNotBufferUploadDataAttribute, True)
    request.setTransferTimeout(0)


def _leave_identity(request: QtNetwork.QNetworkRequest) -> None:
    """A client certificate and the name the peer must prove were meant for the first origin only."""
    if has_tls():
        request.setPeerVerifyName("")
        configuration = request.sslConfiguration()
        if not configuration.localCertificate().isNull():
            configuration.setLocalCertificate(QtNetwork.QSslCertificate())
            configuration.setPrivateKey(QtNetwork.QSslKey())
            request.setSslConfiguration(configuration)


_MANUAL_REDIRECTS = enum_value(_Request.RedirectPolicy.ManualRedirectPolicy)
_PREFER_NETWORK = enum_value(_Request.CacheLoadControl.PreferNetwork)


@lru_cache(maxsize=16)
def _prototype(headers: Pairs) -> QtNetwork.QNetworkRequest:
    """A request with the header fields that most requests share; copying it is cheaper than setting them."""
    request = _Request()
    _own(request)
    for name, value in headers:
        request.setRawHeader(name, value)
    return request

"""Makes the QNetworkRequest that Qt sends for a Request.

Qt's own redirects, cookies, cached credentials, cache and decoding are switched off: they resend requests, carry
headers to other hosts and report a corrupt body as success. The flows above the engines do all this.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Optional

from ...models.headers import DEFAULT_FIELDS, Pairs, are_defaults
from ...models.http_messages import Request
from ...qt.binding import QtCore, QtNetwork, encoded_url, enum_value, has_tls
from ...qt.connection_options import connections_per_host
from ...tls.qt_configuration import caller_configuration, configuration_for, limited_for_keys

ADDED_FIELDS = frozenset((b"user-agent", b"accept-encoding", b"accept-language", b"content-type", b"connection"))
"""Fields that Qt adds to a request without them; ``Content-Type`` only to a POST."""

_Attribute = QtNetwork.QNetworkRequest.Attribute
_Request = QtNetwork.QNetworkRequest

_SYNCHRONOUS, _MAXIMUM_DOWNLOAD_BUFFER = _Attribute(16), _Attribute(14)  # type: ignore[call-arg]
"""Attributes of Qt's own, which only PySide6 names."""


def make_qt_request(request: Request) -> QtNetwork.QNetworkRequest:
    """Return the QNetworkRequest to send. Any thread may call this, because the result is not changed afterwards."""
    caller_request: Optional[QtNetwork.QNetworkRequest] = request.qt_request
    headers = request.headers
    if caller_request is None:
        # Only default fields are kept in a prototype, because other fields may be secrets.
        defaults = headers[:DEFAULT_FIELDS]
        if not are_defaults(defaults):
            defaults = ()
        qt_request = _Request(_prototype(defaults))
        headers = headers[len(defaults) :]
    else:
        qt_request = _Request(caller_request)
        for name in qt_request.rawHeaderList():
            qt_request.setRawHeader(name, QtCore.QByteArray())
        _disable_qt_policies(qt_request)
        _adapt_to_worker(qt_request)
    if request.url.startswith("https:"):
        if request.tls is not None and caller_configuration(request) is None:
            qt_request.setSslConfiguration(configuration_for(request.tls))
        if not request.same_origin:
            _leave_identity(qt_request)
    proxy = request.proxy
    if proxy is not None and proxy.user and proxy.forwards(request.url):
        # Qt itself would wait for a 407, and then look for credentials in a cache that is switched off here.
        qt_request.setRawHeader(b"Proxy-Authorization", proxy.authorization)  # type: ignore[arg-type]
    if request.connection_credentials is not None:
        # Qt logs in only with this setting. It remembers the credentials in its worker, which serves this user only.
        qt_request.setAttribute(_Attribute.AuthenticationReuseAttribute, enum_value(_Request.LoadControl.Automatic))
    qt_request.setUrl(encoded_url(request.url))
    if request.pre_shared_key is not None and request.pre_shared_key.is_known:
        # The request shares no data with the prototype any more. Qt writes its default configuration into these data
        # when it is asked for the configuration.
        limited = limited_for_keys(qt_request.sslConfiguration())
        if limited is not None:
            qt_request.setSslConfiguration(limited)
    for field, value in headers:
        qt_request.setRawHeader(field, value)  # type: ignore[arg-type]
    return qt_request


def _disable_qt_policies(request: QtNetwork.QNetworkRequest) -> None:
    """Switch off Qt's redirects, cookies, credentials and cache. The flows above the engines do all this."""
    manual = enum_value(_Request.LoadControl.Manual)
    request.setAttribute(_Attribute.RedirectPolicyAttribute, _MANUAL_REDIRECTS)
    request.setAttribute(_Attribute.CookieLoadControlAttribute, manual)
    request.setAttribute(_Attribute.CookieSaveControlAttribute, manual)
    request.setAttribute(_Attribute.AuthenticationReuseAttribute, manual)
    request.setAttribute(_Attribute.CacheLoadControlAttribute, _PREFER_NETWORK)
    request.setAttribute(_Attribute.DoNotBufferUploadDataAttribute, True)
    request.setTransferTimeout(0)


def _adapt_to_worker(request: QtNetwork.QNetworkRequest) -> None:
    """Switch off the settings of a request that would harm the worker, or the other requests that it performs.

    They change how Qt performs a request, not its result.
    """
    if request.attribute(_SYNCHRONOUS):
        request.setAttribute(_SYNCHRONOUS, False)  # the worker would be blocked, and hear no abort
    if request.attribute(_MAXIMUM_DOWNLOAD_BUFFER):
        request.setAttribute(_MAXIMUM_DOWNLOAD_BUFFER, 0)
    if request.attribute(_Attribute.HttpPipeliningAllowedAttribute):
        request.setAttribute(_Attribute.HttpPipeliningAllowedAttribute, False)  # another request would wait behind it
    request.setAttribute(_Attribute.AutoDeleteReplyOnFinishAttribute, True)  # each call would leave a reply behind
    if connections_per_host(request):
        # With fewer connections than the engine counts on, requests would wait in Qt while their timeouts run.
        request.setHttp1Configuration(QtNetwork.QHttp1Configuration())  # type: ignore[attr-defined]
    configuration = request.http2Configuration()
    if configuration.serverPushEnabled():
        configuration.setServerPushEnabled(False)  # no call reads the pushed responses
        request.setHttp2Configuration(configuration)


def _leave_identity(request: QtNetwork.QNetworkRequest) -> None:
    """Remove the client certificate and the peer's name after a redirect to another origin."""
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
    _disable_qt_policies(request)
    for name, value in headers:
        request.setRawHeader(name, value)
    return request

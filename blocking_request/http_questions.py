"""What an Http asks whoever listens to its signals: for credentials, and about certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from .auth import AuthConfig
from .certificate import Certificate
from .flows.credentials import shown_host
from .http_commands import User
from .proxy import Proxy
from .proxy_rules import proxy_of, qt_proxy
from .qt import QtNetwork
from .settings import Settings
from .tls import TlsError
from .urls import DEFAULT_PORTS

if TYPE_CHECKING:
    from .http import Http


class Questions:
    """Of one request; asked while it is under way, in the thread of the Http. Slots answer them at once."""

    def __init__(self, http: Http, settings: Settings, url: str, user: Optional[User], proxy: Optional[Proxy]) -> None:
        """``settings``: those of the manager, who is asked where nobody listens."""
        self._http = http
        self._settings = settings
        self._url = url
        self._user = user
        self._proxy = proxy
        self.ignores_errors = False

    def login(self, realm: str, host: str, attempt: int) -> Any:
        """As an AuthHandler, of a server and of a proxy."""
        of_server = host == shown_host(self._url)
        if of_server and self._user is not None and attempt == 1:
            return AuthConfig.basic(*self._user)
        signal = self._http.authenticationRequired if of_server else self._http.proxyAuthenticationRequired
        if not self._http.receivers(signal):  # type: ignore[arg-type]
            handler = self._settings.auth_handler
            return None if handler is None else handler(realm, host, attempt)
        authenticator = QtNetwork.QAuthenticator()
        authenticator.setOption("realm", realm)
        if of_server:
            parts = urlsplit(self._url)
            port = parts.port or DEFAULT_PORTS[parts.scheme]
            self._http.authenticationRequired.emit(parts.hostname, port, authenticator)
        else:
            proxy = self._proxy or proxy_of(host)
            assert proxy is not None
            self._http.proxyAuthenticationRequired.emit(qt_proxy(proxy), authenticator)
        given = authenticator.user(), authenticator.password()
        return given if any(given) else None

    def certificates(self, errors: list[TlsError], certificates: list[Certificate]) -> Any:
        """As an SslErrorHandler."""
        http = self._http
        if not http.receivers(http.sslErrors):  # type: ignore[arg-type]
            handler = self._settings.ssl_error_handler
            return None if handler is None else handler(errors, certificates)
        self.ignores_errors = False
        http.sslErrors.emit([_qt_error(error) for error in errors])
        return errors if self.ignores_errors else None


def _qt_error(error: TlsError) -> QtNetwork.QSslError:
    """As Qt has it; where Qt has no OpenSSL its certificate is a null one."""
    certificate = QtNetwork.QSslCertificate(error.certificate.der, QtNetwork.QSsl.EncodingFormat.Der)
    return QtNetwork.QSslError(QtNetwork.QSslError.SslError(error.kind), certificate)

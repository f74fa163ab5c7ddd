"""AuthPrompts: emits the signals with which an Http asks for credentials and about certificate errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from ..flows.auth.server import host_with_port
from ..models.auth import AuthConfig
from ..models.certificate import Certificate
from ..models.proxy import Proxy
from ..models.tls import TlsError
from ..models.urls import DEFAULT_PORTS
from ..prepare.build_request import checked_text
from ..prepare.settings import Settings
from ..proxies.parse import proxy_of, qt_proxy
from ..qt.authenticator import credentials_of, new_authenticator
from ..qt.binding import QtNetwork
from ..qt.emit import is_connected
from ..tls.qt_configuration import qt_error
from .commands import SetUser

if TYPE_CHECKING:
    from .http import Http


class AuthPrompts:
    """Emits the prompts of one request, in the thread of the Http. A slot answers before it returns."""

    def __init__(
        self, http: Http, settings: Settings, url: str, user: Optional[SetUser], proxy: Optional[Proxy]
    ) -> None:
        """``settings``: the manager's. If no slot is connected to a signal, the handler of the manager is called."""
        self._http = http
        self._settings = settings
        # Normalized, as it is sent, so that the host can be compared.
        self._url = checked_text(url)[0]
        self._user = user
        self._proxy = proxy
        self.ignores_errors = False
        self.is_closed = False
        """Whether the request has ended. The result of a slot that returns later is ignored."""

    def login(self, realm: str, host: str, attempt: int) -> Any:
        """Return credentials for a server: an AuthHandler."""
        if self._user is not None and attempt == 1 and host == host_with_port(self._url):
            return AuthConfig.basic(*self._user)
        if not is_connected(self._http, "authenticationRequired"):
            return self._ask_manager(realm, host, attempt)
        # Not the host of the URL: a request preprocessor may have changed it.
        parts = urlsplit(f"{urlsplit(self._url).scheme}://{host}")
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        authenticator = new_authenticator(realm)
        self._http.authenticationRequired.emit(parts.hostname, port, authenticator)
        return self._credentials(authenticator)

    def proxy_login(self, realm: str, address: str, attempt: int) -> Any:
        """Return credentials for a proxy: an AuthHandler."""
        if not is_connected(self._http, "proxyAuthenticationRequired"):
            return self._ask_manager(realm, address, attempt)
        proxy = self._proxy or proxy_of(address)
        assert proxy is not None
        authenticator = new_authenticator(realm)
        self._http.proxyAuthenticationRequired.emit(qt_proxy(proxy), authenticator)
        return self._credentials(authenticator)

    def _ask_manager(self, realm: str, host: str, attempt: int) -> Any:
        handler = self._settings.auth_handler
        return None if handler is None else handler(realm, host, attempt)

    def _credentials(self, authenticator: QtNetwork.QAuthenticator) -> Optional[tuple[str, str]]:
        return None if self.is_closed else credentials_of(authenticator)

    def certificates(self, errors: list[TlsError], certificates: list[Certificate]) -> Any:
        """Return the certificate errors that are accepted: an SslErrorHandler."""
        http = self._http
        if not is_connected(http, "sslErrors"):
            handler = self._settings.ssl_error_handler
            return None if handler is None else handler(errors, certificates)
        self.ignores_errors = False
        http.sslErrors.emit([qt_error(error) for error in errors])
        return errors if self.ignores_errors and not self.is_closed else None

"""The signals of a manager, and the questions that some of them ask: for credentials, and about certificate errors."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any, Callable, Optional, Union

from ..models.http_messages import Response
from ..models.proxy import Proxy
from ..models.tls import TlsError
from ..prepare.settings import Settings
from ..proxies.parse import qt_proxy
from ..qt.authenticator import credentials_of, new_authenticator
from ..qt.binding import QtNetwork
from ..qt.caller_signal import CallerSignal
from ..reply import ReplyContent
from ..tls.qt_configuration import qt_error
from .settings_holder import SettingsHolder, change_settings_by


class RefusedReply(ReplyContent):
    """The reply that slots of ``sslErrors`` get: its server has a certificate with errors, and was sent nothing."""

    ignored: list[TlsError]
    """The errors that slots have accepted."""
    _errors: dict[TlsError, QtNetwork.QSslError]

    @classmethod
    def of(cls, response: Response, errors: dict[TlsError, QtNetwork.QSslError]) -> RefusedReply:
        """``errors``: the errors of the certificate, and the same for Qt."""
        reply: RefusedReply = cls.from_response(response, 0.0, -1)  # type: ignore[assignment]
        reply.__dict__.update(_errors=errors, ignored=[])  # attributes of a ReplyContent cannot be set
        return reply

    def ignoreSslErrors(self, errors: Optional[Iterable[Union[QtNetwork.QSslError, TlsError]]] = None) -> None:
        """Accept errors of the certificate, for this call. For the thread of the slot.

        ``errors``: the errors that are accepted, from the list that the slot was given; None accepts all of them. The
        call continues if all errors were accepted.
        """
        given = None if errors is None else list(errors)
        for error, of_qt in self._errors.items():
            if given is None or error in given or of_qt in given:
                self.ignored.append(error)


class ManagerSignals(SettingsHolder):
    """Base class of the manager, with its signals.

    Their slots run as CallerSignal says. Slots of the last three always run in the thread of the caller.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requestAboutToBeCreated = CallerSignal()
        self.finished = CallerSignal()
        self.encrypted = CallerSignal()
        self.networkAccessibleChanged = CallerSignal()
        # The setting refers to the signal, and the signal to the manager only by a weak reference.
        changed = partial(_update_prompts, weakref.ref(self))
        self.authenticationRequired = CallerSignal(is_direct=True, changed=changed)
        self.proxyAuthenticationRequired = CallerSignal(is_direct=True, changed=changed)
        self.sslErrors = CallerSignal(is_direct=True, changed=changed)


def _update_prompts(manager_reference: Callable[[], Optional[ManagerSignals]]) -> None:
    """Have calls ask the signals that have slots."""
    manager = manager_reference()
    if manager is None:
        return
    login, proxy_login, errors = manager.authenticationRequired, manager.proxyAuthenticationRequired, manager.sslErrors

    def prompts(settings: Settings) -> dict[str, Any]:
        # While the lock of the settings is held: another thread may connect a slot of another signal.
        return {
            "auth_prompt": partial(_ask_for_login, login) if login else None,
            "proxy_auth_prompt": partial(_ask_for_proxy_login, proxy_login) if proxy_login else None,
            "ssl_error_prompt": partial(_ask_about_errors, errors) if errors else None,
            "had_auth_handler": settings.had_auth_handler or bool(login),
        }

    change_settings_by(manager, prompts)


def _ask_for_login(signal: CallerSignal, response: Response, realm: str) -> Optional[tuple[str, str]]:
    """Return the user and the password that the slots fill in, or None."""
    authenticator = new_authenticator(realm)
    signal.emit(ReplyContent.from_response(response.without_credentials(), 0.0, -1), authenticator)
    return credentials_of(authenticator)


def _ask_for_proxy_login(signal: CallerSignal, proxy: Proxy, realm: str) -> Optional[tuple[str, str]]:
    authenticator = new_authenticator(realm)
    signal.emit(qt_proxy(proxy), authenticator)
    return credentials_of(authenticator)


def _ask_about_errors(signal: CallerSignal, response: Response) -> list[TlsError]:
    """Return the errors that the slots accept."""
    session = None if response.tls is None else response.tls.session
    errors = {} if session is None else {error: qt_error(error) for error in session.errors}
    reply = RefusedReply.of(response.without_credentials(), errors)
    signal.emit(reply, list(errors.values()))
    return reply.ignored

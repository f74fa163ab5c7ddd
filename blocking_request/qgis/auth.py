"""QGIS's authentication database: adds the credentials of a config to a request."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, Callable, NamedTuple, Optional
from urllib.parse import urlsplit

from ..models.failure import Failure, QtNetworkError, RequestNotSent, request_not_sent
from ..models.headers import FRAMING_FIELDS
from ..models.http_messages import Request
from ..models.proxy import Proxy
from ..models.redaction import hidden_repr
from ..proxies.rules import ProxyRules
from ..qt.binding import QtCore, QtNetwork
from ..qt.network_request import qt_request_copy, raw_fields
from ..trace import logger
from .settings import core, with_database_credentials

POLL_SECONDS = 0.02
"""Seconds between two looks at whether a call that waits for QGIS should go on."""

CREDENTIALS_SECONDS = 5.0
"""A changed password of a proxy is used after this time at the latest."""


WaitStopReason = Callable[[float], Optional[Failure]]
"""Returns why a call that waits since a time of ``time.monotonic`` must end, or None."""


def qgis_auth_of(authcfg: str, stop_reason: WaitStopReason) -> Optional[Callable[[Request], Request]]:
    """Return a function that adds the credentials QGIS has under an id to a request; None outside QGIS.

    QGIS may ask for its master password in the main thread, and wait for the user as long as that takes. So if the
    caller's thread is not the main one, another thread calls QGIS. ``stop_reason`` says when to stop waiting. Raises
    RequestNotSent if QGIS has no such id.
    """
    qgis = core()
    if qgis is None:
        return None
    auth = qgis.QgsApplication.authManager()
    if authcfg not in auth.configIds():
        text = f"There is no authentication config {authcfg!r}, neither in the manager's authRegistry() nor in QGIS"
        raise request_not_sent(QtNetworkError.AuthenticationRequiredError, text)

    def add_credentials(request: Request) -> Request:
        if not _unlock(auth, stop_reason):
            text = f"QGIS's authentication database is locked, so its config {authcfg!r} cannot be read"
            raise request_not_sent(QtNetworkError.AuthenticationRequiredError, text)
        qt_request = qt_request_copy(request)
        done, updated = _run_cancellable(lambda: auth.updateNetworkRequest(qt_request, authcfg), stop_reason)
        if not done:
            text = f"QGIS could not apply its authentication config {authcfg!r}"
            raise request_not_sent(QtNetworkError.AuthenticationRequiredError, text)
        return _as_updated(request, updated)

    return add_credentials


class _KnownProxy(NamedTuple):
    """A proxy with its credentials, and when they were read."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    key: tuple[Proxy, str]
    read_at: float
    proxy: Proxy


_known_proxy: list[_KnownProxy] = []
"""That of the present settings. It is replaced as a whole, so threads need no lock."""


def with_proxy_credentials(rules: ProxyRules, stop_reason: WaitStopReason) -> ProxyRules:
    """Return the rules with the proxy's credentials of QGIS's database, which are read at most each few seconds.

    The proxy has none if the user does not unlock the database. Raises RequestNotSent if the call ends meanwhile.
    """
    qgis, proxy = core(), rules.proxy
    if qgis is None or proxy is None:
        return rules
    key, now = (proxy, rules.qgis_auth_cfg), time.monotonic()
    known = next(iter(_known_proxy), None)
    if known is None or known.key != key or now - known.read_at >= CREDENTIALS_SECONDS:
        if not _unlock(qgis.QgsApplication.authManager(), stop_reason):
            return rules
        found: Proxy = _run_cancellable(lambda: with_database_credentials(*key, qgis), stop_reason)
        known = _KnownProxy(key, now, found)
        _known_proxy[:] = [known]
    return replace(rules, proxy=known.proxy)


def _as_updated(request: Request, updated: QtNetwork.QNetworkRequest) -> Request:
    """The request with the URL, the header fields and the TLS configuration that QGIS wants."""
    fields = raw_fields(updated)
    before = {(name.lower(), value) for name, value in request.headers}
    added = tuple(name.decode("latin-1") for name, value in fields if (name.lower(), value) not in before)
    framing = tuple(pair for pair in request.headers if pair[0].lower() in FRAMING_FIELDS)
    others = tuple(pair for pair in fields if pair[0].lower() not in FRAMING_FIELDS)
    url = updated.url().toEncoded().data().decode("ascii")
    names = tuple(parameter.partition("=")[0] for parameter in urlsplit(url).query.split("&") if parameter)
    old = tuple(parameter.partition("=")[0] for parameter in urlsplit(request.url).query.split("&"))
    secret = (*request.redacted_names, *added, *(name for name in names if name not in old))
    return request._replace(url=url, headers=framing + others, qt_request=updated, redacted_names=secret)


class _Question:
    """QGIS's question for its master password. All calls that need it wait for the same question.

    The thread that asks lives as long as QGIS's dialog is open, also if every call has ended meanwhile.
    """

    def __init__(self, auth: Any) -> None:
        self._auth = auth
        self.has_ended = threading.Event()
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        try:
            self._auth.setMasterPassword(True)
        except Exception:
            logger.exception("QGIS could not ask for its master password")
        finally:
            self.has_ended.set()


_questions: list[_Question] = []
"""The question that is open, if any."""
_questions_guard = threading.Lock()


def _unlock(auth: Any, stop_reason: WaitStopReason) -> bool:
    """Return whether the authentication database can be read. Unless it can, have QGIS ask for its master password.

    In the main thread QGIS asks by itself, when it reads. Raises RequestNotSent if the call ends meanwhile.
    """
    if auth.isDisabled() or auth.masterPasswordIsSet() or _is_main_thread():
        return True
    with _questions_guard:
        if not _questions or _questions[0].has_ended.is_set():
            _questions[:] = [_Question(auth)]
        question = _questions[0]
    began = time.monotonic()
    while not question.has_ended.wait(POLL_SECONDS):
        _check(stop_reason, began)
    return bool(auth.masterPasswordIsSet())


def _check(stop_reason: WaitStopReason, began: float) -> None:
    failure = stop_reason(began)
    if failure is not None:
        raise RequestNotSent(failure)


def _run_cancellable(work: Callable[[], Any], stop_reason: WaitStopReason) -> Any:
    """Return the result of ``work``. Outside the main thread ``work`` runs in a thread of its own.

    Raises the exceptions of ``work``, and RequestNotSent if the call ends in the meantime. The thread ends when QGIS
    returns.
    """
    if _is_main_thread():
        return work()
    results: SimpleQueue[tuple[Any, Optional[BaseException]]] = SimpleQueue()

    def run() -> None:
        try:
            results.put((work(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    began = time.monotonic()
    while True:
        _check(stop_reason, began)
        try:
            result, error = results.get(timeout=POLL_SECONDS)
        except Empty:
            continue
        if error is not None:
            raise error
        return result


def _replace_lock_after_fork() -> None:
    """In a forked child, the thread of the parent that asks does not exist."""
    global _questions_guard
    _questions_guard = threading.Lock()
    _questions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_lock_after_fork)


def _is_main_thread() -> bool:
    app = QtCore.QCoreApplication.instance()
    return app is not None and app.thread() == QtCore.QThread.currentThread()


def attention() -> Callable[[], None]:
    """Return a function that a blocked call in the main thread calls now and then, if QGIS's managers send.

    A manager in another thread has the main thread ask the user about certificates and passwords, and waits for the
    answer. The function lets only these questions run, and no other event of the application.
    """
    qgis = core()
    if qgis is None or not _is_main_thread():
        return lambda: None
    main = qgis.QgsNetworkAccessManager.instance()
    call = QtCore.QEvent.Type.MetaCall
    return lambda: QtCore.QCoreApplication.sendPostedEvents(main, int(getattr(call, "value", call)))

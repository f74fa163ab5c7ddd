"""QGIS's authentication database: adds the credentials of a config to a request."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

from ..models.failure import QtNetworkError, RequestNotSent, request_not_sent
from ..models.headers import FRAMING_FIELDS
from ..models.http_messages import Request
from ..models.proxy import Proxy
from ..proxies.rules import ProxyRules
from ..qt.binding import QtCore, QtNetwork
from ..qt.network_request import qt_request_copy, raw_fields
from .settings import StopReason, core, with_database_credentials

POLL_SECONDS = 0.02
"""Seconds between two looks at whether a call that waits for QGIS should go on."""

CREDENTIALS_SECONDS = 5.0
"""A changed password of a proxy is used after this time at the latest."""


def qgis_auth_of(authcfg: str, stop_reason: StopReason) -> Optional[Callable[[Request], Request]]:
    """Return a function that adds the credentials QGIS has under an id to a request; None outside QGIS.

    QGIS may ask for its master password in the main thread, and wait for the user as long as that takes. So if the
    caller's thread is not the main one, the function calls QGIS in another thread. ``stop_reason`` says when to stop
    waiting. Raises RequestNotSent if QGIS has no such id.
    """
    qgis = core()
    if qgis is None:
        return None
    auth = qgis.QgsApplication.authManager()
    if authcfg not in auth.configIds():
        text = f"There is no authentication config {authcfg!r}, neither in the manager's authRegistry() nor in QGIS"
        raise request_not_sent(QtNetworkError.AuthenticationRequiredError, text)

    def add_credentials(request: Request) -> Request:
        qt_request = qt_request_copy(request)
        done, updated = _run_cancellable(lambda: auth.updateNetworkRequest(qt_request, authcfg), stop_reason)
        if not done:
            text = f"QGIS could not apply its authentication config {authcfg!r}"
            raise request_not_sent(QtNetworkError.AuthenticationRequiredError, text)
        return _as_updated(request, updated)

    return add_credentials


def with_proxy_credentials(rules: ProxyRules, stop_reason: StopReason) -> ProxyRules:
    """Return the rules with the proxy's credentials of QGIS's database, which are read at most each few seconds.

    Raises RequestNotSent if the call ends while QGIS asks for its master password.
    """
    qgis, proxy = core(), rules.proxy
    if qgis is None or proxy is None:
        return rules
    key, now = (proxy, rules.qgis_auth_cfg), time.monotonic()
    known = _known_proxies.get(key)
    if known is None or now - known[0] >= CREDENTIALS_SECONDS:
        found: Proxy = _run_cancellable(lambda: with_database_credentials(*key, qgis), stop_reason)
        _known_proxies.clear()  # it has one entry: that of the present settings
        known = _known_proxies[key] = (now, found)
    return replace(rules, proxy=known[1])


_known_proxies: dict[tuple[Proxy, str], tuple[float, Proxy]] = {}
"""The proxy with its credentials, and when they were read."""


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


def _run_cancellable(work: Callable[[], Any], stop_reason: StopReason) -> Any:
    """Return the result of ``work``. Outside the main thread ``work`` runs in a thread of its own.

    Raises the exceptions of ``work``, and RequestNotSent if the call ends in the meantime.
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
    while True:
        failure = stop_reason()
        if failure is not None:
            raise RequestNotSent(failure)
        try:
            result, error = results.get(timeout=POLL_SECONDS)
        except Empty:
            continue
        if error is not None:
            raise error
        return result


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

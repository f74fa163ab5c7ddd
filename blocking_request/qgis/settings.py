"""QGIS: its settings, its authentication database, and its questions to the user.

``qgis`` itself is imported only where the program has done so, or asks for what only QGIS has.
"""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Callable, NamedTuple, Optional
from urllib.parse import urlsplit

from ..models.failure import Failure, QtNetworkError, RequestNotSent, request_not_sent
from ..models.headers import FRAMING_FIELDS
from ..models.http_messages import Request
from ..models.proxy import DEFAULT_PORTS, NO_PROXY, Proxy
from ..models.redaction import hidden_repr
from ..models.tls import TlsSettings
from ..proxies.rules import qt_proxy, url_prefixes
from ..qt.binding import QtCore, QtNetwork
from ..qt.network_request import qt_request_copy, raw_fields
from ..stores.cache import NetworkDiskCache
from ..stores.cache.location import default_folder

DEFAULT_TIMEOUT_MS = 60_000
DEFAULT_USER_AGENT = "Mozilla/5.0"

_KINDS = {"Socks5Proxy": "socks5", "HttpProxy": "http", "HttpCachingProxy": "http"}

POLL_SECONDS = 0.02
"""Seconds between two looks at whether a call that waits for QGIS should go on."""


def core() -> Any:
    """``qgis.core`` where this program is QGIS, else None."""
    module = sys.modules.get("qgis.core")
    if module is None or module.QgsApplication.instance() is None:
        return None
    return module


class QgisSettings(NamedTuple):
    """What QGIS's settings say of the network."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    timeout: int
    user_agent: str
    proxies: Optional[tuple[Optional[Proxy], tuple[str, ...], tuple[str, ...]]]
    """Fallback proxy, its exceptions, and what goes without a proxy; None: QGIS's own manager knows."""
    tls: Optional[TlsSettings]
    cache: NetworkDiskCache


def read_qgis_settings(settings_file: Optional[str], use_qgis_manager: bool) -> QgisSettings:
    """Raises RuntimeError, FileNotFoundError, ValueError: see ``NetworkAccessManager.fromQgis``."""
    qgis = core()
    if settings_file is not None:
        if not Path(settings_file).is_file():
            raise FileNotFoundError(f"there is no settings file {settings_file}")
        settings = QtCore.QSettings(settings_file, QtCore.QSettings.Format.IniFormat)
    elif qgis is not None:
        settings = qgis.QgsSettings()
    else:
        raise RuntimeError(
            "this program is not QGIS, or has no QgsApplication: give the path of the settings file, "
            "fromQgis('.../profiles/default/QGIS/QGIS3.ini')"
        )
    if use_qgis_manager and qgis is None:
        raise RuntimeError("QGIS's own network manager can be used in a program with a QgsApplication only")
    read = _reader(settings)
    return QgisSettings(
        timeout=_timeout(read),
        user_agent=_user_agent(read, qgis),
        proxies=None if use_qgis_manager else (_proxy(read, qgis), *_proxy_lists(read)),
        tls=None if qgis is None else _trusted(qgis),
        cache=NetworkDiskCache(*_cache(read, qgis)),
    )


Read = Callable[[str, Any], Any]


def _reader(settings: Any) -> Read:
    return lambda key, default: settings.value(key, default)


def _timeout(read: Read) -> int:
    value = read("network/network-timeout", None)
    value = read("qgis/networkAndProxy/networkTimeout", DEFAULT_TIMEOUT_MS) if value is None else value
    try:
        return max(int(value), 0)
    except (TypeError, ValueError):
        raise ValueError(f"QGIS's network timeout is {value!r}, which is no number of milliseconds") from None


def _user_agent(read: Read, qgis: Any) -> str:
    """As QGIS 3 makes it of its setting."""
    agent = str(read("qgis/networkAndProxy/userAgent", DEFAULT_USER_AGENT) or "").strip()
    version = "" if qgis is None else f"QGIS/{qgis.Qgis.QGIS_VERSION_INT}"
    return f"{agent} {version}".strip() or "QGIS"


def _cache(read: Read, qgis: Any) -> tuple[Path, int]:
    """Folder and size. QGIS's own files are of another kind: ours stand beside them."""
    directory = str(read("cache/directory", "") or "")
    if directory:
        folder = Path(directory)
    elif qgis is not None:
        folder = Path(QtCore.QStandardPaths.writableLocation(QtCore.QStandardPaths.StandardLocation.CacheLocation))
    else:
        return default_folder("QGIS3"), _cache_size(read, default_folder("QGIS3"))
    return folder / "blocking-request", _cache_size(read, folder)


def _cache_size(read: Read, folder: Path) -> int:
    size = read("cache/size-bytes", None)
    size = read("cache/size", 0) if size is None else size  # before QGIS 3.40
    try:
        wanted = int(size or 0)
    except (TypeError, ValueError):
        raise ValueError(f"QGIS's cache size is {size!r}, which is no number of bytes") from None
    return wanted if wanted > 0 else automatic_size(_free_bytes(folder))


def _free_bytes(folder: Path) -> int:
    """On the disk the folder is on, or will be."""
    while True:
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            if folder == folder.parent:
                return 0
            folder = folder.parent


_MIB = 1 << 20


def automatic_size(free: int) -> int:
    """QGIS's rule, which is Firefox's: much of a little room, little of much, and never more than 1 GiB."""
    if free > 25_000 * _MIB:
        return 1024 * _MIB
    shares = ((500 * _MIB, 0.3), (7_000 * _MIB, 0.075), (free, 0.025))
    size, below = 0.0, 0
    for upto, share in shares:
        size += max(min(free, upto) - below, 0) * share
        below = upto
    return max(int(size), 10 * _MIB)


def _proxy(read: Read, qgis: Any) -> Optional[Proxy]:
    """None: Qt's, the environment's or the system's, which QGIS calls the default proxy."""
    if str(read("proxy/proxyEnabled", "false")).lower() not in ("true", "1"):
        return NO_PROXY
    kind = _KINDS.get(str(read("proxy/proxyType", "") or ""))
    host = str(read("proxy/proxyHost", "") or "")
    if kind is None or not host:
        return None
    port = read("proxy/proxyPort", 0)
    user, password = str(read("proxy/proxyUser", "") or ""), str(read("proxy/proxyPassword", "") or "")
    authcfg = str(read("proxy/authcfg", "") or "")
    try:
        proxy = Proxy(kind, host, int(port or 0) or DEFAULT_PORTS[kind], user, password)
    except (TypeError, ValueError) as error:
        raise ValueError(f"QGIS's proxy setting cannot be used: {error}") from None
    if authcfg and qgis is not None:
        done, updated = qgis.QgsApplication.authManager().updateNetworkProxy(qt_proxy(proxy), authcfg)
        if done:
            return Proxy(kind, host, proxy.port, updated.user(), updated.password())
    return proxy


def _proxy_lists(read: Read) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What goes by the default proxy, and what goes without one."""
    return url_prefixes(_strings(read("proxy/proxyExcludedUrls", []))), url_prefixes(
        _strings(read("proxy/noProxyUrls", []))
    )


def _strings(value: Any) -> list[str]:
    """A QStringList of one entry comes out of QSettings as that entry."""
    if isinstance(value, str):
        return [value]
    return [str(each) for each in value or []]


def _trusted(qgis: Any) -> Optional[TlsSettings]:
    """The authorities that the user has added in QGIS, besides the system's."""
    auth = qgis.QgsApplication.authManager()
    if auth.isDisabled():
        return None
    added = [*auth.extraFileCAs(), *auth.databaseCAs()]
    if not added:
        return None
    return TlsSettings(caData=b"".join(certificate.toPem().data() for certificate in added), trust="system")


StopReason = Callable[[], Optional[Failure]]


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
        done, updated = _beside(lambda: auth.updateNetworkRequest(qt_request, authcfg), stop_reason)
        if not done:
            text = f"QGIS could not apply its authentication config {authcfg!r}"
            raise request_not_sent(QtNetworkError.AuthenticationRequiredError, text)
        return _as_updated(request, updated)

    return add_credentials


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


def _beside(work: Callable[[], Any], stop_reason: StopReason) -> Any:
    """What ``work`` gives: here in the main thread, elsewhere in a thread beside it. Raises what it raises, and
    RequestNotSent if the call ends in the meantime.
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
    """What a blocked call in the main thread does now and then where QGIS's managers send.

    A manager in another thread has the main one ask its user about certificates and passwords, and waits for the
    answer. Only these questions are let through; nothing else of the application runs.
    """
    qgis = core()
    if qgis is None or not _is_main_thread():
        return lambda: None
    main = qgis.QgsNetworkAccessManager.instance()
    call = QtCore.QEvent.Type.MetaCall
    return lambda: QtCore.QCoreApplication.sendPostedEvents(main, int(getattr(call, "value", call)))

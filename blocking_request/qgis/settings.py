"""The network settings of QGIS, in a running QGIS or from a settings file.

``qgis`` itself is imported only if the program has imported it, or needs a feature of QGIS.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from ..models.certificate import Certificate
from ..models.proxy import DEFAULT_PORTS, NO_PROXY, Proxy
from ..models.redaction import hidden_repr
from ..models.tls import TlsError, TlsErrorKind, TlsSettings
from ..proxies.parse import qt_proxy
from ..proxies.rules import url_prefixes
from ..qt.binding import QtCore, enum_value
from ..stores.cache import NetworkDiskCache
from ..stores.cache.location import default_folder

DEFAULT_TIMEOUT_MS = 60_000
DEFAULT_USER_AGENT = "Mozilla/5.0"

USER_AGENT_KEY = "qgis/networkAndProxy/userAgent"
PROXY_KEYS = tuple(
    f"proxy/{name}"
    for name in (
        *("proxyEnabled", "proxyType", "proxyHost", "proxyPort", "proxyUser", "proxyPassword", "authcfg"),
        *("proxyExcludedUrls", "noProxyUrls"),
    )
)
"""The keys of QGIS's settings for the proxy."""

MOST_MILLISECONDS = (1 << 31) - 1

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]+")

_KINDS = {"Socks5Proxy": "socks5", "HttpProxy": "http", "HttpCachingProxy": "http"}


def core() -> Any:
    """Return ``qgis.core`` if this program is QGIS, else None."""
    module = sys.modules.get("qgis.core")
    application = getattr(module, "QgsApplication", None)  # a test may have put something else there
    return module if application is not None and isinstance(application.instance(), QtCore.QCoreApplication) else None


class QgisSettings(NamedTuple):
    """The network settings of QGIS."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    timeout: int
    user_agent: str
    proxies: Optional[tuple[Optional[Proxy], tuple[str, ...], tuple[str, ...]]]
    """The fallback proxy, its exceptions, and the URLs without a proxy; None: QGIS's own manager chooses."""
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
        timeout=timeout_of(read),
        user_agent=user_agent_of(read, qgis),
        proxies=None if use_qgis_manager else (_proxy(read, qgis), *proxy_lists(read)),
        tls=None if qgis is None else tls_of(qgis),
        cache=NetworkDiskCache(*_cache(read, qgis)),
    )


Read = Callable[[str, Any], Any]


def _reader(settings: Any) -> Read:
    return lambda key, default: settings.value(key, default)


def timeout_of(read: Read) -> int:
    value = read("network/network-timeout", None)
    value = read("qgis/networkAndProxy/networkTimeout", DEFAULT_TIMEOUT_MS) if value is None else value
    try:
        return min(max(int(value), 0), MOST_MILLISECONDS)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"QGIS's network timeout is {value!r}, which is no number of milliseconds") from None


def user_agent_of(read: Read, qgis: Any) -> str:
    """Return the user agent as QGIS 3 makes it of its setting."""
    agent = _CONTROL_CHARACTERS.sub(" ", str(read(USER_AGENT_KEY, DEFAULT_USER_AGENT) or "")).strip()
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


def proxy_and_auth_cfg(read: Read) -> tuple[Optional[Proxy], str]:
    """Return the proxy, and the id of its credentials in QGIS's authentication database; '': none.

    None: the proxy of Qt, the environment or the system, which QGIS calls the default proxy. Raises ValueError.
    """
    if str(read("proxy/proxyEnabled", False)).lower() in ("", "0", "false"):  # as QVariant::toBool
        return NO_PROXY, ""
    kind = _KINDS.get(str(read("proxy/proxyType", "") or ""))
    host = str(read("proxy/proxyHost", "") or "").strip().strip("[]")
    if kind is None:
        return None, ""
    if not host:
        return NO_PROXY, ""
    port = read("proxy/proxyPort", 0)
    user, password = str(read("proxy/proxyUser", "") or ""), str(read("proxy/proxyPassword", "") or "")
    try:
        number = int(port or 0) or DEFAULT_PORTS[kind]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"QGIS's proxy setting cannot be used: the port is {port!r}, which is no number") from None
    try:
        proxy = Proxy(kind, host, number, user, password)
    except (TypeError, ValueError) as error:
        raise ValueError(f"QGIS's proxy setting cannot be used: {error}") from None
    return proxy, str(read("proxy/authcfg", "") or "")


def _proxy(read: Read, qgis: Any) -> Optional[Proxy]:
    proxy, auth_cfg = proxy_and_auth_cfg(read)
    return with_database_credentials(proxy, auth_cfg, qgis) if proxy and auth_cfg and qgis is not None else proxy


def with_database_credentials(proxy: Proxy, auth_cfg: str, qgis: Any) -> Proxy:
    """Return the proxy with the credentials that QGIS's database has under an id; unchanged if there are none.

    QGIS may ask the user for its master password meanwhile.
    """
    done, updated = qgis.QgsApplication.authManager().updateNetworkProxy(qt_proxy(proxy), auth_cfg)
    return replace(proxy, user=updated.user(), password=updated.password()) if done else proxy


def proxy_lists(read: Read) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the URLs that use the default proxy, and the URLs that use none."""
    return url_prefixes(_strings(read("proxy/proxyExcludedUrls", []))), url_prefixes(
        _strings(read("proxy/noProxyUrls", []))
    )


def _strings(value: Any) -> list[str]:
    """A QStringList of one entry comes out of QSettings as that entry."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, (list, tuple)) else []


def plain_value(value: Any) -> Any:
    """Return a value of QSettings that can be compared. Bytes become text."""
    if isinstance(value, (bytes, QtCore.QByteArray)):
        return bytes(value).decode("utf-8", "replace")
    return repr(value) if isinstance(value, float) else value  # NaN is not equal to itself


def tls_of(qgis: Any) -> Optional[TlsSettings]:
    """Return the authorities that the user has added in QGIS, besides the system's, and the errors that the user has
    accepted; None if there are none.
    """
    auth = qgis.QgsApplication.authManager()
    if auth.isDisabled():
        return None
    added = b"".join(certificate.toPem().data() for certificate in (*auth.extraFileCAs(), *auth.databaseCAs()))
    accepted = tuple(error for config in auth.sslCertCustomConfigs() for error in _accepted_errors(config))
    if not added and not accepted:
        return None
    return TlsSettings(caData=added or None, trust="system", ignoredErrors=accepted)


def _accepted_errors(config: Any) -> list[TlsError]:
    """Return the errors of the certificate of one server that the user has accepted for good.

    They hold for all ports of the host.
    """
    certificate = Certificate(config.sslCertificate().toDer().data())
    host = config.sslHostPort().rpartition(":")[0].strip("[]")
    if not host or not certificate.der:
        return []  # an error without a host would hold for every host
    kinds = {kind.value: kind for kind in TlsErrorKind}
    numbers = [enum_value(error) for error in config.sslIgnoredErrorEnums()]
    return [TlsError(kinds[number], certificate, host) for number in numbers if number in kinds]

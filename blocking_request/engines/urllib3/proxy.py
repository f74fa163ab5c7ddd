"""PoolManagers of urllib3 that go through a proxy."""

from __future__ import annotations

from typing import Any

import urllib3

from ...models.proxy import Proxy, ProxyUnusable
from .connection import POOL_CLASSES, Connection, HttpPool, HttpsConnection, HttpsPool


def through(proxy: Proxy, **options: Any) -> urllib3.PoolManager:
    """Raises ProxyUnusable."""
    return _through_socks(proxy, options) if proxy.kind == "socks5" else _through_http(proxy, options)


def _through_http(proxy: Proxy, options: dict[str, Any]) -> urllib3.PoolManager:
    headers = {"Proxy-Authorization": proxy.authorization.decode("ascii")} if proxy.user else {}
    manager = urllib3.ProxyManager(f"http://{_bracketed(proxy.host)}:{proxy.port}", proxy_headers=headers, **options)
    manager.pool_classes_by_scheme = POOL_CLASSES
    return manager


def _through_socks(proxy: Proxy, options: dict[str, Any]) -> urllib3.PoolManager:
    try:
        from urllib3.contrib import socks
    except ImportError:
        raise ProxyUnusable(
            "The proxy is a SOCKS proxy, for which the urllib3 engine needs the package PySocks: "
            "python3 -m pip install PySocks; or use setEngine('qt')"
        ) from None

    class SocksConnection(Connection, socks.SOCKSConnection):  # type: ignore[misc]
        connects_by_itself = True

    class SocksTlsConnection(HttpsConnection, socks.SOCKSHTTPSConnection):  # type: ignore[misc]
        connects_by_itself = True

    class SocksHttpPool(HttpPool):
        ConnectionCls = SocksConnection  # type: ignore[assignment]

    class SocksHttpsPool(HttpsPool):
        ConnectionCls = SocksTlsConnection

    # socks5h: the proxy looks the host up, as with Qt.
    manager = socks.SOCKSProxyManager(
        f"socks5h://{_bracketed(proxy.host)}:{proxy.port}", proxy.user or None, proxy.password or None, **options
    )
    manager.pool_classes_by_scheme = {"http": SocksHttpPool, "https": SocksHttpsPool}
    return manager


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

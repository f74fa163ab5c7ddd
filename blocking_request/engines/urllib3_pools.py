"""The pools of connections of the urllib3 engine: one PoolManager for each TLS configuration and proxy.

So a strict request never rides a connection that a lax one has opened.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple, Optional

import urllib3

from .. import messages
from ..errors import Failure
from ..exchange import Exchange
from ..tls import TlsSettings, TlsUnusable
from .qt_tls import NO_TLS, TlsKey, configuration_settings, tls_key
from .urllib3_connection import POOL_CLASSES
from .urllib3_tls import Tls

KEPT_CONNECTIONS = 64
"""To one origin, when they are idle."""

KEPT_ORIGINS = 64
KEPT_MANAGERS = 64


class _Key(NamedTuple):
    """What must be the same for two exchanges that share connections."""

    tls: TlsKey = NO_TLS
    verify_name: str = ""
    """Which name the server's certificate must have, where it is not the host."""


class _Pool(NamedTuple):
    manager: urllib3.PoolManager
    tls: Tls


class Pools:
    """Every method may be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._pools: dict[_Key, _Pool] = {}

    def refusal(self, exchange: Exchange) -> Optional[Failure]:
        """Why no connection can be made as the exchange wants it, or None."""
        try:
            _, tls = self.manager(exchange)
            if exchange.url.startswith("https:"):
                tls.context  # noqa: B018  (made here, so that what is wrong with it is told)
        except TlsUnusable as error:
            return messages.tls_unusable(str(error))
        return None

    def manager(self, exchange: Exchange) -> tuple[urllib3.PoolManager, Tls]:
        """Raises TlsUnusable."""
        key = _key(exchange)
        pool = self._pools.get(key)
        if pool is None:
            made = _make(exchange, key)
            with self._guard:
                pool = self._pools.setdefault(key, made)
                surplus = list(self._pools)[:-KEPT_MANAGERS]
                dropped = [self._pools.pop(old) for old in surplus]
            for old_pool in dropped:
                old_pool.manager.clear()
        return pool

    def clear(self) -> None:
        """Close the connections that are idle."""
        for pool in list(self._pools.values()):
            pool.manager.clear()


_PLAIN = _Key()


def _key(exchange: Exchange) -> _Key:
    if not exchange.url.startswith("https:"):
        return _PLAIN
    native = exchange.native
    verify_name = native.peerVerifyName() if native is not None and exchange.keeps_identity else ""
    return _Key(tls_key(exchange), verify_name)


def _make(exchange: Exchange, key: _Key) -> _Pool:
    settings = TlsSettings() if key is _PLAIN else configuration_settings(exchange)
    named: dict[str, Any] = {"server_hostname": key.verify_name} if key.verify_name else {}
    manager = urllib3.PoolManager(num_pools=KEPT_ORIGINS, maxsize=KEPT_CONNECTIONS, retries=False, **named)
    manager.pool_classes_by_scheme = POOL_CLASSES
    return _Pool(manager, Tls(settings))

"""FollowedSettings: the network settings that the running QGIS has now, as values for the manager of the process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..models.redaction import hidden_repr
from ..models.tls import TlsSettings
from ..proxies.rules import ProxyRules
from ..trace import logger
from .settings import (
    DEFAULT_TIMEOUT_MS,
    NETWORK_KEYS,
    Read,
    core,
    proxy_and_auth_cfg,
    proxy_lists,
    timeout_of,
    tls_of,
    user_agent_of,
)

if TYPE_CHECKING:
    from ..prepare.settings import Settings

CERTIFICATES_SECONDS = 5.0
"""Certificates that the user adds to QGIS are used after this time at the latest: a look at them takes long."""


class _Values(NamedTuple):
    """What was read of QGIS, and the settings that were made of it."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    raw: tuple[Any, ...]
    tls: Optional[TlsSettings]
    proxies: ProxyRules
    changes: Mapping[str, Any]


class _Merged(NamedTuple):
    """The settings of a manager, and what they were made of."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    own: Settings
    values: _Values
    settings: Settings


class FollowedSettings:
    """Merges QGIS's settings into those of a manager. Any thread may call every method.

    It has no lock: if two threads read QGIS's settings at once, the later result is kept.
    """

    def __init__(self) -> None:
        self._values: Optional[_Values] = None
        self._merged: Optional[_Merged] = None
        self._tls: Optional[TlsSettings] = None
        self._tls_read_at = -float("inf")

    def merged_into(self, own: Settings, own_names: frozenset[str]) -> Settings:
        """Return the settings with QGIS's values as read last, except for ``own_names``, which the program has set."""
        values = self._values
        if values is None:
            return own
        merged = self._merged
        if merged is not None and merged.own is own and merged.values is values:
            return merged.settings
        changes = {name: value for name, value in values.changes.items() if name not in own_names}
        settings = replace(own, **changes, proxies=values.proxies.with_parts_of(own.proxies, own_names))
        self._merged = _Merged(own, values, settings)
        return settings

    def read(self) -> None:
        """Read QGIS's settings."""
        qgis = core()
        if qgis is None:  # QGIS has ended
            return
        stored = qgis.QgsSettings()
        raw = tuple(stored.value(key, None) for key in NETWORK_KEYS)
        tls = self._current_tls(qgis)
        values = self._values
        if values is None or values.raw != raw or values.tls is not tls:
            read = _reader(dict(zip(NETWORK_KEYS, raw)))
            self._values = _Values(raw, tls, _rules(read), _changes(read, tls, qgis))

    def _current_tls(self, qgis: Any) -> Optional[TlsSettings]:
        now = time.monotonic()
        if now - self._tls_read_at >= CERTIFICATES_SECONDS:
            self._tls_read_at = now
            tls = tls_of(qgis)
            if tls != self._tls:
                self._tls = tls
        return self._tls


def _reader(raw: Mapping[str, Any]) -> Read:
    def read(key: str, default: Any) -> Any:
        value = raw[key]
        return default if value is None else value

    return read


def _changes(read: Read, tls: Optional[TlsSettings], qgis: Any) -> dict[str, Any]:
    """Return the settings in the place of a manager's defaults. An invalid timeout of QGIS is logged."""
    try:
        timeout = timeout_of(read)
    except ValueError as error:
        logger.warning("%s: %d ms are used", error, DEFAULT_TIMEOUT_MS)
        timeout = DEFAULT_TIMEOUT_MS
    return {"timeout": timeout, "user_agent": user_agent_of(read, qgis), "tls": tls}


def _rules(read: Read) -> ProxyRules:
    """If QGIS's setting is not valid, calls fail and say so, except to the URLs that do not use the proxy."""
    default_proxy, no_proxy = proxy_lists(read)
    proxy, auth_cfg, problem = None, "", ""
    try:
        proxy, auth_cfg = proxy_and_auth_cfg(read)
    except ValueError as error:
        problem = str(error)
    return ProxyRules(
        proxy,
        default_proxy_prefixes=default_proxy,
        no_proxy_prefixes=no_proxy,
        qgis_auth_cfg=auth_cfg,
        problem=problem,
    )

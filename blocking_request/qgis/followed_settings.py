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
    PROXY_KEYS,
    USER_AGENT_KEY,
    Read,
    core,
    plain_value,
    proxy_and_auth_cfg,
    proxy_lists,
    tls_of,
    user_agent_of,
)

if TYPE_CHECKING:
    from ..manager.settings_holder import ProgramSettings
    from ..prepare.settings import Settings

_KEYS = (USER_AGENT_KEY, *PROXY_KEYS)

CERTIFICATES_SECONDS = 5.0
"""Certificates that the user adds to QGIS are used after this time at the latest: a look at them takes long."""


class _Values(NamedTuple):
    """The values of QGIS's settings, and the settings of a manager that follow from them."""

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

    own: ProgramSettings
    values: _Values
    settings: Settings


class _Certificates(NamedTuple):
    """The TLS settings that QGIS had at a time of ``time.monotonic``."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    read_at: float
    tls: Optional[TlsSettings]


class FollowedSettings:
    """Merges QGIS's settings into those of a manager. Any thread may call every method.

    It has no lock. If two threads read QGIS's settings at once, both results are right, and one of them is kept.
    """

    def __init__(self) -> None:
        self._values: Optional[_Values] = None
        self._merged: Optional[_Merged] = None
        self._certificates: Optional[_Certificates] = None

    def merged_into(self, own: ProgramSettings) -> Settings:
        """Return the program's settings, with QGIS's values as read last for those that the program has not set."""
        values = self._values
        if values is None:
            return own.settings
        merged = self._merged
        if merged is not None and merged.own is own and merged.values is values:
            return merged.settings
        changes = {name: value for name, value in values.changes.items() if name not in own.names}
        proxies = values.proxies.with_parts_of(own.settings.proxies, own.names)
        settings = replace(own.settings, **changes, proxies=proxies)
        self._merged = _Merged(own, values, settings)
        return settings

    def read(self) -> None:
        """Read QGIS's settings. An exception of QGIS is logged, and the settings stay as they are."""
        qgis = core()
        if qgis is None:  # QGIS has ended
            return
        try:
            stored = qgis.QgsSettings()
            raw = (qgis.QgsNetworkAccessManager.timeout(), *(plain_value(stored.value(key, None)) for key in _KEYS))
            tls = self._current_tls(qgis)
            values = self._values
            if values is None or values.raw != raw or values.tls is not tls:
                read = _reader(dict(zip(_KEYS, raw[1:])))
                changes = {"timeout": max(raw[0], 0), "user_agent": user_agent_of(read, qgis), "tls": tls}
                self._values = _Values(raw, tls, _rules(read), changes)
        except Exception:  # whatever a foreign program may raise
            logger.exception("QGIS's settings could not be read")

    def _current_tls(self, qgis: Any) -> Optional[TlsSettings]:
        now, known = time.monotonic(), self._certificates
        if known is not None:
            if now - known.read_at < CERTIFICATES_SECONDS:
                return known.tls
            self._certificates = known._replace(read_at=now)  # other threads need not read them, too
        tls = tls_of(qgis)
        if known is not None and known.tls == tls:
            tls = known.tls
        self._certificates = _Certificates(now, tls)
        return tls


def _reader(raw: Mapping[str, Any]) -> Read:
    def read(key: str, default: Any) -> Any:
        value = raw[key]
        return default if value is None else value

    return read


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

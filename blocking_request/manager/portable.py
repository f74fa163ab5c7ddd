"""PortableSettings: a manager's settings as a value for another process, which makes a manager from it."""

from __future__ import annotations

import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from http.cookiejar import Cookie
from typing import TYPE_CHECKING, Any, Optional, Union

from .._first_use import first_use
from .._names import pickled, public
from ..calls.timeouts import Timeouts
from ..flows.auth.server import CachedCredential
from ..models.auth import AuthConfig, RequestsAuth
from ..models.failure import RequestNotSent
from ..models.proxy import Proxy
from ..models.redaction import SECRET_PARAMETERS, without_secret_fields
from ..models.tls import TlsSettings
from ..prepare.settings import Settings
from ..stores.auth_registry import AuthRegistry
from ..stores.cookie_holder import CookieHolder
from ..stores.cookie_jar import cookies_with_expired
from ..stores.hsts_hosts import hosts_of, store_with
from .settings_holder import change_settings

if TYPE_CHECKING:
    from .manager import NetworkAccessManager

KEPT_MANAGERS = 16
"""For how many PortableSettings a process keeps the manager; the least recently used one is dropped."""

_NOT_COPIED = frozenset(
    (
        "cookies",
        "registry",
        "strict_transport",
        "credential_cache",
        "proxy_credential_cache",
        "pre_shared_keys",
        "cache",
        "owner",
        "auth_prompt",
        "proxy_auth_prompt",
        "ssl_error_prompt",
    )
)
"""Mutable objects, whose contents are copied where needed, and prompts, whose slots stay in their process."""


Packed = Union[str, RequestsAuth]
"""An AuthConfig as JSON, or the object of ``AuthConfig.requestsAuth``, which must be picklable then."""


@pickled
@dataclass(frozen=True)
class Secrets:
    """Credentials in clear text. ``logins`` and ``proxy_logins``: those that were accepted."""

    configs: Mapping[str, Packed] = field(default_factory=dict)
    """The configs of the registry by id."""
    logins: Mapping[str, tuple[Packed, bool]] = field(default_factory=dict)
    proxy_logins: Mapping[Proxy, Packed] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "<secrets>"


@public
@dataclass(frozen=True, repr=False, eq=False)
class PortableSettings:
    """The settings of a manager as a value, made by ``NetworkAccessManager.portableSettings()``.

    It can be pickled, and used in any thread. It has the settings and cookies of the moment it was made, and secrets
    only if ``secrets=True`` was given. Handlers and preprocessors are in it as well, so they must be picklable: pickle
    takes functions of a module, cloudpickle (used by dask) takes any function. The cache is not in it: set one in the
    other process.
    """

    token: str
    values: Mapping[str, Any]
    cookies: tuple[Cookie, ...]
    strict_hosts: Optional[Mapping[str, tuple[float, bool]]]
    secrets: Optional[Secrets]

    def manager(self) -> NetworkAccessManager:
        """Return the manager of this process with these settings.

        The first call makes it, and later calls return the same one. So the tasks of one worker process share cookies,
        credentials and connections. May be called in any thread, and after ``fork``.
        """
        return _managers.find(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortableSettings) and self.token == other.token

    def __hash__(self) -> int:
        return hash(self.token)

    def __repr__(self) -> str:
        # Shows neither cookies nor secrets.
        return f"<PortableSettings {self.token[:8]}, {'with' if self.secrets else 'without'} secrets>"


def portable_settings(settings: Settings, secrets: bool) -> PortableSettings:
    settings = _with_proxy_credentials(settings) if secrets else _without_secrets(settings)
    names = [each.name for each in fields(settings) if each.init and each.name not in _NOT_COPIED]
    hosts = settings.strict_transport
    return PortableSettings(
        token=uuid.uuid4().hex,
        values={name: getattr(settings, name) for name in names},
        cookies=tuple(cookies_with_expired(settings.cookies.jar)),
        strict_hosts=None if hosts is None else hosts_of(hosts),
        secrets=_secrets(settings) if secrets else None,
    )


def _with_proxy_credentials(settings: Settings) -> Settings:
    """Take the credentials of the proxy out of QGIS's database, which another process may not have."""
    rules = settings.proxies
    if not rules.qgis_auth_cfg:
        return settings
    with first_use:
        from ..qgis.auth import with_proxy_credentials

    timeouts = Timeouts(settings.timeout, settings.deadline)
    with suppress(RequestNotSent):  # the user does not unlock the database
        rules = with_proxy_credentials(rules, timeouts.stop_reason_of_wait)
    return replace(settings, proxies=replace(rules, qgis_auth_cfg=""))


def _without_secrets(settings: Settings) -> Settings:
    names = (*SECRET_PARAMETERS, *settings.secret_parameters)
    proxies = settings.proxies
    if proxies.proxy is not None:
        proxies = replace(proxies, proxy=replace(proxies.proxy, user="", password=""), qgis_auth_cfg="")
    return replace(
        settings,
        default_headers=without_secret_fields(settings.default_headers, names),
        proxies=proxies,
        tls=None if settings.tls is None else _without_key(settings.tls),
    )


def _without_key(tls: TlsSettings) -> TlsSettings:
    """Remove the client's key. A path of a file is no secret and stays; a password or the bytes of a key are one."""
    is_secret = tls.keyPassword is not None or any(
        isinstance(each, bytes) for each in (tls.clientCertificate, tls.clientKey)
    )
    return replace(tls, clientCertificate=None, clientKey=None, keyPassword=None) if is_secret else tls


def _secrets(settings: Settings) -> Secrets:
    registry = settings.registry
    configs = {id: registry.load(id) for id in registry.configIds()}
    return Secrets(
        {id: _packed(config) for id, config in configs.items() if config is not None},
        {
            origin: (_packed(each.config), each.is_preemptive)
            for origin, each in dict(settings.credential_cache).items()
        },
        {proxy: _packed(config) for proxy, config in dict(settings.proxy_credential_cache).items()},
    )


def _packed(config: AuthConfig) -> Packed:
    return config.toJson() if config.auth is None else config.auth


def _unpacked(packed: Packed) -> AuthConfig:
    return AuthConfig.fromJson(packed) if isinstance(packed, str) else AuthConfig.requestsAuth(packed)


def _make_manager(portable: PortableSettings) -> NetworkAccessManager:
    from .manager import NetworkAccessManager

    manager = NetworkAccessManager()
    live: dict[str, Any] = {"cookies": CookieHolder(), "registry": AuthRegistry()}
    for cookie in portable.cookies:
        live["cookies"].jar.jar.set_cookie(cookie)
    if portable.strict_hosts is not None:
        live["strict_transport"] = store_with(portable.strict_hosts)
    secrets = portable.secrets or Secrets()
    for id, packed in secrets.configs.items():
        live["registry"].store(_unpacked(packed), id)
    live["credential_cache"] = {
        origin: CachedCredential(_unpacked(packed), is_preemptive)
        for origin, (packed, is_preemptive) in secrets.logins.items()
    }
    live["proxy_credential_cache"] = {proxy: _unpacked(packed) for proxy, packed in secrets.proxy_logins.items()}
    change_settings(manager, **portable.values, **live)
    return manager


class _Managers:
    """The managers of this process by the token of their settings. Every method may be called in any thread."""

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Drop all managers. After ``fork``: those of the parent may have been changed by a thread at that moment."""
        self._guard = threading.Lock()
        self._by_token: OrderedDict[str, NetworkAccessManager] = OrderedDict()

    def find(self, portable: PortableSettings) -> NetworkAccessManager:
        manager = self._by_token.get(portable.token) or _make_manager(portable)
        with self._guard:
            manager = self._by_token.setdefault(portable.token, manager)
            # The least recently used ones are dropped.
            self._by_token.move_to_end(portable.token)
            dropped = [self._by_token.popitem(last=False) for _ in range(len(self._by_token) - KEPT_MANAGERS)]
        del dropped  # outside the lock: their destructors may run code of the user
        return manager


_managers = _Managers()

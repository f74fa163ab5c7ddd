"""AuthRegistry: authentication configs by id, in memory or in the keyring of the system."""

from __future__ import annotations

import threading
from typing import Any, Optional

from .._first_use import first_use
from .._names import public
from ..models.auth import AuthConfig

SERVICE = "blocking-request"


@public
class AuthRegistry:
    """Keeps AuthConfigs under ids. Any thread may call every method.

    They are in memory, and so end with the process. ``AuthRegistry(keyring=True)`` also keeps them in the keyring of
    the system, so that other processes of the same user find them. This needs the package ``keyring``
    (``pip install 'blocking-request[keyring]'``). The keyring may ask the user to unlock it.
    """

    def __init__(self, keyring: bool = False, service: str = SERVICE) -> None:
        """``service``: the name of the configs' service in the keyring.

        Raises ImportError if the package ``keyring`` is not installed.
        """
        self._guard = threading.Lock()
        self._configs: dict[str, AuthConfig] = {}
        self._service = service
        self._keyring: Any = _keyring() if keyring else None

    def store(self, config: AuthConfig, authcfg: Optional[str] = None) -> str:
        """Keep a config under an id, and return the id: a new one if ``authcfg`` is None. It replaces an earlier
        config.

        Raises TypeError, ValueError.
        """
        if not isinstance(config, AuthConfig):
            raise TypeError(f"config must be an AuthConfig, not {type(config).__name__}: AuthConfig.basic(user, ...)")
        if authcfg is not None and (not isinstance(authcfg, str) or not authcfg.strip()):
            raise ValueError(f"the id of an authentication config is a str that is not empty, not {authcfg!r}")
        if self._keyring is not None:
            authcfg = authcfg or _new_id()
            self._keyring.set_password(self._service, authcfg, config.toJson())
        with self._guard:
            while authcfg is None or not authcfg:
                new_id = _new_id()
                authcfg = None if new_id in self._configs else new_id
            self._configs[authcfg] = config
        return authcfg

    def load(self, authcfg: str) -> Optional[AuthConfig]:
        """Return the config of an id, or None. Raises TypeError."""
        if not isinstance(authcfg, str):
            raise TypeError(f"the id of an authentication config is a str, not {type(authcfg).__name__}")
        config = self._configs.get(authcfg)
        if config is None and self._keyring is not None:
            text = self._keyring.get_password(self._service, authcfg)
            if text is not None:
                config = AuthConfig.fromJson(text)
        return config

    def remove(self, authcfg: str) -> bool:
        """Delete a config; return whether there was one."""
        with self._guard:
            is_removed = self._configs.pop(authcfg, None) is not None
        if self._keyring is not None and self._keyring.get_password(self._service, authcfg) is not None:
            self._keyring.delete_password(self._service, authcfg)
            is_removed = True
        return is_removed

    def configIds(self) -> list[str]:
        """Return the ids that this object has stored, sorted. A keyring does not list its other entries."""
        with self._guard:
            return sorted(self._configs)

    def clear(self) -> None:
        """Delete every config that ``configIds`` lists."""
        for authcfg in self.configIds():
            self.remove(authcfg)

    def __repr__(self) -> str:
        return f"<AuthRegistry of {len(self._configs)} configs>"


def _keyring() -> Any:
    try:
        with first_use:
            import keyring
    except ImportError as error:
        raise ImportError(
            "the system's keyring needs the package keyring: python3 -m pip install 'blocking-request[keyring]'"
        ) from error
    return keyring


def _new_id() -> str:
    """Return an id of seven characters, as QGIS makes them."""
    with first_use:
        import secrets
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(7))

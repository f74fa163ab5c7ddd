"""What one BlockingNetworkRequest can be told for its own calls; it goes before the manager's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Union

from ..engines import choice
from ..manager.manager import NetworkAccessManager
from ..manager.settings_holder import settings_of
from ..models.auth import AuthConfig, checked_auth_cfg
from ..models.proxy import Proxy
from ..prepare.options import CallOverrides
from ..prepare.settings import Settings, checked_milliseconds, checked_retry
from ..proxies.parse import ProxyLike, proxy_of

if TYPE_CHECKING:
    from urllib3.util import Retry

_NOT_SET = object()


class RequestOptions:
    """Every method may be called from any thread; a running call keeps what it started with."""

    _manager: NetworkAccessManager
    _timeout: Optional[int] = None
    _deadline: Optional[int] = None
    _engine: Optional[str] = None
    _auth_cfg = ""
    _auth_config: Optional[AuthConfig] = None
    _proxy: Optional[Proxy] = None
    _retry: Union[Retry, object, None] = _NOT_SET

    def setTimeout(self, timeout: int) -> None:
        """Set the idle timeout of this object's calls in ms: how long nothing may move, connecting included.

        0 is none. It counts from the start, from each byte of body that moves and from each redirect. A request's own
        ``transferTimeout`` goes before it, the manager's timeout after it. Raises TypeError, ValueError.
        """
        self._timeout = checked_milliseconds(timeout, "timeout")

    def timeout(self) -> int:
        """The idle timeout in ms; 0 is none."""
        return own_timeout(self, settings_of(self._manager))

    def setDeadline(self, deadline: int) -> None:
        """Set how long a call of this object may take as a whole, redirects included, in ms. 0 is none.

        Raises TypeError, ValueError.
        """
        self._deadline = checked_milliseconds(deadline, "deadline")

    def deadline(self) -> int:
        """The total deadline in ms; 0 is none."""
        return own_deadline(self, settings_of(self._manager))

    def setEngine(self, engine: str) -> None:
        """Set which engine serves this object's calls: ``'qt'``, ``'python'``, or ``'auto'``.

        ``'auto'`` takes Qt. It takes the python engine if there is no application; if the URL is https and this Qt has
        no TLS; if the response is streamed, downloaded or stored in a cache; if a default header field is left out; or
        if a body is sent that Qt would delay (each on Qt 5; on Qt 6 one of more than 8 KiB, or one that is read as it
        is sent).
        An engine that was named and cannot serve is a NetworkError that says why. Raises TypeError, ValueError.
        """
        self._engine = choice.checked_engine(engine)

    def engine(self) -> str:
        """Which engine serves this object's calls: its own setting, else the manager's."""
        return self._engine or self._manager.engine()

    def setAuthCfg(self, authCfg: str) -> None:
        """Set by its id the authentication config for this object's calls; '' is none.

        The id of one in the manager's ``authRegistry()``, or, inside QGIS, in QGIS's own database. It belongs to the
        origin of the URL: at a redirect to another it stays behind. An id that nobody knows is a NetworkError.
        Raises TypeError.
        """
        self._auth_cfg = checked_auth_cfg(authCfg)

    def authCfg(self) -> str:
        """The id of the authentication config; '' is none."""
        return self._auth_cfg

    def setAuthConfig(self, authConfig: Optional[AuthConfig]) -> None:
        """Set the authentication config itself for this object's calls; goes before ``authCfg``. Raises TypeError."""
        if authConfig is not None and not isinstance(authConfig, AuthConfig):
            raise TypeError(f"authConfig must be an AuthConfig or None, not {type(authConfig).__name__}")
        self._auth_config = authConfig

    def authConfig(self) -> Optional[AuthConfig]:
        """Return the authentication config of this object's calls, or None."""
        return self._auth_config

    def setProxy(self, proxy: ProxyLike) -> None:
        """Set the proxy of this object's calls, before every setting of the manager's; None, the default, is that.

        ``proxy`` as in ``NetworkAccessManager.setProxy``. Raises TypeError, ValueError.
        """
        self._proxy = proxy_of(proxy)

    def proxy(self) -> Optional[Proxy]:
        """The proxy of this object's calls, or None."""
        return self._proxy

    def setRetry(self, retry: Union[Retry, int, None]) -> None:
        """Set whether and how a call of this object is sent again that failed; as in ``NetworkAccessManager.setRetry``.

        None and 0 are never, whatever the manager says. Raises TypeError, ValueError.
        """
        self._retry = checked_retry(retry)

    def retry(self) -> Optional[Retry]:
        """The rule for sending again, its own or else the manager's; None is never."""
        return _own_retry(self, settings_of(self._manager))


def own_timeout(options: RequestOptions, settings: Settings) -> int:
    """The idle timeout of a call in ms, from the request object or else the settings."""
    return settings.timeout if options._timeout is None else options._timeout


def own_deadline(options: RequestOptions, settings: Settings) -> int:
    """The deadline of a call in ms, from the request object or else the settings."""
    return settings.deadline if options._deadline is None else options._deadline


def overrides_of(options: RequestOptions, engine: str, settings: Settings) -> CallOverrides:
    """What a call of the request object takes before the settings."""
    return CallOverrides(
        engine=engine,
        auth_cfg=options._auth_cfg,
        auth_config=options._auth_config,
        proxy=options._proxy,
        retry=_own_retry(options, settings),
    )


def _own_retry(options: RequestOptions, settings: Settings) -> Optional[Retry]:
    return settings.retry if options._retry is _NOT_SET else options._retry  # type: ignore[return-value]

"""The options of one BlockingNetworkRequest. They take precedence over the manager's settings."""

from __future__ import annotations

from enum import IntFlag
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


class RequestFlag(IntFlag):
    """The flags of QgsBlockingNetworkRequest."""

    EmptyResponseIsValid = 1
    """An empty response is no error. Here it never is one."""


def check_flags(flags: object) -> None:
    """Raise TypeError if they are no flags."""
    if not isinstance(flags, int) or isinstance(flags, bool):
        raise TypeError(f"requestFlags must be a RequestFlag, not {type(flags).__name__}")


class RequestOptions:
    """The options of a request object. Every method may be called in any thread.

    A call takes the options when it begins; a change during the call applies to the next one.
    """

    _manager: NetworkAccessManager
    _timeout: Optional[int] = None
    _deadline: Optional[int] = None
    _engine: Optional[str] = None
    _auth_cfg = ""
    _auth_config: Optional[AuthConfig] = None
    _proxy: Optional[Proxy] = None
    _retry: Union[Retry, object, None] = _NOT_SET

    def setTimeout(self, timeout: int) -> None:
        """Set the idle timeout of this object's calls in ms; 0 disables it.

        A call returns TimeoutError if for this long it makes no progress. The time starts again with each redirect and
        each time that bytes of a body are sent or received; connecting counts too. The ``timeout`` argument of the call
        and the request's ``transferTimeout`` take precedence over it; it takes precedence over the manager's timeout.
        Raises TypeError if ``timeout`` is not an int, ValueError if it is negative.
        """
        self._timeout = checked_milliseconds(timeout, "timeout")

    def timeout(self) -> int:
        """Return the idle timeout in ms: this object's, else the manager's. 0: no timeout."""
        return own_timeout(self, settings_of(self._manager))

    def setDeadline(self, deadline: int) -> None:
        """Set the longest time in ms that a whole call of this object may take, redirects and retries included.

        0 disables it. A call that takes longer returns TimeoutError. Raises TypeError if ``deadline`` is not an int,
        ValueError if it is negative.
        """
        self._deadline = checked_milliseconds(deadline, "deadline")

    def deadline(self) -> int:
        """Return the deadline of a whole call in ms: this object's, else the manager's. 0: no deadline."""
        return own_deadline(self, settings_of(self._manager))

    def setEngine(self, engine: str) -> None:
        """Set the engine of this object's calls: ``'qt'``, ``'python'`` or ``'auto'``.

        ``'auto'`` takes ``qt``, unless one of these holds; then it takes ``python``:

        - There is no QCoreApplication.
        - The URL is https, and this Qt has no usable TLS.
        - The response is streamed, downloaded, or may be stored in a cache.
        - ``headers`` omits a field that is sent by default.
        - The request has a body that Qt would delay: any body on Qt 5; on Qt 6 a body of more than 8 KiB, or one that
          is read while it is sent.
        - Qt cannot serve the request for another reason, or could not read the response to a first GET.

        If a named engine cannot serve a call, the call returns NetworkError, and the message says why. Raises TypeError
        if ``engine`` is not a str, ValueError if it is another name.
        """
        self._engine = choice.checked_engine(engine)

    def engine(self) -> str:
        """Return the engine of this object's calls: its own setting, else the manager's.

        ``reply().engine()`` is the engine that served a call.
        """
        return self._engine or self._manager.engine()

    def setAuthCfg(self, authCfg: str) -> None:
        """Set the authentication config of this object's calls by its id; '' for none.

        The id is looked up in the manager's ``authRegistry()`` and, inside QGIS, in QGIS's authentication database. The
        config is used for the origin of the URL only, not after a redirect to another origin. If the id is unknown, the
        call returns NetworkError. Raises TypeError if ``authCfg`` is not a str.
        """
        self._auth_cfg = checked_auth_cfg(authCfg)

    def authCfg(self) -> str:
        """Return the id of the authentication config; '' if there is none."""
        return self._auth_cfg

    def setAuthConfig(self, authConfig: Optional[AuthConfig]) -> None:
        """Set the authentication config of this object's calls; None for none. Takes precedence over ``authCfg``.

        Raises TypeError if it is not an AuthConfig or None.
        """
        if authConfig is not None and not isinstance(authConfig, AuthConfig):
            raise TypeError(f"authConfig must be an AuthConfig or None, not {type(authConfig).__name__}")
        self._auth_config = authConfig

    def authConfig(self) -> Optional[AuthConfig]:
        """Return the authentication config of this object's calls, or None."""
        return self._auth_config

    def setProxy(self, proxy: ProxyLike) -> None:
        """Set the proxy of this object's calls. It takes precedence over every proxy setting of the manager.

        ``proxy`` as in ``NetworkAccessManager.setProxy``; None (default) uses the manager's. Raises TypeError or
        ValueError if it does not describe a proxy.
        """
        self._proxy = proxy_of(proxy)

    def proxy(self) -> Optional[Proxy]:
        """Return the proxy of this object's calls; None if the manager's is used."""
        return self._proxy

    def setRetry(self, retry: Union[Retry, int, None]) -> None:
        """Set whether and how a failed call of this object is sent again, as in ``NetworkAccessManager.setRetry``.

        None and 0 disable retries for this object, even if the manager has a rule. Raises TypeError if ``retry`` is
        neither an int, a ``urllib3.util.Retry`` nor None, ValueError if it is negative.
        """
        self._retry = checked_retry(retry)

    def retry(self) -> Optional[Retry]:
        """Return the rule for retries: this object's, else the manager's. None: no retries."""
        return _own_retry(self, settings_of(self._manager))


def own_timeout(options: RequestOptions, settings: Settings) -> int:
    """Return the idle timeout of a call in ms: the request object's, else the settings'."""
    return settings.timeout if options._timeout is None else options._timeout


def own_deadline(options: RequestOptions, settings: Settings) -> int:
    """Return the deadline of a call in ms: the request object's, else the settings'."""
    return settings.deadline if options._deadline is None else options._deadline


def overrides_of(options: RequestOptions, engine: str, settings: Settings) -> CallOverrides:
    """Return the options of the request object that take precedence over the settings."""
    return CallOverrides(
        engine=engine,
        auth_cfg=options._auth_cfg,
        auth_config=options._auth_config,
        proxy=options._proxy,
        retry=_own_retry(options, settings),
    )


def _own_retry(options: RequestOptions, settings: Settings) -> Optional[Retry]:
    return settings.retry if options._retry is _NOT_SET else options._retry  # type: ignore[return-value]

"""Settings: everything a manager can be told, as one frozen value. A running call keeps the one it started with."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

from .._first_use import first_use
from .._version import VERSION
from ..flows import Send
from ..flows.redirects import RedirectPolicy
from ..models.auth import AuthConfig, AuthHandler
from ..models.headers import Pairs
from ..models.http_messages import Request
from ..models.pre_shared_key import PreSharedKey, PreSharedKeyHandler
from ..models.proxy import Proxy
from ..models.redaction import hidden_repr
from ..models.tls import TlsSettings
from ..proxies.rules import ProxyRules
from ..qt.binding import QtCore, QtNetwork
from ..reply import ReplyContent
from ..stores.auth_registry import AuthRegistry
from ..stores.cookie_holder import CookieHolder

if TYPE_CHECKING:
    from urllib3.util import Retry

    from ..flows.auth.proxy import ProxyPrompt
    from ..flows.auth.server import CachedCredential, Prompt
    from ..flows.certificate_errors import ResponsePrompt, SslErrorHandler
    from ..stores.cache import NetworkDiskCache, NetworkMemoryCache
    from ..stores.hsts_hosts import StrictTransportHosts
    from .options import CallOptions

DEFAULT_TIMEOUT_MS = 60_000
"""As QGIS; Qt and requests have none."""

DEFAULT_USER_AGENT = f"blocking-request/{VERSION}"

MEMORY_LIMIT = (1 << 31) - 1
"""The most that ``content()`` can hold on Qt 5; requests, urllib3 and Qt itself have no limit."""

DEFAULT_EXPANSION_LIMIT = 300
"""Text compresses 3 to 20 times and empty rasters up to a thousand; Qt 6 lets 10 MB through and no more."""

RequestPreprocessor = Callable[[QtNetwork.QNetworkRequest], None]
ReplyPreprocessor = Callable[[QtNetwork.QNetworkRequest, ReplyContent], None]
RedirectHandler = Callable[[QtCore.QUrl, QtCore.QUrl], bool]


@dataclass(frozen=True)
class Settings:
    def __repr__(self) -> str:
        return hidden_repr(self)

    timeout: int = DEFAULT_TIMEOUT_MS
    deadline: int = 0
    user_agent: str = DEFAULT_USER_AGENT
    default_headers: Pairs = ()
    engine: Optional[str] = None
    is_accessible: bool = True
    body_limit: Optional[int] = None
    """None: ``MEMORY_LIMIT`` for a body that is kept in memory, and no limit for others."""
    expansion_limit: int = DEFAULT_EXPANSION_LIMIT
    secret_parameters: tuple[str, ...] = ()
    """Besides the usual ones."""

    tls: Optional[TlsSettings] = None
    ssl_error_handler: Optional[SslErrorHandler] = None
    ssl_error_prompt: Optional[ResponsePrompt] = None
    """Set while a slot is connected to the manager's ``sslErrors``; so are the other prompts."""
    pre_shared_key_handler: Optional[PreSharedKeyHandler] = None
    pre_shared_keys: MutableMapping[str, PreSharedKey] = field(default_factory=dict)
    """The keys that the handler has returned, by origin. Changed settings share the same mapping."""
    strict_transport: Optional[StrictTransportHosts] = None
    """None: switched off."""

    proxies: ProxyRules = field(default_factory=ProxyRules)
    cookies: CookieHolder = field(default_factory=CookieHolder)
    registry: AuthRegistry = field(default_factory=AuthRegistry)
    auth_handler: Optional[AuthHandler] = None
    proxy_auth_handler: Optional[AuthHandler] = None
    """None: ``auth_handler`` is called for a proxy too."""
    auth_prompt: Optional[Prompt] = None
    proxy_auth_prompt: Optional[ProxyPrompt] = None
    netrc: Union[bool, str] = False
    """Whether it is read, or the path of another file to read."""
    had_auth_handler: bool = False
    credential_cache: MutableMapping[str, CachedCredential] = field(default_factory=dict)
    """The handler's credentials that a server has accepted, by origin. Changed settings share the same mapping."""
    proxy_credential_cache: MutableMapping[Proxy, AuthConfig] = field(default_factory=dict)
    """The same by proxy."""

    cache: Union[NetworkDiskCache, NetworkMemoryCache, None] = None

    redirect_policy: Optional[RedirectPolicy] = None
    redirect_handler: Optional[RedirectHandler] = None
    retry: Optional[Retry] = None

    request_preprocessors: tuple[tuple[str, RequestPreprocessor], ...] = ()
    reply_preprocessors: tuple[tuple[str, ReplyPreprocessor], ...] = ()

    qgis: bool = False
    """Whether QGIS's own managers send."""

    owner: object = field(default_factory=object, repr=False, compare=False)
    """Tells to which manager the settings belong. Changed settings share it."""

    last_built: LastBuilt = field(default_factory=lambda: LastBuilt(), init=False, repr=False, compare=False)
    """The values that calls have built from these settings; ``replace`` gives the new settings an empty one."""


class PlainRequest(NamedTuple):
    """The request that was built for a plain URL: a str to which the caller added nothing."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    key: tuple[Any, ...]
    """The values besides the URL and the settings on which the request depends."""
    request: Request
    """Without its body."""
    options: CallOptions
    length_index: int = -1
    """The index of ``Content-Length`` in the header fields; -1 if there is none."""

    def with_target(self, url: str, body: Optional[bytes]) -> Request:
        """Return the same request for another URL, and with another body."""
        request = self.request
        if body is None:
            return request.at(url)
        headers, place = request.headers, self.length_index
        length = (b"Content-Length", b"%d" % len(body))
        other: Request = tuple.__new__(
            Request, (request[0], url, (*headers[:place], length, *headers[place + 1 :]), body, *request[4:])
        )
        return other


def plain_request(key: tuple[Any, ...], request: Request, options: CallOptions) -> Optional[PlainRequest]:
    """Return the values that the next call can use; None if the request has a body without ``Content-Length``."""
    names = [name for name, _ in request.headers]
    if request.body is None:
        return PlainRequest(key, request, options)
    if names.count(b"Content-Length") != 1:
        return None
    return PlainRequest(key, request._replace(body=None), options, names.index(b"Content-Length"))


class BuiltHop(NamedTuple):
    """The function that sends one hop of a call, and the values besides the settings on which it depends."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    options: CallOptions
    outer_proxies: tuple[bool, ...]
    send: Send


@dataclass
class LastBuilt:
    """Keeps the values that the last call has built, for the next call that needs the same: to build them takes as long
    as to use them.

    Threads may replace them at the same time, so each thread reads a field once.
    """

    def __repr__(self) -> str:
        return hidden_repr(self)

    hop: Optional[BuiltHop] = None
    plain_request: Optional[PlainRequest] = None
    """The last request built from a plain URL; another plain URL differs only in its URL."""


def checked_milliseconds(value: int, name: str) -> int:
    """Return the value. Raises TypeError, ValueError if it is not a number of ms from 0 on."""
    return _checked_number(value, name, "milliseconds", "(1.5 s are 1500)")


def checked_bytes(value: int, name: str) -> int:
    """Return the value. Raises TypeError, ValueError if it is not a number of bytes."""
    return _checked_number(value, name, "bytes", "")


def checked_times(value: int) -> int:
    """Return the value. Raises TypeError, ValueError if it is not a factor."""
    return _checked_number(value, "times", "times", "")


def _checked_number(value: int, name: str, unit: str, hint: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number of {unit}, not {type(value).__name__} {hint}".rstrip())
    if value < 0:
        raise ValueError(f"{name} must not be negative; 0 means none")
    return value


def checked_switch(value: Any, name: str) -> bool:
    """Return the value as a bool. Raises TypeError if it is neither a bool nor 0 or 1."""
    if not isinstance(value, int) or value not in (0, 1):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def checked_callable(handler: Any, what: str) -> Any:
    """Return the handler. Raises TypeError if it is neither a callable nor None."""
    if handler is not None and not callable(handler):
        raise TypeError(f"{what} must be callable, {type(handler).__name__} is not")
    return handler


def checked_retry(retry: Union[Retry, int, None]) -> Optional[Retry]:
    """Return the rule. Raises TypeError, ValueError if ``retry`` is not a ``Retry``, a number or None."""
    if retry is None:
        return None
    with first_use:
        from urllib3.util import Retry
    if isinstance(retry, Retry):
        return retry
    if isinstance(retry, bool) or not isinstance(retry, int):
        raise TypeError(f"retry must be an urllib3.util.Retry, a number of retries or None, not {type(retry).__name__}")
    if retry < 0:
        raise ValueError("the number of retries must not be negative")
    return Retry(retry, redirect=False, backoff_factor=BACKOFF_FACTOR, raise_on_status=False) if retry else None


BACKOFF_FACTOR = 0.5
"""Of a rule that is given as a number: waits of 0, 1, 2, 4, ... seconds; urllib3's own default is not to wait."""

"""The settings of a manager that say what its requests carry, who they are, and what is done with the responses."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from .._first_use import first_use
from ..flows.redirects import RedirectPolicy
from ..models.auth import AuthHandler
from ..models.failure import RequestNotSent
from ..prepare.build_request import check_field
from ..prepare.settings import (
    MEMORY_LIMIT,
    RedirectHandler,
    ReplyPreprocessor,
    RequestPreprocessor,
    checked_bytes,
    checked_callable,
    checked_retry,
    checked_times,
)
from ..qt.binding import QtNetwork, enum_value
from ..stores.auth_registry import AuthRegistry
from ..stores.cookie_holder import CookieHolder
from .settings_holder import SettingsHolder

if TYPE_CHECKING:
    from requests.cookies import RequestsCookieJar
    from urllib3.util import Retry

    from ..stores.cache import NetworkDiskCache, NetworkMemoryCache
    from ..stores.cookie_jar import CookieJar


class RequestSettings(SettingsHolder):
    """Every method may be called from any thread; a running request keeps what it started with."""

    def setUserAgent(self, userAgent: str) -> None:
        """Set the ``User-Agent`` of requests that have none of their own. Raises ValueError."""
        if not isinstance(userAgent, str):
            raise TypeError(f"userAgent must be a str, not {type(userAgent).__name__}")
        if not userAgent.strip() or not userAgent.isprintable():
            raise ValueError("a user agent is one line of printable characters, and not empty")
        self._change(user_agent=userAgent)

    def userAgent(self) -> str:
        """The ``User-Agent`` of requests that have none of their own."""
        return self._settings.user_agent

    def setDefaultHeaders(self, headers: Mapping[str, str]) -> None:
        """Set header fields that every request gets which has none of that name. Raises TypeError, ValueError.

        At a redirect to another origin they stay behind where a caller's own would: see docs/redirects.rst.
        """
        if not isinstance(headers, Mapping):
            text = f"headers must be a mapping, not {type(headers).__name__}"
            raise TypeError(f"{text}: {{'X-Name': 'value'}}, or {{}} for none")
        fields = tuple((_encoded(name), _encoded(value)) for name, value in headers.items())
        for name, value in fields:
            try:
                check_field(name, value)
            except RequestNotSent as error:
                raise ValueError(error.failure.text) from None
            if name.lower() in (b"content-length", b"transfer-encoding", b"host"):
                raise ValueError(f"{name.decode('latin-1')} is different for each request and cannot be a default")
        self._change(default_headers=fields)

    def defaultHeaders(self) -> dict[str, str]:
        """Header fields that every request gets which has none of that name."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._settings.default_headers}

    def setMaximumBodySize(self, size: int) -> None:
        """Set how large the body of a response may be, in bytes, its content coding undone. 0 is any size.

        A larger one is a NetworkError, and its connection is closed as soon as that is known. As long as nothing is
        set, a body that is kept in memory may have 2 GiB, and one that is streamed or downloaded any size. Raises
        TypeError, ValueError.
        """
        self._change(body_limit=checked_bytes(size, "size"))

    def maximumBodySize(self) -> int:
        """How large a body that is kept in memory may be, in bytes; 0 is any size."""
        limit = self._settings.body_limit
        return MEMORY_LIMIT if limit is None else limit

    def setMaximumExpansion(self, times: int) -> None:
        """Set how many times as large a body may become when its compression is undone, beyond 128 MiB. 0 is any; 300
        by default. What becomes larger is a NetworkError: it is most likely meant to fill the memory or the disk.
        Raises TypeError, ValueError.
        """
        self._change(expansion_limit=checked_times(times))

    def maximumExpansion(self) -> int:
        """How many times as large a body may become when its compression is undone; 0 is any."""
        return self._settings.expansion_limit

    def setSecretParameters(self, names: Iterable[str]) -> None:
        """Set query parameters and header fields that hold secrets, besides the usual ones (``token``, ``key``, ...).

        Their values never stand in a message or a log. Such a field stays behind when a redirect leaves the origin, and
        the cache keeps responses apart by it. A ``*`` in a name stands for any characters. Raises TypeError.
        """
        if isinstance(names, str):
            raise TypeError("give a list of names, not one: ['ticket']")
        checked = tuple(names) if isinstance(names, Iterable) else (None,)
        if not all(isinstance(name, str) for name in checked):
            raise TypeError(f"names must be a list of str, as ['ticket'], not {names!r}")
        self._change(secret_parameters=checked)

    def secretParameters(self) -> tuple[str, ...]:
        """Return the names that ``setSecretParameters`` was given, without the usual ones."""
        return self._settings.secret_parameters

    # -- cookies

    def cookieJar(self) -> CookieJar:
        """The cookies that the requests of this manager share."""
        return self._settings.cookies.jar

    def setCookieJar(self, cookieJar: Union[CookieJar, RequestsCookieJar]) -> None:
        """Set where cookies are kept: another manager's ``cookieJar()``, or the ``cookies`` of a requests.Session.

        A QNetworkCookieJar belongs to one thread and is refused. Raises TypeError.
        """
        if cookieJar is None:
            text = "cookieJar must be a CookieJar or a RequestsCookieJar, not None"
            raise TypeError(f"{text}: cookieJar().clear() empties it")
        if isinstance(cookieJar, QtNetwork.QNetworkCookieJar):
            raise TypeError(
                "a QNetworkCookieJar belongs to one thread and cannot be shared: give a blocking_request.CookieJar"
            )
        with first_use:
            from ..stores.cookie_jar import CookieJar
        jar = cookieJar if isinstance(cookieJar, CookieJar) else CookieJar(cookieJar)
        self._change(cookies=CookieHolder(jar))

    # -- the cache

    def setCache(self, cache: Union[NetworkDiskCache, NetworkMemoryCache, None]) -> None:
        """Set where answers are kept that may be used again (RFC 9111); None, the default, is nowhere.

        ``forceRefresh`` and the request's ``CacheLoadControlAttribute`` and ``CacheSaveControlAttribute`` say how a
        request uses it. Several managers may share one. A QNetworkDiskCache belongs to one thread, and is refused.
        Raises TypeError.
        """
        if cache is not None:
            with first_use:
                from ..stores.cache import NetworkDiskCache, NetworkMemoryCache
            if not isinstance(cache, (NetworkDiskCache, NetworkMemoryCache)):
                raise TypeError(
                    "cache must be a blocking_request.NetworkDiskCache, a NetworkMemoryCache or None, "
                    f"not {type(cache).__name__}"
                )
        self._change(cache=cache)

    def cache(self) -> Union[NetworkDiskCache, NetworkMemoryCache, None]:
        """Where answers are kept, or None."""
        return self._settings.cache

    # -- credentials

    def authRegistry(self) -> AuthRegistry:
        """The authentication configs that ``setAuthCfg`` of a request names."""
        return self._settings.registry

    def setAuthRegistry(self, registry: AuthRegistry) -> None:
        """Set where authentication configs are kept. Raises TypeError."""
        if not isinstance(registry, AuthRegistry):
            raise TypeError(f"registry must be an AuthRegistry, not {type(registry).__name__}")
        self._change(registry=registry)

    def setAuthHandler(self, handler: Optional[AuthHandler]) -> None:
        """Set who is asked when a server (401) or a proxy (407) wants to know who we are; None, the default, is nobody.

        ``handler(realm, host, attempt)`` is called in the thread of the blocked caller: with the realm ('' where none
        is told), the host (with its port where that is not the default, and always for a proxy), and the number of the
        attempt from 1 on. It returns ``(user, password)``, an AuthConfig, or None to give up. After three wrong
        responses it is given up. What was right is remembered for the origin or proxy, until ``clearAccessCache()``.
        What it raises ends the call and goes to the caller. Raises TypeError.
        """
        self._change(auth_handler=checked_callable(handler, "an auth handler"), had_auth_handler=True)

    def authHandler(self) -> Optional[AuthHandler]:
        """Who is asked for credentials, or None."""
        return self._settings.auth_handler

    def setNetrc(self, netrc: Union[bool, str, os.PathLike[str]]) -> None:
        """Set whether user and password are looked up in the netrc file, or in another file of that format.

        False by default. What the request says itself, and an ``authCfg``, go before it.
        """
        if not isinstance(netrc, (bool, str, os.PathLike)):
            raise TypeError(f"netrc must be True, False or the path of a file, not {type(netrc).__name__}")
        self._change(netrc=netrc if isinstance(netrc, bool) else os.fspath(netrc))

    def netrc(self) -> Union[bool, str]:
        """Return whether the netrc file is used, or the path of the file that is used in its place."""
        return self._settings.netrc

    # -- redirects and retries

    def setRedirectPolicy(self, policy: QtNetwork.QNetworkRequest.RedirectPolicy) -> None:
        """Set which redirects are followed by requests that do not say so themselves; by default all but those from
        https to http. Raises TypeError.
        """
        try:
            chosen = RedirectPolicy(enum_value(policy))
        except (AttributeError, TypeError, ValueError):
            text = f"policy must be one of QNetworkRequest.RedirectPolicy, not {policy!r}"
            raise TypeError(text) from None
        self._change(redirect_policy=chosen)

    def redirectPolicy(self) -> QtNetwork.QNetworkRequest.RedirectPolicy:
        """Which redirects are followed by requests that do not say so themselves."""
        policy = self._settings.redirect_policy or RedirectPolicy.NoLessSafe
        return QtNetwork.QNetworkRequest.RedirectPolicy(policy.value)

    def setRedirectHandler(self, handler: Optional[RedirectHandler]) -> None:
        """Set who is asked about each redirect under ``UserVerifiedRedirectPolicy``.

        ``handler(url, target)`` is called with two QUrls in the thread of the blocked caller, and returns whether to
        follow. Raises TypeError.
        """
        self._change(redirect_handler=checked_callable(handler, "a redirect handler"))

    def redirectHandler(self) -> Optional[RedirectHandler]:
        """Return the handler that is asked about redirects, or None."""
        return self._settings.redirect_handler

    def setRetry(self, retry: Union[Retry, int, None]) -> None:
        """Set whether and how a request is sent again that failed; None or 0, the default, is never.

        ``retry``: an ``urllib3.util.Retry``: which methods, which statuses (``status_forcelist``), how often, how long
        to wait (``backoff_factor``; ``Retry-After`` is obeyed unless it says otherwise); or a number of retries. The
        waits end at once when the call is cancelled, and count in its deadline. Its ``redirect`` has no effect.
        Raises TypeError, ValueError.
        """
        self._change(retry=checked_retry(retry))

    def retry(self) -> Optional[Retry]:
        """The rule for sending again, or None."""
        return self._settings.retry

    # -- preprocessors

    def setRequestPreprocessor(self, processor: RequestPreprocessor) -> str:
        """Have ``processor(request)`` called with every QNetworkRequest before it is sent, at each redirect too; it may
        change URL, headers and attributes. Called in the thread of the blocked caller; what it raises ends the call and
        goes to the caller. Returns an id for ``removeRequestPreprocessor``. Raises TypeError.
        """
        return self._add("request_preprocessors", processor)

    def removeRequestPreprocessor(self, id: str) -> None:
        """Raises KeyError where there is none of that id."""
        self._remove("request_preprocessors", id)

    def setReplyPreprocessor(self, processor: ReplyPreprocessor) -> str:
        """Have ``processor(request, reply)`` called with the QNetworkRequest and the ReplyContent of every call, before
        ``finished``. Called in the thread of the blocked caller; what it raises goes to the caller. Returns an id for
        ``removeReplyPreprocessor``. Raises TypeError.
        """
        return self._add("reply_preprocessors", processor)

    def removeReplyPreprocessor(self, id: str) -> None:
        """Raises KeyError where there is none of that id."""
        self._remove("reply_preprocessors", id)

    def _add(self, name: str, processor: Any) -> str:
        if not callable(processor):
            raise TypeError(f"a preprocessor must be callable, {type(processor).__name__} is not")
        with first_use:
            import uuid
        id = str(uuid.uuid4())
        self._change_by(lambda settings: {name: (*getattr(settings, name), (id, processor))})
        return id

    def _remove(self, name: str, wanted: str) -> None:
        def change(settings: Any) -> dict[str, Any]:
            remaining = tuple(pair for pair in getattr(settings, name) if pair[0] != wanted)
            if len(remaining) == len(getattr(settings, name)):
                raise KeyError(f"No processor with id {wanted} exists.")
            return {name: remaining}

        self._change_by(change)


def _encoded(text: str) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"header names and values are str, not {type(text).__name__}")
    return text.encode("latin-1") if text.isascii() else text.encode("utf-8")

"""The settings of a manager for requests and responses: headers, limits, cookies, cache, credentials, redirects."""

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
from ..qt.binding import QtNetwork, check_binding, enum_value, type_name
from ..stores.auth_registry import AuthRegistry
from ..stores.cookie_holder import CookieHolder
from .also_static import also_static
from .settings_holder import SettingsHolder

if TYPE_CHECKING:
    from requests.cookies import RequestsCookieJar
    from urllib3.util import Retry

    from ..stores.cache import NetworkDiskCache, NetworkMemoryCache
    from ..stores.cookie_jar import CookieJar


class RequestSettings(SettingsHolder):
    """Settings for requests and responses. Every method may be called in any thread.

    A call uses the settings that the manager had when the call began.
    """

    def setUserAgent(self, userAgent: str) -> None:
        """Set the ``User-Agent`` of requests that have no such header.

        Raises TypeError if it is not a str, ValueError if it is empty or has characters that are not printable.
        """
        if not isinstance(userAgent, str):
            raise TypeError(f"userAgent must be a str, not {type(userAgent).__name__}")
        if not userAgent.strip() or not userAgent.isprintable():
            raise ValueError("userAgent must be one line of printable characters, and not empty")
        self._change(user_agent=userAgent)

    def userAgent(self) -> str:
        """Return the ``User-Agent`` of requests that have no such header."""
        return self._settings.user_agent

    def setDefaultHeaders(self, headers: Mapping[str, str]) -> None:
        """Set header fields for all requests. A request's own field of the same name takes precedence.

        ``headers``: a mapping of str to str; it replaces the earlier one. At a redirect to another origin the same
        fields are removed as from a request's own headers: see docs/redirects.rst. Raises TypeError if it is not such a
        mapping, ValueError if a field is not valid (RFC 9110 section 5) or cannot be a default (``Host``,
        ``Content-Length``, ``Transfer-Encoding``).
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
        """Return the header fields that ``setDefaultHeaders`` has set."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._settings.default_headers}

    def setMaximumBodySize(self, size: int) -> None:
        """Set the largest size of a response's body in bytes, after its content coding (gzip) is decoded; 0: no limit.

        If a body is larger, the call returns NetworkError, and the connection is closed at once. Default: 2 GiB for a
        body that is kept in memory, no limit for one that is streamed or downloaded. Raises TypeError if it is not an
        int, ValueError if it is negative.
        """
        self._change(body_limit=checked_bytes(size, "size"))

    def maximumBodySize(self) -> int:
        """Return the largest size in bytes of a body that is kept in memory; 0: no limit."""
        limit = self._settings.body_limit
        return MEMORY_LIMIT if limit is None else limit

    def setMaximumExpansion(self, times: int) -> None:
        """Set how many times larger a compressed body may become when it is decoded; 0: no limit. Default: 300.

        If a body has more than 128 MiB and exceeds this factor, the call returns NetworkError: it is most likely a
        decompression bomb, meant to fill the memory or the disk. Raises TypeError, ValueError.
        """
        self._change(expansion_limit=checked_times(times))

    def maximumExpansion(self) -> int:
        """Return how many times larger a compressed body may become when it is decoded; 0: no limit."""
        return self._settings.expansion_limit

    def setSecretParameters(self, names: Iterable[str]) -> None:
        """Set the names of query parameters and header fields that hold secrets, besides the usual ones (``token``).

        Their values are removed from messages and logs. Such a header field is removed at a redirect to another origin,
        and the cache never serves a response to a request with another value of it. ``*`` in a name matches any
        characters. Raises TypeError if ``names`` is not a list of str.
        """
        if isinstance(names, str):
            raise TypeError("names must be a list of str, not a str: ['ticket']")
        checked = tuple(names) if isinstance(names, Iterable) else (None,)
        if not all(isinstance(name, str) for name in checked):
            raise TypeError(f"names must be a list of str, such as ['ticket'], not {names!r}")
        self._change(secret_parameters=checked)

    def secretParameters(self) -> tuple[str, ...]:
        """Return the names that ``setSecretParameters`` was given, without the usual ones."""
        return self._settings.secret_parameters

    # -- cookies

    def cookieJar(self) -> CookieJar:
        """Return the cookie jar (RFC 6265) that the requests of this manager share."""
        return self._settings.cookies.jar

    def setCookieJar(self, cookieJar: Union[CookieJar, RequestsCookieJar]) -> None:
        """Set the cookie jar: another manager's ``cookieJar()``, or the ``cookies`` of a requests.Session.

        Raises TypeError for anything else, also for a QNetworkCookieJar: that belongs to one thread.
        """
        if cookieJar is None:
            text = "cookieJar must be a CookieJar or a RequestsCookieJar, not None"
            raise TypeError(f"{text}: cookieJar().clear() empties it")
        if isinstance(cookieJar, QtNetwork.QNetworkCookieJar):
            raise TypeError(
                "a QNetworkCookieJar belongs to one thread and cannot be shared: give a blocking_request.CookieJar"
            )
        check_binding(cookieJar, "cookieJar")
        with first_use:
            from ..stores.cookie_jar import CookieJar
        jar = cookieJar if isinstance(cookieJar, CookieJar) else CookieJar(cookieJar)
        self._change(cookies=CookieHolder(jar))

    # -- the cache

    def setCache(self, cache: Union[NetworkDiskCache, NetworkMemoryCache, None]) -> None:
        """Set the HTTP cache (RFC 9111); None (default) for no cache. Several managers may share one cache.

        A request controls its use of the cache with ``forceRefresh`` and the attributes ``CacheLoadControlAttribute``
        and ``CacheSaveControlAttribute`` of QNetworkRequest. Raises TypeError if it is not a NetworkDiskCache or
        NetworkMemoryCache of this package, also for a QNetworkDiskCache: that belongs to one thread.
        """
        if cache is not None:
            with first_use:
                from ..stores.cache import NetworkDiskCache, NetworkMemoryCache
            if not isinstance(cache, (NetworkDiskCache, NetworkMemoryCache)):
                raise TypeError(
                    "cache must be a blocking_request.NetworkDiskCache, a NetworkMemoryCache or None, "
                    f"not {type_name(cache)}"
                )
        self._change(cache=cache)

    def cache(self) -> Union[NetworkDiskCache, NetworkMemoryCache, None]:
        """Return the HTTP cache, or None."""
        return self._settings.cache

    # -- credentials

    def authRegistry(self) -> AuthRegistry:
        """Return the registry of authentication configs. ``setAuthCfg`` of a request takes an id of it."""
        return self._settings.registry

    def setAuthRegistry(self, registry: AuthRegistry) -> None:
        """Set the registry of authentication configs. Raises TypeError if it is not an AuthRegistry."""
        if not isinstance(registry, AuthRegistry):
            raise TypeError(f"registry must be an AuthRegistry, not {type(registry).__name__}")
        self._change(registry=registry)

    def setAuthHandler(self, handler: Optional[AuthHandler]) -> None:
        """Set the function that is called when a server (401) or a proxy (407) requires credentials.

        See RFC 9110 section 11. ``handler(realm, host, attempt)`` is called in the thread of the blocked caller:

        - ``realm``: the realm, '' if the server names none.
        - ``host``: the host; with its port if that is not the default, and always for a proxy.
        - ``attempt``: the number of the attempt, 1 for the first.

        It returns ``(user, password)``, an AuthConfig, or None to give up. After three wrong credentials the call ends.
        Accepted credentials are reused for the origin or the proxy until ``clearAccessCache()``. An exception of the
        handler ends the call and is raised to the caller.

        None (default): no function is called, and the call ends with the 401 or 407. Raises TypeError if ``handler`` is
        not callable.
        """
        self._change(auth_handler=checked_callable(handler, "an auth handler"), had_auth_handler=True)

    def authHandler(self) -> Optional[AuthHandler]:
        """Return the function that is called for credentials, or None."""
        return self._settings.auth_handler

    def setNetrc(self, netrc: Union[bool, str, os.PathLike[str]]) -> None:
        """Set whether user and password are read from the user's netrc file (True) or from a file at a path.

        The default is False. Credentials of the request and an ``authCfg`` take precedence over it. Raises TypeError if
        ``netrc`` is neither a bool nor a path.
        """
        if not isinstance(netrc, (bool, str, os.PathLike)):
            raise TypeError(f"netrc must be True, False or the path of a file, not {type(netrc).__name__}")
        self._change(netrc=netrc if isinstance(netrc, bool) else os.fspath(netrc))

    def netrc(self) -> Union[bool, str]:
        """Return whether the user's netrc file is used, or the path of the file that is used instead."""
        return self._settings.netrc

    # -- redirects and retries

    def setRedirectPolicy(self, policy: QtNetwork.QNetworkRequest.RedirectPolicy) -> None:
        """Set which redirects are followed. The ``RedirectPolicyAttribute`` of a request takes precedence over it.

        The default is ``NoLessSafeRedirectPolicy``: all redirects except from https to http. Raises TypeError if it is
        not a ``QNetworkRequest.RedirectPolicy``.
        """
        check_binding(policy, "policy")
        try:
            chosen = RedirectPolicy(enum_value(policy))
        except (AttributeError, TypeError, ValueError):
            text = f"policy must be one of QNetworkRequest.RedirectPolicy, not {policy!r}"
            raise TypeError(text) from None
        self._change(redirect_policy=chosen)

    def redirectPolicy(self) -> QtNetwork.QNetworkRequest.RedirectPolicy:
        """Return which redirects are followed if the request does not set its own policy."""
        policy = self._settings.redirect_policy or RedirectPolicy.NoLessSafe
        return QtNetwork.QNetworkRequest.RedirectPolicy(policy.value)

    def setRedirectHandler(self, handler: Optional[RedirectHandler]) -> None:
        """Set the function that decides about each redirect, if the policy is ``UserVerifiedRedirectPolicy``.

        ``handler(url, target)`` is called with two QUrls in the thread of the blocked caller, and returns whether to
        follow the redirect. Raises TypeError if it is not callable.
        """
        self._change(redirect_handler=checked_callable(handler, "a redirect handler"))

    def redirectHandler(self) -> Optional[RedirectHandler]:
        """Return the function that decides about redirects, or None."""
        return self._settings.redirect_handler

    def setRetry(self, retry: Union[Retry, int, None]) -> None:
        """Set whether and how a failed request is sent again; None or 0 (default): never.

        ``retry``: the number of retries of failed connections and timeouts (a status is retried only if it comes with
        ``Retry-After``), or a ``urllib3.util.Retry``. Such a rule says which methods and statuses
        (``status_forcelist``) are retried, how often, and how long to wait between (``backoff_factor``, in seconds;
        ``Retry-After`` is obeyed unless the rule disables it). Its ``redirect`` has no effect.

        The waits count towards the deadline, and end at once if the call is cancelled. Raises TypeError if ``retry`` is
        neither an int, a Retry nor None, ValueError if it is negative.
        """
        self._change(retry=checked_retry(retry))

    def retry(self) -> Optional[Retry]:
        """Return the rule for retries, or None."""
        return self._settings.retry

    # -- preprocessors

    @also_static
    def setRequestPreprocessor(self, processor: RequestPreprocessor) -> str:
        """Add a function that can change each request before it is sent, as in QgsNetworkAccessManager.

        ``processor(request)`` is called with the QNetworkRequest, for redirects too, in the thread of the blocked
        caller. It may change the URL, the headers and the attributes. An exception of it ends the call and is raised to
        the caller. Returns an id for ``removeRequestPreprocessor``. Raises TypeError if it is not callable.
        """
        return self._add("request_preprocessors", processor)

    @also_static
    def removeRequestPreprocessor(self, id: str) -> None:
        """Remove a function that ``setRequestPreprocessor`` has added. Raises KeyError if the id is unknown."""
        self._remove("request_preprocessors", id)

    @also_static
    def setReplyPreprocessor(self, processor: ReplyPreprocessor) -> str:
        """Add a function that gets the reply of each call, as in QgsNetworkAccessManager.

        ``processor(request, reply)`` is called with the QNetworkRequest and the ReplyContent, before ``finished`` is
        emitted, in the thread of the blocked caller. An exception of it is raised to the caller. Returns an id for
        ``removeReplyPreprocessor``. Raises TypeError if it is not callable.
        """
        return self._add("reply_preprocessors", processor)

    @also_static
    def removeReplyPreprocessor(self, id: str) -> None:
        """Remove a function that ``setReplyPreprocessor`` has added. Raises KeyError if the id is unknown."""
        self._remove("reply_preprocessors", id)

    def _add(self, name: str, processor: Any) -> str:
        if not callable(processor):
            raise TypeError(f"a preprocessor must be callable, not {type(processor).__name__}")
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
        raise TypeError(f"header names and values must be str, not {type(text).__name__}")
    return text.encode("latin-1") if text.isascii() else text.encode("utf-8")

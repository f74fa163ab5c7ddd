"""CookieJar: the cookies that the requests of a manager share, by the rules of RFC 6265.

The jar of ``requests``, which extends that of ``http.cookiejar``, stores them. ``set_cookie`` parses what a server
sends, ``cookie_policy`` decides what it may set and how much is kept, ``cookie_hosts`` checks and names hosts, and
``cookie_files`` reads and writes files.

The jar keeps names and values as str, with one character for each byte (latin-1).
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from http.cookiejar import Cookie
from typing import Any, NamedTuple, Optional, Union
from urllib.parse import urlsplit

from requests.cookies import RequestsCookieJar

from .._names import public
from ..models.headers import encoded
from ..models.redaction import hidden_repr
from ..qt.binding import QtCore, QtNetwork
from . import cookie_files
from .cookie_hosts import checked_cookie_url, checked_host, cookie_domains, cookiejar_request, host_names
from .cookie_policy import MOST_COOKIES, MOST_OF_A_DOMAIN, CookiePolicy, overlaps, surplus
from .set_cookie import parse_set_cookie


class _VersionedJar(RequestsCookieJar):
    """A jar that counts its changes."""

    def __init__(self, **options: Any) -> None:
        self.version = 0
        """Counts the changes; a cookie's ``last_set`` is the version that set it."""
        super().__init__(**options)

    # http.cookiejar has the lock, but clear() does not take it.
    _cookies_lock: Any
    _cookies: dict[str, dict[str, dict[str, Cookie]]]

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        with self._cookies_lock:
            try:
                cookie.last_set = self.version  # type: ignore[attr-defined]
                # A cookie that replaces another has its place in the order (RFC 6265 section 5.3, step 11.3).
                earlier = self._cookies.get(cookie.domain, {}).get(cookie.path, {}).get(cookie.name)
                cookie.created = getattr(earlier, "created", self.version)  # type: ignore[attr-defined]
                # The method of RequestsCookieJar would remove bytes from a value in quotation marks.
                super(RequestsCookieJar, self).set_cookie(cookie)
            finally:
                self.version += 1

    def clear(self, *args: Any, **kwargs: Any) -> None:
        with self._cookies_lock:
            try:
                super().clear(*args, **kwargs)
            finally:
                self.version += 1


class _CachedField(NamedTuple):
    """The ``Cookie`` field for a URL. It is valid for one version of the jar, until the next cookie expires."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    version: int
    until: float
    value: Optional[bytes]


MOST_CACHED_URLS = 256
"""The number of URLs whose ``Cookie`` field is kept."""

_jars: weakref.WeakSet[CookieJar] = weakref.WeakSet()


def _replace_locks_after_fork() -> None:
    """Give each jar of a forked child a new lock.

    A thread of the parent may have held the old one, and no thread of the child would release it.
    """
    for each in _jars:
        jar: Any = each.jar
        jar._cookies_lock = threading.RLock()
        # That thread may have changed the jar without counting it.
        each._cached_fields = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_locks_after_fork)


@public
class CookieJar:
    """Store the cookies that all threads and both engines share. Any thread may call any method.

    ``jar`` is the ``RequestsCookieJar`` that stores them. Use it if this class lacks a method.
    """

    def __init__(self, jar: Optional[RequestsCookieJar] = None) -> None:
        """Share a jar, for example that of a ``requests.Session``, or make a new one.

        A jar that is given keeps its own policy, which may be laxer than RFC 6265. Raises TypeError.
        """
        if jar is None:
            jar = _VersionedJar(policy=CookiePolicy())
        elif not isinstance(jar, RequestsCookieJar):
            raise TypeError(f"jar must be a RequestsCookieJar (as session.cookies), not {type(jar).__name__}")
        self.jar = jar
        self._cached_fields: dict[str, _CachedField] = {}
        _jars.add(self)

    def _cookie_field(self, url: str) -> Optional[bytes]:
        cookies = self._cookies_for(url)
        self.jar.clear_expired_cookies()
        return b"; ".join(b"%s=%s" % _name_and_value(cookie) for cookie in cookies) or None

    def _set_or_delete(self, cookie: Cookie) -> None:
        if cookie.is_expired():
            self._remove([cookie])
        else:
            self.jar.set_cookie(cookie)

    def _drop_surplus(self, domains: Iterable[str]) -> None:
        """Remove the cookies beyond the limit of each domain, and beyond that of the jar (RFC 6265bis section 5.7)."""
        jar: Any = self.jar
        with jar._cookies_lock:
            for domain in domains:
                paths = jar._cookies.get(domain)
                if paths is not None and sum(map(len, paths.values())) > MOST_OF_A_DOMAIN:
                    of_domain = [cookie for cookies in paths.values() for cookie in cookies.values()]
                    self._remove(surplus(of_domain, MOST_OF_A_DOMAIN))
            if sum(len(cookies) for paths in jar._cookies.values() for cookies in paths.values()) > MOST_COOKIES:
                self._remove(surplus(list(jar), MOST_COOKIES))

    def _remove(self, cookies: Iterable[Cookie]) -> None:
        for cookie in cookies:
            with suppress(KeyError):  # it is not in the jar, or another thread has just removed it
                self.jar.clear(cookie.domain, cookie.path, cookie.name)

    def _cookies_for(self, url: str) -> list[Cookie]:
        """Return the cookies that a request would carry, in the order of RFC 6265 section 5.4."""
        jar: Any = self.jar
        request = cookiejar_request(url)
        with jar._cookies_lock:
            jar._policy._now = jar._now = int(time.time())
            cookies = jar._cookies_for_request(request)
        return sorted(cookies, key=lambda cookie: (-len(cookie.path), getattr(cookie, "created", 0)))

    def cookiesForUrl(self, url: Union[QtCore.QUrl, str]) -> list[QtNetwork.QNetworkCookie]:
        """Return the cookies that a request to ``url`` would carry. Raises TypeError, ValueError."""
        return [_qt_cookie(cookie) for cookie in self._cookies_for(checked_cookie_url(url))]

    def allCookies(self) -> list[QtNetwork.QNetworkCookie]:
        """Return every cookie that has not expired."""
        return [_qt_cookie(cookie) for cookie in self._cookies_with_expired() if not cookie.is_expired()]

    def setCookie(self, url: Union[QtCore.QUrl, str], name: str, value: str) -> None:
        """Set a cookie as if the host of ``url`` had set it with ``Path=/``. It ends with the session.

        Text is sent as latin-1, or as UTF-8 if a character is not in latin-1. Raises TypeError; ValueError if the host
        may not set such a cookie: an earlier cookie of that name then stays.
        """
        for text, what in ((name, "name"), (value, "value")):
            if not isinstance(text, str):
                raise TypeError(f"the {what} of a cookie is a str, not {type(text).__name__}")
        checked = checked_cookie_url(url)
        if any(character in f"{name}{value}" for character in "\r\n\0;") or not name or "=" in name:
            raise ValueError("a cookie needs a name without '=', and no ';' or line end in its name or value")
        secure = b"; Secure" if checked.startswith("https:") else b""
        pair = encoded(name).strip(b" \t"), encoded(value).strip(b" \t")
        jar: Any = self.jar
        # Without the lock another thread could clear the cookie before it is looked for.
        with jar._cookies_lock:
            receive_cookies(self, checked, [b"%s=%s; Path=/%s" % (*pair, secure)])
            is_accepted = pair in [
                _name_and_value(cookie) for cookie in self._cookies_for(checked) if cookie.path == "/"
            ]
        if not is_accepted:
            raise ValueError(
                f"the cookie {name!r} is not accepted from {urlsplit(checked).hostname}: it has a control character or "
                "more than 4 096 bytes, its prefix (__Host-, __Secure-) does not fit, or there is a Secure cookie"
            )

    def clear(self, host: Optional[str] = None) -> None:
        """Delete all cookies. If a host is given, delete its own cookies, and those whose ``Domain`` is this host.

        Raises TypeError, ValueError.
        """
        if host is None:
            self.jar.clear()
            return
        if not isinstance(host, str):
            raise TypeError(f"host must be a str or None, not {type(host).__name__}")
        names = host_names(checked_host(host))
        self._remove(cookie for cookie in self._cookies_with_expired() if cookie.domain.lstrip(".") in names)

    def save(self, path: Union[str, os.PathLike[str]], sessionCookies: bool = False) -> None:
        """Write the cookies to a file in the format of Mozilla and curl, which only its owner may read.

        Cookies that end with the session are left out unless ``sessionCookies`` is set. A cookie with a TAB in its name
        or value is left out, because the format cannot hold it. If writing fails, an earlier file stays as it was.
        Raises OSError.
        """
        cookie_files.write(path, self._cookies_with_expired(), bool(sessionCookies))

    def load(self, path: Union[str, os.PathLike[str]]) -> None:
        """Add the cookies of a file that ``save``, a browser or curl has written, within the limits of the jar.

        A cookie is skipped if it has expired, or if no server could set it because it is too large or has a control
        character. Raises OSError; ValueError if the file has another format, with the number of the line that is wrong.
        No cookie is added if it raises.
        """
        cookies = cookie_files.read(path)
        for cookie in cookies:
            self.jar.set_cookie(cookie)
        self._drop_surplus({cookie.domain for cookie in cookies})

    def __len__(self) -> int:
        return sum(not cookie.is_expired() for cookie in self._cookies_with_expired())

    def __repr__(self) -> str:
        # Neither names nor values: they may be secrets.
        return f"<CookieJar with {len(self)} cookies>"

    def _cookies_with_expired(self) -> list[Cookie]:
        jar: Any = self.jar
        with jar._cookies_lock:
            return list(jar)


def cookie_header(cookies: CookieJar, url: str) -> Optional[bytes]:
    """Return the value of the ``Cookie`` field for a request (RFC 6265 section 5.4), or None if no cookie fits."""
    jar: Any = cookies.jar
    if not jar._cookies:
        return None
    if not isinstance(jar, _VersionedJar):
        return cookies._cookie_field(url)
    cached = cookies._cached_fields.get(url)
    if cached is None or cached.version != jar.version or cached.until <= time.time():
        version = jar.version  # read first: a change while the field is built makes it invalid
        until = min(
            (cookie.expires for cookie in cookies._cookies_with_expired() if cookie.expires is not None),
            default=math.inf,
        )
        cached = _CachedField(version, until, cookies._cookie_field(url))
        if len(cookies._cached_fields) >= MOST_CACHED_URLS:
            cookies._cached_fields = {}
        cookies._cached_fields[url] = cached
    return cached.value


def receive_cookies(cookies: CookieJar, url: str, values: Iterable[bytes]) -> None:
    """Set and delete cookies as the ``Set-Cookie`` fields of a response say (RFC 6265 section 5.3)."""
    request = cookiejar_request(url)
    received = [cookie for cookie in (parse_set_cookie(value, request) for value in values) if cookie is not None]
    jar: Any = cookies.jar
    with jar._cookies_lock:
        # Over http, a response must not replace a Secure cookie, or set one of the same name that would be sent beside
        # it (RFC 6265bis section 5.7).
        secure = [] if request.type == "https" else [cookie for cookie in jar if cookie.secure]
        for cookie in received:
            # The policy may change the cookie's domain.
            is_allowed = jar.get_policy().set_ok(cookie, request)
            if is_allowed and not any(overlaps(cookie, other) for other in secure):
                cookies._set_or_delete(cookie)
    cookies._drop_surplus(cookie_domains(urlsplit(url).hostname or ""))


def cookies_with_expired(cookies: CookieJar) -> list[Cookie]:
    """Return every cookie of the jar, also those that have expired."""
    return cookies._cookies_with_expired()


LAST_SECOND_OF_9999 = 253402300799
"""The last second of the year 9999."""


def _name_and_value(cookie: Cookie) -> tuple[bytes, bytes]:
    return encoded(cookie.name), encoded(cookie.value or "")


def _qt_cookie(cookie: Cookie) -> QtNetwork.QNetworkCookie:
    result = QtNetwork.QNetworkCookie(*_name_and_value(cookie))  # type: ignore[arg-type]
    result.setDomain(cookie.domain)
    result.setPath(cookie.path)
    result.setSecure(cookie.secure)
    result.setHttpOnly(bool(cookie.has_nonstandard_attr("HttpOnly")))  # type: ignore[attr-defined]
    if cookie.expires is not None:
        seconds = max(min(int(cookie.expires), LAST_SECOND_OF_9999), 0)
        result.setExpirationDate(QtCore.QDateTime.fromSecsSinceEpoch(seconds, QtCore.Qt.TimeSpec.UTC))
    return result

"""CookieJar: the cookies that the requests of a manager share, by the rules of RFC 6265.

``requests``' jar, which is ``http.cookiejar``'s, keeps them; what that is lax in by itself is set right here: a cookie
without ``Domain`` goes to its own host only (section 5.3), one for all of ``co.uk`` is refused (Qt knows these
suffixes), ``Secure`` ones and the prefixes ``__Secure-`` and ``__Host-`` are taken from https only (RFC 6265bis).
"""

from __future__ import annotations

import math
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from email.message import Message
from http import cookiejar
from http.cookiejar import Cookie, DefaultCookiePolicy, MozillaCookieJar
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union
from urllib.parse import urlsplit
from urllib.request import Request

from requests.cookies import RequestsCookieJar

from .qt import QtCore, QtNetwork, type_name
from .redaction import hidden_repr
from .set_cookie import normalized
from .urls import is_address


class _Policy(DefaultCookiePolicy):
    def __init__(self) -> None:
        super().__init__(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain, secure_protocols=("https",))

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        is_secure = request.type == "https"
        if cookie.secure and not is_secure:
            return False
        name = cookie.name.lower()
        if name.startswith("__secure-") and not cookie.secure:
            return False
        if name.startswith("__host-") and not (cookie.secure and cookie.path == "/" and not cookie.domain_specified):
            return False
        if cookie.domain_specified:
            domain = cookie.domain.lstrip(".")
            # Of a number no part means another host (section 5.1.3).
            is_number = is_address(cookiejar.request_host(request))  # type: ignore[attr-defined]
            if is_number or _is_public_suffix(domain):
                host, effective_host = cookiejar.eff_request_host(request)  # type: ignore[attr-defined]
                if domain != host:
                    return False
                # Such a host itself may have cookies of its own (RFC 6265 section 5.3, step 5).
                cookie.domain, cookie.domain_specified, cookie.domain_initial_dot = effective_host, False, False
        return super().set_ok(cookie, request)  # type: ignore[no-any-return]


def _is_public_suffix(domain: str) -> bool:
    """Whether anybody may have a name under the domain, as Qt's list says."""
    if "." not in domain:
        return True
    cookie = QtNetwork.QNetworkCookie(b"a", b"b")  # type: ignore[arg-type]
    cookie.setDomain("." + domain)
    return not _QtCookies().validateCookie(cookie, QtCore.QUrl(f"http://host.{domain}/"))


class _QtCookies(QtNetwork.QNetworkCookieJar):
    """``validateCookie`` is protected in C++: PyQt lets only heirs call it."""


class _Response:
    """What ``http.cookiejar`` wants to know of an answer."""

    def __init__(self, values: Iterable[str]) -> None:
        self._message = Message()
        for value in values:
            self._message["Set-Cookie"] = value

    def info(self) -> Message:
        return self._message


class _VersionedJar(RequestsCookieJar):
    """Tells when something in it has changed."""

    def __init__(self, **options: Any) -> None:
        self.version = 0
        """Counts the changes; a cookie's ``last_set`` is the version that set it."""
        super().__init__(**options)

    # http.cookiejar has the lock, but does not take it where it clears.
    _cookies_lock: Any

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> Any:
        with self._cookies_lock:
            try:
                cookie.last_set = self.version  # type: ignore[attr-defined]
                return super().set_cookie(cookie, *args, **kwargs)
            finally:
                self.version += 1

    def clear(self, *args: Any, **kwargs: Any) -> None:
        with self._cookies_lock:
            try:
                super().clear(*args, **kwargs)
            finally:
                self.version += 1


class _Known(NamedTuple):
    """What was found for a URL, and how long it holds."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    version: int
    until: float
    value: Optional[bytes]


KEPT_URLS = 256

MOST_OF_A_DOMAIN = 180
MOST_COOKIES = 3_000
"""How many cookies are kept, as in Chromium; RFC 6265 section 6.1 wants at least 50 and 3 000."""


class CookieJar:
    """Cookies that all threads and both wires share. Every method may be called from any thread.

    ``jar`` is the ``RequestsCookieJar`` that keeps them, for what is not offered here.
    """

    def __init__(self, jar: Optional[RequestsCookieJar] = None) -> None:
        """``jar``: one to share, a ``requests.Session``'s perhaps; it keeps its own policy."""
        if jar is None:
            jar = _VersionedJar(policy=_Policy())
        elif not isinstance(jar, RequestsCookieJar):
            raise TypeError(f"jar must be a RequestsCookieJar (as session.cookies), not {type(jar).__name__}")
        self.jar = jar
        self._known: dict[str, _Known] = {}

    # -- for requests

    def header(self, url: str) -> Optional[bytes]:
        """The value of the ``Cookie`` field for a request (RFC 6265 section 5.4), or None."""
        jar: Any = self.jar
        if not jar._cookies:
            return None
        if not isinstance(jar, _VersionedJar):
            return self._header(url)
        known = self._known.get(url)
        if known is None or known.version != jar.version or known.until <= time.time():
            version = jar.version
            until = min((cookie.expires for cookie in self._all() if cookie.expires is not None), default=math.inf)
            known = _Known(version, until, self._header(url))
            if len(self._known) >= KEPT_URLS:
                self._known = {}
            self._known[url] = known
        return known.value

    def _header(self, url: str) -> Optional[bytes]:
        request = _request(url)
        self.jar.add_cookie_header(request)
        value = request.get_header("Cookie")
        return None if value is None else value.encode("latin-1", "replace")

    def receive(self, url: str, values: Iterable[bytes]) -> None:
        """Take the values of an answer's ``Set-Cookie`` fields (RFC 6265 section 5.3)."""
        texts = [text for text in (normalized(value.decode("latin-1")) for value in values) if text is not None]
        if url.startswith("http:"):
            # What was set over https is not for http to replace or to stand before (RFC 6265bis section 5.7).
            secure = [cookie for cookie in self._all() if cookie.secure]
            texts = [text for text in texts if not (secure and _stands_before(text, url, secure))]
        self.jar.extract_cookies(_Response(texts), _request(url))  # type: ignore[arg-type]
        self._drop_surplus(urlsplit(url).hostname or "")

    def _drop_surplus(self, host: str) -> None:
        """Remove cookies that are too many for a domain the host may set them for, or in all (RFC 6265bis 5.7)."""
        jar: Any = self.jar
        with jar._cookies_lock:
            for domain in _domains_of(host):
                paths = jar._cookies.get(domain)
                if paths is not None and sum(map(len, paths.values())) > MOST_OF_A_DOMAIN:
                    found = [cookie for cookies in paths.values() for cookie in cookies.values()]
                    self._remove(_surplus(found, MOST_OF_A_DOMAIN))
            if sum(len(cookies) for paths in jar._cookies.values() for cookies in paths.values()) > MOST_COOKIES:
                self._remove(_surplus(list(jar), MOST_COOKIES))

    def _remove(self, cookies: Iterable[Cookie]) -> None:
        for cookie in cookies:
            self.jar.clear(cookie.domain, cookie.path, cookie.name)

    def _for(self, url: str) -> list[Cookie]:
        """Those a request would carry."""
        jar: Any = self.jar
        with jar._cookies_lock:
            return list(jar._cookies_for_request(_request(url)))

    # -- for people

    def cookiesForUrl(self, url: Union[QtCore.QUrl, str]) -> list[QtNetwork.QNetworkCookie]:
        """The cookies that a request to ``url`` would carry."""
        address = url if isinstance(url, str) else url.toEncoded().data().decode("ascii")
        return [_qt_cookie(cookie) for cookie in self._for(address)]

    def allCookies(self) -> list[QtNetwork.QNetworkCookie]:
        """Every cookie there is."""
        return [_qt_cookie(cookie) for cookie in self._all()]

    def setCookie(self, url: Union[QtCore.QUrl, str], name: str, value: str) -> None:
        """Set a cookie as if the host of ``url`` had sent it, for its whole site, until the session ends.

        Raises ValueError where it would not be accepted from there.
        """
        for given, what in ((name, "name"), (value, "value")):
            if not isinstance(given, str):
                raise TypeError(f"the {what} of a cookie is a str, not {type(given).__name__}")
        if not isinstance(url, (str, QtCore.QUrl)):
            raise TypeError(f"url must be a QUrl or a str, not {type_name(url)}")
        address = url if isinstance(url, str) else url.toEncoded().data().decode("ascii")
        host = urlsplit(address).hostname
        if not host or any(character in f"{name}{value}" for character in "\r\n\0;") or not name or "=" in name:
            raise ValueError("a cookie needs the URL of a host, a name without '=', and no ';' or line end in either")
        secure = "; Secure" if address.startswith("https:") else ""
        jar: Any = self.jar
        # Nobody clears it between the setting and the looking.
        with jar._cookies_lock:
            self.receive(address, [f"{name}={value}; Path=/{secure}".encode("latin-1", "replace")])
            is_accepted = name in [cookie.name for cookie in self._for(address)]
        if not is_accepted:
            raise ValueError(f"the cookie {name!r} is not accepted from {host}")

    def clear(self, host: Optional[str] = None) -> None:
        """Forget every cookie, or those of a host (and those set for its whole domain by that name)."""
        if host is None:
            self.jar.clear()
            return
        for cookie in self._all():
            if cookie.domain.lstrip(".") in (host, f"{host}.local"):
                with suppress(KeyError):  # another thread was quicker
                    self.jar.clear(cookie.domain, cookie.path, cookie.name)

    def save(self, path: Union[str, os.PathLike[str]], sessionCookies: bool = False) -> None:
        """Write the cookies to a file in the format of Mozilla and curl, which only its owner may read.

        Those that end with the session are left out unless ``sessionCookies``. The file is whole or as it was. Raises
        OSError.
        """
        target = Path(path)
        file = MozillaCookieJar()
        for cookie in self._all():
            file.set_cookie(cookie)
        handle, scratch = tempfile.mkstemp(prefix=target.name, dir=str(target.parent))
        os.close(handle)
        try:
            file.save(scratch, ignore_discard=sessionCookies)
            os.replace(scratch, target)
        except BaseException:
            os.unlink(scratch)
            raise

    def load(self, path: Union[str, os.PathLike[str]]) -> None:
        """Add the cookies of a file that ``save``, a browser or curl has written.

        Raises OSError, ValueError where it is no such file; nothing is added then.
        """
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            cookies = list(_mozilla_cookies(file, os.fspath(path)))
        for cookie in cookies:
            self.jar.set_cookie(cookie)

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        # Neither names nor values: they may be secrets.
        return f"<CookieJar with {len(self)} cookies>"

    def _all(self) -> list[Cookie]:
        jar: Any = self.jar
        with jar._cookies_lock:
            return list(jar)


def _stands_before(text: str, url: str, secure: Iterable[Cookie]) -> bool:
    """Whether a cookie set by ``text``, which is normalized, would go where one of ``secure`` of that name goes."""
    request = _request(url)
    words = dict(word.partition("=")[::2] for word in text.split("; ")[1:])
    domain = words.get("Domain") or cookiejar.eff_request_host(request)[1]  # type: ignore[attr-defined]
    path = words.get("Path") or cookiejar.request_path(request).rpartition("/")[0] or "/"  # type: ignore[attr-defined]
    for cookie in secure:
        other = cookie.domain.lstrip(".")
        is_near = _is_within(domain, other) or _is_within(other, domain)
        if is_near and cookie.name == text.partition("=")[0] and f"{path}/".startswith(f"{cookie.path.rstrip('/')}/"):
            return True
    return False


def _is_within(domain: str, other: str) -> bool:
    return f".{domain}".endswith(f".{other}")


def _domains_of(host: str) -> Iterator[str]:
    """The names under which a jar keeps the cookies of a host and of its parents."""
    host = host.lower()
    yield from (host, f"{host}.local")
    labels = host.split(".")
    for start in range(len(labels) - 1):
        yield "." + ".".join(labels[start:])


def _surplus(cookies: list[Cookie], limit: int) -> list[Cookie]:
    """Those beyond the limit: expired ones first, ``Secure`` ones last, and of each kind those set longest ago."""
    now = int(time.time())
    cookies.sort(key=lambda cookie: (not cookie.is_expired(now), cookie.secure, getattr(cookie, "last_set", 0)))
    return cookies[: max(len(cookies) - limit, 0)]


_EXPIRES = re.compile(r"-?[0-9]{0,15}")
LAST_SECOND = 253402300799
"""Of the year 9999."""


def _mozilla_cookies(lines: Iterable[str], path: str) -> Iterator[Cookie]:
    """Those of a file that are not over. Raises ValueError, which does not show what is in it."""
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        is_http_only = text.startswith("#HttpOnly_")
        text = text[len("#HttpOnly_") :] if is_http_only else text
        if not text.strip() or (text.startswith("#") and not is_http_only):
            continue
        fields = text.split("\t")
        if len(fields) != 7 or not _EXPIRES.fullmatch(fields[4]):
            raise ValueError(f"{path} is no cookies file of Mozilla's format: line {number} has not its seven fields")
        domain, flag, cookie_path, secure, expires, name, value = fields
        if not name:
            name, value = value, ""
        is_domain = flag == "TRUE" or domain.startswith(".")
        host = domain.lstrip(".").lower()
        # What http.cookiejar makes of a host without a dot.
        host = host if "." in host or ":" in host else f"{host}.local"
        # A 0 is how curl writes one that ends with the session.
        end = int(expires or 0) or None
        cookie = Cookie(
            0, name, value, None, False, f".{host}" if is_domain else host, is_domain, is_domain, cookie_path, True,
            secure == "TRUE", end, end is None, None, None, {"HttpOnly": ""} if is_http_only else {},
        )  # fmt: skip
        if not cookie.is_expired():
            yield cookie


def _request(url: str) -> Any:
    return Request(url)


def _qt_cookie(cookie: Cookie) -> QtNetwork.QNetworkCookie:
    made = QtNetwork.QNetworkCookie(cookie.name.encode("latin-1", "replace"), (cookie.value or "").encode())  # type: ignore[arg-type]
    made.setDomain(cookie.domain)
    made.setPath(cookie.path)
    made.setSecure(cookie.secure)
    made.setHttpOnly(bool(cookie.has_nonstandard_attr("HttpOnly")))  # type: ignore[attr-defined]
    if cookie.expires is not None:
        seconds = max(min(int(cookie.expires), LAST_SECOND), 0)
        made.setExpirationDate(QtCore.QDateTime.fromSecsSinceEpoch(seconds, QtCore.Qt.TimeSpec.UTC))
    return made

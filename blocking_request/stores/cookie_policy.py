"""Decide which cookies a response may set, replace or delete, and how many are kept.

The rules of ``http.cookiejar`` are not enough. A cookie without ``Domain`` goes to its own host only (RFC 6265
section 5.3). A cookie for all of ``co.uk`` is refused (``public_suffixes``). A ``Secure`` cookie is set,
replaced and deleted by https only, and the prefixes ``__Secure-`` and ``__Host-`` need their attributes (RFC 6265bis
section 5.7).
"""

from __future__ import annotations

import time
from http import cookiejar
from http.cookiejar import Cookie, DefaultCookiePolicy
from urllib.request import Request

from ..models.urls import is_address
from .public_suffixes import is_public_suffix

MOST_OF_A_DOMAIN = 180
MOST_COOKIES = 3_000
"""The limits are those of Chromium. RFC 6265 section 6.1 demands at least 50 and 3 000."""


class CookiePolicy(DefaultCookiePolicy):
    def __init__(self) -> None:
        super().__init__(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain, secure_protocols=("https",))

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        if cookie.secure and request.type != "https":
            return False
        if not _has_what_its_prefix_needs(cookie):
            return False
        if cookie.domain_specified:
            domain = cookie.domain[1:]  # behind the dot of cookies with a domain
            # A part of an address does not name another host (RFC 6265 section 5.1.3).
            is_number = is_address(cookiejar.request_host(request))  # type: ignore[attr-defined]
            if is_number or is_public_suffix(domain):
                host, effective_host = cookiejar.eff_request_host(request)  # type: ignore[attr-defined]
                if domain != host:
                    return False
                # The host itself may have cookies of its own (RFC 6265 section 5.3, step 5).
                cookie.domain, cookie.domain_specified, cookie.domain_initial_dot = effective_host, False, False
        return super().set_ok(cookie, request)  # type: ignore[no-any-return]


def _has_what_its_prefix_needs(cookie: Cookie) -> bool:
    name = cookie.name.lower()
    if name.startswith("__host-"):
        return cookie.secure and cookie.path_specified and cookie.path == "/" and not cookie.domain_specified
    return cookie.secure or not name.startswith("__secure-")


def overlaps(cookie: Cookie, other: Cookie) -> bool:
    """Return whether ``cookie`` would be sent to some host and path together with ``other``, under the same name.

    Only a path within the other's counts (RFC 6265bis section 5.7, "leave secure cookies alone").
    """
    domain, other_domain = cookie.domain.lstrip("."), other.domain.lstrip(".")
    is_near = _is_within(domain, other_domain) or _is_within(other_domain, domain)
    is_below = f"{cookie.path.rstrip('/')}/".startswith(f"{other.path.rstrip('/')}/")
    return is_near and is_below and cookie.name == other.name


def _is_within(domain: str, other: str) -> bool:
    return f".{domain}".endswith(f".{other}")


def surplus(cookies: list[Cookie], limit: int) -> list[Cookie]:
    """Return as many cookies as are beyond the limit.

    Expired ones are taken first and ``Secure`` ones last; of each kind, those that were set longest ago.
    """
    now = int(time.time())
    cookies.sort(key=lambda cookie: (not cookie.is_expired(now), cookie.secure, getattr(cookie, "last_set", 0)))
    return cookies[: max(len(cookies) - limit, 0)]

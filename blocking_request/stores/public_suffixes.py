"""Public suffixes: domains such as ``co.uk``, under which anybody may register a name (https://publicsuffix.org).

The list is that of the package ``publicsuffixlist`` if it is installed, and else Qt's own. Qt's is as old as the Qt, or
that of the system.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Optional

from .._first_use import first_use
from ..qt.binding import QtCore, QtNetwork


def is_public_suffix(domain: str) -> bool:
    """Return whether cookies for all of a domain are refused. ``domain``: in ASCII. Any thread may call this."""
    if "." not in domain:
        return True
    suffixes = _installed_list()
    if suffixes is not None:
        return bool(suffixes.is_public(domain))
    # Qt compares the domain with the decoded host of the URL.
    url = QtCore.QUrl(f"http://host.{domain}/")
    cookie = QtNetwork.QNetworkCookie(b"a", b"b")  # type: ignore[arg-type]
    cookie.setDomain("." + url.host().partition(".")[2])
    return not _QtCookies().validateCookie(cookie, url)


class _QtCookies(QtNetwork.QNetworkCookieJar):
    """``validateCookie`` is protected in C++: PyQt lets only subclasses call it."""


@cache
def _installed_list() -> Optional[Any]:
    """Return the list of ``publicsuffixlist``, or None. It is read once, which takes 40 ms."""
    with first_use:
        try:
            from publicsuffixlist import PublicSuffixList
        except ImportError:
            return None
    return PublicSuffixList()

"""The hosts and URLs of cookies: as callers give them, and as ``http.cookiejar`` names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union
from urllib.request import Request

from ..models.urls import is_address, split_userinfo
from ..qt.binding import QtCore, type_name


def checked_host(host: str) -> str:
    """Return the host in lower case and in ASCII. Raises ValueError."""
    url = QtCore.QUrl()
    url.setScheme("http")
    url.setHost(host.lstrip(".").strip("[]"))
    if not url.isValid() or not url.host():
        raise ValueError("host must be the name or the address of a host, such as 'example.org'")
    return url.host(QtCore.QUrl.ComponentFormattingOption.FullyEncoded)


def checked_cookie_url(url: Union[QtCore.QUrl, str]) -> str:
    """Return the URL with its scheme and host in lower case and its host in ASCII. Raises TypeError, ValueError."""
    if not isinstance(url, (str, QtCore.QUrl)):
        raise TypeError(f"url must be a QUrl or a str, not {type_name(url)}")
    qurl = QtCore.QUrl(url.strip()) if isinstance(url, str) else url
    if not qurl.isValid() or qurl.scheme() not in ("http", "https") or not qurl.host():
        raise ValueError("a cookie needs the URL of a host, http://host/ or https://host/")
    without_user = QtCore.QUrl(qurl)
    without_user.setUserInfo("")
    return without_user.toEncoded().data().decode("ascii")


def cookiejar_request(url: str) -> Any:
    """Return a request that tells ``http.cookiejar`` the URL. A user name would become a part of the host there."""
    return Request(split_userinfo(url)[0])


def host_names(host: str) -> tuple[str, str]:
    """Return the names that ``http.cookiejar`` may give to a host: it appends ``.local`` to a name without a dot."""
    name = f"[{host.lower()}]" if ":" in host else host.lower()
    return name, f"{name}.local"


def cookie_domains(host: str) -> Iterator[str]:
    """Yield the names under which a jar keeps the cookies of a host and of its parents."""
    yield from host_names(host)
    if is_address(host):
        return
    labels = host.lower().split(".")
    for start in range(len(labels) - 1):
        yield "." + ".".join(labels[start:])

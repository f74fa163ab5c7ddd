"""The hosts and URLs of cookies: as callers give them, and as ``http.cookiejar`` names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union
from urllib.request import Request

from ..models.hosts import canonical_host_without_brackets
from ..models.urls import is_address, normalized, split_userinfo
from ..qt.binding import QtCore, type_name


def checked_host(host: str) -> str:
    """Return the host in lower case and in ASCII. Raises ValueError."""
    try:
        return canonical_host_without_brackets(host.lstrip(".").strip("[]"))
    except ValueError as error:
        raise ValueError(f"host must be the name or the address of a host, such as 'example.org': {error}") from None


def checked_cookie_url(url: Union[QtCore.QUrl, str]) -> str:
    """Return the URL with its scheme and host in lower case and its host in ASCII. Raises TypeError, ValueError."""
    if not isinstance(url, (str, QtCore.QUrl)):
        raise TypeError(f"url must be a QUrl or a str, not {type_name(url)}")
    text = url.strip() if isinstance(url, str) else url.toEncoded().data().decode("ascii", "replace")
    try:
        return split_userinfo(normalized(text))[0]
    except ValueError as error:
        # The error is not shown with the URL: that may hold a password.
        raise ValueError(f"a cookie needs the URL of a host, http://host/ or https://host/: {error}") from None


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

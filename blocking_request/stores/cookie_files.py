"""Read and write cookies in the format of Netscape's ``cookies.txt``, which Mozilla and curl use.

Each line has seven fields with a TAB between them. A cookie with a TAB or a line end in one of them cannot be written,
and is left out. The bytes of names and values are written as a request would send them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from http.cookiejar import Cookie
from itertools import chain
from pathlib import Path
from typing import Union

from ..bodies.finished_file import is_special
from ..bodies.replaced_file import replace_file
from ..bodies.special_file import open_special
from ..models.headers import encoded
from ..models.urls import is_address
from .set_cookie import is_allowed, new_cookie

_MARK = b"# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\n\n"
_HTTP_ONLY = "#HttpOnly_"
_BYTE_ORDER_MARK = "\xef\xbb\xbf"
"""The mark that some Windows programs put before UTF-8, read as latin-1."""
_EXPIRES = re.compile(r"(?:-?[0-9]{1,15})?")
_SEPARATORS = re.compile(r"[\t\r\n]")


def write(path: Union[str, os.PathLike[str]], cookies: Iterable[Cookie], with_session_cookies: bool) -> None:
    """Write cookies that have not expired to a file that only its owner may read.

    If writing fails, an earlier file stays as it was. A device such as ``/dev/null`` is written to, and not replaced.
    Raises OSError.
    """
    unexpired = (each for each in cookies if (with_session_cookies or not each.discard) and not each.is_expired())
    if is_special(Path(path)):
        flags = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
        with open(open_special(os.fspath(path), flags), "wb") as device:
            device.write(_MARK + b"".join(map(_line, unexpired)))
        return
    replace_file(path, chain((_MARK,), map(_line, unexpired)))


def _line(cookie: Cookie) -> bytes:
    """Return the line of a cookie with its end, or nothing if it cannot be written."""
    is_http_only = bool(cookie.has_nonstandard_attr("HttpOnly"))  # type: ignore[attr-defined]
    fields = (
        cookie.domain,
        "TRUE" if cookie.domain.startswith(".") else "FALSE",
        cookie.path,
        "TRUE" if cookie.secure else "FALSE",
        # curl writes 0 for a cookie that ends with the session.
        "0" if cookie.expires is None else str(int(cookie.expires)),
        cookie.name,
        cookie.value or "",
    )
    if any(map(_SEPARATORS.search, fields)):
        return b""
    return encoded((_HTTP_ONLY if is_http_only else "") + "\t".join(fields) + "\n")


def read(path: Union[str, os.PathLike[str]]) -> list[Cookie]:
    """Return the cookies of a file that have not expired and that a server could set.

    Raises OSError; ValueError if the file is not of this format.
    """
    with open(path, "rb") as file:
        text = file.read().decode("latin-1")
    return list(_cookies(text.removeprefix(_BYTE_ORDER_MARK).split("\n"), os.fspath(path)))


def _cookies(lines: Iterable[str], path: str) -> Iterator[Cookie]:
    """Yield the cookies of lines. Raises ValueError, whose message shows no content of the file."""
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r")
        is_http_only = text.startswith(_HTTP_ONLY)
        text = text.removeprefix(_HTTP_ONLY)
        if not text.strip() or (text.startswith("#") and not is_http_only):
            continue
        fields = text.split("\t")
        if len(fields) != 7:
            raise ValueError(f"{path} is no cookies file of Mozilla's format: line {number} has not its seven fields")
        if not fields[0].strip("."):
            raise ValueError(f"{path}: line {number} names no host")
        if not _EXPIRES.fullmatch(fields[4]):
            text = f"the expiry in line {number} is no whole number of seconds of at most 15 digits"
            raise ValueError(f"{path}: {text}")
        cookie = _cookie(fields, is_http_only)
        if is_allowed(cookie.name, cookie.value or "") and not cookie.is_expired():
            yield cookie


def _cookie(fields: list[str], is_http_only: bool) -> Cookie:
    domain, of_domain, path, secure, expires, name, value = fields
    host = domain.lstrip(".").lower()
    is_of_domain = (of_domain.upper() == "TRUE" or domain.startswith(".")) and not is_address(host)
    return new_cookie(
        # http.cookiejar leaves the name empty if a cookie has no value.
        name or value,
        value if name else "",
        domain=f".{_host(host)}" if is_of_domain else _host(host),
        path=path,
        has_path=True,
        is_secure=secure.upper() == "TRUE",
        is_http_only=is_http_only,
        expires=int(expires or 0) or None,
    )


def _host(host: str) -> str:
    """Return the host as ``http.cookiejar`` names it: without a dot it ends in ``.local``."""
    if ":" in host:
        host = f"[{host.strip('[]')}]" if not host.endswith(".local") else host
    return host if "." in host else f"{host}.local"

"""Completes URLs that are typed without a scheme, and tells them from other words."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from ..._first_use import first_use
from ...models.redaction import redact_url

_WITH_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_WITHOUT_AUTHORITY = re.compile(r"(?:https?|file|data|qrc|about|blob|javascript|mailto|tel|urn):", re.IGNORECASE)
"""Schemes that are followed by no host. Any other word before a colon is a host, or a user."""
_OTHER_SCHEME = re.compile(r"(?!localhost:)[A-Za-z][A-Za-z0-9+-]*:(?![0-9]*(?:[/?#]|\Z))[^@]*")
"""A word without a dot, and after the colon neither a port nor a password: git:x, C:\\file. The library refuses it."""
_LOCAL_PORT = re.compile(r":[0-9]*(?:[/?#]|\Z)")


def complete_url(text: str) -> str:
    """Return the URL with the scheme ``http://`` if it has none, as curl and HTTPie do it.

    ``:8000/path`` is a URL of this machine, as for HTTPie.
    """
    url = text.strip()
    if not url or _WITH_AUTHORITY.match(url) or _WITHOUT_AUTHORITY.match(url) or _OTHER_SCHEME.fullmatch(url):
        return url
    if _LOCAL_PORT.match(url):
        return f"http://localhost{'' if url[1:2] in ('', '/', '?', '#') else ':'}{url.lstrip(':')}"
    return f"http://{url.removeprefix('//')}"


def is_like_url(word: str) -> bool:
    """Return whether a word can be a URL or a host, and not the name of a command with a typing error."""
    return word == "localhost" or any(character in word for character in ".:/")


def with_invalid_url(text: str, url: str) -> str:
    """Return the message about a failure. It names a URL that is not valid, which the reply has not kept.

    The parts of such a URL are not known: the text before an @ may be a password.
    """
    return f"{text} ({redact_url(url.rpartition('@')[2])})" if text.startswith("The URL is not valid: ") else text


def name_in_url(url: str) -> str:
    """Return the file name at the end of the path of a URL; '' if it has none, or if it is not valid."""
    with first_use:
        from ...bodies.download_files import safe_name
    try:
        return safe_name(unquote(urlsplit(url).path))
    except ValueError:
        return ""

"""Checks a request before an engine gets it: no CR, LF or NUL may split it into two requests.

Most fields were checked when the caller gave them. Fields from a cookie jar, a stored response, a challenge or another
library are checked here only.
"""

from __future__ import annotations

from typing import Optional

from ..models.failure import Failure, QtNetworkError, network_failure
from ..models.headers import DEFAULT_FIELDS, Pairs, are_defaults, fields_problem, is_token
from ..models.http_messages import Request

_USUAL_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_sound_defaults: list[Pairs] = []
"""The default fields that were checked last. Most requests have no others, and need no check then."""


def malformed(request: Request) -> Optional[Failure]:
    """Return why no engine may send the request, or None. Any thread may call this."""
    if request.method not in _USUAL_METHODS and not is_token(request.method.encode("latin-1", "replace")):
        return _failure(f"The method {request.method!r} is not allowed: letters, digits and !#$%&'*+-.^_`|~ only")
    url = request.url
    if url.startswith("http") and not (url.isascii() and url.isprintable() and " " not in url):
        return _failure("The URL holds a blank, a control character or a letter outside ASCII: percent-encode it")
    headers = request.headers
    if _sound_defaults and _sound_defaults[0] == headers:
        return None
    problem = fields_problem(headers)
    if problem is not None:
        return _failure(problem)
    if len(headers) <= DEFAULT_FIELDS and are_defaults(headers):  # others might be secrets, which nothing keeps
        _sound_defaults[:] = [headers]
    return None


def _failure(text: str) -> Failure:
    return network_failure(QtNetworkError.ProtocolInvalidOperationError, text)

"""The last look at a request before an engine gets it: nothing in it may end a line, and so begin another request.

Most fields were checked when the caller gave them. Others come from a cookie jar, from a stored response, from a
challenge, from another library: here all of them pass.
"""

from __future__ import annotations

from typing import Optional

from ..models.failure import Failure, QtNetworkError, network_failure
from ..models.headers import DEFAULT_FIELDS, Pairs, are_defaults, fields_problem, is_token
from ..models.http_messages import Request

_USUAL_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_sound_defaults: list[Pairs] = []
"""The default fields that were looked at last; most requests have no others."""


def malformed(request: Request) -> Optional[Failure]:
    """Why the request may not be sent by any engine, or None. From any thread."""
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

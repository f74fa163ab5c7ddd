"""SentRequest: a request as a server would see it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..models.headers import Headers
from ..models.http_messages import Request
from ..models.redaction import SECRET_PARAMETERS, redact_url


class SentRequest:
    """One request that the code under test has sent. Redirects, retries and answers to challenges are further ones.

    It is complete: the fields that the library adds are in ``headers``. It does not change, so any thread may read it.
    """

    def __init__(self, method: str, url: str, headers: Headers, body: bytes, redacted_names: tuple[str, ...]) -> None:
        """Internal: ``FakeReplies`` makes it."""
        self._method = method
        self._url = url
        self._headers = headers
        self._body = body
        self._redacted_names = redacted_names

    @property
    def method(self) -> str:
        """The method, for example ``"GET"``."""
        return self._method

    @property
    def url(self) -> str:
        """The URL as it was sent, without a fragment."""
        return self._url

    @property
    def headers(self) -> Headers:
        """The header fields. Names are found in any case."""
        return self._headers

    @property
    def body(self) -> bytes:
        """The body; empty if there is none."""
        return self._body

    @property
    def params(self) -> dict[str, list[str]]:
        """The parameters of the query, each with all of its values, decoded."""
        return parse_qs(urlsplit(self._url).query, keep_blank_values=True)

    def text(self) -> str:
        """Return the body as UTF-8. Raises UnicodeDecodeError if it is not."""
        return self._body.decode("utf-8")

    def json(self) -> Any:
        """Return the body as a value of JSON. Raises ValueError if it is not JSON."""
        return json.loads(self._body)

    def form(self) -> dict[str, list[str]]:
        """Return the fields of a body of the type ``application/x-www-form-urlencoded``, as ``params`` does."""
        return parse_qs(self._body.decode("utf-8"), keep_blank_values=True)

    def __repr__(self) -> str:
        return f"<SentRequest {self._method} {redact_url(self._url, (*SECRET_PARAMETERS, *self._redacted_names))}>"


def body_size(request: Request) -> int:
    """Return the size of the body of a request in bytes, -1 if it is not known."""
    body = request.body
    return 0 if body is None else len(body) if isinstance(body, bytes) else body.size

"""Makes the ``urllib3.HTTPResponse`` that is ``raw`` of a response of requests."""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING, Any, Optional

import urllib3

from .headers import Pairs
from .http_messages import Response

if TYPE_CHECKING:
    from requests.models import PreparedRequest


class OriginalResponse:
    """Stands for http.client's response, in which requests looks for cookies. It has no other fields."""

    def __init__(self, fields: Pairs) -> None:
        self.msg = Message()
        for name, value in _texts(fields):
            if name.lower() == "set-cookie":
                self.msg[name] = value

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        pass


def urllib3_response(
    response: Response,
    body: Any,
    fields: Pairs,
    request: PreparedRequest,
    original: Optional[OriginalResponse] = None,
) -> urllib3.HTTPResponse:
    """Return a response with these header fields. ``body``: a file, from which the decoded body is read.

    Raises urllib3.exceptions.InvalidHeader if there are two values of Content-Length.
    """
    return urllib3.HTTPResponse(
        body=body,
        headers=_texts(fields),  # type: ignore[arg-type]
        status=response.status or 0,
        version=20 if response.http2 else 11,
        reason=response.reason,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
        request_method=request.method,
        request_url=request.url,
        original_response=original,  # type: ignore[arg-type]
    )


def _texts(fields: Pairs) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]

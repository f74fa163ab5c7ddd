"""Sends a request again by the python engine if Qt could not read the response.

Qt 6 drops a header with an odd line, Qt 5 takes 102 for a final status, and neither tells what came that is not HTTP.
This is for the engine ``auto`` only.
"""

from __future__ import annotations

from ..models.http_messages import IDEMPOTENT_METHODS, Request
from . import Flow


def send_to_be_read(request: Request) -> Flow:
    """Send a request. It is sent once more only if RFC 9110 section 9.2.2 allows that, and if it has no body."""
    response = yield request
    if not response.is_unreadable or request.body is not None or request.method not in IDEMPOTENT_METHODS:
        return response
    if request.qgis or request.connection_credentials is not None:
        return response  # only Qt can send it
    return (yield request._replace(avoids_qt=True))._replace(request=request)

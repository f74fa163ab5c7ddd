"""Preprocessors: functions of the application's that look at each request, and may change it, before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from ..models.failure import QtNetworkError, request_not_sent
from ..models.headers import FRAMING_FIELDS
from ..models.http_messages import Request
from ..models.urls import origin
from ..qt.binding import QtNetwork
from ..qt.connection_options import connection_options
from ..qt.network_request import qt_request_copy, raw_fields
from .build_request import check_field, checked_url
from .request_attributes import expansion_threshold


def preprocessed(request: Request, functions: Iterable[Callable[[QtNetwork.QNetworkRequest], object]]) -> Request:
    """Call the functions with the request as a QNetworkRequest, which they may change; return the changed request.

    Raises RequestNotSent if no engine may send the changed request, and the exceptions of the functions.
    """
    qt_request = qt_request_copy(request)
    for function in functions:
        function(qt_request)
    url, userinfo, _ = checked_url(qt_request.url())
    fields = raw_fields(qt_request)
    for name, value in fields:
        check_field(name, value)
    framing = tuple(pair for pair in request.headers if pair[0].lower() in FRAMING_FIELDS)
    headers = framing + tuple(pair for pair in fields if pair[0].lower() not in FRAMING_FIELDS)
    if userinfo is not None:
        text = "A preprocessor has put a user and a password into the URL: have it set the Authorization header instead"
        raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, text)
    # Credentials that belong to the former origin must not go to the new one.
    same_origin = request.same_origin and origin(url) == origin(request.url)
    return request._replace(
        url=url,
        headers=headers,
        qt_request=qt_request,
        same_origin=same_origin,
        expansion_threshold=expansion_threshold(qt_request),
        connection=connection_options(qt_request),
    )

"""Preprocessors: functions of the application's that look at each request, and may change it, before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from ..errors import QtNetworkError, unsendable
from ..models.headers import FRAMING_FIELDS
from ..models.http_messages import Exchange
from ..models.urls import origin
from ..qt.binding import QtNetwork
from ..qt.network_request import native_copy, raw_fields
from .prepare import check_field, checked_url


def preprocessed(exchange: Exchange, functions: Iterable[Callable[[QtNetwork.QNetworkRequest], object]]) -> Exchange:
    """The exchange as the functions want it, which are given it as a request and may change that.

    Raises Unsendable for what no engine may see, and whatever they raise.
    """
    request = native_copy(exchange)
    for function in functions:
        function(request)
    url, userinfo, _ = checked_url(request.url())
    fields = raw_fields(request)
    for name, value in fields:
        check_field(name, value)
    kept = tuple(pair for pair in exchange.headers if pair[0].lower() in FRAMING_FIELDS)
    headers = kept + tuple(pair for pair in fields if pair[0].lower() not in FRAMING_FIELDS)
    if userinfo is not None:
        text = "A preprocessor has put a user and a password into the URL: have it set the Authorization header instead"
        raise unsendable(QtNetworkError.ProtocolInvalidOperationError, text)
    # What was named for one origin is not for the other that it is sent to now.
    keeps_identity = exchange.keeps_identity and origin(url) == origin(exchange.url)
    return exchange._replace(url=url, headers=headers, native=request, keeps_identity=keeps_identity)

"""Preprocessors: functions of the application's that look at each request, and may change it, before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from requests.auth import _basic_auth_str

from .exchange import Exchange
from .parameters import native_copy
from .preparation import FRAMING_FIELDS, check_field, checked_url, userinfo_config
from .qt import QtNetwork


def preprocessed(exchange: Exchange, functions: Iterable[Callable[[QtNetwork.QNetworkRequest], object]]) -> Exchange:
    """The exchange as the functions want it, which are given it as a request and may change that.

    Raises Unsendable for what no wire may see, and whatever they raise.
    """
    request = native_copy(exchange)
    for function in functions:
        function(request)
    url, userinfo, _ = checked_url(request.url())
    fields = tuple((name.data(), request.rawHeader(name).data()) for name in request.rawHeaderList())
    for name, value in fields:
        check_field(name, value)
    kept = tuple(pair for pair in exchange.headers if pair[0].lower() in FRAMING_FIELDS)
    headers = kept + tuple(pair for pair in fields if pair[0].lower() not in FRAMING_FIELDS)
    if userinfo is not None and not any(name.lower() == b"authorization" for name, _ in fields):
        config = userinfo_config(userinfo)
        credentials = _basic_auth_str(config.user.encode(), config.secret.encode())
        headers += ((b"Authorization", credentials.encode("latin-1")),)
    return exchange._replace(url=url, headers=headers, native=request)

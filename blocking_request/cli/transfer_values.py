"""The values of ``--write-out``: what curl's variables of the same names mean, for one call."""

from __future__ import annotations

import json
from typing import Callable, Optional, Union
from urllib.parse import urljoin, urlsplit

from .. import ReplyContent
from ..models.call_record import CACHED, CallRecord
from ..models.headers import Pairs
from ..models.transfer_trace import TransferTrace
from ..qt.binding import QtNetwork
from ..reply import response_of
from .messages import failure_text

Value = Union[str, int, float]
"""A float is a time in seconds."""


class Transfer:
    """One call that has ended."""

    def __init__(self, reply: ReplyContent, exit_status: int, call: Optional[CallRecord]) -> None:
        """``call``: None if nothing was recorded."""
        self.reply = reply
        self.exit_status = exit_status
        self.response = response_of(reply)
        self.seconds = reply.elapsed() if call is None else call.seconds
        self.requests = [] if call is None else [each for each in call.children if each.kind != CACHED]
        """Those that were sent: redirects, retries and logins have more than one."""
        self.started = 0.0 if call is None else call.clock_started

    @property
    def url(self) -> str:
        return self.response.request.url

    @property
    def last(self) -> Optional[CallRecord]:
        return self.requests[-1] if self.requests else None

    def field(self, name: str) -> str:
        """Return the value of a header field of the response, the first one; '' if it is missing."""
        wanted = name.strip().lower().encode("utf-8", "surrogateescape")
        values = (value for key, value in self.response.headers.pairs if key.lower() == wanted)
        return next(values, b"").decode("utf-8", "surrogateescape")


def _time_until(*moments: Callable[[TransferTrace], Optional[float]]) -> Callable[[Transfer], float]:
    """Return a function for the time from the start of a request to the first known one of some moments.

    The times of several requests are added up, as curl does. A request over a kept connection has not connected.
    """

    def value(transfer: Transfer) -> float:
        seconds = 0.0
        for request in transfer.requests:
            known = (None if request.trace is None else moment(request.trace) for moment in moments)
            at = next((each for each in known if each is not None), request.clock_started)
            seconds += max(at - request.clock_started, 0.0)
        return seconds

    return value


def _redirect_time(transfer: Transfer) -> float:
    last = transfer.last
    return last.clock_started - transfer.started if last is not None and transfer.response.history else 0.0


def _size(pairs: Pairs, status_line: str) -> int:
    """Return the size of a head in bytes, as it is over HTTP/1.1."""
    return len(status_line) + 2 + sum(len(name) + len(value) + 4 for name, value in pairs) + 2


def _header_size(transfer: Transfer) -> int:
    heads = (each for each in transfer.requests if each.status is not None)
    return sum(_size(each.response_headers.pairs, f"{each.http_version} {each.status} {each.reason}") for each in heads)


def _download_size(transfer: Transfer) -> int:
    last = transfer.last
    return 0 if last is None else last.encoded_size or max(last.response_size, 0)


def _upload_size(transfer: Transfer) -> int:
    return 0 if transfer.last is None else max(transfer.last.request_size, 0)


def _speed(size: Callable[[Transfer], int]) -> Callable[[Transfer], int]:
    return lambda transfer: int(size(transfer) / transfer.seconds) if transfer.seconds > 0 else 0


def _connects(transfer: Transfer) -> int:
    """Return how many connections were made."""
    return sum(each.trace is not None and each.trace.connect_ended is not None for each in transfer.requests)


def _peer(transfer: Transfer) -> tuple[str, int]:
    peer = None if transfer.last is None else transfer.last.peer
    return ("", 0) if peer is None else peer


def _redirect_url(transfer: Transfer) -> str:
    location = transfer.field("location")
    return urljoin(transfer.url, location) if location and _status(transfer) // 100 == 3 else ""


def _first_url(transfer: Transfer) -> str:
    first = transfer.response.history[0] if transfer.response.history else transfer.response
    url: str = first.request.url
    return url


def _tls_failed(transfer: Transfer) -> int:
    return int(transfer.reply.error() == QtNetwork.QNetworkReply.NetworkError.SslHandshakeFailedError)


def _status(transfer: Transfer) -> int:
    return transfer.response.status or 0


VARIABLES: dict[str, Callable[[Transfer], Value]] = {
    "content_type": lambda transfer: transfer.field("content-type"),
    "errormsg": lambda transfer: failure_text(transfer.reply.errorString()),
    "exitcode": lambda transfer: transfer.exit_status,
    "filename_effective": lambda transfer: transfer.reply.filePath(),
    "http_code": _status,
    "http_version": lambda transfer: transfer.response.http_version.partition("/")[2] or "0",
    "method": lambda transfer: transfer.response.request.method,
    "num_connects": _connects,
    "num_headers": lambda transfer: len(transfer.response.headers.pairs),
    "num_redirects": lambda transfer: len(transfer.response.history),
    "redirect_url": _redirect_url,
    "remote_ip": lambda transfer: _peer(transfer)[0],
    "remote_port": lambda transfer: _peer(transfer)[1],
    "response_code": _status,
    "scheme": lambda transfer: urlsplit(transfer.url).scheme,
    "size_download": _download_size,
    "size_header": _header_size,
    "size_upload": _upload_size,
    "speed_download": _speed(_download_size),
    "speed_upload": _speed(_upload_size),
    "ssl_verify_result": _tls_failed,
    "time_appconnect": _time_until(lambda trace: trace.tls_ended),
    "time_connect": _time_until(lambda trace: trace.connect_ended),
    # An address is not looked up. The qt engine does not know when it begins to connect.
    "time_namelookup": _time_until(
        lambda trace: trace.look_up_ended,
        lambda trace: trace.connect_started if trace.connect_ended is not None else None,
    ),
    "time_pretransfer": _time_until(
        lambda trace: trace.tls_ended, lambda trace: trace.connect_ended, lambda trace: trace.queued
    ),
    "time_redirect": _redirect_time,
    "time_starttransfer": _time_until(lambda trace: trace.first_byte, lambda trace: trace.headers_received),
    "time_total": lambda transfer: transfer.seconds,
    "url": _first_url,
    "url_effective": lambda transfer: transfer.url,
}
"""The variables, by curl's names."""


def header_json(transfer: Transfer) -> str:
    """Return the header fields of the response as JSON: each name in lower case, with the list of its values."""
    fields: dict[str, list[str]] = {}
    for name, value in transfer.response.headers.pairs:
        fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("utf-8", "replace"))
    return json.dumps(fields)


def all_json(transfer: Transfer) -> str:
    """Return the values of all variables as one JSON object; a text that is empty is null."""
    values: dict[str, Optional[Value]] = {}
    for name, value_of in VARIABLES.items():
        value = value_of(transfer)
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        values[name] = round(value, 6) if isinstance(value, float) else None if value == "" else value
    return json.dumps(values)

"""Sends a failed request again, by the rule of an ``urllib3.util.Retry``.

Without a rule of the caller there are no retries. The rule names methods and statuses (RFC 9110 section 9.2.2 has the
methods that may be repeated), pauses, and whether ``Retry-After`` counts (section 10.2.3). A request that never reached
a server may be sent again with any method.
"""

from __future__ import annotations

from typing import Optional

from urllib3 import HTTPResponse
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, ProtocolError
from urllib3.util import Retry

from ..errors import ErrorCode
from ..models.failure import QtNetworkError
from ..models.http_messages import Request, Response
from . import Flow, Send, Wait, send_directly

_NEVER_SENT = frozenset(
    (
        QtNetworkError.ConnectionRefusedError,
        QtNetworkError.HostNotFoundError,
        QtNetworkError.TemporaryNetworkFailureError,
        QtNetworkError.ProxyConnectionRefusedError,
        QtNetworkError.ProxyNotFoundError,
        QtNetworkError.ProxyTimeoutError,
    )
)
_CONNECTION_LOST = frozenset(
    (
        QtNetworkError.RemoteHostClosedError,
        QtNetworkError.TimeoutError,
        QtNetworkError.ProxyConnectionClosedError,
        QtNetworkError.ProtocolFailure,
        QtNetworkError.UnknownNetworkError,
    )
)


def with_retries(request: Request, rule: Retry, send: Send = send_directly) -> Flow:
    """Send until the rule is content or exhausted; the last response counts the attempts."""
    attempts = 0
    while True:
        response = yield from send(request if attempts == 0 else request._replace(is_retry=True))
        attempts += 1
        following = _next_rule(response, rule) if request.is_replayable else None
        if following is None:
            return response if attempts == 1 else response._replace(attempts=attempts)
        rule = following
        seconds = _seconds_to_wait(response, rule)
        if seconds > 0:
            waited = yield Wait(request, seconds)
            if waited.failure is not None:
                return response._replace(failure=waited.failure, attempts=attempts)


def _next_rule(response: Response, rule: Retry) -> Optional[Retry]:
    """Return the rest of the rule if the request may be sent again after this response; otherwise None."""
    request, failure = response.request, response.failure
    error: Optional[Exception] = None
    urllib3_response: Optional[HTTPResponse] = None
    if failure is None:
        # Most answers are none of these: their fields need not be taken apart.
        status = response.status or 0
        waits = status in rule.RETRY_AFTER_STATUS_CODES and response.headers.value(b"retry-after") is not None
        if not rule.is_retry(request.method, status, waits):
            return None
        urllib3_response = _response(response)
        count = rule.status
    elif failure.ends_the_call or failure.code is ErrorCode.CanceledError:
        return None
    elif failure.error in _NEVER_SENT:
        error = ConnectTimeoutError()
        count = rule.connect
    elif failure.error in _CONNECTION_LOST and response.engine:
        # Without an engine the request was not sent, for a reason that stays.
        error = ProtocolError()
        count = rule.read
    else:
        return None
    if rule.total is None and count is None:
        return None  # urllib3 would try without an end, and each call has to end
    try:
        # urllib3 logs the URL.
        return rule.increment(request.method, request.redacted_url, urllib3_response, error)  # type: ignore[arg-type]
    except (MaxRetryError, HTTPError):
        return None


def _response(response: Response) -> HTTPResponse:
    """Return the response in the form that the rule reads."""
    retry_after = response.headers.value(b"retry-after")
    fields = {} if retry_after is None else {"Retry-After": retry_after.decode("latin-1")}
    return HTTPResponse(status=response.status or 0, headers=fields, preload_content=False)


LONGEST_WAIT = 6 * 3600.0
"""Seconds that a Retry-After may ask for. urllib3 has the same since 2.6; its older versions have no limit."""


def _seconds_to_wait(response: Response, rule: Retry) -> float:
    if response.failure is None and rule.respect_retry_after_header:
        try:
            retry_after = float(rule.get_retry_after(_response(response)) or 0)
        except (HTTPError, ValueError, OverflowError):  # the server's Retry-After is not a time
            retry_after = 0.0
        if retry_after:
            return min(retry_after, LONGEST_WAIT)
    return float(rule.get_backoff_time())

"""Retries: what failed may be sent again, as often and as long as ``urllib3.util.Retry`` says.

Off unless the caller gives a rule. The rule says which methods and statuses (RFC 9110 section 9.2.2 has the methods
that may be repeated), how long to wait, and whether ``Retry-After`` counts (section 10.2.3). A request that never
reached a server may be sent again whatever its method.
"""

from __future__ import annotations

from typing import Optional

from urllib3 import HTTPResponse
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, ProtocolError
from urllib3.util import Retry

from ..errors import ErrorCode, QtNetworkError
from ..models.http_messages import Answer, Exchange
from . import Flow, Send, Wait, directly

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
_BROKE = frozenset(
    (
        QtNetworkError.RemoteHostClosedError,
        QtNetworkError.TimeoutError,
        QtNetworkError.ProxyConnectionClosedError,
        QtNetworkError.ProtocolFailure,
        QtNetworkError.UnknownNetworkError,
    )
)


def with_retries(exchange: Exchange, rule: Retry, send: Send = directly) -> Flow:
    """Send until the rule is content or exhausted; the last answer counts the attempts."""
    attempts = 0
    while True:
        answer = yield from send(exchange if attempts == 0 else exchange._replace(is_repeat=True))
        attempts += 1
        following = _next_rule(answer, rule) if exchange.can_be_sent_again else None
        if following is None:
            return answer if attempts == 1 else answer._replace(attempts=attempts)
        rule = following
        seconds = _seconds_to_wait(answer, rule)
        if seconds > 0:
            waited = yield Wait(exchange, seconds)
            if waited.failure is not None:
                return answer._replace(failure=waited.failure, attempts=attempts)


def _next_rule(answer: Answer, rule: Retry) -> Optional[Retry]:
    """What is left of the rule when this answer is tried again; None where it is the last."""
    exchange, failure = answer.exchange, answer.failure
    error: Optional[Exception] = None
    response: Optional[HTTPResponse] = None
    if failure is None:
        # Most answers are none of these: their fields need not be taken apart.
        status = answer.status or 0
        waits = status in rule.RETRY_AFTER_STATUS_CODES and answer.headers.value(b"retry-after") is not None
        if not rule.is_retry(exchange.method, status, waits):
            return None
        response = _response(answer)
    elif failure.ends_the_call or failure.code is ErrorCode.CanceledError:
        return None
    elif failure.error in _NEVER_SENT:
        error = ConnectTimeoutError()
    elif failure.error in _BROKE and answer.engine:  # else nothing was sent, for reasons that stay
        error = ProtocolError()
    else:
        return None
    try:
        # urllib3 logs the URL.
        return rule.increment(exchange.method, exchange.shown_url, response, error)  # type: ignore[arg-type]
    except (MaxRetryError, HTTPError):
        return None


def _response(answer: Answer) -> HTTPResponse:
    """What the rule looks at of an answer."""
    retry_after = answer.headers.value(b"retry-after")
    fields = {} if retry_after is None else {"Retry-After": retry_after.decode("latin-1")}
    return HTTPResponse(status=answer.status or 0, headers=fields, preload_content=False)


LONGEST_WAIT = 6 * 3600.0
"""Seconds that a Retry-After may ask for. urllib3 has the same since 2.6; its older versions have no limit."""


def _seconds_to_wait(answer: Answer, rule: Retry) -> float:
    if answer.failure is None and rule.respect_retry_after_header:
        try:
            asked = float(rule.get_retry_after(_response(answer)) or 0)
        except (HTTPError, ValueError, OverflowError):  # what the server wrote is no time
            asked = 0.0
        if asked:
            return min(asked, LONGEST_WAIT)
    return float(rule.get_backoff_time())

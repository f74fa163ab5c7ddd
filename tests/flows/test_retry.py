"""Retries decided without a network."""

from __future__ import annotations

from typing import Optional

import pytest
from urllib3.util import Retry

from blocking_request.flows import Wait
from blocking_request.flows.retry import with_retries
from blocking_request.models.error_texts import canceled, deadline_passed, idle_timeout
from blocking_request.models.failure import Failure, QtNetworkError, network_failure
from blocking_request.models.http_messages import Request, Response

from ..support.flow_driver import drive, response

URL = "http://host/"
OK = response(200)
RULE = Retry(3, status_forcelist=[503], backoff_factor=1)


def failed(error: QtNetworkError, engine: str = "qt") -> Response:
    return Response(Request("GET", URL), failure=network_failure(error, "failed"), engine=engine)


def ended(failure: Failure) -> Response:
    return Response(Request("GET", URL), failure=failure, engine="qt")


def run(*responses: Response, rule: Retry = RULE, method: str = "GET") -> tuple[int, list[float], Response]:
    sent, waits, last = drive(with_retries(Request(method, URL), rule), *responses)
    return len(sent), waits, last


def test_success_is_not_retried() -> None:
    sent, waits, last = run(OK)
    assert (sent, waits, last.attempts) == (1, [], 1)


def test_status_forcelist() -> None:
    sent, _, last = run(response(503), response(503), OK)
    assert (sent, last.status, last.attempts) == (3, 200, 3)
    sent, _, last = run(response(500))
    assert (sent, last.status) == (1, 500)


def test_last_response_is_returned_if_retries_are_exhausted() -> None:
    sent, _, last = run(response(503), response(503), response(503), response(503))
    assert (sent, last.status, last.failure, last.attempts) == (4, 503, None, 4)


def test_backoff_time_of_urllib3() -> None:
    _, waits, _ = run(response(503), response(503), response(503), OK)
    rule, expected = RULE, []
    for _ in range(3):
        rule = rule.increment("GET", URL, error=None)
        expected.append(rule.get_backoff_time())
    assert waits == [seconds for seconds in expected if seconds]


@pytest.mark.parametrize(
    ("value", "waits"), [("7", [7.0]), ("0", []), ("Thu, 01 Jan 1970 00:00:00 GMT", []), ("soon", [])]
)
def test_rfc9110_10_2_3_retry_after(value: str, waits: list[float]) -> None:
    sent, waited, _ = run(response(503, ("Retry-After", value)), OK)
    assert (sent, waited) == (2, waits)


def test_ignored_retry_after() -> None:
    rule = Retry(1, status_forcelist=[503], respect_retry_after_header=False)
    assert run(response(503, ("Retry-After", "7")), OK, rule=rule)[1] == []


@pytest.mark.parametrize(
    ("error", "method", "sent"),
    [
        (QtNetworkError.ConnectionRefusedError, "GET", 2),
        (QtNetworkError.ConnectionRefusedError, "POST", 2),
        (QtNetworkError.HostNotFoundError, "POST", 2),
        (QtNetworkError.ProxyConnectionRefusedError, "POST", 2),
        (QtNetworkError.RemoteHostClosedError, "GET", 2),
        (QtNetworkError.RemoteHostClosedError, "DELETE", 2),
        (QtNetworkError.RemoteHostClosedError, "POST", 1),
        (QtNetworkError.RemoteHostClosedError, "PATCH", 1),
        (QtNetworkError.ProtocolFailure, "GET", 2),
        (QtNetworkError.ProtocolFailure, "POST", 1),
        (QtNetworkError.SslHandshakeFailedError, "GET", 1),
        (QtNetworkError.InsecureRedirectError, "GET", 1),
        (QtNetworkError.UnknownContentError, "GET", 1),
    ],
)
def test_rfc9110_9_2_2_idempotent_methods_are_retried(error: QtNetworkError, method: str, sent: int) -> None:
    responses = [failed(error), OK][:sent]
    assert run(*responses, method=method)[0] == sent


def test_idle_timeout_is_retried() -> None:
    assert run(ended(idle_timeout(100)), OK)[0] == 2
    assert run(ended(idle_timeout(100)), method="POST")[0] == 1


@pytest.mark.parametrize("failure", [canceled(), deadline_passed(100)])
def test_cancel_and_deadline_are_not_retried(failure: Failure) -> None:
    assert run(ended(failure))[0] == 1


def test_failure_without_an_engine_is_not_retried() -> None:
    assert run(failed(QtNetworkError.UnknownNetworkError, engine=""))[0] == 1


@pytest.mark.parametrize("rule", [Retry(0), Retry(False), Retry(connect=0, read=0, total=5)])
def test_rule_without_retries(rule: Retry) -> None:
    assert run(failed(QtNetworkError.ConnectionRefusedError), rule=rule)[0] == 1


def test_cancel_during_the_wait() -> None:
    flow = with_retries(Request("GET", URL), RULE)
    request = next(flow)
    assert isinstance(request, Request)
    step = flow.send(response(503, ("Retry-After", "100"))._replace(request=request))
    assert step == Wait(request, 100.0)
    last: Optional[Response] = None
    try:
        flow.send(Response(request, failure=canceled()))
    except StopIteration as stop:
        last = stop.value
    assert last is not None and last.failure == canceled() and (last.status, last.attempts) == (503, 1)


def test_rule_without_a_limit_retries_only_what_it_counts() -> None:
    """urllib3 would send without an end."""
    rule = Retry(total=None, status=2, status_forcelist=[503])
    assert run(response(503), response(503), OK, rule=rule)[0] == 3
    assert run(ended(idle_timeout(10)), rule=rule)[0] == 1
    assert run(failed(QtNetworkError.ConnectionRefusedError), rule=rule)[0] == 1
    rule = Retry(total=None, read=1, connect=1, status_forcelist=[503])
    assert run(response(503), rule=rule)[0] == 1
    assert run(ended(idle_timeout(10)), OK, rule=rule)[0] == 2
    assert run(failed(QtNetworkError.ConnectionRefusedError), OK, rule=rule)[0] == 2

"""The handler of certificate errors, without a network."""

from __future__ import annotations

from functools import partial
from typing import Optional

import pytest

from blocking_request.flows.certificate_errors import CertificatePrompt, SslErrorHandler, ask_about_certificates
from blocking_request.flows.redirects import RedirectRules, follow_redirects
from blocking_request.models.certificate import Certificate
from blocking_request.models.error_texts import canceled, certificate_refused
from blocking_request.models.headers import Fields
from blocking_request.models.http_messages import Request, Response
from blocking_request.models.tls import TlsError, TlsErrorKind, TlsSession, TlsSettings, known_session

URL = "https://host/"
ONE, OTHER = Certificate(b"one"), Certificate(b"other")
EXPIRED = TlsError(TlsErrorKind.CertificateExpired, ONE)
MISMATCH = TlsError(TlsErrorKind.HostNameMismatch, ONE)


def refused_response(request: Request, *errors: TlsError) -> Response:
    session = known_session(TlsSession("", "", (ONE,), errors))
    return Response(request, failure=certificate_refused(errors), tls=session)


def drive(
    handler: SslErrorHandler, *responses: Response, first: Optional[Request] = None
) -> tuple[list[Request], Response]:
    """Return the sent requests and the last response."""
    send = partial(ask_about_certificates, prompt=CertificatePrompt(handler))
    flow = follow_redirects(first or Request("GET", URL), RedirectRules(), send)
    sent = [next(flow)]
    for response in responses:
        try:
            sent.append(flow.send(response._replace(request=sent[-1])))  # type: ignore[arg-type]
        except StopIteration as stop:
            return sent, stop.value  # type: ignore[return-value]
    raise AssertionError("the flow goes on")


def test_handler_is_not_called_without_certificate_errors() -> None:
    request = Request("GET", URL)
    for response in (Response(request, 200), Response(request, failure=canceled()), Response(request, 500)):
        sent, last = drive(lambda errors, chain: pytest.fail("asked"), response)
        assert len(sent) == 1 and last.status == response.status


def test_accepted_errors_are_ignored_in_the_second_attempt() -> None:
    asked: list[tuple[list[TlsError], list[Certificate]]] = []

    def handler(errors: list[TlsError], chain: list[Certificate]) -> list[TlsError]:
        asked.append((errors, chain))
        return errors

    first = Request("POST", URL, body=b"x", tls=TlsSettings(minimumVersion="1.3"))
    sent, last = drive(handler, refused_response(first, EXPIRED, MISMATCH), Response(first, 200), first=first)
    assert last.status == 200
    assert asked == [([EXPIRED, MISMATCH], [ONE])]
    assert sent[1] == first._replace(tls=TlsSettings(minimumVersion="1.3", ignoredErrors=(EXPIRED, MISMATCH)))


@pytest.mark.parametrize("accepted", [None, [], [EXPIRED], [TlsError(TlsErrorKind.HostNameMismatch, OTHER), EXPIRED]])
def test_accepting_only_some_errors_is_a_refusal(accepted: Optional[list[TlsError]]) -> None:
    first = Request("GET", URL)
    sent, last = drive(lambda errors, chain: accepted, refused_response(first, EXPIRED, MISMATCH))
    assert len(sent) == 1 and last.failure is not None


def test_ignored_errors_that_come_back_end_the_flow() -> None:
    first = Request("GET", URL)
    sent, last = drive(lambda errors, chain: errors, refused_response(first, EXPIRED), refused_response(first, EXPIRED))
    assert len(sent) == 2 and last.failure is not None


def test_new_errors_in_the_second_attempt_are_asked_about() -> None:
    first = Request("GET", URL)
    sent, last = drive(
        lambda errors, chain: errors,
        refused_response(first, EXPIRED),
        refused_response(first, EXPIRED, MISMATCH),
        Response(first, 200),
    )
    assert len(sent) == 3 and last.status == 200
    assert sent[2].tls == TlsSettings(ignoredErrors=(EXPIRED, MISMATCH))


def test_redirect_after_accepted_errors() -> None:
    first = Request("GET", URL)
    moved = Response(first, 302, headers=Fields(lambda: ((b"Location", b"/there"),)))
    sent, last = drive(lambda errors, chain: errors, refused_response(first, EXPIRED), moved, Response(first, 200))
    assert [request.url for request in sent] == [URL, URL, "https://host/there"]
    assert len(last.history) == 1


def test_client_certificate_is_not_sent_to_another_origin() -> None:
    first = Request("GET", URL, tls=TlsSettings(verify=False, clientCertificate=b"pem", keyPassword="secret"))
    moved = Response(first, 302, headers=Fields(lambda: ((b"Location", b"https://other/"),)))
    sent, _ = drive(lambda errors, chain: errors, moved, Response(first, 200), first=first)
    assert sent[1].tls == TlsSettings(verify=False)

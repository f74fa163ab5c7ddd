"""Asks the application whether to accept the errors of a server's certificate.

After a refused handshake no byte of the request was sent, so a request with any method may be sent again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Callable, Optional

from ..models.certificate import Certificate
from ..models.failure import QtNetworkError
from ..models.http_messages import Request, Response
from ..models.tls import TlsError, TlsSession, TlsSettings, ignores_errors, with_ignored_errors
from . import Flow, Send, send_directly

SslErrorHandler = Callable[[list[TlsError], list[Certificate]], Optional[Iterable[TlsError]]]
"""Takes the errors and the server's certificates, its own first; returns the errors that are accepted."""


ResponsePrompt = Callable[[Response], Iterable[TlsError]]
"""Takes the failed response; returns the errors that are accepted."""

ROUNDS = 3
"""How often the handler is called for one request: a server may show another certificate each time."""


@dataclass
class CertificatePrompt:
    """The handler of one call, and the errors that it has accepted so far: that holds until the call ends."""

    handler: Optional[SslErrorHandler]
    prompt: Optional[ResponsePrompt] = None
    """It is called before the handler, which is called if it accepts no error."""
    accepted: list[TlsError] = field(default_factory=list)


def ask_about_certificates(request: Request, prompt: CertificatePrompt, send: Send = send_directly) -> Flow:
    """Send; if that fails only for its certificates, call the handler, and send again if it accepts all errors."""
    if prompt.accepted:
        request = request._replace(tls=with_ignored_errors(request.tls or TlsSettings(), prompt.accepted))
    for _ in range(ROUNDS):
        response = yield from send(request)
        settings = request.tls or TlsSettings()
        session = _refused(response)
        if session is None or ignores_errors(settings, session.errors):
            return response
        accepted = [] if prompt.prompt is None else list(prompt.prompt(response))
        if not accepted and prompt.handler is not None:
            accepted = _accepted(prompt.handler, session)
        accepting = with_ignored_errors(settings, accepted)
        if not ignores_errors(accepting, session.errors):
            return response
        prompt.accepted.extend(accepted)
        request = request._replace(tls=accepting)
    return (yield from send(request))


def _refused(response: Response) -> Optional[TlsSession]:
    """Return the session of a server whose certificates were refused, or None."""
    failure = response.failure
    if failure is None or failure.error is not QtNetworkError.SslHandshakeFailedError or response.tls is None:
        return None
    return response.tls.session if response.tls.session.errors else None


def _accepted(handler: SslErrorHandler, session: TlsSession) -> list[TlsError]:
    """Call the handler and return the errors it accepts. Raises TypeError if it returns something else."""
    accepted = handler(list(session.errors), list(session.certificates))
    if accepted is None:
        return []
    if isinstance(accepted, (bool, str)) or not isinstance(accepted, Iterable):
        raise TypeError(f"an SSL error handler returns the errors it accepts or None, not {accepted!r}")
    return list(accepted)

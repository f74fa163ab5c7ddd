"""What is wrong with a server's certificate is the user's to accept or not.

A handshake that was refused has sent nothing of the request, so whatever it was it may be sent again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional

from ..certificate import Certificate
from ..errors import QtNetworkError
from ..exchange import Answer
from ..tls import TlsError, TlsSession, TlsSettings
from . import Flow

Ask = Callable[[list[TlsError], list[Certificate]], Optional[Iterable[TlsError]]]
"""Given what is wrong and the server's certificates, its own first: the errors that are accepted."""


ROUNDS = 3
"""How often it is asked about one exchange: a server may show another certificate each time."""


def ask_about_certificates(flow: Flow, ask: Ask) -> Flow:
    """Drive ``flow``; where an exchange failed for its certificates only, ask, and send it again if all is accepted."""
    exchange = next(flow)
    asked = 0
    while True:
        answer = yield exchange
        settings = exchange.tls or TlsSettings()
        session = _refused(answer)
        if session is not None and asked < ROUNDS and not settings.ignores(session.errors):
            asked += 1
            accepting = settings.accepting(_accepted(ask, session))
            if accepting.ignores(session.errors):
                exchange = exchange._replace(tls=accepting)
                continue
        try:
            exchange = flow.send(answer)
            asked = 0
        except StopIteration as stop:
            last: Answer = stop.value
            return last


def _refused(answer: Answer) -> Optional[TlsSession]:
    """What the server showed, where it was refused for that."""
    failure = answer.failure
    if failure is None or failure.error is not QtNetworkError.SslHandshakeFailedError or answer.tls is None:
        return None
    return answer.tls.session if answer.tls.session.errors else None


def _accepted(ask: Ask, session: TlsSession) -> list[TlsError]:
    """Raises TypeError where the answer is none."""
    accepted = ask(list(session.errors), list(session.certificates))
    if accepted is None:
        return []
    if isinstance(accepted, (bool, str)) or not isinstance(accepted, Iterable):
        raise TypeError(f"an SSL error handler returns the errors it accepts or None, not {accepted!r}")
    return list(accepted)

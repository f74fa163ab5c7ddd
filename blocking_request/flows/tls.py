"""What is wrong with a server's certificate is the user's to accept or not.

A handshake that was refused has sent nothing of the request, so whatever it was it may be sent again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional

from ..certificate import Certificate
from ..exchange import Answer
from ..tls import TlsError, TlsSettings
from . import Flow

Ask = Callable[[list[TlsError], list[Certificate]], Optional[Iterable[TlsError]]]
"""Given what is wrong and the server's certificates, its own first: the errors that are accepted."""


def ask_about_certificates(flow: Flow, ask: Ask) -> Flow:
    """Drive ``flow``; where an exchange failed for its certificates only, ask, and send it again if all is accepted."""
    exchange = next(flow)
    while True:
        answer = yield exchange
        session = None if answer.failure is None or answer.tls is None else answer.tls.session
        if session is not None and session.errors:
            settings = exchange.tls or TlsSettings()
            accepted = [*(ask(list(session.errors), list(session.certificates)) or ()), *settings.ignoredErrors]
            if set(session.errors) <= set(accepted) and not set(session.errors) <= set(settings.ignoredErrors):
                exchange = exchange._replace(tls=settings.accepting(accepted))
                continue
        try:
            exchange = flow.send(answer)
        except StopIteration as stop:
            last: Answer = stop.value
            return last

"""NTLM and Negotiate by Qt's own implementation, in a bounded number of rounds.

Qt (5.15, 6.11) answers a server that says ``401 NTLM`` again and again for ever, 7 000 times a second, and asks for the
password once. On Qt 6 it tells of each request it sends. On Qt 5 it rewinds the body for each, so every request has one
there, if only an empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request
from ...qt.binding import QtNetwork

if TYPE_CHECKING:
    from .worker import QtTransfer

ROUNDS = 5
"""How often a request may be sent: without anything, with the first message, with the proof, and again with another
password (which nobody has)."""

REWINDS = 8
"""Qt 5 rewinds twice for each. A request with a body is not rewound there at all: Qt does so when the server has taken
it and has closed without a response, too, and it must not have it again."""


def answer_login(transfer: QtTransfer, authenticator: QtNetwork.QAuthenticator) -> None:
    """Give the password, the first time it is asked for; a second time means that it is wrong.

    Qt asks for every scheme. NTLM and Negotiate have no realm. A scheme with a realm may send the password in clear.
    """
    credentials = transfer.request.connection_credentials
    if credentials is None or transfer.ntlm_answers or authenticator.realm():
        return
    transfer.ntlm_answers += 1
    authenticator.setUser(credentials.user)
    authenticator.setPassword(credentials.password)


def endless_login(request: Request) -> Failure:
    text = f"The server asked for a login again and again: given up after {ROUNDS} rounds"
    return network_failure(QtNetworkError.AuthenticationRequiredError, text)

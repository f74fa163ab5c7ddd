"""NTLM and Negotiate by Qt's own implementation, in a bounded number of rounds.

If a server always says ``401 NTLM``, Qt (5.15, 6.11) answers for ever, 7 000 times a second, and asks for the password
once. Qt 6 reports each request that it sends, so the rounds can be counted. Qt 5 rewinds the body for each, so every
request has a body there, if need be an empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request
from ...qt.binding import QtNetwork

if TYPE_CHECKING:
    from .worker import QtTransfer

ROUNDS = 5
"""How often a request may be sent: without credentials, with the first message, with the proof, and twice more for a
second attempt."""

REWINDS = 8
"""Qt 5 rewinds twice in each round. A request with a body of its own is never rewound there: Qt also rewinds if the
server has taken the body and has closed the connection without a response, and must not send it again then."""


def answer_login(transfer: QtTransfer, authenticator: QtNetwork.QAuthenticator) -> None:
    """Give the password when Qt asks for the first time. A second time means that the password is wrong.

    Qt asks for every scheme. NTLM and Negotiate have no realm. A scheme with a realm gets no password, because it could
    send the password in clear.
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

"""Why a transfer ends without a response, and the words that Qt has for it."""

from __future__ import annotations

from typing import Optional

from ...models.failure import Failure
from ...models.tls import TlsSession


class TransferFailed(Exception):
    """A transfer cannot go on; ``failure`` says why. ``session``: what the server showed, if TLS is the reason."""

    def __init__(self, failure: Failure, session: Optional[TlsSession] = None) -> None:
        super().__init__(failure.text)
        self.failure = failure
        self.session = session


class ConnectionLost(Exception):
    """The peer has closed or reset the connection."""

"""The QAuthenticator that a slot gets, which asks for user and password."""

from __future__ import annotations

from typing import Optional

from .binding import QtNetwork


class _Authenticator(QtNetwork.QAuthenticator):
    def realm(self) -> str:
        """Return the realm. Only Qt itself can set that of a QAuthenticator."""
        return str(self.option("realm"))


def new_authenticator(realm: str) -> QtNetwork.QAuthenticator:
    """Return a QAuthenticator that a slot may fill in."""
    authenticator = _Authenticator()
    authenticator.setOption("realm", realm)
    return authenticator


def credentials_of(authenticator: QtNetwork.QAuthenticator) -> Optional[tuple[str, str]]:
    """Return the user and the password that were filled in, or None."""
    credentials = authenticator.user(), authenticator.password()
    return credentials if any(credentials) else None

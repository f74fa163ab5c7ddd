"""Gives a pre-shared key to Qt, and finds out whether a server wants one. The worker's thread calls everything here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ...models.pre_shared_key import NOT_GIVEN, wanted_hint
from ...qt.binding import QtNetwork

if TYPE_CHECKING:
    from .worker import QtTransfer

TLS_1_3_ADVICE = "Qt has no pre-shared keys with TLS 1.3: use Python 3.13 or newer, and setEngine('python')"

_NO_CERTIFICATE = QtNetwork.QSslError.SslError.NoPeerCertificate


def give_key(transfer: QtTransfer, authenticator: QtNetwork.QSslPreSharedKeyAuthenticator) -> None:
    """Give the key of the request, or keep the hint of the server. Without a key, Qt ends the handshake."""
    hint = authenticator.identityHint().data().decode("utf-8", "surrogateescape")
    key = transfer.request.pre_shared_key
    transfer.key_was_given = key is not None and key.fits(hint)
    if key is not None and transfer.key_was_given:
        authenticator.setIdentity(key.identity)  # type: ignore[arg-type]
        authenticator.setPreSharedKey(key.key)  # type: ignore[arg-type]
    else:
        transfer.key_hint = hint


def is_proved_by_key(
    transfer: QtTransfer, configuration: QtNetwork.QSslConfiguration, errors: list[QtNetwork.QSslError]
) -> bool:
    """Return whether the only error is that the server has no certificate, and the server has proved that it knows the
    key. The handshake is complete when Qt reports this error.
    """
    is_by_key = transfer.key_was_given and "PSK" in configuration.sessionCipher().name()
    return bool(is_by_key and errors and all(error.error() == _NO_CERTIFICATE for error in errors))


def hint_after_failure(transfer: QtTransfer, reason: str) -> Optional[str]:
    """Return the hint with which to ask for a key after a failed handshake; None if no key would help.

    ``reason``: OpenSSL's words; '' if Qt does not tell.
    """
    if transfer.tls_errors:
        return None
    not_given = transfer.key_was_given is False and not reason
    return wanted_hint(transfer.request.pre_shared_key, NOT_GIVEN if not_given else reason, transfer.key_hint)

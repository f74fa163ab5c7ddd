"""Offers a pre-shared key in the handshakes of Python's ``ssl``, which can do it since Python 3.13."""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Optional

from ..._first_use import first_use
from ...models import pre_shared_key as keys
from ...models.pre_shared_key import PreSharedKey

if TYPE_CHECKING:
    import ssl

KEY_ADVICE = "use Python 3.13 or newer, or setEngine('qt') with a Qt that has TLS"

_CIPHERS = ("kECDHEPSK", "kDHEPSK", "kRSAPSK", "kPSK", "!eNULL", "!SHA1", "!AESCCM", "!CAMELLIA", "!ARIA")
"""The ciphers with pre-shared keys, without those that Python leaves out of the others."""


@cache
def supports_pre_shared_keys() -> bool:
    """Return whether this Python can use pre-shared keys."""
    if sys.version_info < (3, 13):
        return False
    with first_use:
        import ssl
    return bool(getattr(ssl, "HAS_PSK", False))


def key_unusable_reason(key: PreSharedKey) -> Optional[str]:
    """Return why this Python cannot use a key, or None."""
    if not supports_pre_shared_keys():
        return f"this Python has no pre-shared keys: {KEY_ADVICE}"
    try:
        key.identity.decode()
    except UnicodeDecodeError:
        return "Python can use an identity of a pre-shared key only if it is UTF-8: use setEngine('qt')"
    return None


class KeyOffer:
    """Offers one key in handshakes. Any thread may use it."""

    def __init__(self, key: PreSharedKey) -> None:
        self.key = key
        self._handshake = threading.local()
        """The hint of this thread's handshake. Without a key, OpenSSL asks and fails within one call of
        ``do_handshake``, so no other handshake of the thread comes between.
        """

    def add_to(self, context: ssl.SSLContext) -> None:
        """Have a context offer the key, beside its other ciphers."""
        others = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
        context.set_ciphers(":".join((*others, *_CIPHERS)))
        set_callback: Any = context.set_psk_client_callback  # type: ignore[attr-defined,unused-ignore]
        set_callback(self._answer)

    def _answer(self, hint: Optional[str]) -> tuple[Optional[str], bytes]:
        """Return identity and key. OpenSSL calls this within a handshake.

        With TLS 1.3 it always calls, before the server has sent anything, so there is no hint.
        """
        self._handshake.hint = hint = hint or ""
        key = self.key
        return (key.identity.decode(), key.key) if key.fits(hint) else (None, b"")

    def wanted_hint(self, error: ssl.SSLError) -> Optional[str]:
        """Return the hint with which to ask for a key, after a handshake of this thread; None if none would help."""
        hint: Optional[str] = self._handshake.__dict__.pop("hint", None)
        return keys.wanted_hint(self.key, error.reason or str(error), hint)

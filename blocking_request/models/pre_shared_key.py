"""Pre-shared keys of TLS (RFC 4279, RFC 8446 section 2.2): the value, and which failures a key may cure."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Union

MAXIMUM_IDENTITY_BYTES = 255
MAXIMUM_KEY_BYTES = 512
"""The limits of OpenSSL 3, which ``QSslPreSharedKeyAuthenticator`` reports, too."""

Identity = Union[str, bytes]

PreSharedKeyHandler = Callable[[str, str, int], Optional[tuple[Identity, bytes]]]
"""A function that gets the hint of the server, the host (with its port, unless it is the default) and the number of the
attempt, beginning with 1. It returns the identity and the key, or None to give up."""


class PreSharedKey(NamedTuple):
    """The key for one server. Requests with equal keys may share connections."""

    hint: str = ""
    """The hint of the server that the handler was asked with."""
    identity: bytes = b""
    key: bytes = b""
    """Empty if no key is known yet. The engine then finds out whether the server wants one."""

    def __repr__(self) -> str:
        return "<PreSharedKey>"

    @property
    def is_known(self) -> bool:
        return bool(self.key)

    def fits(self, hint: str) -> bool:
        """Return whether the key may be given to a server with this hint; '' if it has sent none."""
        return self.is_known and hint in ("", self.hint)


UNKNOWN_KEY = PreSharedKey()
"""The handler was not asked yet."""


def checked_key(value: Any, hint: str) -> Optional[PreSharedKey]:
    """Return the key that a handler means. Raises TypeError, ValueError; the messages do not show the key."""
    if value is None:
        return None
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError(f"a pre-shared key handler returns (identity, key) or None, not {type(value).__name__}")
    identity, key = value
    if not isinstance(identity, (str, bytes, bytearray)):
        raise TypeError(f"the identity of a pre-shared key must be a str or bytes, not {type(identity).__name__}")
    if not isinstance(key, (bytes, bytearray)):
        hint_for_hex = ": use bytes.fromhex() for hexadecimal digits" if isinstance(key, str) else ""
        raise TypeError(f"a pre-shared key must be bytes, not {type(key).__name__}{hint_for_hex}")
    identity = identity.encode() if isinstance(identity, str) else bytes(identity)
    if len(identity) > MAXIMUM_IDENTITY_BYTES or b"\0" in identity:
        raise ValueError(
            f"the identity of a pre-shared key must have at most {MAXIMUM_IDENTITY_BYTES} bytes, and no zero byte"
        )
    if not 0 < len(key) <= MAXIMUM_KEY_BYTES:
        raise ValueError(f"a pre-shared key must have 1 to {MAXIMUM_KEY_BYTES} bytes, not {len(key)}")
    return PreSharedKey(hint, identity, bytes(key))


NOT_GIVEN = "psk identity not found"
"""OpenSSL's words: the server wants a key, and got none."""

_MAY_WANT_A_KEY = ("alert handshake failure", "missing extension", "insufficient security", "unknown psk identity")
"""The alerts of servers without a certificate, to a client that has offered no key or an unknown identity."""

_REFUSE_THE_KEY = (*_MAY_WANT_A_KEY, "alert bad record mac", "alert decrypt error", "alert illegal parameter")
"""Servers notice a wrong key by a message that they cannot decrypt, or by the binder of TLS 1.3."""


def refuses_key(reason: str) -> bool:
    """Return whether a handshake with a key has failed because of the key. ``reason``: OpenSSL's words."""
    return any(words in _plain(reason) for words in _REFUSE_THE_KEY)


def may_want_key(reason: str) -> bool:
    """Return whether a handshake without a key may have failed because of that. ``reason``: OpenSSL's words."""
    return any(words in _plain(reason) for words in _MAY_WANT_A_KEY)


def wanted_hint(key: Optional[PreSharedKey], reason: str, hint: Optional[str]) -> Optional[str]:
    """Return the hint with which to ask for another key after a failed handshake; None if a key would not help.

    ``key``: the key of the request, None if its manager has no handler; ``reason``: OpenSSL's words; ``hint``: the hint
    of a server that has got no key.
    """
    if key is None:
        return None
    if NOT_GIVEN in _plain(reason):
        return hint or ""
    helps = refuses_key(reason) if key.is_known else may_want_key(reason)
    return key.hint if helps else None


def _plain(reason: str) -> str:
    return reason.lower().replace("_", " ")

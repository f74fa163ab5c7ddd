"""Answers a Digest challenge (RFC 7616).

The digest of requests is not used: it leaves ``;`` out of the ``uri``, does not escape quotes, and fails for a realm
outside ASCII. All values are bytes, so the server's values go back unchanged.
"""

from __future__ import annotations

from typing import Optional
from urllib.parse import urlsplit

from ..._first_use import first_use
from ...models.auth import AuthConfig
from .challenges import Challenge

_ALGORITHMS = {"MD5": "md5", "SHA": "sha1", "SHA-256": "sha256", "SHA-512": "sha512", "SHA-512-256": "sha512_256"}
_STRENGTHS = tuple(_ALGORITHMS)
_SESSION = "-SESS"


def strength(challenge: Challenge) -> int:
    """Return the rank of a challenge's algorithm; 0 if it is not a digest, or not supported here."""
    parameters = challenge.parameters
    if challenge.scheme != "digest" or "nonce" not in parameters:
        return 0
    if "qop" in parameters and "auth" not in _tokens(parameters["qop"]):
        return 0
    name = _algorithm(challenge).replace(_SESSION, "")
    with first_use:
        import hashlib
    if name not in _ALGORITHMS or _ALGORITHMS[name] not in hashlib.algorithms_available:
        return 0
    return 1 + _STRENGTHS.index(name)


def answer_to(challenge: Challenge, config: AuthConfig, method: str, url: str) -> bytes:
    """The value of ``Authorization`` (section 3.4) for a challenge that has a strength."""
    with first_use:
        import hashlib
        import secrets
    parameters = {name: value.encode("latin-1") for name, value in challenge.parameters.items()}
    algorithm = _algorithm(challenge)
    hash_name = _ALGORITHMS[algorithm.replace(_SESSION, "")]

    def digest(*parts: bytes) -> bytes:
        return hashlib.new(hash_name, b":".join(parts)).hexdigest().encode()

    user, realm, nonce = config.user.encode(), parameters.get("realm", b""), parameters["nonce"]
    uri, count, client_nonce = _target(url), b"00000001", secrets.token_hex(16).encode()
    secret = digest(user, realm, config.secret.encode())
    if algorithm.endswith(_SESSION):
        secret = digest(secret, nonce, client_nonce)
    what = digest(method.encode(), uri)
    fields = [(b"username", user), (b"realm", realm), (b"nonce", nonce), (b"uri", uri)]
    quality = (count, client_nonce, b"auth") if "qop" in parameters else ()
    fields.append((b"response", digest(secret, nonce, *quality, what)))
    if "opaque" in parameters:
        fields.append((b"opaque", parameters["opaque"]))
    text = b", ".join(b'%s="%s"' % (name, _escaped(value)) for name, value in fields)
    if "algorithm" in parameters:
        text += b", algorithm=" + parameters["algorithm"]
    if "qop" in parameters:
        text += b', qop=auth, nc=%s, cnonce="%s"' % (count, client_nonce)
    return b"Digest " + text


def _algorithm(challenge: Challenge) -> str:
    return challenge.parameters.get("algorithm", "MD5").upper()


def _tokens(text: str) -> list[str]:
    return [token.strip().lower() for token in text.split(",")]


def _escaped(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _target(url: str) -> bytes:
    """The request target (RFC 9112 section 3.2.1)."""
    parts = urlsplit(url)
    return ((parts.path or "/") + (f"?{parts.query}" if parts.query else "")).encode("ascii")


def strongest(challenges: list[Challenge]) -> Optional[Challenge]:
    """Section 3.7: of several digests the strongest."""
    return max((each for each in challenges if strength(each)), key=strength, default=None)

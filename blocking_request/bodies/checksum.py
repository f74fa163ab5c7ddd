"""Compares the bytes of a download with a checksum."""

from __future__ import annotations

import hashlib
from typing import Optional

from ..engines.events import Chunk
from ..models.failure import Failure, QtNetworkError, network_failure


class Checksum:
    """An expected checksum, ``algorithm:hexadecimal``, and the digest of the bytes that have come."""

    def __init__(self, text: str) -> None:
        """Raises TypeError, ValueError if ``checksum`` is not of this form."""
        if not isinstance(text, str):
            raise TypeError(f"a checksum is a str, not {type(text).__name__}")
        name, colon, digest = text.strip().lower().partition(":")
        if not colon or name not in hashlib.algorithms_guaranteed or name.startswith("shake"):
            raise ValueError(f"a checksum is written 'sha256:...', with an algorithm of hashlib's, not {text!r}")
        self._name = name
        self._expected = digest.strip()
        self.begin()
        if len(self._expected) != 2 * self._digest.digest_size or not set(self._expected) <= set("0123456789abcdef"):
            raise ValueError(f"a {name} checksum has {2 * self._digest.digest_size} hexadecimal digits")

    def begin(self) -> None:
        self._digest = hashlib.new(self._name)

    def add(self, piece: Chunk) -> None:
        self._digest.update(piece)

    def failure(self) -> Optional[Failure]:
        """Return a failure if the checksum differs from the expected one; else None."""
        actual = self._digest.hexdigest()
        if actual == self._expected:
            return None
        text = f"Data corrupted: the {self._name} checksum is {actual}, and should be {self._expected}"
        return network_failure(QtNetworkError.ProtocolFailure, text)

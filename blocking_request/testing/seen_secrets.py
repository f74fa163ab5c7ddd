"""SeenSecrets: the secrets of all requests of a recording, which later exchanges may repeat."""

from __future__ import annotations

import threading
from typing import Optional

from ..models.exchange_redaction import SHORTEST_SECRET, secret_values
from ..models.headers import Pairs
from ..models.known_secrets import SEARCHED_BYTES, Secrets
from ..models.redaction import HIDDEN

_FEW = 100
"""So many values are looked for one by one. For more, each place of a text is looked up: that takes as long for any
number of values."""


class SeenSecrets(Secrets):
    """The time that a text takes does not grow with the number of requests. Any thread may use it."""

    __slots__ = ("_by_start", "_guard", "_values")

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._values: list[bytes] = []
        """The longest ones first, as long as there are few."""
        self._by_start: dict[bytes, tuple[bytes, ...]] = {}
        """The values by their first bytes, the longest ones first."""

    def see(self, url: str, fields: Pairs, body: Optional[bytes], redacted_names: tuple[str, ...]) -> None:
        """Add the secrets of a request."""
        found = secret_values(url, fields, body and body[:SEARCHED_BYTES], redacted_names)
        with self._guard:
            for value in found:
                start = value[:SHORTEST_SECRET]
                known = self._by_start.get(start, ())
                if value not in known:
                    self._by_start[start] = tuple(sorted((*known, value), key=len, reverse=True))
                    self._values.append(value)
                    if len(self._values) <= _FEW:
                        self._values = sorted(self._values, key=lambda each: (-len(each), each))

    def values(self) -> list[bytes]:
        return self._values

    def with_fields(self, fields: Pairs) -> Secrets:
        return _WithFields(self, fields)

    def hide(self, data: bytes) -> bytes:
        return self._hide_many(data) if len(self._values) > _FEW else super().hide(data)

    def _hide_many(self, data: bytes) -> bytes:
        """Hide the secrets of a text. It may be in UTF-16 or UTF-32: then each character is hidden."""
        if b"\0" in data:
            data = self._hide_wide_ones(data)
        by_start = self._by_start
        parts: list[bytes] = []
        kept = 0
        for place in range(len(data) - SHORTEST_SECRET + 1):
            start = data[place : place + SHORTEST_SECRET]
            if start in by_start and place >= kept:
                value = next((each for each in by_start[start] if data.startswith(each, place)), None)
                if value is not None:
                    parts += (data[kept:place], HIDDEN.encode())
                    kept = place + len(value)
        return b"".join((*parts, data[kept:])) if parts else data

    def _hide_wide_ones(self, data: bytes) -> bytes:
        by_start = self._by_start
        hidden = bytearray(data)
        for width in (2, 4):
            gap = bytes(width - 1)
            for place in range(len(data) - width * (SHORTEST_SECRET - 1)):
                start = data[place : place + width * SHORTEST_SECRET : width]
                if start in by_start and data.startswith(gap, place + 1):
                    for value in by_start[start]:
                        end = place + width * len(value)
                        if data[place:end:width] == value:
                            hidden[place:end:width] = b"*" * len(value)
                            break
        return bytes(hidden)


class _WithFields(Secrets):
    """The secrets of a recording, and those of the header fields of one response."""

    __slots__ = ("_own", "_seen")

    def __init__(self, seen: SeenSecrets, fields: Pairs) -> None:
        super().__init__()
        self._seen = seen
        self._own = Secrets()
        self._own.add(fields=fields)

    def values(self) -> list[bytes]:
        return self._own.values() or self._seen.values()

    def hide(self, data: bytes) -> bytes:
        return self._seen.hide(self._own.hide(data))

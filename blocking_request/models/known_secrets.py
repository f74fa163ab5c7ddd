"""Secrets: the secrets that parts of a call are known to have. Servers repeat them in other parts, which have no names.

Theory of operation: adding a part costs nothing but a reference. The values are found when a text is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Union

from .._first_use import first_use
from .headers import Fields, Pairs
from .redaction import HIDDEN, hidden_repr
from .urls import end_of_host

if TYPE_CHECKING:
    from .http_messages import Response

SEARCHED_BYTES = 1 << 16
"""How much of a body is searched for secrets."""

SMALL_BODY_BYTES = 1 << 12
"""How much of a body is kept for its secrets if a log keeps less of it. The form of a login is smaller."""


_NOTHING: tuple[int, frozenset[bytes], list[bytes]] = (0, frozenset(), [])
"""One value for all: a log has many calls, and the garbage collector of Python visits each object of them."""


class Secrets:
    """The secrets of a call, or of an exchange. Any thread may use it. It shows and pickles none of them."""

    __slots__ = ("_known", "_redacted_names", "parts")

    def __init__(self, redacted_names: tuple[str, ...] = ()) -> None:
        """``redacted_names``: the user's own secret names, besides the usual ones."""
        self._redacted_names = redacted_names
        self.parts: list[tuple[str, Union[Pairs, Fields], Optional[bytes]]] = []
        """URLs, header fields, and the bodies that belong to these fields. A log appends to it: a call costs time.
        Fields of a response are parsed when the values are found, which takes 15 us on the qt engine.
        """
        self._known = _NOTHING
        """How many parts were read, and the values that were found in them, also in the order of ``values``."""

    __repr__ = hidden_repr

    def __reduce__(self) -> tuple[object, ...]:
        return Secrets, ()

    def add(self, url: str = "", fields: Pairs = (), body: Optional[bytes] = None) -> None:
        """Add a URL, header fields, and the body that belongs to these fields."""
        self.parts.append((url, fields, body))

    def with_fields(self, fields: Pairs) -> Secrets:
        """Return these secrets and those of further header fields."""
        copy = Secrets(self._redacted_names)
        copy._known = self._known
        copy.parts = [*self.parts, ("", fields, None)]
        return copy

    def values(self) -> list[bytes]:
        """Return the secrets in all forms that a text may have them in, the longest ones first."""
        count, known, values = self._known
        if count < len(self.parts):
            parts = self.parts[count:]
            with first_use:
                from .exchange_redaction import secret_values
            for place, part in enumerate(parts, count):
                if place and part == self.parts[0]:
                    continue  # a call and its first request have the same values
                url, fields, body = part
                pairs = fields.pairs if isinstance(fields, Fields) else fields
                known |= secret_values(url, pairs, body and body[:SEARCHED_BYTES], self._redacted_names)
            values = sorted(known, key=lambda value: (-len(value), value))
            self._known = count + len(parts), known, values
        return values

    def hide(self, data: bytes) -> bytes:
        """Return data with ``***`` in place of the secrets."""
        for value in self.values():
            if value in data:
                data = data.replace(value, HIDDEN.encode())
        return self._hide_wide(data) if b"\0" in data else data

    def _hide_wide(self, data: bytes) -> bytes:
        """Hide the secrets of a text in UTF-16 or UTF-32."""
        for value in self.values():
            if value.isascii() and value[:1] + b"\0" in data:
                for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
                    wide = value.decode("ascii").encode(encoding)
                    if wide in data:
                        data = data.replace(wide, HIDDEN.encode(encoding))
        return data

    def hide_in_text(self, text: str) -> str:
        """Return a text with ``***`` in place of the secrets."""
        values = self.values()
        return self.hide(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass") if values else text

    def hide_in_url(self, url: str) -> str:
        """Return a URL with ``***`` in place of the secrets, but with its host: the value of a cookie may be a host."""
        if not self.values():
            return url
        end = end_of_host(url)
        return url[:end] + self.hide_in_text(url[end:])


def secrets_of_response(response: Response) -> Secrets:
    """Return the secrets of the requests and of the cookies that have led to a response.

    Of a body, only the beginning is searched: a line of the log must not cost much.
    """
    secrets = Secrets(response.request.redacted_names)
    for each in (*response.history, response):
        body = each.request.body
        secrets.add(
            each.request.url, each.request.headers, body[:SMALL_BODY_BYTES] if isinstance(body, bytes) else None
        )
        secrets.add(fields=each.headers.pairs)
    return secrets

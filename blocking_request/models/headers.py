"""Header fields: as they came, and as a read-only mapping that loses none of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional

from .._names import pickled
from .redaction import redact_value

Pairs = tuple[tuple[bytes, bytes], ...]

MAXIMUM_HEADER_BYTES = 300 * 1024
MAXIMUM_HEADER_LINES = 1000
"""The largest header of a response, interim responses and trailers included. curl has 300 KB; Qt 6 has 100 lines."""

MAXIMUM_PARSED_FIELD_BYTES = 8 * 1024
"""No parser sees a longer field: some take quadratic time, all of them run past the caller's deadline."""

DEFAULT_FIELDS = 2
"""How many fields a request without headers of its own begins with: User-Agent and Accept-Encoding."""

_DEFAULT_NAMES = frozenset((b"User-Agent", b"Accept-Encoding"))


def are_defaults(headers: Pairs) -> bool:
    """Return whether all fields are default fields, which a request without headers of its own has."""
    # In another spelling they are not recognized, which costs time only. This one takes a tenth of a microsecond.
    return _DEFAULT_NAMES.issuperset(dict(headers))


def encoded(text: Any) -> bytes:
    """Return the bytes of a name or a value: latin-1, or UTF-8 if it has other characters."""
    if isinstance(text, bytes):
        return text
    try:
        return str(text).encode("latin-1")
    except UnicodeEncodeError:
        return str(text).encode("utf-8")


def content_type(fields: Pairs) -> str:
    """Return the value of the field ``Content-Type``; '' if there is none."""
    return next((value.decode("latin-1") for name, value in fields if name.lower() == b"content-type"), "")


FRAMING_FIELDS = frozenset((b"content-length", b"transfer-encoding"))
"""Ours to say: a length that does not fit the body hangs or truncates the request."""

SINGLE_FIELDS = frozenset(
    (
        b"authorization",
        b"content-type",
        b"date",
        b"from",
        b"host",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"max-forwards",
        b"proxy-authorization",
        b"range",
        b"referer",
        b"user-agent",
    )
)
"""Request fields with a single value (RFC 9110): two of them cannot be joined by a comma."""


def joined_value(name: bytes, first: bytes, second: bytes) -> bytes:
    """Return one value for the two of a request's field.

    A field that comes twice is a list (RFC 9110 section 5.3), cookies are another (RFC 6265 section 4.2.1). Raises
    ValueError if the field can have one value only.
    """
    key = name.lower()
    if key in SINGLE_FIELDS:
        raise ValueError(f"the header {name.decode('latin-1')} is given twice, and it can have one value only")
    return first + (b"; " if key == b"cookie" else b", ") + second


_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN_IN_VALUE = re.compile(rb"[\r\n\0]")


def is_token(text: bytes) -> bool:
    """Whether it may be a method or a field name (RFC 9110 section 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def field_problem(name: bytes, value: bytes) -> Optional[str]:
    """Why a field may not be sent, or None. The value may be a secret, and is not shown."""
    if not is_token(name):
        return f"The header name {name!r} is not allowed: letters, digits and !#$%&'*+-.^_`|~ only (RFC 9110, 5.1)"
    if _FORBIDDEN_IN_VALUE.search(value):
        shown = name.decode("latin-1")
        return f"The value of the header {shown} holds a line end or NUL, which would split the request"
    return None


def fields_problem(pairs: Pairs) -> Optional[str]:
    """Return the first problem of several fields, or None. It costs a microsecond if there is none."""
    if not pairs:
        return None
    names, values = zip(*pairs)
    if b"" not in names and is_token(b"".join(names)) and not _FORBIDDEN_IN_VALUE.search(b"".join(values)):
        return None
    return next((problem for pair in pairs if (problem := field_problem(*pair)) is not None), None)


def is_readable(value: bytes) -> bool:
    """Whether a parser may see a value: not too long, and without CR, LF and NUL (RFC 9110 section 5.5).

    A later request may repeat the value, and would be split.
    """
    return len(value) <= MAXIMUM_PARSED_FIELD_BYTES and not _FORBIDDEN_IN_VALUE.search(value)


class Fields:
    """The header fields of a response. They are parsed when they are first read: most callers do not read them.

    Immutable. Any thread may read them.
    """

    # Not cached_property: up to Python 3.11 it takes a lock, which takes longer than all else here.

    def __init__(
        self, source: Callable[[], Iterable[tuple[bytes, bytes]]] = tuple, header: Optional[bytes] = None
    ) -> None:
        """``header``: the lines of the fields. A name that is nowhere in them is known to be missing."""
        self._source = source
        self._header = header
        self._pairs: Optional[Pairs] = None
        self._known: Optional[dict[bytes, bytes]] = None
        self._lowered: Optional[bytes] = None

    @property
    def pairs(self) -> Pairs:
        """Name and value of each field in the order they came; ``Set-Cookie`` as many times as it did."""
        pairs = self._pairs
        if pairs is None:
            pairs = self._pairs = tuple(self._source())
        return pairs

    @property
    def _values(self) -> dict[bytes, bytes]:
        values = self._known
        if values is None:
            pairs = self.pairs
            values = {name.lower(): value for name, value in pairs}
            if len(values) < len(pairs):
                values = _joined(pairs)
            self._known = values
        return values

    def _may_have(self, name: bytes) -> bool:
        """Whether there may be a field. Nearly all that is asked for is not there, and it takes a tenth of the time."""
        if self._known is not None:
            return name in self._known
        header = self._header
        if header is None:
            return True
        if self._lowered is None:
            self._lowered = header.lower()
        return name in self._lowered

    @property
    def names(self) -> Iterable[bytes]:
        """In lower case, each once."""
        return self._values

    @property
    def is_empty(self) -> bool:
        return not self.pairs

    @property
    def has_set_cookie(self) -> bool:
        """Whether there is a ``Set-Cookie`` field."""
        return self.has(b"set-cookie")

    def has(self, name: bytes) -> bool:
        """Whether there is a field; ``name`` in lower case."""
        return self._may_have(name) and name in self._values

    def value(self, name: bytes) -> Optional[bytes]:
        """The value of a field for a parser, ``name`` in lower case; values that came apart are joined by a comma.

        None if it is not readable: it is treated as if it had not been sent.
        """
        if not self._may_have(name):
            return None
        value = self._values.get(name)
        return value if value is None or is_readable(value) else None

    def values(self, name: bytes) -> list[bytes]:
        """The values of a field for a parser, each line by itself, if it is readable."""
        if not self.has(name):
            return []
        values = (value for field, value in self.pairs if field.lower() == name)
        return [value for value in values if is_readable(value)]

    def whole_value(self, name: bytes) -> Optional[bytes]:
        """Return the value of a field, of any length: for messages, and for readers that take linear time."""
        return self._values.get(name) if self._may_have(name) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __reduce__(self) -> tuple[Any, ...]:
        return known_fields, (self.pairs,)


def _joined(pairs: Pairs) -> dict[bytes, bytes]:
    values: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        values.setdefault(name.lower(), []).append(value)
    return {name: b", ".join(parts) for name, parts in values.items()}


@pickled
def known_fields(pairs: Pairs) -> Fields:
    """Of fields that are taken apart already."""
    fields = Fields()
    fields._pairs = pairs
    return fields


NO_FIELDS = known_fields(())


def without_control_characters(name: bytes, value: bytes) -> bytes:
    """Return a field's value with blanks for CR and NUL (RFC 9110 section 5.5).

    Those of a field that frames the body stay, and make it invalid.
    """
    return value if name.lower() in FRAMING_FIELDS else _FORBIDDEN_IN_VALUE.sub(b" ", value).strip(b" ")


class Headers(Mapping[str, str]):
    """Header fields by name, in any case; values are text (latin-1, so every byte survives).

    Fields that came more than once are joined by ``", "`` (RFC 9110 section 5.3), except ``Set-Cookie``, which cannot
    be: it gives the first, and ``getlist`` gives each. May be read from any thread.
    """

    __slots__ = ("_fields",)

    def __init__(self, pairs: Pairs = ()) -> None:
        fields: dict[str, tuple[str, list[str]]] = {}
        for raw_name, raw_value in pairs:
            name = raw_name.decode("latin-1")
            fields.setdefault(name.lower(), (name, []))[1].append(raw_value.decode("latin-1"))
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        lowered = name.lower()
        values = self._fields[lowered][1]
        return values[0] if lowered == "set-cookie" else ", ".join(values)

    def getlist(self, name: str) -> tuple[str, ...]:
        """Return every value of a field, one for each line; an empty tuple if the field did not come."""
        field = self._fields.get(name.lower())
        return tuple(field[1]) if field else ()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        redacted = {name: redact_value(name.encode("latin-1"), self[name].encode("latin-1"), ()) for name in self}
        return f"Headers({redacted!r})"

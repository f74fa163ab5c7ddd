"""SentHead: the head of a request as it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional, Protocol, Union

from .headers import Pairs

RawHead = Union[bytes, Sequence[tuple[bytes, bytes]]]
"""The bytes of a head over HTTP/1.1, or the header fields over HTTP/2 (RFC 9113 section 8.3.1). They have the
credentials. They are parsed when they are first shown: most are not."""


class HasSentHead(Protocol):
    """Holds the head of a request: a Mailbox. Functions pass this on in place of the head, whose credentials would be
    shown by a traceback with the values of variables."""

    sent_head: Optional[RawHead]


class SentHead(NamedTuple):
    """The request line and the header fields as they were sent."""

    line: str
    """``GET /path HTTP/1.1``; over HTTP/2, which has no such line, the same words."""
    fields: Pairs
    """Over HTTP/2 they include the pseudo-header fields."""

    def __repr__(self) -> str:
        return f"<SentHead {self.line.partition('?')[0]}>"


def parse_head(head: RawHead) -> SentHead:
    """Return the parts of a head, with the credentials."""
    if not isinstance(head, bytes):
        pseudo = dict(head)
        method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
        return SentHead(f"{method.decode('latin-1')} {path.decode('latin-1')} HTTP/2", tuple(head))
    line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    parts = (each.partition(":") for each in lines)
    return SentHead(line, tuple((name.encode("latin-1"), value.strip().encode("latin-1")) for name, _, value in parts))

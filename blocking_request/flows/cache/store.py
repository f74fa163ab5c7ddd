"""StoredResponse, the part of a response that a cache stores, and the interface of a store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Protocol

from ...models.headers import Fields, Pairs
from ...models.http_messages import Request, Response
from ...models.redaction import hidden_repr
from .cache_control import MOST_BYTES


class StoredResponse(NamedTuple):
    """A response to a GET, and when it was asked for and came, in seconds since 1970."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    status: int
    reason: str
    fields: Fields
    requested: float
    received: float
    vary: tuple[tuple[bytes, bytes], ...] = ()
    """The request's fields that the response depends on, in lower case, each with the digest of its value."""
    is_decoded: bool = True
    """Whether the body is decoded."""
    encoded_bytes: int = 0
    total_bytes: int = -1
    body: Optional[bytes] = None
    """None: ``CacheStore.body`` has it."""
    handle: Any = None
    """Whatever the store knows it by."""


def opaque(tag: bytes) -> bytes:
    """Return the part of an entity tag that the weak comparison uses (RFC 9110 section 8.8.3.2)."""
    tag = tag.strip()
    return tag[2:] if tag.startswith(b"W/") else tag


class CacheStore(Protocol):
    """Stores responses by URL and partition key. No method raises: a response that cannot be stored or read is
    missing.
    """

    def digest(self, value: bytes) -> bytes:
        """Return a digest, which stands for a value that may be a secret."""

    def find(self, url: str, partition_key: bytes) -> Sequence[StoredResponse]:
        """Return the responses of a URL that are for this partition, the newest first."""

    def body(self, stored: StoredResponse) -> Optional[bytes]:
        """Return the body; None if it is gone or corrupt."""

    def store(self, url: str, partition_key: bytes, stored: StoredResponse) -> None:
        """Store a response. It replaces one of the same URL, partition and ``vary``."""

    def update(self, stored: StoredResponse) -> None:
        """Replace everything but the body of the response that has the ``handle`` of ``stored``."""

    def evict(self, stored: StoredResponse) -> None:
        """Delete a response."""

    def invalidate(self, url: str, now: float) -> None:
        """Delete the responses of a URL in all partitions. One that was requested before ``now`` is not stored."""

    def count(self, event: str) -> None:
        """Count a ``hit``, a ``miss`` or a ``validated`` response in the statistics."""

    @property
    def entry_limit(self) -> int:
        """The most bytes of an entry, its header fields included that is stored."""


def matches(stored: StoredResponse, request: Request, store: CacheStore, default_headers: Pairs) -> bool:
    """Return whether a stored response may answer this request, by content negotiation (RFC 9111 section 4.1).

    ``default_headers``: fields that the engine adds if the request does not have them.
    """
    if stored.fields.value(b"content-encoding") is not None:
        wants_none = field_value(request, b"accept-encoding", ()) == b"identity"
        if stored.is_decoded != request.decode or wants_none:
            return False
    return all(store.digest(field_value(request, name, default_headers)) == digest for name, digest in stored.vary)


_NAME = re.compile(rb"[!#$%&'+\-.^_`|~0-9a-z]+")


def varying(
    request: Request, response: Response, store: CacheStore, default_headers: Pairs
) -> Optional[tuple[tuple[bytes, bytes], ...]]:
    """Return ``StoredResponse.vary`` of a response; None if it depends on more than fields."""
    value = response.headers.value(b"vary")
    if value is None:
        return ()
    names = sorted({name.strip().lower() for name in value.split(b",") if name.strip()})
    if len(value) > MOST_BYTES or not all(_NAME.fullmatch(name) for name in names):
        return None  # a star, or a name that no request can have
    return tuple((name, store.digest(field_value(request, name, default_headers))) for name in names)


def field_value(request: Request, name: bytes, default_headers: Pairs) -> bytes:
    """Return the value of a request's field, normalized: the same for all spellings of one value."""
    values = [value for field, value in request.headers if field.lower() == name]
    values = values or [value for field, value in default_headers if field == name]
    if not values:
        return b"\0"  # not the same as an empty one
    return b",".join(b" ".join(part.split()) for part in b",".join(values).split(b","))

"""Responses for the tests of cache stores, and what a store has of them."""

from __future__ import annotations

import time
from typing import Any, Union

from blocking_request import NetworkDiskCache, NetworkMemoryCache
from blocking_request.flows.cache.store import StoredResponse
from blocking_request.models.headers import known_fields
from blocking_request.stores.cache import disk
from blocking_request.stores.cache.base import store_of

Cache = Union[NetworkDiskCache, NetworkMemoryCache]
URL = "http://host.example/a"
FIELDS = known_fields(((b"Date", b"Fri, 15 Jan 2027 08:00:00 GMT"), (b"ETag", b'"1"'), (b"X-Empty", b"")))
LARGE = disk.INDEXED_BYTES * 3
"""The size of a body that a disk cache stores in a file of its own."""


def stored(body: bytes = b"body", received: float = 0.0, **changes: Any) -> StoredResponse:
    """A response as a cache stores it, received now unless ``received`` says when."""
    when = received or time.time()
    return StoredResponse(200, "OK", FIELDS, when, when, body=body, encoded_bytes=len(body), **changes)


def body_of(cache: Cache, url: str = URL, partition_key: bytes = b"") -> bytes | None:
    """The body of the first response that the cache has for it, or None."""
    found = store_of(cache).find(url, partition_key)
    return store_of(cache).body(found[0]) if found else None

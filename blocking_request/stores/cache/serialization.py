"""Converts a stored response without its body to bytes and back. A checksum shows damage."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Optional

from ...flows.cache.store import StoredResponse
from ...models.headers import Fields

_SUM = struct.Struct(">I")


def packed(stored: StoredResponse) -> Optional[bytes]:
    """Return the bytes of a response, or None if a field contains a line end."""
    facts = (
        stored.status,
        int(stored.is_decoded),
        repr(stored.requested),
        repr(stored.received),
        stored.encoded_bytes,
        stored.total_bytes,
        stored.reason,
    )
    lines = [
        " ".join(str(fact) for fact in facts).encode("latin-1", "replace"),
        b" ".join(name + b"=" + digest.hex().encode() for name, digest in stored.vary),
        *(name + b":" + value for name, value in stored.fields.pairs),
    ]
    if any(b"\n" in line for line in lines):
        return None
    block = b"\n".join(lines)
    return _SUM.pack(zlib.crc32(block)) + block


def unpacked(packed: bytes) -> Optional[StoredResponse]:
    """Return the response of bytes that ``packed`` has made, or None if they are damaged."""
    block = packed[_SUM.size :]
    if len(packed) < _SUM.size or _SUM.unpack_from(packed)[0] != zlib.crc32(block):
        return None
    try:
        return _read(block.split(b"\n"))
    except (ValueError, IndexError):
        return None


def _read(lines: list[bytes]) -> StoredResponse:
    status, decoded, requested, received, encoded_bytes, total_bytes, reason = lines[0].decode("latin-1").split(" ", 6)

    def pairs() -> Iterator[tuple[bytes, bytes]]:
        for line in lines[2:]:
            name, _, value = line.partition(b":")
            yield name, value

    return StoredResponse(
        status=int(status),
        reason=reason,
        fields=Fields(pairs),
        requested=float(requested),
        received=float(received),
        vary=tuple(_named_digest(each) for each in lines[1].split()),
        is_decoded=decoded == "1",
        encoded_bytes=int(encoded_bytes),
        total_bytes=int(total_bytes),
    )


def _named_digest(text: bytes) -> tuple[bytes, bytes]:
    name, _, digest = text.rpartition(b"=")
    return name, bytes.fromhex(digest.decode())


def variant(stored: StoredResponse) -> bytes:
    """Return the variant of a response. A new response replaces a stored one with the same variant."""
    return b" ".join(name + b"=" + digest for name, digest in stored.vary) + (b"" if stored.is_decoded else b" coded")

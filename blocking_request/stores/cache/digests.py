"""Keyed digests, which stand for URLs, partition keys and field values in a cache. Only its key can make them."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from ...bodies.regular_files import read_regular

KEY_BYTES = 32
_DIGEST_BYTES = 16


class Digests:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, value: bytes) -> bytes:
        return hashlib.blake2b(value, digest_size=_DIGEST_BYTES, key=self._key).digest()


def new_digest_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def shared_digest_key(folder: Path) -> bytes:
    """Return the key that all processes of a folder share. The first process makes it. Raises OSError."""
    path = folder / "key"
    with suppress(FileNotFoundError):
        key = read_regular(os.fspath(path))
        if len(key) == KEY_BYTES:
            return key
        path.unlink()
    scratch = folder / f"key.{secrets.token_hex(8)}"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(new_digest_key())
    try:
        # If several processes do this at the same time, one link succeeds, and its file is complete.
        os.link(scratch, path)
    except FileExistsError:
        pass
    except OSError:  # no links on this file system
        if not path.exists():
            os.replace(scratch, path)
    with suppress(FileNotFoundError):
        scratch.unlink()
    return read_regular(os.fspath(path))

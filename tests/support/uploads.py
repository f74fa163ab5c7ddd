"""Bodies for the tests of uploads, and what the server got of them."""

from __future__ import annotations

import io
from typing import Any

from .servers.raw import RawServer

BODY = bytes(range(256)) * 20_000


def bodies(server: RawServer) -> list[bytes]:
    return [request.partition(b"\r\n\r\n")[2] for request in server.requests]


class Unmeasured:
    """A file that can neither be measured nor gone back in."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, count: int = -1) -> bytes:
        return self._file.read(min(count, 10_000))


class Generous(io.BytesIO):
    """A file whose ``read(n)`` gives more than ``n`` bytes, as some wrappers do."""

    def read(self, count: Any = -1) -> bytes:
        return super().read(count if count < 0 else count + 100_000)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

"""Bodies that are larger than memory should be: a server of them, transfers that keep none, and their use of memory.

As a program, ``python -m tests.support.large_bodies KIND URL SIZE [AUTHORITY]`` does one such transfer in a process of
its own and prints by how many MiB its memory has grown.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, Optional

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.qt.binding import QtCore

from .servers.raw import Connection

PIECE = b"x" * (1 << 20)
PIECE_BYTES = len(PIECE)

CLEAR_REFS = Path("/proc/self/clear_refs")
"""Only Linux can reset the highest size of a process. The value of ``getrusage`` begins with the parent's."""


def peak() -> float:
    """Return the highest resident size since it was last reset, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def growth(run: Callable[[], object]) -> float:
    """Return by how many MiB the resident size is higher than now while ``run`` runs."""
    CLEAR_REFS.write_text("5")
    before = peak()
    run()
    return peak() - before


def serve_large_bodies(connection: Connection) -> None:
    """A handler: ``/SIZE`` is so many bytes, ``/chunked/SIZE`` too, and of a POST it tells how many came."""
    while request := _head(connection):
        verb, path = request.split()[:2]
        if verb == b"POST":
            length = re.search(rb"\r\ncontent-length: ([0-9]+)", request.lower())
            connection.respond(b"%d" % _drained(connection, int(length[1]) if length else None))
            continue
        size, is_chunked = int(path.rpartition(b"/")[2]), path.startswith(b"/chunked/")
        framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % size
        connection.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        piece = b"%x\r\n%b\r\n" % (PIECE_BYTES, PIECE) if is_chunked else PIECE
        for _ in range(size // PIECE_BYTES):
            connection.send(piece)
        if is_chunked:
            connection.send(b"0\r\n\r\n")


def _head(connection: Connection) -> bytes:
    """Read a head byte by byte, so that the large body stays in the kernel. The head is not remembered."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.sock.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _drained(connection: Connection, length: Optional[int]) -> int:
    """Read a body of so many bytes, or of chunks; return how many bytes it has of those that a piece consists of."""
    room, count, read, end = bytearray(PIECE_BYTES), 0, 0, b""
    while read != length and not (length is None and end.endswith(b"\r\n0\r\n\r\n")):
        size = connection.sock.recv_into(room)
        if not size:
            break
        read += size
        count += room.count(b"x", 0, size)
        end = (end + room[max(size - 7, 0) : size])[-7:]
    return count


def null_device() -> QtCore.QFile:
    """Return a QIODevice that discards everything.

    It is not a Python class: PyQt6 6.11 calls writeData() of one with the length only.
    """
    device = QtCore.QFile(os.devnull)
    assert device.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    return device


def _stream(request: BlockingNetworkRequest, url: str, size: int) -> None:
    with request.stream(url) as chunks:
        assert sum(map(len, chunks)) == size


def stream(request: BlockingNetworkRequest, url: str, size: int) -> None:
    _stream(request, f"{url}/{size}", size)


def stream_of_chunks(request: BlockingNetworkRequest, url: str, size: int) -> None:
    _stream(request, f"{url}/chunked/{size}", size)


def to_a_device(request: BlockingNetworkRequest, url: str, size: int) -> None:
    assert request.download(f"{url}/{size}", null_device()) == 0, request.errorMessage()


def to_a_file(request: BlockingNetworkRequest, url: str, size: int) -> None:
    assert request.download(f"{url}/{size}", "/dev/null") == 0, request.errorMessage()


def upload(request: BlockingNetworkRequest, url: str, size: int) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(size // PIECE_BYTES):
            yield b"x" * PIECE_BYTES  # new memory each time: to keep one piece would cost nothing

    assert request.post(f"{url}/", pieces()) == 0, request.errorMessage()
    assert int(request.reply().body) == size


TRANSFERS = {
    "stream": stream,
    "stream of chunks": stream_of_chunks,
    "to a device": to_a_device,
    "to a file": to_a_file,
    "upload": upload,
}
"""Each raises AssertionError if it was not given the whole body."""


def growth_of(kind: str, url: str, size: int, authority: Optional[str] = None) -> float:
    """Return by how many MiB memory is higher while so many bytes are transferred, compared with one MiB before."""
    manager = NetworkAccessManager()
    manager.setEngine("python")
    if authority is not None:
        manager.setTlsSettings(TlsSettings(caData=authority.encode()))
    request = BlockingNetworkRequest(manager)
    TRANSFERS[kind](request, url, PIECE_BYTES)
    return growth(lambda: TRANSFERS[kind](request, url, size))


if __name__ == "__main__":
    print(growth_of(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))

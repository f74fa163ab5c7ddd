"""A server that follows a script: it expects bytes, answers, and so on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from .raw import Connection, Handler

Script = tuple[tuple[bytes, bytes], ...]
"""Pairs of expected bytes and the bytes of the response, in turn."""


def following(script: Script, received: list[bytes], is_slow: bool = False, answers: int = -1) -> Handler:
    """Return a handler that follows a script, and then sends everything back.

    ``received`` gets the bytes that came in place of each expected part. ``is_slow``: each byte is sent by itself; ``answers``:
    close the connection after so many bytes, if it is not negative.
    """

    def handle(connection: Connection) -> None:
        with suppress(OSError):
            sent = 0
            for expected, answer in script:
                received.append(_read(connection, len(expected)))
                if 0 <= answers <= sent + len(answer):
                    answer = answer[: answers - sent]
                for piece in _pieces(answer, is_slow):
                    connection.sock.sendall(piece)
                sent += len(answer)
                if sent == answers:
                    return
            while data := connection.sock.recv(1 << 16):
                connection.sock.sendall(data)

    return handle


def _pieces(data: bytes, is_slow: bool) -> Iterator[bytes]:
    if is_slow:
        yield from (data[at : at + 1] for at in range(len(data)))
    else:
        yield data


def _read(connection: Connection, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := connection.sock.recv(count - len(data))):
        data += piece
    return data

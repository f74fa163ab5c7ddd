"""Ports of this machine to which no connection comes about."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress


def unused_port() -> int:
    """A port on which nothing listens: a connection is refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose backlog is full: the system drops every further SYN, so that a connection is never answered."""
    with FullListener() as listener:
        yield listener.port


class FullListener:
    """Listens with a full backlog. It is a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._listener = self._stack.enter_context(socket.socket())
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._waiting = [self._stack.enter_context(socket.socket()) for _ in range(4)]
        for waiting in self._waiting:
            waiting.setblocking(False)
            waiting.connect_ex(self._listener.getsockname())

    def make_room(self) -> None:
        """Let the next SYN through: the system of a client repeats it after a second."""
        for waiting in self._waiting:
            waiting.close()
        with suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()

    def __enter__(self) -> FullListener:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

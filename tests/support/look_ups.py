"""A stand-in for the system's resolver, which no test can make hang, and whose answers depend on the machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from typing import Any, Union

Answer = tuple[int, tuple[Any, ...]]

_getaddrinfo = socket.getaddrinfo


class LookUps:
    """In the place of ``socket.getaddrinfo``. Address literals are left to the system."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """The names that were looked up, in the order in which that began."""
        self.begun = threading.Semaphore(0)
        """Released each time that a stuck look-up begins."""
        self._answers: dict[str, Union[list[Answer], BaseException]] = {}
        self._stuck = threading.Event()

    def answer(self, host: str, result: Union[Iterable[Answer], BaseException]) -> None:
        """Set the result or the exception of the look-up of a name. Any other name is 127.0.0.1."""
        self._answers[host] = result if isinstance(result, BaseException) else list(result)

    def release(self) -> None:
        """Let the stuck look-ups go on: those of names that begin with "stuck"."""
        self._stuck.set()

    def __call__(
        self, name: bytes, port: int, family: int = 0, kind: int = 0, protocol: int = 0, flags: int = 0
    ) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return _getaddrinfo(name, port, family, kind, protocol, flags)
        host = name.decode()
        self.asked.append(host)
        if host.startswith("stuck") and not self._stuck.is_set():
            self.begun.release()
            self._stuck.wait(60)
        result = self._answers.get(host, [(socket.AF_INET, ("127.0.0.1", port))])
        if isinstance(result, BaseException):
            raise result
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for family, address in result]

"""TCP connections by happy eyeballs (RFC 8305): the addresses of a host are tried one after another, side by side.

A silent address does not hold up the next one for longer than a quarter of a second.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import zip_longest
from typing import Callable, Optional

from ...models.connection_options import KeepAlive
from ...models.transfer_trace import TransferTrace
from ..wanted import NEVER, WAKE_UP, WRITE, Steps, Wanted
from .resolver import Address, resolver

ATTEMPT_DELAY_SECONDS = 0.25
"""How long an address is tried alone (RFC 8305 section 5)."""

CONNECT_SECONDS = 30.0
"""How long connecting to one address may take, as Qt has it."""

UNSENT_BYTES = 1 << 17
"""How much of a body may wait in the kernel. Without a limit a slow upload moves by megabytes, and seems to stand still
in between."""

_NOTSENT_LOWAT: Optional[int] = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
"""Python names it since 3.12."""

_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK))

_WITHOUT_ROUTE = (errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTUNREACH)
"""The errors of an address family that this computer cannot use. An error of another address says more."""


def connect(
    host: str,
    port: int,
    wake: Callable[[], None],
    trace: Optional[TransferTrace] = None,
    keep_alive: Optional[KeepAlive] = None,
) -> Steps[socket.socket]:
    """Return a connected socket that does not block. ``wake`` wakes the driver, from any thread.

    ``trace``: records the times of look-up and connect; ``keep_alive``: the probes to send, or None.

    Raises socket.gaierror if the name is not known, and other kinds of OSError if no address can be connected to.
    """
    trace = TransferTrace() if trace is None else trace
    trace.look_up_started = time.monotonic()
    look_up = resolver.look_up(host, port, wake)
    if not look_up.is_queued:
        trace.look_up_started = None  # it was an address
    try:
        while not look_up.is_done:
            yield WAKE_UP
    finally:
        look_up.forget(wake)
    if look_up.error is not None:
        # Others may share the look-up, and an error that is raised holds on to the frames it has passed.
        raise type(look_up.error)(*look_up.error.args)
    trace.connect_started = time.monotonic()
    if trace.look_up_started is not None:
        trace.look_up_ended = trace.connect_started
    attempts = _Attempts(look_up.addresses, keep_alive)
    try:
        while attempts.connected is None:
            seconds = attempts.go_on(time.monotonic())
            if attempts.connected is None:
                yield Wanted(tuple((sock.fileno(), WRITE) for sock in attempts.sockets), seconds)
        trace.connect_ended = time.monotonic()
        with suppress(OSError):  # it was closed in the meantime
            trace.peer = attempts.connected.getpeername()[:2]
        return attempts.connected
    finally:
        attempts.close()


class _Attempts:
    """The attempts to connect to the addresses of one host."""

    def __init__(self, addresses: Iterable[Address], keep_alive: Optional[KeepAlive] = None) -> None:
        self._keep_alive = keep_alive
        self.connected: Optional[socket.socket] = None
        self.sockets: dict[socket.socket, float] = {}
        """The sockets that are connecting, each with the moment at which it gives up."""
        self._untried = deque(_interleaved(addresses))
        self._next_at = -NEVER
        self._error: OSError = socket.gaierror(socket.EAI_NONAME, "the name has no address")

    def go_on(self, now: float) -> float:
        """Check the attempts, and begin others; return the seconds after which this must be called again.

        Raises OSError if all have failed.
        """
        for sock, ends_at in list(self.sockets.items()):
            self._look_at(sock, ends_at, now)
            if self.connected is not None:
                return 0.0
        while self.connected is None and self._untried and (not self.sockets or now >= self._next_at):
            self._begin(*self._untried.popleft(), now)
        if self.connected is None and not self.sockets:
            raise self._take_error()
        moments = [*self.sockets.values(), *([self._next_at] if self._untried else ())]
        return max(min(moments, default=now) - now, 0.0)

    def _begin(self, family: int, address: tuple[object, ...], now: float) -> None:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            self._note(error)
            return
        self.sockets[sock] = now + CONNECT_SECONDS
        self._next_at = now + ATTEMPT_DELAY_SECONDS
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _NOTSENT_LOWAT is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT_BYTES)
            if self._keep_alive is not None:
                _set_keep_alive(sock, self._keep_alive)
            code = sock.connect_ex(address)
        except (OSError, OverflowError) as error:
            self._fail(sock, error if isinstance(error, OSError) else OSError(str(error)))
            return
        if code == 0:
            self._succeed(sock)
        elif code not in _UNDER_WAY:
            self._fail(sock, _error_of(code))

    def _look_at(self, sock: socket.socket, ends_at: float, now: float) -> None:
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(sock, _error_of(code))
            return
        try:
            sock.getpeername()
        except OSError:
            if now >= ends_at:
                self._fail(sock, _error_of(errno.ETIMEDOUT))
        else:
            self._succeed(sock)

    def _succeed(self, sock: socket.socket) -> None:
        del self.sockets[sock]
        self.connected = sock

    def _fail(self, sock: socket.socket, error: OSError) -> None:
        del self.sockets[sock]
        sock.close()
        self._next_at = -NEVER  # the next address at once
        self._note(error)

    def _note(self, error: OSError) -> None:
        """Keep the latest error.

        One that says only that an address family cannot be used replaces none but the first.
        """
        if isinstance(self._error, socket.gaierror) or error.errno not in _WITHOUT_ROUTE:
            self._error = error

    def _take_error(self) -> OSError:
        """Return the error, and keep it no longer: it will hold on to the frame that has this object."""
        error, self._error = self._error, OSError()
        return error

    def close(self) -> None:
        """Close the sockets that are not connected."""
        for sock in self.sockets:
            sock.close()


def _set_keep_alive(sock: socket.socket, keep_alive: KeepAlive) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # macOS has another name for the first one. A system that lacks one of them has its own value.
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
    options = idle, getattr(socket, "TCP_KEEPINTVL", None), getattr(socket, "TCP_KEEPCNT", None)
    for option, value in zip(options, keep_alive):
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _error_of(code: int) -> OSError:
    """Return the error of a number, in the class that Python has for it."""
    return OSError(code, os.strerror(code))


def _interleaved(addresses: Iterable[Address]) -> list[Address]:
    """Return the addresses with the families in turn, beginning with the first (RFC 8305 section 4)."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    rounds = zip_longest(*families.values())
    return [address for each in rounds for address in each if address is not None]

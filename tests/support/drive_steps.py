"""Drive the generators of the python engine, which yield each thing that they wait for."""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import Callable, TypeVar

from blocking_request.engines.python.channel import Channel, SocketChannel
from blocking_request.engines.wanted import READ, Steps, Wanted

_T = TypeVar("_T")

LOOK_AGAIN_SECONDS = 0.01
"""How long to wait if the steps wait for nothing but a wake-up, which is not passed on here."""


def wait_for(wanted: Wanted, seconds: float) -> None:
    """Wait for a Wanted, or until the seconds have passed."""
    poll = select.poll()
    for descriptor, events in wanted.sockets:
        poll.register(descriptor, events)
    limit = min(seconds, wanted.seconds) if wanted.sockets else min(seconds, wanted.seconds, LOOK_AGAIN_SECONDS)
    poll.poll(max(0, int(limit * 1000) + 1))


def drive(steps: Steps[_T], seconds: float = 10.0) -> _T:
    """Go through the steps and return their result. Raises TimeoutError after the seconds."""
    end = time.monotonic() + seconds
    try:
        while True:
            try:
                wanted = next(steps)
            except StopIteration as stop:
                result: _T = stop.value
                return result
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not finished after {seconds:g} s")
            wait_for(wanted, left)
    finally:
        steps.close()


def drive_woken(start: Callable[[Callable[[], None]], Steps[_T]], seconds: float = 10.0) -> _T:
    """Do the same with steps that another thread wakes. ``start`` makes them, and gets the function that wakes.

    Nothing but a socket, a wake-up or the seconds they ask for resumes them.
    """
    reader, writer = socket.socketpair()
    reader.setblocking(False)

    def wake() -> None:
        writer.send(b"x")

    steps = start(wake)
    end = time.monotonic() + seconds
    try:
        while True:
            wanted = next(steps)
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not finished after {seconds:g} s")
            wait_for(wanted._replace(sockets=(*wanted.sockets, (reader.fileno(), READ))), left)
            with suppress(BlockingIOError):
                reader.recv(100)
    except StopIteration as stop:
        result: _T = stop.value
        return result
    finally:
        steps.close()
        reader.close()
        writer.close()


def receive_some(channel: Channel, limit: int = 1 << 16) -> Steps[bytes]:
    """Return the next bytes, ``b""`` at the end."""
    while True:
        data = channel.receive(limit)
        if data is not None:
            return data
        yield channel.wanted


def receive_all(channel: Channel) -> Steps[bytes]:
    """Return everything until the end of the stream."""
    parts: list[bytes] = []
    while True:
        data = yield from receive_some(channel)
        if not data:
            return b"".join(parts)
        parts.append(data)


def send_all(channel: Channel, data: bytes) -> Steps[None]:
    """Send all of it."""
    rest = memoryview(data)
    while rest:
        count = channel.send(rest)
        if count is None:
            yield channel.wanted
        else:
            rest = rest[count:]


def connected(port: int) -> Callable[[], Steps[Channel]]:
    """Return a function that connects to a server on loopback, as ``Tls.start`` calls it."""

    def open_channel() -> Steps[Channel]:
        yield Wanted(seconds=0)
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setblocking(False)
        return SocketChannel(sock)

    return open_channel

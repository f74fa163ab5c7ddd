"""Waits for sockets, and for a wake-up from another thread. All drivers of transfers use it.

A Waiter serves one call, and is kept for the next one. A Selector waits for the many transfers of a batch. A forked
child makes descriptors of its own.

Windows has no ``poll``. There ``select`` waits in slices, so that Ctrl-C is noticed. The tests run this on Linux, too;
it never ran on Windows or macOS.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from collections.abc import Hashable, Iterable
from contextlib import suppress
from typing import Generic, Optional, TypeVar, Union

from .clock import REAL_CLOCK, Clock, VirtualClock
from .wanted import NEVER, READ, WRITE, Wanted

SLICE_SECONDS = 0.1
"""How long ``select`` waits at a time: on Windows a signal does not end it."""

KEPT_WAITERS = 64
"""How many free waiters are kept. Each has a descriptor, so that many threads that called once must not leave
theirs."""

WITHOUT_WAKE_UP_SECONDS = 0.02
"""How long a waiter waits at a time if it has no descriptor for its wake-up."""

this_process = [os.getpid()]
"""The id of this process. Objects that a forked child must not use compare their own with it."""


def _after_fork() -> None:
    this_process[0] = os.getpid()
    drop_free_waiters()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class SelectPoll:
    """The part of ``select.poll`` that is used here, by ``select.select``."""

    def __init__(self) -> None:
        self._masks: dict[int, int] = {}

    def register(self, descriptor: int, mask: int) -> None:
        self._masks[descriptor] = mask

    def unregister(self, descriptor: int) -> None:
        del self._masks[descriptor]

    def poll(self, milliseconds: Optional[float]) -> list[tuple[int, int]]:
        end = NEVER if milliseconds is None else time.monotonic() + milliseconds / 1000
        readers = [descriptor for descriptor, mask in self._masks.items() if mask & READ]
        writers = [descriptor for descriptor, mask in self._masks.items() if mask & WRITE]
        while True:
            seconds = max(min(SLICE_SECONDS, end - time.monotonic()), 0.0)
            if not self._masks:
                time.sleep(seconds)  # Windows does not wait for nothing
            # On Windows a connection that was refused is in the third list only.
            ready = select.select(readers, writers, writers, seconds) if self._masks else ((), (), ())
            found = {descriptor for descriptors in ready for descriptor in descriptors}
            if found or time.monotonic() >= end:
                return [(descriptor, self._masks[descriptor]) for descriptor in found]


_new_poll = getattr(select, "poll", SelectPoll)


def is_readable(descriptor: int) -> bool:
    """Return whether there is something to read: bytes, the end, or an error. Takes a microsecond."""
    poll = _new_poll()
    poll.register(descriptor, READ)
    return bool(poll.poll(0))


class WakeUp:
    """A descriptor that becomes readable when another thread calls ``wake``."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        return self._reader.fileno()

    def wake(self) -> None:
        with suppress(OSError):  # it is full: so it is woken
            self._writer.send(b"\0")

    def clear(self) -> None:
        with suppress(OSError):
            self._reader.recv(4096)

    def __del__(self) -> None:
        # Not earlier, because another thread may still hold it to wake a driver.
        with suppress(AttributeError, OSError):
            self._reader.close()
            self._writer.close()


class EventDescriptor:
    """The same in one descriptor, as Linux has it."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]

    def fileno(self) -> int:
        return self._descriptor

    def wake(self) -> None:
        os.eventfd_write(self._descriptor, 1)  # type: ignore[attr-defined,unused-ignore]

    def clear(self) -> None:
        with suppress(OSError):
            os.eventfd_read(self._descriptor)  # type: ignore[attr-defined,unused-ignore]

    def __del__(self) -> None:
        # Not earlier, because another thread may still hold it to wake a driver.
        with suppress(AttributeError, OSError):
            os.close(self._descriptor)


_new_wake_up = EventDescriptor if hasattr(os, "eventfd") else WakeUp


class NoWakeUp:
    """Stands for a wake-up if the process has no descriptor left for one. The waiter looks around often then."""

    def fileno(self) -> int:
        return -1

    def wake(self) -> None:
        pass

    def clear(self) -> None:
        pass


class Waiter:
    """Waits for one driver. Any thread may call ``wake`` at any time: a wake-up too many is harmless."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._poll = _new_poll()
        self._longest = NEVER
        self._wake_up: Union[WakeUp, EventDescriptor, NoWakeUp]
        try:
            self._wake_up = _new_wake_up()
        except OSError:
            self._wake_up, self._longest = NoWakeUp(), WITHOUT_WAKE_UP_SECONDS
        # In a forked child, ``wake`` must not reach the driver of the parent.
        self._process = this_process[0]
        self._wake_descriptor = self._wake_up.fileno()
        if self.can_be_woken:
            self._poll.register(self._wake_descriptor, READ)

    @property
    def can_be_woken(self) -> bool:
        """Whether ``wake`` ends a wait. If not, each wait is short, as if it were woken now and then."""
        return self._wake_descriptor >= 0

    def wake(self) -> None:
        if self._process == this_process[0]:  # the driver of a parent is not woken
            self._wake_up.wake()

    def watch(self, descriptor: int, mask: int) -> None:
        """From now on, ``wait`` ends when a descriptor can be read from, or written to."""
        if self._process != this_process[0]:
            self._begin()
        self._poll.register(descriptor, mask)

    def forget(self, descriptor: int) -> None:
        try:  # noqa: SIM105  (it takes half the time)
            self._poll.unregister(descriptor)
        except KeyError:
            pass  # this is a forked child, and the parent watches it

    def wait(self, seconds: float) -> list[int]:
        """Return the descriptors that are ready; none after ``seconds`` or a wake-up."""
        if self._process != this_process[0]:
            self._begin()
        if seconds > self._longest:
            seconds = self._longest
        ready = self._poll.poll(None if seconds == NEVER else seconds * 1000)
        descriptors = [descriptor for descriptor, _ in ready]
        if self._wake_descriptor in descriptors:
            self._wake_up.clear()
            descriptors.remove(self._wake_descriptor)
        return descriptors

    def wait_for(self, wanted: Wanted, seconds: float) -> None:
        """Wait for one transfer, for at most so many seconds."""
        if self._process != this_process[0]:
            self._begin()
        poll, sockets = self._poll, wanted.sockets
        if wanted.seconds < seconds:
            seconds = wanted.seconds
        if seconds > self._longest:
            seconds = self._longest
        try:
            for descriptor, mask in sockets:
                poll.register(descriptor, mask)
            # Written out, because this is done for each small request.
            for descriptor, _ in poll.poll(None if seconds == NEVER else seconds * 1000):
                if descriptor == self._wake_descriptor:
                    self._wake_up.clear()
        finally:
            for descriptor, _ in sockets:
                self.forget(descriptor)  # Ctrl-C may have come before it was registered


_idle_waiters: list[Waiter] = []


def take_waiter() -> Waiter:
    """Return a free waiter. Nested calls, from a slot, have their own."""
    try:
        return _idle_waiters.pop()
    except IndexError:
        return Waiter()


def give_back(waiter: Waiter) -> None:
    """Give a waiter back. A thread that wakes it late wakes the next user, which looks around and waits again."""
    if waiter.can_be_woken and len(_idle_waiters) < KEPT_WAITERS:
        _idle_waiters.append(waiter)


_Key = TypeVar("_Key", bound=Hashable)


class Selector(Generic[_Key]):
    """Waits for many transfers at once. The thread that drives them uses it; any thread may call ``wake``."""

    def __init__(self, clock: Clock = REAL_CLOCK) -> None:
        self._clock = clock
        self._waiter = take_waiter()
        self._wanted: dict[_Key, Wanted] = {}
        self._keys: dict[int, list[_Key]] = {}
        """The keys that wait for each descriptor: several, if transfers share a connection."""
        self._moments: dict[_Key, float] = {}
        """The moments at which keys go on if their sockets are not ready before."""
        self._woken: deque[_Key] = deque()

    def wake(self, key: Optional[_Key] = None) -> None:
        """End the wait, and have ``key`` go on."""
        if key is not None:
            self._woken.append(key)
        self._waiter.wake()

    def wait_for(self, key: _Key, wanted: Wanted) -> None:
        """Have ``key`` wait for this, and for nothing else."""
        previous = self._wanted.get(key)
        if previous is wanted and wanted.seconds == NEVER:
            return
        if previous is not None:
            self.discard(key)
        self._wanted[key] = wanted
        for descriptor, mask in wanted.sockets:
            keys = self._keys.get(descriptor)
            if keys is None:
                self._keys[descriptor] = [key]
                self._waiter.watch(descriptor, mask)
            else:
                keys.append(key)
                self._watch(descriptor)
        if wanted.seconds != NEVER:
            self._moments[key] = self._clock.now() + wanted.seconds

    def discard(self, key: _Key) -> None:
        """Let ``key`` wait for nothing any more."""
        wanted = self._wanted.pop(key, None)
        if wanted is None:
            return
        if wanted.seconds != NEVER:
            del self._moments[key]
        for descriptor, _ in wanted.sockets:
            keys = self._keys[descriptor]
            if len(keys) > 1:
                keys.remove(key)
                self._watch(descriptor)
            else:
                del self._keys[descriptor]
                self._waiter.forget(descriptor)

    def _watch(self, descriptor: int) -> None:
        mask = 0
        for key in self._keys[descriptor]:
            mask |= dict(self._wanted[key].sockets)[descriptor]
        self._waiter.watch(descriptor, mask)

    @property
    def has_waiting(self) -> bool:
        """Whether a key waits for a socket or a moment."""
        return bool(self._wanted)

    def wait(self, seconds: float) -> Iterable[_Key]:
        """Wait at most so many seconds; return the keys that can go on, which may be none. A wake-up ends the wait."""
        if self._moments:
            now = self._clock.now()
            seconds = max(min(seconds, min(self._moments.values()) - now), 0.0)
        found: dict[_Key, None] = {}
        for descriptor in self._wait(seconds):
            found.update(dict.fromkeys(self._keys.get(descriptor, ())))
        while self._woken:
            # One by one, because another thread may be about to add one.
            key = self._woken.popleft()
            if key in self._wanted:
                found[key] = None
        if self._moments:
            now = self._clock.now()
            found.update(dict.fromkeys(key for key, moment in self._moments.items() if moment <= now))
        return found

    def _wait(self, seconds: float) -> list[int]:
        clock = self._clock
        if not isinstance(clock, VirtualClock) or seconds == NEVER:
            return self._waiter.wait(seconds)
        ready = self._waiter.wait(0.0)
        if not ready and not self._woken:
            clock.skip(seconds)
        return ready

    def close(self) -> None:
        """Wait for no key any more, and give the waiter back."""
        for key in list(self._wanted):
            self.discard(key)
        self._woken.clear()  # the keys refer to this selector
        give_back(self._waiter)


def drop_free_waiters() -> None:
    """Close the descriptors that are kept for further calls. Any thread may call this."""
    _idle_waiters.clear()

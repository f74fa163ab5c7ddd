"""Looks up names in daemon threads: the system's resolver blocks, sometimes for a minute, and cannot be interrupted.

A stuck look-up delays neither a cancel nor the exit of the interpreter: a cancelled call drops its look-up, and the
exit does not wait for daemon threads.

Rules of this file: there is no lock, so a destructor or a forked child cannot find one taken. Each step is one
operation of a dict, a deque, a set or a list, which no other thread can interrupt. A value that may have changed since
then is checked again.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Optional
from urllib.parse import unquote

from ...trace import logger
from .failures import is_out_of_descriptors

MAXIMUM_THREADS = 32
"""How many names are looked up at once, stuck look-ups included. Others wait for their turn."""

Address = tuple[int, tuple[Any, ...]]
"""The family of an address, and the address as sockets take it."""


class LookUp:
    """A look-up. Requests with the same name and port share it. ``is_done`` is set last."""

    __slots__ = ("_unclaimed", "_waiting", "addresses", "error", "host", "is_done", "is_queued", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.addresses: list[Address] = []
        """In the order in which they should be tried, as the system says."""
        self.error: Optional[OSError] = None
        """Why there are no addresses."""
        self.is_done = False
        self.is_queued = False
        """Whether a thread performs it, or will perform it."""
        self._waiting: list[Callable[[], None]] = []
        self._unclaimed = [True]

    def add(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when it is done. The caller must read ``is_done`` after this."""
        self._waiting.append(wake)

    def forget(self, wake: Callable[[], None]) -> None:
        """Do not call ``wake`` any more. Another thread may still call it at this moment.

        A look-up that no request waits for does not begin.
        """
        with suppress(ValueError):
            self._waiting.remove(wake)

    @property
    def is_wanted(self) -> bool:
        """Whether a request waits for it."""
        return bool(self._waiting)

    def claim(self) -> bool:
        """Return True in the first call only. The thread that gets it performs the look-up."""
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False

    def run(self) -> None:
        """Look up the name, which blocks. The caller then calls ``end``."""
        try:
            self.addresses = _addresses(self.host, self.port, 0)
        except OSError as error:
            self.error = _lack_of_descriptors() or error
        except ValueError as error:  # an empty label, or one of more than 63 letters
            self.error = socket.gaierror(socket.EAI_NONAME, f"{self.host} is no name of a host: {error}")
        except Exception as error:
            self.error = OSError(str(error))

    def end(self) -> None:
        """Wake the requests that wait for it."""
        self.is_done = True
        while self._waiting:
            try:
                wake = self._waiting.pop()
            except IndexError:  # another thread has just called ``forget``
                return
            try:
                wake()
            except Exception as error:
                logger.error("a request could not be told that its host was looked up", exc_info=error)


class Resolver:
    """Looks up names. Any thread may call every method."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            # The threads of the parent do not run in the child.
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._unfinished: dict[tuple[str, int], LookUp] = {}
        self._queue: deque[LookUp] = deque()
        """The look-ups that have not begun."""
        self._places = set(range(MAXIMUM_THREADS))
        """The numbers of threads that may still be started."""

    def look_up(self, host: str, port: int, wake: Callable[[], None]) -> LookUp:
        """Return the look-up of a name, or of an address, which is done at once. Never blocks.

        ``wake`` is called, from another thread, when it is done.
        """
        done = _known(host, port)
        if done is not None:
            return done
        key = (host, port)
        while True:
            look_up = self._unfinished.setdefault(key, LookUp(host, port))
            look_up.add(wake)
            if not look_up.is_queued:  # also if Ctrl-C has interrupted another thread here
                self._queue.append(look_up)
                self._start_thread()
                look_up.is_queued = True
            if look_up.is_done or self._unfinished.get(key) is look_up:
                return look_up
            # A thread has just dropped it, because no one had waited for it.
            look_up.forget(wake)

    def describe(self) -> list[str]:
        """Return the unfinished look-ups in words."""
        return [f"look-up of {host}, not finished" for host, _ in list(self._unfinished)]

    def _start_thread(self) -> None:
        """Start a thread for the queue, if there is a place for one. Otherwise all run, and one takes it."""
        place = self._take_place()
        if place is None:
            return
        try:
            name = "blocking_request look-up"
            threading.Thread(target=self._work, args=(place,), name=name, daemon=True).start()
        except Exception as error:
            self._places.add(place)
            self._give_up(error)
        except BaseException:  # Ctrl-C: the thread may run or not
            self._places.add(place)
            if self._queue:
                self._start_thread()
            raise

    def _take_place(self) -> Optional[int]:
        try:
            return self._places.pop()
        except KeyError:
            return None

    def _give_up(self, error: Exception) -> None:
        """No thread could be started. If there is no other, no look-up of the queue would ever be done."""
        while self.thread_count() == 0:
            try:
                look_up = self._queue.popleft()
            except IndexError:
                return
            look_up.error = OSError(f"no thread could be started to look the name up: {error}")
            self._remove(look_up)
            look_up.end()

    def _work(self, place: Optional[int]) -> None:
        while place is not None:
            try:
                while self._queue:
                    self._perform(self._queue.popleft())
            except IndexError:  # another thread was quicker
                pass
            finally:
                self._places.add(place)
            # A look-up that was queued before this place was free may not have got a thread.
            place = self._take_place() if self._queue else None

    def _perform(self, look_up: LookUp) -> None:
        if not look_up.claim():
            return
        if not look_up.is_wanted:
            self._remove(look_up)
            if not look_up.is_wanted:  # otherwise a request has joined it before it was removed
                return
        look_up.run()
        self._remove(look_up)  # before the requests are woken: a request that tries again must get a new look-up
        look_up.end()

    def _remove(self, look_up: LookUp) -> None:
        """Let no one join it any more."""
        key = (look_up.host, look_up.port)
        if self._unfinished.get(key) is look_up:
            self._unfinished.pop(key, None)

    def thread_count(self) -> int:
        """Return how many threads look names up."""
        return MAXIMUM_THREADS - len(self._places)


def _lack_of_descriptors() -> Optional[OSError]:
    """Return the error of a process that has too many files open: the system's resolver says that there is no name."""
    try:
        socket.socket().close()
    except OSError as error:
        return error if is_out_of_descriptors(error) else None
    return None


def _known(host: str, port: int) -> Optional[LookUp]:
    """Return the done look-up of an address literal, with a zone if need be (RFC 6874); None if it is a name."""
    literal = host.strip("[]")
    if not literal or (":" not in literal and not literal[-1].isdigit()):
        return None
    address, percent, zone = literal.partition("%")
    if percent:
        zone = zone[2:] if zone.startswith("25") and len(zone) > 2 else zone
        literal = f"{address}%{unquote(zone)}"
    look_up = LookUp(literal, port)
    try:
        look_up.addresses = _addresses(literal, port, socket.AI_NUMERICHOST)
    except (OSError, ValueError) as error:
        if ":" not in literal:
            return None
        look_up.error = error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, str(error))
    look_up.is_done = True
    return look_up


def _addresses(host: str, port: int, flags: int) -> list[Address]:
    # Python would load its codec for IDNA for a str, in a thread that a fork may leave behind.
    name = host.encode("ascii") if host.isascii() else host
    found = socket.getaddrinfo(name, port, 0, socket.SOCK_STREAM, 0, flags)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


resolver = Resolver()
"""The one that all requests of the process share."""

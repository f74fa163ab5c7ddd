"""NetworkLog: the calls of a program, as developer tools show them."""

from __future__ import annotations

import os
import weakref
from typing import Any, Optional, Union

from ..bodies.regular_files import read_whole
from ..bodies.replaced_file import replace_file
from ..manager.manager import NetworkAccessManager, check_manager
from ..manager.settings_holder import settings_of
from ..models.har import document
from ..models.har_reader import entries_of
from ..qt.binding import QtCore, Signal, Slot, check_binding
from ..qt.emit import emit
from ..qt.event_loop_waker import EventLoopWaker
from ..qt.objects import prime_disconnect_notify
from ..trace import add_recorder, remove_recorder
from .entry import NetworkEntry
from .entry_filter import entry_filter
from .har_records import har_objects, record_of
from .ring import EntryRing

MAXIMUM_ENTRIES = 1000
"""How many calls a log keeps if it is not told otherwise."""

BODY_BYTES = 1 << 16
"""How many bytes of each body a log keeps if it is not told otherwise."""

CHANGES_AT_ONCE = 500
"""How many changes are told before the event loop may handle other events: 500 take about 5 ms."""


class NetworkLog(QtCore.QObject):
    """Keeps the latest calls: single ones, batches, streams, downloads, and those of the requests adapter and of Http.

    It begins when it is made, and ends with ``close()``, at the end of its ``with`` block, or when it is dropped.
    Calls that run then are not disturbed. Every method may be called in any thread. The signals are emitted in the
    thread in which the log lives, by its event loop. So they come late while that thread is blocked, and not at all if
    it has no event loop: ``entries()`` has the entries at once.

    Nothing in it contains secrets: see ``NetworkEntry``. It takes at most ``maximumEntries`` times ``2 * bodies`` bytes
    for the bodies of calls with one request; and 4 KiB of a body that was sent, to find secrets, if ``bodies`` is less.
    """

    entryAdded = Signal(object)
    """Emitted with a NetworkEntry when a call has started, unless the log has dropped it by then."""
    entryChanged = Signal(object)
    """Emitted with the NetworkEntry of a call when a request of it, or the call, has ended. Several changes may come as
    one."""
    cleared = Signal()
    """Emitted after ``clear()``."""
    pausedChanged = Signal(bool)
    """Emitted after ``setPaused()``, with whether new calls are left out."""

    def __init__(
        self,
        manager: Optional[NetworkAccessManager] = None,
        maximumEntries: int = MAXIMUM_ENTRIES,
        bodies: int = BODY_BYTES,
        timings: bool = False,
        parent: Optional[QtCore.QObject] = None,
    ) -> None:
        """``manager``: whose calls are kept; None: those of all managers of this process. ``maximumEntries``: how many
        calls are kept; the oldest are dropped. ``bodies``: how many bytes of each body are kept; 0: none. ``timings``:
        whether the ``qt`` engine reports the steps of its requests, which takes 10 to 40 µs for each; the ``python``
        engine always does. ``parent``: the parent QObject, as in Qt.

        Raises TypeError, ValueError if an argument is of another type, or a number too small.
        """
        if isinstance(manager, (str, bytes)):
            raise TypeError(f"manager must be a NetworkAccessManager, or None for all, not {type(manager).__name__}")
        check_manager(manager)
        check_binding(parent, "parent")
        _check_number(maximumEntries, "maximumEntries", "of entries", 1)
        _check_number(bodies, "bodies", "of bytes", 0)
        super().__init__(parent)
        for signal in (self.entryAdded, self.entryChanged):
            prime_disconnect_notify(signal, self._ignore)
        prime_disconnect_notify(self.cleared, self._ignore_clear)
        prime_disconnect_notify(self.pausedChanged, self._ignore_paused)
        self._waker = EventLoopWaker(self._emit_changes)
        owner = None if manager is None else settings_of(manager).owner
        self._ring = EntryRing(maximumEntries, bodies, bool(timings), owner, self._waker.wake)
        self._maximum = maximumEntries
        self._told_clears, self._told_paused = 0, False
        add_recorder(self._ring)
        self._end = weakref.finalize(self, remove_recorder, self._ring)
        self._end.atexit = False

    def __repr__(self) -> str:
        return f"<NetworkLog: {len(self._ring)} entries>"

    @Slot(object)
    def _ignore(self, entry: object) -> None:
        pass

    @Slot()
    def _ignore_clear(self) -> None:
        pass

    @Slot(bool)
    def _ignore_paused(self, paused: bool) -> None:
        pass

    @Slot()
    def _emit_changes(self) -> None:
        self._waker.handled()
        ring = self._ring
        changes, are_more = ring.take_changes(CHANGES_AT_ONCE)
        if self._told_paused != ring.is_paused:
            self._told_paused = ring.is_paused
            emit(self, "pausedChanged", self._told_paused)
        if self._told_clears != ring.clears:
            self._told_clears = ring.clears
            emit(self, "cleared")
        if are_more:
            self._waker.wake()
        for record, is_new in changes.items():
            if not ring.keeps(record):
                continue  # it was dropped, by ``clear`` or by later calls, before it was told
            emit(self, "entryAdded" if is_new else "entryChanged", NetworkEntry(record))

    # -- recording

    def setPaused(self, paused: bool) -> None:
        """Set whether new calls are left out. Those that the log has already are recorded until they end."""
        self._ring.is_paused = bool(paused)
        self._waker.wake()

    def isPaused(self) -> bool:
        """Return whether new calls are left out."""
        return self._ring.is_paused

    def close(self) -> None:
        """End the log: no more calls are added. The entries stay. May be called more than once."""
        self._end()

    def isActive(self) -> bool:
        """Return whether calls are added: the log is neither closed nor paused."""
        return self._end.alive and not self._ring.is_paused

    def __enter__(self) -> NetworkLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the entries

    def entries(self, text: str = "", host: str = "", status: Union[int, str, None] = None) -> list[NetworkEntry]:
        """Return the calls, oldest first.

        ``text``: only those with this text in the method, the URL, the status or the error, in any case. ``host``: only
        those to this host, or to any host below a ``"*.example.org"``. ``status``: only those with this status code, or
        with one of a class, such as ``"4xx"``.

        A call is found if itself or one of its requests is. Raises TypeError, ValueError if an argument is wrong.
        """
        accepts = entry_filter(text, host, status)
        return [entry for entry in map(NetworkEntry, self._ring.records()) if accepts(entry)]

    def count(self) -> int:
        """Return how many calls are kept."""
        return len(self._ring)

    def maximumEntries(self) -> int:
        """Return how many calls are kept at most."""
        return self._maximum

    def bodies(self) -> int:
        """Return how many bytes of each body are kept."""
        return self._ring.body_limit

    def clear(self) -> None:
        """Drop all entries. Calls that run are dropped, too."""
        self._ring.clear()

    # -- HAR

    def toHar(self) -> str:
        """Return the entries as a HAR 1.2 document (JSON), the format of the developer tools of browsers.

        It has one entry for each request that was sent, for each response that came from the cache, and for each call
        that has failed before it could be sent. Our own members begin with an underscore. If a body is not whole, the
        comment of the entry says so.
        """
        objects = (each for record in self._ring.records() for each in har_objects(record))
        return document(objects)

    def saveHar(self, path: Union[str, os.PathLike[str]]) -> None:
        """Write the entries into a HAR file, which only this user may read. A file of this name is replaced when the
        new one is complete. Raises OSError, also for a device or a FIFO, and TypeError if ``path`` is not a path.
        """
        replace_file(path, [self.toHar().encode("utf-8", "backslashreplace")])

    def loadHar(self, path: Union[str, os.PathLike[str]]) -> int:
        """Add the entries of a HAR file, also of one that a browser has saved. Return how many there are.

        Each entry of the file becomes a call without children. Raises OSError, also for a device or a FIFO, and
        ValueError if it is no HAR file.
        """
        content = read_whole(path)
        try:
            loaded = [record_of(entry) for entry in entries_of(content)]
        except ValueError as error:
            raise ValueError(f"{os.fsdecode(path)} cannot be read as HAR: {error}") from None
        for record in loaded:
            self._ring.add(record)
        return len(loaded)


def _check_number(value: Any, name: str, unit: str, smallest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number {unit}, not {type(value).__name__}")
    if value < smallest:
        raise ValueError(f"{name} must be at least {smallest}, not {value}")


def ring_of(log: NetworkLog) -> EntryRing:
    """Return the records of a log. They stay if the log, a QObject, is deleted."""
    return log._ring

"""CallerSignal: a signal of an object that is no QObject. Its slots run in the threads that Qt's users expect."""

from __future__ import annotations

import threading
from itertools import islice
from typing import Any, Callable, Optional

from .binding import AUTO_CONNECTION, DIRECT_CONNECTION
from .slot import Slot, new_slot

Callback = Callable[..., Any]


class CallerSignal:
    """A signal that is emitted in the thread of the blocked caller, during its call. Any thread may call every method.

    A function, a lambda, or a method of a plain object runs at once in the emitting thread. It does not matter which
    thread has connected it. A method of a QObject runs in the thread in which the object lives: at once if that is the
    emitting thread, else when the event loop of that thread comes to it, as always in Qt. The connection does not keep
    the object alive. If the slot is a signal, it is emitted. A slot may take fewer arguments than the signal has.

    An exception of a slot reaches the caller if the slot runs in the caller's thread.
    """

    def __init__(self, is_direct: bool = False, changed: Optional[Callable[[], None]] = None) -> None:
        """``is_direct``: whether every slot runs in the emitting thread, as by Qt's DirectConnection. A slot that
        answers a question must: the call waits for it. ``changed`` is called after slots were connected or
        disconnected.
        """
        self._guard = threading.Lock()
        self._is_direct = is_direct
        self._changed = changed
        self._slots: tuple[Slot, ...] = ()

    def connect(self, slot: Callback, connectionType: Any = None) -> None:
        """Connect a slot: a callable, or a signal.

        ``connectionType``: ``Qt.DirectConnection`` has the method of a QObject run in the emitting thread, wherever the
        object lives. None or ``Qt.AutoConnection``: as the class says. Raises TypeError for other values and objects.
        """
        if connectionType not in (None, AUTO_CONNECTION, DIRECT_CONNECTION):
            text = "connectionType must be AutoConnection or DirectConnection, because a call waits for its slots"
            raise TypeError(f"{text}, not {connectionType!r}")
        new = new_slot(slot, self._is_direct or connectionType == DIRECT_CONNECTION)
        dead = {each for each in self._slots if not each.is_alive()}
        with self._guard:
            self._slots = (*(each for each in self._slots if each not in dead), new)
        if self._changed is not None:
            self._changed()

    def disconnect(self, slot: Optional[Callback] = None) -> None:
        """Disconnect a slot, or all slots without an argument. Raises TypeError if the slot is not connected."""
        gone = self._slots
        if slot is not None:
            # One connection only: the same slot may have others.
            gone = tuple(islice((each for each in self._slots if each.disconnect_from(slot)), 1))
            if not gone:
                raise TypeError("the slot is not connected")
        with self._guard:
            self._slots = tuple(each for each in self._slots if each not in gone)
        if self._changed is not None:
            self._changed()

    def emit(self, *values: Any) -> None:
        for slot in self._slots:
            slot.call(*values)

    def __bool__(self) -> bool:
        """Return whether a slot is connected, and its object is not deleted."""
        return bool(self._slots) and any(each.is_alive() for each in self._slots)

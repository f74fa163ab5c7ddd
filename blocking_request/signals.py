"""CallerSignal: a signal of an object that belongs to no thread, whose slots run where Qt's users expect them to."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from .qt import QtCore, Signal, Slot, give_to_cpp, is_deleted

Callback = Callable[..., Any]


class _Relay(QtCore.QObject):
    """Delivers to the methods of QObjects, in the thread each of them lives in, as Qt does."""

    fired = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        give_to_cpp(self)
        # PyQt must ask now whether Python overrides disconnectNotify: later it asks under a lock of Qt's (a freeze).
        self.fired.connect(self._nobody)
        self.fired.disconnect(self._nobody)

    @Slot(object)
    def _nobody(self, value: object) -> None:
        pass


class CallerSignal:
    """Emitted in the thread of the blocked caller, from within its call. Every method may be called from any thread.

    Functions, lambdas and methods of plain objects run there, at once: whichever thread connected them, and whether or
    not a thread runs an event loop. A method of a QObject runs in the thread the object lives in: at once if that is
    the caller's, else when that thread's event loop comes to it, as always in Qt. Another signal is emitted.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._slots: tuple[Callback, ...] = ()
        self._relay: Optional[_Relay] = None
        self._relayed: tuple[Callback, ...] = ()

    def connect(self, slot: Callback) -> None:
        """Have ``slot`` called. Raises TypeError for what cannot be."""
        emit = getattr(slot, "emit", None)
        if not callable(slot) and emit is None:
            raise TypeError(f"a slot must be callable or a signal, {type(slot).__name__} is neither")
        if isinstance(getattr(slot, "__self__", None), QtCore.QObject):
            relay = self._relay
            if relay is None:
                relay = _Relay()
                with self._guard:
                    relay = self._relay = self._relay or relay
            relay.fired.connect(slot)
            with self._guard:
                self._relayed = (*self._relayed, slot)
            return
        with self._guard:
            self._slots = (*self._slots, slot)

    def disconnect(self, slot: Optional[Callback] = None) -> None:
        """Have ``slot`` called no more; without one, nobody. Raises TypeError where it was not connected."""
        with self._guard:
            if slot is None:
                relayed, self._slots, self._relayed = self._relayed, (), ()
            elif slot in self._slots:
                kept = list(self._slots)
                kept.remove(slot)
                self._slots = tuple(kept)
                return
            elif slot in self._relayed:
                others = list(self._relayed)
                others.remove(slot)
                relayed, self._relayed = (slot,), tuple(others)
            else:
                raise TypeError("the slot is not connected")
            relay = self._relay
        for each in relayed:
            if relay is not None and not is_deleted(relay):
                relay.fired.disconnect(each)

    def emit(self, value: Any) -> None:
        for slot in self._slots:
            getattr(slot, "emit", slot)(value)
        if self._relayed and self._relay is not None and not is_deleted(self._relay):
            self._relay.fired.emit(value)

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._slots or self._relayed)

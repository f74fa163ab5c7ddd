"""CallerSignal: a signal of an object that belongs to no thread, whose slots run where Qt's users expect them to."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from typing import Any, Callable, Optional, Union

from .binding import QtCore, Signal, Slot, is_deleted
from .objects import prime_disconnect_notify, release_ownership

Callback = Callable[..., Any]


class _Relay(QtCore.QObject):
    """Delivers to the methods of QObjects, in the thread each of them lives in, as Qt does."""

    fired = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        release_ownership(self)
        prime_disconnect_notify(self.fired, self._nobody)

    @Slot(object)
    def _nobody(self, value: object) -> None:
        pass


class _Method:
    """A method of a QObject, which is not kept alive by it."""

    def __init__(self, method: Any) -> None:
        self._method = weakref.WeakMethod(method)
        self._relay = _Relay()
        self._relay.fired.connect(method)

    def is_of(self, slot: Callback) -> bool:
        return self._method() == slot

    def call(self, value: Any) -> None:
        method: Any = self._method()
        if method is None or is_deleted(method.__self__):
            return
        if method.__self__.thread() == QtCore.QThread.currentThread():
            # Not by Qt: what it raises goes to the caller, and does not end the process.
            method(value)
        elif not is_deleted(self._relay):
            self._relay.fired.emit(value)

    def end(self) -> None:
        if not is_deleted(self._relay):
            with suppress(TypeError):
                self._relay.fired.disconnect()
            self._relay.deleteLater()


class CallerSignal:
    """Emitted in the thread of the blocked caller, from within its call. Every method may be called from any thread.

    Functions, lambdas and methods of plain objects run there, at once: whichever thread connected them, and whether or
    not a thread runs an event loop. A method of a QObject runs in the thread the object lives in: at once if that is
    the caller's, else when that thread's event loop comes to it, as always in Qt; it does not keep the object alive.
    Another signal is emitted. What a slot raises goes to the caller, but from another thread.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._slots: tuple[Union[Callback, _Method], ...] = ()

    def connect(self, slot: Callback) -> None:
        """Have ``slot`` called. Raises TypeError for what cannot be."""
        if not callable(slot) and getattr(slot, "emit", None) is None:
            raise TypeError(f"a slot must be callable or a signal, {type(slot).__name__} is neither")
        is_method = isinstance(getattr(slot, "__self__", None), QtCore.QObject) and hasattr(slot, "__func__")
        callback: Union[Callback, _Method] = _Method(slot) if is_method else slot
        with self._guard:
            self._slots = (*self._slots, callback)

    def disconnect(self, slot: Optional[Callback] = None) -> None:
        """Have ``slot`` called no more; without one, nobody. Raises TypeError where it was not connected."""
        with self._guard:
            gone = self._slots if slot is None else tuple(each for each in self._slots if _is_same_slot(each, slot))[:1]
            if slot is not None and not gone:
                raise TypeError("the slot is not connected")
            self._slots = tuple(each for each in self._slots if not any(each is other for other in gone))
        for each in gone:
            if isinstance(each, _Method):
                each.end()

    def emit(self, value: Any) -> None:
        for slot in self._slots:
            if isinstance(slot, _Method):
                slot.call(value)
            else:
                getattr(slot, "emit", slot)(value)

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._slots)


def _is_same_slot(known: Union[Callback, _Method], slot: Callback) -> bool:
    return known.is_of(slot) if isinstance(known, _Method) else known == slot

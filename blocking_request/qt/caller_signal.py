"""CallerSignal: a signal of an object that lives in no thread. Its slots run in the threads that Qt's users expect."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from typing import Any, Callable, Optional, Union

from .binding import QtCore, Signal, Slot, is_deleted
from .objects import prime_disconnect_notify, release_ownership

Callback = Callable[..., Any]


class _Relay(QtCore.QObject):
    """Calls the method of a QObject in the thread in which this object lives, by a queued connection of Qt."""

    fired = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        release_ownership(self)
        prime_disconnect_notify(self.fired, self._ignore)

    @Slot(object)
    def _ignore(self, value: object) -> None:
        pass


class _Method:
    """A slot that is a method of a QObject. It does not keep the object alive."""

    def __init__(self, method: Any, is_direct: bool) -> None:
        """``is_direct``: whether it is called in the emitting thread, wherever its object lives."""
        self._method = weakref.WeakMethod(method)
        self._relay: Optional[_Relay] = None
        if not is_direct:
            self._relay = _Relay()
            self._relay.fired.connect(method)

    def is_of(self, slot: Callback) -> bool:
        return self._method() == slot

    def call(self, *values: Any) -> None:
        method: Any = self._method()
        if method is None or is_deleted(method.__self__):
            return
        relay = self._relay
        if relay is None or method.__self__.thread() == QtCore.QThread.currentThread():
            # Called directly, so that an exception reaches the caller. From Qt it would end the process.
            method(*values)
        elif not is_deleted(relay):
            relay.fired.emit(*values)

    def end(self) -> None:
        if self._relay is not None and not is_deleted(self._relay):
            with suppress(TypeError):
                self._relay.fired.disconnect()
            self._relay.deleteLater()


class CallerSignal:
    """A signal that is emitted in the thread of the blocked caller, during its call. Any thread may call every method.

    A function, a lambda, or a method of a plain object runs at once in the caller's thread. It does not matter which
    thread has connected it. A method of a QObject runs in the thread in which the object lives: at once if that is the
    caller's thread, else when the event loop of that thread comes to it, as always in Qt. The connection does not keep
    the object alive. If the slot is a signal, it is emitted. An exception of a slot reaches the caller if the slot runs
    in the caller's thread.
    """

    def __init__(self, is_direct: bool = False, changed: Optional[Callable[[], None]] = None) -> None:
        """``is_direct``: whether every slot runs in the caller's thread, as by Qt's DirectConnection. A slot that
        answers a question must: the call waits for it. ``changed`` is called after slots were connected or
        disconnected.
        """
        self._guard = threading.Lock()
        self._is_direct = is_direct
        self._changed = changed
        self._slots: tuple[Union[Callback, _Method], ...] = ()

    def connect(self, slot: Callback) -> None:
        """Connect a slot: a callable, or a signal. Raises TypeError for other objects."""
        if not callable(slot) and getattr(slot, "emit", None) is None:
            raise TypeError(f"a slot must be callable or a signal, {type(slot).__name__} is neither")
        is_method = isinstance(getattr(slot, "__self__", None), QtCore.QObject) and hasattr(slot, "__func__")
        callback: Union[Callback, _Method] = _Method(slot, self._is_direct) if is_method else slot
        with self._guard:
            self._slots = (*self._slots, callback)
        if self._changed is not None:
            self._changed()

    def disconnect(self, slot: Optional[Callback] = None) -> None:
        """Disconnect a slot, or all slots without an argument. Raises TypeError if the slot is not connected."""
        with self._guard:
            gone = self._slots if slot is None else tuple(each for each in self._slots if _is_same_slot(each, slot))[:1]
            if slot is not None and not gone:
                raise TypeError("the slot is not connected")
            self._slots = tuple(each for each in self._slots if not any(each is other for other in gone))
        for each in gone:
            if isinstance(each, _Method):
                each.end()
        if self._changed is not None:
            self._changed()

    def emit(self, *values: Any) -> None:
        for slot in self._slots:
            if isinstance(slot, _Method):
                slot.call(*values)
            else:
                getattr(slot, "emit", slot)(*values)

    def __bool__(self) -> bool:
        """Return whether a slot is connected."""
        return bool(self._slots)


def _is_same_slot(known: Union[Callback, _Method], slot: Callback) -> bool:
    return known.is_of(slot) if isinstance(known, _Method) else known == slot

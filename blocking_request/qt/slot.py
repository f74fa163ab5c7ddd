"""The slots of a CallerSignal: functions, methods of QObjects, and signals."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Hashable
from functools import cache, partial
from types import MethodType
from typing import Any, Callable, Optional, Protocol

from .binding import API, QUEUED_CONNECTION, QtCore, Signal, application, is_deleted
from .binding import Slot as qt_slot
from .emit import emit, is_connected
from .objects import prime_disconnect_notify, release_ownership
from .slot_exceptions import slot_exceptions_reported

BoundSignal: type = QtCore.SignalInstance if API == "PySide6" else QtCore.pyqtBoundSignal  # type: ignore[attr-defined]


class Slot(Protocol):
    """A slot that is connected."""

    def is_alive(self) -> bool:
        """Return whether it can still be called."""

    def disconnect_from(self, slot: object) -> bool:
        """Return whether it was made of this object. If so, it is not called any more."""

    def call(self, *values: Any) -> None:
        """Call it with as many of the values as it takes. Raises the exceptions of the slot."""


def new_slot(slot: Any, is_direct: bool) -> Slot:
    """Return a slot for a callable or a signal.

    ``is_direct``: whether a method of a QObject runs in the emitting thread. Raises TypeError for other objects.
    """
    if isinstance(slot, BoundSignal):
        return _Signal(slot)
    if isinstance(getattr(slot, "__self__", None), QtCore.QObject):
        return _Method(slot, is_direct)
    if callable(slot):
        return _Function(slot)
    if getattr(slot, "emit", None) is None:
        raise TypeError(f"a slot must be callable or a signal, {type(slot).__name__} is neither")
    return _Function(slot.emit, slot)


class _Function:
    def __init__(self, function: Callable[..., object], slot: object = None) -> None:
        self._function = function
        self._slot = function if slot is None else slot
        self._most = _most_arguments(function)

    def is_alive(self) -> bool:
        return True

    def disconnect_from(self, slot: object) -> bool:
        return bool(self._slot == slot)

    def call(self, *values: Any) -> None:
        _call(self._function, self._most, values)


class _Method:
    """A method of a QObject, also one of C++. It does not keep the object alive."""

    def __init__(self, method: Any, is_direct: bool) -> None:
        self._owner = weakref.ref(method.__self__)
        self._function = getattr(method, "__func__", None)
        self._name: str = method.__name__
        self._most = _most_arguments(method)
        self._is_direct = is_direct

    def _method(self) -> Optional[Callable[..., object]]:
        """Return the method, or None if its object is deleted."""
        owner = self._owner()
        if owner is None or is_deleted(owner):
            return None
        if self._function is not None:
            return MethodType(self._function, owner)
        method: Callable[..., object] = getattr(owner, self._name)
        return method

    def is_alive(self) -> bool:
        return self._method() is not None

    def disconnect_from(self, slot: object) -> bool:
        return bool(self._method() == slot)

    def call(self, *values: Any) -> None:
        method = self._method()
        if method is None:
            return
        thread = method.__self__.thread()  # type: ignore[attr-defined]
        if self._is_direct or thread == QtCore.QThread.currentThread():
            # Called directly, so that an exception reaches the caller. From Qt it would end the process.
            _call(method, self._most, values)
        elif thread is not None:
            _Delivery(partial(self._deliver, values)).send(thread)

    def _deliver(self, values: tuple[Any, ...]) -> None:
        method = self._method()
        if method is not None:
            _call(method, self._most, values)


class _Delivery(QtCore.QObject):
    """Calls a function once, in the event loop of another thread."""

    _due = Signal()

    def __init__(self, function: Callable[[], None]) -> None:
        super().__init__()
        self._function = function
        release_ownership(self)
        prime_disconnect_notify(self._due, self._deliver)

    def send(self, thread: QtCore.QThread) -> None:
        _pending.add(self)
        self.moveToThread(thread)
        self._due.connect(self._deliver, QUEUED_CONNECTION)  # type: ignore[call-arg]
        self._due.emit()

    @qt_slot()
    def _deliver(self) -> None:
        self.deleteLater()
        _pending.discard(self)
        with slot_exceptions_reported:
            self._function()


_pending: set[_Delivery] = set()
"""Those that have not been delivered. PyQt drops a wrapper without a reference, and the slot with it."""


class _Signal:
    """A signal of a QObject. PyQt crashes if the signal of a deleted object is emitted (5.15, 6.11).

    So a connection between two signals emits it: Qt ends the connection when the object is deleted. If the object lives
    in another thread, its signal is emitted by the event loop of that thread.
    """

    def __init__(self, signal: Any) -> None:
        self._signal = signal if API == "PySide6" else None
        types = _types(str(signal) if API == "PySide6" else signal.signal)
        self._most = len(types)
        self._relay = _relay_class(tuple(types))()
        app = application()
        if app is not None:
            # Not in this thread, which may end: processes ended with "terminate called without an active exception"
            # then (PyQt6 6.11).
            self._relay.moveToThread(app.thread())
        prime_disconnect_notify(self._relay.fired, self._relay.ignore)
        self._relay.fired.connect(signal)

    def is_alive(self) -> bool:
        return is_connected(self._relay, "fired")

    def disconnect_from(self, slot: object) -> bool:
        if not isinstance(slot, BoundSignal) or not self.is_alive():
            return False
        if API == "PySide6":
            return bool(self._signal == slot)
        try:
            # Not by a comparison: PyQt crashes if the object of one signal is deleted (5.15, 6.11).
            self._relay.fired.disconnect(slot)
        except (TypeError, RuntimeError):
            return False
        return True

    def call(self, *values: Any) -> None:
        emit(self._relay, "fired", *values[: self._most])


def _types(signature: str) -> list[str]:
    """Return the types of the arguments in a binding's text of a signal: ``2progress(qint64,QMap<QString,int>)``."""
    types, depth = [""], 0
    for character in signature.partition("(")[2].rpartition(")")[0]:
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and depth == 0:
            types.append("")
        else:
            types[-1] += character
    return types if types != [""] else []


@cache
def _relay_class(types: Hashable) -> Any:
    """Return a class of QObjects with a signal ``fired`` that has these arguments."""
    members = {"fired": Signal(*types), "ignore": lambda self, *values: None}  # type: ignore[misc]
    return type("_SignalRelay", (QtCore.QObject,), members)


def _most_arguments(function: Callable[..., object]) -> Optional[int]:
    """Return how many arguments a function takes; None if that is not known, as of functions of C++."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = [parameter.kind for parameter in parameters]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 1 << 16
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(kind in positional for kind in kinds)


def _call(function: Callable[..., object], most: Optional[int], values: tuple[Any, ...]) -> None:
    """Call a function with as many of the values as it takes, as slots of Qt."""
    if most is not None:
        function(*values[:most])
        return
    for count in range(len(values), -1, -1):
        try:
            function(*values[:count])
            return
        except TypeError as error:
            is_of_call = error.__traceback__ is not None and error.__traceback__.tb_next is None
            if not is_of_call or count == 0:
                raise

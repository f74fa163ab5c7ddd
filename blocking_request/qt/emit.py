"""Emits a signal of a QObject that another thread may delete.

The end of the application deletes every QObject, and may come in another thread between any two lines here. Symptom:
"RuntimeError: Internal C++ object already deleted" (PySide6 6.12).
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache

from .binding import QtCore, is_deleted
from .slot_exceptions import slot_exceptions_reported


def emit(sender: QtCore.QObject, signal: str, *arguments: object) -> None:
    """Emit the signal of that name, unless the sender is deleted."""
    try:
        if not is_deleted(sender):
            with slot_exceptions_reported:
                getattr(sender, signal).emit(*arguments)
    except RuntimeError:
        if not is_deleted(sender):
            raise


def is_connected(sender: QtCore.QObject, *signals: str) -> bool:
    """Return whether a slot is connected to one of the signals; False if the sender is deleted."""
    try:
        return not is_deleted(sender) and any(map(sender.isSignalConnected, _methods(type(sender), signals)))  # type: ignore[arg-type]
    except RuntimeError:
        if not is_deleted(sender):
            raise
        return False


@cache
def _methods(kind: Hashable, signals: tuple[str, ...]) -> list[QtCore.QMetaMethod]:
    """Return signals as arguments of ``QObject.isSignalConnected``.

    They are found by their names, because each binding writes the type of an enum in its own way.
    """
    meta: QtCore.QMetaObject = kind.staticMetaObject  # type: ignore[attr-defined]
    methods = [meta.method(index) for index in range(meta.methodCount())]
    of_signal = QtCore.QMetaMethod.MethodType.Signal
    return [each for each in methods if each.methodType() == of_signal and bytes(each.name()).decode() in signals]

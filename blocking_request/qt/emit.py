"""Emits a signal of a QObject that another thread may delete."""

from __future__ import annotations

from .binding import QtCore, is_deleted
from .slot_exceptions import slot_exceptions_reported


def emit(sender: QtCore.QObject, signal: str, *arguments: object) -> None:
    """Emit a signal, unless the sender is deleted.

    The end of the application deletes every QObject, and may come in another thread between any two lines here.
    Symptom: "RuntimeError: Internal C++ object already deleted" (PySide6 6.12).
    """
    try:
        if not is_deleted(sender):
            with slot_exceptions_reported:
                getattr(sender, signal).emit(*arguments)
    except RuntimeError:
        if not is_deleted(sender):
            raise


def is_connected(sender: QtCore.QObject, method: QtCore.QMetaMethod) -> bool:
    """Return whether a slot is connected to a signal; False if the sender is deleted."""
    try:
        return not is_deleted(sender) and sender.isSignalConnected(method)
    except RuntimeError:
        if not is_deleted(sender):
            raise
        return False

"""QtGui and QtWidgets of the binding. Only modules with widgets import this one: a program may have no widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .binding import API

__all__ = ["QAction", "QtGui", "QtWidgets", "known"]

# These are plain import statements, because tools such as PyInstaller do not see a module whose name is computed.
if TYPE_CHECKING or API == "PyQt5":
    from PyQt5 import QtGui, QtWidgets
    from PyQt5.QtWidgets import QAction
elif API == "PyQt6":
    from PyQt6 import QtGui, QtWidgets
    from PyQt6.QtGui import QAction
else:
    from PySide6 import QtGui, QtWidgets
    from PySide6.QtGui import QAction


def known(value: Any) -> Any:
    """Return a part of a widget that is there, although the stubs of PyQt5 say that it may be None."""
    return value

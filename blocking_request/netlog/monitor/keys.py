"""KeyFilter: the keys of the monitor.

They are no QShortcuts: in a dock, the main window may have the same keys for other things, and Qt calls neither of two
equal shortcuts. A widget that accepts the ``ShortcutOverride`` gets the key itself, while it has the focus.
"""

from __future__ import annotations

from typing import Callable, Optional

from ...qt.binding import QtCore
from ...qt.widgets import QAction, QtGui, QtWidgets

_EventType = QtCore.QEvent.Type
_Key = QtCore.Qt.Key
_CONTROL = QtCore.Qt.KeyboardModifier.ControlModifier
_NONE = QtCore.Qt.KeyboardModifier.NoModifier
_KEYPAD = QtCore.Qt.KeyboardModifier.KeypadModifier


class KeyFilter(QtCore.QObject):
    """Handles the keys of a widget and, in its table, further ones."""

    def __init__(
        self,
        widget: QtWidgets.QWidget,
        table: QtWidgets.QTableView,
        focus_filter: Callable[[], None],
        actions: dict[str, QAction],
    ) -> None:
        super().__init__(widget)
        self._table = table
        self._focus_filter = focus_filter
        self._actions = actions
        widget.installEventFilter(self)
        table.installEventFilter(self)

    def eventFilter(self, watched: Optional[QtCore.QObject], event: Optional[QtCore.QEvent]) -> bool:
        if event is None:
            return False
        kind = event.type()
        if kind not in (_EventType.ShortcutOverride, _EventType.KeyPress) or not isinstance(event, QtGui.QKeyEvent):
            return False
        name = self._name(event, watched is self._table)
        if not name:
            return False
        event.accept()
        if kind == _EventType.KeyPress:
            if name == "find":
                self._focus_filter()
            else:
                self._actions[name].trigger()
        return True

    @staticmethod
    def _name(event: QtGui.QKeyEvent, is_in_table: bool) -> str:
        """Return the name of the action of a key; '' if it is no key of the monitor."""
        key, modifiers = event.key(), event.modifiers()
        keys: dict[int, str] = {}
        if modifiers == _CONTROL:
            keys = {_Key.Key_F: "find", _Key.Key_L: "clear"}
            if is_in_table:
                keys[_Key.Key_C] = "copy"
        elif is_in_table and modifiers in (_NONE, _KEYPAD):
            keys = {_Key.Key_Space: "pause"}
        return keys.get(key, "")

"""FilterBar: the fields of the filter: a text, a host and a status."""

from __future__ import annotations

from typing import Callable, Union

from ...qt.binding import QtCore, Signal, Slot
from ...qt.widgets import QtGui, QtWidgets, known
from ..entry import NetworkEntry
from ..entry_filter import entry_filter
from .colors import MonitorColors

CLASSES = ("", "2xx", "3xx", "4xx", "5xx")


class FilterBar(QtWidgets.QWidget):
    """Three fields. Their values are the arguments of ``NetworkLog.entries``."""

    changed = Signal()

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self.text = self._field("Filter: text in method, URL, status or error", "Filter by text")
        self.host = self._field("Host, or *.example.org", "Filter by host")
        self.status = QtWidgets.QComboBox(self)
        self.status.setEditable(True)
        self.status.addItems(CLASSES)
        self.status.setAccessibleName("Filter by status")
        self.status.setToolTip("A status code such as 404, or a class such as 4xx")
        edit = self._status_edit = known(self.status.lineEdit())
        edit.setPlaceholderText("Status")
        edit.setAccessibleName("Filter by status")
        self.status.setMinimumContentsLength(5)
        for signal in (self.text.textChanged, self.host.textChanged, self.status.editTextChanged):
            signal.connect(self._note)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 3)
        layout.addWidget(self.host, 2)
        layout.addWidget(self.status)
        self.setFocusProxy(self.text)

    def _field(self, placeholder: str, name: str) -> QtWidgets.QLineEdit:
        edit = QtWidgets.QLineEdit(self)
        edit.setPlaceholderText(placeholder)
        edit.setToolTip(placeholder)
        edit.setClearButtonEnabled(True)
        edit.setAccessibleName(name)
        edit.setMinimumWidth(40)
        return edit

    def set_colors(self, colors: MonitorColors) -> None:
        """Use a colour for the texts of empty fields: dark palettes often have an unreadable one."""
        palette = QtGui.QPalette()
        palette.setColor(QtGui.QPalette.ColorRole.PlaceholderText, colors.faint)
        for edit in (self.text, self.host, self._status_edit):
            edit.setPalette(palette)

    @Slot(str)
    def _note(self, text: str) -> None:
        self.changed.emit()

    def accepts(self) -> Callable[[NetworkEntry], bool]:
        """Return the filter. Raises ValueError if a value is wrong."""
        return entry_filter(self.text.text().strip(), self.host.text().strip(), _status(self.status.currentText()))

    def set_values(self, text: str, host: str, status: Union[int, str, None]) -> None:
        """Fill the fields in. ``changed`` comes once at most."""
        blocked = self.blockSignals(True)
        self.text.setText(text)
        self.host.setText(host)
        self.status.setEditText("" if status is None else str(status))
        self.blockSignals(blocked)
        self.changed.emit()

    def focus(self) -> None:
        """Give the focus to the text, which is selected."""
        self.text.setFocus(QtCore.Qt.FocusReason.ShortcutFocusReason)
        self.text.selectAll()


def _status(text: str) -> Union[int, str, None]:
    """Return the status of a filter, from the text of its field."""
    text = text.strip()
    return (int(text) if text.isdecimal() else text) if text else None

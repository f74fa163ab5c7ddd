"""Cells: paints the texts of the table."""

from __future__ import annotations

from typing import Optional

from ...qt.binding import QtCore, enum_value
from ...qt.widgets import QtGui, QtWidgets
from .model import CallsModel
from .texts import COLUMNS

_Group, _Role = QtGui.QPalette.ColorGroup, QtGui.QPalette.ColorRole
_State = QtWidgets.QStyle.StateFlag
_PANEL = QtWidgets.QStyle.PrimitiveElement.PE_PanelItemViewItem
_ELIDE = QtCore.Qt.TextElideMode.ElideRight
_MIDDLE = enum_value(QtCore.Qt.AlignmentFlag.AlignVCenter)
_LEFT = enum_value(QtCore.Qt.AlignmentFlag.AlignLeft) | _MIDDLE
_RIGHT = enum_value(QtCore.Qt.AlignmentFlag.AlignRight) | _MIDDLE
_MARGIN = 4


class Cells(QtWidgets.QStyledItemDelegate):
    """Paints a cell in one call of Python.

    Qt's own delegate calls the model ten times for a cell. With PySide6, each of these calls waits for Python's lock
    while other threads send requests. Symptom: a paint took 0.2 s instead of 0.02 s.
    """

    def paint(
        self, painter: Optional[QtGui.QPainter], option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex
    ) -> None:
        model = index.model()
        if painter is None or not isinstance(model, CallsModel):
            return
        paint_background(painter, option)
        column = index.column()
        group = _Group.Active if option.state & _State.State_Active else _Group.Inactive
        if option.state & _State.State_Selected:
            color = option.palette.color(group, _Role.HighlightedText)
        else:
            color = model.color(index.row(), column) or option.palette.color(group, _Role.Text)
        text = model.painted_text(index.row(), column)
        rect = option.rect.adjusted(_MARGIN, 0, -_MARGIN, 0)
        painter.setPen(color)
        painter.setFont(option.font)
        elided = option.fontMetrics.elidedText(text, _ELIDE, rect.width())
        painter.drawText(rect, _RIGHT if COLUMNS[column].is_number else _LEFT, elided)


def paint_background(painter: QtGui.QPainter, option: QtWidgets.QStyleOptionViewItem) -> None:
    """Draw the background of a selected row."""
    if option.state & (_State.State_Selected | _State.State_MouseOver):
        widget = option.widget
        style = widget.style() if widget is not None else QtWidgets.QApplication.style()
        if style is not None:
            style.drawPrimitive(_PANEL, option, painter, widget)

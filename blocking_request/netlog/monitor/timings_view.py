"""TimingsView: the steps of one request, each with a bar to scale and its duration."""

from __future__ import annotations

import time
from typing import Optional

from ...qt.binding import QtCore, enum_value
from ...qt.widgets import QtGui, QtWidgets
from ..entry import NetworkEntry
from .colors import MonitorColors
from .texts import STEPS, span_of, time_text
from .waterfall import Segment, TimeAxis, paint_segments, segments_of

_Alignment = QtCore.Qt.AlignmentFlag
_LEFT = enum_value(_Alignment.AlignLeft) | enum_value(_Alignment.AlignVCenter)
_RIGHT = enum_value(_Alignment.AlignRight) | enum_value(_Alignment.AlignVCenter)
_WRAP = enum_value(QtCore.Qt.TextFlag.TextWordWrap)


def _name(line: Segment) -> str:
    return STEPS.get(line.step, line.step.capitalize())


def _duration(line: Segment) -> str:
    return time_text((line.end - line.start) * 1000)


def _why_unknown(request: NetworkEntry, wants_trace: bool) -> str:
    if request.engine() == "qt" and not wants_trace:
        return "The steps are not known: the qt engine reports them for NetworkLog(timings=True)."
    if request.statusCode() is None:
        return "The steps are not known: there is no response."
    return "The steps are not known."


class TimingsView(QtWidgets.QWidget):
    """A line for each step: its name, its bar, its duration; and a line for the whole request."""

    def __init__(self, colors: MonitorColors, parent: Optional[QtWidgets.QWidget] = None) -> None:
        super().__init__(parent)
        self._colors = colors
        self._lines: list[Segment] = []
        self._remark = ""
        self.setBackgroundRole(QtGui.QPalette.ColorRole.Base)
        self.setAccessibleName("Timings of the request")

    def set_colors(self, colors: MonitorColors) -> None:
        self._colors = colors
        self.update()

    def show_entry(self, request: Optional[NetworkEntry], wants_trace: bool) -> None:
        """Show the steps of a request, or of all requests of a call; None: nothing. ``wants_trace``: of the log."""
        self._lines, self._remark = [], ""
        if request is not None:
            now = time.time()
            segments = segments_of(request, now)
            start, end = span_of(request, now)
            if segments[0].step != "total":
                self._lines = segments
            elif request.isFinished() and not request.isFromCache():
                self._remark = _why_unknown(request, wants_trace)
            self._lines.append(Segment("total", start, end))
        texts = [f"{_name(line)} {_duration(line)}" for line in self._lines]
        self.setAccessibleDescription("\n".join((*texts, self._remark)).strip())
        self.setMinimumSize(self.minimumSizeHint())
        self.updateGeometry()
        self.update()

    def _line_height(self) -> int:
        return self.fontMetrics().height() + 6

    def minimumSizeHint(self) -> QtCore.QSize:
        metrics = self.fontMetrics()
        lines = len(self._lines) + 3 * bool(self._remark)
        return QtCore.QSize(metrics.horizontalAdvance("Look-up 999.9 ms") + 160, lines * self._line_height() + 16)

    def paintEvent(self, event: Optional[QtGui.QPaintEvent]) -> None:
        painter = QtGui.QPainter(self)
        metrics, height = self.fontMetrics(), self._line_height()
        names = max(metrics.horizontalAdvance(f"{each}  ") for each in (*STEPS.values(), "Total"))
        times = metrics.horizontalAdvance("999.9 ms  ")
        area = QtCore.QRectF(self.rect()).adjusted(8, 8, -8, -8)
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.Text))
        start = min((each.start for each in self._lines), default=0.0)
        axis = TimeAxis(start, max((each.end - start for each in self._lines), default=0.0) or 1e-6)
        for number, line in enumerate(self._lines):
            row = QtCore.QRectF(area.left(), area.top() + number * height, area.width(), height)
            painter.drawText(row, _LEFT, _name(line))
            painter.drawText(row, _RIGHT, _duration(line))
            bars = row.adjusted(names, 3, -times, -3)
            paint_segments(painter, bars, [line], axis, self._colors)
        if self._remark:
            rest = area.adjusted(0, len(self._lines) * height + 4, 0, 0)
            painter.drawText(rest, _WRAP, self._remark)
        painter.end()

"""TimingsView: the steps of one request, each with a bar to scale and its duration."""

from __future__ import annotations

import time
from typing import NamedTuple, Optional

from ...qt.binding import QtCore, enum_value
from ...qt.widgets import QtGui, QtWidgets
from ..entry import NetworkEntry
from .colors import MonitorColors
from .texts import STEPS, span_of, time_text
from .waterfall import REQUESTS_DRAWN, Segment, TimeAxis, paint_segments, segments_of

_Alignment = QtCore.Qt.AlignmentFlag
_LEFT = enum_value(_Alignment.AlignLeft) | enum_value(_Alignment.AlignVCenter)
_RIGHT = enum_value(_Alignment.AlignRight) | enum_value(_Alignment.AlignVCenter)
_WRAP = enum_value(QtCore.Qt.TextFlag.TextWordWrap)


class _Line(NamedTuple):
    """A step, and its name."""

    name: str
    segment: Segment

    def duration(self) -> str:
        return time_text((self.segment.end - self.segment.start) * 1000)


def _lines(call: NetworkEntry, now: float) -> list[_Line]:
    """Return the steps. Those of several requests have the number of the request in their names."""
    requests = call.children()[:REQUESTS_DRAWN]
    lines = []
    for number, request in enumerate(requests if len(requests) > 1 else [call], 1):
        before = f"{number}. " if len(requests) > 1 else ""
        for each in segments_of(request, now):
            lines.append(_Line(before + STEPS.get(each.step, each.step.capitalize()), each))
    return lines


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
        self._lines: list[_Line] = []
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
            lines = _lines(request, now)
            start, end = span_of(request, now)
            if any(each.segment.step != "total" for each in lines):
                self._lines = lines
            elif request.isFinished() and not request.isFromCache():
                self._remark = _why_unknown(request, wants_trace)
            self._lines.append(_Line("Total", Segment("total", start, end)))
        texts = [f"{line.name} {line.duration()}" for line in self._lines]
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
        titles = (*STEPS.values(), *(line.name for line in self._lines))
        names = max(metrics.horizontalAdvance(f"{each}  ") for each in titles)
        times = metrics.horizontalAdvance("999.9 ms  ")
        area = QtCore.QRectF(self.rect()).adjusted(8, 8, -8, -8)
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.Text))
        start = min((each.segment.start for each in self._lines), default=0.0)
        axis = TimeAxis(start, max((each.segment.end - start for each in self._lines), default=0.0) or 1e-6)
        for number, line in enumerate(self._lines):
            row = QtCore.QRectF(area.left(), area.top() + number * height, area.width(), height)
            painter.drawText(row, _LEFT, line.name)
            painter.drawText(row, _RIGHT, line.duration())
            bars = row.adjusted(names, 3, -times, -3)
            paint_segments(painter, bars, [line.segment], axis, self._colors)
        if self._remark:
            rest = area.adjusted(0, len(self._lines) * height + 4, 0, 0)
            painter.drawText(rest, _WRAP, self._remark)
        painter.end()

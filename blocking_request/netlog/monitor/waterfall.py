"""Waterfall: draws the steps of calls as bars over a common time axis."""

from __future__ import annotations

import math
import time
from typing import NamedTuple, Optional

from ...qt.binding import QtCore
from ...qt.widgets import QtGui, QtWidgets
from ..entry import NetworkEntry
from .cells import paint_background
from .colors import MonitorColors
from .model import CallsModel
from .texts import finite, known_steps, span_of, time_text

REQUESTS_DRAWN = 50
"""Of one call, at most."""

UNKNOWN_SHARE = 0.05
"""Of the time of a request: if its steps leave more, the rest is drawn, too. It may be a step that has failed."""

_LINES = 4
"""About how many lines of the time axis are drawn."""


class Segment(NamedTuple):
    """A step of a request, in seconds since 1970."""

    step: str
    start: float
    end: float


class TimeAxis(NamedTuple):
    """The time that the width of the column stands for."""

    start: float = 0.0
    """In seconds since 1970."""
    seconds: float = 1.0

    def spacing(self) -> float:
        """Return the seconds between two lines: 1, 2 or 5, times a power of ten."""
        least = max(finite(self.seconds) * 0.8 / _LINES, 1e-5)
        power = 10.0 ** math.floor(math.log10(least))
        return next((power * factor for factor in (1, 2, 5) if power * factor >= least), power * 10)

    def x(self, moment: float, left: float, width: float) -> float:
        """Return the place of a moment on a column."""
        share = finite((moment - self.start) / (self.seconds or 1.0))
        return left + min(max(share, 0.0), 1.0) * width


def segments_of(entry: NetworkEntry, now: float) -> list[Segment]:
    """Return the steps of all requests of a call. ``now``: the end of a call that is running."""
    return [segment for each in entry.children()[:REQUESTS_DRAWN] or [entry] for segment in _segments_of_one(each, now)]


def _segments_of_one(request: NetworkEntry, now: float) -> list[Segment]:
    start, end = span_of(request, now)
    segments = []
    at = start
    for step, milliseconds in known_steps(request.timings()):
        segments.append(Segment(step, at, at + milliseconds / 1000))
        at += milliseconds / 1000
    if not segments:
        return [Segment("total", start, end)]
    if end - at > UNKNOWN_SHARE * (end - start):
        segments.append(Segment("other", at, end))
    return segments


def axis_of(entries: list[NetworkEntry], now: float) -> TimeAxis:
    """Return the axis from the first start to the last end of the calls."""
    if not entries:
        return TimeAxis()
    starts, ends = zip(*(span_of(entry, now) for entry in entries))
    return TimeAxis(min(starts), max(max(ends) - min(starts), 1e-4) * 1.02)


def scale_text(axis: TimeAxis) -> str:
    """Return the text of the header."""
    return f"Timings │ {short_time_text(axis.spacing())}"


def short_time_text(seconds: float) -> str:
    """Return a duration without needless zeros."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    return f"{seconds:g} s" if seconds < 600 else time_text(seconds * 1000)


class Waterfall(QtWidgets.QStyledItemDelegate):
    """Paints the cells of the column of timings. The view sets ``axis`` before it paints."""

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self.axis = TimeAxis()
        self.now: Optional[float] = None
        """The end of the calls that are running; None: the present moment."""

    def paint(
        self, painter: Optional[QtGui.QPainter], option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex
    ) -> None:
        model = index.model()
        if not isinstance(model, CallsModel) or painter is None:
            return
        paint_background(painter, option)
        colors = model.colors
        area = QtCore.QRectF(option.rect).adjusted(3, 2, -3, -2)
        painter.save()
        painter.setClipRect(option.rect)
        is_selected = bool(option.state & QtWidgets.QStyle.StateFlag.State_Selected)
        if is_selected:  # the colours of the bars are made for this background
            painter.fillRect(area.adjusted(-1, 0, 1, 0), colors.base)
        self._paint_lines(painter, option.rect if not is_selected else area.toRect(), area, colors)
        now = time.time() if self.now is None else self.now
        paint_segments(
            painter, area.adjusted(0, 2, 0, -2), segments_of(model.entry(index.row()), now), self.axis, colors
        )
        painter.restore()

    def _paint_lines(
        self, painter: QtGui.QPainter, rect: QtCore.QRect, area: QtCore.QRectF, colors: MonitorColors
    ) -> None:
        spacing = self.axis.spacing()
        painter.setPen(colors.grid)
        for number in range(1, int(self.axis.seconds / spacing) + 1):
            x = int(self.axis.x(self.axis.start + number * spacing, area.left(), area.width()))
            painter.drawLine(x, rect.top(), x, rect.bottom())


def paint_segments(
    painter: QtGui.QPainter, area: QtCore.QRectF, segments: list[Segment], axis: TimeAxis, colors: MonitorColors
) -> None:
    """Draw bars, to scale; a bar is at least a pixel wide, and a whole request at least two."""
    for segment in segments:
        left = axis.x(segment.start, area.left(), area.width())
        right = axis.x(segment.end, area.left(), area.width())
        height = area.height() / 2 if segment.step == "blocked" else area.height()
        least = 2.0 if len(segments) == 1 else 1.0
        left = min(left, area.right() - least)
        bar = QtCore.QRectF(left, area.center().y() - height / 2, max(right - left, least), height)
        painter.fillRect(bar, colors.steps[segment.step])

"""CallsTable: the table of the monitor, with its keys and its time axis."""

from __future__ import annotations

import time
from typing import Any, Optional

from ...qt.binding import QtCore
from ...qt.widgets import QtGui, QtWidgets, known
from .cells import Cells
from .model import CallsModel
from .texts import COLUMNS, LESS_IMPORTANT, PATH, START, TIMINGS
from .waterfall import Waterfall, axis_of, scale_text

MOVING_MS = 200
"""How often the bars of running calls are drawn again, in ms."""

NEXT_TEXTS_MS = 5
"""How long other events are handled, in ms, before the next texts are made, if those of some rows are missing."""

_HeaderMode = QtWidgets.QHeaderView.ResizeMode
_Behavior = QtWidgets.QAbstractItemView.SelectionBehavior
_Selection = QtWidgets.QAbstractItemView.SelectionMode
_LEFT: Any = QtCore.Qt.AlignmentFlag.AlignLeft
_MIDDLE: Any = QtCore.Qt.AlignmentFlag.AlignVCenter
_Scroll = QtWidgets.QAbstractItemView.ScrollMode


class CallsTable(QtWidgets.QTableView):
    """Shows a CallsModel. The common time axis of the bars is that of the rows that can be seen."""

    def __init__(self, model: CallsModel, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self._calls = model
        self._cells = Cells(self)
        self.setItemDelegate(self._cells)
        self.waterfall = Waterfall(self)
        self.setItemDelegateForColumn(TIMINGS, self.waterfall)
        self.setModel(model)
        self.setSelectionBehavior(_Behavior.SelectRows)
        self.setSelectionMode(_Selection.SingleSelection)
        self.setHorizontalScrollMode(_Scroll.ScrollPerPixel)
        self.setShowGrid(False)
        self.setAlternatingRowColors(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.selection = known(self.selectionModel())
        self._header = known(self.horizontalHeader())
        self._row_header = known(self.verticalHeader())
        self._viewport = known(self.viewport())
        self._widths = [0] * len(COLUMNS)
        self._row_header.hide()
        self._moving = QtCore.QTimer(self)
        self._moving.setSingleShot(True)
        self._moving.timeout.connect(self._viewport.update)
        header = self._header
        header.setSectionsMovable(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(_LEFT | _MIDDLE)
        header.setSortIndicator(START, QtCore.Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.fit_to_font()

    def fit_to_font(self) -> None:
        """Set the heights of rows and the widths of columns for the font."""
        metrics = self.fontMetrics()
        rows = self._row_header
        rows.setSectionResizeMode(_HeaderMode.Fixed)
        rows.setMinimumSectionSize(1)
        rows.setDefaultSectionSize(metrics.height() + 6)
        self._header.setMinimumSectionSize(metrics.horizontalAdvance("0") * 4)
        for place, column in enumerate(COLUMNS):
            title = metrics.horizontalAdvance(column.title) + metrics.height() + 8  # with the sort indicator
            self._widths[place] = max(metrics.horizontalAdvance(column.sample) + 14, title)
            is_wide = place in (PATH, TIMINGS)
            self._header.setSectionResizeMode(place, _HeaderMode.Stretch if is_wide else _HeaderMode.Interactive)
            self._header.resizeSection(place, self._widths[place])
        self._fit_to_width()

    def _fit_to_width(self) -> None:
        """Hide columns if the table is narrow, so that path and timings can be seen without scrolling."""
        hidden: set[int] = set()
        for place in (-1, *LESS_IMPORTANT):
            hidden.add(place)
            if sum(width for other, width in enumerate(self._widths) if other not in hidden) <= self._viewport.width():
                break
        for place in range(len(COLUMNS)):
            if self.isColumnHidden(place) != (place in hidden):
                self.setColumnHidden(place, place in hidden)

    def resizeEvent(self, event: Optional[QtGui.QResizeEvent]) -> None:
        super().resizeEvent(event)
        self._fit_to_width()

    def paintEvent(self, event: Optional[QtGui.QPaintEvent]) -> None:
        """Set the time axis, and paint.

        It is written in Python also because Python's lock is then held for the whole paint. Otherwise each call of the
        model takes it anew, and may wait 5 ms for a thread that computes.
        """
        first = self.rowAt(0)
        entries = []
        are_missing = False
        if first >= 0:
            last = self.rowAt(self._viewport.height() - 1)
            last = self._calls.rowCount() - 1 if last < 0 else last
            entries = [self._calls.entry(row) for row in range(first, last + 1)]
            are_missing = self._calls.make_texts(first, last)
        now = time.time()
        self.waterfall.now = now
        self.waterfall.axis = axis_of(entries, now)
        self._calls.set_scale(scale_text(self.waterfall.axis) if entries else "")
        super().paintEvent(event)
        self.waterfall.now = None
        if are_missing:
            self._moving.start(NEXT_TEXTS_MS)
        elif any(not entry.isFinished() for entry in entries):
            self._moving.start(MOVING_MS)

    def update_rows(self) -> None:
        """Paint the rows again."""
        self._viewport.update()

    def is_at_end(self) -> bool:
        """Return whether the last row can be seen, so that the table follows new calls."""
        bar = known(self.verticalScrollBar())
        return bool(bar.value() == bar.maximum())

    def selected_row(self) -> int:
        """Return the row that is selected; -1 if none."""
        rows = self.selection.selectedRows()
        return rows[0].row() if rows else -1

    def select(self, row: int) -> None:
        """Select a row, and leave the scroll position as it is."""
        flags: Any = QtCore.QItemSelectionModel.SelectionFlag
        self.selection.setCurrentIndex(self._calls.index(row, PATH), flags.ClearAndSelect | flags.Rows)

    def show_row(self, row: int) -> None:
        """Scroll to a row. Qt does not scroll to a cell of a hidden column, and this column is never hidden."""
        self.scrollTo(self._calls.index(row, PATH))

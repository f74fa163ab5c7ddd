"""CallsModel: the calls of a log as a table, which follows the log in slices of bounded size.

Theory of operation: ``advance`` looks which records the ring of the log has, and takes the next ones; at most ``SLICE``
at a time. New calls, calls that have changed, and all calls after a change of the filter or of the order wait in one
queue. A slice examines the first of them, and then tells the view at once what has come, moved and gone. It examines at
most ``SLICE`` calls, and none after ``SLICE_SECONDS``: the URL of a call costs a search for the secrets of its body.
Copying the ring and sorting take time for all calls.

The texts of a row are made before it is painted, for as long as a paint may take, and are kept when the call has ended.
"""

from __future__ import annotations

from collections import deque
from html import escape
from operator import attrgetter
from time import perf_counter
from typing import Any, Callable, Optional

from ...models.call_record import CallRecord
from ...qt.binding import QtCore, enum_value
from ...qt.widgets import QtGui
from ..entry import NetworkEntry, record_of_entry
from ..ring import EntryRing
from .colors import MonitorColors
from .texts import COLUMNS, START, STATUS, TIMINGS, bounded, is_failed, timings_text

SLICE = 500
"""How many calls a slice examines at most: 500 without large bodies take 5 to 10 ms."""
SLICE_SECONDS = 0.01
"""How long a slice, or making texts for a paint, takes at most, plus the time for one call."""

Index = QtCore.QModelIndex
_Role = QtCore.Qt.ItemDataRole
_ASCENDING = QtCore.Qt.SortOrder.AscendingOrder
_RIGHT = enum_value(QtCore.Qt.AlignmentFlag.AlignRight) | enum_value(QtCore.Qt.AlignmentFlag.AlignVCenter)
_HORIZONTAL = QtCore.Qt.Orientation.Horizontal
_BY_START = (START, TIMINGS)
_NO_PARENT = QtCore.QModelIndex()


def _accept_all(entry: NetworkEntry) -> bool:
    return True


class _Row:
    """A call that the log keeps, with its place in the order."""

    __slots__ = ("has_last_texts", "is_shown", "is_waiting", "key", "number", "record", "texts")

    def __init__(self, record: CallRecord, number: int) -> None:
        self.record = record
        self.number = number
        self.key: Any = number
        self.is_shown = False
        self.is_waiting = False
        self.texts: Optional[tuple[str, ...]] = None
        """Of each column, as they were painted; None: not yet."""
        self.has_last_texts = False
        """Whether the texts do not change any more."""

    def made_texts(self) -> tuple[str, ...]:
        """Return the texts as they are now, and keep them."""
        if self.texts is None or not self.has_last_texts:
            entry = NetworkEntry(self.record)
            self.has_last_texts = entry.isFinished()
            self.texts = tuple(column.text(entry) for column in COLUMNS)
        return self.texts


_key = attrgetter("key")


class CallsModel(QtCore.QAbstractTableModel):
    """The rows are the calls that the filter accepts. The thread of the widgets uses it."""

    def __init__(self, ring: EntryRing, colors: MonitorColors, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._ring = ring
        self.colors = colors
        self.now: Callable[[], float] = perf_counter
        """In seconds, for the length of a slice."""
        self._accepts: Callable[[NetworkEntry], bool] = _accept_all
        self._column, self._is_descending = START, False
        self._scale = ""
        self._count = 0
        self._rows: deque[_Row] = deque()
        """All calls that were taken from the ring, in its order."""
        self._by_record: dict[CallRecord, _Row] = {}
        self._waiting: deque[_Row] = deque()
        """The rows that a slice must examine."""
        self._shown: list[_Row] = []

    # -- following the log

    def note_change(self, entry: NetworkEntry) -> None:
        """Note that a call of the log has changed."""
        row = self._by_record.get(record_of_entry(entry))
        if row is not None:
            row.has_last_texts = False
            self._wait(row)

    def _wait(self, row: _Row) -> None:
        if not row.is_waiting:
            row.is_waiting = True
            self._waiting.append(row)

    def set_filter(self, accepts: Optional[Callable[[NetworkEntry], bool]]) -> None:
        """Show only calls for which a function returns True; None: all. ``advance`` brings them."""
        self._accepts = accepts or _accept_all
        self._examine_all()

    def sort(self, column: int, order: Any = _ASCENDING) -> None:
        """Set the order, as Qt's views do. ``advance`` brings the rows in it."""
        self._column, self._is_descending = max(column, 0), order != _ASCENDING
        self._examine_all()

    def _examine_all(self) -> None:
        self.beginResetModel()
        self._shown = []
        for row in self._rows:
            row.is_shown = False
            row.is_waiting = True
        self._waiting = deque(self._rows)
        self.endResetModel()
        self.advance()

    def advance(self) -> bool:
        """Take a slice. Return whether more waits."""
        gone, are_more = self._take_records()
        added: list[_Row] = []
        has_moved = has_changed = False
        column = COLUMNS[self._column]
        is_by_start = self._column in _BY_START
        end = self.now() + SLICE_SECONDS
        for number in range(min(len(self._waiting), SLICE)):
            if number and self.now() > end:
                break
            row = self._waiting.popleft()
            row.is_waiting = False
            if row.record not in self._by_record:
                continue
            entry = NetworkEntry(row.record)
            key = row.number if is_by_start else column.key(entry)
            if not self._accepts(entry):
                gone += row.is_shown
                row.is_shown = False
            elif not row.is_shown:
                row.is_shown = True
                added.append(row)
            else:
                has_changed = True
                has_moved |= key != row.key
            row.key = key
        self._apply(added, gone, has_moved)
        if has_changed and self._shown:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._shown) - 1, TIMINGS))
        return are_more or bool(self._waiting)

    def _take_records(self) -> tuple[int, bool]:
        """Follow the ring. Return how many rows that are shown must go, and whether the ring has more records."""
        records = self._ring.records()
        place = _place_of(self._rows[-1].record, records) if self._rows else -1
        if place is None:  # the log was cleared, or has only newer calls
            self._forget_all()
            place = -1
        gone = 0
        while self._rows and self._rows[0].record is not records[0]:
            row = self._rows.popleft()
            del self._by_record[row.record]
            gone += row.is_shown
            row.is_shown = False
        end = place + 1 + SLICE
        for record in records[place + 1 : end]:
            row = _Row(record, self._count)
            self._count += 1
            self._rows.append(row)
            self._by_record[record] = row
            self._wait(row)
        return gone, end < len(records)

    def _forget_all(self) -> None:
        self.beginResetModel()
        for rows in (self._rows, self._waiting, self._shown, self._by_record):
            rows.clear()
        self.endResetModel()

    def _apply(self, added: list[_Row], gone: int, has_moved: bool) -> None:
        """Tell the view the changes of a slice. ``gone``: how many of the rows there are not shown any more."""
        shown = self._shown
        oldest = 0
        while oldest < gone and not shown[oldest].is_shown:
            oldest += 1
        if oldest:
            self.beginRemoveRows(_NO_PARENT, 0, oldest - 1)
            del shown[:oldest]
            self.endRemoveRows()
            gone -= oldest
        if added:
            added.sort(key=_key, reverse=self._is_descending)
            first, last = added[0].key, shown[-1].key if shown else added[0].key
            is_in_order = first <= last if self._is_descending else first >= last
            self.beginInsertRows(_NO_PARENT, len(shown), len(shown) + len(added) - 1)
            shown += added
            self.endInsertRows()
            has_moved |= not is_in_order
        if has_moved or gone:
            self._arrange()

    def _arrange(self) -> None:
        """Sort the rows, and remove those that have gone from the end."""
        self.layoutAboutToBeChanged.emit()
        indexes = self.persistentIndexList()
        rows = [self._shown[index.row()] for index in indexes]
        kept = [row for row in self._shown if row.is_shown]
        left = [row for row in self._shown if not row.is_shown]
        kept.sort(key=_key, reverse=self._is_descending)
        self._shown = kept + left
        places = {row: self._shown.index(row) for row in set(rows)}
        self.changePersistentIndexList(
            indexes, [self.index(places[row], index.column()) for row, index in zip(rows, indexes)]
        )
        self.layoutChanged.emit()
        if left:
            self.beginRemoveRows(_NO_PARENT, len(kept), len(self._shown) - 1)
            del self._shown[len(kept) :]
            self.endRemoveRows()

    # -- the rows

    def is_by_start(self) -> bool:
        """Return whether new calls come at the end."""
        return self._column in _BY_START and not self._is_descending

    def total(self) -> int:
        """Return how many calls there are, also those that the filter hides."""
        return len(self._rows)

    def entry(self, row: int) -> NetworkEntry:
        return NetworkEntry(self._shown[row].record)

    def color(self, row: int, column: int) -> Optional[QtGui.QColor]:
        """Return the colour of the text of a cell; None: that of the palette."""
        entry = self.entry(row)
        if not entry.isFinished():
            return self.colors.faint
        return self.colors.error if column == STATUS and is_failed(entry) else None

    def make_texts(self, first: int, last: int) -> bool:
        """Make the texts of rows that will be painted. Return whether some are missing, because they take too long."""
        end = self.now() + SLICE_SECONDS
        rows = self._shown[first : last + 1]
        for row in rows:
            if row.texts is None and self.now() <= end:
                row.made_texts()
        for row in rows:
            if row.texts is not None and not row.has_last_texts and self.now() <= end:
                row.made_texts()
        return any(row.texts is None for row in rows)

    def painted_text(self, row: int, column: int) -> str:
        """Return the text of a cell; '' if ``make_texts`` has not made it yet."""
        texts = self._shown[row].texts
        return "" if texts is None else texts[column]

    def row_of(self, entry: NetworkEntry) -> Optional[int]:
        """Return the row of a call; None if it is not shown."""
        row = self._by_record.get(record_of_entry(entry))
        return None if row is None or not row.is_shown else self._shown.index(row)

    def set_scale(self, text: str) -> None:
        """Set the text about the time axis, in the header of the timings."""
        if text != self._scale:
            self._scale = text
            self.headerDataChanged.emit(_HORIZONTAL, TIMINGS, TIMINGS)

    # -- QAbstractTableModel

    def rowCount(self, parent: Index = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = _Role.DisplayRole) -> Any:
        if orientation != _HORIZONTAL or not 0 <= section < len(COLUMNS):
            return None
        if role == _Role.DisplayRole:
            return self._scale if section == TIMINGS and self._scale else COLUMNS[section].title
        if role == _Role.TextAlignmentRole and COLUMNS[section].is_number:
            return _RIGHT
        if role == _Role.ToolTipRole and section == TIMINGS and self._scale:
            return f"A line stands every {self._scale.rpartition(' │ ')[2]}"
        return None

    def data(self, index: Index, role: int = _Role.DisplayRole) -> Any:
        number, place = index.row(), index.column()
        if not 0 <= number < len(self._shown):
            return None
        column = COLUMNS[place]
        if role == _Role.DisplayRole:
            return self._shown[number].made_texts()[place]
        if role == _Role.TextAlignmentRole:
            return _RIGHT if column.is_number else None
        if role == _Role.ForegroundRole:
            color = self.color(number, place)
            return None if color is None else QtGui.QBrush(color)
        if role == _Role.ToolTipRole:
            return self._tool_tip(self.entry(number), place)
        if role == _Role.AccessibleTextRole:
            entry = self.entry(number)
            text = self._shown[number].made_texts()[place]
            return timings_text(entry) if place == TIMINGS else f"{column.title} {text}"
        return None

    def _tool_tip(self, entry: NetworkEntry, place: int) -> str:
        if place == TIMINGS:
            lines = timings_text(entry).splitlines()
        else:
            lines = [f"{entry.method()} {entry.url()}", entry.errorString()]
        # Qt shows a text that looks like HTML as HTML.
        return "<p>" + "<br>".join(escape(bounded(line)) for line in lines if line)


def _place_of(record: CallRecord, records: list[CallRecord]) -> Optional[int]:
    """Return the place of a record, which is likely near the end; None if it is not there."""
    for place in range(len(records) - 1, -1, -1):
        if records[place] is record:
            return place
    return None

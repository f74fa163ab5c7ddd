"""CallsModel: it follows its log in slices of bounded size, and always has the rows that the filter wants, in order."""

from __future__ import annotations

import random
from typing import Any

import pytest

from blocking_request.models.call_record import CallRecord
from blocking_request.models.har import HarEntry
from blocking_request.netlog import NetworkEntry, NetworkLog, NetworkMonitor
from blocking_request.netlog.entry_filter import entry_filter
from blocking_request.netlog.har_records import record_of
from blocking_request.netlog.log import CHANGES_AT_ONCE, ring_of
from blocking_request.netlog.monitor.colors import monitor_colors
from blocking_request.netlog.monitor.model import SLICE, SLICE_SECONDS, CallsModel
from blocking_request.netlog.monitor.texts import COLUMNS
from blocking_request.netlog.ring import EntryRing
from blocking_request.qt.binding import QtCore
from blocking_request.qt.widgets import QtGui, QtWidgets

Ascending, Descending = QtCore.Qt.SortOrder.AscendingOrder, QtCore.Qt.SortOrder.DescendingOrder


def new_ring(maximum: int = 1000) -> EntryRing:
    return EntryRing(maximum, 100, False, None, lambda: None)


def new_record(number: int, status: int = 200, seconds: float = 0.1) -> CallRecord:
    return record_of(HarEntry("GET", f"http://h{number % 5}/{number}", 1000.0 + number, seconds, status=status))


def new_model(ring: EntryRing) -> CallsModel:
    return CallsModel(ring, monitor_colors(QtGui.QPalette()), QtWidgets.QApplication.instance())  # type: ignore[arg-type]


def no_time(model: CallsModel) -> CallsModel:
    """Stop its clock: on a busy computer a slice would be shorter."""
    model.now = lambda: 0.0
    return model


def paths(model: CallsModel) -> list[str]:
    return [model.entry(row).url() for row in range(model.rowCount())]


def test_slices_are_bounded() -> None:
    """A slice examines SLICE calls at most, and tells the view once what has come and what has changed."""
    ring = new_ring(10_000)
    examined: list[NetworkEntry] = []
    told: list[str] = []
    model = no_time(new_model(ring))
    for name in ("rowsInserted", "rowsRemoved", "layoutChanged", "dataChanged", "modelReset"):
        getattr(model, name).connect(lambda *_, name=name: told.append(name))
    model.set_filter(lambda entry: examined.append(entry) or True)  # type: ignore[func-returns-value]
    records = [new_record(number) for number in range(3 * SLICE + 1)]
    for record in records:
        ring.add(record)
    counts, rest = [], []
    is_more = True
    while is_more:
        examined.clear()
        told.clear()
        is_more = model.advance()
        counts.append(len(examined))
        rest.append(tuple(told))
    assert counts == [SLICE, SLICE, SLICE, 1] and set(rest) == {("rowsInserted",)}
    for record in records:
        model.note_change(NetworkEntry(record))
        model.note_change(NetworkEntry(record))
    examined.clear()
    told.clear()
    assert model.advance() and len(examined) == SLICE and told == ["dataChanged"]
    while model.advance():
        pass
    assert len(examined) == len(records)
    for column in range(len(COLUMNS)):
        told.clear()
        model.sort(column, Descending)
        assert told == ["modelReset", "rowsInserted"] and model.rowCount() == SLICE


@pytest.mark.parametrize(("seconds", "counts"), [(SLICE_SECONDS / 3.5, [4] * 5), (1.0, [1] * 20)])
def test_slices_take_a_bounded_time(seconds: float, counts: list[int]) -> None:
    """A call may need a search for the secrets of its body. At least one is examined."""
    ring = new_ring()
    model = new_model(ring)
    clock = 0.0
    model.now = lambda: clock

    def accepts(entry: NetworkEntry) -> bool:
        nonlocal clock
        clock += seconds
        return True

    for number in range(20):
        ring.add(new_record(number))
    model.set_filter(accepts)
    assert model.advance()  # the first slice takes the calls from the log, too
    model.set_filter(accepts)
    found = [model.rowCount()]
    while model.advance():
        found.append(model.rowCount() - sum(found))
    found.append(model.rowCount() - sum(found))
    assert found == counts


def test_texts_for_a_paint_take_a_bounded_time() -> None:
    """The rows without texts come first. The texts of a call that has ended are made once."""
    ring = new_ring()
    model = no_time(new_model(ring))
    for number in range(3):
        ring.add(new_record(number))
    ring.records()[0].ended = None
    model.advance()
    times = iter(range(1000))
    model.now = lambda: float(next(times)) * SLICE_SECONDS * 0.6
    assert model.make_texts(0, 2)
    assert [model.painted_text(row, 4) for row in range(3)] == ["/0", "", ""]
    assert model.make_texts(0, 2) and not model.make_texts(0, 2)
    assert [model.painted_text(row, 4) for row in range(3)] == ["/0", "/1", "/2"]
    ring.records()[0].status = ring.records()[1].status = 404
    ring.records()[0].ended = 1.0
    no_time(model).make_texts(0, 2)
    assert [model.painted_text(row, 2) for row in range(3)] == ["404", "200", "200"]
    model.note_change(NetworkEntry(ring.records()[1]))
    model.make_texts(0, 2)
    assert [model.painted_text(row, 2) for row in range(3)] == ["404", "404", "200"]


@pytest.mark.parametrize("title", ["Start", "Status", "Host", "Time"])
@pytest.mark.parametrize("order", [Ascending, Descending], ids=["ascending", "descending"])
def test_random_changes(title: str, order: Any, qtmodeltester: Any) -> None:
    """Calls come, change, and go, the log is cleared: the rows are those of the log, and persistent indexes follow."""
    randomness = random.Random(title)
    column = [each.title for each in COLUMNS].index(title)
    ring = new_ring(40)
    model = no_time(new_model(ring))
    qtmodeltester.check(model)
    accepts = entry_filter(status="2xx")
    model.set_filter(accepts)
    model.sort(column, order)
    kept: list[tuple[QtCore.QPersistentModelIndex, NetworkEntry]] = []
    followed = 0
    for number in range(300):
        choice = randomness.random()
        if choice < 0.6:
            ring.add(new_record(number, randomness.choice([200, 200, 404]), randomness.random()))
        elif choice < 0.9 and ring.records():
            record = randomness.choice(ring.records())
            record.status = randomness.choice([200, 200, 404])
            record.ended = randomness.random()
            model.note_change(NetworkEntry(record))
        elif choice < 0.905:
            ring.clear()
        elif model.rowCount():
            row = randomness.randrange(model.rowCount())
            kept.append((QtCore.QPersistentModelIndex(model.index(row, 3)), model.entry(row)))
        if randomness.random() < 0.3:
            assert not model.advance()
            wanted = [each for each in map(NetworkEntry, ring.records()) if accepts(each)]
            shown = [model.entry(row) for row in range(model.rowCount())]
            assert set(shown) == set(wanted) and len(shown) == len(wanted)
            if model.is_by_start():
                assert shown == wanted
            else:
                keys = [COLUMNS[column].key(each) for each in shown]
                assert keys == sorted(keys, reverse=order == Descending)
            for index, entry in kept:
                if index.isValid():
                    followed += 1
                    assert model.entry(index.row()) == entry and index.column() == 3
            assert model.total() == len(ring)
    assert followed > 100


def test_changes_that_the_log_has_dropped() -> None:
    """More calls than the log keeps came between two slices."""
    ring = new_ring(100)
    model = no_time(new_model(ring))
    for number in range(60):
        ring.add(new_record(number))
    assert not model.advance()
    for number in range(60, 130):
        ring.add(new_record(number))
    assert not model.advance()
    assert paths(model) == [NetworkEntry(each).url() for each in ring.records()] and model.rowCount() == 100
    for number in range(130, 1000):
        ring.add(new_record(number))
    assert not model.advance()
    assert paths(model) == [NetworkEntry(each).url() for each in ring.records()]
    dropped = new_record(1)
    model.note_change(NetworkEntry(dropped))
    assert not model.advance() and model.rowCount() == 100


def test_a_log_of_30_000_calls(qtbot: Any) -> None:
    """All of them come, can be sorted and filtered, and the table scrolls from the first to the last."""
    log = NetworkLog(maximumEntries=30_000)
    for number in range(30_000):
        ring_of(log).add(new_record(number))
    monitor = NetworkMonitor(log)
    qtbot.addWidget(monitor)
    monitor.show()
    table: Any = monitor.findChild(QtWidgets.QTableView)
    qtbot.waitUntil(lambda: table.model().rowCount() == 30_000, timeout=60_000)
    table.scrollToBottom()
    assert table.rowAt(table.viewport().height() - 3) == 29_999
    monitor.grab()
    table.scrollToTop()
    assert table.rowAt(0) == 0
    monitor.setFilter("/29999")
    qtbot.waitUntil(lambda: table.model().rowCount() == 1, timeout=60_000)
    log.close()


def test_signals_of_the_log_are_told_in_slices() -> None:
    """The event loop handles other events between them."""
    log = NetworkLog(maximumEntries=10_000)
    log.close()
    heard: list[NetworkEntry] = []
    log.entryAdded.connect(heard.append)
    counts: list[int] = []

    class Other(QtCore.QObject):
        def event(self, event: Any) -> bool:
            counts.append(len(heard))
            return True

    other = Other()
    for number in range(3 * CHANGES_AT_ONCE):
        ring_of(log).add(new_record(number))
    while len(heard) < 3 * CHANGES_AT_ONCE:
        QtCore.QCoreApplication.postEvent(other, QtCore.QEvent(QtCore.QEvent.Type.User))
        QtWidgets.QApplication.processEvents()
    assert len(set(counts)) >= 2 and len(heard) == len(set(heard)) == 3 * CHANGES_AT_ONCE

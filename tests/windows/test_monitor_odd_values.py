"""Calls with odd values, as a HAR file may have them: an exception while Qt paints would end the process."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest

from blocking_request.models.har import HarEntry
from blocking_request.models.timings import Timings
from blocking_request.netlog import NetworkLog, NetworkMonitor
from blocking_request.netlog.har_records import record_of
from blocking_request.netlog.log import ring_of
from blocking_request.netlog.monitor.texts import COLUMNS, finite, moment_text, size_text, status_text, time_text
from blocking_request.netlog.monitor.waterfall import TimeAxis, axis_of, scale_text
from blocking_request.qt.binding import QtCore
from blocking_request.qt.widgets import QtWidgets

from .conftest import AddCall
from .test_monitor import column, monitor, rows, table

__all__ = ["monitor"]

TIMES = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -1.0, 0.0)
NUMBERS = (*TIMES, 10**400, -(10**400))
TEXTS = (
    "",
    "\ud800",
    "\udcff\0\x1b[31m\u202e",
    "a\nb",
    "%",
    "://",
    "http://[",
    "//@",
    "?" * 5000,
    "<b>",
    "ä" * 100_000,
)
Role = QtCore.Qt.ItemDataRole


def odd_entries() -> list[HarEntry]:
    entries = [HarEntry("GET", "http://h/", value) for value in TIMES]
    entries += [HarEntry("GET", "http://h/", 1000.0, value) for value in TIMES]
    for whole in (10**400, -(10**400), sys.maxsize, 10**4000, -5, 0):
        entries.append(HarEntry("GET", "http://h/", 1000.0, 1.0, status=whole, response_body=b"x"))
        sizes: dict[str, Any] = {"request_size": whole, "response_size": whole, "encoded_size": whole}
        entries.append(HarEntry("GET", "http://h/", 1000.0, 1.0, status=200, peer=("::1", whole), **sizes))
    for value in TIMES:
        entries.append(HarEntry("GET", "http://h/", 1000.0, 1.0, status=200, timings=Timings(*[value] * 7)))
    for text in TEXTS:
        fields = ((text.encode("utf-8", "replace"),) * 2, (b"Content-Type", text.encode("utf-8", "replace")))
        entry = HarEntry(text, text, 1000.0, 1.0, fields, text.encode("utf-8", "replace"), status=200, reason=text)
        entries.append(entry)
        entries.append(HarEntry("GET", "http://h/", 1000.0, 1.0, error=text, http_version=text, peer=(text, 0)))
    return entries


def test_odd_values_are_painted(log: NetworkLog, monitor: NetworkMonitor, qtbot: Any) -> None:
    """Each call alone, then all of them: cells, tool tips, details, each order, the filter."""
    entries = odd_entries()
    tabs: Any = monitor.findChild(QtWidgets.QTabWidget)
    for entry in entries:
        log.clear()
        ring_of(log).add(record_of(entry))
        qtbot.waitUntil(lambda entry=entry: [each.started() for each in shown(monitor)] == [log.entries()[0].started()])
        monitor.selectEntry(log.entries()[0])
        for place in range(tabs.count()):
            tabs.setCurrentIndex(place)
            monitor.grab()
    for entry in entries:
        ring_of(log).add(record_of(entry))
    qtbot.waitUntil(lambda: len(rows(monitor)) == len(entries) + 1)
    model: Any = table(monitor).model()
    for place in range(len(COLUMNS)):
        for role in (Role.DisplayRole, Role.ToolTipRole, Role.AccessibleTextRole, Role.ForegroundRole):
            for row in range(model.rowCount()):
                value = model.index(row, place).data(role)
                assert not isinstance(value, str) or len(value) < 20_000
        model.sort(place, QtCore.Qt.SortOrder.DescendingOrder)
        monitor.grab()
        assert len(rows(monitor)) == len(entries) + 1
    monitor.setFilter("h/")
    monitor.grab()


def shown(monitor: NetworkMonitor) -> Any:
    model: Any = table(monitor).model()
    return [model.entry(row) for row in range(model.rowCount())]


def test_long_methods_are_bounded(add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    add(method="M" * 100_000)
    qtbot.waitUntil(lambda: len(rows(monitor)) == 1)
    assert all(len(text) < 3000 for text in rows(monitor)[0]) and "characters" in column(monitor, "Method")[0]


@pytest.mark.parametrize("value", NUMBERS, ids=str)
def test_texts_of_odd_numbers(value: Any, log: NetworkLog, add: AddCall) -> None:
    assert -1e15 <= finite(value) <= 1e15
    assert len(time_text(value)) < 30 and len(moment_text(value)) < 30
    assert value != value or len(size_text(value)) < 30
    add(seconds=value if value in TIMES else 1.0, status=10**400)
    (entry,) = log.entries()
    assert len(status_text(entry)) < 30
    axis = axis_of([entry], 0.0)
    assert 0 < axis.seconds <= 1.1e15 and axis.spacing() > 0 and len(scale_text(axis)) < 40
    for axis in (TimeAxis(0.0, math.nan), TimeAxis(math.inf, math.inf), TimeAxis(0.0, 0.0), TimeAxis(0.0, 5e-324)):
        assert math.isfinite(axis.spacing()) and math.isfinite(axis.x(1.0, 0.0, 100.0))

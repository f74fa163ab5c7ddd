"""The looks of the monitor: contrast on light and dark palettes, bars to scale, small and large windows."""

from __future__ import annotations

import time
from typing import Any, Callable

import pytest

from blocking_request.models.timings import Timings
from blocking_request.netlog import NetworkLog, NetworkMonitor
from blocking_request.netlog.monitor.colors import BAR_CONTRAST, TEXT_CONTRAST, contrast, monitor_colors
from blocking_request.netlog.monitor.table import CallsTable
from blocking_request.netlog.monitor.texts import (
    COLUMNS,
    PATH,
    STATUS,
    STEPS,
    TIMINGS,
    bounded,
    moment_text,
    size_text,
    time_text,
)
from blocking_request.netlog.monitor.waterfall import TimeAxis, axis_of, scale_text, segments_of
from blocking_request.qt.binding import QtCore
from blocking_request.qt.widgets import QtGui, QtWidgets

from .conftest import PICTURES, AddCall, dark_palette

Role = QtGui.QPalette.ColorRole


def light_palette() -> QtGui.QPalette:
    palette = QtGui.QPalette()
    for role, color in ((Role.Window, "#efefef"), (Role.Base, "#ffffff"), (Role.Text, "#000000")):
        palette.setColor(role, QtGui.QColor(color))
    return palette


def palette_of(base: str, text: str) -> QtGui.QPalette:
    palette = QtGui.QPalette()
    palette.setColor(Role.Base, QtGui.QColor(base))
    palette.setColor(Role.Text, QtGui.QColor(text))
    return palette


PALETTES: dict[str, Callable[[], QtGui.QPalette]] = {
    "light": light_palette,
    "dark": dark_palette,
    "black": lambda: palette_of("#000000", "#ffffff"),
    "solarized": lambda: palette_of("#fdf6e3", "#657b83"),
    "solarized dark": lambda: palette_of("#002b36", "#839496"),
}


@pytest.mark.parametrize("name", PALETTES)
def test_contrast(name: str) -> None:
    palette = PALETTES[name]()
    base = palette.color(Role.Base)
    colors = monitor_colors(palette)
    for step, color in colors.steps.items():
        if step != "blocked":  # it is only the time before the first step
            assert contrast(color, base) >= BAR_CONTRAST, (step, color.name())
    assert contrast(colors.error, base) >= TEXT_CONTRAST and contrast(colors.faint, base) >= TEXT_CONTRAST
    assert len({color.name() for color in colors.steps.values()}) == len(colors.steps) - 1  # total and other are one
    assert set(colors.steps) == {*STEPS, "total", "other"}


def test_contrast_ratio_is_that_of_wcag() -> None:
    assert round(contrast(QtGui.QColor("black"), QtGui.QColor("white")), 2) == 21
    assert round(contrast(QtGui.QColor("#777777"), QtGui.QColor("white")), 2) == 4.48


@pytest.fixture
def monitor(log: NetworkLog, add: AddCall, qtbot: Any) -> NetworkMonitor:
    add("http://h/first", started=1000.0, seconds=1.0, timings=Timings(0, 100, 200, 200, 0, 400, 100))
    add("http://h/second", started=1001.0, seconds=1.0, timings=Timings(wait=500, receive=500))
    add("http://h/third", started=1000.5, seconds=0.5, status=500)
    made = NetworkMonitor(log)
    qtbot.addWidget(made)
    made.resize(1000, 600)
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: table(made).model().rowCount() == 3)  # type: ignore[union-attr]
    return made


def table(monitor: NetworkMonitor) -> CallsTable:
    found = monitor.findChild(QtWidgets.QTableView)
    assert isinstance(found, CallsTable)
    return found


def test_bars_are_drawn_to_scale(monitor: NetworkMonitor) -> None:
    calls = table(monitor)
    viewport: Any = calls.viewport()
    image = viewport.grab().toImage()
    colors = monitor_colors(monitor.palette()).steps
    ratio = image.devicePixelRatio()

    def widths(row: int) -> dict[str, int]:
        rect = calls.visualRect(calls.model().index(row, TIMINGS))  # type: ignore[union-attr]
        y = int(rect.center().y() * ratio)
        found = [image.pixelColor(int(x * ratio), y).name() for x in range(rect.left(), rect.right())]
        return {step: found.count(color.name()) for step, color in colors.items() if step != "other"}

    first, second, third = (widths(row) for row in range(3))
    per_second = (calls.columnWidth(TIMINGS) - 6) / (2 * 1.02)
    for step, seconds in (("lookUp", 0.1), ("connect", 0.2), ("tls", 0.2), ("wait", 0.4), ("receive", 0.1)):
        assert abs(first[step] - per_second * seconds) <= 2.5, (step, first)
    assert abs(second["wait"] - per_second / 2) <= 2.5 and second["lookUp"] == 0
    assert abs(third["total"] - per_second / 2) <= 2.5 and third["wait"] == 0
    header: Any = calls.horizontalHeader()
    assert calls.model().headerData(TIMINGS, QtCore.Qt.Orientation.Horizontal) == "Timings │ 500 ms"  # type: ignore[union-attr]
    assert header.sectionSize(PATH) > 50


def test_axis_is_that_of_the_visible_rows(log: NetworkLog, add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    for number in range(200):
        add(started=5000.0 + number * 0.001, seconds=0.01)
    calls = table(monitor)
    qtbot.waitUntil(lambda: calls.model().rowCount() == 203)  # type: ignore[union-attr]
    calls.scrollToBottom()
    monitor.grab()
    assert calls.waterfall.axis.start > 5000 and calls.waterfall.axis.seconds < 0.5
    calls.scrollToTop()
    monitor.grab()
    assert calls.waterfall.axis.start == 1000.0 and calls.waterfall.axis.seconds > 4000


def test_texts_of_values() -> None:
    assert [size_text(size) for size in (-1, 0, 999, 1000, 99_949, 99_950, 999_500, 12_345_678_901, 10**15)] == [
        *("", "0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "1.0 MB", "12.3 GB", "1000000 GB")
    ]
    assert [time_text(value) for value in (0.0, 9.94, 9.96, 999.4, 999.6, 99_499, 99_501)] == [
        *("0.0 ms", "9.9 ms", "10 ms", "999 ms", "1.00 s", "99.50 s", "100 s")
    ]
    assert moment_text(1e30) == "" and len(moment_text(0.5)) == 12
    assert bounded("x" * 3000) == "x" * 2000 + "… (3000 characters)"


def test_time_axis() -> None:
    for seconds in (1e-4, 0.003, 0.1, 1.0, 7.0, 59.0, 86_400.0):
        axis = TimeAxis(0.0, seconds)
        assert 1 < seconds / axis.spacing() <= 8
        assert axis.x(0.0, 10.0, 100.0) == 10.0 and axis.x(seconds, 10.0, 100.0) == 110.0
        assert axis.x(-5.0, 10.0, 100.0) == 10.0 and axis.x(seconds * 9, 10.0, 100.0) == 110.0
        assert scale_text(axis).startswith("Timings │ ")
    assert axis_of([], 0.0) == TimeAxis()


def test_segments(log: NetworkLog, add: AddCall) -> None:
    add(started=10.0, seconds=1.0, timings=Timings(connect=500.0))  # the step after it has failed
    add(started=10.0, seconds=1.0, timings=Timings(connect=500.0, wait=480.0))
    add(started=10.0, seconds=1.0)
    found = [[(each.step, each.start, each.end) for each in segments_of(entry, 0.0)] for entry in log.entries()]
    assert found[0] == [("connect", 10.0, 10.5), ("other", 10.5, 11.0)]
    assert [step for step, *_ in found[1]] == ["connect", "wait"]
    assert found[2] == [("total", 10.0, 11.0)]


@pytest.mark.parametrize("size", [(1100, 620), (360, 320)], ids=["large", "small"])
@pytest.mark.parametrize("name", ["light", "dark"])
def test_sizes_and_palettes(name: str, size: tuple[int, int], monitor: NetworkMonitor, qtbot: Any) -> None:
    """The bars can be seen at each size, and a change of the palette is followed at once."""
    monitor.resize(*size)
    calls = table(monitor)
    calls.select(0)
    monitor.grab()
    palette = PALETTES[name]()
    monitor.setPalette(palette)
    QtWidgets.QApplication.processEvents()
    picture = monitor.grab()
    if PICTURES is not None:
        picture.save(str(PICTURES / f"monitor-{name}-{size[0]}.png"))
    colors = monitor_colors(palette)
    assert table(monitor).model().index(2, STATUS).data(QtCore.Qt.ItemDataRole.ForegroundRole).color() == colors.error  # type: ignore[union-attr]
    viewport: Any = calls.viewport()
    image = viewport.grab().toImage()
    seen = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(0, image.height(), 2)}
    drawn = ("lookUp", "connect", "tls", "wait", "receive", *(("total",) if size[1] > 400 else ()))
    assert {colors.steps[step].name() for step in drawn} <= seen
    assert palette.color(Role.Base).name() in seen
    hidden = [column.title for place, column in enumerate(COLUMNS) if calls.isColumnHidden(place)]
    assert (len(hidden) > 4) == (size[0] < 1000) and not {"Status", "Path", "Timings"} & set(hidden)
    bar: Any = calls.horizontalScrollBar()
    assert bar.maximum() == 0, "the table must not be scrolled sideways"


def test_running_bars_grow(log: NetworkLog, monitor: NetworkMonitor, add: AddCall, qtbot: Any) -> None:
    add("http://h/running", started=time.time())
    from blocking_request.netlog.entry import record_of_entry

    entry = log.entries()[-1]
    record_of_entry(entry).ended = None
    monitor.setFilter("running")
    calls = table(monitor)
    qtbot.waitUntil(lambda: calls.model().rowCount() == 1)  # type: ignore[union-attr]
    monitor.grab()
    first = calls.waterfall.axis.seconds
    qtbot.waitUntil(lambda: calls.waterfall.axis.seconds > first + 0.3)


def test_another_font(monitor: NetworkMonitor) -> None:
    calls = table(monitor)
    before = calls.rowHeight(0)
    font = monitor.font()
    font.setPointSize(font.pointSize() * 2)
    monitor.setFont(font)
    QtWidgets.QApplication.processEvents()
    assert calls.rowHeight(0) > before

"""NetworkMonitor in a window: rows, filter, keys, details, copies, files."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from blocking_request import BlockingNetworkRequest, Feedback, NetworkAccessManager
from blocking_request import trace as trace_module
from blocking_request.netlog import NetworkEntry, NetworkLog, NetworkMonitor
from blocking_request.netlog.monitor.model import CallsModel
from blocking_request.netlog.monitor.table import CallsTable
from blocking_request.netlog.monitor.texts import COLUMNS
from blocking_request.qt.binding import QtCore, delete
from blocking_request.qt.widgets import QtGui, QtWidgets

from ..support.names import OK, Serve
from ..support.servers.raw import Connection, always, silence
from .conftest import AddCall

Key, Modifier = QtCore.Qt.Key, QtCore.Qt.KeyboardModifier
CONTROL = Modifier.ControlModifier


@pytest.fixture
def monitor(log: NetworkLog, qtbot: Any) -> NetworkMonitor:
    made = NetworkMonitor(log)
    qtbot.addWidget(made)
    made.resize(1000, 600)
    made.show()
    qtbot.waitExposed(made)
    return made


def table(monitor: NetworkMonitor) -> CallsTable:
    found = monitor.findChild(QtWidgets.QTableView)
    assert isinstance(found, CallsTable)
    return found


def named(monitor: NetworkMonitor, name: str) -> Any:
    """Return the widget with this accessible name."""
    (found,) = [
        each
        for each in monitor.findChildren(QtWidgets.QWidget)
        if each.accessibleName() == name and not isinstance(each.parent(), QtWidgets.QComboBox)
    ]
    return found


def rows(monitor: NetworkMonitor) -> list[list[str]]:
    model: Any = table(monitor).model()
    return [[model.index(row, place).data() for place in range(len(COLUMNS))] for row in range(model.rowCount())]


def column(monitor: NetworkMonitor, title: str) -> list[str]:
    place = [each.title for each in COLUMNS].index(title)
    return [row[place] for row in rows(monitor)]


def message(monitor: NetworkMonitor) -> str:
    text: str = named(monitor, "State of the log").text()
    return text


def redirecting(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if b" /old " in request:
            connection.respond(b"gone", "302 Found", "Location: /new\r\n")
        elif b" /missing " in request:
            connection.respond(b"not here", "404 Not Found")
        else:
            connection.respond(b'{"a": [1]}', headers="Content-Type: application/json\r\n")


def test_calls_of_each_engine(
    engine: str, manager: NetworkAccessManager, log: NetworkLog, monitor: NetworkMonitor, qtbot: Any, serve: Serve
) -> None:
    url = serve(redirecting).url
    request = BlockingNetworkRequest(manager)
    request.post(f"{url}/a?b=1", b"data")
    request.get(f"{url}/missing")
    request.get("http://127.0.0.1:1/")
    qtbot.waitUntil(lambda: len(rows(monitor)) == 3)
    assert [row[1:6] for row in rows(monitor)] == [
        ["POST", "200", "127.0.0.1", "/a?b=1", "10 B"],
        ["GET", "404", "127.0.0.1", "/missing", "8 B"],
        ["GET", "failed", "127.0.0.1", "/", ""],
    ]
    assert column(monitor, "Engine") == [engine] * 3 and message(monitor) == "3 calls"


def test_call_that_is_running(manager: NetworkAccessManager, monitor: NetworkMonitor, qtbot: Any, serve: Serve) -> None:
    feedback = Feedback()
    url = serve(silence).url
    thread = threading.Thread(target=BlockingNetworkRequest(manager).get, args=(url,), kwargs={"feedback": feedback})
    thread.start()
    qtbot.waitUntil(lambda: column(monitor, "Status") == ["running"])
    table(monitor).select(0)
    assert "There is no response yet." in named(monitor, "About the body of the response").text()
    feedback.cancel()
    thread.join()
    qtbot.waitUntil(lambda: column(monitor, "Status") == ["canceled"])
    qtbot.waitUntil(lambda: "There is no response." in named(monitor, "About the body of the response").text())
    assert "Operation canceled" in named(monitor, "General").toPlainText()


def test_requests_of_one_call(manager: NetworkAccessManager, monitor: NetworkMonitor, qtbot: Any, serve: Serve) -> None:
    url = serve(redirecting).url
    assert BlockingNetworkRequest(manager).get(f"{url}/old") is OK
    qtbot.waitUntil(lambda: len(rows(monitor)) == 1)
    assert column(monitor, "Requests") == ["2"]
    table(monitor).select(0)
    requests = named(monitor, "Request of the call")
    texts = [requests.itemText(place) for place in range(requests.count())]
    assert texts == [*(f"Call: 200 GET {url}/old", f"1. request: 302 GET {url}/old", f"2. redirect: 200 GET {url}/new")]
    assert requests.isVisible() and requests.currentIndex() == 0
    assert "First request: GET /old" in named(monitor, "Header fields").toPlainText()
    clipboard: Any = QtWidgets.QApplication.clipboard()
    copied = []
    for place, body in enumerate(['{\n  "a": [\n    1\n  ]\n}', "gone", '{\n  "a": [\n    1\n  ]\n}']):
        requests.setCurrentIndex(place)
        requests.activated.emit(place)
        assert named(monitor, "Body of the response").toPlainText() == body
        qtbot.keyClick(table(monitor), Key.Key_C, CONTROL)
        copied.append(clipboard.text())
    requests.setCurrentIndex(0)
    requests.activated.emit(0)
    timings = named(monitor, "Timings of the request").accessibleDescription()
    assert ("1. Wait" in timings and "2. Wait" in timings) or timings.startswith("Total")  # qt does not know the steps
    (call,) = monitor.log().entries()
    assert copied == [each.asCurl() for each in (call, *call.children())] and "--location" in copied[0]
    requests.setCurrentIndex(1)
    requests.activated.emit(1)
    assert "/new" in named(monitor, "Header fields").toPlainText()
    assert BlockingNetworkRequest(manager).get(f"{url}/missing")
    qtbot.waitUntil(lambda: len(rows(monitor)) == 2)
    assert requests.currentIndex() == 1 and table(monitor).selected_row() == 0
    table(monitor).select(1)
    assert not requests.isVisible()


def test_filter(add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    for name, status in (("a.example.org", 200), ("b.example.org", 404), ("example.net", 503)):
        add(f"http://{name}/Item", status=status)
    qtbot.waitUntil(lambda: len(rows(monitor)) == 3)
    qtbot.keyClicks(named(monitor, "Filter by text"), "ITEM")
    assert len(rows(monitor)) == 3
    qtbot.keyClicks(named(monitor, "Filter by host"), "*.example.org")
    assert column(monitor, "Host") == ["a.example.org", "b.example.org"]
    assert message(monitor) == "2 of 3 calls"
    status = named(monitor, "Filter by status")
    qtbot.keyClicks(status, "4")
    assert column(monitor, "Status") == []
    qtbot.keyClicks(status, "0")
    qtbot.keyClicks(status, "4")
    assert column(monitor, "Status") == ["404"]
    status.setEditText("4x")
    assert "The filter is not used: status must be a number such as 404" in message(monitor)
    assert column(monitor, "Status") == ["404"]
    status.setEditText("4xx")
    assert column(monitor, "Status") == ["404"] and "filter" not in message(monitor)
    monitor.setFilter(status=503)
    assert column(monitor, "Host") == ["example.net"] and named(monitor, "Filter by text").text() == ""
    monitor.setFilter()
    assert len(rows(monitor)) == 3
    with pytest.raises(TypeError, match="text and host must be str"):
        monitor.setFilter(text=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="4xx"):
        monitor.setFilter(status="many")


def test_call_that_leaves_and_enters_the_filter(
    manager: NetworkAccessManager, monitor: NetworkMonitor, qtbot: Any, serve: Serve
) -> None:
    monitor.setFilter(status="2xx")
    feedback = Feedback()
    quiet = serve(silence).url
    thread = threading.Thread(target=BlockingNetworkRequest(manager).get, args=(quiet,), kwargs={"feedback": feedback})
    thread.start()
    BlockingNetworkRequest(manager).get(serve(redirecting).url)
    qtbot.waitUntil(lambda: column(monitor, "Status") == ["200"] and message(monitor) == "1 of 2 calls")
    monitor.setFilter("canceled")
    assert rows(monitor) == []
    feedback.cancel()
    thread.join()
    qtbot.waitUntil(lambda: column(monitor, "Status") == ["canceled"])
    assert len(rows(monitor)) == 1


def click_header(monitor: NetworkMonitor, qtbot: Any, title: str) -> None:
    header: Any = table(monitor).horizontalHeader()
    place = [each.title for each in COLUMNS].index(title)
    x = header.sectionViewportPosition(place) + header.sectionSize(place) // 2
    qtbot.mouseClick(header.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(x, header.height() // 2))


def test_sort_by_a_click(add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    for seconds, body in ((0.2, b"x" * 3), (0.1, b"x" * 30), (0.3, b"")):
        add(seconds=seconds, body=body)
    qtbot.waitUntil(lambda: len(rows(monitor)) == 3)
    table(monitor).select(0)
    click_header(monitor, qtbot, "Time")
    assert column(monitor, "Time") == ["100 ms", "200 ms", "300 ms"]
    qtbot.waitUntil(lambda: table(monitor).selected_row() == 1)
    click_header(monitor, qtbot, "Time")
    assert column(monitor, "Time") == ["300 ms", "200 ms", "100 ms"]
    add(seconds=0.25, body=b"y")
    qtbot.waitUntil(lambda: column(monitor, "Time") == ["300 ms", "250 ms", "200 ms", "100 ms"])
    qtbot.waitUntil(lambda: table(monitor).selected_row() == 2)
    click_header(monitor, qtbot, "Size")
    assert column(monitor, "Size") == ["0 B", "1 B", "3 B", "30 B"]
    click_header(monitor, qtbot, "Start")
    assert column(monitor, "Time") == ["200 ms", "100 ms", "300 ms", "250 ms"]


def test_pause_and_clear(log: NetworkLog, add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    add()
    qtbot.waitUntil(lambda: len(rows(monitor)) == 1)
    pause = named(monitor, "Pause")
    qtbot.mouseClick(pause, QtCore.Qt.MouseButton.LeftButton)
    assert log.isPaused() and pause.isChecked() and message(monitor) == "1 call, paused"
    qtbot.mouseClick(pause, QtCore.Qt.MouseButton.LeftButton)
    assert not log.isPaused() and message(monitor) == "1 call"
    for paused in (True, False):
        log.setPaused(paused)  # by the program
        qtbot.waitUntil(lambda paused=paused: pause.isChecked() is paused)
        assert ("paused" in message(monitor)) is paused
    table(monitor).select(0)
    qtbot.mouseClick(named(monitor, "Clear"), QtCore.Qt.MouseButton.LeftButton)
    assert log.count() == 0 and rows(monitor) == [] and monitor.selectedEntry() is None
    add()
    qtbot.waitUntil(lambda: len(rows(monitor)) == 1)
    log.clear()  # by the program
    qtbot.waitUntil(lambda: rows(monitor) == [])


def test_keys(log: NetworkLog, add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    add()
    qtbot.waitUntil(lambda: len(rows(monitor)) == 1)
    monitor.activateWindow()
    calls = table(monitor)
    calls.setFocus()
    qtbot.keyClick(calls, Key.Key_Space)
    assert log.isPaused()
    qtbot.keyClick(calls, Key.Key_Space)
    assert not log.isPaused()
    qtbot.keyClick(calls, Key.Key_Down)
    assert calls.selected_row() == 0
    clipboard: Any = QtWidgets.QApplication.clipboard()
    clipboard.setText("")
    qtbot.keyClick(calls, Key.Key_C, CONTROL)
    assert clipboard.text() == log.entries()[0].asCurl()
    text = named(monitor, "Filter by text")
    qtbot.keyClick(calls, Key.Key_F, CONTROL)
    qtbot.waitUntil(text.hasFocus)
    qtbot.keyClicks(text, " a")
    assert text.text() == " a" and not log.isPaused()
    qtbot.keyClick(text, Key.Key_Delete)
    assert log.count() == 1  # a key of the field
    qtbot.keyClick(text, Key.Key_L, CONTROL)
    assert log.count() == 0
    add()
    qtbot.keyClick(calls, Key.Key_Delete)
    assert log.count() == 1  # of all calls, it would be a surprise


def test_keys_that_the_main_window_has_too(add: AddCall, log: NetworkLog, qtbot: Any) -> None:
    """In QGIS, Ctrl+F and Ctrl+L may be the shortcuts of something else."""
    window = QtWidgets.QMainWindow()
    qtbot.addWidget(window)
    heard: list[str] = []
    shortcut: Any = getattr(QtGui, "QShortcut", None) or QtWidgets.QShortcut
    for keys in ("Ctrl+F", "Ctrl+L", "Space", "Delete", "Ctrl+C"):
        made = shortcut(QtGui.QKeySequence(keys), window)
        made.activated.connect(lambda keys=keys: heard.append(keys))
    dock = QtWidgets.QDockWidget("Network", window)
    monitor = NetworkMonitor(log, dock)
    dock.setWidget(monitor)
    window.addDockWidget(QtCore.Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    window.setCentralWidget(QtWidgets.QLineEdit())
    window.show()
    qtbot.waitExposed(window)
    add()
    calls = table(monitor)
    calls.setFocus()
    qtbot.keyClick(calls, Key.Key_Space)
    assert log.isPaused()
    qtbot.keyClick(calls, Key.Key_L, CONTROL)
    assert log.count() == 0
    qtbot.keyClick(calls, Key.Key_F, CONTROL)
    qtbot.waitUntil(named(monitor, "Filter by text").hasFocus)
    assert heard == []
    qtbot.keyClick(window.centralWidget(), Key.Key_F, CONTROL)
    assert heard == ["Ctrl+F"]


def test_tab_order_and_accessible_names(add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    add()
    qtbot.waitUntil(lambda: len(rows(monitor)) == 1)
    table(monitor).select(0)
    first = named(monitor, "Filter by text")
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    visited = []
    while True:
        focused = QtWidgets.QApplication.focusWidget()
        assert focused is not None
        if focused.accessibleName() in visited:
            break
        visited.append(focused.accessibleName())
        qtbot.keyClick(focused, Key.Key_Tab)
    assert visited[:9] == [
        *("Filter by text", "Filter by host", "Filter by status"),
        *("Pause", "Clear", "Copy as cURL", "Copy as Python", "Save HAR…", "Calls"),
    ]
    assert "" not in visited and "General" in visited
    for kind in (QtWidgets.QAbstractButton, QtWidgets.QLineEdit, QtWidgets.QComboBox, QtWidgets.QTextEdit):
        for each in monitor.findChildren(kind):
            if each.isVisible() and each.focusPolicy() != QtCore.Qt.FocusPolicy.NoFocus:
                assert each.accessibleName(), each
    model: Any = table(monitor).model()
    assert model.index(0, 2).data(QtCore.Qt.ItemDataRole.AccessibleTextRole) == "Status 200"


def test_copies(log: NetworkLog, add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    curl, python = named(monitor, "Copy as cURL"), named(monitor, "Copy as Python")
    assert not curl.isEnabled() and not python.isEnabled()
    add("http://h/1", method="POST", request_body=b"x", request_size=1)
    qtbot.waitUntil(lambda: len(rows(monitor)) == 1)
    table(monitor).select(0)
    (entry,) = log.entries()
    clipboard: Any = QtWidgets.QApplication.clipboard()
    qtbot.mouseClick(curl, QtCore.Qt.MouseButton.LeftButton)
    assert clipboard.text() == entry.asCurl() and "clipboard" in message(monitor)
    qtbot.mouseClick(python, QtCore.Qt.MouseButton.LeftButton)
    assert clipboard.text() == entry.asPython()


def test_saved_har(add: AddCall, monitor: NetworkMonitor, qtbot: Any, tmp_path: Path) -> None:
    add()
    monitor.saveHar(tmp_path / "calls.har")
    qtbot.waitUntil(lambda: "The calls are saved" in message(monitor))
    assert len(json.loads((tmp_path / "calls.har").read_text())["log"]["entries"]) == 1


@pytest.mark.parametrize("name", ["missing/calls.har", "folder", "nul\0.har"])
def test_har_that_cannot_be_saved(name: str, add: AddCall, monitor: NetworkMonitor, qtbot: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.har").write_text("mine")
    add()
    monitor.saveHar(str(tmp_path / name))
    qtbot.waitUntil(lambda: "The calls are not saved in" in message(monitor))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "other.har"]
    with pytest.raises(TypeError):
        monitor.saveHar(1)  # type: ignore[arg-type]


def test_dialog_of_a_har_file(add: AddCall, monitor: NetworkMonitor, qtbot: Any, tmp_path: Path) -> None:
    add()
    qtbot.mouseClick(named(monitor, "Save HAR…"), QtCore.Qt.MouseButton.LeftButton)
    (dialog,) = monitor.findChildren(QtWidgets.QFileDialog)
    dialog.selectFile(str(tmp_path / "chosen.har"))
    dialog.accept()
    qtbot.waitUntil(lambda: "The calls are saved" in message(monitor))
    assert (tmp_path / "chosen.har").exists()


def test_arguments(log: NetworkLog, monitor: NetworkMonitor) -> None:
    with pytest.raises(TypeError, match="log must be a NetworkLog or None, not str"):
        NetworkMonitor("log")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="entry must be a NetworkEntry or None, not int"):
        monitor.selectEntry(1)  # type: ignore[arg-type]
    assert monitor.log() is log
    raised: list[str] = []

    def make() -> None:
        try:
            NetworkMonitor(log)
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert raised == ["A NetworkMonitor is a widget: make it in the thread of the QApplication"]


def test_selected_entry(log: NetworkLog, add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    add("http://h/1")
    add("http://h/2")
    qtbot.waitUntil(lambda: len(rows(monitor)) == 2)
    first, second = log.entries()
    monitor.selectEntry(second)
    assert monitor.selectedEntry() == second and table(monitor).selected_row() == 1
    monitor.setFilter("h/1")
    assert table(monitor).selected_row() == -1 and monitor.selectedEntry() == second
    monitor.setFilter()
    assert table(monitor).selected_row() == 1
    monitor.selectEntry(None)
    assert monitor.selectedEntry() is None and table(monitor).selected_row() == -1
    assert isinstance(first, NetworkEntry)


@pytest.mark.parametrize("width", [400, 1000])
def test_selected_entry_is_scrolled_to(
    width: int, log: NetworkLog, add: AddCall, monitor: NetworkMonitor, qtbot: Any
) -> None:
    """Also in a narrow table, which hides the first column."""
    monitor.resize(width, 600)
    for _ in range(200):
        add()
    qtbot.waitUntil(lambda: len(rows(monitor)) == 200)
    for place in (0, 150, 50, 199):
        monitor.selectEntry(log.entries()[place])
        y, height = table(monitor).rowViewportPosition(place), table(monitor).rowHeight(place)
        assert 0 <= y <= table(monitor).viewport().height() - height  # type: ignore[union-attr]


def test_own_log_ends_with_the_widget(qtbot: Any) -> None:
    before = trace_module.recorders
    monitor = NetworkMonitor()
    log = monitor.log()
    assert (log.maximumEntries(), log.bodies()) == (500, 1 << 19)
    assert len(trace_module.recorders) == len(before) + 1
    delete(monitor)
    assert not log.isActive() and trace_module.recorders == before


def run_calls(manager: NetworkAccessManager, url: str, stop: threading.Event) -> threading.Thread:
    def run() -> None:
        request = BlockingNetworkRequest(manager)
        while not stop.is_set():
            request.get(url)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("how", ["close", "delete", "drop the log", "delete the log"])
def test_end_while_calls_run(how: str, manager: NetworkAccessManager, qtbot: Any, serve: Serve) -> None:
    """Nothing crashes, and nothing is left."""
    before = trace_module.recorders
    url, stop = serve(always(b"body")).url, threading.Event()
    thread = run_calls(manager, url, stop)
    for _ in range(5):
        log = NetworkLog(manager, maximumEntries=50)
        monitor = NetworkMonitor(log)
        monitor.show()
        qtbot.waitUntil(lambda monitor=monitor: len(rows(monitor)) > 10)
        table(monitor).select(0)
        gone = weakref.ref(monitor), weakref.ref(log)
        if how == "drop the log":
            del log
            gc.collect()
            assert gone[1]() is monitor.log()
            qtbot.wait(60)
        elif how == "delete the log":
            delete(log)
            del log
            qtbot.wait(60)
            monitor.setPaused(True)
            monitor.clear()
            monitor.setFilter("a")
        elif how == "close":
            monitor.close()
            qtbot.wait(60)
        if how == "delete":
            monitor.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
            monitor.close()
            monitor.deleteLater()
            qtbot.wait(10)
        else:
            delete(monitor)
        del monitor
        log = None  # type: ignore[assignment]
        gc.collect()
        assert gone[0]() is None and gone[1]() is None
    stop.set()
    thread.join()
    assert trace_module.recorders == before


def test_model_is_that_of_the_table(monitor: NetworkMonitor, qtmodeltester: Any, add: AddCall, qtbot: Any) -> None:
    add()
    qtbot.waitUntil(lambda: len(rows(monitor)) == 1)
    model = table(monitor).model()
    assert isinstance(model, CallsModel)
    qtmodeltester.check(model)

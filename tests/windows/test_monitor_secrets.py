"""No text of the monitor contains a secret: cells, tool tips, details, bodies, the clipboard, messages, names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import requests

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, QtAdapter
from blocking_request.netlog import NetworkLog, NetworkMonitor
from blocking_request.netlog.monitor.texts import COLUMNS
from blocking_request.qt.binding import QtCore
from blocking_request.qt.widgets import QtWidgets

from ..support.names import OK, Serve
from ..support.secret_requests import SECRET, VISIBLE, log_in, secretive, send_secrets
from .test_monitor import named

Role = QtCore.Qt.ItemDataRole
ROLES = (Role.DisplayRole, Role.ToolTipRole, Role.AccessibleTextRole, Role.AccessibleDescriptionRole, Role.EditRole)
READERS = (
    *("text", "toPlainText", "toHtml", "toolTip", "statusTip", "whatsThis", "accessibleName"),
    *("accessibleDescription", "placeholderText", "windowTitle", "title"),
)


def texts_of_widgets(monitor: NetworkMonitor) -> Iterator[str]:
    for each in (monitor, *monitor.findChildren(QtCore.QObject)):
        yield repr(each)
        for name in READERS:
            reader = getattr(each, name, None)
            if callable(reader):
                yield str(reader())
        if isinstance(each, QtWidgets.QComboBox):
            yield from (each.itemText(place) for place in range(each.count()))


def texts_of_cells(monitor: NetworkMonitor) -> Iterator[str]:
    model: Any = monitor.findChild(QtWidgets.QTableView).model()
    for role in ROLES:
        for place in range(len(COLUMNS)):
            yield str(model.headerData(place, QtCore.Qt.Orientation.Horizontal, role))
            yield from (str(model.index(row, place).data(role)) for row in range(model.rowCount()))


@pytest.fixture
def all_texts(manager: NetworkAccessManager, qtbot: Any, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """A function that returns all texts, with each request of each call in the details, one after another."""
    manager.setSecretParameters(["mine", "X-Mine-*"])
    clipboard: Any = QtWidgets.QApplication.clipboard()
    with NetworkLog(manager, timings=True) as log:
        monitor = NetworkMonitor(log)
        qtbot.addWidget(monitor)

        def read() -> str:
            found: list[str] = []
            model: Any = monitor.findChild(QtWidgets.QTableView).model()
            qtbot.waitUntil(lambda: model.rowCount() == log.count() > 0)
            choice = named(monitor, "Request of the call")
            for entry in log.entries():
                monitor.selectEntry(entry)
                for place in range(max(choice.count(), 1)):
                    choice.setCurrentIndex(place)
                    choice.activated.emit(place)
                    for copy in (monitor.copyAsCurl, monitor.copyAsPython):
                        copy()
                        found += (clipboard.text(), *texts_of_widgets(monitor))
            found += texts_of_cells(monitor)
            monitor.saveHar(tmp_path / "saved.har")
            qtbot.waitUntil(lambda: "saved in" in named(monitor, "State of the log").text())
            return "\n".join((*found, (tmp_path / "saved.har").read_text("utf-8")))

        yield read


def check(text: str) -> None:
    where = [line[max(line.find(SECRET) - 150, 0) :][:300] for line in text.splitlines() if SECRET in line]
    assert not where, where[:3]
    assert VISIBLE in text and "bWU6aHVudGVyMg" not in text  # me:hunter2 in base64


def test_secrets_of_calls(manager: NetworkAccessManager, all_texts: Callable[[], str], serve: Serve) -> None:
    server = serve(secretive).url
    url = send_secrets(manager, server)
    xml = f"<a><password>{SECRET}</password></a>".encode()
    request = BlockingNetworkRequest(manager)
    assert request.put(f"{url}&xml", xml, headers={"Content-Type": "text/xml"}) is OK
    session = requests.Session()
    session.mount("http://", QtAdapter(manager))
    session.get(f"{server}/old?token={SECRET}&shown={VISIBLE}", auth=("me", SECRET), cookies={"a": SECRET})
    check(all_texts())


@pytest.mark.parametrize("kind", ["Basic", "Digest"])
def test_secrets_of_a_login(
    kind: str, manager: NetworkAccessManager, all_texts: Callable[[], str], serve: Serve
) -> None:
    log_in(kind, manager, serve)
    text = all_texts()
    assert f"{kind} ***" in text and "response=" not in text and "cGxhaW5seTp" not in text
    check(text)


def test_secrets_of_a_proxy(manager: NetworkAccessManager, all_texts: Callable[[], str], serve: Serve) -> None:
    manager.setProxy(f"http://me:{SECRET}@127.0.0.1:{serve(secretive).port}")
    assert BlockingNetworkRequest(manager).get(f"http://{VISIBLE}.example/?token={SECRET}") is OK
    check(all_texts())


def test_secrets_of_failures(manager: NetworkAccessManager, all_texts: Callable[[], str]) -> None:
    request = BlockingNetworkRequest(manager)
    for url in (
        f"http://me:{SECRET}@127.0.0.1:1/?token={SECRET}",
        f"ftp://me:{SECRET}@{VISIBLE}/?token={SECRET}",
        f"http://me:{SECRET}@[{VISIBLE}/?token={SECRET}",
        f"http://me:{SECRET}@h:port/?token={SECRET}",
    ):
        assert request.get(url, headers={"Authorization": f"Bearer {SECRET}"}) is not OK
    check(all_texts())


def test_secret_at_the_end_of_the_kept_part(
    manager: NetworkAccessManager, all_texts: Callable[[], str], serve: Serve, qtbot: Any
) -> None:
    """A body that is longer than the preview, and than the log keeps."""
    body = b'{"a": "' + VISIBLE.encode() + b"x" * 65_480 + b'", "token": "' + SECRET.encode() * 20 + b'"}'
    assert BlockingNetworkRequest(manager).post(serve(secretive).url, body) is OK
    check(all_texts())

"""The details of a call: header fields, bodies as text, JSON and pictures, timings, TLS."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.models.timings import Timings
from blocking_request.netlog import NetworkLog, NetworkMonitor
from blocking_request.netlog.entry import record_of_entry
from blocking_request.netlog.monitor.body_preview import HEX_BYTES, LINE, SIDE, TEXT_BYTES
from blocking_request.netlog.monitor.details import FIELDS_LISTED
from blocking_request.qt.binding import QtCore, delete
from blocking_request.qt.widgets import QtGui, QtWidgets

from ..support.names import OK, TLS_ENGINES
from ..support.servers.tls import TlsServer
from .conftest import AddCall
from .test_monitor import monitor, named

__all__ = ["monitor"]


def show_last(log: NetworkLog, monitor: NetworkMonitor) -> None:
    monitor.selectEntry(log.entries()[-1])


def body_text(monitor: NetworkMonitor) -> str:
    text: str = named(monitor, "Body of the response").toPlainText()
    return text


def about(monitor: NetworkMonitor, which: str = "response") -> str:
    text: str = named(monitor, f"About the body of the {which}").text()
    return text


def picture(monitor: NetworkMonitor) -> Any:
    found = named(monitor, "Body of the response as a picture").pixmap()
    return None if found is None or found.isNull() else found


def png(width: int, height: int) -> bytes:
    image = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtGui.QColor("steelblue"))
    data = QtCore.QByteArray()
    buffer = QtCore.QBuffer(data)
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    assert image.save(buffer, "PNG")
    return bytes(data.data())


def test_nothing_is_selected(monitor: NetworkMonitor) -> None:
    assert named(monitor, "General").toPlainText() == "Select a call in the table."


@pytest.mark.parametrize(
    ("body", "kind", "shown", "remark"),
    [
        (b"plain", "text/plain", "plain", "text/plain, 5 B"),
        (
            b'{"a": [1, "\xc3\xa4"]}',
            "application/json",
            '{\n  "a": [\n    1,\n    "ä"\n  ]\n}',
            "application/json, 16 B",
        ),
        (b'{"a": ', "application/json", '{"a": ', "application/json, 6 B"),
        (b"<p>a</p>", "text/html", "<p>a</p>", "text/html, 8 B"),
        (b"a\x1b[31m\r\n\tb", "text/plain", "a\\x1b[31m\n\tb", "text/plain, 10 B"),
        (b"\0\1A", "application/octet-stream", "000000  00 01 41", "3 B; its first 3 bytes in hex"),
        (b"\xff" * 2000, "application/x", "000000  ff ff", f"its first {HEX_BYTES} bytes in hex"),
        (b"", "text/plain", "", "The body is empty."),
        (None, "text/plain", "", "The log has not kept the body."),
        (b"x", "", "x", "no type, 1 B"),
        (b"\x89PNG\r\n\x1a\n", "image/png", "000000  89 50", "the picture is not whole"),
        (b"GIF89a", "image/gif", "GIF89a", "the picture cannot be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "<svg xmlns=", "image/svg+xml"),
    ],
)
def test_bodies(
    body: Any, kind: str, shown: str, remark: str, log: NetworkLog, add: AddCall, monitor: NetworkMonitor
) -> None:
    add(body=body, content_type=kind)
    show_last(log, monitor)
    assert shown in body_text(monitor) and (shown or not body_text(monitor))
    assert remark in about(monitor)
    assert picture(monitor) is None


def test_large_bodies_are_bounded(log: NetworkLog, add: AddCall, monitor: NetworkMonitor) -> None:
    add(body=b"x" * 3_000_000)
    show_last(log, monitor)
    assert len(body_text(monitor).replace("\n", "")) == TEXT_BYTES and max(map(len, body_text(monitor).split())) == LINE
    assert "its first 65.5 kB are shown" in about(monitor)
    deep = b"[" * 900 + b"1," * 30_000 + b"1" + b"]" * 900
    for body in (deep, b"[" * 50_000, b'{"a":' * 10_000):
        add(body=body, content_type="application/json")
        show_last(log, monitor)
        assert len(body_text(monitor)) <= 4 * TEXT_BYTES
    add(body=b"x" * 100, response_size=1_000_000)
    show_last(log, monitor)
    assert about(monitor) == "text/plain, 1.0 MB; the log has kept the first 100 B"


def test_pictures(log: NetworkLog, add: AddCall, monitor: NetworkMonitor, capfd: pytest.CaptureFixture[str]) -> None:
    add(body=png(30, 20), content_type="image/png; a=b")
    show_last(log, monitor)
    assert (picture(monitor).width(), picture(monitor).height()) == (30, 20)
    assert about(monitor).endswith("; 30 × 20 pixels")
    add(body=png(3000, 1500), content_type="image/png")
    show_last(log, monitor)
    assert max(picture(monitor).width(), picture(monitor).height()) == SIDE
    add(body=png(300, 200)[:200], content_type="image/png")
    show_last(log, monitor)
    assert picture(monitor) is None and about(monitor).endswith("; the picture is not whole")
    add(body=png(300, 200)[:200], content_type="image/png", response_size=100_000)
    show_last(log, monitor)
    assert picture(monitor) is None and "the first 200 B; the picture is not shown: NetworkLog(" in about(monitor)
    assert capfd.readouterr().err == ""  # libpng writes there
    add(body=b"text", content_type="text/plain")
    show_last(log, monitor)
    assert picture(monitor) is None and body_text(monitor) == "text"


def test_picture_that_would_need_gigabytes(log: NetworkLog, add: AddCall, monitor: NetworkMonitor) -> None:
    """60 000 x 60 000 pixels in some kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (60_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
    add(body=bomb + chunk(b"IEND", b""), content_type="image/png")
    show_last(log, monitor)
    assert picture(monitor) is None and "too large to be shown" in about(monitor)
    add(body=b"\x89PNG" + bytes(5_000_000), content_type="image/png")
    show_last(log, monitor)
    assert "a picture of more than 4.2 MB is not shown" in about(monitor)


def test_texts_are_no_html(log: NetworkLog, add: AddCall, monitor: NetworkMonitor, qtbot: Any) -> None:
    tag = "<img src='file:///etc/hostname'><b>bold</b>"
    add(f"no url {tag}", error=tag, status=0, request_headers=((b"X-Tag", tag.encode()),))
    show_last(log, monitor)
    assert tag in named(monitor, "General").toPlainText() and tag in named(monitor, "Header fields").toPlainText()
    table: Any = monitor.findChild(QtWidgets.QTableView)
    qtbot.waitUntil(lambda: table.model().rowCount() == 1)
    tip = table.model().index(0, 4).data(QtCore.Qt.ItemDataRole.ToolTipRole)
    assert "<img" not in tip and "&lt;img" in tip


def test_many_and_long_fields(log: NetworkLog, add: AddCall, monitor: NetworkMonitor) -> None:
    fields = tuple((f"X-{number}".encode(), b"y" * 10_000) for number in range(FIELDS_LISTED + 5))
    add(request_headers=fields)
    show_last(log, monitor)
    text = named(monitor, "Header fields").toPlainText()
    assert "5 more fields" in text and "… (10000 characters)" in text and len(text) < 1_000_000


def test_request_body(log: NetworkLog, add: AddCall, monitor: NetworkMonitor) -> None:
    kind = ((b"Content-Type", b"application/json"),)
    add(method="POST", request_headers=kind, request_body=b'{"password": "hunter2", "a": 1}')
    show_last(log, monitor)
    assert json.loads(named(monitor, "Body of the request").toPlainText()) == {"password": "***", "a": 1}
    assert about(monitor, "request") == "application/json, 31 B"
    add(method="POST", request_size=1000)
    show_last(log, monitor)
    assert "it was read from a file or an iterator" in about(monitor, "request")
    add(request_size=0)
    show_last(log, monitor)
    assert about(monitor, "request") == "The request has no body."


def test_timings(log: NetworkLog, add: AddCall, monitor: NetworkMonitor) -> None:
    add(seconds=0.4, timings=Timings(lookUp=100, wait=200, receive=100))
    show_last(log, monitor)
    view = named(monitor, "Timings of the request")
    assert view.accessibleDescription() == "Look-up 100 ms\nWait 200 ms\nReceive 100 ms\nTotal 400 ms"
    view.resize(400, 200)
    view.grab()
    add(seconds=0.4)
    show_last(log, monitor)
    assert view.accessibleDescription() == "Total 400 ms\nThe steps are not known."
    record_of_entry(log.entries()[-1]).engine = "qt"
    monitor.selectEntry(None)
    show_last(log, monitor)
    assert "the qt engine reports them for NetworkLog(timings=True)" in view.accessibleDescription()
    view.grab()
    add(seconds=0.4, status=0)
    show_last(log, monitor)
    assert view.accessibleDescription() == "Total 400 ms\nThe steps are not known: there is no response."


def test_timings_of_a_log_with_timings(add: AddCall, log: NetworkLog) -> None:
    """It does not advise to do as has been done."""
    monitor = NetworkMonitor()
    add(seconds=0.4)
    (entry,) = log.entries()
    record_of_entry(entry).engine = "qt"
    monitor.selectEntry(entry)
    view = named(monitor, "Timings of the request")
    assert view.accessibleDescription() == "Total 400 ms\nThe steps are not known."
    delete(monitor)  # with its log


@pytest.mark.parametrize("engine", TLS_ENGINES, indirect=True)
def test_tls(engine: str, manager: NetworkAccessManager, log: NetworkLog, monitor: NetworkMonitor) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    assert BlockingNetworkRequest(manager).get(server.url) is OK
    server.close()
    show_last(log, monitor)
    text = named(monitor, "TLS session").toPlainText()
    for part in ("TLSv1.", "Cipher", "Issuer", "127.0.0.1", "sha256:"):
        assert part in text
    assert "127.0.0.1" in named(monitor, "General").toPlainText()

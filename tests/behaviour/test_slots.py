"""Exceptions in slots are reported; they end neither the process nor the call."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Callable

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback
from blocking_request.qt.slot_exceptions import slot_exceptions_reported

from ..support.interpreter import frequent_thread_switches
from ..support.marks import needs_fork
from ..support.names import Serve
from ..support.servers.raw import Connection

PROGRAM = """
import signal, sys
from blocking_request import BlockingNetworkRequest, Feedback
from blocking_request.qhttp import Http
from blocking_request.qt.binding import QtCore

url, engine = sys.argv[1:]
app = QtCore.QCoreApplication([])
feedback, request, http = Feedback(), BlockingNetworkRequest(), Http("127.0.0.1")
request.setEngine(engine)

def slot(name, *values):
    raise ValueError(name)

def connect(owner, *names):
    for name in names:
        getattr(owner, name).connect(lambda *values, name=name: slot(name))

connect(feedback, "progressChanged", "percentChanged", "processedCountChanged", "canceled")
connect(request, "downloadProgress", "percentChanged", "redirected", "errorOccurred", "downloadFinished", "finished")
print(request.get(url + "/redirect", feedback=feedback).name)
feedback.setProcessedCount(3)
feedback.cancel()
print(request.get(url, feedback=feedback).name)

connect(http, "requestStarted", "requestFinished", "done", "stateChanged", "responseHeaderReceived", "readyRead")
http.setHost("127.0.0.1", int(url.rpartition(":")[2]))
http.get("/")
print(http.waitForDone(10_000))

def interrupt(*values):
    signal.raise_signal(signal.SIGINT)
    for _ in range(1000): pass

other = BlockingNetworkRequest()
other.downloadProgress.connect(interrupt)
try:
    print(other.get(url).name)
except KeyboardInterrupt:
    print("interrupted")
print(sys.excepthook is sys.__excepthook__)
"""


def redirect_or_hello(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if b"/redirect" in request:
            connection.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
        else:
            connection.respond(b"hello")


def test_exceptions_in_slots_of_each_signal(engine: str, serve: Serve) -> None:
    server = serve(redirect_or_hello)
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, server.url, engine], capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["NoError", "CanceledError", "True", "interrupted", "True"], process.stderr
    names = {line[12:] for line in process.stderr.splitlines() if line.startswith("ValueError: ")}
    assert names == {
        "progressChanged", "percentChanged", "processedCountChanged", "canceled",
        "downloadProgress", "redirected", "errorOccurred", "downloadFinished", "finished",
        "requestStarted", "requestFinished", "done", "stateChanged", "responseHeaderReceived", "readyRead",
    }  # fmt: skip


FOREIGN_FEEDBACK = """
import sys
from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore, Signal

class ForeignFeedback(QtCore.QObject):
    progressChanged = Signal(float)

    def isCanceled(self):
        return False

    def setProgress(self, progress):
        self.progressChanged.emit(progress)

def slot(progress):
    raise ValueError("progressChanged")

app = QtCore.QCoreApplication([])
feedback, request = ForeignFeedback(), BlockingNetworkRequest()
feedback.progressChanged.connect(slot)
request.setEngine(sys.argv[2])
print(request.get(sys.argv[1], feedback=feedback).name)
"""


def test_exceptions_in_slots_of_a_foreign_feedback(engine: str, serve: Serve) -> None:
    """As QgsFeedback, it emits its signals itself. PyQt would end the process."""
    process = subprocess.run(
        [sys.executable, "-c", FOREIGN_FEEDBACK, serve(redirect_or_hello).url, engine],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (process.returncode, process.stdout) == (0, "NoError\n"), process.stderr
    assert "ValueError: progressChanged" in process.stderr


def test_excepthook_of_the_program(
    blocking: BlockingNetworkRequest, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, reported = serve(redirect_or_hello), []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: reported.append(str(error)))
    hook = sys.excepthook

    def slot() -> None:
        raise ValueError("mine")

    blocking.finished.connect(slot)
    assert blocking.get(server.url) is ErrorCode.NoError
    assert reported == ["mine"] and sys.excepthook is hook


def test_excepthook_set_by_a_slot_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[str] = []

    def hook(kind: object, error: BaseException, trace: object) -> None:
        reported.append(str(error))
        earlier(type(error), error, None)

    earlier: Callable[..., object] = sys.excepthook
    monkeypatch.setattr(sys, "excepthook", lambda *_: reported.append("first"))
    with slot_exceptions_reported:
        earlier = sys.excepthook
        monkeypatch.setattr(sys, "excepthook", hook)
    assert sys.excepthook is hook
    with slot_exceptions_reported:
        sys.excepthook(ValueError, ValueError("x"), None)
    assert reported == ["x", "first"] and sys.excepthook is hook


def test_interrupt_of_another_thread_uses_the_excepthook(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[type] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: reported.append(kind))

    def interrupted() -> None:
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
        with slot_exceptions_reported:
            pass

    with slot_exceptions_reported:
        thread = threading.Thread(target=interrupted)
        thread.start()
        thread.join()
    assert reported == [KeyboardInterrupt]


FORKING = """
import os, sys, threading
from blocking_request.qt.slot_exceptions import slot_exceptions_reported

hook = sys.excepthook
entered, leave = threading.Event(), threading.Event()


def other():
    with slot_exceptions_reported:
        entered.set()
        leave.wait()


threading.Thread(target=other).start()
entered.wait()
child = os.fork()
if not child:
    is_put_back = sys.excepthook is hook
    with slot_exceptions_reported:
        is_set = sys.excepthook is not hook
    os._exit(0 if is_put_back and is_set and sys.excepthook is hook else 1)
leave.set()
sys.exit(os.waitpid(child, 0)[1] >> 8)
"""


@needs_fork
def test_forked_child_restores_the_excepthook() -> None:
    """At the fork another thread of the parent was in the block; the child does not have this thread."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING], check=True, timeout=60)


def test_excepthook_is_restored_after_concurrent_calls() -> None:
    hook = sys.excepthook

    def work() -> None:
        for _ in range(500):
            with slot_exceptions_reported:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    with frequent_thread_switches():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sys.excepthook is hook


def test_percent_changed_signal(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def quarters(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n")
        for _ in range(4):
            connection.send(b"x" * 10_000)

    percents: list[int] = []
    told: list[int] = []
    feedback = Feedback()
    feedback.percentChanged.connect(told.append)
    blocking.percentChanged.connect(percents.append)
    assert blocking.get(serve(quarters).url, feedback=feedback) is ErrorCode.NoError
    assert percents[-1] == told[-1] == 100
    assert percents == sorted(set(percents)) and all(type(each) is int for each in percents)


def test_no_percent_changed_signal_without_a_length(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def chunked(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")

    percents: list[int] = []
    blocking.percentChanged.connect(percents.append)
    assert blocking.get(serve(chunked).url) is ErrorCode.NoError
    assert percents == []

"""The promises that are also tried with Qt's own classes, for comparison."""

from __future__ import annotations

import signal
import time
from typing import Any

from ... import ErrorCode
from ...qt.binding import QtCore, QtNetwork, enum_value, run_event_loop
from .promise import LIMIT_MS, Outcome, ShowProgress, new_request
from .server import TEXT, DemoServer

TIMER_MS = 10


class _EntryCounter(QtCore.QObject):
    """Counts how often Qt enters this program: by a timer, and by an event that was posted."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = self.events = 0
        self._timer = self.startTimer(TIMER_MS)
        QtCore.QCoreApplication.postEvent(self, QtCore.QEvent(QtCore.QEvent.Type.User))

    def timerEvent(self, event: Any) -> None:
        self.timers += 1

    def customEvent(self, event: Any) -> None:
        self.events += 1

    def stop(self) -> dict[str, int]:
        self.killTimer(self._timer)
        QtCore.QCoreApplication.removePostedEvents(self)
        return {"timers": self.timers, "events": self.events}


def try_main_thread(server: DemoServer, _: ShowProgress) -> Outcome:
    url = f"{server.url}/slow"
    request = new_request()
    counter = _EntryCounter()
    started = time.perf_counter()
    code = request.get(url)
    milliseconds = (time.perf_counter() - started) * 1000
    entered = counter.stop()
    counter = _EntryCounter()
    get_with_qt(url)
    entered_by_qt = counter.stop()
    return Outcome(
        code is ErrorCode.NoError and not any(entered.values()),
        (f"In {milliseconds:.0f} ms, {_entries(entered)}",),
        {"code": code.name, "milliseconds": round(milliseconds, 3), "entered": entered, "qtAlone": entered_by_qt},
        f"In the same GET with a nested QEventLoop, {_entries(entered_by_qt)}",
    )


def _entries(counts: dict[str, int]) -> str:
    arrived = "arrived" if counts["events"] else "did not arrive"
    return f"a timer of {TIMER_MS} ms ran {counts['timers']} times, and a posted event {arrived}"


def get_with_qt(url: str) -> tuple[int, int]:
    """GET with Qt's own classes, as many programs do. Return the error's number and the size of the body."""
    manager = QtNetwork.QNetworkAccessManager()
    loop = QtCore.QEventLoop()
    reply: Any = manager.get(QtNetwork.QNetworkRequest(QtCore.QUrl(url)))
    reply.finished.connect(loop.quit)
    limit = QtCore.QTimer()
    limit.setSingleShot(True)
    limit.timeout.connect(loop.quit)
    limit.start(LIMIT_MS)
    _run(loop)
    limit.stop()
    return enum_value(reply.error()), len(bytes(reply.readAll()))


def _run(loop: QtCore.QEventLoop) -> None:
    """Run an event loop. A signal that would raise KeyboardInterrupt ends it, and is handled then.

    PyQt aborts the process if an exception leaves a method that Qt calls, such as ``timerEvent``.
    """
    received: list[int] = []

    def stop(number: int, _: object) -> None:
        received.append(number)
        loop.quit()

    handlers: dict[int, Any] = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and callable(signal.getsignal(number)):
            handlers[number] = signal.signal(number, stop)
    try:
        run_event_loop(loop)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if received:
        handlers[received[0]](received[0], None)


def try_truncated_body(server: DemoServer, _: ShowProgress) -> Outcome:
    request = new_request()
    code = request.get(f"{server.url}/half")
    reason = request.errorMessage().partition(" (http")[0]
    size = len(request.reply().body)
    error, size_by_qt = get_with_qt(f"{server.url}/half")
    return Outcome(
        code is ErrorCode.NetworkError,
        (f"{code.name} after {size} of {len(TEXT)} bytes{': ' if reason else ''}{reason}",),
        {
            "code": code.name,
            "message": reason,
            "bytes": size,
            "completeBytes": len(TEXT),
            "qtAlone": {"error": error, "bytes": size_by_qt},
        },
        f"QNetworkReply says {'NoError' if error == 0 else f'error {error}'} after {size_by_qt} bytes",
    )

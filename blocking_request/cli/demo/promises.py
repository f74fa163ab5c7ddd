"""The demonstration: six promises of the package, each tried on a server on loopback."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from ... import BlockingNetworkRequest, ErrorCode, Feedback
from ...qt.binding import QtCore, QtNetwork, enum_value
from .server import DOWNLOAD_BYTES, DOWNLOAD_CHECKSUM, HELLO, TEXT, DemoServer

TIMEOUT_MS = 250
LIMIT_MS = 10_000
"""No request of the demonstration takes longer, if it has no other timeout."""
THREADS = 64
CANCELS = 5
CANCEL_MS = 50
TIMER_MS = 10


@dataclass(frozen=True)
class Outcome:
    """The result of trying one promise.

    ``happened``: paragraphs. ``qt_alone``: the same thing with Qt's own classes, '' if it was not tried. ``figures``:
    what ``--json`` shows of it.
    """

    is_kept: bool
    happened: tuple[str, ...]
    figures: dict[str, Any]
    qt_alone: str = ""


ShowProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Promise:
    """``run``: tries it on a server. It takes a function that shows the progress of a download, in bytes."""

    name: str
    text: str
    run: Callable[[DemoServer, ShowProgress], Outcome] = field(repr=False)


def _new_request(engine: str = "") -> BlockingNetworkRequest:
    request = BlockingNetworkRequest()
    request.setTimeout(LIMIT_MS)
    if engine:
        request.setEngine(engine)
    return request


# How each call ends


@dataclass(frozen=True)
class _Row:
    """The result of one request, and whether it is the documented one."""

    request: str
    code: ErrorCode
    status: Any
    size: int
    milliseconds: float
    engine: str
    is_as_documented: bool


def _try_outcomes(server: DemoServer, _: ShowProgress) -> Outcome:
    request, url = _new_request(), server.url
    late = _new_request()
    late.setTimeout(TIMEOUT_MS)
    none, broken = ErrorCode.NoError, ErrorCode.NetworkError
    missing, timeout = ErrorCode.ServerExceptionError, ErrorCode.TimeoutError
    size = len(HELLO)
    rows = [
        _row(request, "GET", none, 200, size, lambda: request.get(f"{url}/hello")),
        _row(request, "HEAD", none, 200, 0, lambda: request.head(f"{url}/hello")),
        _row(request, "POST", none, 200, 7, lambda: request.post(f"{url}/echo", b"a=1&b=2")),
        _row(request, "PUT", none, 200, 100_000, lambda: request.put(f"{url}/echo", b"x" * 100_000)),
        _row(request, "PATCH", none, 200, 5, lambda: request.patch(f"{url}/echo", b"patch")),
        _row(request, "DELETE", none, 200, size, lambda: request.deleteResource(f"{url}/hello")),
        _row(request, "OPTIONS", none, 200, size, lambda: request.sendCustomRequest(f"{url}/hello", "OPTIONS")),
        _row(request, "a redirect", none, 200, size, lambda: request.post(f"{url}/redirect", b"a=1")),
        _row(request, "status 404", missing, 404, 23, lambda: request.get(f"{url}/missing")),
        _row(request, "no server", broken, None, 0, lambda: request.get("http://127.0.0.1:1/")),
        _row(request, "connection lost", broken, 200, size, lambda: request.get(f"{url}/truncated")),
        _row(late, f"silence for {TIMEOUT_MS} ms", timeout, None, 0, lambda: late.get(f"{url}/silence")),
    ]
    server.silent.acquire(timeout=1)
    happened = [f"{', '.join(row.request for row in rows if row.code is code)}: {code.name}" for code in ErrorCode]
    wrong = [row for row in rows if not row.is_as_documented]
    if wrong:
        happened.append(f"Not as documented: {', '.join(row.request for row in wrong)}")
    return Outcome(
        not wrong,
        tuple(line for line in happened if not line.startswith(":")),
        {
            "requests": [
                {
                    "request": row.request,
                    "code": row.code.name,
                    "status": row.status,
                    "bytes": row.size,
                    "milliseconds": round(row.milliseconds, 3),
                    "engine": row.engine,
                    "asDocumented": row.is_as_documented,
                }
                for row in rows
            ]
        },
    )


def _row(
    blocking: BlockingNetworkRequest, name: str, code: ErrorCode, status: Any, size: int, call: Callable[[], ErrorCode]
) -> _Row:
    """Do a call, and compare its result with the documented code, status and size of the body."""
    started = time.perf_counter()
    actual = call()
    milliseconds = (time.perf_counter() - started) * 1000
    reply = blocking.reply()
    is_as_documented = (actual, reply.statusCode(), len(reply.body)) == (code, status, size)
    return _Row(name, actual, reply.statusCode(), len(reply.body), milliseconds, reply.engine(), is_as_documented)


# Threads


def _try_threads(server: DemoServer, _: ShowProgress) -> Outcome:
    figures = [_run_threads(server, engine) for engine in ("qt", "python")]
    return Outcome(
        all(of_engine["ownResponses"] == THREADS for of_engine in figures),
        tuple(
            f"Engine {of_engine['engine']}: {of_engine['ownResponses']} of {THREADS} threads got their own response in "
            f"{of_engine['milliseconds']:.0f} ms; up to {of_engine['mostAtOnce']} requests were at the server at once"
            for of_engine in figures
        ),
        {"threads": THREADS, "engines": figures},
    )


def _run_threads(server: DemoServer, engine: str) -> dict[str, Any]:
    start = threading.Barrier(THREADS + 1)
    is_own = [False] * THREADS

    def call(number: int) -> None:
        request = _new_request(engine)
        start.wait()
        code = request.get(f"{server.url}/number/{number}")
        is_own[number] = code is ErrorCode.NoError and request.reply().body == b"/number/%d" % number

    threads = [threading.Thread(target=call, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    start.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return {
        "engine": engine,
        "ownResponses": sum(is_own),
        "milliseconds": round((time.perf_counter() - started) * 1000, 3),
        "mostAtOnce": server.most_running(),
    }


# Cancelling


def _try_cancel(server: DemoServer, _: ShowProgress) -> Outcome:
    request = _new_request()
    results = [_cancelled(request, server) for _ in range(CANCELS)]
    canceled = sum(code is ErrorCode.CanceledError for code, _ in results)
    latencies = [latency for _, latency in results]
    median = statistics.median(latencies)
    return Outcome(
        canceled == CANCELS and median <= CANCEL_MS,
        (
            f"{canceled} of {CANCELS} calls ended with CanceledError, {median:.1f} ms after the cancel (the median), "
            "while the server sent nothing",
        ),
        {"calls": CANCELS, "canceled": canceled, "latencies": [round(latency, 3) for latency in latencies]},
    )


def _cancelled(request: BlockingNetworkRequest, server: DemoServer) -> tuple[ErrorCode, float]:
    """Cancel a call whose request has arrived at the server. Return its code and the latency in milliseconds."""
    feedback = Feedback()
    cancelled_at = 0.0

    def cancel() -> None:
        nonlocal cancelled_at
        server.silent.acquire(timeout=LIMIT_MS / 1000)
        cancelled_at = time.perf_counter()
        feedback.cancel()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    code = request.get(f"{server.url}/silence", feedback=feedback)
    ended_at = time.perf_counter()
    thread.join()
    return code, (ended_at - cancelled_at) * 1000


# The main thread


class _Visitor(QtCore.QObject):
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


def _try_main_thread(server: DemoServer, _: ShowProgress) -> Outcome:
    url = f"{server.url}/slow"
    request = _new_request()
    visitor = _Visitor()
    started = time.perf_counter()
    code = request.get(url)
    milliseconds = (time.perf_counter() - started) * 1000
    entered = visitor.stop()
    visitor = _Visitor()
    _get_with_qt(url)
    entered_by_qt = visitor.stop()
    return Outcome(
        code is ErrorCode.NoError and not any(entered.values()),
        (f"In {milliseconds:.0f} ms, {_entries(entered)}",),
        {"code": code.name, "milliseconds": round(milliseconds, 3), "entered": entered, "qtAlone": entered_by_qt},
        f"In the same GET with a nested QEventLoop, {_entries(entered_by_qt)}",
    )


def _entries(counts: dict[str, int]) -> str:
    arrived = "arrived" if counts["events"] else "did not arrive"
    return f"a timer of {TIMER_MS} ms ran {counts['timers']} times, and a posted event {arrived}"


def _get_with_qt(url: str) -> tuple[int, int]:
    """GET with Qt's own classes, as many programs do. Return the error's number and the size of the body."""
    manager = QtNetwork.QNetworkAccessManager()
    loop = QtCore.QEventLoop()
    reply: Any = manager.get(QtNetwork.QNetworkRequest(QtCore.QUrl(url)))
    reply.finished.connect(loop.quit)
    limit = QtCore.QTimer()
    limit.setSingleShot(True)
    limit.timeout.connect(loop.quit)
    limit.start(LIMIT_MS)
    run = getattr(loop, "exec", None) or loop.exec_  # PyQt6 has no exec_
    run()
    limit.stop()
    return enum_value(reply.error()), len(bytes(reply.readAll()))


# A body that breaks off


def _try_truncated_body(server: DemoServer, _: ShowProgress) -> Outcome:
    request = _new_request()
    code = request.get(f"{server.url}/half")
    reason = request.errorMessage().partition(" (http")[0]
    size = len(request.reply().body)
    error, size_by_qt = _get_with_qt(f"{server.url}/half")
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


# A download


def _try_download(server: DemoServer, show: ShowProgress) -> Outcome:
    request = _new_request()
    caller = threading.get_ident()
    reports: list[tuple[int, int]] = []
    elsewhere = 0

    def progress(done: int, total: int) -> None:
        nonlocal elsewhere
        elsewhere += threading.get_ident() != caller
        reports.append((done, total))
        show(done, total)

    request.downloadProgress.connect(progress)
    with tempfile.TemporaryDirectory(prefix="blocking-request-demo-") as folder:
        path = Path(folder) / "file"
        started = time.perf_counter()
        code = request.download(f"{server.url}/download", path, checksum=DOWNLOAD_CHECKSUM)
        milliseconds = (time.perf_counter() - started) * 1000
        size = path.stat().st_size if path.exists() else 0
    is_rising = bool(reports) and reports == sorted(reports) and reports[-1] == (DOWNLOAD_BYTES, DOWNLOAD_BYTES)
    return Outcome(
        code is ErrorCode.NoError and size == DOWNLOAD_BYTES and is_rising and not elsewhere,
        (
            f"{code.name}: a file of {size / 1e6:.1f} MB in {milliseconds:.0f} ms, {len(reports)} reports of progress"
            + (f", {elsewhere} of them in another thread" if elsewhere else ""),
        ),
        {
            "code": code.name,
            "bytes": size,
            "milliseconds": round(milliseconds, 3),
            "progressReports": len(reports),
            "progressReportsInOtherThreads": elsewhere,
        },
    )


PROMISES = (
    Promise(
        "outcomes",
        "Each call returns a code that says how it ended. An HTTP error, a failure of the network and a timeout have "
        "different codes.",
        _try_outcomes,
    ),
    Promise(
        "threads",
        f"Any thread may call get(). If {THREADS} threads do it at the same moment, each gets its own response.",
        _try_threads,
    ),
    Promise("cancel", f"A cancel from another thread ends get() within {CANCEL_MS} ms.", _try_cancel),
    Promise(
        "main thread",
        "While get() blocks the main thread, no timer, event or slot of the program runs.",
        _try_main_thread,
    ),
    Promise(
        "truncated body",
        "A body that breaks off is an error, also in the middle of compressed data.",
        _try_truncated_body,
    ),
    Promise(
        "download",
        "A file appears when it is complete and has the right checksum. Progress is reported in the calling thread.",
        _try_download,
    ),
)

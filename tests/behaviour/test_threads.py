"""Calls in the main thread, Python threads, QThreads, thread pools and slots, also of one object in several threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any, Callable

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager, ReplyContent
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.qt.engine import QtEngine
from blocking_request.engines.qt.worker import WorkerThread
from blocking_request.models.http_messages import Request, Response
from blocking_request.qt.binding import QtCore, Signal, Slot
from blocking_request.request import call_runner

from ..support.names import ROOT, Serve
from ..support.servers.raw import Connection, always, echo, silence


def in_thread(work: Callable[[], Any]) -> Any:
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(work()))
    thread.start()
    thread.join(30)
    return result[0]


def in_qthread(work: Callable[[], Any]) -> Any:
    class Thread(QtCore.QThread):
        def run(self) -> None:
            self.result = work()

    thread = Thread()
    thread.start()
    assert thread.wait(30_000)
    return thread.result


def in_pool(work: Callable[[], Any]) -> Any:
    result: list[Any] = []

    class Runnable(QtCore.QRunnable):
        def run(self) -> None:
            result.append(work())

    pool = QtCore.QThreadPool()
    pool.start(Runnable())
    assert pool.waitForDone(30_000)
    return result[0]


def in_main(work: Callable[[], Any]) -> Any:
    return work()


def in_running_loop(work: Callable[[], Any]) -> Any:
    """Call it in a slot, with a running event loop."""
    result: list[Any] = []
    loop = QtCore.QEventLoop()

    def slot() -> None:
        result.append(work())
        loop.quit()

    QtCore.QTimer.singleShot(0, slot)
    loop.exec()
    return result[0]


CONTEXTS = [in_main, in_thread, in_qthread, in_pool, in_running_loop]


@pytest.mark.parametrize("context", CONTEXTS)
def test_request_in_each_kind_of_thread(context: Callable[..., Any], engine: str, httpbin: str) -> None:
    def work() -> Any:
        request = BlockingNetworkRequest()
        heard: list[int] = []
        request.finished.connect(lambda: heard.append(threading.get_ident()))
        request.downloadProgress.connect(lambda done, total: heard.append(threading.get_ident()))
        code = request.post(f"{httpbin}/post", b"a=1")
        return code, request.reply().json()["form"], set(heard) == {threading.get_ident()}

    assert context(work) == (ErrorCode.NoError, {"a": "1"}, True)


@pytest.mark.parametrize("context", CONTEXTS)
def test_timeout_in_each_kind_of_thread(context: Callable[..., Any], engine: str, serve: Serve) -> None:
    server = serve(silence)

    def work() -> ErrorCode:
        request = BlockingNetworkRequest()
        request.setTimeout(200)
        return request.get(server.url)

    assert context(work) is ErrorCode.TimeoutError


@pytest.mark.parametrize("context", CONTEXTS)
def test_object_created_in_another_thread(
    context: Callable[..., Any], blocking: BlockingNetworkRequest, httpbin: str
) -> None:
    assert context(lambda: blocking.get(f"{httpbin}/get")) is ErrorCode.NoError
    assert blocking.reply().statusCode() == 200


def test_64_threads_at_once(engine: str, serve: Serve) -> None:
    together = threading.Barrier(64, timeout=30)

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            together.wait()  # all 64 are at the server at the same time
            connection.respond(request)

    server = serve(handle)
    results: list[bool] = []

    def work(number: int) -> None:
        request = BlockingNetworkRequest()
        for turn in range(3):
            code = request.post(f"{server.url}/{number}/{turn}", b"%d" % number)
            results.append(
                code is ErrorCode.NoError and request.reply().body.startswith(b"POST /%d/%d " % (number, turn))
            )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [True] * 192
    # Connections are reused, except those of a worker that a busy machine delays for STUCK_SECONDS.
    assert 64 <= server.connections < 128


def test_a_hundred_calls_open_one_connection(engine: str, serve: Serve) -> None:
    server = serve(always(b"ok"))
    for _ in range(100):
        assert BlockingNetworkRequest().get(server.url) is ErrorCode.NoError
    assert in_thread(lambda: BlockingNetworkRequest().get(server.url)) is ErrorCode.NoError
    assert server.connections == 1


def test_busy_object_raises_at_once(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    proceed = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        proceed.wait(10)
        connection.respond(b"undisturbed")

    server = serve(handle)
    raised: list[str] = []

    def intrude() -> None:
        server.wait_for_requests(1)
        try:
            blocking.get(server.url)
        except RuntimeError as error:
            raised.append(str(error))
        proceed.set()

    thread = threading.Thread(target=intrude)
    thread.start()
    assert blocking.get(server.url) is ErrorCode.NoError
    thread.join()
    assert blocking.reply().body == b"undisturbed"
    assert "busy with another call" in raised[0]


def test_request_in_a_slot(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    inner = BlockingNetworkRequest()
    outcomes: list[Any] = []

    def slot(url: QtCore.QUrl) -> None:
        outcomes.append(inner.get(f"{httpbin}/status/204"))
        with pytest.raises(RuntimeError):
            blocking.get(httpbin)

    blocking.redirected.connect(slot)
    assert blocking.get(f"{httpbin}/redirect/1") is ErrorCode.NoError
    assert outcomes == [ErrorCode.NoError]


def test_blocking_call_processes_no_events(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    ticks: list[None] = []
    timer = QtCore.QTimer()
    timer.timeout.connect(lambda: ticks.append(None))
    timer.start(1)
    assert blocking.get(f"{httpbin}/delay/0.2") is ErrorCode.NoError
    assert ticks == []


def test_slot_of_an_object_in_another_thread(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    class Elsewhere(QtCore.QObject):
        heard = Signal()
        ran = threading.Event()

        @Slot()
        def handle_event(self) -> None:
            self.thread_id = threading.get_ident()
            self.ran.set()

    thread = QtCore.QThread()
    thread.start()
    elsewhere = Elsewhere()
    elsewhere.moveToThread(thread)
    blocking.finished.connect(elsewhere.handle_event)
    blocking.get(f"{httpbin}/get")
    assert elsewhere.ran.wait(10)
    assert elsewhere.thread_id != threading.get_ident()
    thread.quit()
    assert thread.wait(10_000)


def test_no_events_are_queued_without_an_event_loop(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """PyQt would queue one event for the end of each reply there, which leaks 200 bytes and deletes wrappers too early."""

    class Filter(QtCore.QObject):
        seen = 0

        def eventFilter(self, watched: Any, event: Any) -> bool:
            self.seen += 1
            return False

    application = QtCore.QCoreApplication.instance()
    assert application is not None
    server = serve(always(b"ok"))
    application.processEvents()
    event_filter = Filter()
    application.installEventFilter(event_filter)
    for _ in range(100):
        assert blocking.get(server.url) is ErrorCode.NoError
        assert blocking.post(server.url, b"data") is ErrorCode.NoError
    in_thread(application.processEvents)
    application.processEvents()
    application.removeEventFilter(event_filter)
    assert event_filter.seen < 50


def test_background_threads_with_a_running_event_loop(engine: str, serve: Serve) -> None:
    server = serve(echo)
    codes: list[ErrorCode] = []
    loop = QtCore.QEventLoop()
    ended = threading.Semaphore(0)

    def work(number: int) -> None:
        request = BlockingNetworkRequest()
        for turn in range(300):
            code = request.get(f"{server.url}/{number}/{turn}")
            codes.append(code if request.reply().body.startswith(b"GET /%d/%d " % (number, turn)) else None)  # type: ignore[arg-type]
        ended.release()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    timer = QtCore.QTimer()
    timer.timeout.connect(lambda: None if any(thread.is_alive() for thread in threads) else loop.quit())
    timer.start(10)
    loop.exec()
    assert codes == [ErrorCode.NoError] * 1200


def test_new_workers_cause_no_deadlock_with_managers(serve: Serve) -> None:
    """24 threads with fresh workers, while the main thread makes and drops managers: without the fix 5 of 5 runs had a deadlock."""
    server = serve(always(b"x" * 102_400))
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-m", "benchmarks.freeze", "cured", server.url],
            capture_output=True,
            timeout=60,
            check=False,
            cwd=ROOT,
        )
        assert run.returncode == 0, run.stderr


def interrupted_once(submit: Callable[..., None]) -> Callable[..., None]:
    calls: list[None] = []

    def interrupted(*arguments: Any) -> None:
        calls.append(None)
        if len(calls) == 1:
            raise KeyboardInterrupt
        submit(*arguments)

    return interrupted


def test_ctrl_c_while_the_reply_is_created(
    blocking: BlockingNetworkRequest, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    server = serve(always(b"ok"))
    with monkeypatch.context() as patch:
        patch.setattr(ReplyContent, "from_response", interrupt)
        with pytest.raises(KeyboardInterrupt):
            blocking.get(server.url)
    assert blocking.get(server.url) is ErrorCode.NoError


@pytest.mark.parametrize("where", ["begin", "end"])
def test_ctrl_c_at_the_begin_or_end_of_a_call(
    where: str, blocking: BlockingNetworkRequest, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    class Interrupted(set[object]):
        add = interrupt

    server = serve(always(b"ok"))
    with monkeypatch.context() as patch:
        if where == "begin":
            patch.setattr(call_runner, "blocked_callers", Interrupted())
        else:
            patch.setattr(call_runner.CallRunner, "end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            blocking.get(server.url)
    assert blocking.get(server.url) is ErrorCode.NoError


def test_proxy_factory_that_releases_the_gil(serve: Serve) -> None:
    """18 threads and a Python proxy factory of the application that sleeps: there was a deadlock until calls of it were serialized."""
    proxy = serve(always(b"from the proxy"))
    program = f"""
import faulthandler, sys, threading, time
faulthandler.dump_traceback_later(25, exit=True)
from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore, QtNetwork
Proxy = QtNetwork.QNetworkProxy

class Factory(QtNetwork.QNetworkProxyFactory):
    def queryProxy(self, query=None):
        time.sleep(0.001)
        return [Proxy(Proxy.ProxyType.HttpProxy, "127.0.0.1", {proxy.port})]

app = QtCore.QCoreApplication([])
factory = Factory()
QtNetwork.QNetworkProxyFactory.setApplicationProxyFactory(factory)
bodies = []
def work():
    request = BlockingNetworkRequest()
    for _ in range(20):
        request.get("http://somewhere.invalid/")
        bodies.append(request.reply().body)
threads = [threading.Thread(target=work) for _ in range(18)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert bodies == [b"from the proxy"] * 360, set(bodies)
QtNetwork.QNetworkProxyFactory.setApplicationProxyFactory(None)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr.decode()


class TestWorkers:
    """How the Qt engine starts, shares and ends its workers."""

    def start(self, engine: QtEngine, url: str) -> Mailbox:
        mailbox = Mailbox()
        engine.start(Request("GET", url), mailbox)
        return mailbox

    def test_workers_are_added_for_each_six_transfers(self, serve: Serve) -> None:
        proceed = threading.Event()

        def handle(connection: Connection) -> None:
            while connection.read_request() is not None:
                proceed.wait(20)
                connection.respond(b"ok")

        server, other = serve(handle), serve(handle)
        engine = QtEngine()
        mailboxes = [self.start(engine, server.url) for _ in range(13)]
        assert engine.worker_count() == 3
        mailboxes += [self.start(engine, other.url) for _ in range(7)]
        assert engine.worker_count() == 3
        server.wait_for_requests(13)
        other.wait_for_requests(7)
        proceed.set()
        for mailbox in mailboxes:
            response = mailbox.take(10)
            assert isinstance(response, Response) and response.status == 200
        assert server.connections == 13
        engine.shutdown()
        assert engine.worker_count() == 0

    def test_idle_worker_ends(self, serve: Serve) -> None:
        server = serve(always(b"ok"))
        engine = QtEngine(idle_ms=50)
        for _ in range(3):
            self.start(engine, server.url).take(10)
            (worker,) = engine._workers
            assert worker.thread is not None
            assert worker.thread.wait(10_000)
            assert engine.worker_count() == 0

    def test_abort_before_the_worker_runs(self, serve: Serve) -> None:
        server = serve(always(b"ok"))
        engine = QtEngine()
        mailbox = Mailbox()
        transfer = engine.start(Request("GET", server.url), mailbox)
        transfer.abort()
        response = mailbox.take(10)
        assert isinstance(response, Response)
        assert response.failure is not None or response.status == 200
        engine.shutdown()

    def test_thread_that_cannot_be_started(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        server = serve(always(b"ok"))
        engine = QtEngine()
        with monkeypatch.context() as patch:
            patch.setattr(WorkerThread, "start", lambda self: None)  # as Qt does without memory, except for its warning
            response = self.start(engine, server.url).take(10)
        assert isinstance(response, Response) and response.failure is not None
        assert "could not be started" in response.failure.text
        response = self.start(engine, server.url).take(10)
        assert isinstance(response, Response) and response.status == 200
        engine.shutdown()

    @pytest.mark.parametrize("where", ["QtTransfer", "thread"])
    def test_interrupted_start_leaves_no_worker_busy(
        self, where: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        server = serve(always(b"ok"))
        engine = QtEngine()
        if where == "QtTransfer":
            self.start(engine, server.url).take(10)
        for _ in range(10):
            with monkeypatch.context() as patch:
                if where == "thread":
                    patch.setattr(WorkerThread, "__init__", interrupt)
                else:
                    patch.setattr(engine._workers[0], "submit", interrupted_once(engine._workers[0].submit))
                with pytest.raises(KeyboardInterrupt):
                    self.start(engine, server.url)
            if where == "QtTransfer":
                self.start(engine, server.url).take(10)  # the interrupted transfer has ended before this one
        for _ in range(6):
            response = self.start(engine, server.url).take(10)
            assert isinstance(response, Response) and response.status == 200
        assert engine.worker_count() == 1
        engine.shutdown()

    def test_shutdown_cancels_running_transfers(self, serve: Serve) -> None:
        server = serve(silence)
        engine = QtEngine()
        mailboxes = [self.start(engine, server.url) for _ in range(8)]
        server.wait_for_requests(8)
        engine.shutdown()
        for mailbox in mailboxes:
            response = mailbox.take(0)
            assert isinstance(response, Response) and response.failure is not None
            assert response.failure.code is ErrorCode.CanceledError

    def test_manager_shutdown_cancels_blocked_callers(self, serve: Serve) -> None:
        server = serve(silence)
        codes: list[ErrorCode] = []
        threads = [
            threading.Thread(target=lambda: codes.append(BlockingNetworkRequest().get(server.url))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        server.wait_for_requests(4)
        NetworkAccessManager.instance().shutdown()
        for thread in threads:
            thread.join(10)
        assert codes == [ErrorCode.CanceledError] * 4

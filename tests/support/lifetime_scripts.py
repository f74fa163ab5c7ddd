"""Programs that end, lose their application, fork or are interrupted while requests run: each is run by itself.

``python -m tests.support.lifetime_scripts NAME URL``: prints what happened and ends with 0. URL never answers
below /silent, streams for ever below /stream, and says hello elsewhere.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback, NetworkAccessManager, RequestError
from blocking_request.qhttp import Http
from blocking_request.qt.binding import API, QtCore

URL = sys.argv[2] if len(sys.argv) > 2 else ""

app: QtCore.QCoreApplication
"""Kept by programs that are to end with it."""
clients: list[Http]
"""Kept, too."""


def say(text: object) -> None:
    os.write(1, f"{text}\n".encode())  # in one piece, whatever other threads say


def get(path: str, **kwargs: object) -> ErrorCode:
    return BlockingNetworkRequest().get(URL + path, **kwargs)  # type: ignore[arg-type]


def in_flight(path: str, daemon: bool = True) -> threading.Thread:
    """A caller in another thread; returns when bytes have moved or the request is under way."""
    started = threading.Event()

    def work() -> None:
        request = BlockingNetworkRequest()
        request.downloadProgress.connect(lambda done, total: started.set())
        if path == "/silent":
            threading.Timer(0.2, started.set).start()
        code = request.get(URL + path)
        say(f"{code.name}: {request.errorMessage().partition(' (')[0]}")

    thread = threading.Thread(target=work, daemon=daemon)
    thread.start()
    assert started.wait(10)
    return thread


def streams_and_batches_in_flight() -> list[threading.Thread]:
    """One of each on each engine, in other threads; returns when all have received something, or are waiting."""
    ready = threading.Semaphore(0)

    def stream(engine: str) -> None:
        request = BlockingNetworkRequest()
        request.setEngine(engine)
        try:
            with request.stream(URL + "/stream") as chunks:
                for place, _ in enumerate(chunks):
                    if place == 0:
                        ready.release()
        except RequestError as error:
            say(f"{engine} stream {error.reply.errorCode().name}")

    def batch(engine: str) -> None:
        manager = NetworkAccessManager()
        manager.setEngine(engine)
        for result in manager.getMany([URL + path for path in ("/", "/silent", "/stream", "/silent")], ordered=False):
            say(f"{engine} batch {result.code.name}")
            if result.code is ErrorCode.NoError:
                ready.release()

    threads = [
        threading.Thread(target=work, args=(engine,), daemon=True)
        for engine in ("qt", "python")
        for work in (stream, batch)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert ready.acquire(timeout=10)
    time.sleep(0.1)  # the others of a batch are under way, too
    return threads


def no_application() -> None:
    request = BlockingNetworkRequest()
    say(f"{request.get(URL).name} {request.reply().engine()}")
    request.setEngine("qt")
    code = request.get(URL)
    say(f"{code.name}: {request.errorMessage()}")
    app = QtCore.QCoreApplication([])
    say(f"{request.get(URL).name} {request.reply().engine()}")
    end(app)
    del app


def idle_at_exit() -> None:
    global app
    app = QtCore.QCoreApplication([])
    say(get("/").name)


def dropped_at_exit() -> None:
    app = QtCore.QCoreApplication([])
    say(get("/").name)
    end(app)
    del app


def silent_at_exit() -> None:
    global app
    app = QtCore.QCoreApplication([])
    in_flight("/silent")


def streaming_at_exit() -> None:
    global app
    app = QtCore.QCoreApplication([])
    in_flight("/stream")


def end(app: QtCore.QCoreApplication) -> None:
    """PySide6 keeps an application until its ``shutdown()``, before which the threads of Qt must have ended."""
    if API == "PySide6":
        NetworkAccessManager.instance().shutdown()
        app.shutdown()  # type: ignore[attr-defined]


def many_at_exit() -> None:
    global app
    app = QtCore.QCoreApplication([])
    for _ in range(20):
        in_flight("/stream")


def clients_at_exit() -> None:
    """Objects of QHttp that wait for a response when the application is destroyed with the interpreter."""
    global app, clients
    app = QtCore.QCoreApplication([])
    clients = []
    for path in ("/silent", "/stream", "/", "/silent", "/stream"):
        client = Http("127.0.0.1", int(URL.rpartition(":")[2]))
        client.get(path)
        clients.append(client)
        for _ in range(5):
            QtCore.QCoreApplication.processEvents()
            time.sleep(0.01)
    say(len(clients))


def silent_as_the_application_goes() -> None:
    app = QtCore.QCoreApplication([])
    thread = in_flight("/silent")
    end(app)
    del app
    thread.join(10)
    say(thread.is_alive())


def streaming_as_the_application_goes() -> None:
    app = QtCore.QCoreApplication([])
    thread = in_flight("/stream")
    end(app)
    del app
    thread.join(10)
    say(thread.is_alive())


def application_made_again() -> None:
    for _ in range(5):
        app = QtCore.QCoreApplication([])
        for _ in range(3):
            say(get("/").name)
        end(app)
        del app
        say(get("/").name)


def quits_while_requests_run() -> None:
    global app
    app = QtCore.QCoreApplication([])
    threads = [in_flight("/silent"), in_flight("/stream")]
    QtCore.QTimer.singleShot(0, app.quit)
    app.exec()
    for thread in threads:
        thread.join(10)
    say([thread.is_alive() for thread in threads])
    say(get("/").name)


def quits_while_streams_and_batches_run() -> None:
    global app
    app = QtCore.QCoreApplication([])
    threads = streams_and_batches_in_flight()
    QtCore.QTimer.singleShot(0, app.quit)
    app.exec()
    for thread in threads:
        thread.join(10)
    say([thread.is_alive() for thread in threads])
    say(get("/").name)


def streams_and_batches_at_exit() -> None:
    global app
    app = QtCore.QCoreApplication([])
    streams_and_batches_in_flight()


def interrupted() -> None:
    global app
    app = QtCore.QCoreApplication([])
    heard: list[str] = []
    request = BlockingNetworkRequest()
    request.finished.connect(lambda: heard.append(request.reply().errorCode().name))
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    try:
        request.get(URL + "/silent")
    except KeyboardInterrupt:
        say(f"KeyboardInterrupt {heard} {time.monotonic() - started < 1}")
    say(request.get(URL).name)


def forked() -> None:
    global app
    app = QtCore.QCoreApplication([])
    say(get("/").name)
    child = os.fork()
    if child == 0:
        # PyQt5 cannot leave a forked child by sys.exit once the parent has used the network; nor can we help it.
        say("child " + get("/").name)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    say("parent " + get("/").name)


def forked_in_flight() -> None:
    global app
    app = QtCore.QCoreApplication([])
    thread = in_flight("/silent")
    child = os.fork()
    if child == 0:
        say("child " + get("/").name)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    say(thread.is_alive())


def forked_right_after_a_reply() -> None:
    """While the engine's threads still clean up after it."""
    global app
    app = QtCore.QCoreApplication([])
    from tests.support.servers.raw import RawServer, echo

    server = RawServer(echo)  # in this process, where it wants the GIL of the engine's threads, too
    manager = NetworkAccessManager.instance()
    manager.setEngine("qt")
    ends = set()
    for _ in range(150):
        assert manager.blockingGet(server.url).errorCode() is ErrorCode.NoError
        child = os.fork()
        if child == 0:
            signal.alarm(5)  # a frozen child holds the GIL: only the system can end it
            os._exit(manager.blockingGet(server.url).errorCode())
        ends.add(os.waitpid(child, 0)[1])
    say(ends)
    server.close()


def forked_during_the_first_calls() -> None:
    """Three threads call and fork, all for the first time. There is no application, so that only the python engine serves."""
    together = threading.Barrier(3)

    def work() -> None:
        together.wait()
        for _ in range(3):
            child = os.fork()
            if child == 0:
                signal.alarm(5)  # a hanging child waits for an import that a thread of the parent had begun
                os._exit(get("/"))
            assert get("/") is ErrorCode.NoError
            ends.append(os.waitpid(child, 0)[1])

    ends: list[int] = []
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(f"{len(ends)} {set(ends)}")


def called_at_exit() -> None:
    import atexit

    global app
    app = QtCore.QCoreApplication([])
    say(get("/").name)
    atexit.register(lambda: say("at exit " + get("/").name))


def workers_of_threads_that_end() -> None:
    """Each thread makes workers, the next one deletes them, and the thread that made them ends."""
    from blocking_request.engines.python.engine import PythonEngine
    from blocking_request.engines.qt.engine import QtEngine

    from .transfers import perform

    global app
    app = QtCore.QCoreApplication([])
    engines = (QtEngine(idle_ms=1), PythonEngine())
    statuses: list[object] = []

    def work() -> None:
        for engine in engines:
            for _ in range(3):
                statuses.append(perform(engine, URL).status)
                time.sleep(0.01)  # the worker ends meanwhile

    for _ in range(10):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    say(f"{len(statuses)} {set(statuses)}")


def feedback_outlives_its_application() -> None:
    app = QtCore.QCoreApplication([])
    feedback = Feedback()
    say(get("/", feedback=feedback).name)
    end(app)
    del app
    feedback.cancel()
    say(feedback.isCanceled())


def application_with_a_notify_of_its_own() -> None:
    """Every event of every thread then runs Python code, and so wants the GIL."""

    class Application(QtCore.QCoreApplication):
        def notify(self, sink: QtCore.QObject, event: QtCore.QEvent) -> bool:  # type: ignore[override]
            return super().notify(sink, event)

    global app
    app = Application([])
    for _ in range(3):
        say(get("/").name)
        NetworkAccessManager.instance().shutdown()


if __name__ == "__main__":
    faulthandler.dump_traceback_later(25, exit=True)
    globals()[sys.argv[1]]()

"""NetworkLog: which calls it has, with which requests, and its signals."""

from __future__ import annotations

import gc
import gzip
import pickle
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.util import Retry

from blocking_request import (
    AuthConfig,
    BatchRequest,
    BlockingNetworkRequest,
    Feedback,
    NetworkAccessManager,
    NetworkMemoryCache,
    QtAdapter,
)
from blocking_request import trace as trace_module
from blocking_request.models.call_record import CallRecord
from blocking_request.netlog import NetworkEntry, NetworkLog
from blocking_request.qhttp import Http
from blocking_request.qt.binding import QtCore, delete

from ..support.names import CANCELED, NET, OK, ROOT, SERVER, TIMEOUT, Serve
from ..support.servers.raw import Connection, RawServer, always, asking, silence
from ..support.waiting import eventually


def deliver() -> None:
    """Let the event loop of this thread handle the events that are there."""
    QtCore.QCoreApplication.sendPostedEvents()


def kinds(entry: NetworkEntry) -> list[str]:
    return [each.kind() for each in entry.children()]


def redirecting(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if b" /old " in request:
            connection.respond(b"gone", "302 Found", "Location: /new\r\n")
        else:
            connection.respond(b"body")


def test_single_call(engine: str, manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    server = serve(always(b"body", headers="Content-Type: text/plain\r\n"))
    blocking = BlockingNetworkRequest(manager)
    assert blocking.post(server.url + "/a?b=1", b"data", headers={"X-A": "1"}) is OK
    (entry,) = log.entries()
    assert (entry.kind(), entry.method(), entry.url(), entry.host()) == (
        "call",
        "POST",
        f"{server.url}/a?b=1",
        "127.0.0.1",
    )
    assert (entry.statusCode(), entry.reasonPhrase(), entry.errorCode(), entry.errorString()) == (200, "OK", OK, "")
    assert (entry.requestBody(), entry.requestSize()) == (b"data", 4)
    assert (entry.responseBody(), entry.responseSize(), entry.receivedBytes()) == (b"body", 4, 4)
    assert (entry.engine(), entry.httpVersion(), entry.isFromCache()) == (engine, "HTTP/1.1", False)
    assert entry.thread() == threading.current_thread().name and entry.isFinished() and entry.elapsed() > 0
    assert entry.requestId() == blocking.reply().requestId()
    assert ("content-type", "text/plain") in [(name.lower(), value) for name, value in entry.responseHeaders()]
    assert (entry.sessionProtocol(), entry.sessionCipher(), entry.peerCertificate(), entry.proxy()) == (
        "",
        "",
        None,
        "",
    )
    (child,) = entry.children()
    assert (child.kind(), child.children(), child.statusCode()) == ("request", [], 200)
    if engine == "python":
        assert entry.remoteAddress() == f"127.0.0.1:{server.port}" and entry.isReused() is False
        assert entry.timings().wait is not None


@pytest.mark.parametrize(
    ("method", "data", "headers"),
    [
        ("GET", None, {}),
        ("POST", b"abc", {"X-A": "1"}),
        ("POST", b"", {}),
        ("PUT", b"x" * 100_000, {"content-type": "text/plain"}),
        ("DELETE", None, {"Accept-Language": "de"}),
        ("HEAD", None, {"User-Agent": "me", "Host": "example.org"}),
        ("PATCH", b"a", {"Accept-Encoding": "identity"}),
        ("POST", None, {"Connection": "close"}),
    ],
)
def test_header_is_shown_as_it_was_sent(
    method: str,
    data: Any,
    headers: dict[str, str],
    manager: NetworkAccessManager,
    log: NetworkLog,
    serve: Serve,
) -> None:
    server = serve(always(b""))
    assert (
        BlockingNetworkRequest(manager).sendCustomRequest(f"{server.url}/a%20b?c=d#e", method, data, headers=headers)
        is OK
    )
    (entry,) = log.entries()
    line, *fields = server.requests[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert entry.requestLine() == line
    sent = [tuple(field.split(": ", 1)) for field in fields]
    # Qt 6 writes the names of known fields in its own way, and neither sorts them as the other engine.
    assert sorted((name.lower(), value) for name, value in entry.requestHeaders()) == sorted(
        (name.lower(), value) for name, value in sent
    )


def test_redirect(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    url = serve(redirecting).url
    assert BlockingNetworkRequest(manager).get(f"{url}/old") is OK
    (entry,) = log.entries()
    assert kinds(entry) == ["request", "redirect"]
    assert [(each.url(), each.statusCode()) for each in entry.children()] == [(f"{url}/old", 302), (f"{url}/new", 200)]
    assert (entry.url(), entry.statusCode(), entry.responseBody()) == (f"{url}/old", 200, b"body")
    assert entry.children()[0].responseBody() == b"gone"


def test_retry(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    manager.setRetry(Retry(2, status_forcelist=[503], raise_on_status=False))
    assert BlockingNetworkRequest(manager).get(serve(always(b"busy", "503 Busy")).url) is SERVER
    (entry,) = log.entries()
    assert kinds(entry) == ["request", "retry", "retry"]
    assert (entry.errorCode(), entry.statusCode()) == (SERVER, 503)


def test_login(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    request = BlockingNetworkRequest(manager)
    request.setAuthConfig(AuthConfig.digest("me", "hunter2"))
    challenge = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
    assert request.get(serve(asking(challenge)).url) is OK
    (entry,) = log.entries()
    assert kinds(entry) == ["request", "login"]
    last = entry.children()[1]
    assert dict(last.requestHeaders())["Authorization"] == "Digest ***"


def test_cache(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    server = serve(always(b"body", headers="Cache-Control: max-age=60\r\n"))
    manager.setCache(NetworkMemoryCache())
    request = BlockingNetworkRequest(manager)
    assert request.get(server.url) is request.get(server.url) is OK
    first, second = log.entries()
    assert (kinds(first), kinds(second)) == (["request"], ["cache"])
    assert (first.isFromCache(), second.isFromCache(), second.children()[0].isFromCache()) == (False, True, True)
    assert (second.statusCode(), second.responseBody(), second.engine()) == (200, b"body", "")
    assert second.requestLine() == ""


def test_redirect_of_the_cache(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b" /old " in request:
                connection.respond(b"", "301 Moved", "Location: /new\r\nCache-Control: max-age=60\r\n")
            else:
                connection.respond(b"body", headers="Cache-Control: no-store\r\n")

    manager.setCache(NetworkMemoryCache())
    request, url = BlockingNetworkRequest(manager), serve(handle).url
    assert request.get(f"{url}/old") is request.get(f"{url}/old") is OK
    assert [kinds(entry) for entry in log.entries()] == [["request", "redirect"], ["cache", "redirect"]]


def test_failures(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    request = BlockingNetworkRequest(manager)
    assert request.get("http://127.0.0.1:1/") is NET
    assert request.get("no url") is NET
    assert request.get("http://h/", headers={"X": "a\nb"}) is NET
    assert request.get(serve(silence).url, timeout=50) is TIMEOUT
    feedback = Feedback()
    feedback.cancel()
    assert request.get("http://127.0.0.1:1/", feedback=feedback) is CANCELED
    assert [entry.errorCode() for entry in log.entries()] == [NET, NET, NET, TIMEOUT, CANCELED]
    assert all(entry.errorString() and entry.isFinished() and entry.statusCode() is None for entry in log.entries())
    assert [len(entry.children()) for entry in log.entries()] == [1, 0, 0, 1, 1]
    assert all(entry.requestLine() == "" for entry in log.entries()[:3])
    assert "running" not in repr(log.entries()) and "TimeoutError" in repr(log.entries())


def test_exception_of_a_handler_ends_the_entry(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    def handler(realm: str, host: str, attempt: int) -> None:
        raise KeyError("mine")

    manager.setAuthHandler(handler)
    url = serve(asking('Basic realm="r"')).url
    with pytest.raises(KeyError):
        BlockingNetworkRequest(manager).get(url)
    with pytest.raises(KeyError):
        list(manager.getMany([url]))
    assert [(entry.isFinished(), entry.errorCode()) for entry in log.entries()] == [(True, CANCELED)] * 2
    assert [kinds(entry) for entry in log.entries()] == [["request"]] * 2


def test_batch(manager: NetworkAccessManager, log: NetworkLog, serve: Serve, tmp_path: Path) -> None:
    url = serve(redirecting).url
    list(manager.getMany([f"{url}/old", f"{url}/1", "no url"]))
    list(manager.downloadMany([f"{url}/2"], folder=tmp_path))
    list(manager.sendMany([BatchRequest(f"{url}/3", "PUT", b"sent")]))
    entries = {entry.url(): entry for entry in log.entries()}
    assert len(entries) == 5 and all(entry.isFinished() for entry in entries.values())
    assert kinds(entries[f"{url}/old"]) == ["request", "redirect"]
    assert entries["no url"].errorCode() is NET
    assert entries[f"{url}/2"].responseBody() == b"body"
    assert entries[f"{url}/3"].requestBody() == b"sent"


def test_batch_that_is_left(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    url = serve(always(b"body")).url
    with manager.getMany([url, *[serve(silence).url] * 3], ordered=False) as batch:
        next(batch)
    assert [entry.isFinished() for entry in log.entries()] == [True] * 4
    assert [entry.errorCode() for entry in log.entries()] == [OK, CANCELED, CANCELED, CANCELED]


def test_streamed_bodies(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    request, url = BlockingNetworkRequest(manager), serve(always(b"0123456789" * 1000)).url
    with NetworkLog(manager, bodies=100) as log:
        with request.stream(url) as chunks:
            assert len(b"".join(chunks)) == 10_000
        assert request.download(url, tmp_path / "file") is OK
        stream = request.stream(url)
        with stream:
            next(stream)
        assert request.get(url) is OK
    entries = log.entries()
    assert all(entry.isFinished() for entry in entries)
    for entry in (entries[0], entries[1], entries[3]):
        assert (entry.responseBody(), entry.responseSize()) == (b"0123456789" * 10, 10_000)
        assert entry.children()[0].responseBody() == b"0123456789" * 10
    assert entries[2].responseBody() == b"0123456789" * 10


def test_stream_that_is_dropped(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    def endless(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + b"x" * 1000)
        connection.wait_for_close()

    stream = BlockingNetworkRequest(manager).stream(serve(endless).url)
    stream.__enter__()
    assert not log.entries()[0].isFinished()
    del stream
    gc.collect()
    assert log.entries()[0].errorCode() is CANCELED


def test_requests_adapter(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    packed = gzip.compress(b'{"token": "hunter2", "a": 1}')
    fields = "Content-Encoding: gzip\r\nContent-Type: application/json\r\n"
    url = serve(always(packed, headers=fields)).url
    session = requests.Session()
    session.mount("http://", QtAdapter(manager))
    assert session.get(url).json()["a"] == 1
    assert session.get(url, stream=True).json()["a"] == 1
    with session.get(url, stream=True):
        pass
    with pytest.raises(requests.ConnectionError):
        session.get("http://127.0.0.1:1/")
    first, second, third, fourth = log.entries()
    for entry in (first, second):
        assert entry.responseBody() == b'{"token": "***", "a": 1}' and entry.statusCode() == 200
    assert third.isFinished() and fourth.errorCode() is NET


@pytest.mark.parametrize("size", [0, 100, 1000, 50_000])
def test_compressed_body_of_the_requests_adapter(size: int, manager: NetworkAccessManager, serve: Serve) -> None:
    packed = gzip.compress(b"a" * size)
    url = serve(always(packed, headers="Content-Encoding: gzip\r\nContent-Type: text/plain\r\n")).url
    with NetworkLog(manager, bodies=1000) as log, requests.Session() as session:
        session.mount("http://", QtAdapter(manager))
        assert len(session.get(url).content) == size
    (entry,) = log.entries()
    is_whole = size <= 1000
    assert entry.responseBody() == b"a" * min(size, 1000) and entry.receivedBytes() == len(packed)
    assert entry.responseSize() == (size if is_whole else -1)
    assert ("is not whole here: the log keeps 1000 bytes" in log.toHar()) is not is_whole


def test_http(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    server = serve(always(b"body"))
    http = Http("127.0.0.1", manager=manager)
    http.setHost("127.0.0.1", server.port)
    http.get("/a")
    assert http.waitForDone(10_000)
    http.setHost("127.0.0.1", 1)
    http.get("/b")
    assert http.waitForDone(10_000)
    first, second = log.entries()
    assert (first.url(), first.statusCode(), first.responseBody()) == (f"{server.url}/a", 200, b"body")
    assert second.errorCode() is NET and second.isFinished()


def test_only_the_calls_of_the_manager(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    url = serve(always(b"body")).url
    with NetworkLog() as everything:
        assert BlockingNetworkRequest(NetworkAccessManager()).get(url) is OK
        manager.setTimeout(5_000)  # changes the settings, and not the manager
        assert BlockingNetworkRequest(manager).get(url) is OK
    assert (log.count(), everything.count()) == (1, 2)


def test_closed_and_paused_log(manager: NetworkAccessManager, serve: Serve) -> None:
    request, url = BlockingNetworkRequest(manager), serve(always(b"body")).url
    before = trace_module.recorders
    log = NetworkLog(manager)
    log.setPaused(True)
    assert request.get(url) is OK
    assert (log.count(), log.isPaused(), log.isActive()) == (0, True, False)
    log.setPaused(False)
    assert request.get(url) is OK and log.isActive()
    log.close()
    log.close()
    assert request.get(url) is OK
    assert (log.count(), log.isActive(), trace_module.recorders) == (1, False, before)
    assert repr(log) == "<NetworkLog: 1 entries>"
    log.clear()
    assert log.entries() == []


def test_log_that_is_dropped_while_a_call_runs(manager: NetworkAccessManager, serve: Serve) -> None:
    before = trace_module.recorders
    log = NetworkLog(manager)
    log.entryAdded.connect(lambda entry: None)
    gone = weakref.ref(log)
    server = serve(silence)
    feedback = Feedback()
    request = BlockingNetworkRequest(manager)
    thread = threading.Thread(target=request.get, args=(server.url,), kwargs={"feedback": feedback})
    thread.start()
    server.wait_for_requests(1)
    del log
    gc.collect()
    assert gone() is None and trace_module.recorders == before
    feedback.cancel()
    thread.join(10)
    assert not thread.is_alive()
    deliver()


def test_logs_that_are_dropped_while_many_calls_run(
    manager: NetworkAccessManager, serve: Serve, tmp_path: Path
) -> None:
    """Batches, streams and downloads go on, and later logs have nothing of the earlier ones."""
    before = trace_module.recorders
    url = serve(always(b"x" * 100_000)).url
    failed: list[BaseException] = []
    stop = threading.Event()

    def call(number: int) -> None:
        request = BlockingNetworkRequest(manager)
        try:
            while not stop.is_set():
                assert [result.code for result in manager.getMany([url] * 10)] == [OK] * 10
                assert request.download(url, tmp_path / str(number)) is OK
                with request.stream(url) as chunks:
                    assert sum(map(len, chunks)) == 100_000
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    try:
        for number in range(12):
            log = NetworkLog(manager, maximumEntries=5)
            log.entryAdded.connect(lambda entry: None)
            assert eventually(lambda made=log: made.count() == 5), failed  # type: ignore[misc]
            gone = weakref.ref(log)
            if number % 3 == 0:
                log.close()
            del log
            gc.collect()
            assert gone() is None and trace_module.recorders == before
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert failed == []
    deliver()


def test_signals(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    url = serve(redirecting).url
    heard: list[tuple[str, NetworkEntry, int]] = []
    log.entryAdded.connect(lambda entry: heard.append(("added", entry, threading.get_ident())))
    log.entryChanged.connect(lambda entry: heard.append(("changed", entry, threading.get_ident())))
    request = BlockingNetworkRequest(manager)
    thread = threading.Thread(target=request.get, args=(f"{url}/old",))
    thread.start()
    thread.join()
    assert heard == []  # they come by the event loop
    deliver()
    assert [(name, ident) for name, _, ident in heard] == [("added", threading.get_ident())]
    assert heard[0][1] == log.entries()[0] and heard[0][1].isFinished()
    server = serve(silence)
    thread = threading.Thread(target=request.get, args=(server.url,), kwargs={"timeout": 10_000})
    thread.start()
    server.wait_for_requests(1)
    deliver()
    assert not heard[1][1].isFinished()
    request.abort()
    thread.join()
    deliver()
    assert [name for name, _, _ in heard] == ["added", "added", "changed"]
    assert heard[2][1] == heard[1][1] and heard[2][1].errorCode() is CANCELED


def test_signal_of_a_clear(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    heard: list[str] = []
    log.cleared.connect(lambda: heard.append("cleared"))
    log.entryAdded.connect(lambda entry: heard.append("added"))
    log.clear()
    log.clear()
    assert BlockingNetworkRequest(manager).get(serve(always()).url) is OK
    assert heard == []
    deliver()
    assert heard == ["cleared", "added"]
    deliver()
    assert len(heard) == 2


@pytest.mark.parametrize("maximum", [1, 40])
def test_each_kept_call_is_told(maximum: int, manager: NetworkAccessManager, serve: Serve) -> None:
    """Also if no event loop runs for long."""
    request, url = BlockingNetworkRequest(manager), serve(redirecting).url
    with NetworkLog(manager, maximumEntries=maximum) as log:
        added: list[NetworkEntry] = []
        changed: list[NetworkEntry] = []
        log.entryAdded.connect(added.append)
        log.entryChanged.connect(changed.append)
        for _ in range(50):
            assert request.get(f"{url}/old") is OK
        deliver()
        assert added == log.entries() and changed == []


def test_no_call_is_told_after_a_clear(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    told: list[NetworkEntry] = []
    log.entryAdded.connect(told.append)
    log.entryChanged.connect(told.append)
    log.cleared.connect(told.clear)
    request, url = BlockingNetworkRequest(manager), serve(always()).url
    with request.stream(url) as chunks:
        assert request is not None
        other = BlockingNetworkRequest(manager)
        assert other.get(url) is OK
        log.clear()
        list(chunks)
    deliver()
    assert told == [] and other.get(url) is OK
    deliver()
    assert told == log.entries() and len(told) == 1


def test_call_that_began_before_the_log_is_not_in_it(
    engine: str, manager: NetworkAccessManager, log: NetworkLog, serve: Serve
) -> None:
    later: list[NetworkLog] = []

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b" /old" in request:
                log.setPaused(False)
                later.append(NetworkLog(manager))
                connection.respond(b"", "302 Found", "Location: /new\r\n")
            else:
                connection.respond(b"body")

    log.setPaused(True)
    assert BlockingNetworkRequest(manager).get(serve(handle).url + "/old") is OK
    assert log.entries() == later[0].entries() == []
    assert BlockingNetworkRequest(manager).get("no url") is NET  # has failed before it began
    assert log.count() == later[0].count() == 1
    later[0].close()


def test_request_that_runs_or_ends_without_a_response(
    engine: str, manager: NetworkAccessManager, log: NetworkLog, serve: Serve
) -> None:
    server = serve(silence)
    request = BlockingNetworkRequest(manager)
    fields = {"X-A": "1", "Authorization": "Bearer hunter2"}
    thread = threading.Thread(target=request.get, args=(f"{server.url}/a?token=hunter2",), kwargs={"headers": fields})
    thread.start()
    server.wait_for_requests(1)
    # The server may have the request before the thread of the call notes who sends it.
    assert eventually(lambda: log.entries()[0].engine() != "")
    host = ("Host", server.url.partition("//")[2])
    for _ in range(2):
        (entry,) = log.entries()
        for each in (entry, *entry.children()):
            assert (each.engine(), each.requestLine()) == (engine, "GET /a?token=*** HTTP/1.1")
            assert {host, ("X-A", "1"), ("Authorization", "Bearer ***")} <= set(each.requestHeaders())
        if engine == "python":
            assert entry.children()[0].remoteAddress() == f"127.0.0.1:{server.port}"
        request.abort()
        thread.join()
    assert entry.errorCode() is CANCELED and "hunter2" not in log.toHar()
    assert request.get("http://127.0.0.1:1/") is NET
    assert log.entries()[-1].requestLine() == ""  # nothing was sent


@pytest.mark.parametrize(("size", "bodies"), [(65_536, 65_536), (200_000, 65_536), (200_000, 0)])
def test_memory_of_bodies(size: int, bodies: int, manager: NetworkAccessManager, serve: Serve) -> None:
    request, url = BlockingNetworkRequest(manager), serve(always(bytes(size))).url
    with NetworkLog(manager, bodies=bodies) as log:
        assert request.post(url, bytes(size)) is OK
        request = BlockingNetworkRequest(manager)
    records = [record for each in log.entries() for record in (each._record, each.children()[0]._record)]
    kept = [
        body
        for each in records
        for body in (each.request_body, each.response_body, *(p[2] for p in each.secrets.parts))
    ]
    sizes = {id(body): len(body) for body in kept if body}
    assert sum(sizes.values()) <= 2 * bodies + 4096


def test_any_number_of_entries(manager: NetworkAccessManager, serve: Serve) -> None:
    with NetworkLog(manager, maximumEntries=2**63) as log:
        assert BlockingNetworkRequest(manager).get(serve(always()).url) is OK
    assert log.count() == 1


def test_log_that_moves_to_another_thread(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    heard: list[Any] = []

    class Listener(QtCore.QObject):
        def hear(self, entry: object) -> None:
            heard.append(QtCore.QThread.currentThread())

    thread = QtCore.QThread()
    listener = Listener()
    log.moveToThread(thread)
    listener.moveToThread(thread)
    log.entryAdded.connect(listener.hear)
    thread.start()
    assert BlockingNetworkRequest(manager).get(serve(always()).url) is OK
    assert eventually(lambda: bool(heard))
    thread.quit()
    assert thread.wait(10_000) and heard == [thread]


def test_exception_of_a_slot(manager: NetworkAccessManager, log: NetworkLog, serve: Serve, monkeypatch: Any) -> None:
    raised: list[Any] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, value, traceback: raised.append(kind))

    def slot(entry: object) -> None:
        raise ZeroDivisionError

    log.entryAdded.connect(slot)
    request, url = BlockingNetworkRequest(manager), serve(always()).url
    assert request.get(url) is request.get(url) is OK
    deliver()
    assert raised == [ZeroDivisionError] * 2


def test_many_threads_and_bounded_entries(manager: NetworkAccessManager, serve: Serve) -> None:
    url = serve(always(b"body")).url
    with NetworkLog(manager, maximumEntries=50) as log:
        stop = threading.Event()
        failed: list[BaseException] = []

        def call() -> None:
            try:
                for _ in range(10):
                    assert BlockingNetworkRequest(manager).get(url) is OK
            except BaseException as error:
                failed.append(error)

        def look() -> None:
            try:
                while not stop.is_set():
                    assert log.count() <= 50
                    for entry in log.entries(text="get"):
                        assert entry.asCurl() and entry.requestHeaders()
                    log.toHar()
            except BaseException as error:
                failed.append(error)

        looker = threading.Thread(target=look)
        threads = [threading.Thread(target=call) for _ in range(64)]
        for thread in (looker, *threads):
            thread.start()
        for thread in threads:
            thread.join(60)
        stop.set()
        looker.join(60)
        assert not failed and log.count() == 50
        assert all(entry.isFinished() and len(entry.children()) == 1 for entry in log.entries())


def test_large_batch_takes_bounded_memory(manager: NetworkAccessManager, serve: Serve) -> None:
    url = serve(always(b"body")).url
    with NetworkLog(manager, maximumEntries=20) as log:
        for _ in manager.getMany([url] * 2_000, ordered=False):
            pass
    assert log.count() == 20
    gc.collect()
    records = sum(isinstance(each, CallRecord) for each in gc.get_objects())
    # Those of the log, which are those that wait to be emitted; each with its request.
    assert records <= 2 * (20 + 1)


def test_filters(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    url = serve(redirecting).url
    request = BlockingNetworkRequest(manager)
    for path in ("/Tiles/1", "/old"):
        assert request.get(url + path) is OK
    assert request.get("http://localhost:1/tiles") is NET

    def urls(**arguments: Any) -> list[str]:
        return [entry.url().rpartition("/")[2] for entry in log.entries(**arguments)]

    assert urls(text="tiles") == ["1", "tiles"]
    assert urls(text="/new") == ["old"]  # of a redirect
    assert urls(text="REFUSED") == ["tiles"]
    assert urls(host="LOCALHOST") == ["tiles"] and urls(host="*.0.1") == ["1", "old"] and urls(host="other") == []
    assert urls(status=302) == urls(status="302") == urls(status="3xx") == ["old"] and urls(status=200) == ["1", "old"]
    assert urls(text="tiles", host="127.0.0.1", status="2xx") == ["1"]
    for arguments, error in (
        ({"status": "40x"}, ValueError),
        ({"status": "4044"}, ValueError),
        ({"status": True}, TypeError),
        ({"status": 4.0}, TypeError),
        ({"text": b"x"}, TypeError),
        ({"host": None}, TypeError),
    ):
        with pytest.raises(error):
            log.entries(**arguments)


def test_wrong_arguments() -> None:
    for arguments, error in (
        ({"manager": "http://h/"}, TypeError),
        ({"maximumEntries": 0}, ValueError),
        ({"maximumEntries": 1.5}, TypeError),
        ({"bodies": -1}, ValueError),
        ({"bodies": True}, TypeError),
        ({"parent": 1}, TypeError),
    ):
        with pytest.raises(error):
            NetworkLog(**arguments)
    with pytest.raises(TypeError, match=r"^manager must be a NetworkAccessManager, or None for all, not str$"):
        NetworkLog(manager="x")  # type: ignore[arg-type]


def test_entry_cannot_be_pickled(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    assert BlockingNetworkRequest(manager).get(serve(always()).url) is OK
    (entry,) = log.entries()
    with pytest.raises(TypeError, match="saveHar"):
        pickle.dumps(entry)
    assert entry == log.entries()[0] and hash(entry) == hash(log.entries()[0]) and entry != entry.children()[0]


def test_parent_that_is_deleted(manager: NetworkAccessManager, serve: Serve) -> None:
    parent = QtCore.QObject()
    log = NetworkLog(manager, parent=parent)
    log.entryAdded.connect(lambda entry: None)
    delete(parent)
    assert BlockingNetworkRequest(manager).get(serve(always()).url) is OK
    deliver()
    log.close()


def test_log_without_an_application(serve: Serve) -> None:
    """It is made and used before there is an application."""
    program = """
import sys
from blocking_request import BlockingNetworkRequest
from blocking_request.netlog import NetworkLog
log = NetworkLog()
assert BlockingNetworkRequest().get(sys.argv[1]) == 0
print([entry.engine() for entry in log.entries()])
"""
    server: RawServer = serve(always(b"body"))
    done = subprocess.run(
        [sys.executable, "-c", program, server.url], capture_output=True, cwd=ROOT, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, b"['python']"), done.stderr

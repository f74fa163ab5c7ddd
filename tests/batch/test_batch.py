"""Batches on both engines: each request has one result, and memory stays bounded."""

from __future__ import annotations

import gc
import io
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from urllib3.util import Retry

from blocking_request import (
    AuthConfig,
    BatchRequest,
    ErrorCode,
    Feedback,
    NetworkAccessManager,
    NetworkMemoryCache,
    ReplyContent,
)
from blocking_request.batch.loop import Loop
from blocking_request.batch.pace import QUEUE_DEPTH, QUEUEING_TIMEOUT_MS, PaceEstimate
from blocking_request.calls.task import Task
from blocking_request.engines.base import BatchHint
from blocking_request.engines.choice import engine as engine_named
from blocking_request.engines.mailbox import STREAMED_AHEAD, Mailbox
from blocking_request.qt.binding import QtCore
from blocking_request.request.interpreter_exit import blocked_callers

from ..support.devices import NeverReady
from ..support.interpreter import without_garbage_collector
from ..support.names import CANCELED, NET, OK, REQUEST, ROOT, TIMEOUT, Serve
from ..support.servers.raw import Connection, always, asking, echo, silence
from ..support.servers.unreachable import unused_port
from ..support.waiting import codes_with_an_absence, eventually


def path_of(request: bytes) -> str:
    return request.split(b" ", 2)[1].decode()


def respond_with_path(connection: Connection) -> None:
    """Respond with the path as the body. A path that is a number is the status."""
    while True:
        request = connection.read_request()
        if request is None:
            return
        path = path_of(request).lstrip("/")
        status = f"{path} Told" if path.isdigit() else "200 OK"
        connection.respond(path.encode(), status)


class Gate:
    """A handler that responds when ``open`` is set, and counts the requests that wait."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self._guard = threading.Lock()
        self.waiting = self.most = 0

    def __call__(self, connection: Connection) -> None:
        while True:
            request = connection.read_request()
            if request is None:
                return
            with self._guard:
                self.waiting += 1
                self.most = max(self.most, self.waiting)
            self.open.wait(30)
            with self._guard:
                self.waiting -= 1
            connection.respond(path_of(request).encode())


# -- results


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("concurrent", [1, 5, 40])
def test_every_request_gets_its_result(
    manager: NetworkAccessManager, serve: Serve, ordered: bool, concurrent: int
) -> None:
    server = serve(respond_with_path)
    urls = [f"{server.url}/{number}-" for number in range(100)]
    seen = []
    for index, code, reply in manager.getMany(urls, maxConcurrent=concurrent, ordered=ordered):
        assert (code, reply.statusCode(), reply.text()) == (OK, 200, f"{index}-"), reply.errorString()
        seen.append(index)
    assert sorted(seen) == list(range(100))
    assert not ordered or seen == sorted(seen)
    assert len(server.requests) == 100


def test_empty_batch(manager: NetworkAccessManager) -> None:
    assert list(manager.getMany([])) == []


def test_request_types(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(echo)
    request = REQUEST(QtCore.QUrl(server.url))
    request.setRawHeader(b"X-Mine", b"1")  # type: ignore[arg-type]
    texts = [reply.text().lower() for _, _, reply in manager.getMany([server.url, QtCore.QUrl(server.url), request])]
    assert ["x-mine: 1" in text for text in texts] == [False, False, True]
    for wrong in (5, None, b"http://host"):
        with pytest.raises(TypeError, match="request must be"):
            list(manager.getMany([wrong]))  # type: ignore[list-item]


def test_any_verb_and_body(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    server = serve(echo)
    large = tmp_path / "large"
    large.write_bytes(b"x" * 3_000_000)
    with large.open("rb") as file:
        jobs: list[Any] = [
            (server.url, "POST", b"one"),
            (server.url, b"PUT", QtCore.QByteArray(b"two")),
            BatchRequest(server.url, "PROPFIND", io.BytesIO(b"three")),
            (server.url, "DELETE"),
            (server.url, "POST"),
            (server.url, "POST", file),
            server.url,
        ]
        replies = [reply for _, _, reply in manager.sendMany(jobs)]
    assert all(reply.errorCode() is OK for reply in replies), [reply.errorString() for reply in replies]
    verbs = [reply.body.split(b" ")[0] for reply in replies]
    assert verbs == [b"POST", b"PUT", b"PROPFIND", b"DELETE", b"POST", b"POST", b"GET"]
    bodies = [reply.body.partition(b"\r\n\r\n")[2] for reply in replies]
    assert bodies == [b"one", b"two", b"three", b"", b"", b"x" * 3_000_000, b""]
    assert b"content-length: 0" in replies[4].body.lower()


def test_failed_request_does_not_stop_the_batch(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(respond_with_path)
    refused = f"http://127.0.0.1:{unused_port()}/"
    urls = [f"{server.url}/a", f"{server.url}/404", refused, "gopher://x", "", f"{server.url}/500", f"{server.url}/b"]
    found = [(code, reply.statusCode()) for _, code, reply in manager.getMany(urls)]
    network, server_error = ErrorCode.NetworkError, ErrorCode.ServerExceptionError
    assert found == [
        (OK, 200),
        (server_error, 404),
        (network, None),
        (network, None),
        (network, None),
        (server_error, 500),
        (OK, 200),
    ]


def test_redirects_cookies_credentials_retries_and_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    """These work as for a single request."""
    seen: list[int] = []

    def handle(connection: Connection) -> None:
        while True:
            request = connection.read_request()
            if request is None:
                return
            path = path_of(request)
            if path == "/redirect":
                connection.respond(status="302 Found", headers="Location: /target\r\nSet-Cookie: a=1\r\n")
            elif path == "/busy" and not seen:
                seen.append(1)
                connection.respond(status="503 Busy")
            elif path == "/fresh":
                connection.respond(b"fresh", headers="Cache-Control: max-age=100\r\n")
            else:
                connection.respond(request)

    server = serve(handle)
    manager.setRetry(Retry(2, status_forcelist=[503], backoff_factor=0, raise_on_status=False))
    manager.setCache(NetworkMemoryCache())
    manager.authRegistry().store(AuthConfig.bearer("token"), "me")
    urls = [f"{server.url}/{name}" for name in ("redirect", "busy", "fresh", "fresh")]
    replies = [reply for _, _, reply in manager.getMany(urls, maxConcurrent=1, authCfg="me")]
    assert replies[0].url().path() == "/target" and len(replies[0].history()) == 1
    assert b"cookie: a=1" in replies[0].body.lower() and b"bearer token" in replies[0].body.lower()
    assert (replies[1].statusCode(), replies[1].attempts()) == (200, 2)
    assert [reply.isFromCache() for reply in replies] == [False, False, False, True]
    forced = [reply for _, _, reply in manager.getMany(urls[2:3], forceRefresh=True, authCfg="me")]
    assert not forced[0].isFromCache()


def test_handlers_and_signals_run_in_the_callers_thread(manager: NetworkAccessManager, httpbin: str) -> None:
    threads: set[int] = set()
    told: list[object] = []

    def handler(realm: str, host: str, attempt: int) -> tuple[str, str]:
        threads.add(threading.get_ident())
        return "user", "passwd"

    def note(*arguments: object) -> None:
        threads.add(threading.get_ident())
        told.append(arguments)

    manager.setAuthHandler(handler)
    manager.setRequestPreprocessor(note)
    manager.setReplyPreprocessor(note)
    manager.requestAboutToBeCreated.connect(note)
    manager.finished.connect(note)
    codes: list[ErrorCode] = []
    caller = threading.Thread(
        target=lambda: codes.extend(
            code for _, code, _ in manager.getMany([f"{httpbin}/basic-auth/user/passwd"] * 3, maxConcurrent=1)
        )
    )
    caller.start()
    caller.join(30)
    assert codes == [OK] * 3 and len(told) == 12
    assert threads == {caller.ident}


def test_exception_of_a_handler_ends_the_batch(manager: NetworkAccessManager, serve: Serve) -> None:
    gate = Gate()
    server, waiting = serve(always(b"no", "401 No", 'WWW-Authenticate: Basic realm="r"\r\n')), serve(gate)

    def handler(realm: str, host: str, attempt: int) -> tuple[str, str]:
        raise LookupError("of the handler")

    manager.setAuthHandler(handler)
    with pytest.raises(LookupError, match="of the handler"):
        list(manager.getMany([waiting.url, server.url]))
    gate.open.set()
    wait_until_idle()
    assert manager.blockingGet(waiting.url).errorCode() is OK


def wait_until_idle() -> None:
    def is_idle() -> bool:
        return not any(worker.load for worker in engine_named("qt")._workers)  # type: ignore[attr-defined]

    assert eventually(is_idle), "a request is still running"


# -- limits


@pytest.mark.parametrize("concurrent", [1, 7, 20])
def test_max_concurrent(manager: NetworkAccessManager, serve: Serve, concurrent: int) -> None:
    gate = Gate()
    server = serve(gate)
    batch = manager.getMany([f"{server.url}/{number}" for number in range(30)], maxConcurrent=concurrent)
    opener = threading.Thread(target=lambda: (server.wait_for_requests(concurrent), gate.open.set()))  # type: ignore[func-returns-value]
    opener.start()
    assert [result.code for result in batch] == [OK] * 30
    opener.join()
    assert gate.most == concurrent


def test_max_per_origin(manager: NetworkAccessManager, serve: Serve) -> None:
    gates = [Gate(), Gate()]
    servers = [serve(gate) for gate in gates]
    urls = [f"{servers[number // 20].url}/{number}" for number in range(40)]

    def opener() -> None:
        for server in servers:
            server.wait_for_requests(3)
        for gate in gates:
            gate.open.set()

    thread = threading.Thread(target=opener)
    thread.start()
    results = list(manager.getMany(urls, maxConcurrent=30, maxPerOrigin=3, ordered=False))
    thread.join()
    assert [result.code for result in results] == [OK] * 40
    assert [gate.most for gate in gates] == [3, 3]


def test_no_thread_per_request_with_qt(serve: Serve) -> None:
    engine_named("qt").shutdown()  # ends the workers of earlier tests, which had other settings
    manager = NetworkAccessManager()
    manager.setEngine("qt")
    gate = Gate()
    server = serve(gate)
    before = threading.active_count()
    batch = manager.getMany([server.url] * 60, maxConcurrent=60)
    opener = threading.Thread(target=lambda: (server.wait_for_requests(60), gate.open.set()))  # type: ignore[func-returns-value]
    opener.start()
    list(batch)
    opener.join()
    workers = engine_named("qt").worker_count()  # type: ignore[attr-defined]
    assert 10 <= workers <= 14
    # The only new Python threads are those of the server, one for each connection.
    assert threading.active_count() - before <= 60


def test_untaken_results_delay_requests(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(respond_with_path)
    asked: list[int] = []

    def requests() -> Iterator[str]:
        for number in range(1000):
            asked.append(number)
            yield f"{server.url}/{number}-"

    with manager.getMany(requests(), maxConcurrent=5) as batch:
        for _ in range(3):
            next(batch)
        time.sleep(0.2)
        assert len(asked) <= 3 + 3 * 5
        assert len(server.requests) <= 3 + 3 * 5
    assert len(asked) <= 3 + 3 * 5


# -- cancel, timeouts and errors


@pytest.mark.parametrize("how", ["abort", "feedback", "foreign feedback"])
def test_cancel(manager: NetworkAccessManager, serve: Serve, how: str) -> None:
    server = serve(silence)
    feedback: Any = Foreign() if how == "foreign feedback" else Feedback()
    batch = manager.getMany((f"{server.url}/{number}" for number in range(1000)), feedback, maxConcurrent=20)
    moments: list[float] = []

    def cancel() -> None:
        server.wait_for_requests(20)
        moments.append(time.monotonic())
        batch.abort() if how == "abort" else feedback.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    results = list(batch)
    took = time.monotonic() - moments[0]
    thread.join()
    assert [result.code for result in results] == [CANCELED] * 20
    assert took < 0.5  # benchmarks/cancel.py measures the documented 50 ms
    assert len(server.requests) == 20


class Foreign:
    def __init__(self) -> None:
        self._is_canceled = False

    def isCanceled(self) -> bool:
        return self._is_canceled

    def cancel(self) -> None:
        self._is_canceled = True


def test_cancel_during_the_wait_for_a_retry(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"", "503 Busy", "Retry-After: 100\r\n"))
    manager.setRetry(Retry(3, status_forcelist=[503], raise_on_status=False))
    feedback = Feedback()
    threading.Timer(0.3, feedback.cancel).start()
    (result,) = manager.getMany([server.url], feedback)
    assert result.code is CANCELED


def test_leaving_the_batch_cancels_running_requests(manager: NetworkAccessManager, serve: Serve) -> None:
    gate = Gate()
    server, quick = serve(gate), serve(respond_with_path)
    for leave in ("close", "with", "forget"):
        batch = manager.getMany([f"{quick.url}/a", *[server.url] * 5], ordered=False)
        assert next(batch).code is OK
        if leave == "close":
            batch.close()
        elif leave == "with":
            with batch:
                pass
        del batch
        wait_until_idle()
    gate.open.set()


def test_timeouts_and_deadlines(manager: NetworkAccessManager, serve: Serve) -> None:
    server, quick = serve(silence), serve(respond_with_path)
    manager.setTimeout(200)
    codes = [code for _, code, _ in manager.getMany([server.url, f"{quick.url}/a", server.url])]
    assert codes == [ErrorCode.TimeoutError, OK, ErrorCode.TimeoutError]
    manager.setTimeout(10_000)
    manager.setDeadline(200)
    codes = [code for _, code, _ in manager.getMany([server.url, f"{quick.url}/a", server.url])]
    assert codes == [ErrorCode.TimeoutError, OK, ErrorCode.TimeoutError]
    manager.setDeadline(0)
    own = REQUEST(QtCore.QUrl(server.url))
    own.setTransferTimeout(200)
    assert [code for _, code, _ in manager.getMany([own])] == [ErrorCode.TimeoutError]


def test_no_queueing_after_a_short_idle_timeout() -> None:
    """Its request would wait inside Qt for the ones before it, and time out."""
    hint = BatchHint()
    pace = PaceEstimate(hint)
    pace.note_idle_timeout(0)
    pace.add(0.001)
    assert hint.queue_depth == QUEUE_DEPTH
    pace.note_idle_timeout(QUEUEING_TIMEOUT_MS)
    assert hint.queue_depth == QUEUE_DEPTH
    pace.note_idle_timeout(200)
    assert hint.queue_depth == 1
    pace.note_idle_timeout(0)
    pace.add(0.001)
    assert hint.queue_depth == 1


def test_short_idle_timeout_behind_slow_requests(manager: NetworkAccessManager, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b"/slow" in request:
                time.sleep(0.5)
            connection.respond()

    server = serve(handle)
    manager.setTimeout(60_000)
    quick = [f"{server.url}/{number}" for number in range(60)]
    slow = [f"{server.url}/slow"] * 23
    own = REQUEST(QtCore.QUrl(f"{server.url}/own"))
    own.setTransferTimeout(1200)
    assert {code for _, code, _ in manager.getMany([*quick, *slow, own])} == {OK}


def test_ctrl_c(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(silence)

    class Interrupting(Foreign):
        def isCanceled(self) -> bool:
            if len(server.requests) == 3:
                raise KeyboardInterrupt
            return False

    with pytest.raises(KeyboardInterrupt):
        list(manager.getMany([server.url] * 3, Interrupting()))
    wait_until_idle()


def test_many_batches_in_many_threads(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(respond_with_path)
    wrong: list[object] = []

    def run(number: int) -> None:
        urls = [f"{server.url}/{number}-{each}-" if each % 7 else f"{server.url}/404" for each in range(60)]
        try:
            for index, code, reply in manager.getMany(urls, maxConcurrent=8, ordered=bool(number % 2)):
                expected = (OK, f"{number}-{index}-") if index % 7 else (ErrorCode.ServerExceptionError, "404")
                if (code, reply.text()) != expected:
                    wrong.append((code, reply.errorString()))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert wrong == []


def test_without_an_application(tmp_path: Path) -> None:
    """A script without a QCoreApplication."""
    import subprocess
    import sys

    program = """
from tests.support.servers.raw import RawServer, always
from blocking_request import NetworkAccessManager
server = RawServer(always(b"page"))
print({(code.name, reply.engine()) for _, code, reply in NetworkAccessManager().getMany([server.url] * 20)})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout == "{('NoError', 'python')}\n", done.stderr


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"maxConcurrent": 0}, ValueError),
        ({"maxConcurrent": "5"}, TypeError),
        ({"maxConcurrent": True}, TypeError),
        ({"maxPerOrigin": -1}, ValueError),
        ({"feedback": "no"}, TypeError),
    ],
)
def test_bad_options(manager: NetworkAccessManager, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        manager.getMany([], **options)


# -- files


def test_download_into_files(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    body = bytes(range(256)) * 2_000

    def handle(connection: Connection) -> None:
        while True:
            request = connection.read_request()
            if request is None:
                return
            if path_of(request) == "/none":
                connection.respond(b"no", "404 Not Found")
            elif path_of(request) == "/broken":
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
                return
            else:
                connection.respond(path_of(request).encode() + body)

    server = serve(handle)
    pairs = [(f"{server.url}/{number}", tmp_path / f"file{number}") for number in range(20)]
    pairs += [(f"{server.url}/none", tmp_path / "none"), (f"{server.url}/broken", tmp_path / "broken")]
    results = list(manager.downloadMany(pairs, maxConcurrent=6))
    assert [result.code for result in results] == [
        *[OK] * 20,
        ErrorCode.ServerExceptionError,
        ErrorCode.NetworkError,
    ]
    assert all(result.reply.body == b"" for result in results[:20]) and results[20].reply.body == b"no"
    assert {path.name for path in tmp_path.iterdir()} == {f"file{number}" for number in range(20)}
    for number in range(20):
        assert (tmp_path / f"file{number}").read_bytes() == f"/{number}".encode() + body


def test_download_into_a_folder(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    server = serve(respond_with_path)
    urls = [f"{server.url}/{name}" for name in ("a.png", "b.png?1", "b.png?2", "x/b.png", "")]
    assert [result.code for result in manager.downloadMany(urls, folder=tmp_path)] == [OK] * 5
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(found) == {"a.png", "b.png", "b (1).png", "b (2).png", "download"}
    assert set(found.values()) == {"a.png", "b.png?1", "b.png?2", "x/b.png", ""}


def test_cancelled_download_leaves_files_unchanged(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
        connection.wait_for_close()

    server = serve(handle)
    (tmp_path / "old").write_bytes(b"old")
    feedback = Feedback()
    batch = manager.downloadMany([(server.url, tmp_path / "old"), (server.url, tmp_path / "new")], feedback)
    threading.Timer(0.3, feedback.cancel).start()
    assert [result.code for result in batch] == [CANCELED] * 2
    assert {path.name for path in tmp_path.iterdir()} == {"old"} and (tmp_path / "old").read_bytes() == b"old"


def test_download_into_unwritable_file(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"x" * 100_000))
    (tmp_path / "file").write_bytes(b"")
    pairs = [(server.url, tmp_path / "file" / "below"), (server.url, tmp_path / "good")]
    results = list(manager.downloadMany(pairs))
    assert [result.code for result in results] == [ErrorCode.NetworkError, OK]
    assert "cannot be written" in results[0].reply.errorString()


def test_downloads_are_cached(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    manager.setCache(NetworkMemoryCache())
    server = serve(always(b"x" * 50_000, headers="Cache-Control: max-age=100\r\n"))
    for is_again in (False, True):
        ((_, code, reply),) = manager.downloadMany([(server.url, tmp_path / "file")])
        assert (code, reply.isFromCache()) == (OK, is_again)
        assert (tmp_path / "file").read_bytes() == b"x" * 50_000


def test_download_without_path(manager: NetworkAccessManager) -> None:
    with pytest.raises(TypeError, match="pairs of a request and a path"):
        list(manager.downloadMany(["http://127.0.0.1/"]))


def test_slow_caller_causes_no_timeout(manager: NetworkAccessManager, serve: Serve) -> None:
    """A response that arrives while the caller works is a response, not a timeout."""
    server = serve(respond_with_path)
    manager.setTimeout(1_000)
    manager.setDeadline(1_500)
    urls = [f"{server.url}/{number}-" for number in range(30)]
    codes = []
    for index, code, _ in manager.getMany(urls, maxConcurrent=10, maxPerOrigin=5):
        codes.append(code)
        if index in (0, 15):
            time.sleep(1.8)
    assert codes == [OK] * 30


def test_slow_preprocessor_makes_no_other_request_late(manager: NetworkAccessManager, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        time.sleep(0.2)
        connection.respond(b"ok")

    calls: list[None] = []

    def preprocess(request: object) -> None:
        calls.append(None)
        if len(calls) == 2:
            time.sleep(1.4)

    manager.setRequestPreprocessor(preprocess)
    manager.setTimeout(1_000)
    server = serve(handle)
    assert [code for _, code, _ in manager.getMany([server.url] * 3)] == [OK] * 3


@pytest.mark.parametrize("what", ["body", "auth handler"])
def test_slow_code_of_one_request_makes_no_other_late(manager: NetworkAccessManager, serve: Serve, what: str) -> None:
    def slow(connection: Connection) -> None:
        connection.read_request()
        time.sleep(0.2)
        connection.respond(b"ok")

    class SlowFile(io.BytesIO):
        def read(self, size: Optional[int] = -1) -> bytes:
            time.sleep(0.4)
            return super().read(size)

    def login(realm: str, host: str, attempt: int) -> tuple[str, str]:
        time.sleep(1.4)
        return "user", "password"

    manager.setTimeout(1_000)
    manager.setAuthHandler(login)
    other = serve(asking("Basic realm=here")) if what == "auth handler" else serve(echo)
    data = SlowFile(b"x" * 4_000_000) if what == "body" else None
    busy = BatchRequest(other.url, "POST" if what == "body" else "GET", data)
    results = manager.sendMany([BatchRequest(serve(slow).url), busy, BatchRequest(serve(slow).url)])
    assert [code for _, code, _ in results] == [OK] * 3


def test_slow_slot_causes_no_timeout(manager: NetworkAccessManager, serve: Serve) -> None:
    said = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        said.wait(10)
        time.sleep(0.1)
        connection.respond(b"later")

    slow, quick = serve(handle), serve(respond_with_path)
    slept: list[float] = []

    def on_finished(reply: ReplyContent) -> None:
        if not slept:
            slept.append(1.0)
            said.set()
            time.sleep(1.4)

    manager.finished.connect(on_finished)
    manager.setTimeout(1_000)
    codes = [result.code for result in manager.getMany([f"{quick.url}/quick", slow.url])]
    assert codes == [OK, OK] and slept


def test_slow_slot_puts_off_deadlines_once(
    manager: NetworkAccessManager, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slot of a request that fails before it is sent ran while the batch started that request."""
    allowed: list[float] = []
    allow = Task.allow_for_absence

    def recorded(task: Task, seconds: float, puts_off_deadline: bool = True) -> None:
        if puts_off_deadline and seconds >= 1.0:
            allowed.append(seconds)
        allow(task, seconds, puts_off_deadline)

    def on_finished(reply: ReplyContent) -> None:
        if reply.errorCode() is not OK:
            time.sleep(1.0)

    monkeypatch.setattr(Task, "allow_for_absence", recorded)
    manager.finished.connect(on_finished)
    results = manager.getMany([serve(respond_with_path).url, "ftp://127.0.0.1/"], maxConcurrent=2)
    assert [result.code for result in results] == [OK, NET]
    assert len(allowed) == 1


def test_slow_caller_causes_no_timeout_while_connecting(manager: NetworkAccessManager, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        time.sleep(0.05)
        connection.respond(b"ok", headers="Connection: close\r\n")

    server = serve(handle)
    manager.setTimeout(1_000)
    manager.setDeadline(1_500)
    results = manager.getMany([f"{server.url}/{number}" for number in range(5)], maxConcurrent=2)
    codes = codes_with_an_absence(results, 2, 1.8)
    assert codes == [OK] * 5


# -- regressions


def test_download_creates_the_folder(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    server = serve(respond_with_path)
    results = list(manager.downloadMany([f"{server.url}/{name}" for name in "abc"], folder=tmp_path / "new" / "one"))
    assert [result.code for result in results] == [OK] * 3
    assert {path.name for path in (tmp_path / "new" / "one").iterdir()} == {"a", "b", "c"}


def test_slow_caller_causes_no_timeout_of_downloads(
    manager: NetworkAccessManager, serve: Serve, tmp_path: Path
) -> None:
    server = serve(always(b"x" * 6_000_000))
    manager.setTimeout(1_500)
    pairs = [(server.url, tmp_path / str(number)) for number in range(8)]
    results = manager.downloadMany(pairs, ordered=False, maxConcurrent=4)
    codes = codes_with_an_absence(results, 1, 2.0)
    assert codes == [OK] * 8


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_full_disk_fails_one_download_only_with_cache(
    manager: NetworkAccessManager, serve: Serve, tmp_path: Path
) -> None:
    manager.setCache(NetworkMemoryCache())
    server = serve(always(b"x" * 300_000, headers="Cache-Control: max-age=100\r\n"))
    pairs = [(f"{server.url}/1", "/dev/full"), (f"{server.url}/2", tmp_path / "file")]
    results = list(manager.downloadMany(pairs))
    assert [result.code for result in results] == [ErrorCode.NetworkError, OK]


def test_slow_request_iterator_does_not_delay_results(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(respond_with_path)
    manager.setTimeout(1_000)

    given = 0

    def requests() -> Iterator[str]:
        nonlocal given
        for number in range(30):
            time.sleep(0.1)
            given += 1
            yield f"{server.url}/{number}-"

    batch = manager.getMany(requests())
    assert next(batch).code is OK and given < 30
    assert [result.code for result in batch] == [OK] * 29


def test_child_of_a_fork_ends_the_batch(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = """
import os, signal
from tests.support.servers.raw import RawServer, always, silence
from blocking_request import NetworkAccessManager
quick, silent = RawServer(always(b"page")), RawServer(silence)
manager = NetworkAccessManager()
manager.setTimeout(0)
batch = manager.getMany([quick.url, *[silent.url] * 5])
print(next(batch).code.name, flush=True)
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(len(list(batch)))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout == "NoError\n0\n", done.stderr


def test_child_of_a_fork_sends_no_request_of_the_batch() -> None:
    """Also if results wait there, and the consumer works so long that more would be started."""
    import subprocess
    import sys

    program = """
import os, signal, time
from tests.support.servers.raw import RawServer, always
from blocking_request import BatchRequest, NetworkAccessManager
server = RawServer(always(b"page"))
manager = NetworkAccessManager()
requests = [BatchRequest(f"{server.url}/{number}", "POST", b"x") for number in range(40)]
batch = manager.sendMany(requests, maxConcurrent=4)
next(batch)
time.sleep(0.2)
next(batch)
child = os.fork()
if child == 0:
    signal.alarm(20)
    for result in batch:
        time.sleep(0.005)
    os._exit(0)
os.waitpid(child, 0)
for result in batch:
    pass
sent = sorted(request.split(b" ")[1] for request in server.requests)
print(len(sent), len(set(sent)), flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout == "40 40\n", done.stdout + done.stderr


def test_shutdown_ends_the_batch(manager: NetworkAccessManager, serve: Serve) -> None:
    """The same happens if the application quits."""
    server = serve(silence)
    batch = manager.getMany([f"{server.url}/{number}" for number in range(100)], maxConcurrent=10)

    def shut_down() -> None:
        server.wait_for_requests(10)
        manager.shutdown()

    thread = threading.Thread(target=shut_down)
    thread.start()
    assert [result.code for result in batch] == [CANCELED] * 10
    thread.join()
    assert len(server.requests) == 10


def test_cancel_does_not_wait_for_a_slow_disk() -> None:
    """``stream_to`` writes the chunks that have arrived. The engine's thread writes later chunks."""
    mailbox = Mailbox()
    written: list[bool] = []
    is_resumed: list[bool] = []
    while mailbox.deliver(b"x" * (STREAMED_AHEAD // 4), lambda: is_resumed.append(True)):
        pass
    mailbox.stream_to(lambda piece: written.append(bool(is_resumed)))
    assert written == [False] * 4 and is_resumed == [True]
    assert mailbox.deliver(b"more", lambda: None) and written[4:] == [True]


def test_reading_a_body_ends_with_the_batch(manager: NetworkAccessManager, serve: Serve) -> None:
    device = NeverReady()
    device.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    server, feedback = serve(always()), Feedback()
    timer = threading.Timer(0.2, feedback.cancel)
    timer.start()
    (result,) = manager.sendMany([BatchRequest(server.url, "POST", device)], feedback=feedback)
    assert result.code is CANCELED
    manager.setDeadline(200)
    (result,) = manager.sendMany([BatchRequest(server.url, "POST", device)])
    assert result.code is TIMEOUT
    assert server.connections == 0


def test_log_contains_the_end_of_every_request(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A request that no engine can send is logged too."""
    caplog.set_level(logging.DEBUG, "blocking_request")
    manager = NetworkAccessManager()
    manager.setEngine("python")
    urls = [serve(always(b"page")).url, "data:,not for python"]
    assert [result.code for result in sorted(manager.getMany(urls))] == [OK, NET]
    records = [record for record in caplog.records if record.getMessage().startswith("GET ")]
    lines = [record.getMessage() for record in records if record.levelno == logging.DEBUG]
    assert len(records) == 6 and len(lines) == 4 and sum(" after " in line for line in lines) == 2, lines


def test_batch_creates_no_reference_cycles(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"ok"))
    assert len(list(manager.getMany([server.url] * 50))) == 50
    with without_garbage_collector():
        assert len(list(manager.getMany([server.url] * 200))) == 200
        assert gc.collect() < 200


def test_exception_of_the_iterable_creates_no_reference_cycle(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"ok"))

    def urls() -> Iterator[str]:
        yield server.url
        raise LookupError("no more")

    def run() -> None:
        with pytest.raises(LookupError):
            list(manager.getMany(urls()))

    run()
    with without_garbage_collector():
        run()
        assert not [each for each in gc.get_objects() if isinstance(each, (Loop, LookupError))]


def test_both_engines_in_one_batch(serve: Serve) -> None:
    """Events of the qt engine come by a queue, those of the python engine by sockets. Neither hides the other."""
    manager = NetworkAccessManager()
    manager.setTimeout(10_000)
    server, silent = serve(always(b"ok")), serve(silence)
    urls = [server.url, "data:,ok"] * 150
    engines = [(code, reply.engine()) for _, code, reply in manager.getMany(urls)]
    assert sorted(engines) == [(OK, "python")] * 150 + [(OK, "qt")] * 150
    batch = manager.getMany([*urls, silent.url, silent.url], ordered=False)
    codes = []
    for _, code, _ in batch:
        codes.append(code)
        if len(codes) == len(urls):
            threading.Timer(0.05, batch.abort).start()
    assert sorted(codes) == [OK] * len(urls) + [CANCELED] * 2
    for _ in manager.getMany(urls):
        break
    assert manager.blockingGet(server.url).errorCode() is OK


def test_second_thread_cannot_iterate(manager: NetworkAccessManager, serve: Serve) -> None:
    """A batch is for one thread. If another one iterates, it gets ValueError, and no result is lost."""
    asked, may_answer = threading.Event(), threading.Event()

    def late(connection: Connection) -> None:
        connection.read_request()
        asked.set()
        may_answer.wait(10)
        connection.respond(b"late")

    batch = manager.getMany([serve(late).url])
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.extend(batch))
    thread.start()
    assert asked.wait(10)
    with pytest.raises(ValueError, match="already executing"):
        next(batch)
    assert len(blocked_callers) == 1  # the exit of the interpreter still waits for the other thread
    may_answer.set()
    thread.join(20)
    assert [code for _, code, _ in results] == [OK]

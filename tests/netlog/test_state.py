"""dumpState: what running calls wait for."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable

import pytest
import requests
from urllib3.util import Retry

from blocking_request import BlockingNetworkRequest, Feedback, NetworkAccessManager, QtAdapter, dumpState
from blocking_request.calls.running import drivers, running_calls, streaming_calls
from blocking_request.qhttp import Http
from blocking_request.requests_adapter import RequestCanceled

from ..support.names import OK, ROOT, Serve
from ..support.servers.raw import Connection, RawServer, always, silence
from ..support.servers.unreachable import full_port


def state() -> str:
    file = io.StringIO()
    dumpState(file)
    return file.getvalue()


@contextmanager
def running(call: Callable[[], object], stop: Callable[[], object]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=call, name="the caller")
    thread.start()
    try:
        yield thread
    finally:
        stop()
        thread.join(20)
    assert not thread.is_alive()


def test_single_call(engine: str, manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(silence)
    request = BlockingNetworkRequest(manager)
    url = server.url.replace("//", "//me:hunter2@") + "/a?token=hunter2"
    with running(lambda: request.get(url), request.abort) as thread:
        server.wait_for_requests(1)
        time.sleep(0.2)  # so that the call has an age
        text = state()
    assert f"thread the caller ({thread.ident:#x}), called at {__file__}:" in text
    line = re.search(rf"  GET {server.url}/a\?token=\*\*\*: for (\d\.\d) s, engine {engine}\n    (.*)\n", text)
    assert line is not None and 0.1 < float(line[1]) < 9, text
    assert re.search(r"no bytes for \d\.\d s; it ends in [89]\.\d s at the latest if no bytes come", line[2]), text
    if engine == "python":
        assert line[2].startswith(f"waits for the response (127.0.0.1 port {server.port})")
    else:
        assert f"worker: requests: 1 of {server.url}; 0 not begun" in text
    assert "hunter2" not in text and "\ncalls that run: 0\n" in state() and not running_calls


def test_steps(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    def half(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        connection.wait_for_close()

    server = serve(half)
    with running(lambda: on_python.get(server.url), on_python.abort):
        server.wait_for_requests(1)
        wait_for("receives the body")
    with full_port() as port, running(lambda: on_python.get(f"http://127.0.0.1:{port}/"), on_python.abort):
        wait_for("    connects, no bytes")
    asking = threading.Event()
    manager = NetworkAccessManager()

    def handler(*_: object) -> None:
        asking.wait(20)

    manager.setAuthHandler(handler)
    manager.setEngine("python")
    request = BlockingNetworkRequest(manager)
    url = serve(always(b"", "401 Unauthorized", 'WWW-Authenticate: Basic realm="r"\r\n')).url
    with running(lambda: request.get(url), asking.set):
        wait_for("has a response, which code of the program or a policy handles")


def wait_for(text: str) -> None:
    end = time.monotonic() + 10
    while text not in state():
        assert time.monotonic() < end, state()


def test_no_timeout(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    on_python.setTimeout(0)
    server = serve(silence)
    with running(lambda: on_python.get(server.url), on_python.abort):
        wait_for("it has no timeout")


def test_stream(manager: NetworkAccessManager, serve: Serve) -> None:
    request = BlockingNetworkRequest(manager)
    url = serve(always(b"x" * 20_000_000)).url
    with request.stream(url) as chunks:
        next(chunks)
        assert f"GET {url}: for 0." in state() and "driven by no thread at the moment" in state()
    assert "\ncalls that run: 0\n" in state()
    del chunks, request
    assert not streaming_calls


def test_batch(manager: NetworkAccessManager, serve: Serve) -> None:
    quick, slow = serve(always(b"x")), serve(silence)
    batch = manager.getMany([quick.url, slow.url, slow.url + "/2"], ordered=False)
    next(batch)
    assert "\ncalls that run: 2\n" in state() and "driven by no thread at the moment" in state()
    with running(lambda: list(batch), batch.abort):
        wait_for("thread the caller")
        assert state().count(f"  GET {slow.url}") == 2
    batch.close()
    assert "\ncalls that run: 0\n" in state()
    assert not [each for each in drivers if list(each.running_calls())]


def test_adapter_and_http(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(silence)
    session = requests.Session()
    feedback = Feedback()
    session.mount("http://", QtAdapter(manager, feedback))

    def get() -> None:
        with suppress(RequestCanceled):
            session.get(server.url + "/adapter")

    with running(get, feedback.cancel):
        wait_for(f"GET {server.url}/adapter")
    other = serve(silence)
    http = Http("127.0.0.1", manager=manager)
    http.setHost("127.0.0.1", other.port)
    http.get("/http")
    assert not http.waitForDone(300)
    assert f"GET {other.url}/http" in state()
    http.abort()
    assert "\ncalls that run: 0\n" in state()


def test_connections(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    url = serve(always(b"x")).url
    assert on_python.get(url) is OK
    assert f"  {url}: 1 idle, the latest for 0." in state()


def test_standard_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    dumpState()
    assert "calls that run" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", None)
    dumpState()
    with pytest.raises(TypeError, match=r'file must be a text file, as from open\("state.txt", "w"\), not str'):
        dumpState("state.txt")  # type: ignore[arg-type]


def test_code_of_the_program(manager: NetworkAccessManager, serve: Serve) -> None:
    """While it runs, no timeout ends the call, and no line promises that."""
    waiting, texts = threading.Event(), []

    def slot(*_: object) -> None:
        texts.append(state())
        waiting.wait(20)

    def call() -> None:
        request = BlockingNetworkRequest(manager)
        request.downloadProgress.connect(slot)
        request.get(url, timeout=100)

    url = serve(always(b"x")).url
    with running(call, waiting.set):
        wait_for("code of the program runs at ")
        text = state()
    assert re.search(rf"; code of the program runs at {__file__}:\d+ in slot, and no timeout ends it\n", text), text
    assert " at the latest" not in text
    for each in (text, texts[0]):
        assert re.search(rf", called at {__file__}:\d+ in call\n", each), each


def test_pause_before_a_retry(engine: str, manager: NetworkAccessManager, serve: Serve) -> None:
    request = BlockingNetworkRequest(manager)
    request.setRetry(Retry(3, status_forcelist=[503]))
    url = serve(always(b"", "503 Busy", "Retry-After: 20\r\n")).url
    with running(lambda: request.get(url, timeout=1000), request.abort):
        wait_for("s before it tries again")
        assert re.search(r"\n    waits (1\d|20)\.\d s before it tries again; it has no deadline\n", state()), state()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_of_a_fork(manager: NetworkAccessManager, serve: Serve) -> None:
    reader, writer = os.pipe()
    request = BlockingNetworkRequest(manager)
    with request.stream(serve(always(b"x" * 20_000_000)).url) as chunks:
        next(chunks)
        child = os.fork()
        if child == 0:
            os.write(writer, state().encode()[:4000])
            os._exit(0)
        os.waitpid(child, 0)
        assert b"calls that run: 0\n" in os.read(reader, 4000) and "calls that run: 1\n" in state()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("engine_name", ["qt", "python"])
def test_in_the_handler_of_a_signal(engine_name: str, serve: Serve) -> None:
    program = """
import signal, sys
from blocking_request import BlockingNetworkRequest, dumpState
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
signal.signal(signal.SIGUSR1, lambda *_: dumpState())
request = BlockingNetworkRequest()
request.setEngine(sys.argv[2])
print(request.get(sys.argv[1], timeout=3000).name)
"""
    server: RawServer = serve(silence)
    command = [sys.executable, "-c", program, server.url, engine_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        server.wait_for_requests(1)
        process.send_signal(signal.SIGUSR1)
        out, err = process.communicate(timeout=30)
    assert (out.strip(), b"calls that run: 1" in err, b"thread MainThread" in err) == (b"TimeoutError", True, True), err
    assert b", called at <string>:9 in <module>\n" in err, err  # and not the line of the handler


def test_many_threads(manager: NetworkAccessManager, serve: Serve) -> None:
    url = serve(always(b"x")).url
    failed: list[Any] = []

    def work() -> None:
        try:
            for _ in range(20):
                assert BlockingNetworkRequest(manager).get(url) is OK
            list(manager.getMany([url] * 20))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert "calls that run" in state()
    assert not failed and "\ncalls that run: 0\n" in state()

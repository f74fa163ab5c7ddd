"""A network thread of the qt engine that is busy with one response or file delays no other call."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from queue import Empty
from typing import Any

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode
from blocking_request.engines.choice import choose
from blocking_request.engines.mailbox import ABORT_GRACE_SECONDS, Mailbox
from blocking_request.engines.qt import engine as qt
from blocking_request.engines.qt.engine import QtEngine
from blocking_request.engines.qt.worker import QtTransfer
from blocking_request.engines.thread_starts import thread_starts
from blocking_request.models.failure import Failure
from blocking_request.models.http_messages import Request, Response
from blocking_request.qt.binding import QtCore

from ...support.names import Serve
from ...support.servers.raw import Connection, always, once, silence


class StuckEngine:
    """A separate engine whose workers block in a write until ``release`` is called."""

    def __init__(self, serve: Serve) -> None:
        self.engine = QtEngine()
        self._proceed = threading.Event()
        self._writing = threading.Semaphore(0)
        self._go_on = threading.Semaphore(0)
        self._server = serve(self._handle)

    def _handle(self, connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        self._go_on.acquire(timeout=10)
        connection.send(b"67890")
        connection.wait_for_close()

    def _write(self, piece: Any) -> None:
        if bytes(piece).endswith(b"0"):
            self._writing.release()
            self._proceed.wait(60)

    def start_stuck_transfer(self) -> tuple[QtTransfer, Mailbox]:
        """Start a transfer and return it when its worker is stuck."""
        mailbox = Mailbox()
        transfer = self.engine.start(Request("GET", self._server.url, streams=True), mailbox)
        response = getattr(mailbox.take(10), "response", None)
        assert response is not None and response.status == 200
        mailbox.stream_to(self._write)
        self._go_on.release()
        assert self._writing.acquire(timeout=10)
        return transfer, mailbox

    def release(self) -> None:
        self._proceed.set()

    def get(self, url: str) -> Response:
        """Wait as a call does: check regularly if the transfer is lost."""
        mailbox = Mailbox()
        transfer = self.engine.start(Request("GET", url), mailbox)
        return response_of(transfer, mailbox)


def response_of(transfer: QtTransfer, mailbox: Mailbox) -> Response:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            event = mailbox.take(0.02)
        except Empty:
            assert transfer.failure_if_dead() is None
            continue
        if isinstance(event, Response):
            return event
    raise AssertionError("no answer came")


def wait_until_late(transfer: QtTransfer) -> None:
    """Wait until the grace period of an abort has passed."""
    assert transfer.aborted
    threading.Event().wait(2 * ABORT_GRACE_SECONDS)


@pytest.fixture
def stuck(serve: Serve) -> Iterator[StuckEngine]:
    made = StuckEngine(serve)
    yield made
    made.release()
    made.engine.shutdown()


def test_slow_header_delays_no_other_call(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """25 000 distinct lines keep Qt 5 busy for seconds, even if the transfer is aborted."""
    lines = b"".join(b"X-%d: 1\r\n" % number for number in range(25_000))
    bad = serve(once(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + lines + b"\r\n"))
    good = serve(always(b"ok"))
    assert blocking.get(good.url) is ErrorCode.NoError
    blocking.setDeadline(300)
    blocking.get(bad.url)
    blocking.setDeadline(10_000)
    started = time.monotonic()
    assert blocking.get(good.url) is ErrorCode.NoError
    assert time.monotonic() - started < 1
    assert len(good.requests) == 2


def test_stuck_worker_gets_no_more_transfers(stuck: StuckEngine, serve: Serve) -> None:
    server = serve(always(b"ok"))
    transfer, mailbox = stuck.start_stuck_transfer()
    (worker,) = stuck.engine._workers
    transfer.abort()
    wait_until_late(transfer)
    for _ in range(3):
        assert stuck.get(server.url).status == 200
    assert server.connections == 1
    assert worker not in stuck.engine._workers and stuck.engine.worker_count() == 1
    stuck.release()
    assert response_of(transfer, mailbox).failure is not None
    assert worker.thread is not None and worker.thread.wait(10_000)


def test_queued_transfer_moves_to_another_worker(stuck: StuckEngine, serve: Serve) -> None:
    """The caller has not aborted the transfer in which the worker is stuck."""
    server = serve(always(b"ok"))
    transfer, mailbox = stuck.start_stuck_transfer()
    response = stuck.get(server.url)
    assert (response.status, response.body) == (200, b"ok")
    assert stuck.get(server.url).status == 200
    stuck.release()
    assert response_of(transfer, mailbox).failure is None
    assert len(server.requests) == 2


def test_formerly_stuck_workers_are_stopped(stuck: StuckEngine, serve: Serve) -> None:
    server = serve(always(b"ok"))
    begun = []
    for _ in range(3):
        transfer, mailbox = stuck.start_stuck_transfer()
        transfer.abort()
        wait_until_late(transfer)
        begun.append((transfer, mailbox, transfer.worker.thread))
    assert stuck.get(server.url).status == 200
    assert stuck.engine.worker_count() == 1
    stuck.release()
    for transfer, mailbox, thread in begun:
        response_of(transfer, mailbox)
        assert thread is not None and thread.wait(10_000)
    stuck.engine.shutdown()
    assert stuck.engine._reaper._workers == [] and not stuck.engine._reaper._stopped


def test_maximum_of_stuck_workers(stuck: StuckEngine, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(always(b"ok"))
    request = Request("GET", server.url)
    monkeypatch.setattr(qt, "MAXIMUM_STUCK_WORKERS", 2)
    begun = []
    for _ in range(2):
        transfer, mailbox = stuck.start_stuck_transfer()
        transfer.abort()
        wait_until_late(transfer)
        begun.append((transfer, mailbox))
    assert stuck.engine.unsupported_reason(request) is None
    assert stuck.get(server.url).status == 200
    refusal = stuck.engine.unsupported_reason(request)
    assert refusal is not None and "2 network threads of Qt are stuck" in refusal.text
    monkeypatch.setitem(choose.__globals__["_engines"], "qt", stuck.engine)
    served_by = choose(request, "auto")
    assert not isinstance(served_by, Failure) and served_by.name == "python"
    stuck.release()
    for transfer, mailbox in begun:
        response_of(transfer, mailbox)
        assert transfer.worker.thread is None or transfer.worker.thread.wait(10_000)
    assert stuck.engine.unsupported_reason(request) is None


def test_recovered_worker_is_not_counted_as_stuck(
    stuck: StuckEngine, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker may only have waited for the GIL and may still have transfers of callers."""
    monkeypatch.setattr(qt, "MAXIMUM_STUCK_WORKERS", 1)
    slow = serve(silence)
    mailbox = Mailbox()
    waiting = stuck.engine.start(Request("GET", slow.url), mailbox)
    slow.wait_for_requests(1)
    transfer, late = stuck.start_stuck_transfer()
    assert transfer.worker is waiting.worker
    transfer.abort()
    wait_until_late(transfer)
    assert stuck.get(serve(always(b"ok")).url).status == 200
    assert stuck.engine.unsupported_reason(Request("GET", slow.url)) is not None
    stuck.release()
    response_of(transfer, late)
    while waiting.worker.is_stuck():
        assert waiting.failure_if_dead() is None
    assert stuck.engine.unsupported_reason(Request("GET", slow.url)) is None
    assert not waiting.worker.ended
    stuck.engine.shutdown()
    assert response_of(waiting, mailbox).failure is not None
    assert stuck.engine._reaper._workers == []


def test_response_of_an_ended_worker(serve: Serve) -> None:
    """The worker may end after its last response and before the caller has seen that response."""
    engine = QtEngine()
    mailbox = Mailbox()
    transfer = engine.start(Request("GET", serve(always(b"ok")).url), mailbox)
    thread = transfer.worker.thread
    assert thread is not None
    engine.retire(transfer.worker)
    assert thread.wait(10_000) and transfer.worker.ended
    assert transfer.failure_if_dead() is None
    assert response_of(transfer, mailbox).body == b"ok"
    engine.shutdown()


def test_worker_retired_at_its_start_serves_its_transfer(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a worker may be considered stuck before it runs its event loop."""
    engine = QtEngine()
    begin = thread_starts.has_begun

    def retire_at_once(thread: QtCore.QThread) -> None:
        begin(thread)
        for worker in list(engine._workers):
            engine.retire(worker)

    monkeypatch.setattr(thread_starts, "has_begun", retire_at_once)
    mailbox = Mailbox()
    transfer = engine.start(Request("GET", serve(always(b"ok")).url), mailbox)
    response = response_of(transfer, mailbox)
    assert (response.failure, response.body) == (None, b"ok")
    thread = transfer.worker.thread
    assert thread is None or thread.wait(10_000)
    engine.shutdown()


def test_stop_of_a_worker_with_a_deleted_thread(serve: Serve) -> None:
    """Several threads may end an unused worker; the last one finds a deleted thread."""
    engine = QtEngine()
    mailbox = Mailbox()
    transfer = engine.start(Request("GET", serve(always(b"ok")).url), mailbox)
    worker, thread = transfer.worker, transfer.worker.thread
    response_of(transfer, mailbox)
    engine.shutdown()
    assert worker.thread is None
    worker.thread = thread
    worker.stop()
    worker.thread = None


def test_stuck_worker_does_not_delay_the_exit() -> None:
    program = """
import threading
from blocking_request.engines.qt.engine import engine
from blocking_request.models.http_messages import Request
from blocking_request.engines.mailbox import Mailbox
from blocking_request.qt.binding import QtCore
from tests.support.servers.raw import RawServer
app = QtCore.QCoreApplication([])
go_on, writing, forever = threading.Event(), threading.Event(), threading.Event()
def handle(connection):
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n1")
    go_on.wait()
    connection.send(b"2")
def write(piece):
    if bytes(piece).endswith(b"2"):
        writing.set()
        forever.wait()
mailbox = Mailbox()
transfer = engine.start(Request("GET", RawServer(handle).url, streams=True), mailbox)
mailbox.take(10)
mailbox.stream_to(write)
go_on.set()
writing.wait()
transfer.abort()
forever.wait(0.1)
print("ends")
"""
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert (run.returncode, run.stdout) == (0, "ends\n"), run.stderr

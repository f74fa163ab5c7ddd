"""Cancelling: from other threads, from slots, before, between and after."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback
from blocking_request.models.failure import QtNetworkError
from blocking_request.qt.binding import QtCore, Signal, enum_value

from ..support.devices import NeverReady
from ..support.names import Serve
from ..support.servers.raw import Connection, Handler, always, echo, silence

PROMISED = 0.05
"""Seconds between the event and the caller's return; tests allow more, benchmarks measure it."""
ALLOWED = 0.5


def half_a_body(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
    connection.wait_for_close()


def endless(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n")
    block = b"x" * (1 << 20)
    try:
        while True:
            connection.sock.sendall(block)
    except OSError:
        pass


def assert_canceled(blocking: BlockingNetworkRequest, code: ErrorCode, url: str) -> None:
    assert code is ErrorCode.CanceledError
    assert enum_value(blocking.reply().error()) == QtNetworkError.OperationCanceledError
    assert blocking.errorMessage() == f"Operation canceled ({url})"


class ForeignFeedback(QtCore.QObject):
    """Like QgsFeedback: it has canceled, cancel(), isCanceled() and setProgress(), and no base class of ours."""

    canceled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._is_canceled = False
        self.percent: list[float] = []

    def cancel(self) -> None:
        self._is_canceled = True
        self.canceled.emit()

    def isCanceled(self) -> bool:
        return self._is_canceled

    def setProgress(self, percent: float) -> None:
        self.percent.append(percent)


@pytest.mark.parametrize("handler", [silence, half_a_body, endless])
@pytest.mark.parametrize("how", ["abort", "feedback", "foreign feedback"])
def test_cancel_from_another_thread(how: str, handler: Handler, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(handler)
    feedback: Any = {"abort": None, "feedback": Feedback(), "foreign feedback": ForeignFeedback()}[how]
    cancelled_at: list[float] = []

    def cancel() -> None:
        server.wait_for_requests(1)
        cancelled_at.append(time.monotonic())
        (blocking if feedback is None else feedback).__getattribute__("abort" if feedback is None else "cancel")()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    code = blocking.get(server.url, feedback=feedback)
    returned_at = time.monotonic()
    canceller.join()
    assert_canceled(blocking, code, server.url)
    assert returned_at - cancelled_at[0] < ALLOWED
    # the object, its worker and the connection pool can be used again
    good = serve(always(b"fine"))
    assert blocking.get(good.url) is ErrorCode.NoError
    assert blocking.reply().body == b"fine"


def test_cancel_keeps_the_partial_body(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(half_a_body)
    heard = threading.Event()
    blocking.downloadProgress.connect(lambda done, total: (heard.set(), blocking.abort()))  # type: ignore[arg-type, func-returns-value]
    assert blocking.get(server.url) is ErrorCode.CanceledError
    assert heard.is_set()
    assert blocking.reply().statusCode() == 200
    assert blocking.reply().body == b"x" * 500
    assert blocking.reply().headers["content-length"] == "1000"


@pytest.mark.parametrize("how", ["abort", "feedback"])
def test_cancel_from_a_slot(how: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(endless)
    feedback = Feedback()
    threads = []

    def slot(done: int, total: int) -> None:
        threads.append(threading.get_ident())
        blocking.abort() if how == "abort" else feedback.cancel()

    blocking.downloadProgress.connect(slot)
    assert_canceled(blocking, blocking.get(server.url, feedback=feedback), server.url)
    assert threads == [threading.get_ident()]


def test_abort_from_the_redirected_slot(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    blocking.redirected.connect(lambda url: blocking.abort())
    assert blocking.get(f"{httpbin}/redirect/3") is ErrorCode.CanceledError
    assert len(blocking.reply().history()) == 1


@pytest.mark.parametrize("make", [Feedback, ForeignFeedback])
def test_canceled_feedback_sends_nothing(
    make: Callable[[], Any], blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    server = serve(always())
    feedback = make()
    feedback.cancel()
    assert_canceled(blocking, blocking.post(server.url, b"data", feedback=feedback), server.url)
    assert server.connections == 0


def test_abort_outside_a_call_has_no_effect(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"fine"))
    blocking.abort()
    assert blocking.get(server.url) is ErrorCode.NoError
    blocking.abort()
    assert blocking.get(server.url) is ErrorCode.NoError


def test_abort_in_a_slot_of_finished_has_no_effect(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"fine"))
    blocking.finished.connect(blocking.abort)
    for _ in range(3):
        assert blocking.get(server.url) is ErrorCode.NoError
        assert blocking.reply().body == b"fine"


def test_one_feedback_cancels_all_its_calls(engine: str, serve: Serve) -> None:
    server = serve(silence)
    feedback = Feedback()
    codes: list[ErrorCode] = []
    threads = [
        threading.Thread(target=lambda: codes.append(BlockingNetworkRequest().get(server.url, feedback=feedback)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    server.wait_for_requests(16)
    feedback.cancel()
    for thread in threads:
        thread.join(10)
    assert codes == [ErrorCode.CanceledError] * 16


def test_feedback_gets_progress_in_the_callers_thread(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"z" * 8_000_000))
    feedback = Feedback()
    heard: list[tuple[float, int]] = []
    feedback.progressChanged.connect(lambda percent: heard.append((percent, threading.get_ident())))
    assert blocking.get(server.url, feedback=feedback) is ErrorCode.NoError
    percents = [percent for percent, _ in heard]
    assert percents[-1] == feedback.progress() == 100.0
    assert percents == sorted(percents)
    assert {thread for _, thread in heard} == {threading.get_ident()}
    foreign = ForeignFeedback()
    assert blocking.get(server.url, feedback=foreign) is ErrorCode.NoError
    assert foreign.percent[-1] == 100.0


def test_cancel_at_random_moments(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """Each call ends canceled or with its own response, never with that of another call."""
    server = serve(echo)
    blocking.setTimeout(5_000)
    seen = set()
    for number in range(300):
        timer = threading.Timer(number % 30 / 20_000, blocking.abort)
        timer.start()
        code = blocking.post(f"{server.url}/{number}", b"x" * (number * 10))
        timer.join()
        seen.add(code)
        assert code in (ErrorCode.NoError, ErrorCode.CanceledError), blocking.errorMessage()
        if code is ErrorCode.NoError:
            assert blocking.reply().body.startswith(f"POST /{number} ".encode())
    assert ErrorCode.NoError in seen


@pytest.mark.parametrize("how", ["deadline", "foreign feedback"])
def test_slow_slots_do_not_delay_cancel_and_deadline(how: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def steady(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n")
        try:
            for _ in range(800):
                connection.sock.sendall(b"x" * 50)
                time.sleep(0.01)
        except OSError:
            pass

    server = serve(steady)
    blocking.downloadProgress.connect(lambda done, total: time.sleep(0.15))
    started = time.monotonic()
    if how == "deadline":
        blocking.setDeadline(500)
        assert blocking.get(server.url) is ErrorCode.TimeoutError
    else:
        feedback = ForeignFeedback()
        timer = threading.Timer(0.5, feedback.cancel)
        timer.start()
        assert blocking.get(server.url, feedback=feedback) is ErrorCode.CanceledError
    assert time.monotonic() - started < 1.5


def test_cancel_while_waiting_for_a_device(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    device = NeverReady()
    device.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    server = serve(always())
    timer = threading.Timer(0.2, blocking.abort)
    timer.start()
    assert_canceled(blocking, blocking.post(server.url, device), server.url)
    blocking.setDeadline(200)
    assert blocking.post(server.url, device) is ErrorCode.TimeoutError
    assert server.connections == 0

"""Look-ups of names in threads: they are shared and limited, and delay no cancel, fork or exit."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from queue import Empty
from typing import Callable

import pytest

from blocking_request import ErrorCode
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.python.engine import PythonEngine
from blocking_request.engines.python.resolver import MAXIMUM_THREADS, LookUp, Resolver
from blocking_request.models.http_messages import Request

from ...support.interpreter import frequent_thread_switches
from ...support.look_ups import LookUps
from ...support.marks import needs_fork
from ...support.names import ROOT
from ...support.transfers import response_of
from ...support.waiting import eventually

LOOPBACK = [(socket.AF_INET, ("127.0.0.1", 80))]
INTERFACE_NUMBER, INTERFACE = socket.if_nameindex()[0]


def ignore() -> None:
    """The wake callback of a driver that does not wait."""


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> Iterator[LookUps]:
    stand_in = LookUps()
    monkeypatch.setattr(socket, "getaddrinfo", stand_in)
    yield stand_in
    stand_in.release()


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    resolver = Resolver()
    yield resolver
    assert eventually(lambda: resolver.thread_count() == 0)
    assert not resolver._unfinished and not resolver._queue


def finished(resolver: Resolver, host: str, port: int = 80) -> LookUp:
    """Look a name up, and wait to be woken."""
    woken = threading.Event()
    look_up = resolver.look_up(host, port, woken.set)
    assert look_up.is_done or woken.wait(10)
    assert look_up.is_done
    return look_up


def stuck_look_ups(resolver: Resolver, look_ups: LookUps, count: int, wake: Callable[[], None]) -> list[LookUp]:
    """Start look-ups that do not end, and wait until the maximum of them runs."""
    begun = [resolver.look_up(f"stuck-{number}.test", 80, wake) for number in range(count)]
    for _ in range(min(count, MAXIMUM_THREADS)):
        assert look_ups.begun.acquire(timeout=10)
    return begun


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", (socket.AF_INET, ("127.0.0.1", 80))),
        ("127.1", (socket.AF_INET, ("127.0.0.1", 80))),
        ("::1", (socket.AF_INET6, ("::1", 80, 0, 0))),
        ("[::1]", (socket.AF_INET6, ("::1", 80, 0, 0))),
        (f"fe80::1%{INTERFACE}", (socket.AF_INET6, ("fe80::1", 80, 0, INTERFACE_NUMBER))),
        (f"fe80::1%25{INTERFACE}", (socket.AF_INET6, ("fe80::1", 80, 0, INTERFACE_NUMBER))),
        (f"[fe80::1%25{INTERFACE}]", (socket.AF_INET6, ("fe80::1", 80, 0, INTERFACE_NUMBER))),
        ("fe80::1%25", (socket.AF_INET6, ("fe80::1", 80, 0, 25))),
    ],
)
def test_address_needs_no_thread(
    host: str, address: tuple[int, object], look_ups: LookUps, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading.Thread, "start", None)
    look_up = resolver.look_up(host, 80, ignore)
    assert (look_up.is_done, look_up.error, look_up.addresses) == (True, None, [address])
    assert look_ups.asked == []


@pytest.mark.parametrize("host", ["fe80::1%no-such-interface", "[fe80::1%25]x]", "1:2:3", "fe80::1%"])
def test_invalid_address(host: str, look_ups: LookUps, resolver: Resolver) -> None:
    look_up = resolver.look_up(host, 80, ignore)
    assert look_up.is_done and isinstance(look_up.error, socket.gaierror)
    assert look_ups.asked == []


def test_name_by_the_system(resolver: Resolver) -> None:
    found = socket.getaddrinfo("localhost", 81, 0, socket.SOCK_STREAM)
    look_up = finished(resolver, "localhost", 81)
    assert look_up.addresses == [(family, address) for family, _, _, _, address in found]


@pytest.mark.parametrize("host", ["a..b", ".a", ".", "", "x" * 64 + ".test", "no-such-host.invalid", "\udcff.test"])
def test_invalid_name(host: str, resolver: Resolver) -> None:
    assert isinstance(finished(resolver, host).error, socket.gaierror)


def test_value_error_of_the_system(look_ups: LookUps, resolver: Resolver) -> None:
    look_ups.answer("odd.test", ValueError("embedded null character"))
    assert isinstance(finished(resolver, "odd.test").error, socket.gaierror)


def test_other_errors_of_the_system(look_ups: LookUps, resolver: Resolver) -> None:
    look_ups.answer("again.test", socket.gaierror(socket.EAI_AGAIN, "later"))
    look_ups.answer("broken.test", RuntimeError("no memory"))
    error = finished(resolver, "again.test").error
    assert isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
    assert str(finished(resolver, "broken.test").error) == "no memory"


def test_order_of_addresses_without_repetition(look_ups: LookUps, resolver: Resolver) -> None:
    first, second = (socket.AF_INET6, ("::1", 80, 0, 0)), (socket.AF_INET, ("127.0.0.1", 80))
    look_ups.answer("both.test", [first, second, first])
    assert finished(resolver, "both.test").addresses == [first, second]


def test_look_up_under_way_is_shared(look_ups: LookUps, resolver: Resolver) -> None:
    woken: list[int] = []
    shared = [resolver.look_up("stuck.test", 80, lambda number=number: woken.append(number)) for number in range(3)]  # type: ignore[misc]
    assert shared[0] is shared[1] is shared[2]
    assert resolver.look_up("stuck.test", 443, ignore) is not shared[0]
    look_ups.release()
    assert eventually(lambda: sorted(woken) == [0, 1, 2])
    assert sorted(look_ups.asked) == ["stuck.test"] * 2


def test_finished_look_up_is_not_used_again(look_ups: LookUps, resolver: Resolver) -> None:
    """Also not by a driver that tries again as soon as it is woken."""
    for number in range(100):
        look_ups.answer("changing.test", socket.gaierror(socket.EAI_NONAME, f"unknown {number}"))
        assert f"unknown {number}" in str(finished(resolver, "changing.test").error)
    look_ups.answer("changing.test", LOOPBACK)
    assert finished(resolver, "changing.test").addresses == LOOPBACK


def test_more_stuck_look_ups_than_threads(look_ups: LookUps, resolver: Resolver) -> None:
    woken = threading.Semaphore(0)
    begun = stuck_look_ups(resolver, look_ups, 40, lambda: woken.release())
    last = resolver.look_up("last.test", 80, lambda: woken.release())
    assert resolver.thread_count() == len(look_ups.asked) == MAXIMUM_THREADS
    assert not any(look_up.is_done for look_up in [*begun, last])
    assert resolver.look_up("127.0.0.1", 80, ignore).is_done
    look_ups.release()
    for _ in range(41):
        assert woken.acquire(timeout=10)
    assert all(look_up.is_done and look_up.addresses == LOOPBACK for look_up in [*begun, last])
    assert len(look_ups.asked) == 41 and look_ups.asked[-9:].count("last.test") == 1


def test_forgotten_look_up_is_not_started(look_ups: LookUps, resolver: Resolver) -> None:
    stuck_look_ups(resolver, look_ups, MAXIMUM_THREADS, ignore)
    woken = threading.Event()
    dropped = resolver.look_up("dropped.test", 80, woken.set)
    wanted = resolver.look_up("wanted.test", 80, ignore)
    shared = resolver.look_up("shared.test", 80, ignore)
    resolver.look_up("shared.test", 80, woken.set).forget(woken.set)
    again = resolver.look_up("again.test", 80, woken.set)
    again.forget(woken.set)
    assert resolver.look_up("again.test", 80, ignore) is again
    dropped.forget(woken.set)
    dropped.forget(woken.set)
    look_ups.release()
    assert eventually(lambda: wanted.is_done and shared.is_done and again.is_done and not resolver._queue)
    assert "dropped.test" not in look_ups.asked and not woken.is_set()
    assert finished(resolver, "dropped.test").addresses == LOOPBACK


def test_exception_in_a_wake_callback(look_ups: LookUps, resolver: Resolver, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ValueError("no such driver")

    woken = threading.Event()
    resolver.look_up("stuck.test", 80, woken.set)
    resolver.look_up("stuck.test", 80, broken)
    look_ups.release()
    assert woken.wait(10)
    assert eventually(lambda: resolver.thread_count() == 0)
    assert "no such driver" in caplog.text


def test_look_up_in_a_wake_callback(look_ups: LookUps, resolver: Resolver) -> None:
    def look_up_another() -> None:
        resolver.look_up("second.test", 80, woken.set)

    woken = threading.Event()
    resolver.look_up("first.test", 80, look_up_another)
    assert woken.wait(10)


def test_look_ups_in_destructors(look_ups: LookUps, resolver: Resolver) -> None:
    class Cycle:
        def __init__(self, number: int) -> None:
            self.number = number
            self.itself = self

        def __del__(self) -> None:
            found.append(resolver.look_up(f"destructor-{self.number % 4}.test", 80, woken.release))

    found: list[LookUp] = []
    woken = threading.Semaphore(0)
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(300):
            Cycle(number)
            found.append(resolver.look_up(f"destructor-{number % 4}.test", 80, woken.release))
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert eventually(lambda: len(found) == 600 and all(look_up.is_done for look_up in found))


def test_many_threads_at_once(look_ups: LookUps, resolver: Resolver) -> None:
    def look_up_often() -> None:
        for number in range(200):
            look_up = resolver.look_up(f"{number % 5}.test", 80, ignore)
            if number % 3:
                look_up.forget(ignore)
            else:
                done.append(eventually(lambda look_up=look_up: look_up.is_done))  # type: ignore[misc]

    done: list[bool] = []
    with frequent_thread_switches(1e-5):
        threads = [threading.Thread(target=look_up_often) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(done) == 8 * 67 and all(done)


def refuse(thread: threading.Thread) -> None:
    """Replaces ``Thread.start``."""
    raise RuntimeError("can't start new thread")


def test_thread_that_cannot_be_started(look_ups: LookUps, resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """All drivers that share the look-up are woken, too."""
    joined: list[LookUp] = []
    is_joining, woken = threading.Event(), threading.Event()

    def join_and_refuse(thread: threading.Thread) -> None:
        if not is_joining.is_set():
            is_joining.set()
            joined.append(resolver.look_up("name.test", 80, woken.set))
        refuse(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", join_and_refuse)
        look_up = resolver.look_up("name.test", 80, ignore)
    assert look_up.is_done and joined == [look_up] and woken.is_set()
    assert str(look_up.error) == "no thread could be started to look the name up: can't start new thread"
    assert finished(resolver, "name.test").addresses == LOOPBACK


def test_second_thread_that_cannot_be_started(
    look_ups: LookUps, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up waits for the threads that run already."""
    stuck_look_ups(resolver, look_ups, 1, ignore)
    woken = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        look_up = resolver.look_up("name.test", 80, woken.set)
    assert not look_up.is_done
    look_ups.release()
    assert woken.wait(10) and look_up.addresses == LOOPBACK


@pytest.mark.parametrize("is_started", [False, True])
def test_interrupted_start_of_a_thread(
    is_started: bool, look_ups: LookUps, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, interrupts = threading.Thread.start, [KeyboardInterrupt()]

    def start(thread: threading.Thread) -> None:
        if interrupts and not is_started:
            raise interrupts.pop()
        real(thread)
        if interrupts:
            raise interrupts.pop()

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt):
            resolver.look_up("name.test", 80, ignore)
    assert finished(resolver, "name.test").addresses == LOOPBACK


@pytest.mark.parametrize("is_aborted", [False, True])
def test_stuck_look_up_does_not_delay_cancel(is_aborted: bool, look_ups: LookUps) -> None:
    engine = PythonEngine()
    transfer = engine.start(Request("GET", f"http://stuck-{is_aborted}.test/"), Mailbox())
    with pytest.raises(Empty):
        transfer.take(0)
    assert look_ups.begun.acquire(timeout=10)
    if not is_aborted:
        del transfer
        assert not engine._running
        return
    timer = threading.Timer(0.1, transfer.abort)
    timer.start()
    response = response_of(transfer)
    timer.join()
    assert response.failure is not None and response.failure.code is ErrorCode.CanceledError


@needs_fork
def test_fork_during_look_ups(look_ups: LookUps, resolver: Resolver) -> None:
    begun = stuck_look_ups(resolver, look_ups, 40, ignore)
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(20)
            assert resolver.thread_count() == 0
            assert [finished(resolver, f"{number}.test").addresses for number in range(40)] == [LOOPBACK] * 40
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert resolver.thread_count() == MAXIMUM_THREADS and not any(look_up.is_done for look_up in begun)
    look_ups.release()
    assert eventually(lambda: all(look_up.is_done for look_up in begun))


PROGRAM = """
import socket, sys, time
from blocking_request import BlockingNetworkRequest

def stuck(*arguments):
    time.sleep(3600)

socket.getaddrinfo = stuck
request = BlockingNetworkRequest()
request.setEngine("python")
request.setTimeout(300)
print(request.get("http://stuck.test/").name, time.time(), flush=True)
"""


def test_stuck_look_up_does_not_delay_the_exit() -> None:
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    ended = time.time()
    assert run.returncode == 0, run.stderr
    code, moment = run.stdout.split()
    assert code == "TimeoutError" and ended - float(moment) < 5

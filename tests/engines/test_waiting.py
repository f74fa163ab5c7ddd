"""Waiting for sockets, wake-ups and times, also with the implementation for Windows."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.engines import waiting
from blocking_request.engines.waiting import Selector, SelectPoll, Waiter, WakeUp, give_back, is_readable, take_waiter
from blocking_request.engines.wanted import NEVER, READ, WAKE_UP, WRITE, YIELD_NOW, Wanted

from ..support.marks import needs_fork
from ..support.names import CANCELED, OK, Serve
from ..support.servers.raw import always, silence

LONG = 20.0


@pytest.fixture(params=["this system", "Windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the implementation for this system, and with the one for Windows."""
    if request.param == "Windows":
        monkeypatch.setattr(waiting, "_new_poll", SelectPoll)
        monkeypatch.setattr(waiting, "_new_wake_up", WakeUp)
        monkeypatch.setattr(waiting, "_idle_waiters", [])
    name: str = request.param
    return name


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


Pair = tuple[socket.socket, socket.socket]


def test_socket_ends_a_wait(system: str, pair: Pair) -> None:
    ours, theirs = pair
    waiter = Waiter()
    threading.Timer(0.05, theirs.send, (b"x",)).start()
    started = time.monotonic()
    waiter.wait_for(Wanted(((ours.fileno(), READ),)), LONG)
    assert time.monotonic() - started < LONG / 2 and ours.recv(1) == b"x"
    waiter.wait_for(Wanted(((ours.fileno(), READ | WRITE),)), LONG)
    assert time.monotonic() - started < LONG / 2


def test_wake_up_before_and_during_a_wait(system: str) -> None:
    waiter = Waiter()
    started = time.monotonic()
    waiter.wake()
    waiter.wait_for(WAKE_UP, LONG)
    for _ in range(100_000):
        waiter.wake()  # more than a pair of sockets holds
    waiter.wait_for(WAKE_UP, LONG)
    threading.Timer(0.05, waiter.wake).start()
    while time.monotonic() - started < 0.05:
        waiter.wait_for(WAKE_UP, LONG)
    assert time.monotonic() - started < LONG / 2


def test_wait_ends_in_time(system: str, pair: Pair) -> None:
    waiter, started = Waiter(), time.monotonic()
    waiter.wait_for(Wanted(((pair[0].fileno(), READ),), 0.05), LONG)
    waiter.wait_for(Wanted(((pair[0].fileno(), READ),)), 0.05)
    assert 0.09 < time.monotonic() - started < LONG / 2


def test_interrupted_wait_watches_no_socket_afterwards(
    system: str, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiter = Waiter()

    class Interrupted:
        def __iter__(self) -> Iterator[tuple[int, int]]:
            yield pair[0].fileno(), READ
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        waiter.wait_for(Wanted(Interrupted()), LONG)  # type: ignore[arg-type]
    pair[1].send(b"x")
    started = time.monotonic()
    waiter.wait_for(WAKE_UP, 0.05)
    assert time.monotonic() - started > 0.04


def test_selector_returns_keys_that_are_ready(system: str, pair: Pair) -> None:
    ours, theirs = pair
    selector: Selector[str] = Selector()
    wanted = Wanted(((ours.fileno(), READ),))
    selector.wait_for("first", wanted)
    selector.wait_for("second", wanted)  # on the same connection
    selector.wait_for("third", WAKE_UP)
    assert list(selector.wait(0)) == []
    theirs.send(b"x")
    assert sorted(selector.wait(LONG)) == ["first", "second"]
    selector.discard("first")
    assert list(selector.wait(LONG)) == ["second"]
    selector.wait_for("second", WAKE_UP)
    selector.wake("third")
    assert list(selector.wait(LONG)) == ["third"]
    selector.wait_for("third", YIELD_NOW)
    assert list(selector.wait(LONG)) == ["third"]
    selector.wait_for("third", Wanted(seconds=0.05))
    started = time.monotonic()
    assert list(selector.wait(LONG)) == ["third"] and time.monotonic() - started > 0.04
    selector.discard("third")
    selector.wake("third")
    assert list(selector.wait(LONG)) == []
    selector.close()
    assert not selector.has_waiting


def test_wake_up_of_a_selector_from_a_thread(system: str) -> None:
    selector: Selector[int] = Selector()
    for key in range(100):
        selector.wait_for(key, WAKE_UP)

    def wake_all() -> None:
        for key in range(100):
            selector.wake(key)

    threading.Thread(target=wake_all).start()
    found: set[int] = set()
    end = time.monotonic() + LONG
    while len(found) < 100 and time.monotonic() < end:
        found.update(selector.wait(1.0))
    assert len(found) == 100


def test_no_wake_up_of_a_thread_is_lost(system: str) -> None:
    """A thread may add a key while the selector collects the woken keys."""
    rounds = 3_000
    selector: Selector[int] = Selector()
    may_wake, is_over = threading.Semaphore(0), threading.Event()

    def work() -> None:
        for key in range(rounds):
            may_wake.acquire()
            selector.wake(key)

    def disturb() -> None:
        while not is_over.is_set():
            selector.wake()

    threads = [threading.Thread(target=work), threading.Thread(target=disturb)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for key in range(rounds):
            selector.wait_for(key, WAKE_UP)
            may_wake.release()
            end = time.monotonic() + LONG
            while key not in selector.wait(LONG):
                assert time.monotonic() < end, f"wake-up {key} was lost"
            selector.discard(key)
    finally:
        is_over.set()
        sys.setswitchinterval(interval)
        for _ in range(rounds):
            may_wake.release()
        for thread in threads:
            thread.join()
        selector.close()


def test_reused_waiter_with_a_late_wake_up() -> None:
    waiter = take_waiter()
    give_back(waiter)
    assert take_waiter() is waiter
    waiter.wake()
    started = time.monotonic()
    waiter.wait_for(WAKE_UP, 5.0)
    waiter.wait_for(WAKE_UP, 0.05)
    assert 0.04 < time.monotonic() - started < 4
    give_back(waiter)


@needs_fork
def test_forked_child_does_not_wake_its_parent() -> None:
    waiter = Waiter()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            waiter.wake()  # the parent's
            started = time.monotonic()
            waiter.wait_for(WAKE_UP, 0.05)  # its own from now on
            waiter.wake()
            waiter.wait_for(WAKE_UP, NEVER)
            code = 0 if time.monotonic() - started > 0.04 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    started = time.monotonic()
    waiter.wait_for(WAKE_UP, 0.05)
    assert time.monotonic() - started > 0.04


def test_readable(pair: Pair) -> None:
    ours, theirs = pair
    assert not is_readable(ours.fileno())
    theirs.send(b"x")
    assert is_readable(ours.fileno())
    ours.recv(1)
    theirs.close()
    assert is_readable(ours.fileno())


def test_requests_with_each_kind_of_poll(system: str, serve: Serve) -> None:
    manager = NetworkAccessManager()
    manager.setEngine("python")
    server, silent = serve(always(b"ok")), serve(silence)
    request = BlockingNetworkRequest(manager)
    assert request.get(server.url) is OK and request.reply().body == b"ok"
    assert [code for _, code, _ in manager.getMany([server.url] * 30)] == [OK] * 30
    threading.Timer(0.1, request.abort).start()
    started = time.monotonic()
    assert request.get(silent.url) is CANCELED
    assert time.monotonic() - started < 5

"""The pool of idle connections: which one is taken, how many are kept and for how long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from blocking_request.engines.python import pool as pool_module
from blocking_request.engines.python.channel import SocketChannel
from blocking_request.engines.python.connection import Connection
from blocking_request.engines.python.pool import IDLE_SECONDS, KEPT_IN_ALL, KEPT_PER_ORIGIN, SWEEP_SECONDS, Pool
from blocking_request.engines.python.routes import RouteKey
from blocking_request.models.connection_options import ConnectionOptions
from blocking_request.models.proxy import Proxy
from blocking_request.models.tls import TlsSettings
from blocking_request.tls.qt_configuration import NO_TLS

KEY = RouteKey("http://a.test:80")


class Clock:
    """Replaces the clock of the pool."""

    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pool_module, "time", made)
    return made


class Peers:
    """Creates connections and keeps their other ends."""

    def __init__(self) -> None:
        self._ends: dict[int, socket.socket] = {}

    def connection(self, key: RouteKey = KEY) -> Connection:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        made = Connection(SocketChannel(ours), key, None)
        self._ends[id(made)] = theirs
        return made

    def other_end(self, connection: Connection) -> socket.socket:
        return self._ends[id(connection)]

    def close(self) -> None:
        for end in self._ends.values():
            end.close()


@pytest.fixture
def peers() -> Iterator[Peers]:
    made = Peers()
    yield made
    made.close()


def is_closed(connection: Connection) -> bool:
    return connection.channel.fileno() < 0


def test_last_used_connection_is_taken_first(clock: Clock, peers: Peers) -> None:
    pool = Pool()
    first, second = peers.connection(), peers.connection()
    pool.put(first)
    pool.put(second)
    assert pool.take(KEY) is second
    assert pool.take(KEY) is first
    assert pool.take(KEY) is None and pool.idle_count() == 0
    assert not is_closed(first) and not is_closed(second)


PROXY = Proxy("http", "proxy.test", 3128, "user", "one")
OF_KEY: dict[str, tuple[Any, Any]] = {
    "origin": ("https://a.test:443", "https://a.test:444"),
    "tls": ((TlsSettings(), 0), (TlsSettings(verify=False), 0)),
    "number of the TLS configuration": ((TlsSettings(), 0), (TlsSettings(), 1)),
    "proxy": (None, PROXY),
    "kind of proxy": (PROXY, Proxy("https", "proxy.test", 3128, "user", "one")),
    "host of the proxy": (PROXY, Proxy("http", "other.test", 3128, "user", "one")),
    "port of the proxy": (PROXY, Proxy("http", "proxy.test", 3129, "user", "one")),
    "user of the proxy": (PROXY, Proxy("http", "proxy.test", 3128, "other", "one")),
    "password of the proxy": (PROXY, Proxy("http", "proxy.test", 3128, "user", "two")),
    "verify_name": ("", "b.test"),
    "connection": (ConnectionOptions(), ConnectionOptions(allows_http2=False)),
}
FIELDS = {"number of the TLS configuration": "tls"}


@pytest.mark.parametrize("case", OF_KEY)
def test_keys_that_differ_share_no_connection(case: str, clock: Clock, peers: Peers) -> None:
    """Keys that differ in one field share no connection."""
    one, other = OF_KEY[case]
    name = "proxy" if "proxy" in case else FIELDS.get(case, case)
    key = RouteKey("https://a.test:443")._replace(**{name: one})
    pool = Pool()
    kept = peers.connection(key)
    pool.put(kept)
    assert pool.take(key._replace(**{name: other})) is None
    assert pool.take(key) is kept


def test_each_field_of_the_key_is_tested() -> None:
    names = {"proxy" if "proxy" in case else FIELDS.get(case, case) for case in OF_KEY}
    assert names == set(RouteKey._fields)
    assert RouteKey("").tls == NO_TLS


@pytest.mark.parametrize("case", ["closed", "bytes"])
def test_closed_or_readable_connection_is_discarded(case: str, clock: Clock, peers: Peers) -> None:
    pool = Pool()
    sound, touched = peers.connection(), peers.connection()
    pool.put(sound)
    pool.put(touched)
    if case == "closed":
        peers.other_end(touched).close()
    else:
        peers.other_end(touched).send(b"HTTP/1.1 408 Request Timeout\r\n")
    assert pool.take(KEY) is sound
    assert is_closed(touched)


def test_idle_timeout_of_a_connection(clock: Clock, peers: Peers) -> None:
    pool = Pool()
    kept = peers.connection()
    pool.put(kept)
    clock.now += IDLE_SECONDS - 1
    assert pool.take(KEY) is kept
    pool.put(kept)
    clock.now += IDLE_SECONDS
    assert pool.take(KEY) is None
    assert is_closed(kept) and pool.idle_count() == 0


def test_idle_connections_of_other_origins_are_closed(clock: Clock, peers: Peers) -> None:
    pool = Pool()
    old = [peers.connection(RouteKey(f"http://{number}.test:80")) for number in range(3)]
    for connection in old:
        pool.put(connection)
    clock.now += IDLE_SECONDS - SWEEP_SECONDS / 2
    younger = peers.connection(RouteKey("http://younger.test:80"))
    pool.put(younger)
    assert not any(map(is_closed, old))
    clock.now += SWEEP_SECONDS + 1
    pool.put(peers.connection())
    assert all(map(is_closed, old)) and not is_closed(younger)
    assert pool.idle_count() == 2


def test_limit_per_origin(clock: Clock, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "KEPT_PER_ORIGIN", 3)
    pool = Pool()
    connections = [peers.connection() for _ in range(5)]
    for connection in connections:
        clock.now += 1
        pool.put(connection)
    assert [is_closed(connection) for connection in connections] == [True, True, False, False, False]
    assert pool.idle_count() == 3


def test_limit_of_all_connections(clock: Clock, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "KEPT_IN_ALL", 3)
    pool = Pool()
    connections = [peers.connection(RouteKey(f"http://{number}.test:80")) for number in range(5)]
    for connection in connections:
        clock.now += 1
        pool.put(connection)
    assert [is_closed(connection) for connection in connections] == [True, True, False, False, False]
    assert pool.idle_count() == 3


def test_documented_limits() -> None:
    assert (KEPT_PER_ORIGIN, KEPT_IN_ALL, IDLE_SECONDS) == (64, 256, 60.0)


def test_clear_closes_idle_connections(clock: Clock, peers: Peers) -> None:
    pool = Pool()
    used, kept = peers.connection(), peers.connection()
    pool.put(kept)
    pool.clear()
    assert is_closed(kept) and pool.idle_count() == 0
    pool.put(used)  # it was in use during clear()
    assert pool.take(KEY) is used


def test_connection_is_used_by_one_thread(peers: Peers) -> None:
    pool = Pool()
    in_use: set[int] = set()
    errors: list[str] = []

    def work() -> None:
        for _ in range(300):
            connection = pool.take(KEY) or peers.connection()
            if id(connection) in in_use:
                errors.append("two threads have one connection")
            in_use.add(id(connection))
            in_use.discard(id(connection))
            pool.put(connection)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert pool.idle_count() == len(pool._idle[KEY]) <= 8
    pool.clear()


def test_connections_are_closed_without_the_lock(clock: Clock, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing may take time and may run a destructor that uses the pool."""
    monkeypatch.setattr(pool_module, "KEPT_PER_ORIGIN", 1)
    pool = Pool()
    held: list[bool] = []

    def close(connection: Connection) -> None:
        held.append(pool._guard.locked())

    monkeypatch.setattr(Connection, "close", close)
    pool.put(peers.connection())
    pool.put(peers.connection())
    clock.now += IDLE_SECONDS + 1
    assert pool.take(KEY) is None
    pool.put(peers.connection())
    clock.now += IDLE_SECONDS + 1
    pool.put(peers.connection(RouteKey("http://b.test:80")))
    pool.clear()
    assert held == [False] * 4

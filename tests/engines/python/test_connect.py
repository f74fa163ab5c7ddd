"""Connecting to the addresses of a host: one after another, side by side, and the error if none can be reached."""

from __future__ import annotations

import errno
import select
import socket
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Callable

import pytest

from blocking_request import ErrorCode
from blocking_request.engines.python import connect as module
from blocking_request.engines.python.connect import connect
from blocking_request.engines.python.failures import connect_failure, proxy_connect_failure
from blocking_request.engines.wanted import WAKE_UP, Steps, Wanted
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.models.http_messages import Request

from ...support.drive_steps import drive_woken
from ...support.interpreter import without_garbage_collector
from ...support.look_ups import Answer, LookUps
from ...support.processes import socket_count
from ...support.servers.unreachable import FullListener, full_port, unused_port
from ...support.waiting import eventually

HOST = "host.test"


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this system has no IPv6 on loopback")


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> Iterator[LookUps]:
    stand_in = LookUps()
    monkeypatch.setattr(socket, "getaddrinfo", stand_in)
    yield stand_in
    stand_in.release()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def silent_addresses() -> Iterator[list[Answer]]:
    """Addresses that never respond."""
    with full_port() as first, full_port() as second, full_port() as third:
        yield [address_at(first), address_at(second), address_at(third)]


def address_at(port: int) -> Answer:
    return socket.AF_INET, ("127.0.0.1", port)


def refusing_address() -> Answer:
    return address_at(unused_port())


def address_of(listener: socket.socket) -> Answer:
    return listener.family, listener.getsockname()


def connected(host: str = HOST, port: int = 80, seconds: float = 20) -> socket.socket:
    return drive_woken(lambda wake: connect(host, port, wake), seconds)


def steps_to(look_ups: LookUps, addresses: Iterable[Answer]) -> tuple[Steps[socket.socket], Wanted]:
    """Return steps that have looked up the host and have begun to connect, and the Wanted that they wait for."""
    look_ups.answer(HOST, addresses)
    steps = connect(HOST, 80, lambda: None)
    found: list[Wanted] = []

    def has_begun() -> bool:
        found.append(next(steps))
        return found[-1] != WAKE_UP

    assert eventually(has_begun)
    return steps, found[-1]


def test_options_of_the_socket(listener: socket.socket) -> None:
    with connected(*listener.getsockname()) as sock:
        assert sock.getpeername() == listener.getsockname()
        assert sock.getblocking() is False and sock.get_inheritable() is False
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if module._NOTSENT_LOWAT is not None:
            assert sock.getsockopt(socket.IPPROTO_TCP, module._NOTSENT_LOWAT) == 1 << 17


def test_driver_is_woken_by_the_look_up(look_ups: LookUps, listener: socket.socket) -> None:
    look_ups.answer(HOST, [address_of(listener)])
    connected().close()
    assert look_ups.asked == [HOST]


@needs_ipv6
def test_ipv6() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        for host in ("::1", "[::1]"):
            with connected(host, port) as sock:
                assert sock.family == socket.AF_INET6 and sock.getpeername()[:2] == ("::1", port)


@needs_ipv6
def test_server_on_one_family_only(look_ups: LookUps, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    look_ups.answer(HOST, [(socket.AF_INET6, ("::1", port, 0, 0)), address_of(listener)])
    with connected() as sock:
        assert sock.family == socket.AF_INET


def test_unknown_host(look_ups: LookUps) -> None:
    look_ups.answer(HOST, socket.gaierror(socket.EAI_NONAME, "unknown"))
    with pytest.raises(socket.gaierror, match="unknown") as raised:
        connected()
    assert raised.value.errno == socket.EAI_NONAME


def test_host_without_an_address(look_ups: LookUps) -> None:
    look_ups.answer(HOST, [])
    with pytest.raises(socket.gaierror, match="the name has no address"):
        connected()


def test_connection_refused() -> None:
    with pytest.raises(ConnectionRefusedError):
        connected("127.0.0.1", unused_port())


def test_refusing_addresses_cause_no_delay(
    look_ups: LookUps, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEMPT_DELAY_SECONDS", 60.0)
    look_ups.answer(HOST, [refusing_address(), refusing_address(), address_of(listener), refusing_address()])
    before = socket_count()
    with connected() as sock:
        assert sock.getpeername() == listener.getsockname()
        assert socket_count() == before + 1


def test_next_address_is_tried_after_the_attempt_delay(
    silent_addresses: list[Answer], look_ups: LookUps, listener: socket.socket
) -> None:
    look_ups.answer(HOST, [*silent_addresses[:2], address_of(listener), silent_addresses[2]])
    before = socket_count()
    with connected() as sock:
        assert sock.getpeername() == listener.getsockname()
        assert socket_count() == before + 1


def test_slow_address_is_used_if_the_others_refuse(look_ups: LookUps) -> None:
    """The first address is still waited for after the others have refused."""
    with FullListener() as first:
        steps, wanted = steps_to(look_ups, [address_at(first.port), refusing_address(), refusing_address()])
        assert len(wanted.sockets) == 1 and 0 < wanted.seconds <= module.ATTEMPT_DELAY_SECONDS
        first.make_room()
        with drive_woken(lambda wake: steps) as sock:
            assert sock.getpeername() == ("127.0.0.1", first.port)


def test_two_addresses_connected_at_once(
    look_ups: LookUps, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of them is used, the other one is closed."""
    monkeypatch.setattr(module, "ATTEMPT_DELAY_SECONDS", 0.0)
    with FullListener() as first:
        before = socket_count()
        steps, wanted = steps_to(look_ups, [address_at(first.port), address_of(listener)])
        assert socket_count() == before + 2
        poll = select.poll()
        for descriptor, events in wanted.sockets:
            poll.register(descriptor, events)
        assert [ready for ready, _ in poll.poll(10_000)] == [wanted.sockets[1][0]]
        first.make_room()
        assert eventually(lambda: len(poll.poll(100)) == 2)
        before = socket_count() - 2
        with drive_woken(lambda wake: steps) as sock:
            assert sock.getpeername() == ("127.0.0.1", first.port)
            assert socket_count() == before + 1


@pytest.mark.parametrize("count", [1, 3])
def test_only_silent_addresses(
    count: int, silent_addresses: list[Answer], look_ups: LookUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(module, "ATTEMPT_DELAY_SECONDS", 0.05)
    look_ups.answer(HOST, silent_addresses[:count])
    before = socket_count()
    with pytest.raises(TimeoutError) as raised:
        connected()
    assert socket_count() == before
    assert connect_failure(raised.value, Request("GET", f"http://{HOST}/")).code is ErrorCode.TimeoutError


@pytest.mark.parametrize("is_refusal_first", [False, True])
def test_unsupported_address_family_does_not_hide_other_errors(is_refusal_first: bool, look_ups: LookUps) -> None:
    unsupported = (socket.AF_APPLETALK, ("127.0.0.1", 80))
    with pytest.raises(OSError, match=r".") as raised, socket.socket(socket.AF_APPLETALK, socket.SOCK_STREAM):
        pass
    if raised.value.errno != errno.EAFNOSUPPORT:
        pytest.skip("this system has the family")
    look_ups.answer(HOST, [refusing_address(), unsupported] if is_refusal_first else [unsupported, refusing_address()])
    with pytest.raises(ConnectionRefusedError):
        connected()
    look_ups.answer(HOST, [unsupported])
    with pytest.raises(OSError, match=r".") as raised:
        connected()
    assert raised.value.errno == errno.EAFNOSUPPORT


V6 = [(socket.AF_INET6, (f"::{number}", 80, 0, 0)) for number in range(3)]
V4 = [(socket.AF_INET, (f"127.0.0.{number}", 80)) for number in range(3)]


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ([*V6, *V4], [V6[0], V4[0], V6[1], V4[1], V6[2], V4[2]]),
        ([*V4, V6[0]], [V4[0], V6[0], V4[1], V4[2]]),
        ([V6[0], *V4], [V6[0], *V4]),
        (V4, V4),
        ([], []),
    ],
)
def test_order_of_attempts(given: list[Answer], order: list[Answer]) -> None:
    """RFC 8305 section 4: the families take turns, beginning with the first address's."""
    assert module._interleaved(given) == order


def test_cancel_closes_all_sockets(
    silent_addresses: list[Answer], look_ups: LookUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEMPT_DELAY_SECONDS", 0.0)
    before = socket_count()
    steps, wanted = steps_to(look_ups, silent_addresses)
    assert len(wanted.sockets) == 3
    assert socket_count() == before + 3
    steps.close()
    assert socket_count() == before


def test_cancel_of_a_look_up(look_ups: LookUps) -> None:
    woken: list[bool] = []
    steps = connect("stuck-cancelled.test", 80, lambda: woken.append(True))
    assert next(steps) == WAKE_UP
    assert look_ups.begun.acquire(timeout=10)
    steps.close()
    others = connect("stuck-cancelled.test", 80, lambda: None)
    assert next(others) == WAKE_UP
    look_ups.release()
    assert eventually(lambda: next(others) != WAKE_UP)
    others.close()
    assert woken == []


def test_spurious_wake_ups(silent_addresses: list[Answer], look_ups: LookUps, listener: socket.socket) -> None:
    steps, _ = steps_to(look_ups, [silent_addresses[0], address_of(listener)])
    before = socket_count()
    for _ in range(100):
        assert len(next(steps).sockets) == 1
    assert socket_count() == before
    with drive_woken(lambda wake: steps) as sock:
        assert sock.getpeername() == listener.getsockname()


@pytest.mark.parametrize("result", [[refusing_address()], socket.gaierror(socket.EAI_NONAME, "unknown")])
def test_failure_creates_no_reference_cycle(result: Any, look_ups: LookUps) -> None:
    class Driver:
        def wake(self) -> None:
            pass

    def fail() -> Callable[[], object]:
        driver = Driver()
        steps = connect(HOST, 80, driver.wake)
        try:
            eventually(lambda: next(steps) is None)
        except OSError:
            return weakref.ref(driver)
        raise AssertionError

    look_ups.answer(HOST, result)
    with without_garbage_collector():
        assert fail()() is None


@pytest.mark.parametrize(
    ("error", "of_server", "of_proxy"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "x"),
            (Q.HostNotFoundError, "Host h not found"),
            (Q.ProxyNotFoundError, "Proxy not found"),
        ),
        (
            ConnectionRefusedError(),
            (Q.ConnectionRefusedError, "Connection refused"),
            (Q.ProxyConnectionRefusedError, "Proxy connection refused"),
        ),
        (
            OSError(errno.ETIMEDOUT, "Connection timed out"),
            (Q.TimeoutError, "Connection timed out"),
            (Q.ProxyTimeoutError, "Proxy server connection timed out"),
        ),
        (
            ConnectionResetError(),
            (
                Q.RemoteHostClosedError,
                "Connection closed without an answer; if the server expects TLS there, use https://",
            ),
            (Q.ProxyConnectionClosedError, "Proxy connection closed prematurely"),
        ),
        (
            OSError(errno.EHOSTUNREACH, "No route to host"),
            (Q.UnknownNetworkError, "No route to host"),
            (Q.UnknownNetworkError, "No route to host"),
        ),
    ],
)
def test_errors_of_connecting(error: OSError, of_server: tuple[Q, str], of_proxy: tuple[Q, str]) -> None:
    failure = connect_failure(error, Request("GET", "http://h/"))
    assert (failure.error, failure.text) == of_server
    failure = proxy_connect_failure(error)
    assert (failure.error, failure.text) == of_proxy
    is_timeout = isinstance(error, TimeoutError)
    assert failure.code is (ErrorCode.TimeoutError if is_timeout else ErrorCode.NetworkError)

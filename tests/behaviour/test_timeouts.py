"""Idle timeout and deadline of calls, over real servers."""

from __future__ import annotations

import threading
import time

from blocking_request import BlockingNetworkRequest, ErrorCode

from ..support.names import Serve
from ..support.servers.raw import Connection, always


def test_idle_timeout_does_not_run_while_bytes_move(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def slow(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
        for _ in range(12):
            time.sleep(0.1)
            connection.send(b"x")

    server = serve(slow)
    blocking.setTimeout(600)
    assert blocking.get(server.url) is ErrorCode.NoError
    assert blocking.reply().body == b"x" * 12
    assert blocking.reply().elapsed() > 0.6


def test_time_in_a_slot_is_not_idle_time(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"z" * 20_000_000))
    blocking.setTimeout(1000)
    slept = []  # type: ignore[var-annotated]

    def slot(done: int, total: int) -> None:
        if not slept:
            slept.append(time.sleep(1.5))  # type: ignore[func-returns-value]

    blocking.downloadProgress.connect(slot)
    assert blocking.get(server.url) is ErrorCode.NoError
    assert len(blocking.reply().body) == 20_000_000


def test_idle_timeout_starts_again_after_a_slot(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    slot_ended = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        slot_ended.wait(10)
        time.sleep(0.1)
        connection.send(b"def")

    server = serve(handle)
    blocking.setTimeout(400)

    def slot(done: int, total: int) -> None:
        if not slot_ended.is_set():
            time.sleep(0.8)
            slot_ended.set()

    blocking.downloadProgress.connect(slot)
    assert blocking.get(server.url) is ErrorCode.NoError, blocking.errorMessage()
    assert blocking.reply().body == b"abcdef"

"""Streams: chunks in the caller's thread, back-pressure, errors and the end of the transfer, on both engines."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from contextlib import suppress

import pytest

from blocking_request import (
    BlockingNetworkRequest,
    ErrorCode,
    Feedback,
    NetworkAccessManager,
    NetworkRequestError,
    RequestCanceledError,
    RequestTimeoutError,
    ServerExceptionError,
)
from blocking_request.engines.choice import engine as engine_named
from blocking_request.engines.mailbox import STREAMED_AHEAD

from ..support.names import OK, Serve
from ..support.servers.raw import Connection, always, echo, telling_the_end

BODY = bytes(range(256)) * 4000


def test_stream_yields_chunks(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(BODY, headers="X-Mine: 1\r\n"))
    with blocking.stream(server.url) as chunks:
        assert chunks.reply().statusCode() == 200 and chunks.reply().headers["X-Mine"] == "1"
        assert b"".join(chunks) == BODY
    assert blocking.reply().errorCode() is OK and blocking.reply().body == b""
    assert blocking.get(server.url) is OK
    assert server.connections == 1


def test_encoded_stream_is_decoded(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(gzip.compress(BODY), headers="Content-Encoding: gzip\r\n"))
    with blocking.stream(server.url) as chunks:
        assert b"".join(chunks) == BODY


def test_verb_and_body(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(echo)
    with blocking.stream(server.url, verb="POST", data=b"data") as chunks:
        assert b"".join(chunks).endswith(b"\r\n\r\ndata")


def test_unread_stream_applies_back_pressure(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    sent = [0]
    stuck = threading.Event()

    def flood(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        connection.sock.settimeout(1.0)
        try:
            while sent[0] < 200_000_000:
                sent[0] += connection.sock.send(b"x" * 65536)
        except socket.timeout:
            stuck.set()
        except OSError:
            pass

    server = serve(flood)
    with blocking.stream(server.url) as chunks:
        next(chunks)
        assert stuck.wait(20), f"{sent[0]} bytes were sent although the stream was not read"
    # the kernel's buffers, Qt's, and the chunks that wait for the caller
    assert sent[0] < 40_000_000 + STREAMED_AHEAD
    assert blocking.reply().errorCode() is ErrorCode.CanceledError


def test_errors_are_raised(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    with pytest.raises(ServerExceptionError) as caught, blocking.stream(serve(always(b"why", "404 No")).url):
        pass
    assert caught.value.reply.body == b"why"
    with pytest.raises(NetworkRequestError), blocking.stream("http://127.0.0.1:1/"):
        pass
    with pytest.raises(NetworkRequestError, match='Protocol "" is unknown'), blocking.stream("nothing"):
        pass

    def half(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)

    taken = b""
    with pytest.raises(NetworkRequestError, match="500 of 1000 bytes"), blocking.stream(serve(half).url) as chunks:
        for chunk in chunks:
            taken += chunk
    assert taken == b"x" * 500
    assert blocking.get(serve(always(b"ok")).url) is OK


def test_timeouts_and_cancels_are_raised(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def stall(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        connection.wait_for_close()

    server = serve(stall)
    blocking.setTimeout(300)
    with pytest.raises(RequestTimeoutError), blocking.stream(server.url) as chunks:
        list(chunks)
    blocking.setTimeout(10_000)
    feedback = Feedback()
    with pytest.raises(RequestCanceledError), blocking.stream(server.url, feedback) as chunks:
        for _ in chunks:
            feedback.cancel()
    with pytest.raises(RequestCanceledError), blocking.stream(server.url) as chunks:
        for _ in chunks:
            threading.Timer(0.1, blocking.abort).start()
    assert blocking.get(serve(always(b"ok")).url) is OK


def test_exception_in_the_block_ends_the_transfer(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(BODY))
    with pytest.raises(LookupError), blocking.stream(server.url) as chunks:
        next(chunks)
        raise LookupError
    assert blocking.get(server.url) is OK


def test_close_ends_the_transfer(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    ended = threading.Semaphore(0)

    def flood(connection: Connection) -> None:
        connection.read_request()
        try:
            connection.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                connection.sock.sendall(BODY)
        except OSError:
            ended.release()

    server = serve(flood)
    # Without a reset of the connection, about every fourth server would stay blocked in sendall().
    for _ in range(20):
        with blocking.stream(server.url) as chunks:
            assert next(chunks)
            chunks.close()
            assert ended.acquire(timeout=10)
            assert list(chunks) == [] and chunks.reply().statusCode() == 200
            chunks.close()
        assert blocking.get(serve(always(b"next")).url) is OK
    assert blocking.reply().body == b"next"


def test_object_is_busy_during_a_stream(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(BODY))
    with blocking.stream(server.url) as chunks:
        with pytest.raises(RuntimeError, match="is busy with another call"):
            blocking.get(server.url)
        assert BlockingNetworkRequest().get(server.url) is OK
        assert b"".join(chunks) == BODY
    with pytest.raises(RuntimeError, match="can be entered once"):
        chunks.__enter__()


def test_1000_abandoned_streams(engine: str, serve: Serve) -> None:
    server = serve(always(BODY))
    request = BlockingNetworkRequest()
    for _ in range(1000):
        with request.stream(server.url) as chunks:
            next(chunks)
    running = engine_named(engine)
    assert request.get(server.url) is OK
    busy = running._running if engine == "python" else [worker for worker in running._workers if worker.load]  # type: ignore[attr-defined]
    assert len(busy) == 0
    assert threading.active_count() < 100
    NetworkAccessManager.instance().shutdown()


# -- decompression bombs


def test_gzip_bomb(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """400 MB of zeros, compressed."""
    bomb = gzip.compress(bytes(1 << 20) * 400, 9)
    server = serve(always(bomb, headers="Content-Encoding: gzip\r\n"))
    assert blocking.get(server.url) is ErrorCode.NetworkError
    assert "has become more than 300 times as large" in blocking.errorMessage()
    assert len(blocking.reply().body) < 140 << 20
    manager = NetworkAccessManager()
    manager.setMaximumExpansion(0)
    manager.setMaximumBodySize(1 << 20)
    request = BlockingNetworkRequest(manager)
    request.setEngine(blocking.engine())
    assert request.get(server.url) is ErrorCode.NetworkError
    assert "larger than the limit of 1048576 bytes" in request.errorMessage()
    assert len(request.reply().body) <= 1 << 20


def test_brotli_bomb(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """Brotli may expand a million times; the limit is checked after each megabyte."""
    import resource

    try:
        import brotlicffi as brotli
    except ImportError:
        import brotli
    from blocking_request.engines.content_decoding import READABLE_CODINGS

    if "br" not in READABLE_CODINGS:
        pytest.skip("no brotli that can be stopped")
    compressor = brotli.Compressor(quality=5)
    zeros = bytes(1 << 20)
    bomb = b"".join(compressor.process(zeros) for _ in range(600)) + compressor.finish()
    server = serve(always(bomb, headers="Content-Encoding: br\r\n"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NetworkRequestError, match="300 times as large"), blocking.stream(server.url) as chunks:
        for _ in chunks:
            pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_iteration_without_a_with_block(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(BODY))
    with pytest.raises(RuntimeError, match="with request"):
        list(blocking.stream(server.url))
    assert server.requests == []


def test_close_in_a_slot(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def trickle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sock.sendall(b"x")
                time.sleep(0.02)

    stream = blocking.stream(serve(trickle).url)
    blocking.downloadProgress.connect(lambda done, total: stream.close())
    with stream as chunks:
        assert sum(map(len, chunks)) < 1_000_000
    blocking.downloadProgress.disconnect()
    assert blocking.get(serve(always(b"next")).url) is OK


def test_close_in_another_thread(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def first_chunk_only(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfirst")
        connection.wait_for_close()

    server = serve(first_chunk_only)
    with blocking.stream(server.url) as chunks:
        assert next(chunks) == b"first"
        timer = threading.Timer(0.2, chunks.close)
        timer.start()
        assert list(chunks) == []
        timer.join()
    assert blocking.get(serve(always(b"next")).url) is OK


def test_close_in_another_thread_runs_slots_in_the_callers_thread(manager: NetworkAccessManager, serve: Serve) -> None:
    """Slots and preprocessors run in the thread that has entered the with block."""

    def first_chunk_only(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfirst")
        connection.wait_for_close()

    blocking, threads = BlockingNetworkRequest(manager), list[int]()
    manager.finished.connect(lambda reply: threads.append(threading.get_ident()))
    blocking.finished.connect(lambda: threads.append(threading.get_ident()))
    with blocking.stream(serve(first_chunk_only).url) as chunks:
        assert next(chunks) == b"first"
        thread = threading.Thread(target=chunks.close)
        thread.start()
        thread.join()
        assert threads == []
        assert list(chunks) == []
    assert threads == [threading.get_ident()] * 2
    assert blocking.get(serve(always(b"next")).url) is OK


@pytest.mark.parametrize("read", [0, 1])
def test_dropped_stream_frees_its_request(read: int, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """Ctrl-C before the with block begins does the same."""
    server, ended = serve(always(b"ok")), threading.Event()

    def half(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.wait_for_close()

    stream = blocking.stream(serve(telling_the_end(half, ended)).url)
    stream.__enter__()
    for _ in range(read):
        assert next(stream) == b"half"
    del stream
    assert ended.wait(10)
    assert blocking.get(server.url) is ErrorCode.NoError

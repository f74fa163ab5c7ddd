"""Bodies that are read while they are sent, on both engines."""

from __future__ import annotations

import gzip
import io
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from blocking_request import AuthConfig, BlockingNetworkRequest, ErrorCode, Feedback
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.qt.binding import QT_VERSION, QtCore, QtNetwork, enum_value

from ..support.names import CANCELED, NET, OK, TIMEOUT, Serve
from ..support.servers.raw import Connection, always
from ..support.uploads import BODY, SMUGGLED, Generous, Unmeasured, bodies


@pytest.mark.parametrize("kind", ["file", "qfile", "buffer"])
def test_large_file(kind: str, blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"ok"))
    (tmp_path / "file").write_bytes(b"before" + BODY)
    seen: list[tuple[int, int]] = []
    blocking.uploadProgress.connect(lambda done, total: seen.append((done, total)))
    down: list[int] = []
    blocking.downloadProgress.connect(lambda done, total: down.append(done))
    if kind == "qfile":
        device = QtCore.QFile(str(tmp_path / "file"))
        device.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        device.seek(6)
        assert blocking.post(server.url, device) is OK, blocking.errorMessage()
        device.close()
    else:
        source: Any = (tmp_path / "file").open("rb") if kind == "file" else io.BytesIO(b"before" + BODY)
        source.seek(6)
        assert blocking.post(server.url, source) is OK, blocking.errorMessage()
        source.close()
    assert bodies(server) == [BODY]
    assert seen[-1] == (len(BODY), len(BODY)) and len(seen) <= 3 + 10 * blocking.reply().elapsed()
    assert down == [2]  # the body of the response is not counted as an upload


def test_chunked_upload(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    received: list[bytes] = []

    def handle(connection: Connection) -> None:
        data = b""
        while not data.endswith(b"\r\n0\r\n\r\n"):
            piece = connection.sock.recv(1 << 16)
            if not piece:
                return
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        received.append(head)
        received.append(body)
        connection.respond(b"ok")

    for source in ((BODY[start : start + 7000] for start in range(0, len(BODY), 7000)), Unmeasured(BODY)):
        server = serve(handle)
        code = blocking.post(server.url, source)
        if blocking.engine() == "qt":
            assert code is NET and "Qt cannot send a body whose length is not known" in blocking.errorMessage()
            continue
        assert code is OK, blocking.errorMessage()
        head, body = received[-2:]
        assert body == BODY and b"Transfer-Encoding: chunked" in head and b"Content-Length" not in head


def test_small_iterables_have_a_content_length(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"ok"))
    for source in ((piece for piece in (b"a", b"", b"b")), Unmeasured(b"ab"), [b"a", bytearray(b"b")]):
        assert blocking.post(server.url, source) is OK
    assert bodies(server) == [b"ab"] * 3


@pytest.mark.parametrize("size", [0, 3 << 20])
@pytest.mark.parametrize("how", ["abort", "deadline"])
def test_endless_empty_pieces(size: int, how: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """The body can be cancelled before and after its first byte."""

    def pieces() -> Iterator[bytes]:
        for _ in range(size >> 16):
            yield bytes(1 << 16)
        if how == "abort":
            blocking.abort()
        while time.monotonic() - began < 20:
            yield b""

    def read_all(connection: Connection) -> None:
        while connection.sock.recv(1 << 16):
            pass

    if how == "deadline":
        blocking.setDeadline(500)
    began = time.monotonic()
    code = blocking.post(serve(read_all).url, pieces())
    assert time.monotonic() - began < 10
    if size and blocking.engine() == "qt":
        assert code is NET and "Qt cannot send a body whose length is not known" in blocking.errorMessage()
    else:
        assert code is (CANCELED if how == "abort" else TIMEOUT)


@pytest.mark.parametrize("status", [307, 401])
def test_body_is_sent_again_if_it_is_seekable(status: int, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    last = serve(always(b"there"))

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if status == 307:
                connection.respond(b"", "307 There", f"Location: {last.url}\r\n")
            elif b"Digest username" in request:
                connection.respond(b"in")
            else:
                connection.respond(b"", "401 Who", 'WWW-Authenticate: Digest realm="r", nonce="n"\r\n')

    first = serve(handle)
    blocking.setAuthConfig(AuthConfig.digest("u", "p"))
    assert blocking.post(first.url, io.BytesIO(BODY)) is OK, blocking.errorMessage()
    assert (bodies(last) if status == 307 else bodies(first)[1:]) == [BODY]
    if blocking.engine() == "qt":
        return
    code = blocking.post(first.url, Unmeasured(BODY[:1_500_000]))
    if status == 307:
        assert code is NET and enum_value(blocking.reply().error()) == Q.ContentReSendError
        assert "cannot go back to its beginning" in blocking.errorMessage()
    else:
        assert code is ErrorCode.ServerExceptionError and blocking.reply().statusCode() == 401


def test_file_shorter_than_its_size(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    class ShortFile(io.BytesIO):
        def read(self, count: Any = -1) -> bytes:
            return super().read(count) if self.tell() < 2_000_000 else b""

    server = serve(always(b"ok"))
    assert blocking.post(server.url, ShortFile(BODY)) is NET
    assert re.search(r"The body has only \d+ of the 5120000 bytes", blocking.errorMessage())
    assert blocking.get(server.url) is OK


def test_exception_of_an_upload_iterator(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def pieces() -> Any:
        yield b"x" * 3_000_000
        raise LookupError("mine")

    server = serve(always(b"ok"))
    if blocking.engine() == "python":
        with pytest.raises(LookupError, match="mine"):
            blocking.post(serve(Connection.wait_for_close).url, pieces())
    assert blocking.get(server.url) is OK


def test_feedback_progress_of_a_large_upload(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    feedback = Feedback()
    seen: list[float] = []
    feedback.progressChanged.connect(seen.append)
    assert blocking.put(serve(always(b"x" * 1000)).url, io.BytesIO(BODY), feedback) is OK
    assert feedback.progress() == 100.0 and seen == sorted(seen)


def test_cancel_during_an_upload(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    feedback = Feedback()

    def slow(connection: Connection) -> None:
        connection.sock.recv(100_000)
        feedback.cancel()
        connection.wait_for_close()

    assert blocking.post(serve(slow).url, io.BytesIO(BODY * 10), feedback=feedback) is ErrorCode.CanceledError
    assert blocking.reply().elapsed() < 5


def test_progress_of_4_gib_does_not_overflow(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """A sparse file of which the server reads a little."""
    seen: list[tuple[int, int]] = []
    size = 5 << 30

    def some(connection: Connection) -> None:
        taken = 0
        while taken < 3_000_000:
            piece = connection.sock.recv(1 << 16)
            if not piece:
                return
            taken += len(piece)
        blocking.abort()
        connection.wait_for_close()

    blocking.uploadProgress.connect(lambda done, total: seen.append((done, total)))
    path = f"/tmp/sparse-{os.getpid()}"
    try:
        with open(path, "w+b") as file:
            file.truncate(size)
            assert blocking.put(serve(some).url, file) is ErrorCode.CanceledError
    finally:
        os.unlink(path)
    assert seen and {total for _, total in seen} == {size}


def test_body_of_a_wrong_type(blocking: BlockingNetworkRequest) -> None:
    with pytest.raises(TypeError, match=r"give form=\.\.\. or json=\.\.\. instead"):
        blocking.post("http://x/", {"a": 1})
    with pytest.raises(TypeError, match="a QHttpMultiPart belongs to its thread"):
        blocking.post("http://x/", QtNetwork.QHttpMultiPart())


def test_compressed_file_of_unknown_size(blocking: BlockingNetworkRequest, httpbin: str, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    with gzip.open(tmp_path / "large.gz", "wb") as file:
        file.write(content * 2)
    with gzip.open(tmp_path / "large.gz") as file:
        code = blocking.put(f"{httpbin}/put", file)
        if blocking.engine() == "qt":
            assert code is NET and "length is not known" in blocking.errorMessage()
        else:
            # it was sent completely; httpbin itself accepts no chunks
            assert blocking.reply().statusCode() == 501, blocking.errorMessage()


def test_iterable_of_a_wrong_type(blocking: BlockingNetworkRequest) -> None:
    with pytest.raises(TypeError, match="data must give bytes, not NoneType"):
        blocking.put("http://x/", iter([b"a", None, b"b"]))


@pytest.mark.skipif(QT_VERSION < (6,), reason="Qt 5 does not report a response that arrives before the body was sent")
@pytest.mark.parametrize("size", [300_000, 20_000_000])
def test_error_status_before_the_body_was_read(size: int, on_qt: BlockingNetworkRequest, serve: Serve) -> None:
    def refuse(connection: Connection) -> None:
        connection.sock.recv(1000)
        connection.respond(b"too large", "413 Content Too Large")
        with suppress(OSError):  # the client may have closed already
            connection.sock.shutdown(socket.SHUT_WR)
        connection.wait_for_close()

    server = serve(refuse)
    told = 0
    for _ in range(8):
        code, reply = on_qt.post(server.url, bytes(size)), on_qt.reply()
        if code is ErrorCode.NetworkError and reply.statusCode() is None:
            continue  # Qt has seen the end of the connection before it has read the response (docs/engines.rst)
        assert code is ErrorCode.ServerExceptionError, on_qt.errorMessage()
        assert (reply.statusCode(), reply.body) == (413, b"too large")
        told += 1
    assert told


def test_early_response_is_the_same_for_each_verb(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def early(connection: Connection) -> None:
        connection.sock.recv(1000)
        connection.respond(b"early")

    server = serve(early)
    blocking.setEngine("qt")  # Qt reports an error because it has not sent the whole body
    for verb in ("GET", "PUT"):
        for _ in range(4):
            assert blocking.sendCustomRequest(server.url, verb, BODY) is ErrorCode.NetworkError


@pytest.mark.parametrize("kind", ["bytes", "file", "stream"])
@pytest.mark.parametrize("framing", ["Content-Length: 4194304", "Transfer-Encoding: chunked", "Connection: close"])
def test_server_that_responds_while_it_reads(
    kind: str, framing: str, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    """As a proxy that pipes the request into the response: it reads no more until its response is read."""
    data, is_chunked = os.urandom(4 << 20), "chunked" in framing

    def echo(connection: Connection) -> None:
        request = connection.sock.recv(1 << 16, socket.MSG_PEEK)
        connection.sock.recv(request.index(b"\r\n\r\n") + 4)
        connection.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        left = len(data)
        while left and (piece := connection.sock.recv(1 << 14)):
            left -= len(piece)
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        connection.send(b"0\r\n\r\n" if is_chunked else b"")

    url = serve(echo).url
    if kind == "stream":
        with blocking.stream(url, None, "POST", data) as chunks:
            assert b"".join(chunks) == data
        return
    body: Any = io.BytesIO(data) if kind == "file" else data
    assert blocking.post(url, body) is OK, blocking.errorMessage()
    assert blocking.reply().body == data


EARLY = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "chunk", [b"1;%b\r\nx\r\n" % (b"x" * 60_000), b"1\r\nx\r\n" * 10_000], ids=["extension", "tiny"]
)
@pytest.mark.parametrize("how", ["deadline", "abort"])
def test_flood_of_an_early_response(chunk: bytes, how: str, on_python: BlockingNetworkRequest, serve: Serve) -> None:
    """The server sends as fast as it can while the body waits to be read."""

    def flood(connection: Connection) -> None:
        connection.sock.recv(1000)
        with suppress(OSError):
            connection.sock.sendall(EARLY)
            while True:
                connection.sock.sendall(chunk)

    url = serve(flood).url
    if how == "abort":
        threading.Timer(0.5, on_python.abort).start()
    else:
        on_python.setDeadline(500)
    began = time.monotonic()
    code = on_python.post(url, bytes(20_000_000))
    assert code is (ErrorCode.CanceledError if how == "abort" else ErrorCode.TimeoutError), on_python.errorMessage()
    assert time.monotonic() - began < 2


def test_early_part_of_a_response(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    """It counts as activity, and what has arrived is in the reply."""

    def trickle(connection: Connection) -> None:
        connection.sock.recv(1000)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(20):
            connection.send(b"x")
            time.sleep(0.1)
        connection.wait_for_close()

    on_python.setTimeout(1_000)
    assert on_python.post(serve(trickle).url, bytes(20_000_000)) is ErrorCode.TimeoutError
    assert on_python.reply().body == b"x" * 20 and on_python.reply().elapsed() > 2


def test_iterator_with_a_huge_piece(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """Its rest is not copied for each part of it that is sent."""
    server, piece = serve(always(b"ok")), bytes(1 << 20) * 60
    blocking.setEngine("python")
    headers = {"Content-Type": "a/b"}
    began = time.monotonic()
    with suppress(OSError):
        blocking.post(server.url, iter([piece]), headers=headers)
    assert time.monotonic() - began < 3


def test_file_that_reads_more_than_asked(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """Exactly Content-Length bytes are sent; the surplus was once sent as a request of its own."""
    server = serve(always(b"ok"))
    source = Generous(BODY + SMUGGLED)
    source.len = len(BODY)  # type: ignore[attr-defined]
    assert blocking.post(server.url, source) is OK, blocking.errorMessage()
    assert bodies(server) == [BODY]
    assert blocking.get(server.url) is OK
    assert [request.split()[0] for request in server.requests] == [b"POST", b"GET"]


def test_short_file_that_reads_more_than_asked(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"ok"))
    source = Generous(BODY)
    source.len = len(BODY) + 1  # type: ignore[attr-defined]
    assert blocking.post(server.url, source) is NET
    assert f"only {len(BODY)} of the {len(BODY) + 1} bytes" in blocking.errorMessage()

"""Downloads into files and devices, complete or not at all, and resumed, on both engines."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.qt.binding import QT_VERSION, QtCore, enum_value

from ..support.interpreter import without_garbage_collector
from ..support.names import NET, OK, ROOT, SERVER, Serve
from ..support.servers.raw import Connection, Handler, RawServer, always
from ..support.waiting import eventually

BODY = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(BODY).hexdigest()


def range_server(
    body: bytes = BODY, tag: str = '"one"', breaks: int = 0, after: int = 100_000, supports: bool = True
) -> Handler:
    """Return a handler that serves ``body`` with ranges; the first ``breaks`` responses are cut off ``after`` this number of bytes."""
    left = [breaks]

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            found = re.search(rb"Range: bytes=(\d+)-", request, re.IGNORECASE)
            condition = re.search(rb"If-Range: (.*?)\r\n", request, re.IGNORECASE)
            start = int(found[1]) if found and supports else 0
            if condition and condition[1].decode() != tag:
                start = 0
            if start >= len(body):
                connection.respond(b"", "416 No", f"Content-Range: bytes */{len(body)}\r\n")
                continue
            part = body[start:]
            head = "206 Part" if start else "200 OK"
            fields = f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}\r\n" if start else ""
            lines = f"HTTP/1.1 {head}\r\nContent-Length: {len(part)}\r\nETag: {tag}\r\n{fields}\r\n"
            if left[0] > 0:
                left[0] -= 1
                connection.send(lines.encode() + part[:after])
                return
            connection.send(lines.encode() + part)

    return handle


def leave_part(target: Path, url: str, body: bytes, total: int = -1) -> None:
    """Write the files that a download of version "one" leaves if it breaks off."""
    part = target.with_name(f"{target.name}.part")
    part.write_bytes(body)
    description = {
        "url": hashlib.sha256(url.encode()).hexdigest(),
        "validator": '"one"',
        "total": total,
        "inode": part.stat().st_ino,
        "size": len(body),
    }
    target.with_name(f"{target.name}.part.json").write_text(json.dumps(description))


def test_download_into_a_file(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(BODY, headers="X-Mine: 1\r\n"))
    target = tmp_path / "file"
    target.write_text("old")
    assert blocking.download(server.url, target, checksum=f"sha256:{DIGEST.upper()}") is OK
    assert target.read_bytes() == BODY and os.listdir(tmp_path) == ["file"]
    reply = blocking.reply()
    assert (reply.statusCode(), reply.body, reply.headers["X-Mine"]) == (200, b"", "1")
    assert blocking.download(server.url, str(target)) is OK


def test_encoded_body_is_decoded(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(gzip.compress(BODY), headers="Content-Encoding: gzip\r\n"))
    assert blocking.download(server.url, tmp_path / "file") is OK
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("case", ["404", "truncated", "refused", "timeout", "cancel", "gzip", "checksum"])
def test_failed_download_leaves_the_file_unchanged(
    case: str, blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    feedback = Feedback()

    def half(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
        if case == "truncated":
            return
        if case == "cancel":
            feedback.cancel()
        connection.wait_for_close()

    handlers = {
        "404": always(b"no", "404 Not Found"),
        "gzip": always(gzip.compress(BODY)[:-20], headers="Content-Encoding: gzip\r\n"),
        "checksum": always(BODY),
    }
    server = serve(handlers.get(case, half))
    url = "http://127.0.0.1:1/" if case == "refused" else server.url
    blocking.setTimeout(300)
    code = blocking.download(url, target, feedback, checksum="md5:" + "0" * 32 if case == "checksum" else None)
    expected = {"404": SERVER, "timeout": ErrorCode.TimeoutError, "cancel": ErrorCode.CanceledError}
    assert code is expected.get(case, NET), blocking.errorMessage()
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["file"]
    if case == "404":
        assert blocking.reply().body == b"no"
    if case == "checksum":
        assert "the md5 checksum is" in blocking.errorMessage()
    assert blocking.get(serve(always(b"ok")).url) is OK


def test_redirects_are_followed(blocking: BlockingNetworkRequest, httpbin: str, tmp_path: Path) -> None:
    assert blocking.download(f"{httpbin}/redirect-to?url=/bytes/5000%3Fseed=1", tmp_path / "file") is OK
    assert (tmp_path / "file").stat().st_size == 5000 and len(blocking.reply().history()) == 1


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        ("/a/data.json?x=1", "", "data.json"),
        ("/a/b%20c.txt", "", "b c.txt"),
        ("/", "", "download"),
        ("/x", 'Content-Disposition: attachment; filename="r\xc3\xa9sum\xc3\xa9.pdf"\r\n', "r\u00e9sum\u00e9.pdf"),
        ("/x", 'Content-Disposition: attachment; filename="../../etc/passwd"\r\n', "passwd"),
        ("/x", 'Content-Disposition: attachment; filename="..\\\\..\\\\evil.exe"\r\n', "evil.exe"),
        ("/x", 'Content-Disposition: attachment; filename=".."\r\n', "x"),
        ("/x", 'Content-Disposition: attachment; filename="/"\r\n', "x"),
        ("/x", 'Content-Disposition: attachment; filename="a:b*c?.txt"\r\n', "a_b_c_.txt"),
        ("/x", 'Content-Disposition: attachment; filename="CON"\r\n', "_CON"),
        ("/%2e%2e%2f%2e%2e%2fevil", "", "evil"),
    ],
)
def test_download_into_a_folder(
    path: str, fields: str, name: str, blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    assert blocking.download(serve(always(b"x", headers=fields)).url + path, folder) is OK, blocking.errorMessage()
    assert os.listdir(folder) == [name] and os.listdir(tmp_path) == ["in"]


def test_download_into_a_device_or_open_file(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(BODY))
    buffer = QtCore.QBuffer()
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    assert blocking.download(server.url, buffer) is OK and bytes(buffer.data()) == BODY
    held = io.BytesIO()
    assert blocking.download(server.url, held, checksum=f"sha256:{DIGEST}") is OK and held.getvalue() == BODY
    with (tmp_path / "raw").open("wb", buffering=0) as raw:
        assert blocking.download(server.url, raw) is OK
    assert (tmp_path / "raw").read_bytes() == BODY


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Limit the size of files, as if the disk was full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("resume", [False, True])
def test_full_disk(resume: bool, blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(range_server())
    with file_size_limit(100_000):
        assert blocking.download(server.url, tmp_path / "file", resume=resume) is NET
    assert re.search(r"The file.* cannot be written: File too large", blocking.errorMessage())
    assert not (tmp_path / "file").exists()
    assert blocking.download(server.url, tmp_path / "file", resume=resume) is OK
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("size", ["10", "*"])
def test_rest_that_is_too_short(size: str, blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    """The first response has told the size, so the rest need not tell it."""

    def handle(connection: Connection) -> None:
        request = connection.read_request()
        if request is None:
            return
        if b"ange: bytes=5-" in request:
            fields = f'Content-Range: bytes 5-7/{size}\r\nETag: "1"\r\n'
            connection.respond(b"567", "206 Partial Content", fields)
        else:
            connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "1"\r\n\r\n01234')

    server = serve(handle)
    for _ in range(2):
        assert blocking.download(server.url, tmp_path / "file", resume=True) is NET
    assert "8 of 10 bytes" in blocking.errorMessage()
    assert not (tmp_path / "file").exists()


def test_targets_that_cannot_be_written(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(BODY))
    assert blocking.download(server.url, tmp_path / "no" / "folder") is NET
    assert "does not exist: create it first" in blocking.errorMessage()
    assert blocking.download(server.url, f"{tmp_path}/none/") is NET
    assert f"The folder {tmp_path}/none/ does not exist" in blocking.errorMessage()
    assert server.requests == []
    (tmp_path / "file").write_text("a file")
    assert blocking.download(server.url, tmp_path / "file" / "below") is NET
    assert "cannot be written: Not a directory" in blocking.errorMessage()

    class Broken(io.RawIOBase):
        def write(self, piece: Any) -> int:
            raise OSError(28, "No space left on device")

    assert blocking.download(server.url, Broken()) is NET
    assert "The file cannot be written: No space left on device" in blocking.errorMessage()
    assert blocking.get(server.url) is OK


def test_invalid_arguments(blocking: BlockingNetworkRequest, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a checksum is written 'sha256:"):
        blocking.download("http://x/", tmp_path / "f", checksum="abc")
    with pytest.raises(ValueError, match="a sha256 checksum has 64 hexadecimal digits"):
        blocking.download("http://x/", tmp_path / "f", checksum="sha256:abc")
    with pytest.raises(ValueError, match="cannot be resumed: give its path"):
        blocking.download("http://x/", io.BytesIO(), resume=True)
    with pytest.raises(ValueError, match="the QIODevice is closed: open it first"):
        blocking.download("http://x/", QtCore.QBuffer())
    with pytest.raises(TypeError, match="opened as text"):
        blocking.download("http://x/", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(TypeError, match="path must be a path, a folder"):
        blocking.download("http://x/", 5)


# -- resumed


def test_resume_after_a_broken_connection(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(range_server(breaks=1))
    target = tmp_path / "file"
    assert blocking.download(server.url, target, resume=True) is NET
    assert sorted(os.listdir(tmp_path)) == ["file.part", "file.part.json"]
    assert blocking.download(server.url, target, resume=True, checksum=f"sha256:{DIGEST}") is OK
    assert blocking.reply().statusCode() == 206
    assert target.read_bytes() == BODY and os.listdir(tmp_path) == ["file"]
    second = server.requests[1]
    assert b'If-Range: "one"' in second and b"Accept-Encoding: identity" in second


@pytest.mark.parametrize("supports", [True, False])
def test_resume_of_a_changed_file(supports: bool, blocking: BlockingNetworkRequest, tmp_path: Path) -> None:
    """The validator has changed, or the server supports no ranges: the whole file is downloaded."""
    first = RawServer(range_server(breaks=1))
    target = tmp_path / "file"
    assert blocking.download(first.url, target, resume=True) is NET
    port = first.port
    first.close()
    changed = bytes(reversed(BODY))
    second = _server_at(port, range_server(changed, '"two"' if supports else '"one"', supports=supports))
    assert blocking.download(f"http://127.0.0.1:{port}", target, resume=True) is OK, blocking.errorMessage()
    assert target.read_bytes() == changed and os.listdir(tmp_path) == ["file"]
    second.close()


def _server_at(port: int, handler: Handler) -> RawServer:
    import socket

    server = RawServer.__new__(RawServer)
    create = socket.create_server
    end = time.monotonic() + 10
    while True:
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(socket, "create_server", lambda address, **kw: create(("127.0.0.1", port), **kw))
                server.__init__(handler)  # type: ignore[misc]
            return server
        except OSError:
            if time.monotonic() > end:
                raise


def test_resume_of_a_complete_part(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(range_server(breaks=1, after=len(BODY)))
    target = tmp_path / "file"
    blocking.download(server.url, target, resume=True)
    if not target.exists():  # it was cut off at its end
        assert blocking.download(server.url, target, resume=True) is OK, blocking.errorMessage()
    assert target.read_bytes() == BODY
    # the part is longer than the file of the server
    url = f"{server.url}/other"
    leave_part(tmp_path / "other", url, BODY + b"more")
    assert blocking.download(url, tmp_path / "other", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "other").read_bytes() == BODY


def test_progress_of_a_complete_part(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    """The server has no bytes left to send (416); the progress is complete."""
    url, told, feedback = f"{serve(range_server()).url}/file", [], Feedback()
    leave_part(tmp_path / "file", url, BODY, len(BODY))
    blocking.downloadProgress.connect(lambda *figures: told.append(figures))
    assert blocking.download(url, tmp_path / "file", feedback, resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == BODY
    assert told[-1] == (len(BODY), len(BODY)) and feedback.progress() == 100


@pytest.mark.parametrize("has_length", [True, False])
def test_progress_of_a_resumed_download(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, has_length: bool
) -> None:
    """The progress includes the stored part; the total is the size of the whole file."""
    size, half = len(BODY), 300_000
    calls: list[bytes] = []

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            calls.append(request)
            if len(calls) == 1:
                connection.send(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: %d\r\n\r\n' % size + BODY[:half])
                return
            found = re.search(rb"Range: bytes=(\d+)-", request)
            assert found is not None
            start = int(found[1])
            fields = f'ETag: "1"\r\nContent-Range: bytes {start}-{size - 1}/{size}\r\n'
            if has_length:
                connection.respond(BODY[start:], "206 Part", fields)
            else:
                connection.send(f"HTTP/1.1 206 Part\r\n{fields}Connection: close\r\n\r\n".encode() + BODY[start:])
                return

    url = serve(handle).url
    assert blocking.download(url, tmp_path / "file", resume=True) is NET
    kept = (tmp_path / "file.part").stat().st_size
    seen: list[tuple[int, int]] = []
    percents: list[float] = []
    blocking.downloadProgress.connect(lambda done, total: seen.append((done, total)))
    feedback = Feedback()
    feedback.progressChanged.connect(percents.append)
    assert blocking.download(url, tmp_path / "file", feedback, resume=True) is OK, blocking.errorMessage()
    assert kept > 0 and all(done >= kept for done, _ in seen)
    assert seen[-1] == (size, size) and {total for _, total in seen} == {size}
    assert feedback.progress() == 100.0 and min(percents) >= 100.0 * kept / size - 1
    # The next request counts from zero again.
    seen.clear()
    assert blocking.get(serve(always(b"x" * 10)).url) is OK and seen[-1] == (10, 10)


@pytest.mark.parametrize("tag", ['W/"weak"', "without-quotes", '"', '"a"b"'])
def test_no_resume_without_a_strong_validator(
    tag: str, blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    server = serve(range_server(tag=tag, breaks=1))
    assert blocking.download(server.url, tmp_path / "file", resume=True) is NET
    assert os.listdir(tmp_path) == []
    assert blocking.download(server.url, tmp_path / "file", resume=True) is OK
    assert b"Range" not in server.requests[1]


NEW = bytes(reversed(BODY))


@pytest.mark.parametrize("fields", ["", "Last-Modified: Fri, 15 Jan 2027 08:00:00 GMT\r\n", 'ETag: W/"one"\r\n'])
@pytest.mark.parametrize("status", ["206 Part", "200 OK"])
def test_resume_from_a_server_that_ignores_if_range(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, status: str, fields: str
) -> None:
    """The server does not know If-Range: it sends the rest of the newer version as if it was the same one."""
    calls: list[bytes] = []

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            calls.append(request)
            found = re.search(rb"Range: bytes=(\d+)-", request)
            if len(calls) == 1:
                connection.send(b'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: %d\r\n\r\n' % len(BODY))
                connection.send(BODY[:40_000])
                return
            start = int(found[1]) if found else 0
            if start:
                lines = f"{fields}Content-Range: bytes {start}-{len(NEW) - 1}/{len(NEW)}\r\n"
                connection.respond(NEW[start:], status, lines)
            else:
                connection.respond(NEW, "200 OK", fields)

    server = serve(handle)
    assert blocking.download(server.url, tmp_path / "file", resume=True) is NET
    assert blocking.download(server.url, tmp_path / "file", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == NEW and os.listdir(tmp_path) == ["file"]
    assert len(calls) == 3 and b"Range" not in calls[2]


def test_content_range_with_status_200(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    """With or without a range request, a part is never accepted as the whole file."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            found = re.search(rb"Range: bytes=(\d+)-", request)
            if found or b"/part" in request:
                start = int(found[1]) if found else 40_000
                fields = f'ETag: "one"\r\nContent-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}\r\n'
                connection.respond(BODY[start:], "200 OK", fields)
            elif b"/whole" in request:
                fields = f"Content-Range: bytes 0-{len(BODY) - 1}/{len(BODY)}\r\n"
                connection.respond(BODY, "200 OK", fields)
            elif b"/break" in request and len(server.requests) == 1:
                lines = f'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: {len(BODY)}\r\n\r\n'
                connection.send(lines.encode() + BODY[:40_000])
                return
            else:
                connection.respond(BODY, "200 OK", 'ETag: "one"\r\n')

    server = serve(handle)
    assert blocking.download(f"{server.url}/break", tmp_path / "file", resume=True) is NET
    assert blocking.download(f"{server.url}/break", tmp_path / "file", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == BODY and os.listdir(tmp_path) == ["file"]
    for resume in (False, True):
        assert blocking.download(f"{server.url}/part", tmp_path / "other", resume=resume) is NET
        assert "a part that was not asked for" in blocking.errorMessage()
        assert blocking.download(f"{server.url}/whole", tmp_path / "file", resume=resume) is OK


REST_FIELDS = {
    "nothing": "",
    "equals sign": f"Content-Range: bytes=40000-{len(BODY) - 1}/{len(BODY)}\r\n",
    "capital letter": f"Content-Range: Bytes 40000-{len(BODY) - 1}/{len(BODY)}\r\n",
    "no end": f"Content-Range: bytes 40000-/{len(BODY)}\r\n",
    "no size": f"Content-Range: bytes 40000-{len(BODY) - 1}\r\n",
}


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("case", REST_FIELDS)
def test_range_with_status_200_and_invalid_content_range(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, case: str, is_chunked: bool
) -> None:
    """The rest with status 200: one version cannot have two sizes, however Content-Range is written."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            lines = 'HTTP/1.1 200 OK\r\nETag: "one"\r\n'
            whole = f"{lines}Content-Length: {len(BODY)}\r\n\r\n".encode()
            if len(server.requests) == 1:
                connection.send(whole + BODY[:40_000])
                return
            if b"Range: " not in request:
                connection.send(whole + BODY)
                continue
            rest, lines = BODY[40_000:], lines + REST_FIELDS[case]
            if is_chunked:
                chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest)
                connection.send(f"{lines}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk)
            else:
                connection.send(f"{lines}Content-Length: {len(rest)}\r\n\r\n".encode() + rest)

    server = serve(handle)
    assert blocking.download(server.url, tmp_path / "file", resume=True) is NET
    assert blocking.download(server.url, tmp_path / "file", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == BODY and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("value", ["items 5-24/66", "5-24/*", "bytes */3", "bytes"])
def test_content_range_of_other_units_is_ignored(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, value: str
) -> None:
    """Some paged APIs send Content-Range with status 200."""
    url = serve(always(b"[1]", headers=f"Content-Range: {value}\r\n")).url
    for resume in (False, True):
        assert blocking.download(url, tmp_path / "file", resume=resume) is OK, blocking.errorMessage()
        assert (tmp_path / "file").read_bytes() == b"[1]"


@pytest.mark.parametrize("total", [len(BODY), -1])
def test_416_without_a_validator(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, total: int) -> None:
    """A part as long as the newer version is complete only if it had that total from the beginning."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b"Range" in request:
                connection.respond(b"", "416 No", f"Content-Range: bytes */{len(BODY)}\r\n")
            else:
                connection.respond(NEW)

    url = f"{serve(handle).url}/file"
    leave_part(tmp_path / "file", url, BODY, total)
    assert blocking.download(url, tmp_path / "file", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == (BODY if total >= 0 else NEW)


def test_206_without_a_range_request(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"x" * 10, "206 Part", "Content-Range: bytes 5-14/100\r\n"))
    assert blocking.download(server.url, tmp_path / "file", resume=True) is NET
    assert enum_value(blocking.reply().error()) == Q.ProtocolFailure and os.listdir(tmp_path) == []


KILLED = """
import sys
from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
request = BlockingNetworkRequest()
request.setEngine(sys.argv[3])
print(request.download(sys.argv[1], sys.argv[2], resume=True).name)
"""


@pytest.mark.parametrize("breaks", [0, 1])
def test_resume_after_a_killed_process(
    blocking: BlockingNetworkRequest, engine: str, serve: Serve, tmp_path: Path, breaks: int
) -> None:
    """``breaks``: how often the download was cut off before the process that resumes it is killed."""
    body = os.urandom(3_000_000)
    calls = [0]

    def handle(connection: Connection) -> None:
        calls[0] += 1
        if calls[0] > breaks + 1:
            range_server(body)(connection)
            return
        found = re.search(rb"Range: bytes=(\d+)-", connection.read_request() or b"")
        start = int(found[1]) if found else 0
        status = f"206 Part\r\nContent-Range: bytes {start}-{len(body) - 1}/{len(body)}" if found else "200 OK"
        head = f'HTTP/1.1 {status}\r\nContent-Length: {len(body) - start}\r\nETag: "one"\r\n\r\n'
        connection.send(head.encode() + body[start : 1_000_000 * calls[0]])
        if calls[0] > breaks:
            connection.send(body[1_000_000 * calls[0] : 2_500_000])
            connection.wait_for_close()

    server = serve(handle)
    target = tmp_path / "file"
    command = [sys.executable, "-c", KILLED, server.url, str(target), engine]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if breaks:
        assert blocking.download(server.url, target, resume=True) is NET
    first = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    part = tmp_path / "file.part"
    assert eventually(lambda: part.exists() and part.stat().st_size > 1_000_000, timeout=30)
    first.kill()
    first.communicate()
    assert not target.exists()
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.stdout.strip() == "NoError", second.stderr
    assert target.read_bytes() == body and b"Range: bytes=" in server.requests[-1]


def test_progress_of_a_download(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(BODY * 20))
    seen: list[tuple[int, int]] = []
    blocking.downloadProgress.connect(lambda done, total: seen.append((done, total)))
    feedback = Feedback()
    assert blocking.download(server.url, tmp_path / "file", feedback) is OK
    size = len(BODY) * 20
    assert seen[-1] == (size, size) and feedback.progress() == 100.0
    assert len(seen) <= 2 + 10 * blocking.reply().elapsed() + 1


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ('ETag: "two"\r\nContent-Range: bytes {start}-{last}/{size}\r\n', None),
        ('ETag: "one"\r\nContent-Range: bytes {start}-{last}/99999999\r\n', None),
        ('ETag: "one"\r\nContent-Range: bytes 5-{last}/{size}\r\n', None),
        ('ETag: "one"\r\n', None),
        ('ETag: "one"\r\nContent-Range: bytes {start}-{middle}/{size}\r\n', 1000),
    ],
    ids=["tag", "total", "start", "nothing", "short"],
)
def test_resume_with_a_wrong_content_range(
    fields: str, count: Any, blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    """The server's Content-Range must fit the part; otherwise the whole file is downloaded, or the download fails."""
    calls = [0]

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            calls[0] += 1
            found = re.search(rb"Range: bytes=(\d+)-", request, re.IGNORECASE)
            if found is None:
                head = f'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: {len(BODY)}\r\n\r\n'.encode()
                connection.send(head + (BODY[:100_000] if calls[0] == 1 else BODY))
                if calls[0] == 1:
                    return
                continue
            start = int(found[1])
            part = BODY[start:] if count is None else BODY[start : start + count]
            said = fields.format(start=start, last=len(BODY) - 1, size=len(BODY), middle=start + 999)
            connection.respond(part, "206 Part", said)

    server = serve(handle)
    target = tmp_path / "file"
    assert blocking.download(server.url, target, resume=True) is NET
    code = blocking.download(server.url, target, resume=True)
    if count is None:
        assert code is OK and target.read_bytes() == BODY
    else:
        assert code is NET and "bytes of the body arrived" in blocking.errorMessage()
        assert not target.exists() and (tmp_path / "file.part").exists()


def test_two_resumable_downloads_of_the_same_file(engine: str, serve: Serve, tmp_path: Path) -> None:
    import threading

    first_is_there, go_on = threading.Event(), threading.Event()
    calls = [0]

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            calls[0] += 1
            connection.send(f'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: {len(BODY)}\r\n\r\n'.encode())
            if calls[0] == 1:
                connection.send(BODY[:300_000])
                first_is_there.set()
                go_on.wait(30)
                connection.send(BODY[300_000:])
            else:
                connection.send(BODY)

    server = serve(handle)
    target = tmp_path / "file"
    codes: list[ErrorCode] = []
    first = threading.Thread(
        target=lambda: codes.append(BlockingNetworkRequest().download(server.url, target, resume=True))
    )
    first.start()
    assert first_is_there.wait(30)
    codes.append(BlockingNetworkRequest().download(server.url, target, resume=True))
    assert target.read_bytes() == BODY
    go_on.set()
    first.join(30)
    assert codes == [OK, OK] and target.read_bytes() == BODY and os.listdir(tmp_path) == ["file"]


def test_resume_after_a_redirect(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    last = serve(range_server(breaks=1))

    def move(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"", "302 Found", f"Location: {last.url}/other\r\n")

    first = serve(move)
    assert blocking.download(f"{first.url}/name", tmp_path, resume=True) is NET
    assert blocking.download(f"{first.url}/name", tmp_path, resume=True) is OK
    assert b"Range: bytes=" in last.requests[1] and (tmp_path / "name").read_bytes() == BODY


def test_target_may_keep_its_chunks(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    class Collector:
        def __init__(self) -> None:
            self.pieces: list[Any] = []

        def write(self, piece: Any) -> None:
            self.pieces.append(piece)

    collector, body = Collector(), os.urandom(20_000_000)
    assert blocking.download(serve(always(body)).url, collector) is OK
    assert b"".join(collector.pieces) == body


def test_target_that_accepts_no_more_bytes(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(BODY * 4))
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "wb", buffering=0) as raw:
        assert blocking.download(server.url, raw) is NET
    os.close(reading)
    assert "takes nothing more" in blocking.errorMessage()

    if QT_VERSION >= (6,):
        return  # PyQt6 takes no result from a writeData in Python

    class Full(QtCore.QIODevice):
        def writeData(self, data: Any) -> int:
            return 0

    device = Full()
    device.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    assert blocking.download(server.url, device) is NET


def test_long_names_and_pipes(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    long = "%E4%BD%A0" * 120 + ".zip"
    fields = f"Content-Disposition: attachment; filename*=UTF-8''{long}\r\n"
    assert blocking.download(serve(always(b"x", headers=fields)).url, tmp_path) is OK
    (name,) = os.listdir(tmp_path)
    assert name.endswith(".zip") and len(name.encode()) <= 200
    assert blocking.download(serve(always(b"x")).url, tmp_path / ("n" * 250)) is OK
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert blocking.download(serve(always(b"through")).url, pipe) is OK
        assert reader.communicate()[0] == b"through"
    assert pipe.is_fifo()


def test_resume_does_not_replace_a_pipe(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    """Nor a device: as root, a download to /dev/null would put a file in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert blocking.download(serve(always(b"through")).url, pipe, resume=True) is OK
        assert reader.communicate(timeout=30)[0] == b"through"
    assert (pipe.is_fifo(), os.listdir(tmp_path)) == (True, ["pipe"])


def test_range_header_of_the_caller(blocking: BlockingNetworkRequest, httpbin: str, tmp_path: Path) -> None:
    from blocking_request.qt.binding import QtNetwork

    request = QtNetwork.QNetworkRequest(QtCore.QUrl(f"{httpbin}/range/1024"))
    request.setRawHeader(b"Range", b"bytes=10-19")
    assert blocking.download(request, tmp_path / "file") is OK, blocking.errorMessage()
    assert (tmp_path / "file").stat().st_size == 10


def test_resume_with_a_range_header_of_the_caller(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    server = serve(always(b"page"))
    code = blocking.download(server.url, tmp_path / "file", resume=True, headers={"Range": "bytes=10-19"})
    assert code is NET and "leave the field out" in blocking.errorMessage()
    assert server.requests == [] and os.listdir(tmp_path) == []


def test_redirects_of_a_second_attempt_are_signalled(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    """Each mirror has another version, so the resume is given up and the whole file is requested from another mirror."""
    mirrors = iter("abcd")

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            path = request.split(b" ")[1].decode()
            if path == "/":
                connection.respond(b"", "302 Found", f"Location: /{next(mirrors)}\r\n")
            elif b"range: bytes" in request.lower():
                rest = f'Content-Range: bytes 1000-{len(BODY) - 1}/{len(BODY)}\r\nETag: "{path}"\r\n'
                connection.respond(BODY[1000:], "206 Part", rest)
            else:
                connection.respond(BODY, headers=f'ETag: "{path}"\r\n')

    server = serve(handle)
    leave_part(tmp_path / "file", f"{server.url}/", BODY[:1000])
    told: list[str] = []
    blocking.redirected.connect(lambda url: told.append(url.path()))
    assert blocking.download(f"{server.url}/", tmp_path / "file", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == BODY
    assert told == ["/a", "/b"]


def test_failed_download_creates_no_reference_cycle(engine: str, serve: Serve) -> None:
    """An error in the flow once kept the frame of the call, and so the request, until the next garbage collection."""

    class Full:
        def write(self, chunk: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server = serve(always(BODY))
    with without_garbage_collector():
        request = BlockingNetworkRequest()
        gone = weakref.ref(request)
        assert request.download(server.url, Full()) is NET
        del request
        assert eventually(lambda: gone() is None)

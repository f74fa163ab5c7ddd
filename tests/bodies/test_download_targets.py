"""Targets of downloads that are not regular files or belong to another program: nothing blocks."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback, NetworkAccessManager, NetworkMemoryCache
from blocking_request.bodies import special_file
from blocking_request.bodies.sink import CannotWrite
from blocking_request.bodies.special_file import SpecialFile

from ..support.marks import needs_fifo, needs_root
from ..support.names import NET, OK, ROOT, Serve
from ..support.servers.raw import Connection, always

pytestmark = needs_fifo

BODY = bytes(range(256)) * 8_000
SUM = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.fixture
def stopped_pipe(pipe: Path) -> Iterator[Path]:
    """A FIFO whose reader reads nothing."""
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    yield pipe
    os.close(descriptor)


Download = Callable[..., tuple[ErrorCode, str]]


@pytest.fixture(params=["single", "batch"])
def download(
    request: pytest.FixtureRequest, blocking: BlockingNetworkRequest, manager: NetworkAccessManager
) -> Download:
    """Return a function that downloads and returns the error code and the message."""

    def single(url: str, path: Any, feedback: Any = None, deadline: int = 0) -> tuple[ErrorCode, str]:
        blocking.setDeadline(deadline)
        return blocking.download(url, path, feedback), blocking.errorMessage()

    def batch(url: str, path: Any, feedback: Any = None, deadline: int = 0) -> tuple[ErrorCode, str]:
        manager.setDeadline(deadline)
        (result,) = manager.downloadMany([(url, path)], feedback=feedback)
        return result.code, result.reply.errorString()

    return single if request.param == "single" else batch


def test_fifo_without_a_reader(download: Download, serve: Serve, pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = serve(always(BODY)).url
    assert download(url, pipe, deadline=300)[0] is ErrorCode.TimeoutError
    monkeypatch.setattr(special_file, "READER_SECONDS", 0.1)
    code, message = download(url, pipe)
    assert code is NET and "no program has opened the pipe for reading" in message, message
    assert pipe.is_fifo() and os.listdir(pipe.parent) == ["pipe"]


@pytest.mark.parametrize("how", ["cancel", "deadline"])
@pytest.mark.parametrize("size", [100_000, 2_000_000])
def test_fifo_reader_stops(download: Download, serve: Serve, stopped_pipe: Path, how: str, size: int) -> None:
    """``size``: larger than the buffer of the pipe; larger than the queue between the threads, too."""
    server, feedback = serve(always(b"x" * size)), Feedback()
    timer = threading.Timer(0.3, feedback.cancel)
    started = time.monotonic()
    if how == "cancel":
        timer.start()
    code, _ = download(server.url, stopped_pipe, feedback, deadline=300 if how == "deadline" else 0)
    timer.cancel()
    assert code is (ErrorCode.CanceledError if how == "cancel" else ErrorCode.TimeoutError)
    assert time.monotonic() - started < 10
    assert download(server.url, "/dev/null") == (OK, "")


def test_device_replaced_by_a_file(tmp_path: Path) -> None:
    """A file that replaces the device after the check must not be overwritten."""
    path = tmp_path / "device"
    path.write_bytes(b"mine, and longer")
    file = SpecialFile(path)
    with pytest.raises(CannotWrite, match="a file has taken the place of the pipe or device"):
        file.write(b"body")
    assert path.read_bytes() == b"mine, and longer"


@pytest.mark.parametrize("is_late", [False, True])
def test_fifo_with_a_slow_reader(download: Download, serve: Serve, pipe: Path, is_late: bool) -> None:
    """``is_late``: the reader opens the FIFO after the response has begun."""
    has_begun, found = threading.Event(), hashlib.sha256()

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        has_begun.set()
        connection.send(BODY)
        connection.wait_for_close()

    def read() -> None:
        if is_late:
            has_begun.wait(10)
        with open(pipe, "rb", buffering=0) as source:
            while piece := source.read(50_000):
                found.update(piece)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    code, message = download(serve(handle).url, pipe)
    assert code is OK, message
    reader.join(10)
    assert f"sha256:{found.hexdigest()}" == SUM


def test_fifo_reader_closes(download: Download, serve: Serve, pipe: Path) -> None:
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY[:1_000_000]))
        os.set_blocking(descriptor, True)
        while not os.read(descriptor, 1 << 16):  # empty until a program writes
            time.sleep(0.01)
        os.close(descriptor)
        connection.send(BODY[1_000_000:])
        connection.wait_for_close()

    code, message = download(serve(handle).url, pipe)
    assert code is NET and "Broken pipe" in message


def test_devices_and_a_socket(download: Download, serve: Serve, tmp_path: Path) -> None:
    url = serve(always(BODY)).url
    assert download(url, "/dev/null") == (OK, "")
    code, message = download(url, "/dev/full")
    assert code is NET and "/dev/full cannot be written: No space left on device" in message
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "socket"))
        assert download(url, tmp_path / "socket")[0] is NET
    assert os.listdir(tmp_path) == ["socket"] and Path("/dev/null").is_char_device()


@pytest.mark.parametrize("resume", [False, True])
def test_checksum_of_a_download_into_a_device(blocking: BlockingNetworkRequest, serve: Serve, resume: bool) -> None:
    url = serve(always(BODY)).url
    assert blocking.download(url, "/dev/null", resume=resume, checksum=SUM) is OK
    assert blocking.download(url, "/dev/null", resume=resume, checksum="md5:" + "0" * 32) is NET
    assert "the md5 checksum is" in blocking.errorMessage()


def test_cached_body_into_a_fifo(
    download: Download, manager: NetworkAccessManager, serve: Serve, stopped_pipe: Path
) -> None:
    manager.setCache(NetworkMemoryCache())
    url = serve(always(b"x" * 300_000, headers="Cache-Control: max-age=100\r\n")).url
    assert download(url, "/dev/null") == (OK, "")
    assert download(url, stopped_pipe, deadline=300)[0] is ErrorCode.TimeoutError
    assert download(url, "/dev/null") == (OK, "")


def test_stopped_fifo_does_not_stop_the_batch(
    manager: NetworkAccessManager, serve: Serve, stopped_pipe: Path, tmp_path: Path
) -> None:
    server, feedback = serve(always(BODY)), Feedback()
    names = [tmp_path / str(number) for number in range(20)]
    pairs = [(server.url, path) for path in (stopped_pipe, *names)]
    codes = {}
    for result in manager.downloadMany(pairs, feedback=feedback, ordered=False):
        codes[result.index] = result.code
        if len(codes) == len(names):
            feedback.cancel()
    assert codes == {0: ErrorCode.CanceledError, **dict.fromkeys(range(1, 21), OK)}
    assert all(path.read_bytes() == BODY for path in names)


STDOUT = """
import sys
from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
request = BlockingNetworkRequest()
request.setEngine(sys.argv[2])
print(request.download(sys.argv[1], "/dev/stdout").name, request.errorMessage(), file=sys.stderr)
"""


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout")
def test_standard_output_as_target(engine: str, serve: Serve) -> None:
    command = [sys.executable, "-c", STDOUT, serve(always(BODY)).url, engine]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert (result.stdout == BODY, result.stderr.split()[-1]) == (True, b"NoError"), result.stderr


# -- the part of a download that may be resumed


OTHER_FILES: dict[str, Callable[[Path, Path], object]] = {
    "fifo": lambda path, other: os.mkfifo(path),
    "symbolic link": lambda path, other: path.symlink_to(other),
    "dangling link": lambda path, other: path.symlink_to(other.with_name("none")),
    "hard link": lambda path, other: os.link(other, path),
    "folder": lambda path, other: path.mkdir(),
    "socket": lambda path, other: socket.socket(socket.AF_UNIX).bind(str(path)),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
@pytest.mark.parametrize("name", ["file.part", "file.part.json"])
def test_part_that_is_not_a_regular_file_is_not_changed(
    blocking: BlockingNetworkRequest,
    serve: Serve,
    tmp_path: Path,
    name: str,
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"of another program")
    OTHER_FILES[kind](tmp_path / name, other)
    before = os.lstat(tmp_path / name)
    url = serve(always(BODY, headers='ETag: "1"\r\n')).url
    assert blocking.download(url, tmp_path / "file", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == BODY and other.read_bytes() == b"of another program"
    assert os.lstat(tmp_path / name).st_ino == before.st_ino and not (tmp_path / "none").exists()
    assert sorted(os.listdir(tmp_path)) == sorted(["file", "other", name])
    assert "is left alone, and the download is not resumed" in caplog.text


@needs_root
def test_part_of_another_user_is_not_changed(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    part.write_bytes(BODY[:1000])
    os.chown(part, 12345, 12345)
    url = serve(always(BODY, headers='ETag: "1"\r\n')).url
    assert blocking.download(url, tmp_path / "file", resume=True) is OK
    assert (tmp_path / "file").read_bytes() == BODY and part.read_bytes() == BODY[:1000]
    assert (tmp_path / "file").stat().st_uid == 0


@pytest.mark.parametrize("name", ["file.part", "file.part.json"])
@pytest.mark.parametrize("content", [b"mine", b"{}", b"[]", b"[" * 50_000, b'{"url": 1}', b"\xff"])
def test_part_of_another_program_is_not_changed(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, name: str, content: bytes
) -> None:
    """Browsers use the same names for their partial downloads."""
    (tmp_path / name).write_bytes(content)
    url = serve(always(BODY, headers='ETag: "1"\r\n')).url
    assert blocking.download(url, tmp_path / "file", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == BODY and (tmp_path / name).read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["file", name]


@pytest.mark.parametrize("is_new_file", [False, True])
def test_part_replaced_by_another_program(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, is_new_file: bool
) -> None:
    half = f'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: {len(BODY)}\r\n\r\n'.encode() + BODY[:50_000]

    def handle(connection: Connection) -> None:
        connection.read_request()
        if len(server.requests) == 1:
            connection.send(half)
        else:
            connection.respond(BODY, headers='ETag: "1"\r\n')

    server = serve(handle)
    part = tmp_path / "file.part"
    assert blocking.download(server.url, tmp_path / "file", resume=True) is NET
    assert 0 < part.stat().st_size <= 50_000
    if is_new_file:
        (tmp_path / "new").write_bytes(b"mine")
        os.replace(tmp_path / "new", part)
    else:
        part.write_bytes(b"mine")
    assert blocking.download(server.url, tmp_path / "file", resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "file").read_bytes() == BODY and part.read_bytes() == b"mine"
    assert b"Range: " not in server.requests[1]


def test_name_that_is_too_long(download: Download, serve: Serve, tmp_path: Path) -> None:
    code, message = download(serve(always(b"x")).url, tmp_path / ("x" * 300))
    assert code is NET and "cannot be written: File name too long" in message
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("resume", [False, True])
def test_links_in_a_circle(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, resume: bool) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).symlink_to(other)
    assert blocking.download(serve(always(b"x")).url, tmp_path / "a", resume=resume) is NET
    assert "cannot be written: Too many levels of symbolic links" in blocking.errorMessage()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"] and (tmp_path / "a").is_symlink()


def test_resumable_download_to_a_name_that_is_too_long(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    assert blocking.download(serve(always(b"x")).url, tmp_path / ("x" * 300), resume=True) is NET
    assert "cannot be written: File name too long" in blocking.errorMessage() and os.listdir(tmp_path) == []


def test_deadline_of_the_command_line(serve: Serve, stopped_pipe: Path) -> None:
    command = [sys.executable, "-m", "blocking_request", "get", serve(always(BODY)).url, "-o", str(stopped_pipe)]
    result = subprocess.run([*command, "--deadline", "500ms"], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert result.returncode == ErrorCode.TimeoutError, result.stderr

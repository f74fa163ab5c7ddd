"""Temporary files of downloads of killed processes are deleted, other files are not."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.bodies import temporary_file

from ..support.marks import needs_root
from ..support.names import OK, ROOT, Serve
from ..support.servers.raw import Connection, always
from ..support.waiting import eventually

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no flock on this system")


PROGRAM = """
import sys
from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
request = BlockingNetworkRequest()
request.setEngine(sys.argv[3])
request.download(sys.argv[1], sys.argv[2])
"""


def half(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
    connection.wait_for_close()


def hidden_files(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.startswith("."))


@pytest.mark.parametrize("kind", ["single", "batch"])
def test_leftover_of_a_killed_process(
    engine: str,
    blocking: BlockingNetworkRequest,
    manager: NetworkAccessManager,
    serve: Serve,
    tmp_path: Path,
    kind: str,
) -> None:
    command = [sys.executable, "-c", PROGRAM, serve(half).url, str(tmp_path / "file"), engine]
    process = subprocess.Popen(command, cwd=ROOT)
    # A file in which something is written is locked. One that is not locked yet may be deleted; the process makes another.
    assert eventually(lambda: any((tmp_path / name).stat().st_size for name in hidden_files(tmp_path)), timeout=30)
    url = serve(always(b"x")).url

    def download() -> None:
        temporary_file._swept.clear()
        if kind == "single":
            assert blocking.download(url, tmp_path / "other") is OK
        else:
            assert [result.code for result in manager.downloadMany([(url, tmp_path / "other")])] == [OK]

    download()
    assert len(hidden_files(tmp_path)) == 1  # that of the running process
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(hidden_files(tmp_path)) == 1
    download()
    assert os.listdir(tmp_path) == ["other"]


def test_leftover_is_deleted_by_a_resumable_download(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / f".blocking-request-{secrets.token_hex(8)}.part").write_bytes(b"left")
    assert blocking.download(serve(always(b"x")).url, tmp_path / "z", resume=True) is OK
    assert os.listdir(tmp_path) == ["z"]


def test_files_of_others_are_kept(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    digits = secrets.token_hex(8)
    names = [
        f".{digits}.part",
        f".blocking-request-{digits[1:]}.part",
        f".blocking-request-{digits}.part.json",
        f"blocking-request-{digits}.part",
        f".blocking-request-{digits.upper()}x.part",
        "file.part",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
    link, folder, pipe = (f".blocking-request-{character * 16}.part" for character in "abc")
    (tmp_path / link).symlink_to(tmp_path / names[0])
    (tmp_path / folder).mkdir()
    os.mkfifo(tmp_path / pipe)
    before = sorted([*names, link, folder, pipe])
    assert blocking.download(serve(always(b"x")).url, tmp_path / "z") is OK
    assert sorted(os.listdir(tmp_path)) == [*before, "z"]


@needs_root
def test_file_of_another_user_is_kept(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / f".blocking-request-{'a' * 16}.part"
    path.write_bytes(b"")
    os.chown(path, 12345, 12345)
    assert blocking.download(serve(always(b"x")).url, tmp_path / "z") is OK
    assert path.exists()


def test_folder_is_swept_once(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    url = serve(always(b"x")).url
    assert blocking.download(url, tmp_path / "z") is OK
    path = tmp_path / f".blocking-request-{'a' * 16}.part"
    path.write_bytes(b"")
    assert blocking.download(url, tmp_path / "z") is OK
    assert path.exists()


def test_downloads_of_processes_that_sweep_at_once(tmp_path: Path) -> None:
    """No process deletes a file that another has created and not yet locked."""
    program = (
        "import sys; from pathlib import Path\n"
        "from blocking_request.bodies import temporary_file\n"
        "from blocking_request.bodies.finished_file import Naming\n"
        "for number in range(300):\n"
        "    temporary_file._swept.clear()\n"
        "    part = temporary_file.TemporaryFile(Path(sys.argv[1]) / f'{sys.argv[2]}-{number}')\n"
        "    with part.open(0) as file:\n"
        "        file.write(b'x')\n"
        "    part.rename(Naming(True, False, {}))\n"
    )
    commands = [[sys.executable, "-c", program, str(tmp_path), str(number)] for number in range(3)]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for command in commands]
    ended = [process.communicate(timeout=100)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    assert len(os.listdir(tmp_path)) == 900 and hidden_files(tmp_path) == []


def test_too_many_open_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise the file would stay, locked until the process ends."""

    def dup(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "dup", dup)
    with pytest.raises(OSError, match="Too many open files"):
        temporary_file.TemporaryFile(tmp_path / "file").open(0)
    assert list(tmp_path.iterdir()) == []


def test_error_while_a_file_is_locked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def has_name(descriptor: int, path: Path) -> bool:
        descriptors.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    descriptors: list[int] = []
    monkeypatch.setattr(temporary_file, "has_name", has_name)
    with pytest.raises(OSError, match="Input/output error"):
        temporary_file.TemporaryFile(tmp_path / "file").open(0)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptors[0])

"""The names of downloaded files: which files are replaced, and which names get a number."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, ReplyContent
from blocking_request.bodies.finished_file import Naming, move

from ..support.marks import needs_fifo
from ..support.names import NET, OK, ROOT, Serve
from ..support.servers.raw import Connection, always

NAMED = 'Content-Disposition: attachment; filename="name.zip"\r\n'


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


Download = Callable[..., ReplyContent]


@pytest.fixture(params=["single", "batch"])
def download(
    request: pytest.FixtureRequest, blocking: BlockingNetworkRequest, manager: NetworkAccessManager
) -> Download:
    def single(url: str, path: Any, overwrite: Optional[bool] = None) -> ReplyContent:
        blocking.download(url, path, overwrite=overwrite)
        return blocking.reply()

    def batch(url: str, path: Any, overwrite: Optional[bool] = None) -> ReplyContent:
        (result,) = manager.downloadMany([(url, path)], overwrite=overwrite)
        return result.reply

    return single if request.param == "single" else batch


def test_name_chosen_by_the_server_replaces_nothing(download: Download, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "name.zip").write_bytes(b"mine")
    (tmp_path / "name (2).zip").symlink_to("nowhere")
    url = serve(always(b"new", headers=NAMED)).url
    paths = [download(url, tmp_path).filePath() for _ in range(2)]
    assert paths == [str(tmp_path / "name (1).zip"), str(tmp_path / "name (3).zip")]
    (tmp_path / "name (2).zip").unlink()
    new = b"new"
    assert content_of(tmp_path) == {"name.zip": b"mine", "name (1).zip": new, "name (3).zip": new}


@pytest.mark.parametrize(
    ("url_path", "first", "second"),
    [
        ("/a.tar.gz", "a.tar.gz", "a (1).tar.gz"),
        ("/a", "a", "a (1)"),
        ("/.hidden", "hidden", "hidden (1)"),
        ("/" + "n" * 300 + ".zip", "n" * 196 + ".zip", "n" * 196 + " (1).zip"),
    ],
)
def test_number_in_a_name(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, url_path: str, first: str, second: str
) -> None:
    url = serve(always(b"x")).url + url_path
    for name in (first, second):
        assert blocking.download(url, f"{tmp_path}/") is OK, blocking.errorMessage()
        assert Path(blocking.reply().filePath()).name == name


def test_overwrite(download: Download, serve: Serve, tmp_path: Path) -> None:
    url = serve(always(b"new", headers=NAMED)).url
    target = tmp_path / "name.zip"
    for path in (tmp_path, target):
        target.write_bytes(b"old")
        assert download(url, path, overwrite=True).filePath() == str(target)
        assert content_of(tmp_path) == {"name.zip": b"new"}
    target.write_bytes(b"old")
    assert download(url, target).filePath() == str(target) and target.read_bytes() == b"new"
    reply = download(url, target, overwrite=False)
    assert (reply.errorCode(), reply.filePath()) == (NET, "")
    assert f"{target} cannot be written: File exists" in reply.errorString()
    assert download(url, tmp_path, overwrite=False).filePath() == str(tmp_path / "name (1).zip")
    assert download(url, tmp_path / "other", overwrite=False).filePath() == str(tmp_path / "other")


@needs_fifo
@pytest.mark.parametrize("overwrite", [None, True, False])
def test_name_of_a_folder_or_pipe(download: Download, serve: Serve, tmp_path: Path, overwrite: Optional[bool]) -> None:
    (tmp_path / "name.zip").mkdir()
    os.mkfifo(tmp_path / "name (1).zip")
    url = serve(always(b"new", headers=NAMED)).url
    assert download(url, tmp_path, overwrite).filePath() == str(tmp_path / "name (2).zip")
    assert sorted(os.listdir(tmp_path)) == ["name (1).zip", "name (2).zip", "name.zip"]


@pytest.mark.parametrize("overwrite", [None, True])
def test_same_name_in_one_batch(
    manager: NetworkAccessManager, serve: Serve, tmp_path: Path, overwrite: Optional[bool]
) -> None:
    (tmp_path / "name.zip").write_bytes(b"old")

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            connection.respond(re.search(rb" /(\d+) ", request)[1], headers=NAMED)  # type: ignore[index]

    url = serve(handle).url
    results = list(
        manager.downloadMany([f"{url}/{number}" for number in range(20)], folder=tmp_path, overwrite=overwrite)
    )
    found = {Path(result.reply.filePath()).read_bytes() for result in results}
    assert found == {b"%d" % number for number in range(20)}
    assert len(os.listdir(tmp_path)) == (20 if overwrite else 21)


def test_without_hard_links(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: Any, target: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "name.zip").write_bytes(b"mine")
    url = serve(always(b"new", headers=NAMED)).url
    assert blocking.download(url, tmp_path) is OK
    assert content_of(tmp_path) == {"name.zip": b"mine", "name (1).zip": b"new"}


@pytest.fixture()
def folder_in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, if the system has one: a busy disk can delay each of many renames."""
    if not os.access("/dev/shm", os.W_OK | os.X_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.mark.parametrize("replaces", [False, True])
def test_20000_files_of_the_same_name(folder_in_memory: Path, replaces: bool) -> None:
    # If each used name was looked up, there would be 200 million look-ups.
    naming, started = Naming(replaces, True, {}), time.monotonic()
    for number in range(20_000):
        source = folder_in_memory / f"{number}.part"
        source.touch()
        move(source, folder_in_memory / "tile.png", naming)
    assert len(os.listdir(folder_in_memory)) == 20_000 and time.monotonic() - started < 60


PROGRAM = """
import sys
import tempfile
from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
request = BlockingNetworkRequest()
request.setEngine(sys.argv[3])
print(flush=True)
sys.stdin.readline()
for _ in range(10):
    assert request.download(sys.argv[1], sys.argv[2]).name == "NoError", request.errorMessage()
"""


def test_processes_finish_at_once(engine: str, serve: Serve, tmp_path: Path) -> None:
    url = serve(always(b"new", headers=NAMED)).url
    command = [sys.executable, "-c", PROGRAM, url, str(tmp_path), engine]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    assert len(os.listdir(tmp_path)) == 20


def test_resume_into_a_folder(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    body = os.urandom(300_000)
    (tmp_path / "file.zip").write_bytes(b"mine")

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            found = re.search(rb"Range: bytes=(\d+)-", request)
            lines = f'HTTP/1.1 %s\r\nETag: "1"\r\n{NAMED}%sContent-Length: %d\r\n\r\n'
            if found is None:
                connection.send((lines % ("200 OK", "", len(body))).encode() + body[:200_000])
                return
            start = int(found[1])
            field = f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}\r\n"
            connection.send((lines % ("206 Part", field, len(body) - start)).encode() + body[start:])

    url = f"{serve(handle).url}/file.zip"
    assert blocking.download(url, tmp_path, resume=True) is NET
    assert blocking.reply().filePath() == ""
    assert blocking.download(url, tmp_path, resume=True) is OK, blocking.errorMessage()
    assert (blocking.reply().statusCode(), blocking.reply().filePath()) == (206, str(tmp_path / "file (1).zip"))
    assert content_of(tmp_path) == {"file.zip": b"mine", "file (1).zip": body}


@pytest.mark.parametrize("ending", [".part.json", ".PART.JSON", ".part.json. ."])
def test_server_cannot_choose_the_name_of_a_part_file(
    blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path, ending: str
) -> None:
    """Two downloads from a hostile server, then a resumed download from an honest one."""
    honest = serve(always(b"good" * 1000, headers='ETag: "1"\r\n'))
    url, folder = f"{honest.url}/good.zip", os.path.join(tmp_path, "")

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            name = "good.zip.part" if b"/part" in request else f"good.zip{ending}"
            body = b"evil" * 100
            if b"/part" not in request:
                digest = hashlib.sha256(url.encode()).hexdigest()
                inode = (tmp_path / "good.zip.part").stat().st_ino  # it may be guessed
                known = {"url": digest, "validator": '"1"', "total": 4000, "inode": inode, "size": len(body)}
                body = json.dumps(known).encode()
            connection.respond(body, headers=f'Content-Disposition: attachment; filename="{name}"\r\n')

    hostile = serve(handle)
    for path in ("part", "description"):
        assert blocking.download(f"{hostile.url}/{path}", folder) is OK, blocking.errorMessage()
    assert sorted(path.name.lower() for path in tmp_path.iterdir()) == ["good.zip.part", "good.zip.part.json_"]
    assert blocking.download(url, folder, resume=True) is OK, blocking.errorMessage()
    assert (tmp_path / "good.zip").read_bytes() == b"good" * 1000
    assert b"Range: " not in honest.requests[0]
    assert (tmp_path / "good.zip.part").read_bytes() == b"evil" * 100


def test_file_path_of_a_reply(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    url = serve(always(b"new")).url
    assert blocking.download(url, tmp_path / "file") is OK
    assert pickle.loads(pickle.dumps(blocking.reply())).filePath() == str(tmp_path / "file")
    with open(tmp_path / "open", "wb") as file:
        assert blocking.download(url, file) is OK
    assert blocking.reply().filePath() == "" == ReplyContent().filePath()
    assert blocking.get(url) is OK and blocking.reply().filePath() == ""


def test_invalid_overwrite(blocking: BlockingNetworkRequest, manager: NetworkAccessManager, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="overwrite must be True, False or None"):
        blocking.download("http://x/", tmp_path, overwrite="no")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="overwrite must be True, False or None"):
        manager.downloadMany([], overwrite=1)  # type: ignore[arg-type]
    with open(tmp_path / "open", "wb") as file, pytest.raises(ValueError, match="overwrite= needs the path"):
        blocking.download("http://x/", file, overwrite=True)

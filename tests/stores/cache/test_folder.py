"""A cache on disk deletes only its own files, in any folder."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Callable

import pytest

from blocking_request import NetworkDiskCache
from blocking_request.cli.messages import EXIT_FILE
from blocking_request.stores.cache import folder as cache_folder
from blocking_request.stores.cache import index
from blocking_request.stores.cache.base import store_of

from ...support.marks import needs_fifo, needs_root
from ...support.names import ROOT
from ...support.stored_responses import LARGE, URL, body_of, stored


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FOREIGN: dict[str, Callable[[Path], object]] = {
    "bodies": lambda folder: ((folder / "bodies").mkdir(), (folder / "bodies" / "a.csv").write_bytes(b"mine")),  # type: ignore[func-returns-value]
    "body name": lambda folder: ((folder / "bodies").mkdir(), (folder / "bodies" / ("a" * 32)).write_bytes(b"mine")),  # type: ignore[func-returns-value]
    "index": lambda folder: (folder / "index.sqlite").write_bytes(b"mine" * 500),
    "empty index": lambda folder: (folder / "index.sqlite").touch(),
    "key": lambda folder: (folder / "key").write_bytes(b"mine"),
    "link": lambda folder: (folder / "bodies").symlink_to(folder.parent),
    "linked mark": lambda folder: (folder / cache_folder.MARK).symlink_to(__file__),
}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_folder_with_other_files_is_refused(tmp_path: Path, foreign: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    FOREIGN[foreign](folder)
    before = content_of(tmp_path)
    with pytest.raises(ValueError, match=re.escape(str(folder))) as raised:
        NetworkDiskCache(folder)
    assert "is not a cache of blocking_request" in str(raised.value)
    assert sorted(os.listdir(folder))[0] in str(raised.value) and str(folder / "blocking-request") in str(raised.value)
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("foreign", FOREIGN)
def test_folder_that_gets_other_files_later_is_not_changed(tmp_path: Path, foreign: str) -> None:
    folder = tmp_path / "data"
    cache, unused = NetworkDiskCache(folder), NetworkDiskCache(folder)
    store_of(cache).store(URL, b"", stored(b"x" * LARGE))
    shutil.rmtree(folder)
    folder.mkdir()
    FOREIGN[foreign](folder)
    hours_ago = time.time() - 2 * index.ABANDONED_SECONDS
    for path in folder.rglob("*"):
        os.utime(path, (hours_ago, hours_ago), follow_symlinks=False)
    before = content_of(tmp_path)
    for each in (cache, unused):
        each.clear()
        assert "is not a cache of blocking_request" in each.problem()
        each.setMaximumCacheSize(1 << 20)
        assert body_of(each) is None
        store_of(each).store(URL, b"", stored(b"x" * LARGE))
    assert content_of(tmp_path) == before
    shutil.rmtree(folder)
    cache.clear()
    store_of(cache).store(URL, b"", stored())
    assert (body_of(cache), cache.problem()) == (b"body", "")


@pytest.mark.parametrize("name", ["bodies", "index.sqlite", "key", "swept"])
def test_symbolic_link_in_a_cache_is_refused(tmp_path: Path, name: str) -> None:
    folder, outside = tmp_path / "cache", tmp_path / "outside"
    cache = NetworkDiskCache(folder)
    store_of(cache).store(URL, b"", stored(b"x" * LARGE))
    shutil.copytree(folder / name, outside) if name == "bodies" else shutil.copy(folder / name, outside)
    shutil.rmtree(folder / name) if name == "bodies" else (folder / name).unlink()
    (folder / name).symlink_to(outside)
    before = content_of(tmp_path)
    with pytest.raises(ValueError, match=name):
        NetworkDiskCache(folder)
    cache.clear()
    assert {path: data for path, data in content_of(tmp_path).items() if path.startswith("outside")} == {
        path: data for path, data in before.items() if path.startswith("outside")
    }


@pytest.mark.parametrize("row", ["../../outside", "/etc/hostname", "..", "", "a" * 31, "A" * 32, "a" * 32 + "\n"])
def test_index_row_with_a_path_outside_the_folder(tmp_path: Path, row: str) -> None:
    folder, outside = tmp_path / "cache", tmp_path / "outside"
    outside.write_bytes(b"x" * LARGE)
    cache = NetworkDiskCache(folder)
    store_of(cache).store(URL, b"", stored(b"x" * LARGE))
    with closing(sqlite3.connect(folder / "index.sqlite")) as connection, connection:
        connection.execute("UPDATE entries SET file = ?", (row,))
    assert body_of(cache) is None
    store_of(cache).store(URL, b"", stored(b"x" * LARGE))
    with closing(sqlite3.connect(folder / "index.sqlite")) as connection, connection:
        connection.execute("UPDATE entries SET file = ?", (row,))
    cache.clear()
    assert outside.exists() and cache.problem() == ""
    with pytest.raises(cache_folder.WrongBodyName, match="is no file of the cache"):
        cache_folder.CacheFolder(folder).write(row, b"x")
    assert outside.exists()


@needs_fifo
def test_fifo_in_place_of_a_body(tmp_path: Path) -> None:
    cache = NetworkDiskCache(tmp_path / "cache")
    store_of(cache).store(URL, b"", stored(b"x" * LARGE))
    (body,) = (tmp_path / "cache" / "bodies").iterdir()
    body.unlink()
    os.mkfifo(body)
    assert (body_of(cache), cache.problem()) == (None, "")


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_files_are_readable_by_their_user_only(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        cache = NetworkDiskCache(tmp_path / "cache")
        store_of(cache).store(URL, b"", stored(b"x" * LARGE))
        paths = [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}
    finally:
        os.umask(mask)
    assert {"index.sqlite", "index.sqlite-wal", "key", "swept", cache_folder.MARK} < set(modes)
    assert {name for name, mode in modes.items() if mode != (0o700 if name in ("cache", "bodies") else 0o600)} == set()


def test_empty_folder_becomes_a_cache(tmp_path: Path) -> None:
    cache = NetworkDiskCache(tmp_path)
    assert list(tmp_path.iterdir()) == []
    store_of(cache).store(URL, b"", stored())
    assert body_of(NetworkDiskCache(tmp_path)) == b"body"


@pytest.mark.parametrize("place", ["home", "temporary files", "caches", "all users", "root", "link"])
@pytest.mark.parametrize("is_marked", [False, True])
def test_shared_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, is_marked: bool) -> None:
    """Also if it is empty, or if another user has created a mark there."""
    folder = tmp_path / "place"
    folder.mkdir()
    if place == "root":
        folder = Path("/")
    elif is_marked:
        (folder / cache_folder.MARK).touch()
    if place in ("home", "link"):
        monkeypatch.setenv("HOME", str(folder))
    elif place == "temporary files":
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
    elif place == "caches":
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    elif place == "all users":
        folder.chmod(0o1777)
    before = os.listdir(folder)
    given = folder
    if place == "link":
        given = tmp_path / "link"
        given.symlink_to(folder)
    with pytest.raises(ValueError, match=re.escape(f"for example {given / 'blocking-request'}")):
        NetworkDiskCache(given)
    assert os.listdir(folder) == before
    if place != "root":
        cache = NetworkDiskCache(given / "blocking-request")
        store_of(cache).store(URL, b"", stored())
        assert (body_of(cache), cache.problem()) == (b"body", "")


@needs_root
@pytest.mark.parametrize("is_marked", [False, True])
def test_folder_of_another_user_is_refused(tmp_path: Path, is_marked: bool) -> None:
    """A user who may replace the index decides which responses the cache serves."""
    folder = tmp_path / "cache"
    early = NetworkDiskCache(folder)
    folder.mkdir()
    if is_marked:
        (folder / cache_folder.MARK).touch()
    os.chown(folder, 12345, 12345)
    before = os.listdir(folder)
    with pytest.raises(ValueError, match="belongs to another user"):
        NetworkDiskCache(folder)
    store_of(early).store(URL, b"", stored())
    assert "belongs to another user" in early.problem() and os.listdir(folder) == before


def test_folder_that_becomes_the_home_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = NetworkDiskCache(tmp_path / "place")
    monkeypatch.setenv("HOME", str(tmp_path / "place"))
    (tmp_path / "place").mkdir()
    cache.clear()
    assert "is the user's home" in cache.problem() and os.listdir(tmp_path / "place") == []


def test_sweep_updates_the_time_of_the_mark(tmp_path: Path) -> None:
    """Clean-up programs delete old files; without its mark a cache would be refused."""
    cache = NetworkDiskCache(tmp_path / "cache")
    cache.clear()
    mark, days_ago = tmp_path / "cache" / cache_folder.MARK, time.time() - 40 * 24 * 3600
    for path in (mark, tmp_path / "cache" / "swept"):
        os.utime(path, (days_ago, days_ago))
    again = NetworkDiskCache(tmp_path / "cache")
    store_of(again).store(URL, b"", stored())
    assert time.time() - mark.stat().st_mtime < 3600 and again.problem() == ""


def test_modification_times_in_the_future(tmp_path: Path) -> None:
    cache = NetworkDiskCache(tmp_path)
    store_of(cache).store(URL, b"", stored(b"x" * LARGE))
    folder = cache_folder.CacheFolder(tmp_path)
    left = tmp_path / "bodies" / ("a" * 32)
    left.write_bytes(b"left by a process that was killed")
    future = time.time() + 10 * 86_400
    for path in (left, tmp_path / "swept"):
        os.utime(path, (future, future))
    assert folder.must_be_swept(60) and not folder.must_be_swept(60)
    folder.sweep(60)
    assert not left.exists()


def test_files_are_checked_if_the_folder_is_marked_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process creates the mark between two checks."""
    (tmp_path / "index.sqlite").symlink_to(__file__)
    looks = iter((False, True))
    monkeypatch.setattr(cache_folder.CacheFolder, "_is_marked", lambda self: next(looks))
    with pytest.raises(cache_folder.ForeignFolder, match="is not a regular file"):
        cache_folder.CacheFolder(tmp_path).check()


def test_temporary_folder_is_looked_up_before_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tempfile looks it up under a lock: a child forked at that moment would wait forever."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    NetworkDiskCache(tmp_path / "new")
    assert tempfile.tempdir is not None


def test_processes_create_the_same_folder_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from tests.support.stored_responses import *\n"
        "print(flush=True); sys.stdin.readline()\n"
        "for number in range(20):\n"
        "    cache = NetworkDiskCache(f'{sys.argv[1]}/{number}')\n"
        "    cache.clear()\n"
        "    assert cache.problem() == '', cache.problem()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline()
    ended = [process.communicate(b"\n", timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended


def test_command_line_refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    def clear() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "blocking_request", "cache", "clear"]
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)

    assert clear().returncode == 0
    (mark,) = tmp_path.rglob(cache_folder.MARK)
    mark.unlink()
    before = content_of(tmp_path)
    result = clear()
    assert result.returncode == EXIT_FILE and "is not a cache" in result.stderr, result
    assert content_of(tmp_path) == before

"""Stores keep whole responses or none, for many threads and processes, also if the disk fails."""

from __future__ import annotations

import gc
import logging
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest

from blocking_request import CacheStatistics, NetworkDiskCache, NetworkMemoryCache
from blocking_request.models.headers import known_fields
from blocking_request.qt.binding import QtCore
from blocking_request.stores.cache import disk, index
from blocking_request.stores.cache import sqlite_pool as connections
from blocking_request.stores.cache.base import store_of
from blocking_request.stores.cache.disk import DiskStore
from blocking_request.stores.cache.folder import CacheFolder
from blocking_request.stores.cache.location import default_folder

from ...support.names import ROOT
from ...support.stored_responses import FIELDS, LARGE, URL, Cache, body_of, stored


def disk_store_of(cache: NetworkDiskCache) -> DiskStore:
    store = store_of(cache)
    assert isinstance(store, DiskStore)
    return store


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(params=["disk", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Cache:
    return NetworkDiskCache(tmp_path / "cache") if request.param == "disk" else NetworkMemoryCache(50 << 20)


@pytest.fixture
def on_disk(tmp_path: Path) -> NetworkDiskCache:
    return NetworkDiskCache(tmp_path / "cache")


# -- both


@pytest.mark.parametrize("size", [0, 1, disk.INDEXED_BYTES, disk.INDEXED_BYTES + 1, 1 << 20])
def test_stored_response_is_found(cache: Cache, size: int) -> None:
    body = os.urandom(size)
    given = stored(body, vary=((b"accept", b"digest"),), is_decoded=False, total_bytes=7)
    store_of(cache).store(URL, b"me", given)
    (found,) = store_of(cache).find(URL, b"me")
    assert store_of(cache).body(found) == body
    assert found._replace(handle=None, body=None) == given._replace(body=None)
    assert found.fields.pairs == FIELDS.pairs


def test_key_is_url_and_partition(cache: Cache) -> None:
    store_of(cache).store(URL, b"a", stored(b"for a"))
    assert (body_of(cache, URL, b"a"), body_of(cache, URL, b"b"), body_of(cache)) == (b"for a", None, None)
    assert body_of(cache, URL + "?", b"a") is None


@pytest.mark.parametrize("size", [10, LARGE])
def test_new_response_replaces_the_stored_one(cache: Cache, size: int) -> None:
    for number in range(5):
        store_of(cache).store(URL, b"", stored(b"%d" % number * size))
    assert body_of(cache) == b"4" * size
    assert cache.statistics().count == 1


def test_variants_are_found_newest_first(cache: Cache) -> None:
    now = time.time()
    for number in (2, 1, 3):
        store_of(cache).store(URL, b"", stored(b"%d" % number, now + number, vary=((b"a", b"%d" % number),)))
    assert [store_of(cache).body(each) for each in store_of(cache).find(URL, b"")] == [b"3", b"2", b"1"]


def test_update_changes_all_but_the_body(cache: Cache) -> None:
    store_of(cache).store(URL, b"", stored(b"body"))
    (found,) = store_of(cache).find(URL, b"")
    fresher = found._replace(fields=known_fields(((b"A", b"2"),)), received=found.received + 50)
    store_of(cache).update(fresher)
    (found,) = store_of(cache).find(URL, b"")
    assert (found.fields.pairs, found.received, store_of(cache).body(found)) == (
        ((b"A", b"2"),),
        fresher.received,
        b"body",
    )


def test_update_counts_the_new_fields(cache: Cache) -> None:
    cache.setMaximumCacheSize(1 << 20)
    for number in range(40):
        store_of(cache).store(f"{URL}{number}", b"", stored(b"body"))
        (found,) = store_of(cache).find(f"{URL}{number}", b"")
        store_of(cache).update(found._replace(fields=known_fields(((b"A", b"x" * 60_000),))))
    assert 60_000 < cache.cacheSize() <= 1 << 20
    there = [number for number in range(40) if store_of(cache).find(f"{URL}{number}", b"")]
    assert 10 < len(there) < 20 and there[-1] == 39
    cache.clear()
    assert cache.cacheSize() == 0


def test_evict_remove_and_clear(cache: Cache) -> None:
    for number in range(4):
        store_of(cache).store(f"{URL}{number}", b"", stored(b"x" * LARGE))
    store_of(cache).evict(store_of(cache).find(f"{URL}0", b"")[0])
    cache.remove("http://user@host.example/a1#part")
    cache.remove(QtCore.QUrl(f"{URL}2"))
    assert [body_of(cache, f"{URL}{number}") is None for number in range(4)] == [True, True, True, False]
    cache.clear()
    assert body_of(cache, f"{URL}3") is None
    assert (cache.statistics().count, cache.cacheSize()) == (0, 0)


def test_least_recently_used_entry_is_evicted(cache: Cache) -> None:
    cache.setMaximumCacheSize(1_000_000)
    for number in range(4):
        store_of(cache).store(f"{URL}{number}", b"", stored(b"x" * 200_000))
    body_of(cache, f"{URL}0")
    store_of(cache).store(f"{URL}4", b"", stored(b"x" * 200_000))
    store_of(cache).store(f"{URL}5", b"", stored(b"x" * 200_000))
    there = [number for number in range(6) if store_of(cache).find(f"{URL}{number}", b"")]
    assert 0 in there and 5 in there and 1 not in there
    found = cache.statistics()
    assert found.size <= 1_000_000 and found.evicted == 6 - len(there)


def test_too_large_body_is_not_stored(cache: Cache) -> None:
    cache.setMaximumCacheSize(1_000_000)
    store_of(cache).store(URL, b"", stored(b"x" * 260_000))
    assert body_of(cache) is None
    assert cache.statistics().evicted == 0


def test_smaller_limit_evicts_at_once(cache: Cache) -> None:
    for number in range(20):
        store_of(cache).store(f"{URL}{number}", b"", stored(b"x" * 100_000))
    cache.setMaximumCacheSize(500_000)
    assert 0 < cache.cacheSize() <= 500_000


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)])
def test_invalid_size(tmp_path: Path, size: Any, error: type[Exception]) -> None:
    for make in (lambda: NetworkMemoryCache(size), lambda: NetworkDiskCache(tmp_path, size)):
        with pytest.raises(error, match="size"):
            make()


def test_invalid_url(cache: Cache) -> None:
    with pytest.raises(TypeError, match="QUrl"):
        cache.remove(5)  # type: ignore[arg-type]


def test_many_threads(cache: Cache) -> None:
    cache.setMaximumCacheSize(4 << 20)
    wrong: list[object] = []

    def work(number: int) -> None:
        chance = random.Random(number)
        try:
            for _ in range(60):
                name = chance.randrange(20)
                url = f"{URL}{name}"
                action = chance.random()
                if action < 0.45:
                    store_of(cache).store(url, b"", stored(b"%d." % name * chance.choice([0, 1, 10, LARGE, 200_000])))
                elif action < 0.9:
                    body = body_of(cache, url)
                    if body and body.strip(b"%d." % name):
                        wrong.append(body[:20])
                elif action < 0.95:
                    cache.remove(url)
                elif action < 0.97:
                    cache.clear()
                else:
                    cache.statistics()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert wrong == [] and cache.problem() == ""
    assert cache.cacheSize() <= 4 << 20


# -- on disk


def test_objects_and_processes_share_a_folder(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"me", stored(b"x" * LARGE))
    assert body_of(NetworkDiskCache(on_disk.cacheDirectory()), URL, b"me") == b"x" * LARGE
    program = """
        import sys
        from blocking_request import NetworkDiskCache
        from blocking_request.stores.cache.base import store_of
        cache = NetworkDiskCache(sys.argv[1])
        (found,) = store_of(cache).find(sys.argv[2], b"me")
        print(len(store_of(cache).body(found)))
        store_of(cache).store(sys.argv[2], b"other", found._replace(body=b"theirs"))
    """
    assert run(program, on_disk.cacheDirectory(), URL) == f"{LARGE}\n"
    assert body_of(on_disk, URL, b"other") == b"theirs"


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout


def test_folder_is_readable_by_its_user_only(on_disk: NetworkDiskCache, tmp_path: Path) -> None:
    store_of(on_disk).store(URL, b"", stored(b"x" * LARGE))
    folder = Path(on_disk.cacheDirectory())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in (folder / "bodies").iterdir())


def test_urls_and_users_are_not_readable_in_the_files(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store("http://secret-host.example/secret-path", b"secret-user", stored(b"body"))
    on_disk.statistics()
    for path in files(Path(on_disk.cacheDirectory())):
        assert b"secret" not in path.read_bytes(), path


def test_folder_is_not_created_before_its_first_use(on_disk: NetworkDiskCache) -> None:
    assert not Path(on_disk.cacheDirectory()).exists()


def test_default_folder_of_an_application() -> None:
    assert default_folder("One: two/three").name == "One-two-three"
    assert default_folder("../..").name not in ("..", "")
    assert default_folder("a").parent == default_folder("b").parent
    assert NetworkDiskCache().cacheDirectory() == str(default_folder())


def test_flipped_bit_is_detected(on_disk: NetworkDiskCache) -> None:
    chance = random.Random(1)
    for size in (100, LARGE):
        body = os.urandom(size)
        for _ in range(30):
            store_of(on_disk).store(URL, b"", stored(body))
            (found,) = store_of(on_disk).find(URL, b"")
            if size == LARGE:
                path = Path(on_disk.cacheDirectory()) / "bodies" / found.handle.file
                flip(path, chance.randrange(size))
            else:
                with sqlite3.connect(Path(on_disk.cacheDirectory()) / "index.sqlite") as connection:
                    column = chance.choice(["body", "meta"])
                    data = bytearray(connection.execute(f"SELECT {column} FROM entries").fetchone()[0])
                    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                    connection.execute(f"UPDATE entries SET {column} = ?", (bytes(data),))
                connection.close()
            assert body_of(on_disk) is None
            assert on_disk.statistics().count == 0
    assert on_disk.problem() == ""


def flip(path: Path, place: int) -> None:
    with open(path, "r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("damage", ["shorter", "longer", "gone"])
def test_damaged_body_file_is_detected(on_disk: NetworkDiskCache, damage: str) -> None:
    store_of(on_disk).store(URL, b"", stored(b"x" * LARGE))
    (path,) = (Path(on_disk.cacheDirectory()) / "bodies").iterdir()
    {  # type: ignore[no-untyped-call]
        "shorter": lambda: os.truncate(path, LARGE - 1),
        "longer": lambda: path.write_bytes(b"x" * (LARGE + 1)),
        "gone": path.unlink,
    }[damage]()
    assert body_of(on_disk) is None
    assert on_disk.statistics().count == 0
    store_of(on_disk).store(URL, b"", stored(b"y" * LARGE))
    assert body_of(on_disk) == b"y" * LARGE


@pytest.mark.parametrize("damage", ["no database", "empty", "half", "holes", "other tables"])
def test_damaged_index_is_rebuilt_and_logged_once(
    on_disk: NetworkDiskCache, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    for number in range(50):
        store_of(on_disk).store(f"{URL}{number}", b"", stored(b"x" * 3_000))
    store_of(on_disk).store(URL, b"", stored(b"x" * LARGE))
    folder = on_disk.cacheDirectory()
    disk_store_of(on_disk)._opened[0]._pool.close()  # type: ignore[index]
    path = Path(folder) / "index.sqlite"
    data = path.read_bytes()
    for name in ("index.sqlite-wal", "index.sqlite-shm"):
        (Path(folder) / name).unlink(missing_ok=True)
    if damage == "other tables":
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE entries (something)")
        connection.close()
    else:
        holes = bytearray(data)
        for start in range(5_000, len(data) - 500, 4_096):
            holes[start : start + 400] = os.urandom(400)
        changed = {
            "no database": b"no database" * 500,
            "empty": b"",
            "half": data[: len(data) // 2 - 100],
            "holes": holes,
        }
        path.write_bytes(changed[damage])  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, "blocking_request"):
        anew = NetworkDiskCache(folder)
        for _ in range(3):
            for number in range(50):
                assert body_of(anew, f"{URL}{number}") in (None, b"x" * 3_000)
            store_of(anew).store(f"{URL}new", b"", stored(b"new"))
    assert body_of(anew, f"{URL}new") == b"new"
    assert anew.problem() == ""
    assert len(caplog.records) == (0 if damage == "empty" else 1), caplog.text


def test_damaged_key_is_replaced(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored())
    (Path(on_disk.cacheDirectory()) / "key").write_bytes(b"short")
    anew = NetworkDiskCache(on_disk.cacheDirectory())
    assert body_of(anew) is None
    store_of(anew).store(URL, b"", stored())
    assert body_of(NetworkDiskCache(on_disk.cacheDirectory())) == b"body"


def test_old_body_files_without_an_entry_are_deleted(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored(b"x" * LARGE))
    folder = Path(on_disk.cacheDirectory())
    old, young, other = (folder / "bodies" / name for name in ("a" * 32, "b" * 32, "old.csv"))
    for path in (old, young, other):
        path.write_bytes(b"x")
    hours_ago = time.time() - 2 * index.ABANDONED_SECONDS
    for path in [*(folder / "bodies").iterdir(), folder / "swept"]:
        if path != young:
            os.utime(path, (hours_ago, hours_ago))
    os.utime(folder / "swept", (0, 0))
    anew = NetworkDiskCache(folder)
    assert body_of(anew) == b"x" * LARGE
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)


def test_child_of_a_fork_uses_the_cache(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored(b"x" * LARGE))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            is_right = body_of(on_disk) == b"x" * LARGE
            store_of(on_disk).store(URL + "child", b"", stored(b"child"))
            code = 0 if is_right else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert body_of(on_disk, URL + "child") == b"child"
    store_of(on_disk).store(URL, b"", stored(b"parent"))
    assert body_of(on_disk) == b"parent"


KILLED = """
    import os, sys, threading, time
    from tests.support.stored_responses import URL, stored
    from blocking_request import NetworkDiskCache
    from blocking_request.stores.cache.base import store_of
    cache = NetworkDiskCache(sys.argv[1], 8 << 20)
    store_of(cache).store(URL, b"", stored(b"first"))
    print("ready", flush=True)
    def work(number):
        count = 0
        while True:
            count += 1
            name = (number + count) % 30
            size = (1, 1000, 60_000, 1_000_000)[count % 4]
            store_of(cache).store(f"{URL}{name}", b"", stored(b"%d," % name * (size // 2)))
            if count % 50 == 0:
                cache.clear()
    for number in range(4):
        threading.Thread(target=work, args=(number,), daemon=True).start()
    time.sleep(100)
"""


def test_killed_process_leaves_complete_entries(on_disk: NetworkDiskCache) -> None:
    folder, seen = on_disk.cacheDirectory(), 0
    for number in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), folder],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        threading.Event().wait(0.05 + 0.03 * number)  # killed at an arbitrary point
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        anew = NetworkDiskCache(folder, 8 << 20)
        for name in range(30):
            for found in store_of(anew).find(f"{URL}{name}", b""):
                body = store_of(anew).body(found)
                assert body is not None, "an entry that is not whole"
                assert body == b"%d," % name * (len(body) // len(b"%d," % name))
                seen += 1
        store_of(anew).store(URL + "after", b"", stored(b"after"))
        assert body_of(anew, URL + "after") == b"after"
        assert anew.problem() == ""
    assert seen > 0


def test_pending_invalidations_change_while_another_thread_reads_them(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored())
    overdue = disk_store_of(on_disk)._pending_invalidations
    with closing(sqlite3.connect(Path(on_disk.cacheDirectory()) / "index.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(3):
            on_disk.remove(f"{URL}{number}")
        assert len(overdue) == 3

        def by_another(phase: str, _: object) -> None:
            if phase == "start":
                overdue.symmetric_difference_update({(f"{URL}of another", 1.0)})

        # Each allocation may run another thread's finaliser, because it may start the garbage collector.
        hoarded = [(number, number) for number in range(5_000)]
        thresholds = gc.get_threshold()
        gc.callbacks.append(by_another)
        gc.set_threshold(1)
        try:
            found = store_of(on_disk).find(URL, b"")
        finally:
            gc.set_threshold(*thresholds)
            gc.callbacks.remove(by_another)
        assert len(found) == 1 and len(hoarded) == 5_000
    assert store_of(on_disk).find(f"{URL}1", b"") == [] and not overdue


def test_pending_invalidations_wait_for_the_lock_once(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored())
    with closing(sqlite3.connect(Path(on_disk.cacheDirectory()) / "index.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        for number in range(20):
            on_disk.remove(f"{URL}{number}")
        took = time.monotonic() - start
    assert took < 20 * connections.BUSY_SECONDS * 5  # and not 20 times as long for each
    assert len(store_of(on_disk).find(URL, b"")) == 1 and not disk_store_of(on_disk)._pending_invalidations


def test_later_of_two_pending_invalidations_is_used(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored())
    now = time.time()
    urls = [f"{URL}{number}" for number in range(20)]
    with closing(sqlite3.connect(Path(on_disk.cacheDirectory()) / "index.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        for url in urls:
            store_of(on_disk).invalidate(url, now - 10)
            store_of(on_disk).invalidate(url, now - 2)
    for url in urls:
        store_of(on_disk).store(url, b"", stored(b"asked for before", now - 5))
        assert body_of(on_disk, url) is None


def test_cleared_response_is_not_served_while_the_index_is_locked(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored())
    with closing(sqlite3.connect(Path(on_disk.cacheDirectory()) / "index.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        on_disk.clear()
        assert body_of(on_disk) is None
    assert body_of(on_disk) is None
    assert on_disk.statistics().count == 0
    store_of(on_disk).store(URL, b"", stored(b"new"))
    assert body_of(on_disk) == b"new"


def test_unfinished_store_leaves_no_file(on_disk: NetworkDiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk.setMaximumCacheSize(5 * LARGE * disk.ENTRY_SHARE)
    store_of(on_disk).store(URL, b"", stored(b"x" * LARGE))
    write = CacheFolder.write
    with closing(sqlite3.connect(Path(on_disk.cacheDirectory()) / "index.sqlite")) as other:

        def write_after_lock(folder: CacheFolder, name: str, body: bytes) -> None:
            other.execute("BEGIN IMMEDIATE")
            write(folder, name, body)

        monkeypatch.setattr(CacheFolder, "write", write_after_lock)
        store_of(on_disk).store(URL + "1", b"", stored(b"x" * 4 * LARGE))
        monkeypatch.undo()
    assert len(files(Path(on_disk.cacheDirectory()) / "bodies")) == 1
    store_of(on_disk).store(URL, b"", stored(b"y" * LARGE))
    assert (body_of(on_disk), on_disk.statistics().count) == (b"y" * LARGE, 1)
    assert on_disk.cacheSize() < 2 * LARGE and on_disk.problem() == ""


STRESS = """
    import itertools, random, sys, threading, time
    from tests.support.stored_responses import URL, stored
    from blocking_request import NetworkDiskCache
    from blocking_request.stores.cache.base import store_of
    folder, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    cache = NetworkDiskCache(folder, 100 << 20)
    errors = []
    def stored_here():
        return cache.statistics().stored
    def content(name, size):
        return (b"%d." % name * (size // len(b"%d." % name) + 1))[:size]
    def work(number):
        chance = random.Random(seed * 1000 + number)
        try:
            # A thread that cannot have the lock soon stores nothing, but no process is kept from it for good.
            end = time.monotonic() + 200
            goes_on = lambda done: done < count or (stored_here() < 7 and time.monotonic() < end)
            for _ in itertools.takewhile(goes_on, itertools.count()):
                name = chance.randrange(40)
                action = chance.random()
                if action < 0.3:
                    size = chance.choice([0, 1, 100, 5_000, 20_000, 300_000, 2_000_000, 20_000_000])
                    store_of(cache).store(f"{URL}{name}", b"", stored(content(name, size)))
                elif action < 0.93:
                    for found in store_of(cache).find(f"{URL}{name}", b""):
                        body = store_of(cache).body(found)
                        if body is not None and body != content(name, len(body)):
                            errors.append(f"a wrong body for {name}")
                elif action < 0.98:
                    cache.remove(f"{URL}{name}")
                else:
                    cache.clear()
        except BaseException as error:
            errors.append(repr(error))
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(errors, cache.problem(), cache.statistics().stored, sep="|")
"""


@pytest.mark.timeout(300)
def test_8_processes_of_8_threads_store_clear_and_evict(on_disk: NetworkDiskCache) -> None:
    folder = on_disk.cacheDirectory()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(STRESS), folder, str(seed), "12"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for seed in range(8)
    ]
    try:
        for process in processes:
            errors, problem, count = process.communicate(timeout=250)[0].strip().split("|")
            assert (errors, problem) == ("[]", "")
            assert int(count) >= 7
    finally:
        for process in processes:
            process.kill()
    anew = NetworkDiskCache(folder, 100 << 20)
    for number in range(8):
        store_of(anew).store(f"{URL}last{number}", b"", stored(b"x" * 20_000_000))
    used = sum(path.stat().st_blocks * 512 for path in files(Path(folder)))
    assert used <= 1.1 * (100 << 20), used
    named = {path.name for path in (Path(folder) / "bodies").iterdir()}
    assert named <= disk_store_of(anew)._opened[0].files(), "files that belong to no entry"  # type: ignore[index]


def test_handle_of_a_removed_entry_does_not_match_a_new_one(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored(b"old"))
    (old,) = store_of(on_disk).find(URL, b"")
    on_disk.clear()
    store_of(on_disk).store(URL + "?", b"", stored(b"new", vary=((b"a", b"1"),)))
    store_of(on_disk).update(old)
    store_of(on_disk).evict(old)
    (found,) = store_of(on_disk).find(URL + "?", b"")
    assert (store_of(on_disk).body(found), found.vary) == (b"new", ((b"a", b"1"),))


# -- errors of the disk


def problem_when_disabled(cache: NetworkDiskCache, caplog: pytest.LogCaptureFixture, act: Callable[[], object]) -> str:
    with caplog.at_level(logging.WARNING, "blocking_request"):
        act()
        act()
        assert store_of(cache).find(URL, b"") == () and cache.statistics() == CacheStatistics(
            0, 0, cache.maximumCacheSize(), 0, 0, 0, 0, 0
        )
        cache.remove(URL)
    (record,) = caplog.records
    assert "is disabled" in record.getMessage() and cache.problem() in record.getMessage()
    return cache.problem()


def test_folder_that_cannot_be_created(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = NetworkDiskCache(tmp_path / "file" / "cache")
    assert "Not a directory" in problem_when_disabled(cache, caplog, lambda: store_of(cache).store(URL, b"", stored()))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write to")
def test_read_only_folder(caplog: pytest.LogCaptureFixture) -> None:
    cache = NetworkDiskCache("/proc/self/cache")
    assert problem_when_disabled(cache, caplog, lambda: store_of(cache).store(URL, b"", stored()))


FULL = """
    import logging, resource, signal, sys
    from tests.support.stored_responses import URL, body_of, stored
    from blocking_request import NetworkDiskCache
    from blocking_request.stores.cache.base import store_of
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    cache = NetworkDiskCache(sys.argv[1])
    store_of(cache).store(URL, b"", stored(b"before"))
    # No file may grow beyond this, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    for number in range(300):
        store_of(cache).store(f"{URL}{number}", b"", stored(b"x" * int(sys.argv[3])))
    print(bool(cache.problem()), body_of(cache))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(NetworkDiskCache(sys.argv[1]).statistics().count)
    cache.clear()
    store_of(cache).store(URL, b"", stored(b"after"))
    print(bool(cache.problem()), body_of(cache))
"""


@pytest.mark.parametrize(("room", "size"), [(200_000, 400_000), (200_000, 3_000)])
def test_full_disk(on_disk: NetworkDiskCache, room: int, size: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(FULL), on_disk.cacheDirectory(), str(room), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=True)
    warning, off, count, on = done.stdout.strip().splitlines()
    assert warning.startswith("WARNING:blocking_request:The cache in") and " is disabled: " in warning
    assert (off, on) == ("True None", "False b'after'")
    assert count == "1" or size < disk.INDEXED_BYTES  # no entry is left if there was no room for its file
    assert all(path.stat().st_size <= room + 4096 for path in files(Path(on_disk.cacheDirectory())))


# -- regressions


def test_update_of_a_removed_response_is_ignored(cache: Cache) -> None:
    store_of(cache).store(URL, b"", stored(b"old"))
    (old,) = store_of(cache).find(URL, b"")
    cache.remove(URL)
    store_of(cache).store(URL, b"", stored(b"new"))
    store_of(cache).update(old._replace(fields=known_fields(((b"A", b"old"),))))
    store_of(cache).evict(old)
    (found,) = store_of(cache).find(URL, b"")
    assert (store_of(cache).body(found), found.fields.value(b"a")) == (b"new", None)


def test_number_of_variants_is_limited(cache: Cache) -> None:
    now = time.time()
    for number in range(40):
        store_of(cache).store(URL, b"", stored(b"%d" % number, now + number, vary=((b"x-id", b"%d" % number),)))
        store_of(cache).store(URL, b"other", stored(b"%d" % number, now + number))
    found = store_of(cache).find(URL, b"")
    assert [store_of(cache).body(each) for each in found] == [b"%d" % number for number in range(39, 23, -1)]
    assert body_of(cache, URL, b"other") == b"39"


def test_response_requested_before_clear_is_not_stored(cache: Cache) -> None:
    before = stored(b"old")
    cache.clear()
    store_of(cache).store(URL, b"", before._replace(received=time.time()))
    assert body_of(cache) is None


def test_response_requested_before_a_change_of_another_process_is_not_stored(on_disk: NetworkDiskCache) -> None:
    store_of(on_disk).store(URL, b"", stored(b"older"))
    for change in (lambda other: other.remove(URL), lambda other: other.clear()):
        before = stored(b"old")
        change(NetworkDiskCache(on_disk.cacheDirectory()))  # type: ignore[no-untyped-call]
        store_of(on_disk).store(URL, b"", before._replace(received=time.time()))
        assert body_of(on_disk) is None
    store_of(on_disk).store(URL, b"", stored(b"new"))
    assert body_of(on_disk) == b"new"


def test_destructor_that_uses_the_cache(cache: Cache) -> None:
    """A destructor may run at any allocation, also within the cache itself."""
    program_over = threading.Event()

    class Asking:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            cache.statistics()

    def work() -> None:
        threshold = gc.get_threshold()
        gc.set_threshold(1)
        try:
            for number in range(300):
                Asking()
                store_of(cache).store(f"{URL}{number % 5}", b"", stored())
                store_of(cache).find(f"{URL}{number % 5}", b"")
        finally:
            gc.set_threshold(*threshold)
            program_over.set()

    threading.Thread(target=work, daemon=True).start()
    assert program_over.wait(60), "the cache waits for itself"


FORKING = """
    import faulthandler, os, signal, sys, threading
    from tests.support.stored_responses import URL, stored
    from blocking_request import NetworkDiskCache, NetworkMemoryCache
    from blocking_request.stores.cache.base import store_of
    cache = NetworkDiskCache(sys.argv[2]) if sys.argv[1] == "disk" else NetworkMemoryCache()
    is_over = threading.Event()
    def work():
        while not is_over.is_set():
            store_of(cache).store(URL, b"", stored())
            store_of(cache).find(URL, b"")
            store_of(NetworkDiskCache(sys.argv[2])).find(URL, b"")
    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for thread in threads: thread.start()
    def child():
        faulthandler.dump_traceback_later(20, exit=True)
        store_of(cache).store(URL + "child", b"", stored(b"child"))
        store_of(cache).find(URL, b"")
    for _ in range(20):
        process = os.fork()
        if process == 0:
            try:
                child()
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != 0:
            os._exit(1)
    is_over.set()
    for thread in threads: thread.join()
    os._exit(0)
"""


@pytest.mark.filterwarnings("ignore:.*multi-threaded")
@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_fork_while_other_threads_use_the_cache(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(FORKING), kind, str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("left", [0, 4_096, 50_000])
def test_truncated_index_is_rebuilt(on_disk: NetworkDiskCache, left: int) -> None:
    for number in range(100):
        store_of(on_disk).store(f"{URL}{number}", b"", stored(b"x" * 5_000))
    folder = Path(on_disk.cacheDirectory())
    other = NetworkDiskCache(folder)
    assert body_of(other, URL + "5") == b"x" * 5_000
    with sqlite3.connect(folder / "index.sqlite") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    os.truncate(folder / "index.sqlite", left)
    for number in range(100):
        assert body_of(other, f"{URL}{number}") in (None, b"x" * 5_000)
        store_of(other).store(f"{URL}{number}", b"", stored(b"y" * 5_000))
    assert other.problem() == ""
    assert body_of(other, URL + "99") == b"y" * 5_000
    # Another object that has it open uses the new one.
    assert body_of(on_disk, URL + "99") == b"y" * 5_000


@pytest.mark.parametrize("removed", ["folder", "index", "bodies"])
def test_removed_folder_is_created_again(on_disk: NetworkDiskCache, removed: str) -> None:
    folder = Path(on_disk.cacheDirectory())
    for size in (100, LARGE):
        store_of(on_disk).store(f"{URL}{size}", b"", stored(b"x" * size))
    if removed == "index":
        for path in folder.glob("index.sqlite*"):
            path.unlink()
    else:
        shutil.rmtree(folder if removed == "folder" else folder / "bodies")
    for _ in range(2):
        for size in (100, LARGE):
            assert body_of(on_disk, f"{URL}{size}") in (None, b"x" * size)
            store_of(on_disk).store(f"{URL}{size}", b"", stored(b"x" * size))
    assert on_disk.problem() == ""
    assert [body_of(NetworkDiskCache(folder), f"{URL}{size}") is None for size in (100, LARGE)] == [False, False]


def test_space_of_small_bodies_is_reused_for_large_ones(tmp_path: Path) -> None:
    limit = 20 << 20
    cache = NetworkDiskCache(tmp_path / "cache", limit)

    def used() -> int:
        return sum(path.stat().st_blocks * 512 for path in files(tmp_path))

    for number in range(3_000):
        store_of(cache).store(f"{URL}{number}", b"", stored(b"x" * 9_000))
    assert 0.5 * limit < used() <= 1.1 * limit
    for number in range(40):
        store_of(cache).store(f"{URL}large{number}", b"", stored(b"x" * (1 << 20)))
    assert 0.5 * limit < used() <= 1.1 * limit
    for number in range(3_000):
        store_of(cache).store(f"{URL}again{number}", b"", stored(b"x" * 900))
    assert used() <= 1.1 * limit
    cache.clear()
    assert used() <= 0.05 * limit


def test_unreadable_entry_is_not_found(on_disk: NetworkDiskCache) -> None:
    """For example an entry of another version, or a response that should not have been stored."""
    store_of(on_disk).store(URL, b"", stored(vary=((b"accept language", b"digest"),)))
    assert store_of(on_disk).find(URL, b"") == [] and on_disk.statistics().count == 0
    assert on_disk.problem() == ""

"""Hits of the cache on disk: a small one beside a warm GET, a large one in time and memory, and among many entries."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, NetworkDiskCache
from blocking_request.flows.cache.store import StoredResponse
from blocking_request.models.headers import known_fields
from blocking_request.qt.binding import API, QtCore
from blocking_request.stores.cache.base import store_of

from .measure import bound, finish, medians, show
from .nginx import nginx

CALLS = 200
ROUNDS = 15
LARGE = 20_000_000
ENTRIES = (100, 100_000)
FIELDS = known_fields(((b"Date", b"Fri, 20 Nov 2026 00:00:00 GMT"), (b"Cache-Control", b"max-age=99999999")))


def store(cache: NetworkDiskCache, url: str, body: bytes) -> None:
    now = time.time()
    store_of(cache).store(url, b"", StoredResponse(200, "OK", FIELDS, now, now, body=body, encoded_bytes=len(body)))


def small(server: str, folder: str) -> None:
    cached, plain = NetworkAccessManager(), NetworkAccessManager()
    cache = NetworkDiskCache(folder)
    cached.setCache(cache)
    url = f"{server}/1024"
    store(cache, url, b"x" * 1024)
    hit, get = BlockingNetworkRequest(cached), BlockingNetworkRequest(plain)

    def hits() -> None:
        for _ in range(CALLS):
            assert hit.get(url) == 0 and hit.reply().isFromCache() and len(hit.reply().body) == 1024

    def gets() -> None:
        for _ in range(CALLS):
            assert get.get(url) == 0 and len(get.reply().body) == 1024

    took = medians({"a fresh hit": hits, "a warm GET": gets}, ROUNDS)
    show(f"1 KB, {API}", "us", {name: seconds / CALLS * 1e6 for name, seconds in took.items()})
    bound("a hit of 1 KB, of a warm GET's time", took["a fresh hit"] / took["a warm GET"], 0.5)


# A process of its own: what an earlier body has left free would be used again.
RISE = """
import sys
from blocking_request import BlockingNetworkRequest, NetworkAccessManager, NetworkDiskCache
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
manager = NetworkAccessManager()
manager.setCache(NetworkDiskCache(sys.argv[1], 200 << 20))
blocking = BlockingNetworkRequest(manager)
def top():
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))
assert blocking.get("http://127.0.0.1:9/small") == 0
before = top()
assert blocking.get("http://127.0.0.1:9/large") == 0 and len(blocking.reply().body) == 20_000_000
print(top() - before)
"""


def large(folder: str) -> None:
    manager, cache = NetworkAccessManager(), NetworkDiskCache(folder, 200 << 20)
    manager.setCache(cache)
    url = "http://127.0.0.1:9/large"
    store(cache, url, os.urandom(LARGE))
    blocking = BlockingNetworkRequest(manager)
    seconds = []
    for _ in range(21):
        started = time.perf_counter()
        assert blocking.get(url) == 0
        seconds.append(time.perf_counter() - started)
        assert len(blocking.reply().body) == LARGE
    took = statistics.median(seconds)
    show("a hit of 20 MB", "ms", {"blocking_request": took * 1e3})
    bound("seconds for each GB", took / LARGE * 1e9, 1.0)
    store(cache, "http://127.0.0.1:9/small", b"x")
    del blocking, manager, cache
    rise = subprocess.run([sys.executable, "-c", RISE, folder], capture_output=True, text=True, check=True).stdout
    bound("memory for a hit of 20 MB, of its size", int(rise) / LARGE, 1.1)


def many(folder: str) -> None:
    urls: dict[str, list[str]] = {}
    managers: dict[str, BlockingNetworkRequest] = {}
    for count in ENTRIES:
        name = f"among {count}"
        manager, cache = NetworkAccessManager(), NetworkDiskCache(Path(folder) / str(count), 4 << 30)
        manager.setCache(cache)
        for number in range(count):
            store(cache, f"http://127.0.0.1:9/{number}", b"x" * 1024)
        urls[name] = [f"http://127.0.0.1:9/{number * count // 100}" for number in range(100)]
        managers[name] = BlockingNetworkRequest(manager)

    def hits(name: str) -> None:
        for _ in range(3):
            for url in urls[name]:
                assert managers[name].get(url) == 0

    took = medians({name: lambda name=name: hits(name) for name in urls}, ROUNDS)
    show("a hit of 1 KB", "us", {name: seconds / 300 * 1e6 for name, seconds in took.items()})
    few, lots = (took[f"among {count}"] for count in ENTRIES)
    bound("among 100 000 entries, of the time among 100", lots / few, 1.3)


def main() -> None:
    app = QtCore.QCoreApplication([])
    with tempfile.TemporaryDirectory() as folder:
        with nginx(1024) as (server, _):
            small(server, f"{folder}/small")
        large(f"{folder}/large")
        many(f"{folder}/many")
    del app
    finish()


if __name__ == "__main__":
    main()

"""1 000 GETs at once, beside pools of 8 threads; a server that takes its time; the memory of a hundred thousand."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import requests
import urllib3

from blocking_request import NetworkAccessManager
from blocking_request.qt.binding import API, QtCore

from .measure import bound, finish, medians, show
from .nginx import nginx

COUNT = 1_000
ROUNDS = 11
THREADS = 8
WAIT_SECONDS = 0.05
CONCURRENT = 64
SIZES = {1024: (4, 2), 102_400: (5, 2)}
"""With how many times as many requests a second are promised as requests and urllib3 do."""

# A server of its own process: a thread of this one would be in the way.
SLOW_SERVER = """
import asyncio, sys
async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\\r\\n\\r\\n")
            await asyncio.sleep(float(sys.argv[1]))
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""

MEMORY = """
import sys
from blocking_request import NetworkAccessManager
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
def used():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmRSS"))
marks = {}
for index, code, reply in NetworkAccessManager().getMany(f"{sys.argv[1]}?{number}" for number in range(100_000)):
    assert code == 0 and len(reply.body) == 1024
    if index in (999, 99_999):
        marks[index] = used()
print(marks[99_999] - marks[999])
"""


def fast(manager: NetworkAccessManager) -> None:
    with nginx(*SIZES) as (server, _), ThreadPoolExecutor(THREADS) as threads:
        pool, local = urllib3.PoolManager(maxsize=THREADS), threading.local()
        for size, (of_requests, of_urllib3) in SIZES.items():
            urls = [f"{server}/{size}?{number}" for number in range(COUNT)]

            def ours(urls: list[str] = urls, size: int = size) -> None:
                count = 0
                for _, code, reply in manager.getMany(urls):
                    assert code == 0 and len(reply.body) == size
                    count += 1
                assert count == COUNT

            def with_requests(url: str) -> int:
                if not hasattr(local, "session"):
                    local.session = requests.Session()
                return len(local.session.get(url).content)

            def with_urllib3(url: str) -> int:
                return len(pool.request("GET", url).data)

            took = medians(
                {
                    "blocking_request": ours,
                    "requests": lambda urls=urls: list(threads.map(with_requests, urls)),
                    "urllib3": lambda urls=urls: list(threads.map(with_urllib3, urls)),
                },
                ROUNDS,
            )
            show(f"{size} bytes, {API}", "requests/s", {name: COUNT / seconds for name, seconds in took.items()})
            bound("of the time of requests", took["blocking_request"] / took["requests"], 1 / of_requests)
            bound("of urllib3's time", took["blocking_request"] / took["urllib3"], 1 / of_urllib3)


def slow(manager: NetworkAccessManager) -> None:
    command = [sys.executable, "-c", SLOW_SERVER, str(WAIT_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{process.stdout.readline().strip()}/"

            def ours() -> None:
                assert all(code == 0 for _, code, _ in manager.getMany([url] * COUNT, maxConcurrent=CONCURRENT))

            took = medians({"blocking_request": ours}, 3)["blocking_request"]
        finally:
            process.terminate()
    ideal = COUNT / CONCURRENT * WAIT_SECONDS
    show(f"a server that takes 50 ms, {CONCURRENT} at a time", "ms", {"took": took * 1e3, "ideal": ideal * 1e3})
    bound("of the ideal", took / ideal, 1.25)


def memory() -> None:
    with nginx(1024) as (server, _):
        command = [sys.executable, "-c", MEMORY, f"{server}/1024"]
        grown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bound("MiB that 100 000 take more than 1 000", float(grown), 20)


def main() -> None:
    app = QtCore.QCoreApplication([])
    manager = NetworkAccessManager()
    fast(manager)
    slow(manager)
    memory()
    del app
    finish()


if __name__ == "__main__":
    main()

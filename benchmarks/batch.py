"""1 000 GETs at once, beside aiohttp, libcurl and pools of 8 threads; over HTTP/2, beside httpx.

A consumer and a server that take their time; the memory of a hundred thousand.
"""

import asyncio
import io
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import httpx
import pycurl
import requests
import urllib3

from blocking_request import NetworkAccessManager, TlsSettings
from blocking_request.qt.binding import API, QtCore, QtNetwork, enum_value

from .measure import bound, finish, medians, show
from .nginx import CA_FILE, nginx

COUNT = 1_000
ROUNDS = 11
THREADS = 8
WAIT_SECONDS = 0.05
CONCURRENT = 64
AT_ONCE = 24
"""As many requests a batch has under way, and so have the others here."""
SIZES = {1024: (0.25, 0.5, 0.75), 102_400: (0.2, 0.5, 0.75)}
"""The bounds: of the time of requests and urllib3 with 8 threads, and of aiohttp's."""
WORK_SECONDS = 0.02
HTTP2_WAS_USED = enum_value(QtNetwork.QNetworkRequest.Attribute.Http2WasUsedAttribute)
RESULTS = 100

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
        for size, (of_requests, of_urllib3, of_aiohttp) in SIZES.items():
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
                    "aiohttp": lambda urls=urls: asyncio.run(with_aiohttp(urls)),
                    "libcurl": lambda urls=urls: with_libcurl(urls),
                    "requests": lambda urls=urls: list(threads.map(with_requests, urls)),
                    "urllib3": lambda urls=urls: list(threads.map(with_urllib3, urls)),
                },
                ROUNDS,
            )
            show(f"{size} bytes, {API}", "requests/s", {name: COUNT / seconds for name, seconds in took.items()})
            bound("of the time of requests", took["blocking_request"] / took["requests"], of_requests)
            bound("of urllib3's time", took["blocking_request"] / took["urllib3"], of_urllib3)
            bound("of aiohttp's time", took["blocking_request"] / took["aiohttp"], of_aiohttp)


async def with_aiohttp(urls: list[str]) -> None:
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(url: str) -> int:
            async with session.get(url) as response:
                return len(await response.read())

        assert len(await asyncio.gather(*map(get, urls))) == COUNT


def with_libcurl(urls: list[str]) -> None:
    """Libcurl's multi interface: the limit of what can be had."""
    multi, left, done = pycurl.CurlMulti(), list(urls), 0
    handles = []

    def begin(handle: pycurl.Curl) -> None:
        handle.setopt(pycurl.URL, left.pop())
        handle.setopt(pycurl.WRITEDATA, io.BytesIO())
        multi.add_handle(handle)

    for _ in range(min(AT_ONCE, len(left))):
        handles.append(pycurl.Curl())
        begin(handles[-1])
    while done < len(urls):
        multi.perform()
        _, finished, failed = multi.info_read()
        assert not failed
        for handle in finished:
            multi.remove_handle(handle)
            done += 1
            if left:
                begin(handle)
        if not finished:
            multi.select(1.0)


def http2() -> None:
    """The same over HTTP/2 and TLS."""
    with nginx(1024, tls=True, http2=True) as (server, folder):
        ca = str(folder / CA_FILE)
        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(caFile=ca))
        urls = [f"{server}/1024?{number}" for number in range(COUNT)]
        context = ssl.create_default_context(cafile=ca)

        def ours() -> None:
            replies = [reply for _, code, reply in manager.getMany(urls) if code == 0]
            assert len(replies) == COUNT and all(reply.attributes()[HTTP2_WAS_USED] for reply in replies)

        async def with_httpx() -> None:
            limits = httpx.Limits(max_connections=1)
            async with httpx.AsyncClient(http2=True, verify=context, limits=limits, timeout=60) as client:
                assert {response.http_version for response in await asyncio.gather(*map(client.get, urls))} == {
                    "HTTP/2"
                }

        took = medians({"blocking_request": ours, "httpx": lambda: asyncio.run(with_httpx())}, 3)
        show(f"1024 bytes over HTTP/2, {API}", "requests/s", {name: COUNT / value for name, value in took.items()})
        bound("of httpx's time", took["blocking_request"] / took["httpx"], 0.5)


def overlap() -> None:
    """A consumer that works for each result, over https: nothing should stand still in the meantime."""
    with nginx(1024, tls=True) as (server, folder):
        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(caFile=str(folder / CA_FILE)))
        started = time.perf_counter()
        for _, code, _ in manager.getMany(f"{server}/1024?{number}" for number in range(RESULTS)):
            assert code == 0
            time.sleep(WORK_SECONDS)
        took = time.perf_counter() - started
    bound(f"a consumer that works {WORK_SECONDS * 1000:.0f} ms, of full overlap", took / (RESULTS * WORK_SECONDS), 1.1)


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
    overlap()
    slow(manager)
    http2()
    memory()
    del app
    finish()


if __name__ == "__main__":
    main()

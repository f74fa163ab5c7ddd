"""256 MB into memory over http and https: the time beside requests and urllib3, and the peak of memory.

Each run is a process by itself. Over http a bare socket is measured, too: one system call that reads all bytes into new
memory. No client can be faster. Most of that time goes into the memory, which the kernel hands out page by page.
"""

import resource
import socket
import statistics
import subprocess
import sys
import time

from .measure import bound, finish, show
from .nginx import CA_FILE, nginx

SIZE = 256 << 20
ROUNDS = 9
BARE_SOCKET = "bare socket"


def child(name: str, url: str, ca: str) -> None:
    """Warm up, then GET once and print seconds and the peak in bytes above the start."""
    if name == "blocking_request":
        from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
        from blocking_request.qt.binding import QtCore

        app = QtCore.QCoreApplication([])
        manager = NetworkAccessManager()
        manager.setEngine("python")
        manager.setTlsSettings(TlsSettings(caFile=ca) if ca else None)
        blocking = BlockingNetworkRequest(manager)

        def get(path: str) -> int:
            assert blocking.get(url + path) == 0
            return len(blocking.reply().body)
    elif name == BARE_SOCKET:
        app = None
        address = url.partition("//")[2].split(":")
        connection = socket.create_connection((address[0], int(address[1])))

        def get(path: str) -> int:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            head, _, start = connection.recv(4096).partition(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].split()[0])
            return len(start) + len(connection.recv(size - len(start), socket.MSG_WAITALL))
    elif name == "urllib3":
        import urllib3

        app = None
        pool = urllib3.PoolManager(**({"ca_certs": ca} if ca else {}))

        def get(path: str) -> int:
            return len(pool.request("GET", url + path).data)
    else:
        import requests

        app = None
        session = requests.Session()

        def get(path: str) -> int:
            return len(session.get(url + path, verify=ca or True).content)

    get("/1024")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    assert get(f"/{SIZE}") == SIZE
    seconds = time.perf_counter() - started
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    del app


def main() -> None:
    if len(sys.argv) > 2:
        child(*sys.argv[1:])
        return
    # The bare socket itself takes 0.9 to 1.0 of urllib3's time.
    compare("http", 0.5, 1.05)
    compare("https", 0.8, 1.0)
    finish()


def compare(scheme: str, of_requests: float, of_urllib3: float) -> None:
    seconds: dict[str, list[float]] = {"blocking_request": [], "requests": [], "urllib3": []}
    if scheme == "http":
        seconds[BARE_SOCKET] = []
    peaks: dict[str, list[float]] = {name: [] for name in seconds}
    with nginx(1024, SIZE, tls=scheme == "https") as (server, folder):
        ca = str(folder / CA_FILE) if scheme == "https" else ""
        for _ in range(ROUNDS):
            for name in seconds:
                command = [sys.executable, "-m", "benchmarks.large_get", name, server, ca]
                took, peak = subprocess.check_output(command, text=True).split()
                seconds[name].append(float(took))
                peaks[name].append(float(peak))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    show(f"256 MB into memory, {scheme}", "ms", {name: value * 1000 for name, value in median.items()})
    bound("of requests' time", median["blocking_request"] / median["requests"], of_requests)
    bound("of urllib3's time", median["blocking_request"] / median["urllib3"], of_urllib3)
    if scheme == "http":
        bound("of a bare socket's time", median["blocking_request"] / median[BARE_SOCKET], 1.2)
    show("peak above the start", "MiB", {name: max(values) / (1 << 20) for name, values in peaks.items()})
    bound("of the body", max(peaks["blocking_request"]) / SIZE, 1.25)


if __name__ == "__main__":
    main()

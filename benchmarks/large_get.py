"""256 MB into memory: the time beside requests, and the peak of memory. Each run is a process by itself."""

import resource
import statistics
import subprocess
import sys
import time

from .measure import bound, finish, show
from .nginx import nginx

SIZE = 256 << 20
ROUNDS = 9


def child(name: str, url: str) -> None:
    """Warm up, then GET once and print seconds and the peak in bytes above the start."""
    if name == "blocking_request":
        from blocking_request import BlockingNetworkRequest
        from blocking_request.qt.binding import QtCore

        app = QtCore.QCoreApplication([])
        blocking = BlockingNetworkRequest()

        def get(path: str) -> int:
            assert blocking.get(url + path) == 0
            return len(blocking.reply().body)
    else:
        import requests

        app = None
        session = requests.Session()

        def get(path: str) -> int:
            return len(session.get(url + path).content)

    get("/1024")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    assert get(f"/{SIZE}") == SIZE
    seconds = time.perf_counter() - started
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    del app


def main() -> None:
    if len(sys.argv) > 2:
        child(sys.argv[1], sys.argv[2])
        return
    seconds: dict[str, list[float]] = {"blocking_request": [], "requests": []}
    peaks: dict[str, list[float]] = {"blocking_request": [], "requests": []}
    with nginx(1024, SIZE) as (server, _):
        for _ in range(ROUNDS):
            for name in seconds:
                command = [sys.executable, "-m", "benchmarks.large_get", name, server]
                took, peak = subprocess.check_output(command, text=True).split()
                seconds[name].append(float(took))
                peaks[name].append(float(peak))
    took = {name: statistics.median(values) for name, values in seconds.items()}
    show("256 MB into memory", "ms", {name: value * 1000 for name, value in took.items()})
    bound("of requests' time", took["blocking_request"] / took["requests"], 0.5)
    show("peak above the start", "MiB", {name: max(values) / (1 << 20) for name, values in peaks.items()})
    bound("of the body", max(peaks["blocking_request"]) / SIZE, 1.25)
    finish()


if __name__ == "__main__":
    main()

"""8 threads that GET 1 KB and 100 KB."""

import threading
from typing import Callable

import requests
import urllib3

from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import API, QtCore

from .measure import bound, finish, medians, show
from .nginx import nginx

THREADS = 8
CALLS = 60
ROUNDS = 9
BOUNDS = {1024: (0.65, 0.25), 102_400: (0.9, 0.45)}
"""For each size: of the times of urllib3 and requests. The threads take turns at the interpreter's lock, so a request
takes as long as with one thread: half of it is spent in the kernel, and the rest in some eighty functions."""


def in_threads(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def contenders(url: str, size: int) -> dict[str, Callable[[], None]]:
    pool = urllib3.PoolManager(maxsize=THREADS)
    # A session for each thread, kept over the rounds, as its users are told to.
    sessions = [requests.Session() for _ in range(THREADS)]

    def over(engine: str) -> Callable[[], None]:
        def ours() -> None:
            blocking = BlockingNetworkRequest()
            blocking.setEngine(engine)
            for _ in range(CALLS):
                assert blocking.get(url) == 0 and len(blocking.reply().body) == size

        return ours

    def with_requests() -> None:
        session = sessions.pop()
        for _ in range(CALLS):
            assert len(session.get(url).content) == size
        sessions.append(session)

    def with_urllib3() -> None:
        for _ in range(CALLS):
            assert len(pool.request("GET", url).data) == size

    return {"python": over("python"), "auto": over("auto"), "requests": with_requests, "urllib3": with_urllib3}


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024, 102_400) as (server, _):
        for size, (of_urllib3, of_requests) in BOUNDS.items():
            works = contenders(f"{server}/{size}", size)
            took = medians({name: in_threads(work) for name, work in works.items()}, ROUNDS)
            each = {name: seconds / CALLS / THREADS * 1e6 for name, seconds in took.items()}
            show(f"{THREADS} threads, GET of {size} bytes, {API}", "us", each)
            bound("python, of urllib3's time", took["python"] / took["urllib3"], of_urllib3)
            bound("python, of requests' time", took["python"] / took["requests"], of_requests)
    del app
    finish()


if __name__ == "__main__":
    main()

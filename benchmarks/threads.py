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

    def ours() -> None:
        blocking = BlockingNetworkRequest()
        for _ in range(CALLS):
            assert blocking.get(url) == 0 and len(blocking.reply().body) == size

    def with_requests() -> None:
        session = sessions.pop()
        for _ in range(CALLS):
            assert len(session.get(url).content) == size
        sessions.append(session)

    def with_urllib3() -> None:
        for _ in range(CALLS):
            assert len(pool.request("GET", url).data) == size

    return {"blocking_request": ours, "requests": with_requests, "urllib3": with_urllib3}


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024, 102_400) as (server, _):
        for size in (1024, 102_400):
            works = contenders(f"{server}/{size}", size)
            took = medians({name: in_threads(work) for name, work in works.items()}, ROUNDS)
            each = {name: seconds / CALLS / THREADS * 1e6 for name, seconds in took.items()}
            show(f"{THREADS} threads, GET of {size} bytes, {API}", "us", each)
            bound("of requests' time", took["blocking_request"] / took["requests"], 0.45)
            bound("of urllib3's time", took["blocking_request"] / took["urllib3"], 0.9)
    del app
    finish()


if __name__ == "__main__":
    main()

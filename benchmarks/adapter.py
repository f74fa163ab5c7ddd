"""requests over our engines beside requests over its own: small GETs, in one thread and in eight."""

from __future__ import annotations

import threading
from typing import Callable

import requests

from blocking_request import requests_session
from blocking_request.qt.binding import API, QtCore

from .measure import bound, finish, medians, show
from .nginx import nginx

CALLS = 200
ROUNDS = 15
THREADS = 8


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024) as (server, _):
        url = f"{server}/1024"
        sessions = {"adapter": requests_session(), "stock": requests.Session()}

        def get(session: requests.Session) -> None:
            assert len(session.get(url, timeout=10).content) == 1024

        def alone(session: requests.Session) -> Callable[[], None]:
            def run() -> None:
                for _ in range(CALLS):
                    get(session)

            return run

        def together(session: requests.Session) -> Callable[[], None]:
            def work() -> None:
                for _ in range(CALLS // THREADS):
                    get(session)

            def run() -> None:
                threads = [threading.Thread(target=work) for _ in range(THREADS)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

            return run

        took = medians({name: alone(session) for name, session in sessions.items()}, ROUNDS)
        show(f"GET of 1 KB by requests, {API}", "us", {name: each / CALLS * 1e6 for name, each in took.items()})
        bound("of stock requests' time", took["adapter"] / took["stock"], 1.25)
        took = medians({name: together(session) for name, session in sessions.items()}, ROUNDS)
        show(f"the same in {THREADS} threads", "us", {name: each / CALLS * 1e6 for name, each in took.items()})
        bound("of stock requests' time", took["adapter"] / took["stock"], 0.9)
    del app
    finish()


if __name__ == "__main__":
    main()

"""A POST of 1 KB on a warm connection, one after another, from the main thread."""

from typing import Callable

import requests
import urllib3

from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import API, QtCore

from .measure import bound, finish, medians, show
from .nginx import nginx

CALLS = 100
ROUNDS = 25
BODY = b"x" * 1024


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024) as (server, _):
        url = f"{server}/post"
        session, pool = requests.Session(), urllib3.PoolManager()
        blocking = {engine: BlockingNetworkRequest() for engine in ("python", "auto")}

        def over(engine: str) -> Callable[[], None]:
            request = blocking[engine]
            request.setEngine(engine)

            def ours() -> None:
                for _ in range(CALLS):
                    assert request.post(url, BODY) == 0 and request.reply().body == b"posted"

            return ours

        def with_requests() -> None:
            for _ in range(CALLS):
                assert session.post(url, BODY).content == b"posted"

        def with_urllib3() -> None:
            for _ in range(CALLS):
                assert pool.request("POST", url, body=BODY).data == b"posted"

        ours = {engine: over(engine) for engine in blocking}
        took = medians({**ours, "requests": with_requests, "urllib3": with_urllib3}, ROUNDS)
        show(f"POST of 1 KB, {API}", "us", {name: each / CALLS * 1e6 for name, each in took.items()})
        print(f"    auto took {blocking['auto'].reply().engine()}")
        bound("python, of urllib3's time", took["python"] / took["urllib3"], 0.75)
        bound("python, of requests' time", took["python"] / took["requests"], 0.35)
    del app
    finish()


if __name__ == "__main__":
    main()

"""A warm GET of 1 KB, one after another, from the main thread."""

import requests
import urllib3

from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import API, QtCore

from .measure import bound, finish, medians, show
from .nginx import nginx

CALLS = 200
ROUNDS = 15


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024) as (server, _):
        url = f"{server}/1024"
        blocking, session, pool = BlockingNetworkRequest(), requests.Session(), urllib3.PoolManager()

        def ours() -> None:
            for _ in range(CALLS):
                assert blocking.get(url) == 0 and len(blocking.reply().body) == 1024

        def with_requests() -> None:
            for _ in range(CALLS):
                assert len(session.get(url).content) == 1024

        def with_urllib3() -> None:
            for _ in range(CALLS):
                assert len(pool.request("GET", url).data) == 1024

        contenders = {"blocking_request": ours, "requests": with_requests, "urllib3": with_urllib3}
        took = medians(contenders, ROUNDS)
    show(f"warm GET of 1 KB, {API}", "us", {name: seconds / CALLS * 1e6 for name, seconds in took.items()})
    bound("of requests' time", took["blocking_request"] / took["requests"], 0.75)
    bound("of urllib3's time", took["blocking_request"] / took["urllib3"], 1.6)
    del app
    finish()


if __name__ == "__main__":
    main()

"""A POST of 1 KB on a warm connection, one after another, from the main thread."""

import requests
import urllib3

from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import API, QT_VERSION, QtCore

from .measure import bound, finish, medians, show
from .nginx import nginx

CALLS = 100
ROUNDS = 25
BODY = b"x" * 1024


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024) as (server, _):
        url = f"{server}/post"
        blocking, session, pool = BlockingNetworkRequest(), requests.Session(), urllib3.PoolManager()

        def ours() -> None:
            for _ in range(CALLS):
                assert blocking.post(url, BODY) == 0 and blocking.reply().body == b"posted"

        def with_requests() -> None:
            for _ in range(CALLS):
                assert session.post(url, BODY).content == b"posted"

        def with_urllib3() -> None:
            for _ in range(CALLS):
                assert pool.request("POST", url, body=BODY).data == b"posted"

        took = medians({"auto": ours, "requests": with_requests, "urllib3": with_urllib3}, ROUNDS)
        show(f"POST of 1 KB, {API}", "us", {name: each / CALLS * 1e6 for name, each in took.items()})
        print(f"    auto took {blocking.reply().engine()}")
        if QT_VERSION < (6,):
            bound("of requests' time", took["auto"] / took["requests"], 1.0)
            bound("of urllib3's time", took["auto"] / took["urllib3"], 1.6)
    del app
    finish()


if __name__ == "__main__":
    main()

"""A warm https GET of 1 KB, one after another, from the main thread."""

import requests
import urllib3

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.qt.binding import API, QtCore, has_tls

from .measure import bound, finish, medians, show
from .nginx import CA_FILE, nginx

CALLS = 200
ROUNDS = 11
BOUNDS = {"qt": 0.9, "urllib3": 1.15}


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024, tls=True) as (server, folder):
        url, ca = f"{server}/1024", str(folder / CA_FILE)
        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(caFile=ca))
        session, pool = requests.Session(), urllib3.PoolManager(ca_certs=ca)

        def over(engine: str) -> BlockingNetworkRequest:
            blocking = BlockingNetworkRequest(manager)
            blocking.setEngine(engine)
            return blocking

        def ours(blocking: BlockingNetworkRequest) -> None:
            for _ in range(CALLS):
                assert blocking.get(url) == 0 and len(blocking.reply().body) == 1024

        def with_requests() -> None:
            for _ in range(CALLS):
                assert len(session.get(url, verify=ca).content) == 1024

        def with_urllib3() -> None:
            for _ in range(CALLS):
                assert len(pool.request("GET", url).data) == 1024

        names = ["auto", *BOUNDS] if has_tls() else ["auto", "urllib3"]
        requests_of = {name: over(name) for name in names}
        contenders = {name: lambda each=each: ours(each) for name, each in requests_of.items()}
        took = medians({**contenders, "requests": with_requests, "urllib3 itself": with_urllib3}, ROUNDS)
        show(f"warm https GET of 1 KB, {API}", "us", {name: each / CALLS * 1e6 for name, each in took.items()})
        for name, blocking in requests_of.items():
            engine = blocking.reply().engine()
            what = f"{name} ({engine})" if name == "auto" else name
            bound(f"{what}, of requests' time", took[name] / took["requests"], BOUNDS[engine])
    del app
    finish()


if __name__ == "__main__":
    main()

"""A warm GET of 1 KB over http and https, one after another, from the main thread; also beside two busy processes."""

import subprocess
import sys
from typing import Callable

import requests
import urllib3

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.qt.binding import API, QtCore, QtNetwork, has_tls

from .measure import bound, finish, medians, show
from .nginx import CA_FILE, nginx

CALLS = 200
ROUNDS = 15
BUSY = "while True: pass"

BOUNDS = {"http": (0.65, 0.30), "http, busy": (0.90, 0.35), "https": (0.65, 0.30)}
"""Of the times of urllib3 and requests, for the python engine."""

IDIOM_BOUND = 1.4
"""Of the time of a nested QEventLoop, for the qt engine."""


def calls_of(blocking: BlockingNetworkRequest, url: str) -> Callable[[], None]:
    def ours() -> None:
        for _ in range(CALLS):
            assert blocking.get(url) == 0 and len(blocking.reply().body) == 1024

    return ours


def nested_loop(url: str, manager: QtNetwork.QNetworkAccessManager) -> Callable[[], None]:
    """What everybody writes."""
    qt_url = QtCore.QUrl(url)

    def run() -> None:
        for _ in range(CALLS):
            reply = manager.get(QtNetwork.QNetworkRequest(qt_url))
            loop = QtCore.QEventLoop()
            reply.finished.connect(loop.quit)
            loop.exec()
            assert len(reply.readAll()) == 1024
            reply.deleteLater()

    return run


def compare(name: str, url: str, ca: str) -> None:
    manager = NetworkAccessManager()
    options = {"ca_certs": ca} if ca else {}
    session, pool, verify = requests.Session(), urllib3.PoolManager(**options), ca or True
    if ca:
        manager.setTlsSettings(TlsSettings(caFile=ca))

    def with_requests() -> None:
        for _ in range(CALLS):
            assert len(session.get(url, verify=verify).content) == 1024

    def with_urllib3() -> None:
        for _ in range(CALLS):
            assert len(pool.request("GET", url).data) == 1024

    contenders: dict[str, Callable[[], object]] = {}
    for engine in ("python", "auto", "qt"):
        if engine != "qt" or not ca or has_tls():
            blocking = BlockingNetworkRequest(manager)
            blocking.setEngine(engine)
            contenders[engine] = calls_of(blocking, url)
    contenders.update({"urllib3": with_urllib3, "requests": with_requests})
    qnam = QtNetwork.QNetworkAccessManager()
    if name == "http":
        contenders["nested QEventLoop"] = nested_loop(url, qnam)
    took = medians(contenders, ROUNDS)
    show(f"warm GET of 1 KB, {name}, {API}", "us", {each: value / CALLS * 1e6 for each, value in took.items()})
    of_urllib3, of_requests = BOUNDS[name]
    bound("python, of urllib3's time", took["python"] / took["urllib3"], of_urllib3)
    bound("python, of requests' time", took["python"] / took["requests"], of_requests)
    if name == "http":
        bound("qt, of a nested QEventLoop's time", took["qt"] / took["nested QEventLoop"], IDIOM_BOUND)


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024) as (server, _):
        compare("http", f"{server}/1024", "")
        busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
        try:
            compare("http, busy", f"{server}/1024", "")
        finally:
            for process in busy:
                process.kill()
                process.wait()
    with nginx(1024, tls=True) as (server, folder):
        compare("https", f"{server}/1024", str(folder / CA_FILE))
    del app
    finish()


if __name__ == "__main__":
    main()

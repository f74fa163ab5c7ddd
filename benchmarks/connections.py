"""How many connections 100 calls from the main thread open."""

from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore

from .measure import bound, finish
from .nginx import nginx


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024, log=True) as (server, folder):
        for _ in range(100):
            assert BlockingNetworkRequest().get(f"{server}/1024") == 0
        opened = set((folder / "access.log").read_text().split())
    print("100 calls from the main thread, each with an object of its own")
    bound("connections", len(opened), 1)
    del app
    finish()


if __name__ == "__main__":
    main()

"""A warm GET of 1 KB with slots of some signals, beside one without slots: a signal without a slot costs nothing."""

from typing import Callable

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.qt.binding import API, QtCore
from blocking_request.qt.emit import is_connected

from .measure import bound, finish, medians, show
from .nginx import nginx

CALLS = 200
ROUNDS = 15

STEPS = ("socketStartedConnecting", "encrypted", "requestSent", "metaDataChanged")

CHECKS_BOUND = 0.03
"""Of the time of a GET: the checks whether a slot of a step is connected. Without any slot there are none."""


def calls_of(blocking: BlockingNetworkRequest, url: str) -> Callable[[], None]:
    def ours() -> None:
        for _ in range(CALLS):
            assert blocking.get(url) == 0

    return ours


def main() -> None:
    application = QtCore.QCoreApplication([])
    manager = NetworkAccessManager()
    manager.setEngine("python")
    without, with_finished, with_steps = (BlockingNetworkRequest(manager) for _ in range(3))
    with_finished.finished.connect(lambda: None)
    for signal in STEPS:
        getattr(with_steps, signal).connect(lambda: None)

    def checks() -> None:
        for _ in range(CALLS):
            is_connected(without, *STEPS)

    with nginx(1024) as (server, _):
        url = f"{server}/1024"
        contenders: dict[str, Callable[[], object]] = {
            "no slot": calls_of(without, url),
            "slot of finished": calls_of(with_finished, url),
            "slots of all steps": calls_of(with_steps, url),
            "the checks of the steps": checks,
        }
        took = medians(contenders, ROUNDS)
    show(f"warm GET of 1 KB, {API}", "us", {each: value / CALLS * 1e6 for each, value in took.items()})
    bound("the checks of the steps, of a GET", took["the checks of the steps"] / took["no slot"], CHECKS_BOUND)
    del application
    finish()


if __name__ == "__main__":
    main()

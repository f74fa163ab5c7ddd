"""The event loop beside a NetworkMonitor, while a thread sends 1 000 requests a second: its longest gaps.

A timer of 1 ms notes when it is called. A round without the widget and one with it alternate, so that gaps of the
machine itself can be told from those of the widget. The widget is visible, sorted by its times, and shows the details
of a call.
"""

import statistics
import threading
import time

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.netlog import NetworkLog, NetworkMonitor
from blocking_request.qt.binding import API, QtCore
from blocking_request.qt.widgets import QtWidgets

from .measure import bound, finish, show
from .nginx import nginx

RATE = 1000
"""Requests a second."""
SECONDS = 4.0
"""Of a round."""
ROUNDS = 5


GAP_BOUND = 50.0
"""Milliseconds between two events: a user sees a longer one as a hitch."""


class Sender(threading.Thread):
    """Sends requests at a steady rate."""

    def __init__(self, manager: NetworkAccessManager, url: str) -> None:
        super().__init__()
        self.manager, self.url, self.count = manager, url, 0
        self.is_stopped = False

    def run(self) -> None:
        request = BlockingNetworkRequest(self.manager)
        started = time.monotonic()
        while not self.is_stopped:
            assert request.get(self.url) == 0
            self.count += 1
            ahead = self.count / RATE - (time.monotonic() - started)
            if ahead > 0.005:
                time.sleep(ahead)


def longest_gap(manager: NetworkAccessManager, url: str) -> tuple[float, float]:
    """Run the event loop beside the requests. Return its longest gap in ms, and the requests a second."""
    gaps: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps.append(now - last)
        last = now

    timer = QtCore.QTimer()
    timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    loop = QtCore.QEventLoop()
    sender = Sender(manager, url)
    QtCore.QTimer.singleShot(int(SECONDS * 1000), loop.quit)
    sender.start()
    timer.start(1)
    loop.exec()
    timer.stop()
    sender.is_stopped = True
    sender.join()
    return max(gaps) * 1000, sender.count / SECONDS


def main() -> None:
    application = QtWidgets.QApplication([])
    application.setStyle("Fusion")
    manager = NetworkAccessManager()
    manager.setEngine("python")
    without, beside, rates = [], [], []
    with nginx(1024) as (server, _), NetworkLog(manager) as log:
        url = f"{server}/1024"
        longest_gap(manager, url)
        for _ in range(ROUNDS):
            gap, _ = longest_gap(manager, url)
            without.append(gap)
            monitor = NetworkMonitor(log)
            monitor.resize(1000, 700)
            table = monitor.findChild(QtWidgets.QTableView)
            table.sortByColumn(6, QtCore.Qt.SortOrder.DescendingOrder)
            monitor.show()
            monitor.selectEntry(log.entries()[-1])
            gap, rate = longest_gap(manager, url)
            beside.append(gap)
            rates.append(rate)
            monitor.deleteLater()
    name = f"longest gap of the event loop, {RATE} requests a second, {API}"
    show(name, "ms", {"without": statistics.median(without), "with a monitor": statistics.median(beside)})
    show("of all rounds", "ms", {"without": max(without), "with a monitor": max(beside)})
    bound("ms of the longest gap with a monitor", statistics.median(beside), GAP_BOUND)
    bound("times as slow as wanted", RATE / statistics.median(rates), 1.05)
    del application
    finish()


if __name__ == "__main__":
    main()

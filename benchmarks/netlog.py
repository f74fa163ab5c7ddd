"""A warm GET of 1 KB with a network log, beside one without: rounds of both alternate, and the rounds are compared.

Then the memory that a batch of 100 000 requests takes with a log.
"""

import statistics
import subprocess
import sys
import time
from typing import Callable

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, trace
from blocking_request.calls.running import running_calls
from blocking_request.netlog import NetworkLog
from blocking_request.qt.binding import API, QtCore
from blocking_request.reply import response_of

from .measure import bound, finish, show
from .nginx import nginx

CALLS = 100
ROUNDS = 60

LOG_BOUND = 25.0
"""Microseconds of a call: its records, and what Qt or Python do to keep them."""
CHECKS_BOUND = 0.01
"""Of the time of a call: what it does for a log that is not there."""
MEMORY_BOUND = 12.0
"""MB that the process may grow by, after the log is full for the first time: the log itself takes no more."""

MEMORY = """
import sys
from blocking_request import NetworkAccessManager
from blocking_request.netlog import NetworkLog
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
def used():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmRSS"))
marks = {}
manager = NetworkAccessManager()
with NetworkLog(manager) as log:
    urls = (f"{sys.argv[1]}?token={number:010}" for number in range(100_000))
    for index, code, reply in manager.getMany(urls, ordered=False):
        assert code == 0 and len(reply.body) == 1024
        del reply
        if index % 1000 == 0:
            marks[index] = used()
    assert log.count() == log.maximumEntries() == 1000 and len(log.toHar()) > 1_000_000
print(max(marks.values()) - marks[5000])
"""


def seconds_of(run: Callable[[], None]) -> float:
    """Return the CPU time of a run: other programs of this machine do not count."""
    started = time.process_time()
    run()
    return time.process_time() - started


def compare(engine: str, url: str) -> None:
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    blocking = BlockingNetworkRequest(manager)

    def calls() -> None:
        for _ in range(CALLS):
            assert blocking.get(url) == 0

    def checks() -> None:
        """Do what a call does with its log, and with the list of running calls, if there is no log."""
        report = None
        for _ in range(CALLS):
            running_calls[key] = 0, time.monotonic()  # type: ignore[index]
            if trace.wants_calls() or report is not None:
                raise AssertionError
            started = trace.request_started(response.request, report, time.monotonic)
            if started or report is not None:
                raise AssertionError
            trace.call_ended(report, response, None, 0, 0.0, time.monotonic)
            running_calls.pop(key, None)  # type: ignore[call-overload]

    calls()
    key, response = object(), response_of(blocking.reply())
    without, with_log, more, of_checks = [], [], [], []
    for _ in range(ROUNDS):
        without.append(seconds_of(calls) / CALLS * 1e6)
        of_checks.append(seconds_of(checks) / CALLS * 1e6)
        with NetworkLog(manager):
            with_log.append(seconds_of(calls) / CALLS * 1e6)
        more.append(with_log[-1] - without[-1])
    figures = {"without": without, "with a log": with_log, "the checks": of_checks}
    show(f"warm GET of 1 KB, {engine}, {API}", "us", {name: statistics.median(each) for name, each in figures.items()})
    bound(f"{engine}: us that a log takes", statistics.median(more), LOG_BOUND)
    bound(f"{engine}: the checks, of a GET", statistics.median(of_checks) / statistics.median(without), CHECKS_BOUND)


def main() -> None:
    application = QtCore.QCoreApplication([])
    with nginx(1024) as (server, _):
        for engine in ("python", "qt"):
            compare(engine, f"{server}/1024")
        command = [sys.executable, "-c", MEMORY, f"{server}/1024"]
        grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        bound("MB that 100 000 requests take with a log", grown, MEMORY_BOUND)
    del application
    finish()


if __name__ == "__main__":
    main()

"""How long after ``abort()`` and ``feedback.cancel()`` the blocked caller is back, on both engines."""

import statistics
import threading
import time

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback
from blocking_request.qt.binding import API, QtCore
from tests.support.servers.raw import RawServer, silence

from .measure import bound, finish, show

TIMES = 2_000


def delay(server: RawServer, how: str, engine: str) -> float:
    """Seconds between the event, when the request has reached the server, and the return."""
    blocking, feedback = BlockingNetworkRequest(), Feedback()
    blocking.setEngine(engine)
    count = len(server.requests) + 1
    cancelled_at: list[float] = []

    def end() -> None:
        server.wait_for_requests(count)
        cancelled_at.append(time.perf_counter())
        blocking.abort() if how == "abort" else feedback.cancel()

    thread = threading.Thread(target=end)
    thread.start()
    code = blocking.get(server.url, feedback=feedback)
    returned_at = time.perf_counter()
    thread.join()
    assert code is ErrorCode.CanceledError
    return returned_at - cancelled_at[0]


def main() -> None:
    app = QtCore.QCoreApplication([])
    server = RawServer(silence)
    for engine in ("python", "qt"):
        for name in ("abort", "cancel"):
            delays = [delay(server, name, engine) * 1000 for _ in range(TIMES)]
            show(f"{name}, {engine}, {API}", "ms", {"median": statistics.median(delays), "longest": max(delays)})
            bound(f"longest of {TIMES}, ms", max(delays), 50)
    server.close()
    del app
    finish()


if __name__ == "__main__":
    main()

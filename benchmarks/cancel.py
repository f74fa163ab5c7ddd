"""How long after ``abort()`` and ``feedback.cancel()`` the blocked caller is back: the median of 200."""

import statistics
import threading
import time

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback
from blocking_request.qt.binding import API, QtCore
from tests.support.servers.raw import RawServer, silence

from .measure import bound, finish, show

TIMES = 200


def delay(server: RawServer, how: str) -> float:
    """Seconds between the event, when the request has reached the server, and the return."""
    blocking, feedback = BlockingNetworkRequest(), Feedback()
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
    for name in ("abort", "cancel"):
        delays = [delay(server, name) * 1000 for _ in range(TIMES)]
        show(f"{name}, {API}", "ms", {"median": statistics.median(delays), "longest": max(delays)})
        bound(f"median of {TIMES}, ms", statistics.median(delays), 50)
    server.close()
    del app
    finish()


if __name__ == "__main__":
    main()

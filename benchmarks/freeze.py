"""The freeze stress: 24 threads with fresh workers, while the main thread makes and drops managers.

Runs it without the cure of the lock rule, which on PyQt5 freezes, and with it, which must never. Each run is a process
by itself that is ended after a while if it does not end.
"""

import subprocess
import sys
import threading

from .measure import bound, finish
from .nginx import nginx

THREADS = 24
CALLS = 20
SIZE = 102_400
RUNS_WITHOUT = 5
RUNS_WITH = 25
PATIENCE = 30


def child(cured: bool, url: str) -> None:
    import os

    from blocking_request.engines.mailbox import Mailbox
    from blocking_request.engines.qt.dispatcher import Dispatcher
    from blocking_request.engines.qt.engine import QtEngine
    from blocking_request.models.http_messages import Request, Response
    from blocking_request.qt.binding import QtCore, QtNetwork

    if not cured:
        Dispatcher._keep_the_lock_rule = lambda self: None  # type: ignore[method-assign]
    app = QtCore.QCoreApplication([])

    def call() -> None:
        engine = QtEngine()
        for _ in range(CALLS):
            mailbox = Mailbox()
            engine.start(Request("GET", url), mailbox)
            response = mailbox.take(PATIENCE)
            assert isinstance(response, Response) and len(response.body) == SIZE, response
        engine.shutdown()

    threads = [threading.Thread(target=call) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        manager = QtNetwork.QNetworkAccessManager()
        del manager
    sys.stdout.flush()
    os._exit(0 if app else 1)


def freezes(cured: bool, url: str) -> bool:
    command = [sys.executable, "-m", "benchmarks.freeze", "cured" if cured else "bare", url]
    try:
        subprocess.run(command, timeout=PATIENCE, check=True)
    except subprocess.TimeoutExpired:
        return True
    return False


def main() -> None:
    if len(sys.argv) > 2:
        child(sys.argv[1] == "cured", sys.argv[2])
        return
    with nginx(SIZE) as (server, _):
        url = f"{server}/{SIZE}"
        bare = sum(freezes(False, url) for _ in range(RUNS_WITHOUT))
        print(f"without the cure: {bare} of {RUNS_WITHOUT} runs froze", flush=True)
        cured = sum(freezes(True, url) for _ in range(RUNS_WITH))
        print(f"with the cure: {cured} of {RUNS_WITH} runs froze", flush=True)
    bound("freezes with the cure", cured, 0)
    finish()


if __name__ == "__main__":
    main()

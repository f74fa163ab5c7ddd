"""The urllib3 engine: a thread for each request under way, used again and again, over connections that all share.

It needs no application and no TLS in Qt.

Rules of this file: the lock guards the lists; it is never held while Qt or urllib3 is called.
"""

from __future__ import annotations

import http.client
import os
import threading
from typing import Optional

import urllib3

from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request
from ...qt.binding import ApplicationReference, QtCore, application, application_reference
from ...qt.objects import detach_thread
from ..mailbox import Mailbox
from ..thread_starts import thread_starts
from ..worker_reaper import WorkerReaper, never_ran
from .pools import Pools
from .worker import Urllib3Transfer, Worker, WorkerThread

IDLE_MS = 60_000
"""A worker that served nothing for this long ends; with the last of them the kept connections."""

SHUTDOWN_MS = 2_000
"""How long a shutdown waits for the threads: one that looks a name up cannot be woken."""


class Urllib3Engine:
    """Every method may be called from any thread."""

    name = "urllib3"

    def __init__(self, idle_ms: int = IDLE_MS) -> None:
        self.idle_ms = idle_ms
        self.pools = Pools()
        self._workers_guard = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._reaper = WorkerReaper(SHUTDOWN_MS)
        self._application: ApplicationReference = lambda: None
        self._exiting = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_after_fork)

    def unsupported_reason(self, request: Request) -> Optional[Failure]:
        if self._exiting:
            return messages.application_ended()
        if not request.url.startswith("http"):
            scheme = request.url.partition(":")[0]
            text = f"The urllib3 engine cannot read {scheme}: URLs, only Qt can: use setEngine('qt') or 'auto'"
            return network_failure(QtNetworkError.ProtocolUnknownError, text)
        if not _is_the_real_urllib3:
            text = (
                f"The module urllib3 {getattr(urllib3, '__version__', '')} is a fork that replaces it, as niquests "
                "installs one, and the urllib3 engine cannot use it: install urllib3 itself, or use setEngine('qt')"
            )
            return network_failure(QtNetworkError.UnknownNetworkError, text)
        if request.connection_credentials is not None or request.qgis:
            what = (
                "log in by NTLM or Negotiate"
                if request.connection_credentials is not None
                else "send by QGIS's network manager"
            )
            text = f"The urllib3 engine cannot {what}, only Qt can: use setEngine('qt') or 'auto'"
            return network_failure(QtNetworkError.UnknownNetworkError, text)
        return self.pools.unsupported_reason(request)

    def start(self, request: Request, mailbox: Mailbox, hint: object = None) -> Urllib3Transfer:
        app = application()
        if app is not None and app is not self._application():
            self._adopt(app)
        pool = self.pools.take(request)
        transfer = Urllib3Transfer(request, mailbox, pool, None if app is None else self._application)
        is_new = False
        try:
            is_new = self._reserve(transfer)
            assert transfer.worker is not None
            transfer.worker.jobs.put(transfer)
            if is_new:
                self._start_thread(transfer.worker)
        except BaseException:
            # Ctrl-C, or no memory for a thread.
            self._take_back(transfer, is_new)
            raise
        return transfer

    def _reserve(self, transfer: Urllib3Transfer) -> bool:
        """Give the transfer a worker without a request; True where that must be started."""
        with self._workers_guard:
            is_new = not self._idle
            # The last to rest is the one whose thread is most likely awake.
            worker = transfer.worker = Worker(self) if is_new else self._idle.pop()
            worker.transfer = transfer
            self._busy.add(worker)
            return is_new

    def _take_back(self, transfer: Urllib3Transfer, is_new: bool) -> None:
        transfer.abort()
        if transfer.worker is None:
            return
        if is_new and never_ran(transfer.worker):
            self._give_up(transfer.worker)
        else:
            # It ends the transfer, perhaps for the second time, and has no other by then.
            transfer.worker.jobs.put(transfer)

    def _start_thread(self, worker: Worker) -> None:
        thread = WorkerThread(worker)
        detach_thread(thread)
        worker.thread = thread
        if not thread_starts.start(thread):
            self._give_up(worker)
        self._reaper.delete_ended()

    def _give_up(self, worker: Worker) -> None:
        """Answer the jobs of a worker whose thread will never run."""
        self.retire(worker)
        worker.ended = True
        text = "The network thread could not be started: the system has no memory or no thread left"
        worker.fail_jobs(network_failure(QtNetworkError.UnknownNetworkError, text))

    def rest(self, worker: Worker) -> bool:
        """Take a worker back whose request is done; False where it has been retired meanwhile and should end."""
        with self._workers_guard:
            worker.transfer = None
            if worker not in self._busy:
                return False
            self._busy.remove(worker)
            self._idle.append(worker)
            return True

    def retire_if_idle(self, worker: Worker) -> bool:
        """Retire a worker without a request; False where it is about to get one."""
        with self._workers_guard:
            if worker not in self._idle:
                return False
            self._retire(worker)
            is_last = not self._idle and not self._busy
        if is_last:
            # Nobody would notice that a server has closed them.
            self.pools.clear()
        return True

    def retire(self, worker: Worker) -> None:
        """Give the worker no more requests."""
        with self._workers_guard:
            self._retire(worker)

    def _retire(self, worker: Worker) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        elif worker in self._busy:
            self._busy.remove(worker)
        else:
            return
        self._reaper.add(worker)

    def _adopt(self, app: QtCore.QCoreApplication) -> None:
        with self._workers_guard:
            if self._application() is app:
                return
            self._application = application_reference(app)
        app.aboutToQuit.connect(self.shutdown, QtCore.Qt.ConnectionType.DirectConnection)  # type: ignore[call-arg]

    def clear_connections(self) -> None:
        self.pools.clear()

    def shutdown(self) -> None:
        with self._workers_guard:
            for worker in [*self._idle, *self._busy]:
                self._retire(worker)
        self._reaper.stop()
        self.pools.clear()

    def exit(self) -> None:
        self._exiting = True
        self.shutdown()

    def _forget_after_fork(self) -> None:
        """In a forked child there are no threads, and the connections are the parent's: leave them alone for good."""
        _forgotten.extend((*self._idle, *self._busy, *self._reaper.forget(), self.pools))
        self._workers_guard = threading.Lock()
        self._idle, self._busy = [], set()
        self.pools = Pools()

    def worker_count(self) -> int:
        """How many threads there are that take requests or do one."""
        with self._workers_guard:
            return len(self._idle) + len(self._busy)


_forgotten: list[object] = []

_is_the_real_urllib3 = issubclass(urllib3.HTTPConnectionPool.ConnectionCls, http.client.HTTPConnection)
"""The fork's connections are none of http.client's."""

engine = Urllib3Engine()
"""The one that all requests of the process share."""

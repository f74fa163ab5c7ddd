"""The qt engine: a few persistent workers that all callers share, so that connections are reused.

``_workers_guard`` guards the list of workers and their loads; it is never held during a call of Qt. ``_fork_guard`` is
held from before a fork until after it.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Optional

from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request
from ...models.tls import TlsUnusable
from ...models.urls import begins_with_two_slashes
from ...proxies.system import proxy_of_request
from ...qt.binding import (
    DIRECT_CONNECTION,
    QT_VERSION,
    ApplicationReference,
    QtCore,
    application,
    application_reference,
    has_tls,
)
from ...qt.objects import detach_thread
from ...tls.qt_configuration import configuration_for
from ..mailbox import Mailbox
from ..thread_starts import thread_starts
from ..worker_reaper import WorkerReaper, never_ran
from .fork import Pause
from .manager import WorkerKey, is_in_qgis, worker_key
from .request import ADDED_FIELDS
from .worker import QtTransfer, Worker, WorkerThread

if TYPE_CHECKING:
    from ..base import BatchHint

TRANSFERS_PER_ORIGIN = 6
"""How many connections Qt opens to one origin. A further request would wait in Qt's queue while its timeout runs."""

IDLE_MS = 60_000
"""A worker that has served no request for so long ends; it ends after twice as long at the latest."""


SHUTDOWN_MS = 5_000
"""How long a shutdown waits for the threads."""

MAXIMUM_STUCK_WORKERS = 16
"""How many stuck threads there may be. Each may keep a processor busy while Qt parses the bytes of a hostile server."""


class QtEngine:
    """Every method may be called from any thread."""

    name = "qt"

    def __init__(self, idle_ms: int = IDLE_MS) -> None:
        self.idle_ms = idle_ms
        self._workers_guard = threading.Lock()
        self._workers: list[Worker] = []
        self._fork_guard = threading.Lock()
        """Held while the process forks."""
        self._pause = Pause(())
        self._reaper = WorkerReaper(SHUTDOWN_MS, Worker.is_stuck)
        self._application: ApplicationReference = lambda: None
        self._exiting = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._forget_after_fork
            )

    def describe(self) -> list[str]:
        """Return its workers in words. Takes no lock."""
        return [worker.describe() for worker in list(self._workers)]

    def unsupported_reason(self, request: Request) -> Optional[Failure]:
        if application() is None:
            return messages.no_application()
        if self._exiting:
            return messages.application_ended()
        if request.has_unknown_length:
            text = (
                "Qt cannot send a body whose length is not known: give a file or a device that can be measured, "
                "or use setEngine('python')"
            )
            return network_failure(QtNetworkError.ProtocolInvalidOperationError, text)
        added = request.omitted & ADDED_FIELDS
        if added:
            text = (
                f"Qt adds {sorted(added)[0].decode('ascii')} to a request without it: give a value, "
                "or use setEngine('python')"
            )
            return network_failure(QtNetworkError.ProtocolInvalidOperationError, text)
        if QT_VERSION < (6,) and begins_with_two_slashes(request.url):
            text = "Qt 5 drops a slash from a path that begins with two: use setEngine('python') or 'auto'"
            return network_failure(QtNetworkError.ProtocolInvalidOperationError, text)
        if request.qgis and not is_in_qgis():
            text = "QGIS's own network manager cannot be used: this program is not QGIS, or has not imported qgis.core"
            return network_failure(QtNetworkError.UnknownNetworkError, text)
        proxy = request.proxy
        if proxy is not None and proxy.kind in ("https", "socks4"):
            text = f"Qt cannot speak to {proxy.kind} proxies: use setEngine('python')"
            return network_failure(QtNetworkError.UnknownProxyError, text)
        if request.connection.demands_http2 and (found := proxy_of_request(request)) and found.forwards(request.url):
            return messages.http2_through_forwarding_proxy()
        if request.url.startswith("https://[") and (proxy := proxy_of_request(request)) and proxy.kind == "http":
            # It would ask the proxy nothing, and report "404 Not Found" (5.15, 6.11).
            text = "Qt cannot tunnel to an IPv6 address through an HTTP proxy: use setEngine('python') or 'auto'"
            return network_failure(QtNetworkError.UnknownProxyError, text)
        if self._reaper.has_stuck(MAXIMUM_STUCK_WORKERS):
            text = (
                f"{MAXIMUM_STUCK_WORKERS} network threads of Qt are stuck in responses or files that take too long: "
                "try again later, or use setEngine('python')"
            )
            return network_failure(QtNetworkError.UnknownNetworkError, text)
        return self._tls_refusal(request) if request.url.startswith("https:") else None

    def _tls_refusal(self, request: Request) -> Optional[Failure]:
        if not has_tls():
            text = (
                f"this Qt {QtCore.qVersion()} finds no OpenSSL it can use (PyPI's PyQt5 needs OpenSSL 1.1). "
                "Use setEngine('python'), or PyQt6, or the PyQt5 of your system"
            )
            return messages.tls_unusable(text)
        if request.tls is not None:
            try:
                configuration_for(request.tls)
            except TlsUnusable as error:
                return messages.tls_unusable(str(error))
        return None

    def start(self, request: Request, mailbox: Mailbox, hint: Optional[BatchHint] = None) -> QtTransfer:
        app = application()
        if app is not None and app is not self._application():
            self._adopt(app)
        transfer = QtTransfer(request, mailbox)
        room = _room_for(request)
        if hint is not None and room > 1:
            room *= hint.queue_depth
            transfer.is_quick = hint.queue_depth > 1
        self._give(transfer, worker_key(request), room, hint)
        return transfer

    def move(self, transfer: QtTransfer) -> None:
        """Give a transfer to another worker if its own is stuck and has not begun it. The caller's thread calls
        this.
        """
        stuck = transfer.worker
        if self._reaper.has_stuck(MAXIMUM_STUCK_WORKERS) or not stuck.withdraw(transfer):
            return
        if self.release(stuck, transfer.origin):
            stuck.stop()
        self._give(transfer, stuck.key, _room_for(transfer.request), None)

    def _give(self, transfer: QtTransfer, key: WorkerKey, room: int, hint: Optional[BatchHint]) -> None:
        """Give a transfer to a worker. ``room``: how many transfers to one origin a worker may have."""
        worker, is_new = self._reserve(transfer.origin, key, room)
        transfer.worker = worker
        try:
            if hint is None or is_new:
                worker.submit(transfer)
            else:
                worker.jobs.append(transfer)
                hint.pending_wakeups.add(worker.wake)
            if is_new:
                self._start_thread(worker)
        except BaseException:
            # After Ctrl-C, or without memory for a thread, the place on the worker must not stay taken.
            if never_ran(worker):
                self._give_up(worker)
            else:
                transfer.abort()
            raise

    def _reserve(self, origin: str, key: WorkerKey, room: int) -> tuple[Worker, bool]:
        """Take a connection to the origin; return its worker, and whether the worker must be started."""
        with self._workers_guard:
            now = time.monotonic()
            stuck = [worker for worker in self._workers if now >= worker.stuck_at and worker.is_stuck()]
            for worker in stuck:
                self._retire(worker)
            worker, is_new = self._take_place(origin, key, room)
        for each in stuck:
            self._end_if_unused(each)
        return worker, is_new

    def _take_place(self, origin: str, key: WorkerKey, room: int) -> tuple[Worker, bool]:
        for worker in self._workers:
            taken = worker.load.get(origin, 0)
            if taken < room and worker.key == key:
                worker.load[origin] = taken + 1
                return worker, False
        worker = Worker(self, self._application, key)
        worker.load[origin] = 1
        self._workers.append(worker)
        return worker, True

    def _end_if_unused(self, worker: Worker) -> None:
        """End a retired worker if it has no transfers. Otherwise it ends with the last of them: see ``release``."""
        with self._workers_guard:
            is_unused = not worker.load
        if is_unused:
            worker.stop()

    def _start_thread(self, worker: Worker) -> None:
        thread = WorkerThread(worker)
        detach_thread(thread)
        worker.thread = thread
        if not thread_starts.start(thread):
            self._give_up(worker)
        self._reaper.delete_ended()

    def _give_up(self, worker: Worker) -> None:
        """Fail the jobs of a worker whose thread could not be started."""
        self.retire(worker)
        worker.ended = True
        text = "The network thread could not be started: the system has no memory or no thread left"
        worker.fail_jobs(network_failure(QtNetworkError.UnknownNetworkError, text))

    def release(self, worker: Worker, origin: str) -> bool:
        """Give a connection back; return whether the worker is retired, has no transfers left, and so should end."""
        with self._workers_guard:
            left = worker.load.get(origin, 0) - 1
            if left > 0:
                worker.load[origin] = left
            else:
                worker.load.pop(origin, None)
            return worker.retired and not worker.load

    def retire(self, worker: Worker) -> None:
        """Give the worker no more requests. It ends with the last of its transfers."""
        with self._workers_guard:
            self._retire(worker)

    def retire_if_idle(self, worker: Worker) -> bool:
        """Retire a worker if it has no transfers, and will not get one now; return whether it was retired."""
        with self._workers_guard:
            if worker.load:
                return False
            self._retire(worker)
            return True

    def _retire(self, worker: Worker) -> None:
        worker.retired = True
        if worker in self._workers:
            self._workers.remove(worker)
            self._reaper.add(worker)

    def _adopt(self, app: QtCore.QCoreApplication) -> None:
        """Take over a new application. The workers of an earlier one end, because they may have lost their events."""
        reference = application_reference(app)
        with self._workers_guard:
            if self._application() is app:
                return
            self._application = reference
            stale = list(self._workers)
            for worker in stale:
                self._retire(worker)
        for worker in stale:
            worker.stop()
        app.aboutToQuit.connect(self.shutdown, DIRECT_CONNECTION)  # type: ignore[call-arg]

    def clear_connections(self) -> None:
        with self._workers_guard:
            idle = [worker for worker in self._workers if not worker.load]
            for worker in idle:
                self._retire(worker)
        for worker in idle:
            worker.stop()

    def shutdown(self) -> None:
        with self._workers_guard:
            for worker in list(self._workers):
                self._retire(worker)
        self._reaper.stop()

    def exit(self) -> None:
        self._exiting = True
        self.shutdown()
        self._reaper.abandon()

    def _before_fork(self) -> None:
        thread_starts.hold()
        self._fork_guard.acquire()
        with self._workers_guard:
            self._pause = Pause(self._workers)
        self._pause.begin()

    def _after_fork(self) -> None:
        self._pause.end()
        self._fork_guard.release()
        thread_starts.let_go()

    def _forget_after_fork(self) -> None:
        """Forget the workers in a forked child. Their threads do not exist there, but Qt says that they run.

        So their objects are kept and never touched.
        """
        thread_starts.forget()
        _forgotten.extend((*self._workers, *self._reaper.forget()))
        self._workers_guard, self._fork_guard = threading.Lock(), threading.Lock()
        self._workers, self._pause = [], Pause(())

    def worker_count(self) -> int:
        """Return how many workers take requests."""
        with self._workers_guard:
            return len(self._workers)


_forgotten: list[object] = []


def _room_for(request: Request) -> int:
    """Return how many requests to one origin may share a worker.

    One if a certificate is pinned: if the server shows another one, and the request is aborted, Qt gives the connection
    to the next request that waits for one (5.15, 6.11). One in QGIS, which may have the thread wait for a dialog in the
    main thread.
    """
    is_alone = request.qgis or (request.tls is not None and request.tls.pinnedFingerprints)
    return 1 if is_alone else TRANSFERS_PER_ORIGIN


engine = QtEngine()
"""The engine that all requests of the process share."""

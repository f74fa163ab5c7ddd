"""A worker: a QThread, whose Dispatcher performs requests, and the queue by which other threads hand them over.

Other threads give a worker transfers by ``submit``, take them back by ``withdraw``, and end the worker by ``stop``. The
lock of the engine guards ``load``. The other attributes are flags; one thread sets each, and any thread reads it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from functools import cached_property
from queue import Empty
from typing import TYPE_CHECKING, Optional

from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.headers import NO_FIELDS, Fields
from ...models.http_messages import Request, Response
from ...models.proxy import Proxy
from ...models.tls import TlsError
from ...models.transfer_trace import TransferTrace
from ...models.urls import origin
from ...proxies.system import can_be_reached, proxy_of_request
from ...qt.binding import ApplicationReference, QtCore, QtNetwork, application
from ...trace import logger
from ..body_reader import BodyReader
from ..events import Chunk, Event
from ..mailbox import ABORT_GRACE_SECONDS, Mailbox
from ..thread_starts import thread_starts
from ..wanted import WAKE_UP
from .dispatcher import Dispatcher
from .fork import Pause
from .manager import WorkerKey
from .request import make_qt_request
from .upload_device import ChannelDevice

if TYPE_CHECKING:
    from .engine import QtEngine


STUCK_SECONDS = 0.1
"""A worker that was woken and does not look at its jobs for so long is stuck.

Qt 5 takes 20 s to read a header of 60 000 lines, and a disk that hangs blocks the thread that writes to it. A worker
that only waited for the GIL for so long loses its kept connections, and nothing else.
"""

LONGEST_USE = 3.0
"""Seconds that a worker that ends waits at most for the threads that wake it now."""

_NEVER = float("inf")


class QtTransfer:
    """A request on the qt engine.

    The caller's thread uses ``abort``, ``look_for_connection``, ``is_connected``, ``upload_data_added``,
    ``failure_if_dead`` and ``proxy``; the mailbox calls ``_resume`` in this thread too. Any thread may use
    ``read_buffer_resized``. The worker uses the rest.
    """

    worker: Worker
    aborted = False
    watched = False
    is_quick = False
    """Whether it belongs to a batch of many quick requests."""
    is_slow = False
    """Whether it was under way at the last tick of the watch timer."""
    ended = False
    is_taken = False
    """Whether the worker has begun it. From then on the request may have reached the server."""
    is_reached = False
    """Whether a second connection to the same address could be made."""
    reply: Optional[QtNetwork.QNetworkReply] = None
    status: Optional[int] = None
    fields: Fields = NO_FIELDS
    reader: Optional[BodyReader] = None
    failure: Optional[Failure] = None
    is_unreadable = False
    """Whether the response may be sound, although Qt could not read it."""
    tls_errors: tuple[TlsError, ...] = ()
    key_hint: Optional[str] = None
    """The hint of a server that wants a pre-shared key."""
    key_was_given: Optional[bool] = None
    """Whether the server has got the key of the request; None if it wanted none."""
    needs_limit = False
    """Whether the size of the reply's buffer is limited later."""
    progress_due = 0.0
    ntlm_answers = 0
    sent = 0
    is_sent_reported = False
    """Whether the caller knows that the header of the request was sent."""
    device: Optional[ChannelDevice] = None
    """The device of a body that comes piece by piece."""
    has_room = True
    """Whether the caller takes more of a streamed body."""

    engine_name = "qt"
    has_worker = True
    waits_for = WAKE_UP

    def __init__(self, request: Request, mailbox: Mailbox) -> None:
        self.request = request
        self.mailbox = mailbox
        self.take = mailbox.take
        trace = self.trace = TransferTrace()
        """The worker writes into it."""
        trace.queued = mailbox.last_activity
        self.qt_request = make_qt_request(request)
        self.origin = origin(request.url)

    @cached_property
    def proxy(self) -> Optional[Proxy]:
        """The proxy of the request, or None in QGIS, which chooses by itself."""
        return None if self.request.qgis else proxy_of_request(self.request)

    def abort(self) -> None:
        self.aborted = True
        self.worker.submit(self, ABORT_GRACE_SECONDS)

    close = abort

    def step(self) -> Optional[Event]:
        try:
            return self.take(0.0)
        except Empty:
            return None

    def read_buffer_resized(self) -> None:
        self.worker.submit(self)

    def look_for_connection(self) -> None:
        """Connect to the same address in another thread: Qt does not report whether it is connected."""
        if self.status is not None:
            return
        proxy = self.proxy  # found out here, because the caller's proxy factory must be called in the caller's thread

        def look() -> None:
            self.is_reached = can_be_reached(self.request, proxy)

        threading.Thread(target=look, name="blocking_request look", daemon=True).start()

    def is_connected(self) -> bool:
        return self.status is not None or self.is_reached

    def upload_data_added(self) -> None:
        """Have the worker go on to send: the caller has put in more of the request's body."""
        self.worker.submit(self)

    def deliver(self, piece: Chunk) -> None:
        # ``has_room`` is cleared first, because the caller may call ``_resume`` before ``deliver`` returns False.
        self.has_room = False
        if self.mailbox.deliver(piece, self._resume):
            self.has_room = True

    def _resume(self) -> None:
        self.has_room = True
        self.worker.submit(self)

    def failure_if_dead(self) -> Optional[Failure]:
        """Return why no response will come, or None. Move the transfer to another worker if its own is stuck."""
        failure = self._reason_without_response()
        if failure is None and not self.is_taken and self.worker.is_stuck():
            self.worker.engine.move(self)
        # ``ended`` is read last: the response may have come since the caller looked into its mailbox.
        return None if self.ended else failure

    def _reason_without_response(self) -> Optional[Failure]:
        app = application()
        if app is None or app is not self.worker.application():
            return messages.application_ended()
        if self.worker.ended:
            return network_failure(QtNetworkError.UnknownNetworkError, "The network thread has ended")
        return None


class Worker:
    """A worker, as other threads see it. The lock of the engine guards ``load``."""

    def __init__(self, engine: QtEngine, application: ApplicationReference, key: WorkerKey) -> None:
        self.engine = engine
        self.application = application
        self.key = key
        self.jobs: deque[QtTransfer] = deque()
        self.load: dict[str, int] = {}
        self.retired = False
        self.is_stopped = False
        """Whether its transfers are cancelled too. A worker that is only retired finishes them."""
        self.ended = False
        self.dispatcher: Optional[Dispatcher] = None
        self.thread: Optional[QtCore.QThread] = None
        self._uses: set[object] = set()
        """One entry for each time that a thread uses the dispatcher or the thread object now."""
        self.pause: Optional[Pause] = None
        """Set while the process forks."""
        self.stuck_at = _NEVER
        """The moment (``time.monotonic()``) by which the worker must look at its jobs. The worker resets it then."""
        self.asks_for_proxy = False
        """Whether it may be waiting for the application's proxy factory, which would be as slow in another worker."""

    def describe(self) -> str:
        """Return the worker in words."""
        proxy = self.key.proxy
        through = "" if proxy is None or proxy.is_none else f" through {proxy.kind}://{proxy.address}"
        load = ", ".join(f"{count} of {origin}" for origin, count in list(self.load.items()) if count)
        states = ("stuck" if self.is_stuck() else "", "retired" if self.retired else "", "ended" if self.ended else "")
        notes = "".join(f", {state}" for state in states if state)
        return f"worker{through}: requests: {load or 'none'}; {len(self.jobs)} not begun{notes}"

    def submit(self, transfer: QtTransfer, patience: float = STUCK_SECONDS) -> None:
        """Hand a transfer to the dispatcher, which starts it, goes on with it, or ends it if it is aborted.

        ``patience``: seconds after which the worker counts as stuck if it has not looked at its jobs.
        """
        self.jobs.append(transfer)
        self.wake(patience)

    def is_stuck(self) -> bool:
        """Return whether the worker has not looked at its jobs for too long. It may wait while the process forks."""
        if time.monotonic() < self.stuck_at:
            return False
        return not self.ended and self.pause is None and not self.asks_for_proxy

    def withdraw(self, transfer: QtTransfer) -> bool:
        """Take back a transfer; return False if the worker has begun it already."""
        try:
            self.jobs.remove(transfer)
        except (ValueError, IndexError):
            return False
        return True

    def wake(self, patience: float = STUCK_SECONDS) -> None:
        """Have the worker look at its jobs."""
        use = object()
        try:
            self._uses.add(use)  # before the dispatcher is read: see ``take_dispatcher``
            # Without a dispatcher the thread is still starting. It looks at the jobs as soon as it has one.
            dispatcher = self.dispatcher
            if dispatcher is not None:
                stuck_at = time.monotonic() + patience
                if stuck_at < self.stuck_at:
                    self.stuck_at = stuck_at
                dispatcher.wake.emit()
                return
        except RuntimeError:
            pass  # the dispatcher was deleted with the application
        finally:
            self._uses.discard(use)
        if self.ended:
            self.fail_jobs()

    def stop(self) -> None:
        """Cancel the transfers, and have the thread end."""
        self.retired = self.is_stopped = True
        use = object()
        try:
            self._uses.add(use)  # before the thread is read: see ``take_thread``
            thread = self.thread
            if thread is not None:
                with suppress(RuntimeError):  # the object was deleted with the application
                    thread.quit()
        finally:
            self._uses.discard(use)

    def take_dispatcher(self) -> None:
        """Have no other thread use the dispatcher any more, so that it can be deleted. The worker's thread calls this.

        A binding lets go of the GIL while it emits a signal. Symptom without this: if another thread wakes a worker
        that ends, the signal of a deleted object is emitted, and the process crashes (5.15, 6.11, 6.12).
        """
        self.dispatcher = None
        self._wait_for_uses()

    def take_thread(self) -> Optional[QtCore.QThread]:
        """Return the thread object, which no other thread uses any more, so that it can be deleted."""
        thread, self.thread = self.thread, None
        self._wait_for_uses()
        return thread

    def _wait_for_uses(self) -> None:
        # Each use takes microseconds. The limit is for one that Ctrl-C has interrupted before it was taken out.
        end = time.monotonic() + LONGEST_USE
        while self._uses and time.monotonic() < end:
            time.sleep(0.0001)

    def fail_jobs(self, failure: Optional[Failure] = None) -> None:
        """Fail the transfers that no dispatcher will perform any more."""
        while self.jobs:
            try:
                transfer = self.jobs.popleft()
            except IndexError:
                return
            if not transfer.ended:
                transfer.ended = True
                response = Response(transfer.request, failure=failure or messages.application_ended(), engine="qt")
                transfer.mailbox.post(response)


_LARGE_BLOCK = 1 << 22


def have_memory_kept() -> None:
    """Have the C library keep freed memory for the next body.

    glibc returns freed memory to the system and requests it again, page by page, for each body. It stops doing so when
    it has seen a larger block freed (mallopt(3): the thresholds are dynamic), as in most programs that run for a while.
    This saves a twentieth of the time of a request with a body of 100 KB.
    """
    with suppress(MemoryError):
        bytes(_LARGE_BLOCK)


class WorkerThread(QtCore.QThread):
    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def run(self) -> None:
        worker = self._worker
        failure = None
        try:
            thread_starts.has_begun(self)
            have_memory_kept()
            dispatcher = Dispatcher(worker)
            worker.dispatcher = dispatcher
            dispatcher.drain()
            if not worker.is_stopped:
                self.exec()
            worker.take_dispatcher()
            dispatcher.close()
        except BaseException as error:  # PyQt ends the process if an exception leaves a virtual method
            logger.exception("a network thread failed")
            failure = network_failure(QtNetworkError.UnknownNetworkError, f"The network thread failed: {error!r}")
        finally:
            worker.engine.retire(worker)
            worker.dispatcher = None
            worker.ended = True
            worker.fail_jobs(failure)

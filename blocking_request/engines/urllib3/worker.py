"""A worker thread of the urllib3 engine: does one request after another.

Rules of this file: other threads put transfers into ``Worker.jobs`` and abort their handles, and touch nothing else.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Optional

from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request, Response
from ...qt.binding import ApplicationReference, QtCore
from ...trace import logger
from ..mailbox import Mailbox
from ..thread_starts import thread_starts
from .abort_handle import AbortHandle
from .perform import perform
from .pools import Pool

if TYPE_CHECKING:
    from .engine import Urllib3Engine


class Urllib3Transfer:
    """A request on urllib3's engine. ``abort`` and ``failure_if_dead`` may be called from any thread."""

    def __init__(
        self, request: Request, mailbox: Mailbox, pool: Pool, application: Optional[ApplicationReference]
    ) -> None:
        """``application``: the one there was when it was started; where there is none, none will be missed."""
        self.request = request
        self.mailbox = mailbox
        self.pool = pool
        self.abort_handle = AbortHandle()
        self.worker: Optional[Worker] = None
        self.ended = False
        self._application = application

    def abort(self) -> None:
        self.abort_handle.abort()

    def look_for_connection(self) -> None:
        pass

    def is_connected(self) -> bool:
        return self.abort_handle.is_connected

    def failure_if_dead(self) -> Optional[Failure]:
        failure = self._reason_without_response()
        # Looked at last: the response may have come since the caller looked into its mailbox.
        return None if self.ended else failure

    def _reason_without_response(self) -> Optional[Failure]:
        if self._application is not None and self._application() is None:
            return messages.application_ended()
        if self.worker is not None and self.worker.ended:
            return network_failure(QtNetworkError.UnknownNetworkError, "The network thread has ended")
        return None

    def end_unserved(self, failure: Failure) -> None:
        self.mailbox.post(Response(self.request, failure=failure, engine="urllib3"))


class Worker:
    """What other threads know of a worker."""

    def __init__(self, engine: Urllib3Engine) -> None:
        self.engine = engine
        self.jobs: SimpleQueue[Optional[Urllib3Transfer]] = SimpleQueue()
        """None: the thread is to end."""
        self.transfer: Optional[Urllib3Transfer] = None
        self.thread: Optional[QtCore.QThread] = None
        self.ended = False

    def stop(self) -> None:
        """End the thread, and cancel its transfers."""
        self.jobs.put(None)
        transfer = self.transfer
        if transfer is not None:
            transfer.abort()

    def fail_jobs(self, failure: Failure) -> None:
        """Answer what no thread will serve any more."""
        while True:
            try:
                transfer = self.jobs.get_nowait()
            except Empty:
                return
            if transfer is not None:
                transfer.end_unserved(failure)


class WorkerThread(QtCore.QThread):
    """Runs without an event loop, and so without an application."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def run(self) -> None:
        worker = self._worker
        try:
            thread_starts.has_begun(self)
            while self._serve_one(worker):
                pass
        except BaseException:  # what leaves a virtual method ends the process
            logger.exception("a network thread failed")
        finally:
            worker.engine.retire(worker)
            worker.ended = True
            worker.fail_jobs(messages.canceled())

    def _serve_one(self, worker: Worker) -> bool:
        try:
            transfer = worker.jobs.get(timeout=worker.engine.idle_ms / 1000)
        except Empty:
            return not worker.engine.retire_if_idle(worker)
        if transfer is None:
            return False
        response = perform(transfer.request, transfer.mailbox, transfer.abort_handle, transfer.pool)
        transfer.ended = True
        # Idle before the caller wakes: its next request finds this worker.
        goes_on = worker.engine.rest(worker)
        transfer.mailbox.post(response)
        return goes_on

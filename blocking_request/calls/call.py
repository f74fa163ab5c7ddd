"""One blocking call: drives a flow over an engine and, while it waits, runs the caller's own code in the caller's
thread.

Theory of operation: the caller waits on its mailbox until the earliest of its deadlines. Cancel arrives as an event,
timeouts are counted here, and every tenth of a second the engine is asked whether it is still alive. So whatever
becomes of the engine, the caller wakes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from queue import Empty
from typing import TYPE_CHECKING, Callable, Optional, Union

from .. import trace
from ..bodies.cache_recorder import CacheRecorder
from ..bodies.upload import Upload
from ..engines.base import Transfer
from ..engines.choice import choose
from ..engines.events import BodyChunks, Cancel, Chunk, HeadersReceived, Progress, UploadDataNeeded
from ..engines.mailbox import ABORT_GRACE_SECONDS, Mailbox
from ..engines.upload_channel import UploadChannel
from ..feedback import Feedback, FeedbackLike
from ..flows import Flow, Wait
from ..models import error_texts as messages
from ..models.failure import Failure
from ..models.http_messages import Body, Request, Response
from .observer import CallObserver
from .progress import ProgressTeller

if TYPE_CHECKING:
    from ..bodies.sink import SlowTarget

_NEVER = float("inf")

PULSE = 0.1
"""Seconds between two looks at whether the engine still lives."""

SHORT_PULSE = 0.02
"""The same where there is something else to look at: a feedback that is not ours (its ``canceled`` signal is no help: a
plain function connected in a blocked thread is not called before that thread runs an event loop again), or QGIS."""


def nothing() -> None:
    pass


class Call:
    """One call of one caller. ``cancel`` may be called from any thread, the rest is for the caller's."""

    def __init__(
        self,
        engine: str,
        idle_ms: int,
        deadline_ms: int,
        observer: CallObserver,
        feedback: Optional[FeedbackLike],
        attend: Callable[[], None] = nothing,
        connect_ms: int = 0,
    ) -> None:
        """``engine``: its name, or "auto"; ``idle_ms``, ``deadline_ms`` and ``connect_ms`` (until there is a
        connection): 0 is none; ``attend`` is called now and then while the call waits.
        """
        self._engine = engine
        self._idle_ms = idle_ms
        self._deadline_ms = deadline_ms
        self._observer = observer
        self._feedback = feedback
        self._canceled = False
        self._mailbox = Mailbox()
        self._idle = idle_ms / 1000 if idle_ms > 0 else _NEVER
        self._deadline = self._mailbox.last_activity + deadline_ms / 1000 if deadline_ms > 0 else _NEVER
        self._open: Optional[tuple[Transfer, Request, Optional[ProgressTeller]]] = None
        """The request of a response that has begun."""
        self._started = 0.0
        self._upload: Body = None
        self._dispatcher = ""
        """The name of the one that serves."""
        self._response_is_due = False
        self._recorder: Optional[CacheRecorder] = None
        self.last: Optional[Response] = None
        """The whole response, when the last of its pieces was taken."""
        self._connect_ms = connect_ms
        self._connect_look = self._connect_end = _NEVER
        self._attend = attend
        is_usual = (feedback is None or isinstance(feedback, Feedback)) and attend is nothing
        self._pulse = PULSE if is_usual else SHORT_PULSE

    def cancel(self) -> None:
        """End the call with ``CanceledError``."""
        self._canceled = True
        self._mailbox.post(Cancel())

    def stop_reason(self) -> Optional[Failure]:
        """Why the call should not go on, cancelled or late, or None."""
        if self._canceled or (self._feedback is not None and self._feedback.isCanceled()):
            return messages.canceled()
        if time.monotonic() >= self._deadline:
            return messages.deadline_passed(self._deadline_ms)
        return None

    def run(self, flow: Flow) -> Response:
        """Block until the flow has its last response. Where that has only begun, ``pieces`` follow."""
        feedback = self._feedback
        if not isinstance(feedback, Feedback):
            return self._drive(flow)
        feedback._listen(self.cancel)
        try:
            return self._drive(flow)
        finally:
            feedback._forget(self.cancel)

    def pieces(self) -> Iterator[bytes]:
        """The body of a response that has begun, as the caller takes it; ``last`` is the whole response afterwards.

        Closing the iterator early ends the transfer.
        """
        return (piece if isinstance(piece, bytes) else bytes(piece) for piece in self.views())

    def views(self) -> Iterator[Chunk]:
        """The same for who is done with each piece when it asks for the next."""
        feedback = self._feedback
        if isinstance(feedback, Feedback):
            feedback._listen(self.cancel)
        try:
            yield from self._pieces()
        finally:
            if isinstance(feedback, Feedback):
                feedback._forget(self.cancel)
            self.abandon()

    def divert(self, write: Callable[[Chunk], None]) -> None:
        """Have the engine hand the pieces to ``write``, in its own thread, and wait for the end: no piece needs to
        change hands then. It may raise DamagedBody.
        """
        self._mailbox.divert(write if self._recorder is None else self._recorder.tee(write))
        for piece in self.views():
            assert not piece  # none comes here any more

    def count_from(self, start: int, total: int) -> None:
        """Count in the progress what of a file is there already; as ``ProgressTeller.count_from``."""
        if self._open is not None and self._open[2] is not None:
            self._open[2].count_from(start, total)

    def tell_whole(self, size: int) -> None:
        """Tell the progress of a file that is whole, of which nothing had to come."""
        progress = self._observer.progress_teller(self._feedback)
        if progress is not None:
            progress(Progress(False, size, size))

    def take_here(self, write: Callable[[Chunk], None], target: SlowTarget) -> None:
        """Hand the pieces to ``write`` in this thread, each when the target has taken the one before. The call may be
        cancelled or late meanwhile. Raises what ``write`` and the target raise.
        """
        for piece in self.views():
            write(piece)
            failure = self.drain(target)
            if failure is not None:
                self.abandon(failure)
                return

    def drain(self, target: SlowTarget) -> Optional[Failure]:
        """Wait until a target has taken what was written to it; return why the call ended meanwhile, or None."""
        while not target.flush():
            failure = self.stop_reason()
            if failure is not None:
                return failure
            self._attend()
            target.wait(max(min(SHORT_PULSE, self._deadline - time.monotonic()), 0.0))
        return None

    def _pieces(self) -> Iterator[Chunk]:
        while self._open is not None:
            transfer, request, progress = self._open
            self._mailbox.mark_active()
            event = self._wait(transfer, request, progress)
            if isinstance(event, Response):
                self._open, self.last = None, event
                self._tell_end(event)
                if self._recorder is not None:
                    self._recorder.end(event)
                return
            if isinstance(event, BodyChunks):
                for piece in event.pieces:
                    if self._recorder is not None:
                        self._recorder.add(piece)
                    yield piece
                    self._mailbox.give_back(piece)

    def abandon(self, failure: Optional[Failure] = None) -> None:
        """End a request whose body is no longer wanted. ``failure``: the reason, unless the caller has left."""
        if self._open is None:
            return
        (transfer, request, _), self._open = self._open, None
        self.last = self._end(transfer, request, failure or messages.canceled())
        self._tell_end(self.last)

    def _drive(self, flow: Flow) -> Response:
        redirects = 0
        response: Optional[Response] = None
        while True:
            try:
                step = next(flow) if response is None else flow.send(response)
            except StopIteration as stop:
                last: Response = stop.value
                if not last.is_streaming:
                    self.abandon()  # another response stands in its place
                    last = self._cached(last) if last.from_cache else last
                if last.keep is not None:
                    self._recorder, last = CacheRecorder(last.keep), last._replace(keep=None)
                return last
            self.abandon()
            if isinstance(step, Wait):
                response = Response(step.request, failure=self._let_pass(step.seconds))
                continue
            if step.redirects > redirects:
                redirects = step.redirects
                self._observer.on_redirect(step)
            response = self._request(step)

    def _cached(self, response: Response) -> Response:
        """What no engine has told of is told here, to who still wants it."""
        failure = self.stop_reason()
        if failure is not None:
            return Response(response.request, failure=failure)
        progress = self._observer.progress_teller(self._feedback)
        if progress is not None:
            progress.tell_last(response)
        return response

    def _let_pass(self, seconds: float) -> Optional[Failure]:
        """Wait, awake for whatever ends the call; that is returned."""
        end = time.monotonic() + seconds
        while True:
            failure = self.stop_reason()
            now = time.monotonic()
            if failure is not None or now >= end:
                return failure
            try:
                self._mailbox.take(max(min(self._pulse, end - now, self._deadline - now), 0.0))
            except Empty:
                self._attend()

    def _request(self, request: Request) -> Response:
        """Raises RequestNotSent where its body cannot be read."""
        if self._response_is_due:
            # It may still come, and must not be taken for the next one's.
            self._mailbox, self._response_is_due = Mailbox(), False
        watchers = self._observer.watchers
        self._started = trace.request_started(request, watchers)
        engine = self.stop_reason() or choose(request, self._engine)
        if isinstance(engine, Failure):
            response = Response(request, failure=engine)
        else:
            # Made before the engine begins: from then on this thread should do nothing but wait, and leave the GIL.
            progress = self._observer.progress_teller(self._feedback)
            self._mailbox.wants_progress = progress is not None
            self._upload = request.body
            if isinstance(request.body, Upload):
                request = request._replace(body=request.body.begin(self._mailbox))
            self._mailbox.mark_active()
            self._dispatcher = engine.name
            self._response_is_due = True
            if self._connect_ms:
                self._connect_end = self._mailbox.last_activity + self._connect_ms / 1000
                self._connect_look = self._mailbox.last_activity + self._connect_ms / 2000
            transfer = engine.start(request, self._mailbox)
            try:
                event = self._wait(transfer, request, progress)
            except BaseException:
                transfer.abort()
                raise
            if isinstance(event, HeadersReceived):
                self._open = transfer, request, progress
                return event.response
            assert isinstance(event, Response)
            response = event
        self._tell_end(response)
        return response

    def _tell_end(self, response: Response) -> None:
        if self._started:
            trace.request_ended(response, self._started, self._observer.watchers)

    def _wait(
        self, transfer: Transfer, request: Request, progress: Optional[ProgressTeller]
    ) -> Union[Response, HeadersReceived, BodyChunks]:
        """The next notice that ends a wait, or the response that a timeout or a cancel makes."""
        mailbox = self._mailbox
        while True:
            now = time.monotonic()
            clocks = (mailbox.last_activity + self._idle, self._deadline, self._connect_look, self._connect_end)
            wait = min(self._pulse, min(clocks) - now)
            try:
                event = mailbox.take(max(wait, 0.0))
            except Empty:
                self._attend()
                failure = self._overdue(transfer)
                if failure is not None:
                    return self._end(transfer, request, failure)
                continue
            if isinstance(event, Response):
                self._response_is_due = False
                if progress is not None:
                    progress.tell_last(event)
                return event
            if isinstance(event, Cancel):
                return self._end(transfer, request, messages.canceled())
            if isinstance(event, UploadDataNeeded):
                self._send_more(request)
                continue
            if isinstance(event, (HeadersReceived, BodyChunks)):
                # The caller's own clock may have run out while it had other pieces in hand.
                failure = self.stop_reason()
                return event if failure is None else self._end(transfer, request, failure)
            if progress is not None:
                progress(event)
            # The time the caller's own code took is not the server's.
            mailbox.mark_active()
            # A slot that takes longer than the next event does would keep the clocks from being looked at.
            failure = self.stop_reason()
            if failure is not None:
                return self._end(transfer, request, failure)

    def _send_more(self, request: Request) -> None:
        """Raises RequestNotSent where the body cannot be read; that ends the request."""
        if isinstance(self._upload, Upload) and isinstance(request.body, UploadChannel):
            self._upload.fill(request.body)
        self._mailbox.mark_active()

    def _overdue(self, transfer: Transfer) -> Optional[Failure]:
        failure = self.stop_reason()
        if failure is not None:
            return failure
        now = time.monotonic()
        if now >= self._connect_look:
            self._connect_look = _NEVER
            transfer.look_for_connection()
        if now >= self._connect_end:
            self._connect_end = _NEVER
            if not transfer.is_connected():
                return messages.connect_timeout(self._connect_ms)
            # What was waited for by now was the connection.
        if now >= self._mailbox.last_activity + self._idle:
            return messages.idle_timeout(self._idle_ms)
        return transfer.failure_if_dead()

    def _end(self, transfer: Transfer, request: Request, failure: Failure) -> Response:
        """Abort, and take along what has arrived if the worker has it at hand."""
        transfer.abort()
        end = time.monotonic() + ABORT_GRACE_SECONDS
        response = Response(request, engine=self._dispatcher)
        while True:
            try:
                event = self._mailbox.take(max(end - time.monotonic(), 0.0))
            except Empty:
                break
            if isinstance(event, Response):
                response = event
                self._response_is_due = False
                break
        return response._replace(failure=failure)

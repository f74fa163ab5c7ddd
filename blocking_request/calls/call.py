"""One blocking call: drives a flow over an engine and, while it waits, runs the caller's own code in the caller's
thread.

Theory of operation: the caller waits in ``Transfer.take`` until the earliest of its deadlines: on its mailbox if a
worker of the qt engine sends, on the sockets of the transfer if the python engine does. Cancel arrives as an event,
``Timeouts`` counts the clocks, and every ``POLL_SECONDS`` the engine is asked whether it is still alive. So whatever
becomes of the engine, the caller wakes.
"""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty
from typing import Any, Callable, Optional, Union

from .. import trace
from ..bodies.cache_recorder import CacheRecorder
from ..bodies.sink import CannotWrite, Drain, DrainableTarget, ReadBody, ReportWhole, write_chunks
from ..bodies.upload import Upload
from ..engines.base import Transfer
from ..engines.choice import choose
from ..engines.events import BodyChunks, Cancel, Chunk, HeadersReceived, Progress, UploadDataNeeded
from ..engines.mailbox import Mailbox
from ..engines.upload_channel import UploadChannel
from ..feedback import Feedback, FeedbackLike
from ..flows import Flow, Wait
from ..models import error_texts as messages
from ..models.failure import Failure
from ..models.http_messages import Body, Request, Response
from .cancel import Cancellation
from .observer import CallObserver
from .progress import ProgressReporter
from .steps import CallStep, CallSteps
from .timeouts import Timeouts

POLL_SECONDS = 0.1
"""Seconds between two looks at whether the engine still lives."""

SHORT_POLL_SECONDS = 0.02
"""The same if there is something else to look at: a feedback that is not ours (its ``canceled`` signal is no help: a
plain function connected in a blocked thread is not called before that thread runs an event loop again), or QGIS."""


def do_nothing() -> None:
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
        poll: Callable[[], None] = do_nothing,
        connect_ms: int = 0,
    ) -> None:
        """``engine``: its name, or "auto"; ``idle_ms``, ``deadline_ms`` and ``connect_ms`` (until there is a
        connection): 0 is none; ``poll`` is called each time a wait of the call times out.
        """
        self._engine = engine
        self._connect_ms = connect_ms
        self._observer = observer
        self._feedback = feedback
        self._mailbox = Mailbox()
        self._cancellation = Cancellation(feedback, self._mailbox.cancel)
        self._timeouts = Timeouts(idle_ms, deadline_ms, self._cancellation.is_canceled, connect_ms)
        self._open_transfer: Optional[tuple[Transfer, Request, Optional[ProgressReporter]]] = None
        """The request of a response that has begun."""
        self._started = 0.0
        self._upload: Body = None
        self._engine_name = ""
        """The engine that serves."""
        self._response_is_due = False
        self._recorder: Optional[CacheRecorder] = None
        self.streamed_response: Optional[Response] = None
        """The whole response, after its last chunk was taken."""
        self._poll = poll
        is_usual = (feedback is None or isinstance(feedback, Feedback)) and poll is do_nothing
        self._poll_seconds = POLL_SECONDS if is_usual else SHORT_POLL_SECONDS

    def cancel(self) -> None:
        """End the call with ``CanceledError``."""
        self._cancellation.cancel()

    def stop_reason(self) -> Optional[Failure]:
        """Why the call should not go on, cancelled or late, or None."""
        return self._timeouts.stop_reason()

    def run(self, flow: Flow) -> Response:
        """Block until the flow has its last response. If that has only begun, ``iter_chunks`` gives its body."""
        if self._feedback is None:
            response = self.settle(self._drive(flow))
        else:
            with self._cancellation:
                response = self.settle(self._drive(flow))
        if response.keep is not None:
            self._recorder, response = CacheRecorder(response.keep), response._replace(keep=None)
        return response

    def run_into_sink(self, steps: CallSteps) -> Response:
        """Block until a flow that ends in a sink has its last response, whose body the sink has."""
        with self._cancellation:
            try:
                return self._drive(steps)
            finally:
                self.abandon()
                steps.close()

    def settle(self, response: Response) -> Response:
        """Return the response that a flow has come to, or the failure of a call that has ended by then.

        Report the final progress of one from the cache, which no engine does.
        """
        if response.is_streaming:
            return response
        if self._open_transfer is not None:
            self.abandon()  # another response stands in its place
        if not response.from_cache:
            return response
        failure = self.stop_reason()
        if failure is not None:
            return Response(response.request, failure=failure)
        progress = self._observer.progress_reporter(self._feedback)
        if progress is not None:
            progress.report_final(response)
        return response

    def iter_chunks(self) -> Iterator[bytes]:
        """The body of a response that has begun, as the caller takes it; ``last`` is the whole response afterwards.

        Closing the iterator early aborts the transfer.
        """
        return (chunk if isinstance(chunk, bytes) else bytes(chunk) for chunk in self._iter_views())

    def abandon(self, failure: Optional[Failure] = None) -> None:
        """End a request whose body is no longer wanted. ``failure``: the reason, unless the caller has left."""
        if self._open_transfer is None:
            return
        (transfer, request, _), self._open_transfer = self._open_transfer, None
        self.streamed_response = self._abort(transfer, request, failure or messages.canceled())
        self._trace_end(self.streamed_response)

    def _iter_views(self) -> Iterator[Chunk]:
        """The chunks of the body; the memory of each is used again when the next one is taken."""
        with self._cancellation:
            try:
                for chunks in self._iter_chunk_lists():
                    for chunk in chunks:
                        if self._recorder is not None:
                            self._recorder.add(chunk)
                        yield chunk
                        self._mailbox.give_back(chunk)
                if self._recorder is not None and self.streamed_response is not None:
                    self._recorder.end(self.streamed_response)
            finally:
                self.abandon()

    def _iter_chunk_lists(self) -> Iterator[list[Chunk]]:
        """The chunks of a body, as many at once as have come."""
        while self._open_transfer is not None:
            transfer, request, progress = self._open_transfer
            self._mailbox.mark_active()
            event = self._wait(transfer, request, progress)
            if isinstance(event, Response):
                self._open_transfer, self.streamed_response = None, event
                self._trace_end(event)
                return
            if isinstance(event, BodyChunks):
                yield event.chunks

    def _drive(self, flow: Union[Flow, CallSteps]) -> Response:
        redirects = 0
        go_on: Callable[[Any], CallStep] = flow.send
        argument: Any = None
        while True:
            try:
                step = go_on(argument)
            except StopIteration as stop:
                response: Response = stop.value
                return response
            finally:
                # Else an error that was thrown into the flow would hold this frame, which holds it: a cycle.
                argument = None
            go_on = flow.send
            if isinstance(step, Request):
                if self._open_transfer is not None:
                    self.abandon()
                if step.redirects > redirects:
                    self._observer.on_redirect(step)
                redirects = step.redirects  # fewer again if a download starts from the beginning
                argument = self._request(step)
            elif isinstance(step, Wait):
                self.abandon()
                argument = Response(step.request, failure=self._sleep(step.seconds))
            else:
                try:
                    argument = self._do(step)
                except CannotWrite as error:
                    go_on, argument = flow.throw, error

    def _do(self, step: Union[ReadBody, Drain, ReportWhole]) -> Union[Response, Failure, None]:
        """Do what a sink wants, and return what it is sent. Raises CannotWrite."""
        if isinstance(step, ReadBody):
            return self._read_body(step)
        if isinstance(step, Drain):
            return self._drain(step.target)
        progress = self._observer.progress_reporter(self._feedback)
        if progress is not None:
            progress(Progress(False, step.size, step.size))
        return None

    def _read_body(self, step: ReadBody) -> Response:
        """Write the body as a sink wants it; return the response at its end. Raises what ``write`` raises."""
        progress = self._open_transfer[2] if self._open_transfer is not None else None
        if step.start and progress is not None:
            progress.count_from(step.start, step.total)
        try:
            if step.in_worker and self._open_transfer is not None and self._open_transfer[0].has_worker:
                # The engine's thread writes the chunks from now on; they never cross to this one.
                self._mailbox.stream_to(step.write)
            for chunks in self._iter_chunk_lists():
                if not write_chunks(chunks, step, self._mailbox) and step.target is not None:
                    failure = self._drain(step.target)
                    if failure is not None:
                        self.abandon(failure)
        finally:
            self.abandon()
        assert self.streamed_response is not None
        return self.streamed_response

    def _drain(self, target: DrainableTarget) -> Optional[Failure]:
        """Wait until a target has taken what was written to it; return why the call ended in the meantime, or None."""
        while not target.flush():
            failure = self.stop_reason()
            if failure is not None:
                return failure
            self._poll()
            target.wait(self._timeouts.until_deadline(SHORT_POLL_SECONDS))
        return None

    def _sleep(self, seconds: float) -> Optional[Failure]:
        """Wait, awake for whatever ends the call; that is returned."""
        timeouts = self._timeouts
        timeouts.begin_pause(seconds)
        while True:
            failure = self.stop_reason()
            if failure is not None or timeouts.pause_left() <= 0:
                return failure
            try:
                self._mailbox.take(min(self._poll_seconds, timeouts.pause_left()))
            except Empty:
                self._poll()

    def _request(self, request: Request) -> Response:
        """Raises RequestNotSent if its body cannot be read."""
        if self._response_is_due:
            # It may still come, and must not be taken for the next one's.
            self._mailbox, self._response_is_due = Mailbox(), False
            self._cancellation.wake = self._mailbox.cancel
        watchers = self._observer.watchers
        self._started = trace.request_started(request, watchers)
        engine = self._timeouts.stop_reason() or choose(request, self._engine)
        if isinstance(engine, Failure):
            response = Response(request, failure=engine)
        else:
            # Made before the engine begins: from then on this thread should do nothing but wait, and leave the GIL.
            progress = self._observer.progress_reporter(self._feedback)
            self._mailbox.wants_progress = progress is not None
            self._mailbox.wants_trace = self._started != 0.0
            self._upload = request.body
            if isinstance(request.body, Upload):
                request = request._replace(body=request.body.begin(self._mailbox))
            self._mailbox.mark_active()
            self._engine_name = engine.name
            self._response_is_due = True
            if self._connect_ms:
                self._timeouts.begin_request()
            transfer = engine.start(request, self._mailbox)
            try:
                event = self._wait(transfer, request, progress)
            except BaseException:
                transfer.close()
                raise
            if isinstance(event, HeadersReceived):
                self._open_transfer = transfer, request, progress
                return event.response
            assert isinstance(event, Response)
            response = event
        if self._started:
            self._trace_end(response)
        return response

    def _trace_end(self, response: Response) -> None:
        if self._started:
            trace.request_ended(response, self._started, self._observer.watchers)

    def _wait(
        self, transfer: Transfer, request: Request, progress: Optional[ProgressReporter]
    ) -> Union[Response, HeadersReceived, BodyChunks]:
        """The next event that ends a wait, or the response that a timeout or a cancel makes."""
        mailbox, timeouts = self._mailbox, self._timeouts
        while True:
            try:
                event = transfer.take(timeouts.seconds_left(mailbox.last_activity, self._poll_seconds))
            except Empty:
                self._poll()
                failure = timeouts.check(transfer, mailbox.last_activity)
                if failure is not None:
                    return self._abort(transfer, request, failure)
                continue
            if isinstance(event, Response):
                self._response_is_due = False
                if progress is not None:
                    progress.report_final(event)
                return event
            if isinstance(event, Cancel):
                return self._abort(transfer, request, messages.canceled())
            if isinstance(event, (HeadersReceived, BodyChunks)):
                # The caller's own clock may have run out while it had other chunks in hand.
                failure = timeouts.stop_reason()
                return event if failure is None else self._abort(transfer, request, failure)
            if isinstance(event, UploadDataNeeded):
                self._send_more(request)
            elif progress is not None:
                progress(event)
            # The time the caller's own code took is not the server's.
            mailbox.mark_active()
            # A slot that takes longer than the next event does would keep the clocks from being looked at.
            failure = timeouts.stop_reason()
            if failure is not None:
                return self._abort(transfer, request, failure)

    def _send_more(self, request: Request) -> None:
        """Raises RequestNotSent if the body cannot be read; that ends the request."""
        if isinstance(self._upload, Upload) and isinstance(request.body, UploadChannel):
            self._upload.fill(request.body)

    def _abort(self, transfer: Transfer, request: Request, failure: Failure) -> Response:
        """Abort, and take along what has arrived if the worker has it at hand."""
        transfer.abort()
        self._timeouts.begin_grace()
        response = Response(request, engine=self._engine_name)
        while True:
            try:
                event = transfer.take(self._timeouts.grace_left())
            except Empty:
                break
            if isinstance(event, Response):
                response = event
                self._response_is_due = False
                break
        return response._replace(failure=failure)

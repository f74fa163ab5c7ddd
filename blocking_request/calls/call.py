"""Call: one blocking call. It drives a flow over an engine, in the thread of the caller.

Theory of operation: the flow yields a request; the call starts a transfer on an engine, waits for its response, and
sends that into the flow, until the flow returns the last response. All waiting happens in ``Transfer.take``, up to the
earliest timeout. It waits on the mailbox if a worker of the qt engine performs the request, or on the sockets of the
transfer for the python engine. Events that concern the caller's own code (progress, more upload data) are handled in
between. A cancel arrives as an event, ``Timeouts`` measures the timeouts, and every ``POLL_SECONDS`` the call checks
whether the engine is still alive. So the caller returns even if the engine fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from queue import Empty
from threading import get_ident
from typing import Any, Callable, Optional, Union

from .. import trace
from ..bodies.cache_recorder import CacheRecorder
from ..bodies.sink import CannotWrite, Drain, DrainableTarget, ReadBody, ReportWhole, write_chunks
from ..bodies.upload import Upload
from ..engines.base import Transfer
from ..engines.choice import choose, needs_python
from ..engines.clock import Clock, VirtualClock, new_clock
from ..engines.events import (
    HELD_BACK,
    BodyChunks,
    Cancel,
    Chunk,
    HeadersReceived,
    Progress,
    StepReached,
    UploadDataNeeded,
)
from ..engines.mailbox import Mailbox
from ..engines.upload_channel import UploadChannel
from ..errors import ErrorCode
from ..feedback import Feedback, FeedbackLike
from ..flows import CallerCode, Flow, Wait
from ..models import error_texts as messages
from ..models.failure import Failure
from ..models.http_messages import Body, Request, Response
from .cancel import Cancellation
from .observer import CallObserver
from .progress import ProgressReporter
from .running import RunningCall, described, running_calls, streaming_calls
from .steps import CallStep, CallSteps
from .timeouts import NEVER, Timeouts

POLL_SECONDS = 0.1
"""Seconds between two checks whether the engine is still alive."""

SHORT_POLL_SECONDS = 0.02
"""Seconds between two checks if QGIS, or a feedback of another class, must be polled too.

The ``canceled`` signal of such a feedback cannot be used: a function that is connected to it in a blocked thread is
called only when that thread runs an event loop again.
"""


_NO_REQUEST: tuple[Optional[Request], Optional[Transfer]] = (None, None)


def do_nothing() -> None:
    pass


class Call:
    """One blocking call. ``cancel`` may be called in any thread, all else in the thread of the caller only."""

    report: Optional[trace.ReportedCall] = None
    """Reports each request of the call; None if no recorder wants the call."""

    def __init__(
        self,
        engine: str,
        idle_ms: int,
        deadline_ms: int,
        observer: CallObserver,
        feedback: Optional[FeedbackLike],
        poll: Callable[[], None] = do_nothing,
        connect_ms: int = 0,
        prefers_python: bool = False,
        clock: Optional[Clock] = None,
    ) -> None:
        """Prepare a call.

        ``engine``: the name of an engine, or "auto". ``idle_ms``, ``deadline_ms``, ``connect_ms``: the timeouts in ms;
        0: none. ``poll``: is called each time that a wait of the call times out. ``prefers_python``: whether "auto"
        tries the python engine first. ``clock``: None: a new one.
        """
        self._clock = clock or new_clock()
        self._engine = engine
        self._prefers_python = prefers_python
        self._connect_ms = connect_ms
        self._observer = observer
        self._feedback = feedback
        self._mailbox = Mailbox(clock=self._clock)
        self._cancellation = Cancellation(feedback, self._mailbox.cancel)
        self._timeouts = Timeouts(idle_ms, deadline_ms, self._cancellation.is_canceled, connect_ms, self._clock.now)
        self._open_transfer: Optional[tuple[Transfer, Request, Optional[ProgressReporter]]] = None
        """The transfer of a response whose headers are there and whose body is not."""
        self._started = 0.0
        self._upload: Body = None
        self._engine_name = ""
        """The engine that performs the present request."""
        self._response_is_due = False
        """Whether the mailbox may still get the response of a request."""
        self._recorder: Optional[CacheRecorder] = None
        self._read_buffer: Optional[int] = None
        self.streamed_response: Optional[Response] = None
        """The complete response, after the last chunk of its body was taken."""
        self._present: tuple[Optional[Request], Optional[Transfer]] = _NO_REQUEST
        """The request that is under way, and its transfer, for ``running_call``."""
        self._poll = poll
        is_usual = (feedback is None or isinstance(feedback, Feedback)) and poll is do_nothing
        self._poll_seconds = POLL_SECONDS if is_usual else SHORT_POLL_SECONDS
        if self._clock.is_virtual and is_usual:
            self._poll_seconds = NEVER  # skip to the next timeout at once

    def cancel(self) -> None:
        """Cancel the call: its response has ``CanceledError``. In any thread."""
        self._cancellation.cancel()

    def resize_read_buffer(self, size: int) -> None:
        """Set how many bytes of a streamed body the engine may hold; 0: any number. In any thread."""
        self._read_buffer, self._mailbox.counts_use = size, True
        self._mailbox.resize(size)
        transfer = self._open_transfer
        if transfer is not None:
            transfer[0].read_buffer_resized()

    def stop_reason(self) -> Optional[Failure]:
        """Return the failure with which the call must end: cancelled, or deadline passed. Else None."""
        return self._timeouts.stop_reason()

    def stop_reason_of_wait(self, began: float) -> Optional[Failure]:
        """Return the failure with which the call must end that waits for something else than bytes, or None."""
        return self._timeouts.stop_reason_of_wait(began)

    def run(self, flow: Flow) -> Response:
        """Block until the flow returns. If its response ``is_streaming``, read the body with ``iter_chunks``."""
        running_calls[self] = get_ident(), self._clock.now()
        try:
            if self._feedback is None:
                response = self.settle(self._drive(flow))
            else:
                with self._cancellation:
                    response = self.settle(self._drive(flow))
        finally:
            self._leave_running()
        if response.keep is not None:
            self._recorder, response = CacheRecorder(response.keep), response._replace(keep=None)
        return response

    def run_into_sink(self, steps: CallSteps) -> Response:
        """Block until a flow with a sink returns. Its response has no body: the sink has it."""
        running_calls[self] = get_ident(), self._clock.now()
        with self._cancellation:
            try:
                return self._drive(steps)
            finally:
                self.abandon()
                steps.close()
                self._leave_running()

    def _leave_running(self) -> None:
        """Note that ``run`` has ended. The body of a streaming response may follow."""
        began = running_calls.pop(self, (0, 0.0))[1]
        if self._open_transfer is None:
            self._present = _NO_REQUEST
        else:
            streaming_calls[self] = began

    def running_call(self, thread: int, started: float) -> Optional[RunningCall]:
        """Return the call in words, or None if it does not run. Any thread may call this."""
        request, transfer = self._present
        if thread == 0 and self._open_transfer is None:
            return None
        return described(thread, request, started, transfer, self._mailbox, self._timeouts)

    def settle(self, response: Response) -> Response:
        """Return the response of a flow, or a failure if the call was cancelled or timed out in the meantime.

        Report the events that were held back until the response was known to be the last one.
        """
        if not response.is_streaming and self._open_transfer is not None:
            self.abandon()  # the flow has replaced the response of this transfer
        if response.from_cache:
            failure = self.stop_reason()
            if failure is not None:
                return Response(response.request, failure=failure)
        elif (response.failure is not None or response.status in HELD_BACK) and self._is_canceled_when_asked(response):
            # The caller's code was asked, for a password or about a certificate, and has cancelled the call.
            response = response._replace(failure=messages.canceled())
        self._observer.on_response(response)
        if response.is_streaming or not (response.from_cache or response.status in HELD_BACK):
            return response
        progress = self._observer.progress_reporter(self._feedback)
        if progress is not None:
            progress.report_final(response)
        return response

    def _is_canceled_when_asked(self, response: Response) -> bool:
        """Return whether the call is cancelled, and a flow may have asked the caller's code after this response."""
        failure = response.failure
        may_have_asked = failure is None or failure.code is ErrorCode.NetworkError
        return may_have_asked and self._cancellation.is_canceled()

    def iter_chunks(self) -> Iterator[bytes]:
        """Iterate over the body of a streaming response. Afterwards ``streamed_response`` is the complete response.

        Closing the iterator early aborts the transfer.
        """
        return (chunk if isinstance(chunk, bytes) else bytes(chunk) for chunk in self._iter_views())

    def abandon(self, failure: Optional[Failure] = None) -> None:
        """Abort the transfer of a streaming response, if any. ``failure``: the reason; None: the caller has left."""
        if self._open_transfer is None:
            return
        (transfer, request, _), self._open_transfer = self._open_transfer, None
        self.streamed_response = self._abort(transfer, request, failure or messages.canceled())
        self._trace_end(self.streamed_response)

    def _iter_views(self) -> Iterator[Chunk]:
        """Iterate over the chunks of the body. The memory of a chunk is reused when the next one is taken."""
        with self._cancellation:
            try:
                for chunks in self._iter_chunk_lists():
                    for chunk in chunks:
                        if self._recorder is not None:
                            self._recorder.add(chunk)
                        self._mailbox.count_used(len(chunk))
                        if self.report is not None and self.report.request is not None:
                            self.report.request.add_chunk(chunk)
                        yield chunk
                        self._mailbox.give_back(chunk)
                if self._recorder is not None and self.streamed_response is not None:
                    self._recorder.end(self.streamed_response)
            finally:
                self.abandon()

    def _iter_chunk_lists(self) -> Iterator[list[Chunk]]:
        """Iterate over the chunks of a body, in lists of all chunks that have arrived."""
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

    def _drive(self, flow: Union[Flow, CallSteps], redirects: int = 0) -> Response:
        """Drive a flow to its end; ``redirects``: how many redirects were reported before."""
        go_on: Callable[[Any], CallStep] = flow.send
        argument: Any = None
        while True:
            try:
                step = go_on(argument)
            except StopIteration as stop:
                response: Response = stop.value
                return response
            finally:
                # An exception thrown into the flow references this frame: without this, they would be a cycle.
                argument = None
            go_on = flow.send
            if isinstance(step, Request):
                if self._open_transfer is not None:
                    self.abandon()
                if step.redirects > redirects:
                    self._observer.on_redirect(step)
                redirects = step.redirects  # smaller again if a download starts from the beginning
                argument = self._request(step)
            elif isinstance(step, Wait):
                self.abandon()
                argument = Response(step.request, failure=self._sleep(step.seconds))
            elif isinstance(step, CallerCode):
                argument = self._call_back(step, redirects)
            else:
                try:
                    argument = self._do(step)
                except CannotWrite as error:
                    go_on, argument = flow.throw, error

    def _call_back(self, step: CallerCode, redirects: int) -> Response:
        """Call code of the caller, which drives flows of its own by this call, one at a time."""
        try:
            return step.run(partial(self._drive, redirects=redirects), False)
        except BaseException:
            self.abandon()
            raise

    def _do(self, step: Union[ReadBody, Drain, ReportWhole]) -> Union[Response, Failure, None]:
        """Do a step of a sink, and return the result for it. Raises CannotWrite."""
        if isinstance(step, ReadBody):
            return self._read_body(step)
        if isinstance(step, Drain):
            return self._drain(step.target)
        progress = self._observer.progress_reporter(self._feedback)
        if progress is not None:
            progress(Progress(False, step.size, step.size))
        return None

    def _read_body(self, step: ReadBody) -> Response:
        """Write the body with the sink's ``write``; return the complete response. Raises what ``write`` raises."""
        progress = self._open_transfer[2] if self._open_transfer is not None else None
        if step.start and progress is not None:
            progress.count_from(step.start, step.total)
        if self.report is not None and self.report.request is not None:
            step = step._replace(write=self.report.request.tap(step.write))
        try:
            if step.in_worker and self._open_transfer is not None and self._open_transfer[0].has_worker:
                # From now on the engine's thread writes the chunks. So they need not be handed to this thread.
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
        """Wait until a target has taken all written bytes. Return a failure if the call ended before, else None."""
        while not target.flush():
            failure = self.stop_reason()
            if failure is not None:
                return failure
            self._poll()
            seconds = self._timeouts.until_deadline(SHORT_POLL_SECONDS)
            target.wait(seconds)
            if isinstance(self._clock, VirtualClock):
                self._clock.skip(seconds)
        return None

    def _sleep(self, seconds: float) -> Optional[Failure]:
        """Wait for some seconds. Return a failure if the call was cancelled or timed out before, else None."""
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
        """Send one request and return its response. Raises RequestNotSent if its body cannot be read."""
        if self._response_is_due:
            # The response of an aborted request may still arrive. A new mailbox keeps it apart from this request's.
            self._mailbox, self._response_is_due = Mailbox(clock=self._clock), False
            if self._read_buffer is not None:
                self.resize_read_buffer(self._read_buffer)
            self._cancellation.wake = self._mailbox.cancel
        # Choose the engine.
        self._started = trace.request_started(request, self.report, self._clock.now)
        self._present = request, None
        steps = self._observer.wanted_steps()
        prefers_python = self._prefers_python or (bool(steps) and needs_python(steps))
        engine = self._timeouts.stop_reason() or choose(request, self._engine, prefers_python)
        if isinstance(engine, Failure):
            response = Response(request, failure=engine)
        else:
            # Prepare everything before the engine starts: from then on this thread only waits, without the GIL.
            progress = self._observer.progress_reporter(self._feedback)
            self._mailbox.wants_progress = progress is not None
            self._mailbox.wanted_steps = steps
            self._mailbox.wants_trace = self._started != 0.0 and (self.report is None or self.report.wants_trace)
            self._mailbox.sent_head = None
            self._upload = request.body
            if isinstance(request.body, Upload):
                request = request._replace(body=request.body.begin(self._mailbox))
            self._mailbox.mark_active()
            self._engine_name = engine.name
            self._response_is_due = True
            if self._connect_ms:
                self._timeouts.begin_request()
            # Send, and wait for the headers of a streaming response, or for the complete response.
            transfer = engine.start(request, self._mailbox)
            self._present = request, transfer
            if self.report is not None:
                self.report.begin_transfer(engine.name, self._mailbox, transfer.trace)
            try:
                event = self._wait(transfer, request, progress)
            except BaseException:
                transfer.close()
                raise
            if isinstance(event, HeadersReceived):
                self._open_transfer = transfer, request, progress
                if self.report is not None:
                    self.report.begin_response(event.response, self._mailbox)
                return event.response
            assert isinstance(event, Response)
            response = event
        if self._started:
            self._trace_end(response)
        return response

    def _trace_end(self, response: Response) -> None:
        if self._started:
            trace.request_ended(response, self._started, self.report, self._mailbox, self._clock.now)

    def _wait(
        self, transfer: Transfer, request: Request, progress: Optional[ProgressReporter]
    ) -> Union[Response, HeadersReceived, BodyChunks]:
        """Wait for headers, chunks or the response, and handle all other events.

        After a timeout or a cancel, return the response of the aborted transfer.
        """
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
                if progress is not None and event.status not in HELD_BACK:
                    progress.report_final(event)
                return event
            if isinstance(event, Cancel):
                return self._abort(transfer, request, messages.canceled())
            if isinstance(event, (HeadersReceived, BodyChunks)):
                # The deadline may have passed while the caller used the previous chunks.
                failure = timeouts.stop_reason()
                return event if failure is None else self._abort(transfer, request, failure)
            # The caller's own code runs: its time does not count towards the idle timeout.
            if isinstance(event, StepReached):
                began, since = mailbox.now(), mailbox.last_activity
                self._observer.on_step(event)
                # A step is no sign that bytes move: a server may have the request sent again and again.
                mailbox.last_activity = max(mailbox.last_activity, since + mailbox.now() - began)
            else:
                if isinstance(event, UploadDataNeeded):
                    self._send_more(request)
                elif progress is not None:
                    progress(event)
                mailbox.mark_active()
            # Check the deadline here too: if slots are slower than events arrive, ``take`` never times out.
            failure = timeouts.stop_reason()
            if failure is not None:
                return self._abort(transfer, request, failure)

    def _send_more(self, request: Request) -> None:
        """Give the engine more upload data. Raises RequestNotSent if the body cannot be read."""
        if isinstance(self._upload, Upload) and isinstance(request.body, UploadChannel):
            self._upload.fill(request.body)

    def _abort(self, transfer: Transfer, request: Request, failure: Failure) -> Response:
        """Abort the transfer. Return the part of the response that has arrived, if the engine has it ready."""
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

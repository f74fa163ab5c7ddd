"""Task: one request of a batch or of a QHttp. It drives a flow over an engine without waiting; its driver waits.

Theory of operation: as in ``call.py``, with two differences. The events of all tasks go into one queue, and the driver
hands each event to its task. The driver checks the timeouts of all tasks now and then. Only the thread that drives the
batch uses it.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Protocol, Union

from .. import trace
from .._first_use import first_use
from ..bodies.sink import CannotWrite, Drain, DrainableTarget, ReadBody, ReportWhole, write_chunks
from ..bodies.upload import Upload
from ..engines.base import BatchHint, Transfer
from ..engines.choice import choose
from ..engines.clock import REAL_CLOCK, Clock
from ..engines.events import BodyChunks, Chunk, HeadersReceived, Progress, QueuedEvent, UploadDataNeeded
from ..engines.mailbox import Mailbox
from ..engines.upload_channel import UploadChannel
from ..engines.wanted import YIELD_NOW, Wanted
from ..flows import CallerCode, Flow, Wait
from ..models import error_texts as messages
from ..models.failure import Failure, RequestNotSent
from ..models.http_messages import Request, Response
from .running import RunningCall, described
from .steps import CallStep, CallSteps
from .timeouts import NEVER, Timeouts

EVENTS_AT_ONCE = 4
"""How many events of one transfer are handled before other transfers are advanced."""

POLL_SECONDS = 0.02
"""Seconds between two checks of the timeouts, and of a feedback of another class, by the driver of tasks."""


class EventQueue(Protocol):
    """Takes pairs of a TaskEventSink and an event, in any thread."""

    def put(self, event: Any) -> None: ...


class TaskEventSink:
    """Puts the events of one transfer of a task into the queue of the driver, in any thread."""

    __slots__ = ("_event_queue", "task")

    def __init__(self, task: Task, event_queue: EventQueue) -> None:
        self.task = task
        self._event_queue = event_queue

    def put(self, event: QueuedEvent) -> None:
        self._event_queue.put((self, event))


class TransferWaiter(Protocol):
    """Waits for the sockets of transfers without a worker. ``wake`` may be called in any thread."""

    def wake(self, task: Task) -> None:
        """Have the driver step the task."""

    def wait_for(self, task: Task, wanted: Wanted) -> None:
        """Step the task when ``wanted`` has happened. Replaces an earlier wait of the task."""

    def discard(self, task: Task) -> None:
        """End the wait of the task."""


class _TaskWaker:
    """Wakes the driver of a task. Task, mailbox and waker reference each other until the transfer ends."""

    __slots__ = ("_task", "_waiter")

    def __init__(self, task: Task, waiter: TransferWaiter) -> None:
        self._task = task
        self._waiter = waiter

    def wake(self) -> None:
        self._waiter.wake(self._task)


class TaskRules(NamedTuple):
    """The values that all tasks of a batch, or of a QHttp, share."""

    engine: str
    event_queue: EventQueue
    waiter: TransferWaiter
    hint: Optional[BatchHint]
    """None if only one task runs at a time."""
    clock: Clock = REAL_CLOCK


_Resumption = tuple[Callable[[Any], CallStep], Any]
"""How to resume the steps: their ``send`` or ``throw``, and its argument."""


class Task:
    """One request of a batch or of a QHttp. For the thread that drives it."""

    response: Optional[Response] = None
    """The response of the whole request, when it has ended."""
    handed_over = 0.0
    """The time (by the clock) at which the latest request was given to an engine; 0.0: none was."""
    _reading: Optional[ReadBody] = None
    """The step whose ``write`` gets the chunks of the body, in this thread."""
    _draining: Optional[DrainableTarget] = None
    """The target that has not taken all written bytes yet. No event is handled until it has."""
    _is_draining_only = False
    """Whether the steps have yielded a Drain, and so wait for the target themselves."""
    _events: Optional[TaskEventSink] = None
    _mailbox: Optional[Mailbox] = None
    _transfer: Optional[Transfer] = None
    _request: Optional[Request] = None
    _upload: Optional[Upload] = None
    _started = 0.0
    report: Optional[trace.ReportedCall] = None
    """Reports each request of the task; None if no recorder wants it."""
    _failure: Optional[Failure] = None
    """The reason, if the present transfer is being aborted."""

    def __init__(
        self,
        steps: CallSteps,
        rules: TaskRules,
        failed: Callable[[Failure], Response],
        timeouts: Timeouts,
        progress: Optional[Callable[[Progress], None]] = None,
    ) -> None:
        """Prepare a task.

        ``failed``: makes the response if the request could not be built. ``progress``: is called with each event of
        progress.
        """
        self._steps = steps
        self._rules = rules
        self._failed = failed
        self._progress = progress
        self._timeouts = timeouts
        self._unhandled: list[tuple[TaskEventSink, QueuedEvent]] = []
        """The events that came while a target was draining. They are few: the engine stops reading in the meantime."""

    def begin(self) -> None:
        """Start the first request."""
        self._advance(self._steps.send, None)
        self.step()

    def step(self) -> None:
        """Advance a transfer of the python engine as far as possible without waiting."""
        waiter = self._rules.waiter
        for _ in range(EVENTS_AT_ONCE):
            transfer, events = self._transfer, self._events
            if transfer is None or transfer.has_worker or events is None or self._draining is not None:
                waiter.discard(self)
                return
            event = transfer.step()
            if event is None:
                waiter.wait_for(self, transfer.waits_for)
                return
            self.handle_event(events, event)
        waiter.wait_for(self, YIELD_NOW)

    def handle_event(self, events: TaskEventSink, event: QueuedEvent) -> None:
        """Handle an event of the engine."""
        if events is not self._events or self._mailbox is None:
            return  # the event is of an earlier request, which was replaced or aborted
        if self._draining is not None:
            self._unhandled.append((events, event))
            return
        event = self._mailbox.resolve(event)
        if isinstance(event, Response):
            self._transfer = self._events = None
            self._end(event if self._failure is None else event._replace(failure=self._failure))
        elif isinstance(event, HeadersReceived) and self._failure is None:
            # The event has waited in the queue: that time does not count towards the idle timeout.
            self._mailbox.mark_active()
            self._resume_with(event.response)
        elif isinstance(event, UploadDataNeeded) and self._failure is None:
            self._send_more()
        elif isinstance(event, Progress) and self._progress is not None:
            self._progress(event)
        elif isinstance(event, BodyChunks) and self._reading is not None:
            self._write(event.chunks, self._reading, self._mailbox)

    def _write(self, chunks: list[Chunk], step: ReadBody, mailbox: Mailbox) -> None:
        try:
            if not write_chunks(chunks, step, mailbox):
                self._draining = step.target
        except CannotWrite as error:
            self._advance(self._steps.throw, error)
            return
        mailbox.mark_active()

    def _look_at_target(self, target: DrainableTarget) -> None:
        """Check whether a target has taken all written bytes. If so, handle the events that came in the meantime."""
        failure = self._timeouts.stop_reason()
        go_on, argument = self._steps.send, failure
        try:
            if failure is None and not target.flush():
                return
        except CannotWrite as error:
            go_on, argument = self._steps.throw, error  # type: ignore[assignment]
        self._draining, unhandled, self._unhandled = None, self._unhandled, []
        if self._is_draining_only or go_on == self._steps.throw:
            self._is_draining_only = False
            self._advance(go_on, argument)
        elif failure is not None and self._transfer is not None:
            self._abort(failure)
        elif self._mailbox is not None:
            self._mailbox.mark_active()
        for events, event in unhandled:
            self.handle_event(events, event)
        self.step()

    def _abort(self, failure: Failure) -> None:
        assert self._transfer is not None
        self._failure, self._reading = failure, None
        self._transfer.abort()
        self._timeouts.begin_grace()
        self.step()

    def allow_for_absence(self, seconds: float, puts_off_deadline: bool = True) -> None:
        """Leave some seconds out of the timeouts, in which the driver ran code of the caller.

        Only a transfer without a worker stood still in that time.
        """
        transfer, mailbox = self._transfer, self._mailbox
        if transfer is not None and not transfer.has_worker and mailbox is not None and self._draining is None:
            mailbox.last_activity = min(mailbox.last_activity + seconds, mailbox.now())
            if puts_off_deadline:
                self._timeouts.put_off_deadline(seconds)

    def seconds_left(self) -> float:
        """Return the seconds until a timeout is due, or the end of a pause."""
        timeouts = self._timeouts
        if self._draining is not None:
            return POLL_SECONDS
        if self._failure is not None:
            return timeouts.grace_left()
        if self._transfer is None or self._mailbox is None:
            return timeouts.pause_left()
        return timeouts.seconds_left(self._mailbox.last_activity, NEVER)

    def check_clocks(self) -> None:
        """Check the timeouts, a cancel, and whether the engine is alive; end or resume the request if one is due."""
        timeouts = self._timeouts
        if self._draining is not None:
            self._look_at_target(self._draining)
        elif self._request is None:
            return
        elif self._failure is not None:
            if timeouts.grace_left() <= 0:
                self._events = None
                self._end(Response(self._request, failure=self._failure))
        elif self._transfer is None:
            failure = timeouts.stop_reason()
            if failure is not None or timeouts.pause_left() <= 0:
                self._resume_with(Response(self._request, failure=failure))
                self.step()
        elif self._mailbox is not None:
            transfer = self._transfer
            if not transfer.has_worker and timeouts.is_idle(self._mailbox.last_activity):
                self.step()  # bytes that arrived while the driver was busy are not late: read them first
                if self._transfer is not transfer or self._mailbox is None or self._draining is not None:
                    return
            failure = timeouts.check(transfer, self._mailbox.last_activity)
            if failure is not None:
                self._abort(failure)

    def running_call(self, thread: int, started: float) -> RunningCall:
        """Return the task in words. Any thread may call this."""
        return described(thread, self._request, started, self._transfer, self._mailbox, self._timeouts)

    def close(self) -> None:
        """Abort the transfer and close the steps. There will be no response."""
        self._leave_transfer()
        self._steps.close()

    def _end(self, response: Response) -> None:
        """Resume the steps with the response of the present request."""
        self._failure = None
        self._trace_end(response)
        self._resume_with(response)

    def _trace_end(self, response: Response) -> None:
        if self._started:
            trace.request_ended(response, self._started, self.report, self._mailbox, self._rules.clock.now)
            self._started = 0.0

    def _resume_with(self, response: Response) -> None:
        self._advance(self._steps.send, response)

    def _advance(self, go_on: Callable[[Any], CallStep], argument: Any) -> None:
        """Run the steps until one must wait, or until their end. Raises the exceptions of the caller's own code."""
        while True:
            try:
                step = go_on(argument)
                if isinstance(step, Wait):
                    self._leave_transfer()
                    self._request = step.request
                    self._timeouts.begin_pause(step.seconds)
                    return
                if isinstance(step, Request):
                    self._leave_transfer()
                    response = self._start(step)
                    resumption: Optional[_Resumption] = None if response is None else (self._steps.send, response)
                elif isinstance(step, CallerCode):
                    resumption = self._steps.send, step.run(self._drive_by_a_call, True)
                else:
                    resumption = self._do(step)
            except StopIteration as stop:
                self._leave_transfer()
                self._request, self.response = None, stop.value
                return
            except RequestNotSent as request_not_sent:
                self._leave_transfer()
                self._steps.close()
                self._request, self.response = None, self._failed(request_not_sent.failure)
                return
            if resumption is None:
                return
            go_on, argument = resumption

    def _drive_by_a_call(self, flow: Flow) -> Response:
        """Drive a flow of the caller's code, and wait for its end. All other tasks stand still in the meantime."""
        with first_use:
            from .nested_call import run_nested
        return run_nested(flow, self._rules.engine, self._timeouts, self.report, self._rules.clock)

    def _do(self, step: Union[ReadBody, Drain, ReportWhole]) -> Optional[_Resumption]:
        """Do a step of a sink, and return how to resume the steps; None if the step must wait."""
        if isinstance(step, Drain):
            return self._drain(step.target)
        if isinstance(step, ReadBody):
            return self._read_body(step)
        if self._progress is not None:
            self._progress(Progress(False, step.size, step.size))
        return self._steps.send, None

    def _drain(self, target: DrainableTarget) -> Optional[_Resumption]:
        """Return how to resume the steps; None if the target has not taken all bytes yet."""
        try:
            if target.flush():
                return self._steps.send, None
        except CannotWrite as error:
            return self._steps.throw, error
        self._draining, self._is_draining_only = target, True
        return None

    def _read_body(self, step: ReadBody) -> Optional[_Resumption]:
        """Return how to resume the steps; None if the chunks are read from now on."""
        assert self._mailbox is not None
        if self.report is not None and self.report.request is not None:
            step = step._replace(write=self.report.request.tap(step.write))
        if not step.in_worker or self._transfer is None or not self._transfer.has_worker:
            self._reading = step
            return None
        try:
            self._mailbox.stream_to(step.write)
            self._mailbox.mark_active()
        except CannotWrite as error:
            return self._steps.throw, error
        return None

    def _start(self, request: Request) -> Optional[Response]:
        """Start a transfer; return the response if nothing is sent, else None."""
        self._request = request
        self._started = trace.request_started(request, self.report, self._rules.clock.now)
        # The python engine needs no other threads, however many requests the driver has under way.
        engine = self._timeouts.stop_reason() or choose(request, self._rules.engine, prefers_python=True)
        if isinstance(engine, Failure):
            response = Response(request, failure=engine)
            self._trace_end(response)
            return response
        events = TaskEventSink(self, self._rules.event_queue)
        mailbox = Mailbox(events, self._rules.clock)
        self._upload = request.body if isinstance(request.body, Upload) else None
        if self._upload is not None:
            request = self._request = request._replace(body=self._upload.begin(mailbox))
        self._events, self._mailbox = events, mailbox
        mailbox.wants_progress = self._progress is not None
        mailbox.wants_trace = self._started != 0.0 and (self.report is None or self.report.wants_trace)
        self.handed_over = mailbox.last_activity
        transfer = self._transfer = engine.start(request, mailbox, self._rules.hint)
        if self.report is not None:
            self.report.begin_transfer(engine.name, mailbox, transfer.trace)
        if not transfer.has_worker:
            mailbox.waiter = _TaskWaker(self, self._rules.waiter)
        return None

    def _send_more(self) -> None:
        assert self._mailbox is not None and self._request is not None
        try:
            if self._upload is not None and isinstance(self._request.body, UploadChannel):
                self._upload.fill(self._request.body)
        except RequestNotSent as request_not_sent:
            self._advance(self._steps.throw, request_not_sent)
            return
        self._mailbox.mark_active()

    def _leave_transfer(self) -> None:
        """Abort the present transfer, if any, and drop it."""
        if self._transfer is not None:
            self._transfer.close()
            if not self._transfer.has_worker:
                self._rules.waiter.discard(self)
            if self._request is not None:
                self._trace_end(Response(self._request, failure=messages.canceled()))
        self._transfer = self._events = self._reading = self._draining = None
        self._mailbox = None  # it references the task: a reference cycle

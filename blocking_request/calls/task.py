"""One request of a batch or of a QHttp: its flow, and what of it is under way. It never waits; its driver does.

Theory of operation: as in ``call.py``, but what the engine tells goes to one queue that all tasks share, and the clocks
are looked at now and then. For the one thread that drives the batch.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Protocol, Union

from .. import trace
from ..bodies.sink import CannotWrite, Drain, DrainableTarget, ReadBody, ReportWhole, write_chunks
from ..bodies.upload import Upload
from ..engines.base import BatchHint, Transfer
from ..engines.choice import choose
from ..engines.events import BodyChunks, Chunk, HeadersReceived, Progress, QueuedEvent, UploadDataNeeded
from ..engines.mailbox import Mailbox
from ..engines.upload_channel import UploadChannel
from ..engines.wanted import LOOK_AROUND, Wanted
from ..flows import Wait
from ..models import error_texts as messages
from ..models.failure import Failure, RequestNotSent
from ..models.http_messages import Request, Response
from .steps import CallStep, CallSteps
from .timeouts import Timeouts

EVENTS_AT_ONCE = 4
"""How many events of one transfer are handled before others have their turn."""

POLL_SECONDS = 0.02
"""Seconds between two looks of the driver of tasks at their clocks, and at a feedback that is not ours."""


class EventQueue(Protocol):
    """Takes pairs of a TaskEventSink and an event. May be called from any thread."""

    def put(self, event: Any) -> None: ...


class TaskEventSink:
    """Puts the events of one transfer of a task into the queue of the driver."""

    __slots__ = ("_event_queue", "task")

    def __init__(self, task: Task, event_queue: EventQueue) -> None:
        self.task = task
        self._event_queue = event_queue

    def put(self, event: QueuedEvent) -> None:
        self._event_queue.put((self, event))


class TransferWaiter(Protocol):
    """Waits for what the transfers without a worker want. ``wake`` may be called from any thread."""

    def wake(self, task: Task) -> None:
        """Have the driver step the task."""

    def wait_for(self, task: Task, wanted: Wanted) -> None:
        """Step the task when this has happened; it is instead of what the task waited for."""

    def discard(self, task: Task) -> None:
        """The task waits for nothing any more."""


class _TaskWaker:
    """Wakes the driver of a task. Task, mailbox and waker hold each other until the transfer ends."""

    __slots__ = ("_task", "_waiter")

    def __init__(self, task: Task, waiter: TransferWaiter) -> None:
        self._task = task
        self._waiter = waiter

    def wake(self) -> None:
        self._waiter.wake(self._task)


class TaskRules(NamedTuple):
    """What the tasks of a batch, or of a QHttp, have in common."""

    engine: str
    event_queue: EventQueue
    waiter: TransferWaiter
    hint: Optional[BatchHint]
    """None: each is alone."""


_Resumption = tuple[Callable[[Any], CallStep], Any]
"""How the steps go on: their ``send`` or ``throw``, and its argument."""


class Task:
    """For the one thread that drives it."""

    response: Optional[Response] = None
    """The last one, when it is there."""
    handed_over = 0.0
    """When the latest request was."""
    _reading: Optional[ReadBody] = None
    """The step that takes the chunks of the body, in this thread."""
    _draining: Optional[DrainableTarget] = None
    """The one that has to take what was written before anything is heard."""
    _is_draining_only = False
    """Whether the steps wait for that."""
    _events: Optional[TaskEventSink] = None
    _mailbox: Optional[Mailbox] = None
    _transfer: Optional[Transfer] = None
    _request: Optional[Request] = None
    _upload: Optional[Upload] = None
    _started = 0.0
    _failure: Optional[Failure] = None
    """Why the request that is under way is being aborted."""

    def __init__(
        self,
        steps: CallSteps,
        rules: TaskRules,
        failed: Callable[[Failure], Response],
        timeouts: Timeouts,
        progress: Optional[Callable[[Progress], None]] = None,
    ) -> None:
        """``failed``: gives the response if there is not even a request; ``progress``: is called with each event of
        progress.
        """
        self._steps = steps
        self._rules = rules
        self._failed = failed
        self._progress = progress
        self._timeouts = timeouts
        self._unhandled: list[tuple[TaskEventSink, QueuedEvent]] = []
        """What has come while a target was draining. The engine stops in the meantime, so there is little of it."""

    def begin(self) -> None:
        self._advance(self._steps.send, None)
        self.step()

    def step(self) -> None:
        """Go on with a transfer that this thread performs, as far as it goes without waiting."""
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
        waiter.wait_for(self, LOOK_AROUND)

    def handle_event(self, events: TaskEventSink, event: QueuedEvent) -> None:
        """What the engine has told."""
        if events is not self._events or self._mailbox is None:
            return  # the request has been replaced or abandoned
        if self._draining is not None:
            self._unhandled.append((events, event))
            return
        event = self._mailbox.resolve(event)
        if isinstance(event, Response):
            self._transfer = self._events = None
            self._end(event if self._failure is None else event._replace(failure=self._failure))
        elif isinstance(event, HeadersReceived) and self._failure is None:
            # The time it has waited here is not the server's.
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
        """See whether a target has taken what was written to it, and hear then what has come in the meantime."""
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

    def allow_for_absence(self, seconds: float) -> None:
        """Count the time in which the driver did something else for no clock: this transfer did not go on in it."""
        transfer, mailbox = self._transfer, self._mailbox
        if transfer is not None and not transfer.has_worker and mailbox is not None and self._draining is None:
            mailbox.last_activity = min(mailbox.last_activity + seconds, mailbox.now())
            self._timeouts.put_off_deadline(seconds)

    def check_clocks(self) -> None:
        """See whether something is late, lost or cancelled."""
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
                self.step()  # what has come while the driver did something else is not late
                if self._transfer is not transfer or self._mailbox is None or self._draining is not None:
                    return
            failure = timeouts.check(transfer, self._mailbox.last_activity)
            if failure is not None:
                self._abort(failure)

    def close(self) -> None:
        """Abort the transfer that is under way, and end the steps. There will be no response."""
        self._leave_transfer()
        self._steps.close()

    def _end(self, response: Response) -> None:
        """The request that was under way has its response."""
        self._failure = None
        self._trace_end(response)
        self._resume_with(response)

    def _trace_end(self, response: Response) -> None:
        if self._started:
            trace.request_ended(response, self._started, ())
            self._started = 0.0

    def _resume_with(self, response: Response) -> None:
        self._advance(self._steps.send, response)

    def _advance(self, go_on: Callable[[Any], CallStep], argument: Any) -> None:
        """Go on until something must be waited for, or until the end. Raises what the caller's own code raises."""
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

    def _do(self, step: Union[ReadBody, Drain, ReportWhole]) -> Optional[_Resumption]:
        """Do what a sink wants, and return how to go on; None if it has to be waited for."""
        if isinstance(step, Drain):
            return self._drain(step.target)
        if isinstance(step, ReadBody):
            return self._read_body(step)
        if self._progress is not None:
            self._progress(Progress(False, step.size, step.size))
        return self._steps.send, None

    def _drain(self, target: DrainableTarget) -> Optional[_Resumption]:
        """None if it has to be waited for."""
        try:
            if target.flush():
                return self._steps.send, None
        except CannotWrite as error:
            return self._steps.throw, error
        self._draining, self._is_draining_only = target, True
        return None

    def _read_body(self, step: ReadBody) -> Optional[_Resumption]:
        """None if the chunks come from now on."""
        assert self._mailbox is not None
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
        self._started = trace.request_started(request, ())
        engine = self._timeouts.stop_reason() or choose(request, self._rules.engine, is_one_of_many=True)
        if isinstance(engine, Failure):
            response = Response(request, failure=engine)
            self._trace_end(response)
            return response
        events = TaskEventSink(self, self._rules.event_queue)
        mailbox = Mailbox(events)
        self._upload = request.body if isinstance(request.body, Upload) else None
        if self._upload is not None:
            request = self._request = request._replace(body=self._upload.begin(mailbox))
        self._events, self._mailbox = events, mailbox
        mailbox.wants_progress = self._progress is not None
        mailbox.wants_trace = self._started != 0.0
        self.handed_over = mailbox.last_activity
        transfer = self._transfer = engine.start(request, mailbox, self._rules.hint)
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
        """Abort the transfer, if one is under way, and forget it."""
        if self._transfer is not None:
            self._transfer.close()
            if not self._transfer.has_worker:
                self._rules.waiter.discard(self)
            if self._request is not None:
                self._trace_end(Response(self._request, failure=messages.canceled()))
        self._transfer = self._events = self._reading = self._draining = None
        self._mailbox = None  # it holds the task

"""One request of a batch: its flow, and what of it is under way. It never waits; whoever drives it does.

Theory of operation: as in ``call.py``, but what the engine tells goes to one queue that all tasks share, and the clocks
are looked at now and then. For the one thread that drives the batch.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Callable, NamedTuple, Optional, Protocol, Union

from .. import trace
from ..bodies.sink import CannotWrite, Drain, ReadBody, SlowTarget
from ..bodies.upload import Upload
from ..engines.base import BatchHint, Transfer
from ..engines.choice import choose
from ..engines.events import BodyChunks, Chunk, HeadersReceived, Progress, QueuedEvent, UploadDataNeeded
from ..engines.mailbox import ABORT_GRACE_SECONDS, Mailbox
from ..engines.upload_channel import UploadChannel
from ..flows import Wait
from ..models import error_texts as messages
from ..models.failure import Failure, RequestNotSent
from ..models.http_messages import Request, Response

_NEVER = float("inf")

PULSE = 0.02
"""Seconds between two looks of whoever drives tasks at their clocks, and at a feedback that is not ours."""

Step = Union[Request, Wait, ReadBody, Drain]
TaskSteps = Generator[Step, Any, Response]


class EventQueue(Protocol):
    """Where a Line and what came over it is put. May be called from any thread."""

    def put(self, event: Any) -> None: ...


class TaskEventSink:
    """To the loop, from the engine that does one request."""

    __slots__ = ("_event_queue", "task")

    def __init__(self, task: Task, event_queue: EventQueue) -> None:
        self.task = task
        self._event_queue = event_queue

    def put(self, event: QueuedEvent) -> None:
        self._event_queue.put((self, event))


class TaskRules(NamedTuple):
    """What the tasks of a batch have in common."""

    engine: str
    idle_ms: int
    deadline_ms: int
    event_queue: EventQueue
    hint: Optional[BatchHint]
    """None: each is alone."""
    is_canceled: Callable[[], bool]


class Task:
    response: Optional[Response] = None
    """The last one, when it is there."""
    handed_over = 0.0
    """When the latest request was."""
    _write: Optional[Callable[[Chunk], None]] = None
    """Who takes the pieces of the body, here."""
    _target: Optional[SlowTarget] = None
    """What ``_write`` writes to, if that may not take everything at once."""
    _draining: Optional[SlowTarget] = None
    """The one that has to take what was written before anything is heard."""
    _is_draining_only = False
    """Whether the steps wait for that."""
    _deadline = _NEVER
    _sink: Optional[TaskEventSink] = None
    _mailbox: Optional[Mailbox] = None
    _transfer: Optional[Transfer] = None
    _request: Optional[Request] = None
    _upload: Optional[Upload] = None
    _traced = 0.0
    _waits_until = _NEVER
    _failure: Optional[Failure] = None
    """Why the request that is under way is being aborted."""
    _grace_end = _NEVER

    def __init__(
        self,
        steps: TaskSteps,
        rules: TaskRules,
        failed: Callable[[Failure], Response],
        idle_ms: int,
        progress: Optional[Callable[[Progress], None]] = None,
    ) -> None:
        """``failed``: the response where there is not even a request; ``progress``: is told of it."""
        self._steps = steps
        self._rules = rules
        self._failed = failed
        self._progress = progress
        self._idle_ms = idle_ms
        self._idle = idle_ms / 1000 if idle_ms > 0 else _NEVER
        self._unhandled: list[tuple[TaskEventSink, QueuedEvent]] = []
        """What has come while a target was draining. The engine stops in the meantime, so there is little of it."""

    def begin(self) -> None:
        if self._rules.deadline_ms > 0:
            self._deadline = time.monotonic() + self._rules.deadline_ms / 1000
        self._advance(self._steps.send, None)

    def handle_event(self, line: TaskEventSink, event: QueuedEvent) -> None:
        """What the engine has told."""
        if line is not self._sink or self._mailbox is None:
            return  # the request has been replaced or abandoned
        if self._draining is not None:
            self._unhandled.append((line, event))
            return
        event = self._mailbox.read(event)
        if isinstance(event, Response):
            self._transfer = self._sink = None
            self._end(event if self._failure is None else event._replace(failure=self._failure))
        elif isinstance(event, HeadersReceived) and self._failure is None:
            # The time it has waited here is not the server's.
            self._mailbox.mark_active()
            self._send(event.response)
        elif isinstance(event, UploadDataNeeded) and self._failure is None:
            self._send_more()
        elif isinstance(event, Progress) and self._progress is not None:
            self._progress(event)
        elif isinstance(event, BodyChunks) and self._write is not None:
            self._write_all(event.pieces, self._write, self._mailbox)

    def _write_all(self, pieces: list[Chunk], write: Callable[[Chunk], None], mailbox: Mailbox) -> None:
        try:
            for piece in pieces:
                write(piece)
                mailbox.give_back(piece)
            if self._target is not None and not self._target.flush():
                self._draining = self._target
        except CannotWrite as error:
            self._advance(self._steps.throw, error)
            return
        mailbox.mark_active()

    def _look_at_target(self, target: SlowTarget, now: float) -> None:
        """See whether a target has taken what was written to it, and hear then what has come meanwhile."""
        failure = self._stop_reason(now)
        go_on, given = self._steps.send, failure
        try:
            if failure is None and not target.flush():
                return
        except CannotWrite as error:
            go_on, given = self._steps.throw, error  # type: ignore[assignment]
        self._draining, unheard, self._unhandled = None, self._unhandled, []
        if self._is_draining_only or go_on == self._steps.throw:
            self._is_draining_only = False
            self._advance(go_on, given)
        elif failure is not None and self._transfer is not None:
            self._abort(failure, now)
        elif self._mailbox is not None:
            self._mailbox.mark_active()
        for line, event in unheard:
            self.handle_event(line, event)

    def _abort(self, failure: Failure, now: float) -> None:
        assert self._transfer is not None
        self._failure, self._grace_end, self._write = failure, now + ABORT_GRACE_SECONDS, None
        self._transfer.abort()

    def look(self, now: float) -> None:
        """See whether something is late, lost or cancelled."""
        if self._draining is not None:
            self._look_at_target(self._draining, now)
            return
        if self._request is None:
            return
        if self._failure is not None:
            if now >= self._grace_end:
                self._sink = None
                self._end(Response(self._request, failure=self._failure))
            return
        failure = self._stop_reason(now)
        if self._transfer is None:
            if failure is not None or now >= self._waits_until:
                self._send(Response(self._request, failure=failure))
            return
        if failure is None and self._mailbox is not None and now >= self._mailbox.last_activity + self._idle:
            failure = messages.idle_timeout(self._idle_ms)
        failure = failure or self._transfer.failure_if_dead()
        if failure is not None:
            self._abort(failure, now)

    def close(self) -> None:
        """Whatever is under way ends; nobody wants to know how."""
        self._leave_flight()
        self._steps.close()

    def _stop_reason(self, now: float) -> Optional[Failure]:
        if self._rules.is_canceled():
            return messages.canceled()
        return messages.deadline_passed(self._rules.deadline_ms) if now >= self._deadline else None

    def _end(self, response: Response) -> None:
        """The request that was under way has its response."""
        self._failure = None
        if self._traced:
            trace.request_ended(response, self._traced, ())
        self._send(response)

    def _send(self, response: Response) -> None:
        self._advance(self._steps.send, response)

    def _advance(self, go_on: Callable[[Any], Step], given: Any) -> None:
        """Go on until something must be waited for, or until the end. Raises what the caller's own code raises."""
        while True:
            try:
                step = go_on(given)
                if isinstance(step, Drain):
                    drained = self._drain(step.target)
                    if drained is None:
                        return
                    go_on, given = drained
                    continue
                if isinstance(step, ReadBody):
                    diverted = self._divert(step)
                    if diverted is None:
                        return
                    go_on, given = diverted
                    continue
                self._leave_flight()
                if isinstance(step, Wait):
                    self._request, self._waits_until = step.request, time.monotonic() + step.seconds
                    return
                response = self._start(step)
            except StopIteration as stop:
                self._leave_flight()
                self._request, self.response = None, stop.value
                return
            except RequestNotSent as request_not_sent:
                self._leave_flight()
                self._steps.close()
                self._request, self.response = None, self._failed(request_not_sent.failure)
                return
            if response is None:
                return
            go_on, given = self._steps.send, response

    def _drain(self, target: SlowTarget) -> Optional[tuple[Callable[[Any], Step], Optional[Exception]]]:
        """None if it has to be waited for."""
        try:
            if target.flush():
                return self._steps.send, None
        except CannotWrite as error:
            return self._steps.throw, error
        self._draining, self._is_draining_only = target, True
        return None

    def _divert(self, step: ReadBody) -> Optional[tuple[Callable[[Any], Step], Exception]]:
        """None where the pieces come from now on."""
        assert self._mailbox is not None
        if not step.in_worker:
            self._write, self._target = step.write, step.target
            return None
        try:
            self._mailbox.divert(step.write)
            self._mailbox.mark_active()
        except CannotWrite as error:
            return self._steps.throw, error
        return None

    def _start(self, request: Request) -> Optional[Response]:
        """The response where there is one at once: that nothing is sent."""
        self._request = request
        self._traced = trace.request_started(request, ())
        engine = self._stop_reason(time.monotonic()) or choose(request, self._rules.engine)
        if isinstance(engine, Failure):
            return Response(request, failure=engine)
        line = TaskEventSink(self, self._rules.event_queue)
        mailbox = Mailbox(line)
        self._upload = request.body if isinstance(request.body, Upload) else None
        if self._upload is not None:
            request = self._request = request._replace(body=self._upload.begin(mailbox))
        self._sink, self._mailbox = line, mailbox
        mailbox.wants_progress = self._progress is not None
        self.handed_over = mailbox.last_activity
        self._transfer = engine.start(request, mailbox, self._rules.hint)
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

    def _leave_flight(self) -> None:
        """End a request whose response has begun, and whose body is not wanted."""
        if self._transfer is not None:
            self._transfer.abort()
        self._transfer = self._sink = self._write = self._target = self._draining = None
        self._waits_until = _NEVER

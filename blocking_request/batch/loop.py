"""The loop that drives the requests of a batch, in the thread of whoever iterates.

Theory of operation: each request is a Task; all of them tell the loop by one queue. The loop runs while the caller asks
for the next result: it starts as many as may run, hears what has come, and looks at the clocks now and then. While the
caller does something else, what is under way goes on, and nothing new is started: so results that nobody takes hold
back requests.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..bodies.file_sink import FileSink
from ..bodies.upload import body_for
from ..calls.arguments import CallArguments
from ..calls.build_request import url_text
from ..calls.context import CallContext, new_context
from ..calls.options import CallOverrides
from ..calls.pipeline import build_flow
from ..calls.prepare import prepare_call
from ..calls.request_attributes import check_options, transfer_timeout, verb_text
from ..calls.sink_flow import build_sink_flow
from ..calls.steps import CallSteps
from ..calls.task import POLL_SECONDS, Task, TaskEventSink, TaskRules
from ..engines.base import BatchHint
from ..engines.events import QueuedEvent
from ..errors import ErrorCode
from ..feedback import Feedback, FeedbackLike, add_listener, remove_listener
from ..manager.settings_holder import settings_of
from ..models.failure import RequestNotSent
from ..models.http_messages import Response
from ..models.urls import origin
from ..qt.slot_exceptions import slot_exceptions_reported
from ..reply import ReplyContent
from .request import BatchRequest

if TYPE_CHECKING:
    from ..manager.manager import NetworkAccessManager

COALESCE_SECONDS = 0.0015
"""How long the loop lets responses come before it takes them. Each wake-up takes time from the engine's threads."""
COALESCED_REQUESTS = 6
"""If no more requests are under way, each response is taken at once."""

QUEUE_DEPTH = 4
"""How many requests are queued for each connection if requests are fast."""
FAST_REQUEST_SECONDS = 0.01
"""Below this estimate a request is fast. Each slower one has a connection of its own."""
SLOWEST_COUNTED_SECONDS = 0.1
"""A slower request counts as one of this duration in the estimate."""
INITIAL_ESTIMATE_SECONDS = 0.005
"""The estimate of how long a request takes, before the first one has ended."""
EMA_WEIGHT = 0.1
"""The weight of the latest request in the estimate, an exponential moving average."""

PATIENT_MS = 10_000
"""Where the idle timeout is shorter, nothing waits in a queue of Qt's, where its time would run."""

TOLD_SECONDS = 0.1
"""Between two events of progress."""

AHEAD = 2
"""As many times ``maxConcurrent`` may be started before the one whose turn it is has ended, where the order is kept."""

PARKED = 4
"""As many times ``maxConcurrent`` may wait for a connection to their origin while others are looked at."""


class BatchResult(NamedTuple):
    """What one request of a batch came to."""

    index: int  # type: ignore[assignment]
    """Its place among the requests."""
    code: ErrorCode
    reply: ReplyContent


class BatchOptions(NamedTuple):
    concurrent: int
    per_origin: int
    """0: as many as ``concurrent``."""
    ordered: bool
    stops_on_error: bool
    force_refresh: bool
    auth_cfg: str
    arguments: CallArguments
    overwrite: Optional[bool] = None


class _Parked(NamedTuple):
    """What is to be sent, as the caller gave it."""

    index: int  # type: ignore[assignment]
    job: BatchRequest
    origin: str


class Loop:
    """For one thread; ``abort`` may be called from any."""

    def __init__(
        self,
        manager: NetworkAccessManager,
        jobs: Iterable[BatchRequest],
        options: BatchOptions,
        feedback: Optional[FeedbackLike],
        total: int,
    ) -> None:
        """``total``: how many jobs there are, -1 where nobody knows."""
        check_options(options.force_refresh, feedback)
        self._manager = manager
        self._jobs = enumerate(jobs)
        self._options = options
        self._feedback = feedback
        self._total = total
        self._event_queue: SimpleQueue[Optional[tuple[TaskEventSink, QueuedEvent]]] = SimpleQueue()
        """What has come over whose line; None wakes the loop."""
        self._hint = BatchHint()
        self._took = INITIAL_ESTIMATE_SECONDS
        """Seconds from start to end of a request, of late."""
        self._is_canceled = False
        settings = settings_of(manager)
        engine = manager.engine()
        self._own = CallOverrides(engine, options.auth_cfg, retry=settings.retry)
        queue, hint = self._event_queue, self._hint
        self._rules = TaskRules(engine, settings.timeout, settings.deadline, queue, hint, self._canceled)
        self._settings = settings
        idle_ms = options.arguments.timeout
        self._is_patient = not 0 < (settings.timeout if idle_ms is None else idle_ms) < PATIENT_MS
        self._running: dict[Task, tuple[_Parked, CallContext]] = {}
        self._parked: list[_Parked] = []
        self._at_origin: Counter[str] = Counter()
        self._ended: dict[int, BatchResult] = {}
        self._turn = 0
        """Whose result is the next, where the order is kept."""
        self._taken: dict[str, int] = {}
        """The names that downloads into a folder have got."""
        self._process = os.getpid()
        hooks = settings.request_preprocessors, settings.auth_handler, settings.ssl_error_handler
        self._is_quiet = total >= 0 and not any(hooks) and not manager.requestAboutToBeCreated
        """Whether nobody's code runs while requests are started, which may take long."""
        self._has_more = True
        self.finished = 0
        self.received = 0
        self._told = 0.0
        self._looked = 0.0

    def run(self) -> Generator[BatchResult, None, None]:
        feedback = self._feedback
        if isinstance(feedback, Feedback):
            add_listener(feedback, self.abort)
        try:
            while True:
                if os.getpid() != self._process:
                    # In the child of a fork nothing is under way.
                    self._running, self._parked, self._has_more = {}, [], False
                self._start_more()
                self._wake()
                yield from self._ready()
                if not self._running:
                    if not (self._has_more or self._parked):
                        return
                    continue
                self._hear()
        finally:
            if isinstance(feedback, Feedback):
                remove_listener(feedback, self.abort)
            for task in list(self._running):
                with suppress(Exception):
                    task.close()

    def describe(self) -> str:
        """How far it is, in words."""
        total = "" if self._total < 0 else f" of {self._total}"
        canceled = ", cancelled" if self._is_canceled else ""
        return f"{len(self._running)}{total} requests under way{canceled}"

    def abort(self) -> None:
        """End everything, and start nothing more."""
        self._is_canceled = True
        self._event_queue.put(None)

    def _canceled(self) -> bool:
        feedback = self._feedback
        return self._is_canceled or (feedback is not None and feedback.isCanceled())

    def _ready(self) -> Iterator[BatchResult]:
        ended = self._ended
        if self._options.ordered:
            while self._turn in ended:
                result = ended.pop(self._turn)
                self._turn += 1
                yield result
        else:
            while ended:
                yield ended.pop(next(iter(ended)))
        if not self._running and not self._parked:
            self._tell(is_last=True)

    def _wake(self) -> None:
        while self._hint.pending_wakeups:
            self._hint.pending_wakeups.pop()()

    def _start_more(self) -> None:
        end = time.monotonic() + POLL_SECONDS
        # What takes long to be asked for must not keep what has come waiting.
        while len(self._running) < self._options.concurrent and time.monotonic() < end:
            found = self._next()
            if found is None:
                return
            task = self._prepared(found)
            if task is None:
                continue
            self._at_origin[found.origin] += 1
            task.begin()
            if task.response is not None:
                self._note_end(task)
            if not self._is_quiet:
                self._wake()

    def _next(self) -> Optional[_Parked]:
        """One that may be started now."""
        is_in_reach = len(self._ended) < AHEAD * self._options.concurrent
        for place, parked in enumerate(self._parked):
            if self._has_room(parked.origin) and (is_in_reach or parked.index == self._turn):
                del self._parked[place]
                return parked
        while self._has_more and is_in_reach and len(self._parked) < PARKED * self._options.concurrent:
            if self._canceled():
                self._has_more = False
                break
            found = next(self._jobs, None)
            if found is None:
                self._has_more = False
                break
            index, job = found
            parked = _Parked(index, job, self._origin(job))
            if self._has_room(parked.origin):
                return parked
            self._parked.append(parked)
        return None

    def _origin(self, job: BatchRequest) -> str:
        """Of the first URL; '' where it does not matter."""
        if self._options.per_origin == 0:
            return ""
        try:
            return origin(url_text(job.request))
        except ValueError:
            return ""  # it will be told that it is none

    def _has_room(self, origin: str) -> bool:
        return not 0 < self._options.per_origin <= self._at_origin[origin]

    def _prepared(self, parked: _Parked) -> Optional[Task]:
        """One that is about to begin; None where it has ended before. Raises TypeError, ValueError for what is no
        request.
        """
        job = parked.job
        verb = verb_text(job.verb)
        context = new_context(job.request, verb, self._settings, self._options.arguments)
        overwrite = self._options.overwrite
        sink = None if job.path is None else FileSink(job.path, False, None, overwrite, self._taken)
        data, refreshes = body_for(verb, job.data), self._options.force_refresh
        try:
            prepared = prepare_call(
                context, self._manager, data, self._own, _go_on, refreshes, streams=sink is not None
            )
        except RequestNotSent as request_not_sent:
            self._end(parked.index, context, context.failed(request_not_sent.failure))
            return None
        steps: CallSteps = (
            build_flow(prepared) if sink is None else build_sink_flow(sink, prepared)  # type: ignore[assignment]
        )
        idle_ms = self._options.arguments.timeout
        if idle_ms is None:
            idle_ms = transfer_timeout(job.request) or self._rules.idle_ms
        task = Task(steps, self._rules, context.failed, idle_ms)
        self._running[task] = parked, context
        return task

    def _hear(self) -> None:
        """Wait until something has come, and take all of it."""
        event_queue = self._event_queue
        if self._hint.queue_depth > 1 and len(self._running) > COALESCED_REQUESTS:
            time.sleep(COALESCE_SECONDS)
        with suppress(Empty):
            self._take(event_queue.get(timeout=POLL_SECONDS))
            # All of it: what has come while the caller did something else must not be taken for late.
            while True:
                self._take(event_queue.get_nowait())
        now = time.monotonic()
        if now - self._looked >= POLL_SECONDS or self._is_canceled:
            self._looked = now
            for task in list(self._running):
                task.look()
                if task.response is not None:
                    self._note_end(task)

    def _take(self, event: Optional[tuple[TaskEventSink, QueuedEvent]]) -> None:
        if event is not None:
            line, told = event
            task = line.task
            task.handle_event(line, told)
            if task.response is not None:
                self._note_end(task)

    def _note_end(self, task: Task) -> None:
        running = self._running.pop(task, None)
        if running is None or task.response is None:
            return
        parked, context = running
        if task.handed_over:
            self._note_pace(time.monotonic() - task.handed_over)
        self._at_origin[parked.origin] -= 1
        self._end(parked.index, context, task.response)

    def _note_pace(self, seconds: float) -> None:
        """Where requests take no time, the time goes into threads that wait for each other."""
        self._took += (min(seconds, SLOWEST_COUNTED_SECONDS) - self._took) * EMA_WEIGHT
        hint = self._hint
        is_fast = self._took < FAST_REQUEST_SECONDS * hint.queue_depth
        hint.queue_depth = QUEUE_DEPTH if is_fast and self._is_patient else 1

    def _end(self, index: int, context: CallContext, response: Response) -> None:
        reply = context.to_reply(response)
        context.notify(self._manager, reply)
        code = reply.errorCode()
        self._ended[index] = BatchResult(index, code, reply)
        self.finished += 1
        self.received += response.encoded_bytes
        is_over = code is ErrorCode.CanceledError  # whoever wanted that: the application may be going
        if is_over or (self._options.stops_on_error and code is not ErrorCode.NoError):
            self.abort()
        if self._feedback is not None:
            self._tell()

    def _tell(self, is_last: bool = False) -> None:
        """Tell the feedback how many have ended, ten times a second at most."""
        feedback: Any = self._feedback
        now = time.monotonic()
        if feedback is None or (now - self._told < TOLD_SECONDS and not is_last):
            return
        self._told = now
        with slot_exceptions_reported:  # of a QgsFeedback, whose signals are not ours
            if hasattr(feedback, "setProcessedCount"):
                feedback.setProcessedCount(self.finished)
            if self._total > 0 and hasattr(feedback, "setProgress"):
                feedback.setProgress(100.0 * self.finished / self._total)


def _go_on() -> None:
    """Return no reason to stop: batch bodies are read before sending, so there is nothing to stop."""

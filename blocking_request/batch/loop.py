"""The loop that drives the requests of a batch, in the thread that iterates over the results.

Theory of operation: each request is a Task. The loop runs while the caller waits for the next result. It repeats these
steps:

1. Start tasks, up to ``maxConcurrent``.
2. Give finished results to the caller. Before each one, start and advance everything that does not need to wait.
3. Advance the tasks whose sockets are ready (one selector watches all sockets), and handle the events that the qt
   engine's workers have put into one queue.
4. Check the timeouts and the feedback, every ``POLL_SECONDS``.

While the caller works with a result, only transfers of the qt engine continue, and no request is started. So a slow
caller slows the batch down, and memory stays bounded.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

from .. import trace
from ..bodies.file_sink import FileSink
from ..bodies.upload import body_for
from ..calls.cancel import Cancellation
from ..calls.context import CallContext, new_context
from ..calls.pipeline import build_flow
from ..calls.running import RunningCall, drivers
from ..calls.sink_flow import build_sink_flow
from ..calls.steps import CallSteps
from ..calls.task import POLL_SECONDS, Task, TaskEventSink, TaskRules
from ..calls.timeouts import Timeouts
from ..engines.base import BatchHint
from ..engines.choice import AUTO
from ..engines.clock import Clock, new_clock
from ..engines.events import QueuedEvent
from ..engines.waiting import Selector
from ..engines.wanted import NEVER
from ..errors import ErrorCode
from ..feedback import Feedback, FeedbackLike
from ..manager.settings_holder import settings_of
from ..models.error_texts import canceled
from ..models.failure import Failure, RequestNotSent
from ..models.http_messages import Response
from ..models.urls import origin
from ..prepare.arguments import CallArguments
from ..prepare.build_request import url_text
from ..prepare.options import CallOverrides, usable_engine
from ..prepare.prepare_call import PreparedCall, prepare_call
from ..prepare.request_attributes import check_options, transfer_timeout, verb_text
from ..qt.connection_options import connections_per_host
from ..qt.slot_exceptions import slot_exceptions_reported
from .pace import PaceEstimate
from .request import BatchRequest
from .result_buffer import BatchResult, ResultBuffer

if TYPE_CHECKING:
    from ..manager.manager import NetworkAccessManager

COALESCE_SECONDS = 0.0015
"""How long the loop collects responses before it handles them. Each wake-up of it slows the engine's threads."""
COALESCED_REQUESTS = 6
"""If no more requests than this are running, each response is handled at once."""

ADVANCE_SECONDS = 0.001
"""Before a result is given to the caller, the tasks are advanced if that was not done for this long."""

ABSENCE_SECONDS = 0.001
"""If the caller's own code takes longer, its time does not count towards the timeouts of the requests."""

PROGRESS_SECONDS = 0.1
"""Seconds between two reports of progress."""

AHEAD = 2
"""If results are ordered, at most ``AHEAD * maxConcurrent`` of them are kept while an earlier one is missing."""

WAITING = 4
"""At most ``WAITING * maxConcurrent`` requests wait for ``maxPerOrigin`` while later ones are started."""


class BatchOptions(NamedTuple):
    """The options of a batch, as in ``NetworkAccessManager.getMany``."""

    concurrent: int
    per_origin: int
    """0: as many as ``concurrent``."""
    ordered: bool
    stops_on_error: bool
    force_refresh: bool
    auth_cfg: str
    arguments: CallArguments
    overwrite: Optional[bool] = None


class _Item(NamedTuple):
    """A request of the batch with its index."""

    index: int  # type: ignore[assignment]
    request: BatchRequest
    origin: str
    """The origin of its URL; '' if there is no limit for each origin."""
    limit: int
    """How many requests of its origin may run at once; 0: any number."""


class _EventQueue:
    """The queue of the workers' events, each with its sink. None in it only wakes the loop.

    ``put`` may be called in any thread.
    """

    def __init__(self, selector: Selector[Task], clock: Clock) -> None:
        self._clock = clock
        self._queue: SimpleQueue[Optional[tuple[TaskEventSink, QueuedEvent]]] = SimpleQueue()
        self._selector = selector
        self._is_selecting = False
        """Whether the loop waits in its selector, which ``put`` must wake."""

    def put(self, event: Optional[tuple[TaskEventSink, QueuedEvent]]) -> None:
        self._queue.put(event)
        if self._is_selecting:
            self._selector.wake()

    def begin_to_wait(self) -> bool:
        """Have ``put`` wake the selector from now on. Return False if the queue has an event already."""
        self._is_selecting = True
        return self._queue.empty()

    def end_to_wait(self) -> None:
        self._is_selecting = False

    def get(self, seconds: float) -> Optional[tuple[TaskEventSink, QueuedEvent]]:
        """Return the next event. Raises Empty if none comes within ``seconds``."""
        return self._clock.get(self._queue, seconds) if seconds > 0 else self._queue.get_nowait()


class Loop:
    """Drives the requests of a batch. For one thread; ``abort`` may be called in any thread."""

    def __init__(
        self,
        manager: NetworkAccessManager,
        requests: Iterable[BatchRequest],
        options: BatchOptions,
        feedback: Optional[FeedbackLike],
        total: int,
    ) -> None:
        """``total``: the number of requests, -1 if it is not known."""
        check_options(options.force_refresh, feedback)
        self._manager = manager
        self._requests = enumerate(requests)
        self._options = options
        self._feedback = feedback
        self._total = total
        clock = self._clock = new_clock()
        self._selector: Selector[Task] = Selector(clock)
        """Waits for the sockets of the transfers that this thread performs."""
        self._event_queue = _EventQueue(self._selector, clock)
        self._cancellation = Cancellation(feedback, partial(self._event_queue.put, None))
        settings = self._settings = settings_of(manager)
        self._engine_failure: Optional[Failure] = None
        """Why no request can be sent: BLOCKING_REQUEST_ENGINE names an unknown engine."""
        engine = AUTO
        try:
            engine = usable_engine(manager)
        except RequestNotSent as request_not_sent:
            self._engine_failure = request_not_sent.failure
        self._overrides = CallOverrides(engine, options.auth_cfg, retry=settings.retry)
        self._hint = BatchHint()
        self._pace = PaceEstimate(self._hint)
        self._rules = TaskRules(
            engine=engine, event_queue=self._event_queue, waiter=self._selector, hint=self._hint, clock=clock
        )
        self._running: dict[Task, tuple[_Item, CallContext]] = {}
        self._running_per_origin: Counter[str] = Counter()
        self._waiting: list[_Item] = []
        """Requests that wait because ``maxPerOrigin`` requests of their origin are running."""
        self._has_more = True
        self._results = ResultBuffer(options.ordered)
        self._names: dict[str, int] = {}
        """The file names already given to downloads into a folder."""
        self._process = os.getpid()
        prompts = settings.auth_prompt, settings.proxy_auth_prompt, settings.ssl_error_prompt
        hooks = settings.request_preprocessors, settings.auth_handler, settings.ssl_error_handler, *prompts
        self._starts_quickly = total >= 0 and not any(hooks) and not manager.requestAboutToBeCreated
        """Whether starting a request runs no code of the caller, which may be slow. If it does, workers are woken after
        each request, not after a round of them."""
        self.finished = 0
        self.received = 0
        self._exception: Optional[Exception] = None
        """The first exception of the caller's own code: the iterable of requests, a handler, a body."""
        self._progress_at = 0.0
        self._checked_at = 0.0
        self._advanced_at = 0.0
        self.thread = 0
        """The thread that waits for the next result; 0: none does."""
        drivers.add(self)

    def running_calls(self) -> Iterator[RunningCall]:
        """Yield the requests that run, in words. Any thread may call this."""
        for task, (_, context) in list(self._running.items()):
            yield task.running_call(self.thread, context.started)

    def run(self) -> Generator[BatchResult, None, None]:
        try:
            with self._cancellation:
                yield from self._run()
        finally:
            for task, (_, context) in list(self._running.items()):
                with suppress(Exception):
                    task.close()
                    context.report_end(task.report, context.failed(canceled()))
            self._selector.close()
            if self._hint.shared is not None:
                self._hint.shared.close()

    def _run(self) -> Iterator[BatchResult]:
        while True:
            self._leave_to_parent()
            self._attempt(self._start_more)
            self._wake()
            for result in self._results.take_ready():
                self._attempt(self._advance)
                left_at = self._clock.now()
                yield result
                self._leave_to_parent()
                self._allow_for_absence(left_at)
            if self._exception is not None:
                yield from self._results.take_all()
                raise self._take_exception()
            if not self._running and not self._waiting:
                self._report_progress(is_last=True)
            if self._running:
                self._attempt(self._handle_events)
            elif not (self._has_more or self._waiting):
                return

    def _take_exception(self) -> Exception:
        """Return the exception, and keep it no longer: its traceback holds this object."""
        error, self._exception = self._exception, None
        assert error is not None
        return error

    def _leave_to_parent(self) -> None:
        """In the child of a fork, end without more requests: the transfers belong to the parent."""
        if os.getpid() != self._process:
            self._running, self._waiting, self._has_more = {}, [], False

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do a step, unless one has failed. An exception of the caller's code is raised after the results that are
        there.
        """
        if self._exception is None:
            try:
                step()
            except Exception as error:
                self._exception = error

    def _advance(self) -> None:
        """Start and advance everything that does not need to wait, before the caller works with a result.

        The caller may work for a long time. An operation with several round trips, such as a TLS handshake, continues
        when the caller asks for the next result.
        """
        now = time.monotonic()
        if now - self._advanced_at < ADVANCE_SECONDS:
            return
        self._advanced_at = now
        self._handle_events(0.0)
        self._start_more()
        self._wake()

    def _allow_for_absence(self, left_at: float) -> None:
        """Leave the time since ``left_at``, in which the caller's own code ran, out of the timeouts."""
        seconds = self._clock.now() - left_at
        if seconds >= ABSENCE_SECONDS:
            for task in self._running:
                task.allow_for_absence(seconds)

    def describe(self) -> str:
        """Describe the progress, for ``repr``."""
        total = "" if self._total < 0 else f" of {self._total}"
        canceled = ", cancelled" if self._cancellation.canceled else ""
        return f"{len(self._running)}{total} requests running{canceled}"

    def abort(self) -> None:
        """Cancel all running requests, and start no more."""
        self._cancellation.cancel()

    def _wake(self) -> None:
        while self._hint.pending_wakeups:
            self._hint.pending_wakeups.pop()()

    def _start_more(self) -> None:
        end = self._clock.now() + POLL_SECONDS
        # A limit of time: a slow generator of requests must not delay the handling of events.
        while len(self._running) < self._options.concurrent and self._clock.now() < end:
            left_at = self._clock.now()
            item = self._next()
            self._allow_for_absence(left_at)
            if item is None:
                return
            task = self._new_task(item)
            if task is None:
                continue
            self._running_per_origin[item.origin] += 1
            self._advance_task(task, task.begin)
            if not self._starts_quickly:
                self._wake()

    def _next(self) -> Optional[_Item]:
        """Return a request that may be started now, or None."""
        is_in_reach = len(self._results) < AHEAD * self._options.concurrent
        for place, item in enumerate(self._waiting):
            if self._has_room(item) and (is_in_reach or item.index == self._results.next_index):
                del self._waiting[place]
                return item
        while self._has_more and is_in_reach and len(self._waiting) < WAITING * self._options.concurrent:
            numbered = None if self._cancellation.is_canceled() else next(self._requests, None)
            if numbered is None:
                self._has_more = False
                break
            index, request = numbered
            limit = self._limit(request)
            item = _Item(index, request, self._origin(request) if limit else "", limit)
            if self._has_room(item):
                return item
            self._waiting.append(item)
        return None

    def _origin(self, request: BatchRequest) -> str:
        """Return the origin of the request's URL; '' if the URL is not valid."""
        try:
            return origin(url_text(request.request))
        except ValueError:
            return ""  # its call fails, and says why

    def _limit(self, request: BatchRequest) -> int:
        """Return how many requests of one origin may run beside this one; 0: any number."""
        own, all_requests = connections_per_host(request.request), self._options.per_origin
        return min(own, all_requests) if own and all_requests else own or all_requests

    def _has_room(self, item: _Item) -> bool:
        return not 0 < item.limit <= self._running_per_origin[item.origin]

    def _new_task(self, item: _Item) -> Optional[Task]:
        """Return a task that can begin; None if the request failed before it was sent.

        Raises TypeError or ValueError if the request is not valid.
        """
        left_at = self._clock.now()
        # The context, the sink of a download, and the timeouts.
        request = item.request
        verb = verb_text(request.verb)
        context = new_context(request.request, verb, self._settings, self._options.arguments, self._clock)
        overwrite = self._options.overwrite
        sink = None if request.path is None else FileSink(request.path, False, None, overwrite, self._names)
        data, refreshes = body_for(verb, request.data), self._options.force_refresh
        idle_ms = self._options.arguments.timeout
        if idle_ms is None:
            idle_ms = transfer_timeout(request.request) or self._settings.timeout
        self._pace.note_idle_timeout(idle_ms)
        timeouts = Timeouts(idle_ms, self._settings.deadline, self._cancellation.is_canceled, clock=self._clock.now)
        # The request, which runs preprocessors and slots of the caller.
        prepared: Union[PreparedCall, Failure]
        try:
            prepared = self._engine_failure or prepare_call(
                context, self._manager, data, self._overrides, timeouts, refreshes, streams=sink is not None
            )
        except RequestNotSent as request_not_sent:
            prepared = request_not_sent.failure
        self._allow_for_absence(left_at)
        if isinstance(prepared, Failure):
            self._end(item.index, context, context.failed(prepared), None)
            return None
        # The flow, and the task that drives it.
        steps: CallSteps = (
            build_flow(prepared) if sink is None else build_sink_flow(sink, prepared)  # type: ignore[assignment]
        )
        task = Task(steps, self._rules, context.failed, timeouts)
        if trace.wants_calls():
            task.report = context.report_start(prepared.request)
        self._running[task] = item, context
        return task

    def _handle_events(self, seconds: float = POLL_SECONDS) -> None:
        """Wait up to ``seconds`` for an event, handle all events that are there, and check the timeouts."""
        event_queue = self._event_queue
        if seconds and self._clock.is_virtual:
            seconds = self._seconds_left()
        if self._selector.has_waiting:
            self._step(seconds if event_queue.begin_to_wait() else 0.0)
            event_queue.end_to_wait()
            seconds = 0.0
        elif seconds and self._hint.queue_depth > 1 and len(self._running) > COALESCED_REQUESTS:
            time.sleep(COALESCE_SECONDS)
        self._handle_queued(seconds)
        self._look_at_clocks()

    def _seconds_left(self) -> float:
        """Return the seconds until the first timeout of a task is due. A feedback of another class is polled."""
        longest = NEVER if self._feedback is None or isinstance(self._feedback, Feedback) else POLL_SECONDS
        return min((longest, *(task.seconds_left() for task in self._running)))

    def _step(self, seconds: float) -> None:
        """Advance the transfers that this thread performs; wait up to ``seconds`` for their sockets."""
        for task in self._selector.wait(seconds):
            self._advance_task(task, task.step)
            self._look_at_clocks()  # after each task, because each may have decoded megabytes

    def _handle_queued(self, seconds: float) -> None:
        """Handle the events of the workers; wait up to ``seconds`` for the first one."""
        with suppress(Empty):
            self._handle(self._event_queue.get(seconds))
            while True:
                self._handle(self._event_queue.get(0.0))

    def _look_at_clocks(self) -> None:
        """End the tasks that are late or cancelled, if the last look was some time ago."""
        clock = self._clock
        now = clock.now()
        if now - self._checked_at < POLL_SECONDS and not self._cancellation.canceled and not clock.is_virtual:
            return
        self._checked_at = now
        self._handle_queued(0.0)  # before the timeouts: an event that came while the caller worked is not late
        for task in list(self._running):
            self._advance_task(task, task.check_clocks)

    def _advance_task(self, task: Task, step: Callable[[], None]) -> None:
        """Do a step of a task, and note whether the task has ended.

        The time of a long step is left out of the idle timeouts of the other tasks, which did not go on. The step may
        have called a handler of the caller, or read a slow file. Deadlines go on: it may have decoded much instead.
        """
        now = self._clock.now
        began_at = now()
        step()
        seconds = now() - began_at
        if seconds >= POLL_SECONDS:
            for other in self._running:
                if other is not task:
                    other.allow_for_absence(seconds, puts_off_deadline=False)
        if task.response is not None:
            self._note_end(task)

    def _handle(self, event: Optional[tuple[TaskEventSink, QueuedEvent]]) -> None:
        if event is not None:
            sink, task_event = event
            self._advance_task(sink.task, partial(sink.task.handle_event, sink, task_event))

    def _note_end(self, task: Task) -> None:
        running = self._running.pop(task, None)
        if running is None or task.response is None:
            return
        item, context = running
        if task.handed_over:
            self._pace.add(self._clock.now() - task.handed_over)
        self._running_per_origin[item.origin] -= 1
        self._end(item.index, context, task.response, task.report)

    def _end(self, index: int, context: CallContext, response: Response, report: Optional[trace.ReportedCall]) -> None:
        context.report_end(report, response)
        reply = context.to_reply(response)
        left_at = self._clock.now()
        context.notify(self._manager, reply)
        self._allow_for_absence(left_at)
        code = reply.errorCode()
        self._results.add(BatchResult(index, code, reply))
        self.finished += 1
        self.received += response.encoded_bytes
        # A cancelled call ends the batch: the application quits, or the engines were shut down.
        is_over = code is ErrorCode.CanceledError
        if is_over or (self._options.stops_on_error and code is not ErrorCode.NoError):
            self.abort()
        if self._feedback is not None:
            self._report_progress()

    def _report_progress(self, is_last: bool = False) -> None:
        """Report the number of ended requests to the feedback, at most ten times a second."""
        feedback: Any = self._feedback
        now = time.monotonic()
        if feedback is None or (now - self._progress_at < PROGRESS_SECONDS and not is_last):
            return
        self._progress_at = now
        with slot_exceptions_reported:  # a QgsFeedback emits its signals without our handling of slot exceptions
            if hasattr(feedback, "setProcessedCount"):
                feedback.setProcessedCount(self.finished)
            if self._total > 0 and hasattr(feedback, "setProgress"):
                feedback.setProgress(100.0 * self.finished / self._total)

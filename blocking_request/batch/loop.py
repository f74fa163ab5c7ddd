"""The loop that drives the requests of a batch, in the thread that iterates over the results.

Theory of operation: each request is a Task. The loop runs while the caller asks for the next result: it starts as many
as may run, advances those whose sockets are ready (one selector watches all of them), takes the events of the qt
engine's workers from one queue, and looks at the clocks now and then. Before it gives a result to the caller, it begins
and reads everything that need not be waited for. While the caller works, only the qt engine's transfers go on, and
nothing new is started: so results that are not taken hold back requests.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..bodies.file_sink import FileSink
from ..bodies.upload import body_for
from ..calls.cancel import Cancellation
from ..calls.context import CallContext, new_context
from ..calls.pipeline import build_flow
from ..calls.sink_flow import build_sink_flow
from ..calls.steps import CallSteps
from ..calls.task import POLL_SECONDS, Task, TaskEventSink, TaskRules
from ..calls.timeouts import Timeouts
from ..engines.base import BatchHint
from ..engines.events import QueuedEvent
from ..engines.waiting import Selector
from ..errors import ErrorCode
from ..feedback import FeedbackLike
from ..manager.settings_holder import settings_of
from ..models.failure import RequestNotSent
from ..models.http_messages import Response
from ..models.urls import origin
from ..prepare.arguments import CallArguments
from ..prepare.build_request import url_text
from ..prepare.options import CallOverrides
from ..prepare.prepare_call import prepare_call
from ..prepare.request_attributes import check_options, transfer_timeout, verb_text
from ..qt.slot_exceptions import slot_exceptions_reported
from .pace import PaceEstimate
from .request import BatchRequest
from .result_buffer import BatchResult, ResultBuffer

if TYPE_CHECKING:
    from ..manager.manager import NetworkAccessManager

COALESCE_SECONDS = 0.0015
"""How long the loop lets responses come before it takes them. Each wake-up takes time from the engine's threads."""
COALESCED_REQUESTS = 6
"""If no more requests are under way, each response is taken at once."""

QUEUEING_TIMEOUT_MS = 10_000
"""If the idle timeout is shorter, no request waits in a queue of Qt's, where its time would run."""

ADVANCE_SECONDS = 0.001
"""How old the last look at the events may be if the caller is given a result."""

ABSENCE_SECONDS = 0.001
"""If the caller's own code takes longer, the clocks of the requests stand still in the meantime."""

PROGRESS_SECONDS = 0.1
"""Seconds between two reports of progress."""

AHEAD = 2
"""As many times ``maxConcurrent`` results may wait for the one that comes before them in the order of the requests."""

WAITING = 4
"""As many times ``maxConcurrent`` requests may wait for a connection to their origin while others are started."""


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


class _Item(NamedTuple):
    """A request of the batch, as the caller gave it."""

    index: int  # type: ignore[assignment]
    request: BatchRequest
    origin: str
    """The origin of its URL; '' if that does not matter."""


class _EventQueue:
    """The events of workers, each with the sink that it came to; None wakes the loop.

    ``put`` may be called from any thread.
    """

    def __init__(self, selector: Selector[Task]) -> None:
        self._queue: SimpleQueue[Optional[tuple[TaskEventSink, QueuedEvent]]] = SimpleQueue()
        self._selector = selector
        self._is_selecting = False
        """Whether the loop waits with its selector, and not here."""

    def put(self, event: Optional[tuple[TaskEventSink, QueuedEvent]]) -> None:
        self._queue.put(event)
        if self._is_selecting:
            self._selector.wake()

    def begin_to_wait(self) -> bool:
        """From now on ``put`` wakes the selector; return False if something is there already."""
        self._is_selecting = True
        return self._queue.empty()

    def end_to_wait(self) -> None:
        self._is_selecting = False

    def get(self, seconds: float) -> Optional[tuple[TaskEventSink, QueuedEvent]]:
        """Raises Empty if nothing comes in the meantime."""
        return self._queue.get(timeout=seconds) if seconds > 0 else self._queue.get_nowait()


class Loop:
    """For one thread; ``abort`` may be called from any."""

    def __init__(
        self,
        manager: NetworkAccessManager,
        requests: Iterable[BatchRequest],
        options: BatchOptions,
        feedback: Optional[FeedbackLike],
        total: int,
    ) -> None:
        """``total``: how many requests there are, -1 if it is not known."""
        check_options(options.force_refresh, feedback)
        self._manager = manager
        self._requests = enumerate(requests)
        self._options = options
        self._feedback = feedback
        self._total = total
        self._selector: Selector[Task] = Selector()
        """Waits for the transfers that this thread performs."""
        self._event_queue = _EventQueue(self._selector)
        self._cancellation = Cancellation(feedback, partial(self._event_queue.put, None))
        settings = self._settings = settings_of(manager)
        engine = manager.engine()
        self._overrides = CallOverrides(engine, options.auth_cfg, retry=settings.retry)
        idle_ms = settings.timeout if options.arguments.timeout is None else options.arguments.timeout
        self._hint = BatchHint()
        self._pace = PaceEstimate(self._hint, may_queue=not 0 < idle_ms < QUEUEING_TIMEOUT_MS)
        self._rules = TaskRules(engine=engine, event_queue=self._event_queue, waiter=self._selector, hint=self._hint)
        self._running: dict[Task, tuple[_Item, CallContext]] = {}
        self._running_per_origin: Counter[str] = Counter()
        self._waiting: list[_Item] = []
        """Requests that wait for a connection to their origin."""
        self._has_more = True
        self._results = ResultBuffer(options.ordered)
        self._names: dict[str, int] = {}
        """The names that downloads into a folder have got."""
        self._process = os.getpid()
        hooks = settings.request_preprocessors, settings.auth_handler, settings.ssl_error_handler
        self._starts_quickly = total >= 0 and not any(hooks) and not manager.requestAboutToBeCreated
        """Whether no code of the caller, which may take long, runs while requests are started."""
        self.finished = 0
        self.received = 0
        self._progress_at = 0.0
        self._checked_at = 0.0
        self._advanced_at = 0.0

    def run(self) -> Generator[BatchResult, None, None]:
        try:
            with self._cancellation:
                yield from self._run()
        finally:
            for task in list(self._running):
                with suppress(Exception):
                    task.close()
            self._selector.close()
            if self._hint.shared is not None:
                self._hint.shared.close()

    def _run(self) -> Iterator[BatchResult]:
        while True:
            if os.getpid() != self._process:
                # In the child of a fork nothing is under way.
                self._running, self._waiting, self._has_more = {}, [], False
            self._start_more()
            self._wake()
            for result in self._results.take_ready():
                self._advance()
                left_at = time.monotonic()
                yield result
                self._allow_for_absence(time.monotonic() - left_at)
            if not self._running and not self._waiting:
                self._report_progress(is_last=True)
            if self._running:
                self._handle_events()
            elif not (self._has_more or self._waiting):
                return

    def _advance(self) -> None:
        """Go on with everything that need not be waited for, before the caller works with a result.

        The caller may take long. What takes several steps, such as a TLS handshake, goes on when it comes back.
        """
        now = time.monotonic()
        if now - self._advanced_at < ADVANCE_SECONDS:
            return
        self._advanced_at = now
        self._handle_events(0.0)
        self._start_more()
        self._wake()

    def _allow_for_absence(self, seconds: float) -> None:
        """Count the time that the caller's own code took for no request that this thread performs."""
        if seconds >= ABSENCE_SECONDS:
            for task in self._running:
                task.allow_for_absence(seconds)

    def describe(self) -> str:
        """How far it is, in words."""
        total = "" if self._total < 0 else f" of {self._total}"
        canceled = ", cancelled" if self._cancellation.canceled else ""
        return f"{len(self._running)}{total} requests under way{canceled}"

    def abort(self) -> None:
        """End everything, and start nothing more."""
        self._cancellation.cancel()

    def _wake(self) -> None:
        while self._hint.pending_wakeups:
            self._hint.pending_wakeups.pop()()

    def _start_more(self) -> None:
        end = time.monotonic() + POLL_SECONDS
        # A caller that takes long to give the next request must not keep events waiting.
        while len(self._running) < self._options.concurrent and time.monotonic() < end:
            left_at = time.monotonic()
            item = self._next()
            self._allow_for_absence(time.monotonic() - left_at)
            if item is None:
                return
            task = self._new_task(item)
            if task is None:
                continue
            self._running_per_origin[item.origin] += 1
            task.begin()
            if task.response is not None:
                self._note_end(task)
            if not self._starts_quickly:
                self._wake()

    def _next(self) -> Optional[_Item]:
        """A request that may be started now."""
        is_in_reach = len(self._results) < AHEAD * self._options.concurrent
        for place, item in enumerate(self._waiting):
            if self._has_room(item.origin) and (is_in_reach or item.index == self._results.next_index):
                del self._waiting[place]
                return item
        while self._has_more and is_in_reach and len(self._waiting) < WAITING * self._options.concurrent:
            numbered = None if self._cancellation.is_canceled() else next(self._requests, None)
            if numbered is None:
                self._has_more = False
                break
            index, request = numbered
            item = _Item(index, request, self._origin(request))
            if self._has_room(item.origin):
                return item
            self._waiting.append(item)
        return None

    def _origin(self, request: BatchRequest) -> str:
        """The origin of the first URL; '' if it does not matter."""
        if self._options.per_origin == 0:
            return ""
        try:
            return origin(url_text(request.request))
        except ValueError:
            return ""  # its call fails, and says why

    def _has_room(self, origin: str) -> bool:
        return not 0 < self._options.per_origin <= self._running_per_origin[origin]

    def _new_task(self, item: _Item) -> Optional[Task]:
        """A task that is about to begin; None if its call has failed already. Raises TypeError, ValueError if the
        request is none.
        """
        request = item.request
        verb = verb_text(request.verb)
        context = new_context(request.request, verb, self._settings, self._options.arguments)
        overwrite = self._options.overwrite
        sink = None if request.path is None else FileSink(request.path, False, None, overwrite, self._names)
        data, refreshes = body_for(verb, request.data), self._options.force_refresh
        idle_ms = self._options.arguments.timeout
        if idle_ms is None:
            idle_ms = transfer_timeout(request.request) or self._settings.timeout
        timeouts = Timeouts(idle_ms, self._settings.deadline, self._cancellation.is_canceled)
        try:
            prepared = prepare_call(
                context, self._manager, data, self._overrides, timeouts.stop_reason, refreshes, streams=sink is not None
            )
        except RequestNotSent as request_not_sent:
            self._end(item.index, context, context.failed(request_not_sent.failure))
            return None
        steps: CallSteps = (
            build_flow(prepared) if sink is None else build_sink_flow(sink, prepared)  # type: ignore[assignment]
        )
        task = Task(steps, self._rules, context.failed, timeouts)
        self._running[task] = item, context
        return task

    def _handle_events(self, seconds: float = POLL_SECONDS) -> None:
        """Wait until an event has come, for some seconds at most, and handle all that have."""
        event_queue = self._event_queue
        if self._selector.has_waiting:
            self._step(seconds if event_queue.begin_to_wait() else 0.0)
            event_queue.end_to_wait()
            seconds = 0.0
        elif seconds and self._hint.queue_depth > 1 and len(self._running) > COALESCED_REQUESTS:
            time.sleep(COALESCE_SECONDS)
        with suppress(Empty):
            self._handle(event_queue.get(seconds))
            # All of them: what has come while the caller did something else must not be taken for late.
            while True:
                self._handle(event_queue.get(0.0))
        now = time.monotonic()
        if now - self._checked_at >= POLL_SECONDS or self._cancellation.canceled:
            self._checked_at = now
            for task in list(self._running):
                task.check_clocks()
                if task.response is not None:
                    self._note_end(task)

    def _step(self, seconds: float) -> None:
        """Go on with the transfers that this thread performs; wait for them if need be."""
        for task in self._selector.wait(seconds):
            task.step()
            if task.response is not None:
                self._note_end(task)

    def _handle(self, event: Optional[tuple[TaskEventSink, QueuedEvent]]) -> None:
        if event is not None:
            sink, task_event = event
            task = sink.task
            task.handle_event(sink, task_event)
            if task.response is not None:
                self._note_end(task)

    def _note_end(self, task: Task) -> None:
        running = self._running.pop(task, None)
        if running is None or task.response is None:
            return
        item, context = running
        if task.handed_over:
            self._pace.add(time.monotonic() - task.handed_over)
        self._running_per_origin[item.origin] -= 1
        self._end(item.index, context, task.response)

    def _end(self, index: int, context: CallContext, response: Response) -> None:
        reply = context.to_reply(response)
        left_at = time.monotonic()
        context.notify(self._manager, reply)
        self._allow_for_absence(time.monotonic() - left_at)
        code = reply.errorCode()
        self._results.add(BatchResult(index, code, reply))
        self.finished += 1
        self.received += response.encoded_bytes
        is_over = code is ErrorCode.CanceledError  # also if the application is about to quit
        if is_over or (self._options.stops_on_error and code is not ErrorCode.NoError):
            self.abort()
        if self._feedback is not None:
            self._report_progress()

    def _report_progress(self, is_last: bool = False) -> None:
        """Report to the feedback how many requests have ended, ten times a second at most."""
        feedback: Any = self._feedback
        now = time.monotonic()
        if feedback is None or (now - self._progress_at < PROGRESS_SECONDS and not is_last):
            return
        self._progress_at = now
        with slot_exceptions_reported:  # of a QgsFeedback, whose signals are not ours
            if hasattr(feedback, "setProcessedCount"):
                feedback.setProcessedCount(self.finished)
            if self._total > 0 and hasattr(feedback, "setProgress"):
                feedback.setProgress(100.0 * self.finished / self._total)

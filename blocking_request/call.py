"""One blocking call: drives a flow over a wire and, while it waits, runs the caller's own code in the caller's thread.

Theory of operation: the caller waits on its mailbox until the earliest of its deadlines. Cancel arrives as a notice,
timeouts are counted here, and every tenth of a second the wire is asked whether it is still alive. So whatever becomes
of the wire, the caller wakes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from queue import Empty
from typing import Callable, Optional

from . import messages, trace
from .engines import Engine, Flight
from .errors import Failure
from .exchange import Answer, Cancel, Done, Exchange, Mailbox, Progress
from .feedback import Feedback, FeedbackLike
from .flows import Flow

PULSE = 0.1
"""Seconds between two looks at whether the wire still lives."""

FOREIGN_FEEDBACK_PULSE = 0.02
"""Seconds between two looks at a feedback that is not ours. Its ``canceled`` signal is no help: a plain function
connected in a blocked thread is not called before that thread runs an event loop again."""

GRACE = 0.025
"""Seconds that a cancelled or late call waits for what has arrived so far."""


@dataclass(frozen=True)
class Limits:
    """Both in ms; 0 is none."""

    idle: int
    deadline: int


@dataclass(frozen=True)
class Listeners:
    """The caller's own code, all of it run in the caller's thread."""

    progress: Optional[Callable[[Progress], None]] = None
    redirected: Optional[Callable[[Exchange], None]] = None
    watchers: tuple[trace.Watcher, ...] = ()


class Call:
    """One call of one caller. ``cancel`` may be called from any thread, the rest is for the caller's."""

    def __init__(
        self, engine: Engine, limits: Limits, listeners: Listeners, feedback: Optional[FeedbackLike] = None
    ) -> None:
        self._engine = engine
        self._limits = limits
        self._listeners = listeners
        self._feedback = feedback
        self._mailbox = Mailbox()
        self._canceled = False
        self._started = self._mailbox.activity
        self._deadline = self._started + limits.deadline / 1000 if limits.deadline > 0 else float("inf")
        self._pulse = PULSE if feedback is None or isinstance(feedback, Feedback) else FOREIGN_FEEDBACK_PULSE

    def cancel(self) -> None:
        """End the call with ``CanceledError``."""
        self._canceled = True
        self._mailbox.post(Cancel())

    def ended_early(self) -> Optional[Failure]:
        """Why the call should not go on, cancelled or late, or None."""
        if self._canceled or (self._feedback is not None and self._feedback.isCanceled()):
            return messages.canceled()
        if time.monotonic() >= self._deadline:
            return messages.deadline_passed(self._limits.deadline)
        return None

    def elapsed(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self._started

    def run(self, flow: Flow) -> Answer:
        """Block until the flow has its last answer."""
        feedback = self._feedback
        if not isinstance(feedback, Feedback):
            return self._drive(flow)
        feedback._listen(self.cancel)
        try:
            return self._drive(flow)
        finally:
            feedback._forget(self.cancel)

    def _drive(self, flow: Flow) -> Answer:
        exchange = next(flow)
        while True:
            answer = self._exchange(exchange)
            try:
                following = flow.send(answer)
            except StopIteration as stop:
                last: Answer = stop.value
                return last
            if following.redirects > exchange.redirects and self._listeners.redirected is not None:
                self._listeners.redirected(following)
            exchange = following

    def _exchange(self, exchange: Exchange) -> Answer:
        started = time.monotonic()
        trace.exchange_started(exchange, self._listeners.watchers)
        failure = self.ended_early() or self._engine.refusal(exchange)
        if failure is not None:
            answer = Answer(exchange, failure=failure)
        else:
            self._mailbox.touch()
            flight = self._engine.start(exchange, self._mailbox)
            try:
                answer = self._wait(flight, exchange)
            except BaseException:
                flight.abort()
                raise
        trace.exchange_ended(answer, time.monotonic() - started, self._listeners.watchers)
        return answer

    def _wait(self, flight: Flight, exchange: Exchange) -> Answer:
        mailbox = self._mailbox
        while True:
            now = time.monotonic()
            idle_end = mailbox.activity + self._limits.idle / 1000 if self._limits.idle > 0 else float("inf")
            wait = min(self._pulse, idle_end - now, self._deadline - now)
            try:
                notice = mailbox.take(max(wait, 0.0))
            except Empty:
                failure = self._overdue(flight)
                if failure is not None:
                    return self._end(flight, exchange, failure)
                continue
            if isinstance(notice, Done):
                return notice.answer
            if isinstance(notice, Cancel):
                return self._end(flight, exchange, messages.canceled())
            self._tell(notice)

    def _overdue(self, flight: Flight) -> Optional[Failure]:
        failure = self.ended_early()
        if failure is not None:
            return failure
        if self._limits.idle > 0 and time.monotonic() >= self._mailbox.activity + self._limits.idle / 1000:
            return messages.idle_timeout(self._limits.idle)
        return flight.lost()

    def _tell(self, progress: Progress) -> None:
        if self._listeners.progress is not None:
            self._listeners.progress(progress)
            # The time the caller's own code took is not the server's.
            self._mailbox.touch()

    def _end(self, flight: Flight, exchange: Exchange, failure: Failure) -> Answer:
        """Abort, and take along what has arrived if the worker has it at hand."""
        flight.abort()
        end = time.monotonic() + GRACE
        answer = Answer(exchange)
        while True:
            try:
                notice = self._mailbox.take(max(end - time.monotonic(), 0.0))
            except Empty:
                break
            if isinstance(notice, Done):
                answer = notice.answer
                break
        return replace(answer, failure=failure)

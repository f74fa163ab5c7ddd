"""Runs a flow during a task, for code that waits for the response, such as a hook of requests."""

from __future__ import annotations

from typing import Optional

from ..engines.clock import Clock
from ..flows import Flow
from ..models.http_messages import Request, Response
from ..prepare.settings import MEMORY_LIMIT
from ..trace import ReportedCall
from .call import Call
from .observer import NULL_OBSERVER
from .timeouts import Timeouts


class _TimeoutsAsFeedback:
    """The timeouts of a task in the form of a feedback, which a call polls.

    Its ``isCanceled`` is also True after the deadline; ``run_nested`` puts the true reason in.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts

    def isCanceled(self) -> bool:
        return self._timeouts.stop_reason() is not None


def run_nested(flow: Flow, engine: str, timeouts: Timeouts, report: Optional[ReportedCall], clock: Clock) -> Response:
    """Block until a flow returns. The timeouts of the task count, and its cancel. ``report``, ``clock``: of the task.

    The body is kept in memory, also if the task writes it into a file: a task cannot read from this transfer.
    """
    feedback = _TimeoutsAsFeedback(timeouts)
    call = Call(engine, timeouts.idle_ms, 0, NULL_OBSERVER, feedback, prefers_python=True, clock=clock)
    call.report = report
    response = call.run(_in_memory(flow))
    failure = timeouts.stop_reason()
    return response if failure is None else response._replace(failure=failure)


def _in_memory(flow: Flow) -> Flow:
    """Run a flow with requests whose bodies are not streamed."""
    argument = None
    while True:
        try:
            step = flow.send(argument)  # type: ignore[arg-type]
        except StopIteration as stop:
            response: Response = stop.value
            return response
        if isinstance(step, Request):
            limit = step.body_limit or MEMORY_LIMIT
            step = step._replace(streams=False, streams_all=False, body_limit=limit)
        argument = yield step

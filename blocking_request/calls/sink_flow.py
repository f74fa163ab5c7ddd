"""The flow of a call whose body goes into a sink. It sends, reads the body into the sink, and repeats if the sink
requires it, for example if a download cannot be resumed.
"""

from __future__ import annotations

from typing import Callable, Optional

from ..bodies.cache_recorder import CacheRecorder
from ..bodies.sink import BodySink, CannotWrite, ReadBody, SinkSteps
from ..models.http_messages import Response
from ..prepare.prepare_call import PreparedCall
from .pipeline import build_flow
from .steps import CallSteps
from .unused_bodies import read_unused_bodies


def _unchanged(response: Response) -> Response:
    return response


def build_sink_flow(
    sink: BodySink, prepared: PreparedCall, settle: Callable[[Response], Response] = _unchanged
) -> CallSteps:
    """Build the flow of a call into a sink; ``settle`` may replace a response before its body is written."""
    if sink.is_checked:
        prepared = prepared._replace(options=prepared.options.bypassing_cache())
    request = prepared.request
    response: Optional[Response] = None
    try:
        while response is None:
            own = sink.prepare(request)
            flow = build_flow(prepared._replace(request=own))
            begun = yield from (read_unused_bodies(flow) if own.streams_all else flow)
            begun = settle(begun)
            recorder = None if begun.keep is None else CacheRecorder(begun.keep)
            steps = sink.steps(begun._replace(keep=None))
            response = yield from (steps if recorder is None else _recorded(steps, recorder))
        return response
    finally:
        sink.close()


def _recorded(steps: SinkSteps, recorder: CacheRecorder) -> SinkSteps:
    """Run the steps of a sink, and copy the body for the cache."""
    try:
        step = next(steps)
        while True:
            try:
                if not isinstance(step, ReadBody):
                    step = steps.send((yield step))
                    continue
                last = yield step._replace(write=recorder.tee(step.write))
            except CannotWrite as error:
                step = steps.throw(error)
                continue
            recorder.end(last)
            step = steps.send(last)
    except StopIteration as stop:
        response: Optional[Response] = stop.value
        return response
    finally:
        steps.close()

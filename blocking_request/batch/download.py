"""A request of a batch whose body goes into a file, step by step."""

from __future__ import annotations

from typing import Optional

from ..bodies.cache_recorder import CacheRecorder
from ..bodies.file_sink import FileSink
from ..bodies.sink import CannotWrite, Drain, Steps
from ..calls.options import CallOptions
from ..calls.pipeline import build_flow
from ..calls.settings import Settings
from ..calls.task import TaskSteps
from ..models.http_messages import Request, Response


def into_file(sink: FileSink, request: Request, settings: Settings, rules: CallOptions) -> TaskSteps:
    response: Optional[Response] = None
    try:
        while response is None:
            begun = yield from build_flow(sink.prepare(request), settings, rules)
            recorder = None if begun.keep is None else CacheRecorder(begun.keep)
            steps = sink.steps(begun._replace(keep=None))
            response = yield from (steps if recorder is None else _kept(steps, recorder))
        return response
    finally:
        sink.close()


def _kept(steps: Steps, recorder: CacheRecorder) -> Steps:
    """The steps, with a copy of what is taken for the cache."""
    try:
        step = next(steps)
        while True:
            try:
                if isinstance(step, Drain):
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

"""A request of a batch whose body goes into a file, step by step."""

from __future__ import annotations

from typing import Optional

from ..bodies.cache_recorder import CacheRecorder
from ..bodies.file_sink import FileReceiver
from ..bodies.sink import CannotWrite, Drain, Steps
from ..calls.options import CallRules
from ..calls.pipeline import policy
from ..calls.settings import Settings
from ..calls.task import TaskSteps
from ..models.http_messages import Answer, Exchange


def into_file(receiver: FileReceiver, exchange: Exchange, settings: Settings, rules: CallRules) -> TaskSteps:
    answer: Optional[Answer] = None
    try:
        while answer is None:
            begun = yield from policy(receiver.prepare(exchange), settings, rules)
            recorder = None if begun.keep is None else CacheRecorder(begun.keep)
            steps = receiver.steps(begun._replace(keep=None))
            answer = yield from (steps if recorder is None else _kept(steps, recorder))
        return answer
    finally:
        receiver.close()


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
        answer: Optional[Answer] = stop.value
        return answer
    finally:
        steps.close()

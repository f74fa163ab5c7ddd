"""A request of a batch whose body goes into a file, step by step."""

from __future__ import annotations

from typing import Optional

from .call_rules import CallRules
from .download import FileReceiver
from .exchange import Answer, Exchange
from .keeper import Keeper
from .policy import policy
from .receivers import CannotWrite, Drain, Steps
from .settings import Settings
from .task import TaskSteps


def into_file(receiver: FileReceiver, exchange: Exchange, settings: Settings, rules: CallRules) -> TaskSteps:
    answer: Optional[Answer] = None
    try:
        while answer is None:
            begun = yield from policy(receiver.prepare(exchange), settings, rules)
            keeper = None if begun.keep is None else Keeper(begun.keep)
            steps = receiver.steps(begun._replace(keep=None))
            answer = yield from (steps if keeper is None else _kept(steps, keeper))
        return answer
    finally:
        receiver.close()


def _kept(steps: Steps, keeper: Keeper) -> Steps:
    """The steps, with a copy of what is taken for the cache."""
    try:
        step = next(steps)
        while True:
            try:
                if isinstance(step, Drain):
                    step = steps.send((yield step))
                    continue
                last = yield step._replace(write=keeper.beside(step.write))
            except CannotWrite as error:
                step = steps.throw(error)
                continue
            keeper.end(last)
            step = steps.send(last)
    except StopIteration as stop:
        answer: Optional[Answer] = stop.value
        return answer
    finally:
        steps.close()

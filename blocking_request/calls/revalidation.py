"""Adds the manager's cache to the flow of a call, and revalidates stale responses in background threads.

A stale response may be served while it is revalidated (``stale-while-revalidate``, RFC 5861 section 3).
"""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Callable, Optional

from .. import trace
from ..engines.accept_language import accept_language
from ..engines.clock import new_clock
from ..flows import Flow, Send, send_directly
from ..flows.cache.flow import CacheRules, with_cache
from ..flows.cache.load_control import CacheLoadControl
from ..models.http_messages import Request
from ..reply import next_request_id
from ..stores.cache.base import store_of
from ..stores.cache.partition import partition_key
from .call import Call
from .observer import NULL_OBSERVER

if TYPE_CHECKING:
    from ..prepare.settings import Settings


def with_manager_cache(
    settings: Settings, load_control: CacheLoadControl, may_store: bool, send: Send, engine: str
) -> Send:
    """Return ``send`` with the manager's cache in front of it."""
    assert settings.cache is not None
    later = partial(_validate_later, settings=settings, engine=engine)
    default_headers = ((b"accept-language", accept_language()),)
    rules = CacheRules(
        store=store_of(settings.cache),
        partition_key=partition_key,
        now=time.time,
        default_headers=default_headers,
        load_control=load_control,
        may_store=may_store,
        validate_later=later,
    )
    return partial(with_cache, rules=rules, send=partial(_send_for_cache, send=send) if may_store else send)


def _send_for_cache(request: Request, send: Send) -> Flow:
    response = yield from send(request._replace(is_stored=True))
    return response._replace(request=request)


VALIDATING_THREADS = 2
"""The largest number of threads that revalidate responses."""
WAITING_VALIDATIONS = 100
"""The largest number of revalidations that wait or run. Further ones are dropped: the next request tries again."""


class _Validations:
    """Runs revalidations in background threads, at most one at a time for each URL of a store."""

    def __init__(self) -> None:
        # An RLock: while it is held, the garbage collector may run a destructor that sends a request and calls ``add``.
        self._guard = threading.RLock()
        self._waiting: dict[tuple[int, str], Callable[[], None]] = {}
        self._threads = 0

    def add(self, key: tuple[int, str], validate: Callable[[], None]) -> None:
        """Start a revalidation, unless one with the same ``key`` waits or runs."""
        with self._guard:
            if key in self._waiting or len(self._waiting) >= WAITING_VALIDATIONS:
                return
            self._waiting[key] = validate
            if self._threads >= VALIDATING_THREADS:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._run, name="blocking_request validation", daemon=True).start()
        except RuntimeError:  # the system has no thread left; the stored response stays stale
            with self._guard:
                self._threads -= 1
                self._waiting.pop(key, None)

    def _run(self) -> None:
        done: Optional[tuple[int, str]] = None
        while True:
            with self._guard:
                # Drop the one that has just run, and take the next that no thread has.
                self._waiting.pop(done, None)  # type: ignore[arg-type]
                entry = next(((key, work) for key, work in self._waiting.items() if work is not _taken), None)
                if entry is None:
                    self._threads -= 1
                    return
                done, validate = entry
                self._waiting[done] = _taken
            validate()


def _taken() -> None:
    """Marks a revalidation that a thread runs."""


_validations = [_Validations()]
"""A list, so that its content can be replaced after a fork."""

if hasattr(os, "register_at_fork"):
    # The threads of the parent do not exist in the child.
    os.register_at_fork(after_in_child=lambda: _validations.__setitem__(0, _Validations()))


def _validate_later(request: Request, rules: CacheRules, settings: Settings, engine: str) -> None:
    # The body is read into memory, so it is limited to the largest entry of the store.
    limit = min((each for each in (request.body_limit, rules.store.entry_limit) if each), default=0)
    request = request._replace(streams=False, streams_all=False, body_limit=limit)

    def validate() -> None:
        try:
            clock = new_clock()
            call = Call(
                engine=engine,
                idle_ms=settings.timeout,
                deadline_ms=settings.deadline,
                observer=NULL_OBSERVER,
                feedback=None,
                clock=clock,
            )
            started = clock.now()
            if trace.wants_calls():
                call.report = trace.call_started(request, settings.owner, next_request_id(), started, clock.now)
            response = call.run(with_cache(request, rules, partial(_send_for_cache, send=send_directly)))
            trace.call_ended(call.report, response, settings.owner, 0, started, clock.now)
        except Exception as error:
            trace.logger.debug("%s could not be validated: %s", request.redacted_url, type(error).__name__)

    _validations[0].add((id(rules.store), request.url), validate)

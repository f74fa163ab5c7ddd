"""Reports calls, and each request of them, to the log and to recorders: a network log, a HAR file, the command line.

The log contains no secrets: URLs have no userinfo and no values of secret parameters, and headers are not logged.

Theory of operation: ``call_started`` makes a ReportedCall if a recorder wants the call, and None otherwise. The drivers
of calls (``calls/call.py`` and ``calls/task.py``) report each request with it. Without recorders, and with the log off,
that takes some attribute checks only. Durations are by the clock of the call, which a test may replace by a virtual
one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional, Protocol

from .models.call_record import CACHED, CALL, CallRecord, kind_of
from .models.http_messages import Request, Response
from .models.known_secrets import Secrets, secrets_of_response
from .models.redaction import printable
from .models.sent_head import HasSentHead
from .models.transfer_trace import TransferTrace

logger = logging.getLogger("blocking_request")

Now = Callable[[], float]
"""Returns the time of the clock of a call, in seconds."""


class Recorder(Protocol):
    """Gets the records of calls. Every method is called in the thread of the call, and must not raise or wait.

    A destructor may end a call, so the methods may also be called in any thread at any time.
    """

    body_limit: int
    """How many bytes of each body it wants."""
    wants_trace: bool
    """Whether it wants the steps that the qt engine finds out by extra work only."""

    def wants(self, owner: object) -> bool:
        """Return whether it wants a call. ``owner``: ``Settings.owner``, which tells the manager of the call."""

    def call_started(self, call: CallRecord) -> None: ...

    def request_started(self, request: CallRecord, call: CallRecord) -> None: ...

    def response_started(self, request: CallRecord, call: CallRecord) -> None:
        """The headers of a response are there, and its body follows. Not called for a response that comes whole."""

    def request_ended(self, request: CallRecord, call: CallRecord) -> None: ...

    def call_ended(self, call: CallRecord) -> None: ...


class CallRecorder:
    """The base of a recorder that wants all calls, and does nothing with them. A recorder has the methods it needs."""

    body_limit = 0
    wants_trace = True

    def wants(self, owner: object) -> bool:
        return True

    def call_started(self, call: CallRecord) -> None:
        pass

    def request_started(self, request: CallRecord, call: CallRecord) -> None:
        pass

    def response_started(self, request: CallRecord, call: CallRecord) -> None:
        pass

    def request_ended(self, request: CallRecord, call: CallRecord) -> None:
        pass

    def call_ended(self, call: CallRecord) -> None:
        pass


recorders: tuple[Recorder, ...] = ()
"""Replaced, never changed, so that other threads see all or nothing of a change."""

_guard = threading.RLock()
"""Reentrant, because the garbage collector may run a destructor that removes a recorder."""


def wants_calls() -> bool:
    """Return whether calls must be reported when they start. Otherwise the report of their end is enough."""
    return bool(recorders) or logger.isEnabledFor(logging.DEBUG)


def add_recorder(recorder: Recorder) -> None:
    """Report the calls that start from now on to a recorder. Any thread may call this."""
    global recorders
    with _guard:
        recorders = (*recorders, recorder)


def remove_recorder(recorder: Recorder) -> None:
    """Report no more calls to a recorder, except those that are running. Any thread may call this."""
    global recorders
    with _guard:
        recorders = tuple(each for each in recorders if each is not recorder)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Report the calls that start in the block to a recorder. Any thread may use this."""
    add_recorder(recorder)
    try:
        yield
    finally:
        remove_recorder(recorder)


class ReportedCall:
    """A call that recorders want. The thread of the call uses it."""

    __slots__ = ("_now", "call", "recorders", "request", "wants_trace")

    def __init__(self, call: CallRecord, recorders: tuple[Recorder, ...], now: Now) -> None:
        self._now = now
        self.call = call
        self.recorders = recorders
        self.wants_trace = logger.isEnabledFor(logging.DEBUG) or any(each.wants_trace for each in recorders)
        self.request: Optional[CallRecord] = None
        """The record of the present request, or of the last one."""

    def begin_request(self, request: Request, now: float) -> None:
        call = self.call
        kind = kind_of(request, self.request)
        started, thread = call.moment_of(now), call.thread
        record = CallRecord(kind, request, call.identifier, now, started, thread, call.body_limit, call.secrets)
        self.request = record
        call.children.append(record)
        for recorder in self.recorders:
            recorder.request_started(record, call)

    def begin_transfer(self, engine: str, sent: HasSentHead, trace: TransferTrace) -> None:
        """Note the engine that performs the present request. ``sent`` will know its head, ``trace`` its steps."""
        if self.request is not None:
            self.request.begin_transfer(engine, sent, trace)

    def begin_response(self, response: Response, sent: HasSentHead) -> None:
        """Report the headers of a response whose body follows."""
        record = self.request
        if record is None:
            return
        if sent.sent_head is not None:
            record.set_sent_head(sent)
        record.set_head(response)
        for recorder in self.recorders:
            recorder.response_started(record, self.call)

    def end_request(self, response: Response, now: float, sent: Optional[HasSentHead]) -> None:
        record = self.request
        if record is None or record.ended is not None:
            return
        if sent is not None and sent.sent_head is not None:
            record.set_sent_head(sent)
        record.end(response, now)
        for recorder in self.recorders:
            recorder.request_ended(record, self.call)

    def end(self, response: Response) -> None:
        call, now = self.call, self._now()
        if call.ended is not None:
            return
        self.end_request(response, now, None)  # of a request that an exception has ended
        if response.from_cache or response.history:
            self._add_cached((*response.history, response), now)
        call.end(response, now)
        for recorder in self.recorders:
            recorder.call_ended(call)

    def _add_cached(self, responses: tuple[Any, ...], now: float) -> None:
        """Add records of the responses that came from the cache without a request."""
        call = self.call
        for response in responses:
            hop = response.request.redirects
            if not response.from_cache or any(each.redirects == hop for each in call.children):
                continue
            started, thread = call.moment_of(now), call.thread
            cached = CallRecord(
                CACHED, response.request, call.identifier, now, started, thread, call.body_limit, call.secrets
            )
            cached.end(response, now)
            later = (place for place, each in enumerate(call.children) if each.redirects > hop)
            call.children.insert(next(later, len(call.children)), cached)


def call_started(request: Request, owner: object, identifier: int, started: float, now: Now) -> Optional[ReportedCall]:
    """Report the start of a call, and return how to report its requests and its end. None if neither a recorder nor the
    DEBUG log wants it. That log wants every call, because later requests may repeat secrets of earlier ones.

    ``started``: by the clock of the call, which ``now`` reads.
    """
    wanting = tuple([recorder for recorder in recorders if recorder.wants(owner)])
    if not wanting and not logger.isEnabledFor(logging.DEBUG):
        return None
    moment = time.time() - (now() - started)
    body_limit = wanting[0].body_limit if len(wanting) == 1 else max([each.body_limit for each in wanting], default=0)
    record = CallRecord(CALL, request, identifier, started, moment, threading.current_thread().name, body_limit)
    for recorder in wanting:
        recorder.call_started(record)
    return ReportedCall(record, wanting, now)


def call_ended(
    report: Optional[ReportedCall], response: Response, owner: object, identifier: int, started: float, now: Now
) -> None:
    """Report the end of a call to its recorders and to the log.

    ``report``: the result of ``call_started``; None if the call was not wanted, or if it ended before it was reported.
    ``started``, ``now``: as in ``call_started``.
    """
    if report is None and recorders and _has_failed_early(response):
        report = call_started(response.request, owner, identifier, started, now)
    if report is not None:
        report.end(response)
    if logger.isEnabledFor(logging.INFO):
        _log_end(response, now() - started, None if report is None else report.call.secrets)


def _has_failed_early(response: Response) -> bool:
    """Return whether a call has failed before it was reported. Others without a report are not wanted: they began when
    there was no recorder, or when it was paused.
    """
    return response.failure is not None and not response.engine and not response.history


def _log_end(response: Response, seconds: float, secrets: Optional[Secrets]) -> None:
    secrets = secrets or secrets_of_response(response)
    request, failure = response.request, response.failure
    called = response.history[0].request if response.history else request
    outcome = str(response.status) if failure is None else printable(failure.text)
    facts = [f"{response.encoded_bytes or len(response.body)} bytes in {seconds * 1000:.1f} ms"]
    if response.from_cache:
        facts.append("from the cache")
    elif response.engine:
        facts.append(f"over {response.engine}")
    if response.history:
        facts.append(f"redirects: {len(response.history)}")
        facts.append(f"the last to {secrets.hide_in_url(request.redacted_url)}")
    if response.attempts > 1:
        facts.append(f"attempts: {response.attempts}")
    url = secrets.hide_in_url(called.redacted_url)
    logger.info("%s %s: %s (%s)", called.method, url, secrets.hide_in_text(outcome), ", ".join(facts))


def request_started(request: Request, report: Optional[ReportedCall], now: Now) -> float:
    """Report the start of a request. Return the time by the clock of the call; 0.0 if its end need not be reported."""
    logged = logger.isEnabledFor(logging.DEBUG)
    if report is None:
        if logged:
            logger.debug("%s %s", request.method, request.redacted_url)
        return now() if logged else 0.0
    started = now()
    report.begin_request(request, started)
    if logged:
        logger.debug("%s %s", request.method, report.call.secrets.hide_in_url(request.redacted_url))
    return started


def steps_text(trace: Optional[TransferTrace]) -> str:
    """Return a text with the known durations of the steps of a transfer; '' if none is known."""
    if trace is None:
        return ""
    texts = []
    if trace.is_reused:
        texts.append("reused connection")
    else:
        texts += _took("look-up", trace.look_up_started, trace.look_up_ended)
        texts += _took("connect", trace.connect_started, trace.connect_ended)
        if trace.connect_ended is None:  # the qt engine does not know this time
            texts += _took("connect and TLS", trace.connect_started, trace.tls_ended)
        texts += _took("TLS", trace.tls_started, trace.tls_ended)
    first = trace.headers_received if trace.first_byte is None else trace.first_byte
    texts += _took("first byte after", trace.queued, first)
    return ", ".join(texts)


def _took(step: str, start: Optional[float], end: Optional[float]) -> list[str]:
    return [] if start is None or end is None else [f"{step} {(end - start) * 1000:.1f} ms"]


def request_ended(
    response: Response, started: float, report: Optional[ReportedCall], sent: Optional[HasSentHead], now: Now
) -> None:
    """Report the end of a request. ``started``: the result of ``request_started``; ``sent``: knows the head as it was
    sent, if it is known; ``now``: reads the clock of the call.
    """
    ended = now()
    if report is not None:
        report.end_request(response, ended, sent)
    if not logger.isEnabledFor(logging.DEBUG):
        return
    request = response.request
    secrets = Secrets() if report is None else report.call.secrets
    outcome = secrets.hide_in_text(printable(response.failure.text)) if response.failure else response.status
    took = f"{(ended - started) * 1000:.1f} ms"
    steps = steps_text(response.trace)
    url = secrets.hide_in_url(request.redacted_url)
    logger.debug("%s %s: %s after %s%s", request.method, url, outcome, took, steps and f" ({steps})")

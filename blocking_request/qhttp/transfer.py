"""Transfer: one request of an Http, which turns into a queue of events."""

from __future__ import annotations

from collections import deque
from typing import Optional, Union
from urllib.parse import urlsplit

from .. import trace
from ..bodies.sink import ReadBody, merge_responses
from ..bodies.upload import read_body
from ..calls.pipeline import build_flow
from ..calls.running import RunningCall
from ..calls.steps import CallSteps
from ..calls.task import Task, TaskEventSink, TaskRules
from ..calls.timeouts import Timeouts
from ..calls.unused_bodies import read_unused_bodies
from ..engines.clock import Clock
from ..engines.events import Progress
from ..flows import Flow
from ..models import error_texts as messages
from ..models.failure import Failure, RequestNotSent
from ..models.headers import Pairs, encoded
from ..models.http_messages import Request, Response
from ..models.proxy import Proxy
from ..models.urls import is_address, origin
from ..prepare.build_request import Defaults, build_request, without_framing
from ..prepare.options import CallOverrides, call_options, with_settings
from ..prepare.prepare_call import PreparedCall
from ..prepare.settings import Settings
from ..qt.binding import QtCore
from ..reply import next_request_id
from .commands import Send
from .headers import HttpRequestHeader, HttpResponseHeader
from .state import Error

CREDENTIALS_REQUIRED: dict[Optional[int], tuple[Error, str]] = {
    401: (Error.AuthenticationRequiredError, "Authentication required"),
    407: (Error.ProxyAuthenticationRequiredError, "Proxy authentication required"),
}
"""The statuses after which no credentials were given, or wrong ones, with their error."""

Event = Union[Progress, Response, bytes]
"""Progress of the upload; the response with its headers only; a chunk of its body; the complete response."""


class Transfer:
    """One request of an Http. It puts its events into ``events``, and calls no slot. For the thread that drives it."""

    def __init__(self, send: Send, url: str, proxy: Optional[Proxy], settings: Settings, rules: TaskRules) -> None:
        """Build the request. Raises RequestNotSent, and the exceptions of reading the body."""
        self.send = send
        self.origin = ""
        self.looks_up = False
        """Whether the name of the host must be looked up here, and not by a proxy."""
        self.body_size = 0
        """The size of the request's body in bytes, -1 if it is not known."""
        self.events: deque[Event] = deque()
        self.response: Optional[Response] = None
        """The complete response, when it is there."""
        self._rules = rules
        timeouts = Timeouts(settings.timeout, settings.deadline, clock=rules.clock.now)
        self._owner = settings.owner
        self._identifier, self._started = next_request_id(), rules.clock.now()
        report: Optional[trace.ReportedCall] = None
        try:
            prepared = self._prepare(url, proxy, settings, timeouts)
            if trace.wants_calls():
                report = trace.call_started(
                    prepared.request, self._owner, self._identifier, self._started, rules.clock.now
                )
            flow = build_flow(prepared)
        except RequestNotSent as request_not_sent:
            self._report_end(report, Response(Request(send.header.method(), url), failure=request_not_sent.failure))
            raise
        self._task = Task(self._steps(flow), rules, self._failed, timeouts, self.events.append)
        self._task.report = report

    def _report_end(self, report: Optional[trace.ReportedCall], response: Response) -> None:
        trace.call_ended(report, response, self._owner, self._identifier, self._started, self.clock.now)

    def _prepare(self, url: str, proxy: Optional[Proxy], settings: Settings, timeouts: Timeouts) -> PreparedCall:
        header, data = self.send.header, self.send.data
        if isinstance(data, QtCore.QIODevice):
            data.seek(0)  # as in QHttp
        body = read_body(data, lambda: None)
        defaults = Defaults(settings.user_agent, _fields(header, settings))
        request = build_request(url, header.method(), body, False, defaults)
        self.origin = origin(request.url)
        host = urlsplit(request.url).hostname or ""
        self.looks_up = proxy is None and host != "localhost" and not is_address(host)
        self.body_size = 0 if body is None else len(body) if isinstance(body, bytes) else body.size
        # A body that is written to a device is not kept in memory, so the limit for bodies in memory does not apply.
        keeps_body = self.send.write is None
        request = with_settings(request._replace(decode=False), settings, streams=not keeps_body)
        request = request._replace(streams=True, streams_all=True)
        own = CallOverrides(self._rules.engine, proxy=proxy)
        rules = call_options(url, settings, own, timeouts.stop_reason_of_wait)
        return PreparedCall(request, rules.without_redirects_and_cookies(), settings)

    def _steps(self, flow: Flow) -> CallSteps:
        is_on_one_connection = self._rules.hint is not None
        response: Response = yield from read_unused_bodies(flow) if is_on_one_connection else flow
        if not response.is_streaming or response.status in CREDENTIALS_REQUIRED:
            return response
        self.events.append(response)
        return merge_responses(response, (yield ReadBody(self._add_chunk, in_worker=False)))

    def _add_chunk(self, chunk: Union[bytes, memoryview]) -> None:
        if chunk:
            self.events.append(bytes(chunk))

    def _failed(self, failure: Failure) -> Response:
        return Response(Request(self.send.header.method(), self.origin), failure=failure)

    @property
    def was_sent(self) -> bool:
        """Whether the request was given to an engine."""
        return self._task.handed_over > 0

    def begin(self) -> None:
        """Start the request."""
        self._task.begin()
        self._note_end()

    def handle_event(self, sink: TaskEventSink, event: object) -> None:
        """Handle an event from the queue. One of an earlier transfer is ignored."""
        self._task.handle_event(sink, event)  # type: ignore[arg-type]
        self._note_end()

    def step(self) -> None:
        """Advance a transfer of the python engine."""
        self._task.step()
        self._note_end()

    def allow_for_absence(self, seconds: float) -> None:
        """Leave some seconds out of the timeouts, in which the driver ran code of the caller."""
        self._task.allow_for_absence(seconds)

    def check_timeouts(self) -> None:
        """Check the timeouts, and whether the engine is alive."""
        self._task.check_clocks()
        self._note_end()

    def _note_end(self) -> None:
        if self._task.response is not None and self.response is None:
            self.response = self._task.response
            self._report_end(self._task.report, self.response)
            self.events.append(self.response)

    def seconds_left(self) -> float:
        """Return the seconds until a timeout is due, or the end of a pause."""
        return self._task.seconds_left()

    @property
    def clock(self) -> Clock:
        """The clock of the request."""
        return self._rules.clock

    def running_call(self, thread: int) -> RunningCall:
        """Return the request in words. Any thread may call this."""
        return self._task.running_call(thread, self._started)

    def close(self) -> None:
        """Abort the request."""
        self._task.close()
        if self.response is None and self._task.report is not None:
            self._report_end(self._task.report, self._failed(messages.canceled()))


def _fields(header: HttpRequestHeader, settings: Settings) -> Pairs:
    """Return the fields of the header, with the default headers of the settings. Raises RequestNotSent."""
    # The engines take each name once: join the values of equal names (RFC 9110 section 5.3).
    joined = {
        name: (b"; " if name.lower() == "cookie" else b", ").join(map(encoded, header.allValues(name)))
        for name in header.keys()  # noqa: SIM118
    }
    fields = without_framing((encoded(name), value) for name, value in joined.items())
    names = {name.lower() for name, _ in fields}
    # No content coding: the body is not decoded here, and the progress counts its bytes.
    others = (*settings.default_headers, (b"Accept-Encoding", b"identity"))
    return (*fields, *(pair for pair in others if pair[0].lower() not in names))


def response_header(response: Response) -> HttpResponseHeader:
    """Return the header of a response."""
    header = HttpResponseHeader(response.status or 0, response.reason, *((2, 0) if response.http2 else (1, 1)))
    header.setValues((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.pairs)
    return header

"""One request of an Http while it is under way: what comes of it, as events in their order."""

from __future__ import annotations

from collections import deque
from typing import Optional, Union
from urllib.parse import urlsplit

from ..bodies.sink import ReadBody, merge_responses
from ..bodies.upload import read_body
from ..calls.pipeline import build_flow
from ..calls.steps import CallSteps
from ..calls.task import Task, TaskEventSink, TaskRules
from ..calls.timeouts import Timeouts
from ..engines.events import Progress
from ..flows import Flow
from ..models.failure import Failure
from ..models.headers import Pairs, encoded
from ..models.http_messages import Request, Response
from ..models.proxy import Proxy
from ..models.urls import is_address, origin
from ..prepare.build_request import Defaults, build_request, without_framing
from ..prepare.options import CallOverrides, call_options, with_settings
from ..prepare.prepare_call import PreparedCall
from ..prepare.settings import Settings
from ..qt.binding import QtCore
from .commands import Send
from .headers import HttpRequestHeader, HttpResponseHeader
from .state import Error

LOGIN_WANTED: dict[Optional[int], tuple[Error, str]] = {
    401: (Error.AuthenticationRequiredError, "Authentication required"),
    407: (Error.ProxyAuthenticationRequiredError, "Proxy authentication required"),
}
"""A status that says that nobody, or nobody right, has answered."""

Event = Union[Progress, Response, bytes]
"""Bytes of the request have left; the header of the response, with no body; a piece of that; the last response."""


class Transfer:
    """For the one thread that drives it. Events are put into ``events``, nobody is called."""

    def __init__(self, send: Send, url: str, proxy: Optional[Proxy], settings: Settings, rules: TaskRules) -> None:
        """Raises RequestNotSent, and what reading the body raises."""
        self.send = send
        self.origin = ""
        self.looks_up = False
        """Whether the host is a name, and ours to find."""
        self.body_size = 0
        """-1 where nobody knows it."""
        self.events: deque[Event] = deque()
        self.response: Optional[Response] = None
        """The last one, when it is there."""
        self._rules = rules
        flow = self._flow(url, proxy, settings)
        timeouts = Timeouts(settings.timeout, settings.deadline)
        self._task = Task(self._steps(flow), rules, self._failed, timeouts, self.events.append)

    def _flow(self, url: str, proxy: Optional[Proxy], settings: Settings) -> Flow:
        header, data = self.send.header, self.send.data
        if isinstance(data, QtCore.QIODevice):
            data.seek(0)  # as QHttp did
        body = read_body(data, lambda: None)
        defaults = Defaults(settings.user_agent, _fields(header, settings))
        request = build_request(url, header.method(), body, False, defaults)
        self.origin = origin(request.url)
        host = urlsplit(request.url).hostname or ""
        self.looks_up = proxy is None and host != "localhost" and not is_address(host)
        self.body_size = 0 if body is None else len(body) if isinstance(body, bytes) else body.size
        # A body that is written to a device needs no memory, and has no limit.
        keeps_body = self.send.write is None
        request = with_settings(request._replace(decode=False), settings, streams=not keeps_body)
        request = request._replace(streams=True, streams_all=True)
        rules = call_options(url, settings, CallOverrides(self._rules.engine, proxy=proxy), lambda: None)
        return build_flow(PreparedCall(request, rules.without_redirects_and_cookies(), settings))

    def _steps(self, flow: Flow) -> CallSteps:
        response: Response = yield from flow
        if not response.is_streaming or response.status in LOGIN_WANTED:
            return response
        self.events.append(response)
        return merge_responses(response, (yield ReadBody(self._keep, in_worker=False)))

    def _keep(self, piece: Union[bytes, memoryview]) -> None:
        if piece:
            self.events.append(bytes(piece))

    def _failed(self, failure: Failure) -> Response:
        return Response(Request(self.send.header.method(), self.origin), failure=failure)

    @property
    def was_sent(self) -> bool:
        """Whether an engine was given it."""
        return self._task.handed_over > 0

    def begin(self) -> None:
        self._task.begin()
        self._note_end()

    def handle_event(self, line: TaskEventSink, event: object) -> None:
        """What has come over a line, be it this one's."""
        self._task.handle_event(line, event)  # type: ignore[arg-type]
        self._note_end()

    def step(self) -> None:
        """Go on with what this thread performs."""
        self._task.step()
        self._note_end()

    def allow_for_absence(self, seconds: float) -> None:
        """Count so much time for nothing: its driver did something else."""
        self._task.allow_for_absence(seconds)

    def look(self, now: float) -> None:
        """See whether something is late or lost."""
        self._task.check_clocks()
        self._note_end()

    def _note_end(self) -> None:
        if self._task.response is not None and self.response is None:
            self.response = self._task.response
            self.events.append(self.response)

    def close(self) -> None:
        """Whatever is under way ends."""
        self._task.close()


def _fields(header: HttpRequestHeader, settings: Settings) -> Pairs:
    """What the header says, and what the settings say besides. Raises RequestNotSent."""
    # The engines know each name once (RFC 9110 section 5.3).
    joined = {
        name: (b"; " if name.lower() == "cookie" else b", ").join(map(encoded, header.allValues(name)))
        for name in header.keys()  # noqa: SIM118
    }
    fields = without_framing((encoded(name), value) for name, value in joined.items())
    names = {name.lower() for name, _ in fields}
    # Without a coding: bytes come as they are, and the figures of the progress are theirs.
    others = (*settings.default_headers, (b"Accept-Encoding", b"identity"))
    return (*fields, *(pair for pair in others if pair[0].lower() not in names))


def response_header(response: Response) -> HttpResponseHeader:
    header = HttpResponseHeader(response.status or 0, response.reason, *((2, 0) if response.http2 else (1, 1)))
    header.setValues((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.pairs)
    return header

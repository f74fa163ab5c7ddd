"""FakeEngine: serves the requests of the process in the place of the engines, without a network.

Theory of operation: the python engine's own code sends the request and reads the reply, over a FakeChannel in the place
of a socket. So bodies are framed, decoded, limited, streamed and reported as they are in real calls. All policies are
above the engine, and see what a server would have sent.
"""

from __future__ import annotations

from queue import Empty
from typing import Any, Optional

from ..engines.base import BatchHint
from ..engines.clock import VirtualClock
from ..engines.events import Event, HeadersReceived, Step, StepReached
from ..engines.mailbox import Mailbox
from ..engines.python.connection import Connection
from ..engines.python.engine import PythonTransfer
from ..engines.python.routes import Route, RouteKey
from ..engines.python.state import TransferState
from ..engines.python.transfer import perform
from ..engines.upload_channel import UploadChannel
from ..engines.wanted import NEVER, YIELD_NOW, Steps
from ..models.failure import Failure
from ..models.http_messages import Request, Response
from ..models.tls import TlsSession
from ..models.urls import origin
from .channel import READY, CallerError, FakeChannel, GetReply
from .reply import NAME

_SESSION = TlsSession(protocol="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384")


class _Connections:
    """Opens a new connection for each request."""

    def __init__(self, get_reply: GetReply) -> None:
        self._get_reply = get_reply

    def take(self, key: RouteKey) -> Optional[Connection]:
        return None

    def open(self, route: Route, state: TransferState) -> Steps[Connection]:
        yield from ()
        now, trace = state.mailbox.now(), state.trace
        state.reach(Step.CONNECTING)
        trace.connect_started = trace.connect_ended = now
        state.is_connected = True
        session = None
        if state.request.url.startswith("https:"):
            session = _SESSION
            trace.tls_started = trace.tls_ended = now
        return Connection(FakeChannel(state.request, state.mailbox, self._get_reply), route.key, session)

    def put(self, connection: Connection) -> None:
        connection.close()

    def clear(self) -> None:
        pass


class FakeTransfer(PythonTransfer):
    """A request under way. The thread that drives it calls the test's code for the reply."""

    engine_name = NAME

    def step(self) -> Optional[Event]:
        try:
            event = super().step()
            while event is None and self.waits_for is READY:
                event = super().step()
        except CallerError as error:
            raise error.error from None
        return event if event is None else _by_fake_engine(event)

    def take(self, seconds: float) -> Event:
        clock = self._mailbox.clock
        event = self.step()
        if event is not None:
            return event
        if self._mailbox.is_woken or self.waits_for is YIELD_NOW:
            self._mailbox.is_woken = False
            raise Empty  # the caller finds out whether it is cancelled
        if not isinstance(clock, VirtualClock):
            return super().take(seconds)
        seconds = min(seconds, self.waits_for.seconds)
        if seconds == NEVER:
            return super().take(seconds)  # only another thread can go on: it aborts, or cancels
        clock.skip(seconds)
        return super().take(0.0)

    def failure_if_dead(self) -> Optional[Failure]:
        return None


def _by_fake_engine(event: Event) -> Event:
    if isinstance(event, Response):
        return event._replace(engine=NAME)
    if isinstance(event, HeadersReceived):
        return HeadersReceived(event.response._replace(engine=NAME))
    if isinstance(event, StepReached) and event.response is not None:
        return StepReached(event.step, event.response._replace(engine=NAME))
    return event


class FakeEngine:
    """Every method may be called from any thread."""

    name = NAME

    def __init__(self, get_reply: GetReply) -> None:
        self._connections = _Connections(get_reply)
        self._running: set[TransferState] = set()

    def unsupported_reason(self, request: Request) -> Optional[Failure]:
        return None

    def start(
        self,
        request: Request,
        mailbox: Mailbox,
        hint: Optional[BatchHint] = None,
        get_reply: Optional[GetReply] = None,
    ) -> FakeTransfer:
        """As the method of all engines. ``get_reply``: replaces that of the engine for this request."""
        connections = self._connections if get_reply is None else _Connections(get_reply)
        if isinstance(request.body, UploadChannel):
            request.body.ask(None)
        state = TransferState(request, mailbox)
        return FakeTransfer(state, perform(state, _route(request), connections, self._running), _no_application)

    def clear_connections(self) -> None:
        pass

    def shutdown(self) -> None:
        for state in self._running.copy():
            state.abort()

    def exit(self) -> None:
        self.shutdown()


def _no_application() -> Any:
    return True


def _route(request: Request) -> Route:
    """Return the route of a request. Nothing is connected to, so TLS and the port do not matter."""
    proxy = request.proxy if request.proxy is not None and not request.proxy.is_none else None
    is_forwarded = proxy is not None and proxy.forwards(request.url)
    key = RouteKey("" if is_forwarded else origin(request.url) if request.url.startswith("http") else "", proxy=proxy)
    return Route(
        key=key,
        host="",
        port=0,
        tls=None,
        server_name="",
        proxy=proxy,
        proxy_tls=None,
        is_forwarded=is_forwarded,
    )

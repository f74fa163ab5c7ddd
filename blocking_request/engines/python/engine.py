"""The python engine: each transfer is driven by the thread that called, on connections that all threads share.

It needs neither a QCoreApplication nor Qt's TLS.

Rules of this file: a transfer is driven by one thread at a time. ``abort`` sets a flag and wakes that thread, which
closes the generator; so does dropping the transfer.
"""

from __future__ import annotations

import os
import threading
from queue import Empty
from typing import Any, Optional, Union

from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request, Response
from ...models.tls import TlsUnusable
from ...models.transfer_trace import TransferTrace
from ...qt.binding import DIRECT_CONNECTION, ApplicationReference, QtCore, application, application_reference
from ...trace import logger
from ..base import BatchHint
from ..events import Event
from ..mailbox import Mailbox
from ..upload_channel import UploadChannel
from ..waiting import Waiter, drop_free_waiters, give_back, take_waiter, this_process
from ..wanted import WAKE_UP, Wanted
from .connection import Connections
from .failures import internal_error
from .pool import Pool
from .pre_shared_keys import key_unusable_reason
from .resolver import resolver
from .routes import Route, Routes
from .shared_connections import SharedConnections
from .socks import socks_unusable_reason
from .state import NAME, TransferState
from .transfer import TransferSteps, canceled, perform


class PythonTransfer:
    """A request under way. Any thread may call ``abort``; the thread that drives the transfer calls the rest."""

    engine_name = NAME
    has_worker = False
    waits_for: Wanted = WAKE_UP
    """The event to wait for, if the last result of ``step`` was None."""

    def __init__(self, state: TransferState, steps: TransferSteps, application: ApplicationReference) -> None:
        """``steps``: the generator that performs the transfer."""
        self._state = state
        self._mailbox = state.mailbox
        self._steps = steps
        self._application = application
        self._process = this_process[0]
        self._response: Optional[Response] = None
        self._waiter: Optional[Waiter] = None
        """The waiter of ``take``."""

    @property
    def trace(self) -> TransferTrace:
        """The steps that the transfer has taken."""
        return self._state.trace

    def step(self) -> Optional[Event]:
        """Go on as far as it goes without waiting; return the next event, or None if ``waits_for`` must be waited for.

        The Response is the last event.
        """
        state = self._state
        if state.is_aborted or self._process != this_process[0]:
            return self._end_early()
        output: Union[Wanted, Event]
        if state.reached:
            return state.reached.popleft()
        try:
            output = next(self._steps)
        except StopIteration as stop:
            output = self._end(stop.value)
        except Exception as error:
            logger.error("a request failed in the python engine", exc_info=error)
            output = self._end(state.response(internal_error(error)))
        if state.reached:
            if not isinstance(output, Wanted):
                state.reached.append(output)
            return state.reached.popleft()
        if isinstance(output, Wanted):
            self.waits_for = output
            return None
        return output

    def take(self, seconds: float) -> Event:
        """Return the next event. Raises ``queue.Empty`` after so many seconds, or after a wake-up without an event.

        The caller checks its timeouts then.
        """
        event = self.step()
        if event is None:
            mailbox = self._mailbox
            waiter = self._waiter
            if waiter is None:
                waiter = self._waiter = mailbox.waiter = take_waiter()
            if not mailbox.is_woken:
                waiter.wait_for(self.waits_for, seconds)
            mailbox.is_woken = False
            event = self.step()
            if event is None:
                raise Empty
        return event

    def _end(self, response: Response) -> Response:
        self._response = response
        self._state.trace.ended = self._mailbox.now()
        self._give_waiter_back()
        return response

    def _give_waiter_back(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self._mailbox.waiter = None
            give_back(waiter)

    def _end_early(self) -> Response:
        if self._response is not None:
            return self._response
        self._steps.close()
        return self._end(canceled(self._state))

    def abort(self) -> None:
        self._state.abort()

    def close(self) -> None:
        """End it, and give no more events."""
        self._state.is_aborted = True
        self._steps.close()
        self._give_waiter_back()

    def read_buffer_resized(self) -> None:
        pass  # the next read uses it

    def look_for_connection(self) -> None:
        pass

    def is_connected(self) -> bool:
        return self._state.is_connected

    def failure_if_dead(self) -> Optional[Failure]:
        return messages.application_ended() if self._application() is None else None


def _no_application() -> Any:
    """Stands for an application that will not be missed."""
    return True


class PythonEngine:
    """Every method may be called from any thread."""

    name = NAME

    def __init__(self) -> None:
        self.pool = Pool()
        self._routes = Routes()
        self._guard = threading.Lock()
        self._application: ApplicationReference = lambda: None
        self._running: set[TransferState] = set()
        """The states of the transfers that have begun and have not ended. They do not hold the transfers."""
        self._latest: tuple[Optional[Request], Optional[Route]] = (None, None)
        """The route that was found last: ``unsupported_reason`` and ``start`` both need it for a request."""
        self._exiting = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_after_fork)

    def describe(self) -> list[str]:
        """Return its connections and name look-ups in words. Takes no lock."""
        return [*self.pool.describe(), *resolver.describe()]

    def unsupported_reason(self, request: Request) -> Optional[Failure]:
        if self._exiting:
            return messages.application_ended()
        if not request.url.startswith("http"):
            scheme = request.url.partition(":")[0]
            text = f"The python engine cannot read {scheme}: URLs, only Qt can: use setEngine('qt') or 'auto'"
            return network_failure(QtNetworkError.ProtocolUnknownError, text)
        if request.connection_credentials is not None or request.qgis:
            what = "send by QGIS's network manager" if request.qgis else "log in by NTLM or Negotiate"
            text = f"The python engine cannot {what}, only Qt can: use setEngine('qt') or 'auto'"
            return network_failure(QtNetworkError.UnknownNetworkError, text)
        key = request.pre_shared_key
        if key is not None and key.is_known:
            reason = key_unusable_reason(key)
            if reason is not None:
                return messages.tls_unusable(reason)
        try:
            route = self._routes.find(request)
            if route.tls is not None:
                route.tls.context_for(route.alpn)  # made here, so that an error in the settings is reported
            if route.proxy_tls is not None:
                route.proxy_tls.context_for(())
        except TlsUnusable as error:
            return messages.tls_unusable(str(error))
        if request.connection.demands_http2:
            if route.is_forwarded:
                return messages.http2_through_forwarding_proxy()
            if not route.alpn:
                text = (
                    "HTTP/2 is demanded (Http2DirectAttribute), and the package h2 is not installed: "
                    "run pip install h2, or use setEngine('qt')"
                )
                return network_failure(QtNetworkError.ProtocolInvalidOperationError, text)
        if route.proxy is not None and route.proxy.kind.startswith("socks"):
            reason = socks_unusable_reason()
            if reason is not None:
                return network_failure(QtNetworkError.UnknownProxyError, reason)
        self._latest = (request, route)
        return None

    def start(self, request: Request, mailbox: Mailbox, hint: Optional[BatchHint] = None) -> PythonTransfer:
        app = application()
        if app is not None and app is not self._application():
            self._adopt(app)
        asked_for, route = self._latest
        self._latest = (None, None)  # it would hold on to a body and credentials
        if asked_for is not request or route is None:
            route = self._routes.find(request)
        if isinstance(request.body, UploadChannel):
            request.body.ask(None)
        shared: Any = None
        pool: Connections = self.pool
        if hint is not None and hint.supplied is not None:
            pool = hint.supplied
        elif hint is not None and route.alpn:
            shared = hint.shared = hint.shared or SharedConnections(self.pool)
        state = TransferState(request, mailbox)
        steps = perform(state, route, pool, self._running, shared)
        return PythonTransfer(state, steps, _no_application if app is None else self._application)

    def _adopt(self, app: QtCore.QCoreApplication) -> None:
        with self._guard:
            if self._application() is app:
                return
            self._application = application_reference(app)
        app.aboutToQuit.connect(self.shutdown, DIRECT_CONNECTION)  # type: ignore[call-arg]

    def clear_connections(self) -> None:
        self.pool.clear()

    def shutdown(self) -> None:
        for state in self._running.copy():
            state.abort()
        self.pool.clear()
        drop_free_waiters()

    def exit(self) -> None:
        self._exiting = True
        self.shutdown()

    def _forget_after_fork(self) -> None:
        """In a forked child the connections are the parent's: close the copies of their sockets, without a goodbye."""
        self._guard = threading.Lock()
        self._running = set()
        self._routes = Routes()
        pool, self.pool = self.pool, Pool()
        pool.close_copies()


engine = PythonEngine()
"""The engine that all requests of the process share."""

"""CommandQueue: runs the commands of an Http, one after the other.

Theory of operation: ``drive`` runs the commands, from the event loop or from ``waitForDone``. For a request, a Transfer
puts its events into a queue, and a SignalEmitter emits signals for them. A slot may run a nested event loop, such as
that of a message box, which calls ``drive`` again: that call does nothing, and the request continues when the slot has
returned. Prompts for credentials and certificates are emitted while the flow runs. If a slot aborts the request there,
the flow is closed after the slot has returned: a running generator cannot be closed.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from queue import Empty
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..calls.running import RunningCall, drivers
from ..calls.task import POLL_SECONDS, TaskRules
from ..engines import choice
from ..engines.base import BatchHint
from ..engines.clock import VirtualClock, new_clock
from ..engines.wanted import NEVER
from ..manager.manager import NetworkAccessManager
from ..manager.settings_holder import settings_of
from ..models.failure import QtNetworkError, RequestNotSent, request_not_sent
from ..models.proxy import Proxy
from ..models.urls import origin
from ..prepare.options import usable_engine
from ..qt.slot_exceptions import slot_exceptions_reported
from ..trace import logger
from .commands import Close, Command, Send, SetHost, SetProxy, SetSocket, SetUser
from .event_queue import EventQueue
from .headers import HttpResponseHeader
from .prompts import AuthPrompts
from .signal_emitter import SignalEmitter
from .socket_notifiers import SocketNotifiers
from .state import Error, State, http_error
from .transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .http import Http
    from .supplied_socket import SuppliedSocket

NO_ERROR = "Unknown error"
"""``errorString()`` without an error, as in QHttp."""

_busy: set[Http] = set()
"""The Http objects that have commands. This set keeps them alive if the application has no reference to them."""


class Entry(NamedTuple):
    """A command in the queue, with its id."""

    id: int
    command: Command


class CommandQueue:
    """Runs the commands of an Http. Only the thread of the Http may use it, except ``abort_later``."""

    def __init__(
        self,
        http: Http,
        event_queue: EventQueue,
        notifiers: SocketNotifiers,
        manager: NetworkAccessManager,
        host: SetHost,
    ) -> None:
        self.http = http
        self._event_queue = event_queue
        self._notifiers = notifiers
        self._manager = manager
        self._host = host
        self._user: Optional[SetUser] = None
        self._user_origin = ""
        """The origin to which user and password are sent; '': that of the next ``setHost``."""
        self._proxy: Optional[Proxy] = None
        self._socket: Optional[SuppliedSocket] = None
        self._credential_cache: dict[str, Any] = {}
        self._proxy_credential_cache: dict[Any, Any] = {}
        self._ids = itertools.count(1)
        self.entries: deque[Entry] = deque()
        """The commands. The first one is running or starts next."""
        self.state = State.Unconnected
        self.error = Error.NoError
        self.error_text = NO_ERROR
        self.response = HttpResponseHeader()
        self.unread = bytearray()
        self.prompts: Optional[AuthPrompts] = None
        self.emitter: Optional[SignalEmitter] = None
        self._connected_origin = ""
        """The origin of the connection that the next request may use."""
        self._checked_at = 0.0
        """The time of the last check of the timeouts."""
        self._left_at = 0.0
        """The time at which ``drive`` returned, or last began to emit signals."""
        self.is_driving = False
        """Whether ``drive`` runs, or a slot that it has called."""
        self._has_missed = False
        """Whether ``drive`` was called in a slot, and so did nothing."""
        self.has_more = False
        """Whether the last ``drive`` stopped because its time was up."""
        self._is_advancing = False
        """Whether the flow of the present request runs, which cannot be closed then."""
        self._is_finishing = False
        """Whether ``requestFinished`` was emitted for the present command."""
        self._aborts_up_to = 0
        """The id of the last command that ``abort_later`` has to end; 0: none."""
        drivers.add(self)

    def running_calls(self) -> Iterator[RunningCall]:
        """Yield the request that runs, in words. Any thread may call this."""
        emitter = self.emitter
        if emitter is not None:
            yield emitter.transfer.running_call(0)

    def add(self, command: Command) -> int:
        """Add a command and return its id."""
        entry = Entry(next(self._ids), command)
        self.entries.append(entry)
        _busy.add(self.http)
        if len(self.entries) == 1:
            # Start it later, so that the caller gets the id before requestStarted is emitted.
            self._event_queue.put(None)
        return entry.id

    def clear_pending(self) -> None:
        """Drop all commands but the first one, which is running or starts next."""
        while len(self.entries) > 1:
            self._discard(self.entries.pop())

    def _discard(self, entry: Entry) -> None:
        """Close the socket of a command that was dropped."""
        command = entry.command
        if isinstance(command, SetSocket) and command.socket is not None and command.socket is not self._socket:
            command.socket.close()

    def current(self, kind: Any) -> Any:
        """Return the present command if it is of a class, else None."""
        command = self.entries[0].command if self.entries else None
        return command if isinstance(command, kind) else None

    # -- driving

    def drive(self, seconds: Optional[float]) -> None:
        """Run the commands until they must wait, or for some seconds (None: without limit). In a slot, do nothing."""
        if self.is_driving:
            self._has_missed = True
            return
        self.has_more = False
        end = None if seconds is None else time.monotonic() + seconds
        with self._driving():
            self._allow_for_absence()
            while self._go_on():
                if end is not None and time.monotonic() >= end:
                    self.has_more = True
                    return

    def wait(self, seconds: Optional[float]) -> bool:
        """Run the commands until all have ended. Return False if they take longer than ``seconds``."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if end is None else max(end - time.monotonic(), 0.0)
            self.drive(left)
            if not self.entries:
                return True
            left = POLL_SECONDS if end is None else min(POLL_SECONDS, end - time.monotonic())
            if left <= 0:
                return False
            self._notifiers.wait(left)

    @contextmanager
    def _driving(self) -> Iterator[None]:
        """Mark that ``drive`` runs. At the end, drive later if an event was missed in a slot."""
        was_driving, self.is_driving = self.is_driving, True
        try:
            with slot_exceptions_reported:
                yield
        finally:
            self.is_driving = was_driving
            self._left_at = time.monotonic()
            if self._socket is not None and self.emitter is None and not self._is_advancing:
                self._socket.close_if_ended()
            if not self.entries:
                _busy.discard(self.http)
            elif not was_driving and self._has_missed:
                self._has_missed = False
                self._event_queue.waker.wake()

    def _go_on(self) -> bool:
        """Do one step. Return False if there is nothing to do now."""
        # An abort of another thread.
        up_to, self._aborts_up_to = self._aborts_up_to, 0
        if up_to and self.entries and self.entries[0].id <= up_to:
            self.abort(up_to)
        # No request is running: start the next command.
        emitter = self.emitter
        if emitter is None:
            if self.entries:
                self._start(self.entries[0])
            else:
                self._disconnect()
            return bool(self.entries)
        # Emit signals for an event of the request.
        transfer = emitter.transfer
        if transfer.events:
            self._left_at = time.monotonic()
            emitter.emit(transfer.events.popleft())
            self._allow_for_absence()
            return True
        # Advance the request, or check its timeouts.
        if self._notifiers.take_ready():
            self._advance(emitter, transfer.step)
            return True
        try:
            event = self._event_queue.take()
        except Empty:
            return self._skip_wait(emitter) or self._check_timeouts(emitter)
        if event is not None:
            self._advance(emitter, partial(transfer.handle_event, *event))
        return True

    def _skip_wait(self, emitter: SignalEmitter) -> bool:
        """With a virtual clock, skip the time until the request can go on. Return whether that was possible."""
        transfer = emitter.transfer
        clock = transfer.clock
        if not isinstance(clock, VirtualClock):
            return False
        seconds = min(self._notifiers.seconds_left, transfer.seconds_left())
        if seconds == NEVER:
            return False
        clock.skip(seconds)
        self._advance(emitter, transfer.step)
        if self.emitter is emitter and not transfer.events:
            self._advance(emitter, transfer.check_timeouts)
        return True

    def _allow_for_absence(self) -> None:
        """Do not count the time that the application's own code took towards the timeouts of the request."""
        seconds = time.monotonic() - self._left_at
        if self.emitter is not None and seconds > 2 * POLL_SECONDS:
            self.emitter.transfer.allow_for_absence(seconds)

    def _check_timeouts(self, emitter: SignalEmitter) -> bool:
        """Check the timeouts every ``POLL_SECONDS``. Return whether the request has ended or has events."""
        now = time.monotonic()
        if now - self._checked_at >= POLL_SECONDS:
            self._checked_at = now
            transfer = emitter.transfer
            self._advance(emitter, transfer.check_timeouts)
            if self.emitter is emitter and not transfer.events:
                emitter.change_to_connecting()
        return self.emitter is not emitter or bool(emitter.transfer.events)

    def _advance(self, emitter: SignalEmitter, call: Callable[[], None]) -> None:
        """Call a method of the transfer. It may run the application's code.

        If that raises an exception, the command fails: in an event loop there is no caller to raise it to.
        """
        self._is_advancing = True
        failed: Optional[Exception] = None
        try:
            call()
        except Exception as error:
            failed = error
        finally:
            self._is_advancing = False
        if self.emitter is not emitter:
            emitter.transfer.close()
        elif failed is not None:
            self._fail_by(failed)

    def _fail_by(self, error: Exception) -> None:
        logger.error("a request of an Http failed", exc_info=error)
        self.fail(Error.UnknownError, f"{type(error).__name__}: {error}")

    # -- the commands

    def _start(self, entry: Entry) -> None:
        """Start a command. Every command but ``Send`` ends at once."""
        self.error, self.error_text = Error.NoError, NO_ERROR
        self.unread.clear()
        self.http.requestStarted.emit(entry.id)
        if not self._is_current(entry):
            return
        command = entry.command
        if isinstance(command, Send):
            self._send(command)
            return
        if isinstance(command, SetHost):
            self._host = command
            self._user_origin = self._user_origin or command.origin
        elif isinstance(command, SetUser):
            self._user = command if any(command) else None
            self._user_origin = self._host.origin
            self._credential_cache = {}
        elif isinstance(command, SetSocket):
            if not self._replace_socket(command.socket):
                return
        elif isinstance(command, SetProxy):
            self._proxy = command.proxy
            self._proxy_credential_cache = {}
        elif isinstance(command, Close):
            self._disconnect()
            if self._socket is not None:
                self._socket.close()
            choice.clear_connections()
        if self._is_current(entry):
            self._finish(entry)

    def _replace_socket(self, new: Optional[SuppliedSocket]) -> bool:
        """Use another socket from now on. Return False if that is not possible: the command has failed then."""
        previous, self._socket = self._socket, new
        if previous is not None:
            previous.close()
        if new is not None:
            try:
                new.hold()
            except ValueError as error:
                # It stays set: requests must not go out on another connection instead.
                new.close()
                self.fail(Error.UnknownError, str(error))
                return False
        self._disconnect()
        return True

    def _is_current(self, entry: Entry) -> bool:
        """Return whether a command is still the present one: a slot may have aborted it."""
        return bool(self.entries) and self.entries[0] is entry

    def _send(self, send: Send) -> None:
        try:
            transfer = self._transfer(send)
        except RequestNotSent as request_not_sent:
            self.fail(http_error(request_not_sent.failure, False), request_not_sent.failure.text)
            return
        except Exception as error:  # code of the caller reads the body, and may raise anything
            self._fail_by(error)
            return
        emitter = self.emitter = SignalEmitter(self, transfer)
        self._checked_at = time.monotonic()
        is_same_connection = self._socket is not None or transfer.origin == self._connected_origin
        if self.state is State.Connected and is_same_connection:
            self.change(State.Sending)
        if self.emitter is emitter:
            self._advance(emitter, transfer.begin)

    def _transfer(self, send: Send) -> Transfer:
        """Return the transfer of a request. Raises RequestNotSent, and the exceptions of the caller's own code."""
        base = settings_of(self._manager)
        url = self._host.url(send.header.path())
        user = self._user if origin(url) == self._user_origin else None
        prompts = self.prompts = AuthPrompts(http=self.http, settings=base, url=url, user=user, proxy=self._proxy)
        settings = replace(
            base,
            auth_handler=prompts.login,
            proxy_auth_handler=prompts.proxy_login,
            ssl_error_handler=prompts.certificates,
            auth_prompt=None,
            proxy_auth_prompt=None,
            ssl_error_prompt=None,
            credential_cache=self._credential_cache,
            proxy_credential_cache=self._proxy_credential_cache,
            cache=None,
        )
        engine, proxy, hint = usable_engine(self._manager), self._proxy, None
        if self._socket is not None:
            if engine not in (choice.AUTO, "python"):
                text = f"The engine {engine!r} cannot use a socket of setSocket(): use setEngine('python') or 'auto'"
                raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, text)
            engine, proxy, hint = "python", Proxy("none"), BatchHint(supplied=self._socket.connection)
        rules = TaskRules(
            engine=engine, event_queue=self._event_queue, waiter=self._notifiers, hint=hint, clock=new_clock()
        )
        return Transfer(send=send, url=url, proxy=proxy, settings=settings, rules=rules)

    def succeed(self, transfer: Transfer, keeps_connection: bool) -> None:
        """End the present request without error. ``keeps_connection``: whether the server keeps the connection open."""
        entry = self.entries[0]
        self.emitter = None
        self._connected_origin = transfer.origin
        if keeps_connection:
            self.change(State.Connected)
        else:
            self._disconnect()
        if self._is_current(entry):
            self._finish(entry)

    def _finish(self, entry: Entry) -> None:
        self._is_finishing = True
        self.http.requestFinished.emit(entry.id, False)
        if not self._is_current(entry):
            return  # a slot has aborted it
        self._is_finishing = False
        self.entries.popleft()
        if not self.entries:
            self.http.done.emit(False)

    def fail(self, error: Error, text: str, up_to: Optional[int] = None) -> None:
        """End the present command with an error, and drop the pending ones, up to the one with an id, or all."""
        if not self.entries:
            return
        entry = self.entries[0]
        self.error, self.error_text = error, text
        self._drop()
        # A slot of requestFinished may abort. The inner call empties the queue then, and this one returns.
        if not self._is_finishing:
            self._is_finishing = True
            self.http.requestFinished.emit(entry.id, True)
            if not self._is_current(entry):
                return
        self._is_finishing = False
        while self.entries and (up_to is None or self.entries[0].id <= up_to):
            self._discard(self.entries.popleft())
        self.http.done.emit(True)
        self._disconnect()

    def abort(self, up_to: Optional[int] = None) -> None:
        """Abort all commands now, or those up to the one with an id."""
        with self._driving():
            self.fail(Error.Aborted, "Request aborted", up_to)

    def abort_later(self) -> None:
        """Abort the commands that are in the queue now, in the thread of the Http."""
        entries = list(self.entries)
        if entries:
            self._aborts_up_to = entries[-1].id
            self._event_queue.put(None)

    def abandon(self) -> None:
        """Drop all commands without a signal, because the Http is being destroyed."""
        while self.entries:
            self._discard(self.entries.pop())
        self._drop()
        if self._socket is not None:
            self._socket.close()
        _busy.discard(self.http)

    def _drop(self) -> None:
        """Drop the present request. If its flow is running, ``_advance`` closes it afterwards."""
        emitter, self.emitter = self.emitter, None
        if self.prompts is not None:
            self.prompts.is_closed = True
        if emitter is not None and not self._is_advancing:
            emitter.transfer.close()

    # -- the state

    def _disconnect(self) -> None:
        """Change the state to Unconnected."""
        if self.state in (State.Sending, State.Reading, State.Connected):
            self.change(State.Closing)
        if self.state is not State.Unconnected:
            self.change(State.Unconnected)

    def change(self, state: State) -> None:
        """Change the state and emit ``stateChanged``."""
        self.state = state
        self.http.stateChanged.emit(int(state))

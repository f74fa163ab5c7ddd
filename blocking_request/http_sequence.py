"""The queue of an Http: carries one command out after the other, and emits the signals of each in QHttp's order.

Theory of operation: a Transfer gives events, and each becomes signals here. Any slot may abort, add commands, or delete
the Http: after each signal it is looked at whether the transfer is still the one that is under way. What is asked
(credentials, certificates) is asked from within the flow, which then cannot be ended before it has gone on.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from queue import Empty
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from . import engines
from .errors import Unsendable
from .exchange import Answer
from .http_bell import Letters
from .http_commands import Close, Command, Host, Send, Through, User
from .http_header import HttpResponseHeader
from .http_questions import Questions
from .http_state import Error, State, http_error
from .http_transfer import LOGIN_WANTED, Event, Transfer, response_header
from .mailbox import Progress
from .manager import NetworkAccessManager
from .proxy import Proxy
from .task import TaskRules
from .trace import logger
from .urls import origin

if TYPE_CHECKING:
    from .http import Http

PULSE = 0.02
"""Seconds between two looks at the clocks."""

NO_ERROR = "Unknown error"
"""As QHttp had it."""

_INT = (1 << 31) - 1


class Entry(NamedTuple):
    id: int
    command: Command


class Sequence:
    """For the thread of the Http; ``abort_later`` may be called from any."""

    def __init__(self, http: Http, letters: Letters, manager: NetworkAccessManager, host: Host) -> None:
        self._http = http
        self._letters = letters
        self._manager = manager
        self._host = host
        self._user: Optional[User] = None
        self._user_origin = ""
        """'': of the next host."""
        self._proxy: Optional[Proxy] = None
        self._logins: dict[str, Any] = {}
        self._proxy_logins: dict[Any, Any] = {}
        self._ids = itertools.count(1)
        self.entries: deque[Entry] = deque()
        """The first is under way."""
        self.state = State.Unconnected
        self.error = Error.NoError
        self.error_text = NO_ERROR
        self.response = HttpResponseHeader()
        self.unread = bytearray()
        self.questions: Optional[Questions] = None
        self._transfer: Optional[Transfer] = None
        self._origin = ""
        """Which the kept connection is to."""
        self._sent = 0
        self._received = 0
        self._total = 0
        self._looked = 0.0
        self._is_driving = False
        self._is_advancing = False
        self._is_finishing = False
        self._is_abort_wanted = False

    @property
    def is_driving(self) -> bool:
        """Whether a slot runs that was called from here."""
        return self._is_driving

    @property
    def is_under_way(self) -> bool:
        return self._transfer is not None

    def add(self, command: Command) -> int:
        entry = Entry(next(self._ids), command)
        self.entries.append(entry)
        if len(self.entries) == 1:
            # Not before the id has been returned.
            self._letters.put(None)
        return entry.id

    def clear_pending(self) -> None:
        while len(self.entries) > 1:
            self.entries.pop()

    def current(self, kind: Any) -> Any:
        """The command that is carried out, if it is of that kind."""
        command = self.entries[0].command if self.entries else None
        return command if isinstance(command, kind) else None

    # -- driving

    def drive(self) -> None:
        """Go on until something must be waited for. From within a slot it does nothing: the caller of that goes on."""
        if self._is_driving:
            return
        self._is_driving = True
        try:
            while self._go_on():
                pass
        finally:
            self._is_driving = False

    def wait(self, seconds: Optional[float]) -> bool:
        """Drive until all is done; False where that takes longer."""
        end = None if seconds is None else time.monotonic() + seconds
        self.drive()
        while self.entries:
            left = PULSE if end is None else min(PULSE, end - time.monotonic())
            if left <= 0:
                return False
            try:
                letter = self._letters.take(left)
            except Empty:
                letter = None
            self._hear(letter)
            self.drive()
        return True

    def _go_on(self) -> bool:
        """Do the next thing; False where there is none yet."""
        if self._is_abort_wanted:
            self._is_abort_wanted = False
            self.abort()
        transfer = self._transfer
        if transfer is None:
            if self.entries:
                self._start(self.entries[0])
            else:
                self._leave()
            return bool(self.entries)
        if transfer.events:
            self._tell(transfer, transfer.events.popleft())
            return True
        try:
            self._hear(self._letters.take(0))
            return True
        except Empty:
            pass
        now = time.monotonic()
        if now - self._looked >= PULSE:
            self._looked = now
            self._advance(transfer, partial(transfer.look, now))
            if self._transfer is transfer and not transfer.events:
                self._tell_what_is_waited_for(transfer)
        return self._transfer is not transfer or bool(transfer.events)

    def _hear(self, letter: Any) -> None:
        transfer = self._transfer
        if letter is not None and transfer is not None:
            self._advance(transfer, partial(transfer.hear, *letter))

    def _advance(self, transfer: Transfer, call: Callable[[], None]) -> None:
        """What the caller's own code raises in it fails the command: there may be nobody to raise it to."""
        self._is_advancing = True
        failed: Optional[Exception] = None
        try:
            call()
        except Exception as error:
            logger.exception("a request of an Http failed")
            failed = error
        finally:
            self._is_advancing = False
        if self._transfer is not transfer:
            transfer.close()
        elif failed is not None:
            self._fail(Error.UnknownError, f"{type(failed).__name__}: {failed}")

    # -- the commands

    def _start(self, entry: Entry) -> None:
        self.error, self.error_text = Error.NoError, NO_ERROR
        self.unread.clear()
        self._http.requestStarted.emit(entry.id)
        if not self._is_current(entry):
            return
        command = entry.command
        if isinstance(command, Send):
            self._send(command)
            return
        if isinstance(command, Host):
            self._host = command
            self._user_origin = self._user_origin or origin(command.url("/"))
        elif isinstance(command, User):
            self._user = command if any(command) else None
            self._user_origin = origin(self._host.url("/")) if self._host.name else ""
        elif isinstance(command, Through):
            self._proxy = command.proxy
        elif isinstance(command, Close):
            self._leave()
            engines.clear_connections()
        if self._is_current(entry):
            self._finish(entry)

    def _is_current(self, entry: Entry) -> bool:
        return bool(self.entries) and self.entries[0] is entry

    def _send(self, send: Send) -> None:
        manager = self._manager
        base = manager._settings
        self._sent = self._received = self._total = 0
        try:
            url = self._host.url(send.header.path())
            user = self._user if origin(url) == self._user_origin else None
            questions = self.questions = Questions(self._http, base, url, user, self._proxy)
            settings = replace(
                base,
                auth_handler=questions.login,
                ssl_error_handler=questions.certificates,
                known_logins=self._logins,
                known_proxy_logins=self._proxy_logins,
                cache=None,
            )
            rules = TaskRules(manager.engine(), base.timeout, base.deadline, self._letters, None, _never)
            transfer = Transfer(send, self._host, self._proxy, settings, rules)
        except Unsendable as unsendable:
            self._fail(http_error(unsendable.failure, False), unsendable.failure.text)
            return
        except (TypeError, ValueError) as error:
            self._fail(Error.UnknownError, str(error))
            return
        self._transfer, self._looked = transfer, time.monotonic()
        if self.state is State.Connected and transfer.origin == self._origin:
            self._change(State.Sending)
        if self._transfer is transfer:
            self._advance(transfer, transfer.begin)

    def _finish(self, entry: Entry) -> None:
        self._is_finishing = True
        self._http.requestFinished.emit(entry.id, False)
        if not self._is_current(entry):
            return  # a slot has aborted
        self._is_finishing = False
        self.entries.popleft()
        if not self.entries:
            self._http.done.emit(False)

    def _fail(self, error: Error, text: str) -> None:
        """End what is under way, and leave what waits."""
        if not self.entries:
            return
        entry = self.entries[0]
        self.error, self.error_text = error, text
        transfer, self._transfer = self._transfer, None
        if transfer is not None and not self._is_advancing:
            transfer.close()
        if not self._is_finishing:
            self._is_finishing = True
            self._http.requestFinished.emit(entry.id, True)
            if not self._is_current(entry):
                return
        self._is_finishing = False
        self.entries.clear()
        self._http.done.emit(True)
        if not self.is_under_way:
            self._leave()

    def abort(self) -> None:
        self._fail(Error.Aborted, "Request aborted")

    def abort_later(self) -> None:
        self._is_abort_wanted = True
        self._letters.put(None)

    def abandon(self) -> None:
        """The Http is no more."""
        self.entries.clear()
        transfer, self._transfer = self._transfer, None
        if transfer is not None and not self._is_advancing:
            transfer.close()

    # -- the signals of a transfer

    def _tell(self, transfer: Transfer, event: Event) -> None:
        if isinstance(event, Progress):
            if event.upload and self._sending(transfer):
                head = len(transfer.send.header.toString())
                self._tell_sent(head + event.done, head + event.total if event.total >= 0 else 0)
        elif isinstance(event, bytes):
            self._take_piece(transfer, event)
        elif event is transfer.answer:
            self._end(transfer, event)
        elif self._reading(transfer, event):
            self._http.responseHeaderReceived.emit(self.response)

    def _tell_what_is_waited_for(self, transfer: Transfer) -> None:
        if self.state in (State.Unconnected, State.Connected):
            self._change(State.HostLookup if transfer.looks_up else State.Connecting)

    def _sending(self, transfer: Transfer) -> bool:
        """Be connected; False where a slot has ended the transfer."""
        if self.state in (State.Sending, State.Reading):
            return True
        if self.state is not State.Connecting:
            self._change(State.Connecting)
        if self._transfer is transfer:
            self._change(State.Sending)
        return self._transfer is transfer

    def _reading(self, transfer: Transfer, answer: Answer) -> bool:
        """Take the header of the response; False where a slot has ended the transfer."""
        self.response = response_header(answer)
        self._total = max(answer.total_bytes, 0)
        if not self._sending(transfer):
            return False
        size = len(transfer.send.header.toString()) + max(transfer.body_size, 0)
        if self._sent < size:
            self._tell_sent(size, size)
        if self._transfer is transfer:
            self._change(State.Reading)
        return self._transfer is transfer

    def _tell_sent(self, done: int, total: int) -> None:
        self._sent = done
        self._http.dataSendProgress.emit(*_scaled(done, total))

    def _take_piece(self, transfer: Transfer, piece: bytes) -> None:
        write = transfer.send.write
        if write is None:
            self.unread += piece
        else:
            try:
                write(piece)
            except (OSError, ValueError) as error:
                self._fail(Error.UnknownError, f"Error writing response to device: {error}")
                return
        self._received += len(piece)
        self._http.dataReadProgress.emit(*_scaled(self._received, self._total))
        if write is None and self._transfer is transfer:
            self._http.readyRead.emit(self.response)

    def _end(self, transfer: Transfer, answer: Answer) -> None:
        failure = answer.failure
        if failure is not None:
            error = http_error(failure, self.state is State.Reading)
            if self.state in (State.Unconnected, State.Connected) and transfer.was_sent:
                self._change(State.HostLookup if error is Error.HostNotFound else State.Connecting)
            self._fail_if(transfer, error, failure.text)
        elif answer.status in LOGIN_WANTED:
            if self._reading(transfer, answer):
                self._fail_if(transfer, *LOGIN_WANTED[answer.status])
        else:
            self._succeed(transfer, answer)

    def _fail_if(self, transfer: Transfer, error: Error, text: str) -> None:
        if self._transfer is transfer:
            self._fail(error, text)

    def _succeed(self, transfer: Transfer, answer: Answer) -> None:
        entry = self.entries[0]
        self._transfer = None
        self._origin = transfer.origin
        if b"close" in (answer.headers.value(b"connection") or b"").lower():
            self._leave()
        else:
            self._change(State.Connected)
        if self._is_current(entry):
            self._finish(entry)

    def _leave(self) -> None:
        """Be without a connection."""
        if self.state in (State.Sending, State.Reading, State.Connected):
            self._change(State.Closing)
        if self.state is not State.Unconnected:
            self._change(State.Unconnected)

    def _change(self, state: State) -> None:
        self.state = state
        self._http.stateChanged.emit(int(state))


def _never() -> bool:
    return False


def _scaled(done: int, total: int) -> tuple[int, int]:
    """What fits into the ``int`` of the signals, as QHttp's documentation has it."""
    shift = max(max(done, total).bit_length() - 31, 0)
    return done >> shift, total >> shift

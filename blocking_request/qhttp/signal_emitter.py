"""What an Http says of one request while it is under way: the signals, in QHttp's order.

Any slot may abort, add commands, or delete the Http: after each signal it is looked at whether the request goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engines.events import Progress
from ..models.http_messages import Response
from ..trace import logger
from .state import Error, State, http_error
from .transfer import LOGIN_WANTED, Event, Transfer, response_header

if TYPE_CHECKING:
    from .command_queue import CommandQueue


class SignalEmitter:
    def __init__(self, queue: CommandQueue, transfer: Transfer) -> None:
        self.transfer = transfer
        self._queue = queue
        self._http = queue.http
        self._sent = 0
        self._received = 0
        self._total = 0

    @property
    def _is_current(self) -> bool:
        return self._queue.emitter is self

    def tell(self, event: Event) -> None:
        if isinstance(event, Progress):
            if event.upload and self._sending():
                head = self._head_size
                self._tell_sent(head + event.done, head + event.total if event.total >= 0 else 0)
        elif isinstance(event, bytes):
            self._take_piece(event)
        elif event is self.transfer.response:
            self._end(event)
        elif self._reading(event):
            self._http.responseHeaderReceived.emit(self._queue.response)

    def tell_what_is_waited_for(self) -> None:
        """The engines do not say before something comes back."""
        if self._queue.state in (State.Unconnected, State.Connected):
            self._queue.change(State.HostLookup if self.transfer.looks_up else State.Connecting)

    @property
    def _head_size(self) -> int:
        return len(self.transfer.send.header.toString())

    def _sending(self) -> bool:
        """Be connected; False where a slot has ended it."""
        queue = self._queue
        if queue.state in (State.Sending, State.Reading):
            return True
        if queue.state is not State.Connecting:
            queue.change(State.Connecting)
        if self._is_current:
            queue.change(State.Sending)
        return self._is_current

    def _reading(self, response: Response) -> bool:
        """Take the header of the response; False where a slot has ended it."""
        self._queue.response = response_header(response)
        self._total = max(response.total_bytes, 0)
        if not self._sending():
            return False
        size = self._head_size + max(self.transfer.body_size, 0)
        if self._sent < size:
            self._tell_sent(size, size)
        if self._is_current:
            self._queue.change(State.Reading)
        return self._is_current

    def _tell_sent(self, done: int, total: int) -> None:
        self._sent = done
        self._http.dataSendProgress.emit(*_scaled(done, total))

    def _take_piece(self, piece: bytes) -> None:
        write = self.transfer.send.write
        if write is None:
            self._queue.unread += piece
        else:
            try:
                write(piece)
            except Exception as error:  # whatever a foreign device may raise
                if not isinstance(error, OSError):
                    logger.exception("the destination of a request of an Http failed")
                self._queue.fail(Error.UnknownError, f"Error writing response to device: {error}")
                return
        self._received += len(piece)
        self._http.dataReadProgress.emit(*_scaled(self._received, self._total))
        if write is None and self._is_current:
            self._http.readyRead.emit(self._queue.response)

    def _end(self, response: Response) -> None:
        queue, failure = self._queue, response.failure
        if failure is not None:
            error = http_error(failure, queue.state is State.Reading)
            if queue.state in (State.Unconnected, State.Connected) and self.transfer.was_sent:
                queue.change(State.HostLookup if error is Error.HostNotFound else State.Connecting)
            if self._is_current:
                queue.fail(error, failure.text)
        elif response.status in LOGIN_WANTED:
            if self._reading(response):
                queue.fail(*LOGIN_WANTED[response.status])
        else:
            closes = b"close" in (response.headers.value(b"connection") or b"").lower()
            queue.succeed(self.transfer, keeps_connection=not closes)


_INT_BITS = 31


def _scaled(done: int, total: int) -> tuple[int, int]:
    """What fits into the ``int`` of the signals, as QHttp's documentation has it."""
    shift = max(max(done, total).bit_length() - _INT_BITS, 0)
    return done >> shift, total >> shift

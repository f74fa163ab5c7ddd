"""SignalEmitter: emits the signals of one request, in the order of QHttp.

Any slot may abort, add commands, or delete the Http. So after each signal it checks whether the request still runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engines.events import Progress
from ..models.http_messages import Response
from ..trace import logger
from .state import Error, State, http_error
from .transfer import CREDENTIALS_REQUIRED, Event, Transfer, response_header

if TYPE_CHECKING:
    from .command_queue import CommandQueue


class SignalEmitter:
    """Emits the signals of one request for the events of its transfer."""

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

    def emit(self, event: Event) -> None:
        """Emit the signals for an event of the transfer."""
        if isinstance(event, Progress):
            if event.upload and self._change_to_sending():
                head = self._head_size
                self._emit_sent(head + event.done, head + event.total if event.total >= 0 else 0)
        elif isinstance(event, bytes):
            self._take_chunk(event)
        elif event is self.transfer.response:
            self._end(event)
        elif self._change_to_reading(event):
            self._http.responseHeaderReceived.emit(self._queue.response)

    def change_to_connecting(self) -> None:
        """Change the state to HostLookup or Connecting.

        The engines report neither. It is called if a request has had no event for a while.
        """
        if self._queue.state in (State.Unconnected, State.Connected):
            self._queue.change(State.HostLookup if self.transfer.looks_up else State.Connecting)

    @property
    def _head_size(self) -> int:
        return len(self.transfer.send.header.toString())

    def _change_to_sending(self) -> bool:
        """Change the state to Sending, if it was not reached yet. Return False if a slot has ended the request."""
        queue = self._queue
        if queue.state in (State.Sending, State.Reading):
            return True
        if queue.state is not State.Connecting:
            queue.change(State.Connecting)
        if self._is_current:
            queue.change(State.Sending)
        return self._is_current

    def _change_to_reading(self, response: Response) -> bool:
        """Store the header of the response and change the state to Reading.

        Return False if a slot has ended the request.
        """
        self._queue.response = response_header(response)
        self._total = max(response.total_bytes, 0)
        if not self._change_to_sending():
            return False
        size = self._head_size + max(self.transfer.body_size, 0)
        if self._sent < size:
            self._emit_sent(size, size)
        if self._is_current:
            self._queue.change(State.Reading)
        return self._is_current

    def _emit_sent(self, done: int, total: int) -> None:
        self._sent = done
        self._http.dataSendProgress.emit(*_scaled(done, total))

    def _take_chunk(self, chunk: bytes) -> None:
        """Write or keep a chunk of the body, and emit its signals."""
        write = self.transfer.send.write
        if write is None:
            self._queue.unread += chunk
        else:
            try:
                write(chunk)
            except Exception as error:  # a device of the application may raise anything
                if not isinstance(error, OSError):
                    logger.exception("the destination of a request of an Http failed")
                self._queue.fail(Error.UnknownError, f"Error writing response to device: {error}")
                return
        self._received += len(chunk)
        self._http.dataReadProgress.emit(*_scaled(self._received, self._total))
        if write is None and self._is_current:
            self._http.readyRead.emit(self._queue.response)

    def _end(self, response: Response) -> None:
        """End the command with the complete response."""
        queue, failure = self._queue, response.failure
        if failure is not None:
            error = http_error(failure, queue.state is State.Reading)
            if queue.state in (State.Unconnected, State.Connected) and self.transfer.was_sent:
                queue.change(State.HostLookup if error is Error.HostNotFound else State.Connecting)
            if self._is_current:
                queue.fail(error, failure.text)
        elif response.status in CREDENTIALS_REQUIRED:
            if self._change_to_reading(response):
                queue.fail(*CREDENTIALS_REQUIRED[response.status])
        else:
            closes = b"close" in (response.headers.value(b"connection") or b"").lower()
            queue.succeed(self.transfer, keeps_connection=not closes)


_INT_BITS = 31


def _scaled(done: int, total: int) -> tuple[int, int]:
    """Scale both figures down by a power of 2 so that they fit into the ``int`` of the signals, as QHttp does."""
    shift = max(max(done, total).bit_length() - _INT_BITS, 0)
    return done >> shift, total >> shift

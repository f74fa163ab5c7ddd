"""FakeChannel: the server's end of a connection, in memory. It reads a request of HTTP/1.1, and writes the reply."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Callable, Optional, Union

from ..engines.python.failures import ConnectionLost, TransferFailed
from ..engines.python.sending import expects_continue
from ..engines.wanted import YIELD_NOW, Wanted
from ..models.error_texts import certificate_refused
from ..models.failure import Failure, QtNetworkError
from ..models.headers import Headers
from ..models.http_messages import Request
from ..models.tls import TlsSession, TlsSettings, ignores_errors
from .reply import BodyPart, FakeReply, failure_for, has_body
from .sent_request import SentRequest, body_size

if TYPE_CHECKING:
    from ..engines.mailbox import Mailbox

READY = Wanted(seconds=0.0)
"""The transfer can go on at once: nothing else is due before."""

_HELD_READS = 3
"""How many reads after the function of a reply give nothing, so that the driver finds out whether it has cancelled the
call. The engine reads twice in its first turn, and a batch looks at its feedback after the second turn."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

GetReply = Callable[[SentRequest, Request], FakeReply]
"""Returns the reply to a request. The thread that drives the transfer calls it. It may raise any exception."""


class CallerError(BaseException):
    """Carries an exception of the test's own code past the engine, which would make a failed request of it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class FakeChannel:
    """The connection of one request. It takes the bytes of the request, and gives those of the reply."""

    wants_read = wants_write = READY
    has_unsent = False

    def __init__(self, request: Request, mailbox: Mailbox, get_reply: GetReply) -> None:
        self.wanted = READY
        self._request = request
        self._now = mailbox.now
        self._get_reply = get_reply
        self._sent = bytearray()
        self._head_size = 0
        """The size of the request's head; 0: it is not complete."""
        self._owes_continue = expects_continue(request)
        self._pieces: Optional[deque[BodyPart]] = None
        """The rest of the reply; None before the request is complete."""
        self._held_reads = 0
        """How many further reads give nothing."""
        self._due = 0.0
        self._rest: Optional[memoryview] = None
        """The rest of a piece of which some bytes were received."""

    # -- the request

    def send(self, data: Union[bytes, memoryview]) -> Optional[int]:
        self._sent += data
        if not self._head_size:
            self._head_size = self._sent.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in self._sent else 0
        return len(data)

    @property
    def _is_complete(self) -> bool:
        """Whether the whole request is here."""
        if not self._head_size:
            return False
        if self._request.has_unknown_length:
            return self._sent.endswith(b"0\r\n\r\n", self._head_size) and self._chunked_body() is not None
        return len(self._sent) - self._head_size >= body_size(self._request)

    def _chunked_body(self) -> Optional[bytes]:
        """Return the body of a request that is sent in chunks; None if it is not complete."""
        parts: list[bytes] = []
        position = self._head_size
        while True:
            end = self._sent.find(b"\r\n", position)
            if end < 0:
                return None
            size = int(bytes(self._sent[position:end]), 16)
            if size == 0:
                return b"".join(parts)
            parts.append(bytes(self._sent[end + 2 : end + 2 + size]))
            position = end + 2 + size + 2

    def _sent_request(self) -> SentRequest:
        request = self._request
        lines = bytes(self._sent[: self._head_size]).split(b"\r\n")[1:]
        pairs = tuple((name, value.strip()) for name, colon, value in (line.partition(b":") for line in lines) if colon)
        is_chunked = request.has_unknown_length
        body = self._chunked_body() if is_chunked else bytes(self._sent[self._head_size :])
        url = request.url.partition("#")[0]
        return SentRequest(request.method, url, Headers(pairs), body or b"", request.redacted_names)

    # -- the reply

    def _next_piece(self) -> Optional[bytes]:
        """Return the next bytes of the reply, ``b""`` at its end, or None if it is not time for them."""
        pieces = self._pieces
        if pieces is None:
            if self._owes_continue and self._head_size:
                self._owes_continue = False
                return _CONTINUE
            if not self._is_complete:
                self.wanted = READY
                return None
            pieces = self._pieces = deque(self._begin_reply())
        if self._held_reads:
            self._held_reads -= 1
            self.wanted = YIELD_NOW
            return None
        while pieces:
            left = self._due - self._now()
            if left > 1e-9:  # a sum of seconds is not exact
                self.wanted = Wanted(seconds=left)
                return None
            piece = pieces.popleft()
            if isinstance(piece, Failure):
                self._fail(piece)
            elif isinstance(piece, float):
                self._due = self._now() + piece
            elif isinstance(piece, bytes) and piece:
                return piece
        if self._due - self._now() > 1e-9:
            self.wanted = Wanted(seconds=self._due - self._now())
            return None
        return b""

    def _begin_reply(self) -> Iterator[BodyPart]:
        sent = self._sent_request()
        self._sent.clear()
        self._due = 0.0
        try:
            reply = self._get_reply(sent, self._request)
        except Exception as error:
            raise CallerError(error) from error
        if reply.is_of_function:
            self._held_reads = _HELD_READS
        self._refuse_certificate(reply)
        yield reply.delay
        if reply.failure is not None:
            yield reply.failure
        head = [f"HTTP/1.1 {reply.status} {reply.reason}".encode("latin-1", "replace")]
        head += [name + b": " + value for name, value in reply.headers]
        encoded_head = b"\r\n".join((*head, b"", b""))
        if self._request.method == "HEAD" or not has_body(reply.status):
            yield encoded_head
            return
        if reply.is_chunked:
            yield encoded_head
            for piece in reply.pieces:
                yield b"%x\r\n%b\r\n" % (len(piece), piece) if isinstance(piece, bytes) else piece
            yield b"0\r\n\r\n"
            return
        # The head comes with the first bytes of the body, as from most servers.
        first = reply.pieces[0] if reply.pieces else b""
        if isinstance(first, bytes) and len(first) < 1 << 14:
            yield encoded_head + first
            yield from reply.pieces[1:]
        else:
            yield encoded_head
            yield from reply.pieces

    def _refuse_certificate(self, reply: FakeReply) -> None:
        """Raise TransferFailed if the certificate of the server has errors that the caller does not ignore."""
        errors = reply.tls_errors
        if not errors:
            return
        settings = self._request.tls or TlsSettings()
        if not settings.verify or ignores_errors(settings, errors):
            return
        certificates = tuple(dict.fromkeys(each.certificate for each in errors))
        raise TransferFailed(certificate_refused(errors), TlsSession(certificates=certificates, errors=errors))

    def _fail(self, failure: Failure) -> None:
        if failure.error is QtNetworkError.RemoteHostClosedError:
            raise ConnectionLost
        raise TransferFailed(failure_for(failure, self._request.url))

    def receive(self, limit: int) -> Optional[bytes]:
        view = self._take(limit)
        return view if view is None or isinstance(view, bytes) else bytes(view)

    def receive_into(self, buffer: memoryview) -> Optional[int]:
        view = self._take(len(buffer))
        if view is None:
            return None
        buffer[: len(view)] = view
        return len(view)

    def _take(self, limit: int) -> Union[bytes, memoryview, None]:
        """Return at most so many bytes of the reply."""
        view: Union[bytes, memoryview, None] = self._rest or self._next_piece()
        if view is None or len(view) <= limit:
            self._rest = None
            return view
        view = memoryview(view)
        self._rest = view[limit:]
        return view[:limit]

    def fileno(self) -> int:
        return -1

    def has_pending(self) -> bool:
        return False

    def close(self) -> None:
        self._sent.clear()

"""What is known of a transfer while it runs: its driver looks at it, and its response is made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional, Union

from ...models import error_texts as messages
from ...models.failure import Failure
from ...models.http_messages import IDEMPOTENT_METHODS, Request, Response
from ...models.tls import TlsSession, known_session
from ...models.transfer_trace import TransferTrace
from ..body_reader import BodyReader
from ..mailbox import Mailbox
from .connection import Connection
from .http1 import ResponseParser

if TYPE_CHECKING:
    from .http2_stream import Http2Stream

NAME = "python"


def nobody_waits() -> None:
    """The driver is not waiting."""


class TransferState:
    """For the thread that drives the transfer. It does not hold the transfer: a dropped one ends at once then."""

    __slots__ = (
        "body",
        "connection",
        "is_aborted",
        "is_connected",
        "is_cut_short",
        "is_http2",
        "is_reused",
        "mailbox",
        "parser",
        "reader",
        "request",
        "session",
        "stream",
        "trace",
        "unsent",
        "wake",
    )

    def __init__(self, request: Request, mailbox: Mailbox) -> None:
        self.request = request
        self.mailbox = mailbox
        trace = self.trace = TransferTrace()
        trace.queued = mailbox.last_activity
        self.wake: Callable[[], None] = mailbox.wake
        """Wakes the driver, from any thread."""
        self.is_http2 = False
        self.is_aborted = False
        self.is_connected = False
        """Whether there is a connection to the server, or to the proxy before it."""
        self.connection: Optional[Connection] = None
        self.parser: Optional[ResponseParser] = None
        """Of a response of HTTP/1.1."""
        self.stream: Optional[Http2Stream] = None
        """Of one of HTTP/2."""
        self.reader: Optional[BodyReader] = None
        self.body: Optional[bytes] = None
        """The body, if it came in one piece and is not coded; else ``reader`` has it."""
        self.session: Optional[TlsSession] = None
        """What was agreed on with the server, or what it showed before it was refused."""
        self.is_reused = False
        """Whether the connection had served another request before."""
        self.unsent: Optional[memoryview] = None
        """What of a small request the kernel has not taken at once."""
        self.is_cut_short = False
        """Whether the response came before the whole request had been sent."""

    @property
    def received(self) -> Union[ResponseParser, Http2Stream, None]:
        """What knows how much of the response has come."""
        return self.parser if self.stream is None else self.stream

    def abort(self) -> None:
        """Have the driver end the transfer. May be called from any thread."""
        self.is_aborted = True
        self.mailbox.wake()

    def begin_attempt(self, connection: Connection) -> None:
        self.connection = connection
        self.is_http2 = connection.http2 is not None
        self.is_reused, connection.was_used = connection.was_used, True
        trace = self.trace
        trace.is_reused, trace.peer = self.is_reused, connection.peer
        if trace.request_sent is not None or trace.first_byte is not None:
            trace.request_sent = trace.first_byte = trace.headers_received = None  # of the attempt before
        self.session = connection.session
        self.is_connected = True
        self.parser = None if self.is_http2 else ResponseParser(self.request.method)
        self.stream = None
        self.reader = self.body = self.unsent = None
        self.is_cut_short = False

    @property
    def may_be_repeated(self) -> bool:
        """Whether the server has closed a kept connection just as the request was sent, and it may be sent again.

        RFC 9110 section 9.2.2 allows it; a body reaches the server at most once all the same.
        """
        request, parser = self.request, self.received
        if not self.is_reused or request.body is not None:
            return False
        return request.method in IDEMPOTENT_METHODS and (parser is None or not parser.has_begun)

    def begun_response(self) -> Response:
        """Return the response whose header has come, and whose body follows."""
        parser = self.received
        assert parser is not None and parser.head is not None
        head = parser.head
        return Response(
            self.request,
            head.status,
            head.reason,
            head.fields,
            engine=NAME,
            http2=self.is_http2,
            tls=None if self.session is None else known_session(self.session),
            total_bytes=parser.total_bytes,
            is_streaming=True,
            trace=self.trace,
        )

    def response(self, failure: Optional[Failure]) -> Response:
        """Return the response with what of it has come."""
        session, parser = self.session, self.received
        head = None if parser is None else parser.head
        if parser is None or head is None:
            if session is not None:
                # Whatever was agreed on with the server, it came to nothing: Qt does not tell it either.
                session = replace(session, protocol="", cipher="")
            tls = None if session is None else known_session(session)
            return Response(self.request, failure=failure, engine=NAME, tls=tls, trace=self.trace)
        if failure is None and head.status < 200:
            failure = messages.interim_status(head.status)
        body, reader = self.body, self.reader
        if body is not None:
            encoded_bytes = len(body)
        else:
            body = b"" if reader is None else reader.content()
            encoded_bytes = 0 if reader is None else reader.encoded_bytes
        return Response(
            self.request,
            head.status,
            head.reason,
            head.fields,
            body,
            failure,
            NAME,
            self.is_http2,
            encoded_bytes,
            parser.total_bytes,
            None if session is None else known_session(session),
            trace=self.trace,
        )

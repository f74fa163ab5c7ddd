"""The state of a transfer while it runs. Its driver reads it, and the response is made of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Optional, Union

from ...models import error_texts as messages
from ...models.failure import Failure
from ...models.http_messages import IDEMPOTENT_METHODS, Request, Response
from ...models.tls import TlsSession, live_session
from ...models.transfer_trace import TransferTrace
from ..body_reader import BodyReader
from ..events import Chunk, Event, Step, StepReached
from ..mailbox import Mailbox
from .connection import Connection
from .http1 import ResponseParser

if TYPE_CHECKING:
    from .http2_stream import Http2Stream

NAME = "python"


MOST_EARLY_BYTES = 1 << 24
"""How much of a response's body is kept if it comes while the request is still being sent."""


CHUNK_OVERHEAD = 128
"""How many bytes of memory a chunk takes beside its own."""


def no_wake_up() -> None:
    """Do nothing: stands for a wake-up function while the driver does not wait."""


class TransferState:
    """The state of one transfer. The thread that drives the transfer uses it.

    It does not refer to the transfer, so the generator of a dropped transfer is closed at once.
    """

    __slots__ = (
        "body",
        "connection",
        "early_chunks",
        "early_read",
        "early_size",
        "is_aborted",
        "is_connected",
        "is_cut_short",
        "is_reused",
        "mailbox",
        "parser",
        "reached",
        "reader",
        "request",
        "session",
        "stream",
        "trace",
        "unsent",
    )

    def __init__(self, request: Request, mailbox: Mailbox) -> None:
        self.request = request
        self.mailbox = mailbox
        trace = self.trace = TransferTrace()
        trace.queued = mailbox.last_activity
        self.is_aborted = False
        self.is_connected = False
        """Whether there is a connection to the server, or to the proxy before it."""
        self.connection: Optional[Connection] = None
        self.parser: Optional[ResponseParser] = None
        """Reads the response over HTTP/1.1."""
        self.stream: Optional[Http2Stream] = None
        """The stream over HTTP/2."""
        self.reader: Optional[BodyReader] = None
        self.body: Optional[bytes] = None
        """The body, if it came in one piece without a coding.

        Otherwise ``reader`` has it. Chunks that came before there is a reader are in ``early_chunks``.
        """
        self.session: Optional[TlsSession] = None
        """The TLS session. If the certificate was refused, it has the certificates only."""
        self.is_reused = False
        """Whether the connection had served another request before."""
        self.unsent: Optional[memoryview] = None
        """The rest of a small request, if the kernel has taken only a part of it."""
        self.is_cut_short = False
        """Whether the response came before the whole request had been sent."""
        self.early_chunks: list[Chunk] = []
        """The parts of the response's body that came while the request was being sent."""
        self.early_size = 0
        self.early_read = 0
        """How many bytes were read since the steps last yielded."""
        self.reached: Optional[deque[Event]] = None
        """The steps that the caller wants to know of and does not know yet, and the event that follows them."""

    @property
    def received(self) -> Union[ResponseParser, Http2Stream, None]:
        """The parser or the stream, which has the header of the response."""
        return self.parser if self.stream is None else self.stream

    @property
    def is_http2(self) -> bool:
        connection = self.connection
        return connection is not None and connection.http2 is not None

    def abort(self) -> None:
        """Have the driver end the transfer. Any thread may call this."""
        self.is_aborted = True
        self.mailbox.wake()

    def reach(self, step: Step) -> None:
        """Report a step of the transfer, if the caller wants to know of it."""
        wanted = self.mailbox.wanted_steps
        if not wanted or step not in wanted:  # the hash of an Enum takes as long as all else here
            return
        response = None
        if step is Step.HEADERS_RECEIVED:
            response = self.begun_response()._replace(is_streaming=False)
        elif step is Step.ENCRYPTED and self.session is not None:
            response = Response(self.request, engine=NAME, tls=live_session(self.session))
        if self.reached is None:
            self.reached = deque()
        self.reached.append(StepReached(step, response))

    @property
    def has_room_for_early_chunks(self) -> bool:
        """Whether more of the response may be read while the request is being sent. If not, the server has to wait."""
        return self.early_size < MOST_EARLY_BYTES

    def add_early_chunks(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            # A copy, because a small chunk would hold all the bytes that were read with it.
            self.early_chunks.append(bytes(chunk))
            self.early_size += len(chunk) + CHUNK_OVERHEAD
            self.mailbox.mark_active()

    def take_early_chunks(self) -> list[Chunk]:
        chunks, self.early_chunks, self.early_size = self.early_chunks, [], 0
        return chunks

    def begin_attempt(self, connection: Connection) -> None:
        """Forget the attempt before, and use a connection. Report its TLS handshake if it is new."""
        self.connection = connection
        self.is_reused, connection.was_used = connection.was_used, True
        trace = self.trace
        trace.is_reused, trace.peer = self.is_reused, connection.peer
        if trace.request_sent is not None or trace.first_byte is not None:
            trace.request_sent = trace.first_byte = trace.headers_received = None  # of the attempt before
        self.session = connection.session
        if self.session is not None and not self.is_reused:
            self.reach(Step.ENCRYPTED)
        self.is_connected = True
        self.parser = ResponseParser(self.request.method) if connection.http2 is None else None
        self.stream = None
        self.reader = self.body = self.unsent = None
        self.is_cut_short = False
        if self.early_chunks:
            self.early_chunks, self.early_size = [], 0

    @property
    def may_be_repeated(self) -> bool:
        """Whether the request may be sent again, because the server has closed a kept connection just as it was sent.

        RFC 9110 section 9.2.2 allows this for idempotent methods. A request with a body is not sent again.
        """
        request, parser = self.request, self.received
        if not self.is_reused or request.body is not None:
            return False
        return request.method in IDEMPOTENT_METHODS and (parser is None or not parser.has_begun)

    def begun_response(self) -> Response:
        """Return the response with its header. The body follows."""
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
            tls=None if self.session is None else live_session(self.session),
            total_bytes=parser.total_bytes,
            is_streaming=True,
            trace=self.trace,
        )

    def response(self, failure: Optional[Failure]) -> Response:
        """Return the response with the header and the body that have come."""
        session, parser = self.session, self.received
        head = None if parser is None else parser.head
        if parser is None or head is None:
            if session is not None:
                # Without a response, protocol and cipher are not reported. Qt does the same.
                session = replace(session, protocol="", cipher="")
            tls = None if session is None else live_session(session)
            return Response(self.request, failure=failure, engine=NAME, tls=tls, trace=self.trace)
        if failure is None and head.status < 200:
            failure = messages.interim_status(head.status)
        body, reader = self.body, self.reader
        if body is not None:
            encoded_bytes = len(body)
        elif reader is None and self.early_chunks and not head.fields.has(b"content-encoding"):
            body = b"".join(self.early_chunks)
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
            None if session is None else live_session(session),
            trace=self.trace,
        )

"""CallRecord: the values that a log keeps of one call, and of each request that the call has sent.

Theory of operation: the thread of the call writes a record, any thread may read it. A record holds no connection, no
reply and no large body, so a log may keep it for long. The values that are shown have no credentials; only a body may
have some, which are removed before it is shown. ``secrets`` keeps the originals, to hide them where a server repeats
them. It is never shown or pickled.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from .._first_use import first_use
from .headers import NO_FIELDS, Fields, Pairs
from .known_secrets import SMALL_BODY_BYTES, Secrets
from .redaction import CREDENTIAL_FIELDS, is_secret_field
from .sent_head import HasSentHead, RawHead, SentHead, parse_head
from .tls import LazySession

if TYPE_CHECKING:
    from .failure import Failure
    from .http_messages import Request, Response
    from .timings import Timings
    from .transfer_trace import TransferTrace

CALL = "call"
"""The kind of the record of a whole call. Its ``children`` are the records of its requests."""
FIRST = "request"
"""The kind of the first request of a call."""
REDIRECT, RETRY, LOGIN, RESEND, CACHED = "redirect", "retry", "login", "resend", "cache"
"""The kinds of further requests: after a redirect, after a failure, with credentials after a 401 or 407, because
the response could not be used; and of a response that came from the cache without a request."""


class CallRecord:
    """One call, or one request of it. The class has slots, and no dataclass's ``__init__``, because a log makes two of
    them for each call.
    """

    __slots__ = (
        "__weakref__",
        "_sender",
        "_url",
        "body_limit",
        "children",
        "clock_started",
        "encoded_size",
        "ended",
        "engine",
        "failure",
        "from_cache",
        "has_credentials",
        "http_version",
        "identifier",
        "is_decoded",
        "is_forwarded",
        "is_of_qgis",
        "is_retry",
        "is_streamed",
        "kind",
        "known_peer",
        "known_timings",
        "method",
        "proxy",
        "reason",
        "received",
        "redacted_names",
        "redirects",
        "request_body",
        "request_headers",
        "request_size",
        "response_body",
        "response_headers",
        "response_size",
        "secrets",
        "sent_head",
        "started",
        "status",
        "thread",
        "tls",
        "trace",
    )

    def __init__(
        self,
        kind: str,
        request: Request,
        identifier: int,
        clock_started: float,
        started: float,
        thread: str,
        body_limit: int,
        secrets: Optional[Secrets] = None,
    ) -> None:
        """``clock_started``: by the clock of the call; ``started``: the same in seconds since 1970; ``body_limit``: how
        many bytes of each body are kept; ``secrets``: those of the call, if this is a request of it.
        """
        self.kind = kind
        self.identifier = identifier
        self.clock_started = clock_started
        self.started = started
        self.thread = thread
        self.body_limit = body_limit
        # The request.
        self.method = request.method
        self._url = request.redacted_url
        self.redirects = request.redirects
        self.is_retry = request.is_retry
        self.is_decoded = request.decode
        """Whether the content coding of ``response_body`` is undone."""
        names = self.redacted_names = request.redacted_names
        known = self.secrets = secrets or Secrets(names)
        """The secrets of the call, which each of its texts may repeat."""
        headers = self.request_headers = without_credentials(request.headers, names)
        self.has_credentials = headers is not request.headers
        """Whether the header fields had credentials."""
        self.sent_head: Union[RawHead, SentHead, None] = None
        """The head as it was sent, with the fields that the engine has added, and without credentials; None if it was
        not sent, or on the qt engine."""
        self._sender: Optional[weakref.ReferenceType[HasSentHead]] = None
        """Knows the head of a request that is running."""
        self.is_of_qgis = request.qgis
        self.proxy, self.is_forwarded = "", False
        proxy = request.proxy
        if proxy is not None and not proxy.is_none:
            self.proxy = f"{proxy.kind}://{proxy.address}"
            self.is_forwarded = proxy.forwards(request.url)
            if proxy.user:
                self.has_credentials = True
                known.add(fields=((b"Proxy-Authorization", proxy.authorization),))
        body = request.body
        self.request_body: Optional[bytes] = None
        """At most ``body_limit`` bytes; None if there is none, or if it was read while it was sent."""
        self.request_size = 0
        """Of the whole body in bytes; -1 if it is not known."""
        if body is not None:
            if isinstance(body, bytes):
                self.request_size = len(body)
                # Requests of one call mostly have one body, of which one copy is kept.
                copies = [each[2] for each in known.parts] if secrets is not None and len(body) > body_limit else []
                self.request_body = _beginning(body, body_limit, copies)
                most = max(body_limit, SMALL_BODY_BYTES)
                known.parts.append((request.url, request.headers, _beginning(body, most, [*copies, self.request_body])))
            else:
                self.request_size = body.size
        if self.request_body is None:
            known.parts.append((request.url, request.headers, None))
        # The response, which is not there yet.
        self.ended: Optional[float] = None
        """By the clock of the call; None while the call, or the request, is running."""
        self.status: Optional[int] = None
        self.reason = ""
        self.http_version = ""
        self.response_headers: Fields = NO_FIELDS
        self.response_body: Optional[bytes] = None
        """Decoded; at most ``body_limit`` bytes."""
        self.response_size = 0
        """Of the whole decoded body in bytes; -1 if it is not known."""
        self.encoded_size = 0
        """Of the whole body in bytes, as it came."""
        self.is_streamed = False
        """Whether the body was handed over in chunks, and so is in no reply."""
        self.received: Optional[bytearray] = None
        """The chunks of a streamed body, up to ``body_limit``."""
        self.engine = ""
        self.tls: Optional[LazySession] = None
        self.trace: Optional[TransferTrace] = None
        self.known_timings: Optional[Timings] = None
        """The timings of a record that was loaded; so is ``known_peer``."""
        self.known_peer: Optional[tuple[str, int]] = None
        self.failure: Optional[Failure] = None
        self.from_cache = False
        self.children: list[CallRecord] = []

    def __repr__(self) -> str:
        outcome = "running" if self.ended is None else self.status or "failed"
        return f"<CallRecord {self.identifier}: {self.method} {self.url} {outcome}>"

    def set_head(self, response: Response) -> None:
        """Note the head of the response."""
        self.status = response.status
        self.reason = response.reason
        self.http_version = response.http_version
        self.response_headers = response.headers
        if not self.children:  # otherwise the request has added them
            self.secrets.parts.append(("", response.headers, None))
        self.engine = response.engine or self.engine

    def end(self, response: Response, ended: float) -> None:
        """Note the response, which has no secrets but in its body and its ``Set-Cookie`` fields.

        Of a whole call, this is the response after its last request.
        """
        self.set_head(response)
        self._note_sent_head()
        self._sender = None
        if not self.engine and response.failure is not None and self.children:
            self.engine = self.children[-1].engine
        self.tls = response.tls
        self.trace = response.trace or self.trace
        self.failure = response.failure
        self.from_cache = response.from_cache
        self.encoded_size = response.encoded_bytes
        body, limit = response.body, self.body_limit
        if self.received is not None:
            self.response_body, self.received = bytes(self.received), None
        elif response.status is None:
            self.response_size = 0
        elif body or not (response.encoded_bytes or self.is_streamed):
            self.response_size = len(body)
            self.response_body = _beginning(body, limit, [each.response_body for each in self.children])
        elif self.children and self.children[-1].status == response.status:
            last = self.children[-1]
            self.response_body, self.response_size = last.response_body, last.response_size
            self.is_streamed = last.is_streamed
        else:
            self.response_size = -1
        self.ended = ended

    def begin_transfer(self, engine: str, sent: HasSentHead, trace: TransferTrace) -> None:
        """Note the engine that performs the request, and the moments of its steps, which follow.

        ``sent`` will know the head as it was sent. It is only referenced weakly: it may reference the call, which would
        not end when its user drops it.
        """
        self.engine, self.trace, self._sender = engine, trace, weakref.ref(sent)

    def _note_sent_head(self) -> None:
        sender = self._sender
        sent = None if sender is None or self.sent_head is not None else sender()
        if sent is not None and sent.sent_head is not None and self._sender is sender:
            self.set_sent_head(sent)

    @property
    def known_head(self) -> Union[RawHead, SentHead, None]:
        """``sent_head``, also of a request that is running. Any thread may read it."""
        self._note_sent_head()
        return self.sent_head

    def set_sent_head(self, sent: HasSentHead) -> None:
        """Note the head of the request as it was sent. It may have credentials, which are left out."""
        if not self.has_credentials:
            self.sent_head = sent.sent_head
        elif sent.sent_head is not None:
            line, fields = parse_head(sent.sent_head)
            self.secrets.add(fields=fields)
            self.sent_head = SentHead(line, without_credentials(fields, self.redacted_names))

    def tap(self, write: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a function that writes a chunk of the body, and keeps the beginning of the body here."""

        def add_and_write(chunk: Any) -> None:
            self.add_chunk(chunk)
            write(chunk)

        return add_and_write

    def add_chunk(self, chunk: Any) -> None:
        """Keep the beginning of a streamed body. The thread that writes the chunks calls this."""
        received = self.received
        if received is None:
            self.is_streamed = True
            received = self.received = bytearray()
            self.response_size = 0
        room = self.body_limit - len(received)
        if room > 0:
            received += memoryview(chunk)[:room]  # a slice of PySide6's QByteArray is not a part of it
        self.response_size += len(chunk)

    @property
    def url(self) -> str:
        """Without secrets."""
        return self.secrets.hide_in_url(self._url)

    def moment_of(self, now: float) -> float:
        """Return a time of the clock of the call in seconds since 1970."""
        return self.started + (now - self.clock_started)

    @property
    def timings(self) -> Timings:
        if self.known_timings is not None:
            return self.known_timings
        with first_use:
            from .timings import timings_of
        return timings_of(self.trace)

    @property
    def peer(self) -> Optional[tuple[str, int]]:
        """The address and the port of the other end."""
        return self.known_peer if self.trace is None else self.trace.peer

    @property
    def seconds(self) -> float:
        """How long it took; 0.0 while it is running."""
        return 0.0 if self.ended is None else max(self.ended - self.clock_started, 0.0)


def _beginning(body: bytes, most: int, copies: list[Optional[bytes]]) -> bytes:
    """Return the beginning of a body; one of the copies if it is equal."""
    if len(body) <= most:
        return body
    cut = body[:most]
    return next((each for each in copies if each == cut), cut)


def without_credentials(headers: Pairs, redacted_names: tuple[str, ...]) -> Pairs:
    """Return header fields of a request with ``***`` in place of the credentials.

    The names of cookies and the scheme of ``Authorization`` stay.
    """
    if not redacted_names and CREDENTIAL_FIELDS.isdisjoint([name.lower() for name, _ in headers]):
        return headers  # of most requests
    return tuple((name, _hidden(name, value, redacted_names)) for name, value in headers)


def _hidden(name: bytes, value: bytes, redacted_names: tuple[str, ...]) -> bytes:
    if not is_secret_field(name, redacted_names):
        return value
    with first_use:
        from .exchange_redaction import redacted_fields
    return redacted_fields(((name, value),), redacted_names)[0][1].encode("latin-1", "replace")


def kind_of(request: Request, previous: Optional[CallRecord]) -> str:
    """Return the kind of a request that is sent after another one of the same call."""
    if previous is None:
        return REDIRECT if request.redirects else FIRST  # the redirect came from the cache
    if request.redirects > previous.redirects:
        return REDIRECT
    if previous.status in (401, 407):
        return LOGIN
    return RETRY if request.is_retry else RESEND

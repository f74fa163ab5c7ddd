"""What crosses the thread boundary: an Exchange goes out, an Answer comes back, through a Mailbox.

Exchange and Answer are named tuples, because a frozen dataclass takes three times as long to make.

Rules of this file: values are plain Python and belong to no thread; the Mailbox is the only thing that two threads
touch. The blocked caller waits on its own mailbox, with a deadline, and never on Qt.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Callable, NamedTuple, Optional, Protocol, Union

from .errors import Failure
from .headers import NO_FIELDS, Fields, Pairs
from .proxy import Proxy
from .tls import LazySession, TlsSettings
from .urls import SECRET_PARAMETERS, shown

IDEMPOTENT_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""RFC 9110 section 9.2.2."""


class Login(NamedTuple):
    """User and password for the schemes that authenticate a connection: NTLM (MS-NLMP) and Negotiate (RFC 4559)."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "<Login>"


class Source(Protocol):
    """A body that is read as it is sent."""

    size: int
    """-1 where nobody knows it."""

    @property
    def can_be_sent_again(self) -> bool: ...


Body = Union[bytes, Source, "Channel", None]


class Exchange(NamedTuple):
    """One request as a wire sends it and one answer: no redirects, no cookies, no retries (those are flows)."""

    method: str
    url: str
    """Absolute, ASCII, without userinfo; a fragment is kept here and not sent."""
    headers: Pairs = ()
    body: Body = None
    """None: no body and no Content-Length; empty bytes: ``Content-Length: 0``. A Source above the wires, which is a
    Channel for them."""
    native: Any = None
    """The caller's QNetworkRequest, for what only Qt's wire knows: attributes, priority, TLS configuration."""
    decode: bool = True
    """Undo the content coding; False where the caller asked for one by a header of their own, as Qt has it."""
    keeps_identity: bool = True
    """False once a redirect has left the first origin: the caller's client certificate stays behind."""
    tls: Optional[TlsSettings] = None
    """None: as the engine has it by itself."""
    redirects: int = 0
    """How many redirects led to this exchange."""
    proxy: Optional[Proxy] = None
    """None: as Qt says, which is the application's proxy or the system's."""
    login: Optional[Login] = None
    """For a wire that authenticates connections."""
    body_limit: int = 0
    """How large the answer's body may be when its content coding is undone, in bytes; 0: as large as it is."""
    expansion_limit: int = 0
    """How many times as large it may become when its content coding is undone; 0: any."""
    streams: bool = False
    """Whether the body of a successful answer is handed over in pieces as it comes, and not kept."""
    streams_all: bool = False
    """Whether that of any other answer is, too."""
    secret_names: tuple[str, ...] = ()
    """Query parameters and header fields whose values are never shown, besides the usual ones."""
    qgis: bool = False
    """Whether QGIS's own manager is to send it."""

    @property
    def shown_url(self) -> str:
        """The URL as a message or a log may show it."""
        return shown(self.url, (*SECRET_PARAMETERS, *self.secret_names)) if self.secret_names else shown(self.url)

    @property
    def can_be_sent_again(self) -> bool:
        body = self.body
        return body is None or isinstance(body, (bytes, Channel)) or body.can_be_sent_again

    @property
    def has_unknown_length(self) -> bool:
        body = self.body
        return body is not None and not isinstance(body, bytes) and body.size < 0

    def has_field(self, name: bytes) -> bool:
        """Whether it carries a header field; ``name`` in lower case."""
        return any(field.lower() == name for field, _ in self.headers)

    def __repr__(self) -> str:
        return f"<Exchange {self.method} {self.shown_url}>"


class Answer(NamedTuple):
    """What came back from one exchange, also from one that failed half-way: the last notice of an exchange."""

    exchange: Exchange
    status: Optional[int] = None
    reason: str = ""
    headers: Fields = NO_FIELDS
    body: bytes = b""
    failure: Optional[Failure] = None
    engine: str = ""
    http2: bool = False
    wire_bytes: int = 0
    """Bytes of the body as they came, before the content coding was undone."""
    total_bytes: int = -1
    """What ``Content-Length`` promised, -1 where it did not."""
    tls: Optional[LazySession] = None
    """None where no TLS was spoken."""
    history: tuple[Any, ...] = ()
    """The answers that redirected to this one, oldest first."""
    is_begun: bool = False
    """Whether its body follows in pieces."""
    attempts: int = 1
    """How often the exchange was sent until this answer came, challenges not counted."""

    def __repr__(self) -> str:
        return f"<Answer {self.status} to {self.exchange!r}>"


@dataclass(frozen=True)
class Progress:
    """Bytes moved so far, and how many there will be (-1: unknown)."""

    upload: bool
    done: int
    total: int


Piece = Union[bytes, memoryview]
"""Of a body. A memoryview is one of a buffer that is used again: see ``Mailbox.buffers``."""


@dataclass(frozen=True)
class Begun:
    """The header of a streamed answer is there, and Pieces follow; ``answer`` has no body."""

    answer: Answer


@dataclass(frozen=True)
class Pieces:
    """What of a streamed body has come since the last ones."""

    pieces: list[Piece]


@dataclass(frozen=True)
class BodyWanted:
    """The wire has sent most of what it has of the request's body."""


@dataclass(frozen=True)
class Cancel:
    """Somebody wants the call to end."""


Notice = Union[Answer, Begun, Pieces, BodyWanted, Progress, Cancel]

SENT_AHEAD = 1 << 20
"""How many bytes of a request's body are read before the wire wants them."""

STREAMED_AHEAD = 1 << 22
"""How many bytes of a streamed body may wait for the caller before the wire stops reading."""


class _Marker:
    pass


_PIECES = _Marker()


def streams_body(exchange: Exchange, status: Optional[int]) -> bool:
    """Whether the body of this answer is handed over in pieces: what is to be redirected, answered or told is not."""
    return exchange.streams and status is not None and (exchange.streams_all or 200 <= status < 300)


class Channel:
    """The body of a request on its way from the caller, who puts it in, to the wire, which takes it out."""

    def __init__(self, size: int, mailbox: Mailbox) -> None:
        """``size``: -1 where nobody knows it."""
        self.size = size
        self._mailbox = mailbox
        self._guard = threading.Lock()
        self._pieces: deque[memoryview] = deque()
        self._waiting = 0
        self._ended = False
        self._has_asked = True
        """Whether the caller has been asked for more, and has not given it yet. It begins by giving."""
        self._wake: Optional[Callable[[], None]] = None
        self.is_untouched = True

    @property
    def has_room(self) -> bool:
        return self._waiting < SENT_AHEAD

    @property
    def is_at_end(self) -> bool:
        return self._ended and not self._pieces

    @property
    def waiting(self) -> int:
        """How many bytes can be taken."""
        return self._waiting

    def ask(self, mailbox: Mailbox) -> None:
        """Whom to ask for more from now on."""
        self._mailbox = mailbox

    def put(self, piece: bytes) -> None:
        self._give(memoryview(piece))

    def end(self) -> None:
        """There is no more."""
        self._give(None)

    def _give(self, piece: Optional[memoryview]) -> None:
        with self._guard:
            if piece is None:
                self._ended = True
            else:
                self._pieces.append(piece)
                self._waiting += len(piece)
            if not self.has_room or self._ended:
                self._has_asked = False
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def take(self, limit: int, wake: Callable[[], None]) -> Optional[bytes]:
        """Some bytes; None at the end; none at all where they have not come yet: ``wake`` is called when they have, in
        the caller's thread.
        """
        with self._guard:
            self.is_untouched = False
            taken = None if self._ended else b""
            if self._pieces:
                piece = self._pieces.popleft()
                if len(piece) > limit:
                    self._pieces.appendleft(piece[limit:])
                    piece = piece[:limit]
                self._waiting -= len(piece)
                taken = bytes(piece)
            elif not self._ended:
                self._wake = wake
            asks = self._waiting < SENT_AHEAD // 2 and not self._ended and not self._has_asked
            self._has_asked = self._has_asked or asks
        if asks:
            self._mailbox.post(BodyWanted())
        return taken


class Mailbox:
    """Where a blocked caller hears from the rest of the world. ``post`` and ``report`` may come from any thread.

    A SimpleQueue, because its ``get`` can be interrupted by Ctrl-C and its ``put`` may be called from anywhere, a
    destructor included.
    """

    __slots__ = (
        "_notices",
        "_pieces",
        "_resume",
        "_unheard",
        "_unheard_guard",
        "_untaken",
        "_write",
        "activity",
        "buffers",
        "wants_progress",
    )

    def __init__(self) -> None:
        self._notices: SimpleQueue[Union[Notice, _Marker, None]] = SimpleQueue()
        self._pieces: list[Piece] = []
        self._untaken = 0
        self._resume: Optional[Callable[[], None]] = None
        self._write: Optional[Callable[[Piece], None]] = None
        self.buffers: list[bytearray] = []
        """For pieces: the caller puts those back that it is done with, the wire takes them. New memory for each piece
        takes as long as to fill it.
        """
        self._unheard: dict[bool, Progress] = {}
        self._unheard_guard = threading.Lock()
        self.activity = time.monotonic()
        """When bytes last moved, by ``time.monotonic()``: what the idle timeout is counted from."""
        self.wants_progress = False
        """Whether the caller listens to ``report``."""

    def touch(self) -> None:
        self.activity = time.monotonic()

    def post(self, notice: Notice) -> None:
        self._notices.put(notice)

    def report(self, progress: Progress) -> None:
        """Tell progress; a caller that is slow to listen hears the newest figure once, not all of them."""
        with self._unheard_guard:
            fresh = progress.upload not in self._unheard
            self._unheard[progress.upload] = progress
        if fresh:
            self._notices.put(None)

    def deliver(self, piece: Piece, resume: Callable[[], None]) -> bool:
        """Hand over a piece of a streamed body. False where the wire should stop: ``resume`` is then called, in the
        caller's thread, when there is room again.
        """
        with self._unheard_guard:
            write = self._write
            if write is None:
                is_first = not self._pieces
                self._pieces.append(piece)
                self._untaken += len(piece)
                has_room = self._untaken < STREAMED_AHEAD
                if not has_room:
                    self._resume = resume
        if write is not None:
            write(piece)
            if isinstance(piece, memoryview) and isinstance(piece.obj, bytearray):
                self.buffers.append(piece.obj)
            return True
        if is_first:
            self._notices.put(_PIECES)
        return has_room

    def divert(self, write: Callable[[Piece], None]) -> None:
        """From now on have the wire hand its pieces to ``write``, in its own thread; those that wait go there first."""
        while True:
            with self._unheard_guard:
                pieces, self._pieces, self._untaken = self._pieces, [], 0
                resume, self._resume = self._resume, None
                if not pieces:
                    self._write = write
            if resume is not None:
                resume()
            if not pieces:
                return
            for piece in pieces:
                write(piece)

    def take(self, timeout: float) -> Notice:
        """The next notice; raises ``queue.Empty`` after ``timeout`` seconds. For the caller's thread only."""
        notice = self._notices.get(timeout=timeout)
        if isinstance(notice, _Marker):
            return self._take_pieces()
        if notice is not None:
            return notice
        with self._unheard_guard:
            # One None stands in the queue for each entry here.
            return self._unheard.pop(next(iter(self._unheard)))

    def _take_pieces(self) -> Pieces:
        with self._unheard_guard:
            pieces, self._pieces, self._untaken = self._pieces, [], 0
            resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        return Pieces(pieces)

"""What crosses the thread boundary: an Exchange goes out, an Answer comes back, through a Mailbox.

Exchange and Answer are named tuples, because a frozen dataclass takes three times as long to make.

Rules of this file: values are plain Python and belong to no thread; the Mailbox is the only thing that two threads
touch. The blocked caller waits on its own mailbox, with a deadline, and never on Qt.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Callable, NamedTuple, Optional, Union

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


class Exchange(NamedTuple):
    """One request as a wire sends it and one answer: no redirects, no cookies, no retries (those are flows)."""

    method: str
    url: str
    """Absolute, ASCII, without userinfo; a fragment is kept here and not sent."""
    headers: Pairs = ()
    body: Optional[bytes] = None
    """None: no body and no Content-Length; empty bytes: ``Content-Length: 0``."""
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
    secret_names: tuple[str, ...] = ()
    """Query parameters and header fields whose values are never shown, besides the usual ones."""
    qgis: bool = False
    """Whether QGIS's own manager is to send it."""

    @property
    def shown_url(self) -> str:
        """The URL as a message or a log may show it."""
        return shown(self.url, (*SECRET_PARAMETERS, *self.secret_names)) if self.secret_names else shown(self.url)

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


@dataclass(frozen=True)
class Begun:
    """The header of a streamed answer is there, and Pieces follow; ``answer`` has no body."""

    answer: Answer


@dataclass(frozen=True)
class Pieces:
    """What of a streamed body has come since the last ones."""

    pieces: list[bytes]


@dataclass(frozen=True)
class Cancel:
    """Somebody wants the call to end."""


Notice = Union[Answer, Begun, Pieces, Progress, Cancel]

STREAMED_AHEAD = 1 << 22
"""How many bytes of a streamed body may wait for the caller before the wire stops reading."""


class _Marker:
    pass


_PIECES = _Marker()


def streams_body(exchange: Exchange, status: Optional[int]) -> bool:
    """Whether the body of this answer is handed over in pieces: what is to be redirected, answered or told is not."""
    return exchange.streams and status is not None and 200 <= status < 300


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
        "activity",
        "wants_progress",
    )

    def __init__(self) -> None:
        self._notices: SimpleQueue[Union[Notice, _Marker, None]] = SimpleQueue()
        self._pieces: list[bytes] = []
        self._untaken = 0
        self._resume: Optional[Callable[[], None]] = None
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

    def deliver(self, piece: bytes, resume: Callable[[], None]) -> bool:
        """Hand over a piece of a streamed body. False where the wire should stop: ``resume`` is then called, in the
        caller's thread, when there is room again.
        """
        with self._unheard_guard:
            is_first = not self._pieces
            self._pieces.append(piece)
            self._untaken += len(piece)
            has_room = self._untaken < STREAMED_AHEAD
            if not has_room:
                self._resume = resume
        if is_first:
            self._notices.put(_PIECES)
        return has_room

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

"""Request and Response: the values that go to an engine, and come back from it.

The values are plain Python and belong to no thread. They are named tuples, because to make a frozen dataclass takes
three times as long.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Protocol, Union

from .._names import pickled
from .connection_options import DEFAULT_CONNECTION, ConnectionOptions
from .failure import Failure
from .headers import NO_FIELDS, Fields, Pairs
from .pre_shared_key import PreSharedKey
from .proxy import Proxy
from .redaction import SECRET_PARAMETERS, redact_url, without_secret_fields
from .tls import LazySession, TlsSettings
from .transfer_trace import TransferTrace

IDEMPOTENT_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""RFC 9110 section 9.2.2."""


class ConnectionCredentials(NamedTuple):
    """User and password for the schemes that authenticate a connection: NTLM (MS-NLMP) and Negotiate (RFC 4559)."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "<ConnectionCredentials>"


class Source(Protocol):
    """A body that is read as it is sent."""

    size: int
    """In bytes; -1 if it is not known."""

    @property
    def is_replayable(self) -> bool: ...


Body = Union[bytes, Source, None]


@pickled
class Request(NamedTuple):
    """One request, which an engine sends once. Redirects, cookies and retries are flows above the engines."""

    method: str
    url: str
    """Absolute, ASCII, without userinfo; a fragment is kept here and not sent."""
    headers: Pairs = ()
    body: Body = None
    """None: no body and no Content-Length; empty bytes: ``Content-Length: 0``. A Source above the engines, which is a
    UploadChannel for them."""
    qt_request: Any = None
    """The caller's QNetworkRequest. The qt engine uses its attributes, priority and TLS configuration."""
    decode: bool = True
    """Decode the body; False if the caller has set ``Accept-Encoding``, as in Qt."""
    same_origin: bool = True
    """False once a redirect has left the first origin: the caller's client certificate stays behind."""
    tls: Optional[TlsSettings] = None
    """None: the defaults of the engine."""
    redirects: int = 0
    """How many redirects led to this request."""
    proxy: Optional[Proxy] = None
    """None: as Qt says, which is the application's proxy or the system's."""
    connection_credentials: Optional[ConnectionCredentials] = None
    """For NTLM and Negotiate, which authenticate a connection."""
    body_limit: int = 0
    """How large the response's body may be when it is decoded, in bytes; 0: as large as it is."""
    expansion_limit: int = 0
    """How many times as large it may become when it is decoded; 0: any."""
    streams: bool = False
    """Whether the body of a successful response is handed over in pieces as it comes, and not kept."""
    streams_all: bool = False
    """Whether that of any other response is, too."""
    redacted_names: tuple[str, ...] = ()
    """Further query parameters and header fields with values that are never shown."""
    qgis: bool = False
    """Whether QGIS's own manager is to send it."""
    is_retry: bool = False
    """Whether it is sent again because its response was not good enough."""
    is_stored: bool = False
    """Whether a cache may store the response."""
    partition_user: tuple[str, ...] = ()
    """The part of the cache's partition key that the header fields do not tell: the user and the secret that log in."""
    omitted: frozenset[bytes] = frozenset()
    """Names of fields, in lower case, that an engine must not add by itself."""
    avoids_qt: bool = False
    """Whether ``auto`` takes the python engine, because Qt could not read the response."""
    expansion_threshold: Optional[int] = None
    """The ``decompressedSafetyCheckThreshold`` of the caller's request in bytes, which replaces ``expansion_limit`` by
    Qt's rule; -1: no limit. None: it has none of its own."""
    connection: ConnectionOptions = DEFAULT_CONNECTION
    """How its connection is made and kept."""
    pre_shared_key: Optional[PreSharedKey] = None
    """None if the manager has no handler for pre-shared keys."""

    @property
    def redacted_url(self) -> str:
        """The URL as a message or a log may show it: without secrets."""
        names = (*SECRET_PARAMETERS, *self.redacted_names) if self.redacted_names else SECRET_PARAMETERS
        return redact_url(self.url, names)

    @property
    def is_replayable(self) -> bool:
        body = self.body
        return body is None or isinstance(body, bytes) or body.is_replayable

    @property
    def has_unknown_length(self) -> bool:
        body = self.body
        return body is not None and not isinstance(body, bytes) and body.size < 0

    def at(self, url: str) -> Request:
        """The same for another URL; in a third of the time of ``_replace``."""
        other: Request = tuple.__new__(Request, (self[0], url, *self[2:]))
        return other

    def has_field(self, name: bytes) -> bool:
        """Whether it carries a header field; ``name`` in lower case."""
        return any(field.lower() == name for field, _ in self.headers)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.redacted_url}>"


@pickled
class Response(NamedTuple):
    """The result of one request, also of a failed one. It is the last event of a transfer."""

    request: Request
    status: Optional[int] = None
    reason: str = ""
    headers: Fields = NO_FIELDS
    body: bytes = b""
    failure: Optional[Failure] = None
    engine: str = ""
    http2: bool = False
    encoded_bytes: int = 0
    """Bytes of the body as they came, before they were decoded."""
    total_bytes: int = -1
    """The value of ``Content-Length``, or -1."""
    tls: Optional[LazySession] = None
    """None without TLS."""
    history: tuple[Any, ...] = ()
    """The responses that redirected to this one, oldest first."""
    is_streaming: bool = False
    """Whether its body follows in pieces."""
    attempts: int = 1
    """How often the request was sent until this response came, challenges not counted."""
    from_cache: bool = False
    """Whether the body was kept from an earlier request."""
    expires: Optional[float] = None
    """The moment until which it is fresh, in seconds since 1970; None if there is no cache."""
    keep: Optional[Callable[[Response], None]] = None
    """Wants the whole response, its body included, of one that has begun."""
    file: str = ""
    """The path of the file that has the body."""
    trace: Optional[TransferTrace] = None
    """None if no engine has sent the request."""
    is_unreadable: bool = False
    """Whether Qt could not read what the server has sent. The python engine may."""

    @property
    def http_version(self) -> str:
        """``"HTTP/2"`` or ``"HTTP/1.1"``, which includes HTTP/1.0; ``""`` if no server has sent the response."""
        if self.status is None or not self.engine or not self.request.url.startswith("http"):
            return ""
        return "HTTP/2" if self.http2 else "HTTP/1.1"

    def without_credentials(self) -> Response:
        """Return the response without the credentials and cookies that were added to its request."""
        request = self.request
        headers = without_secret_fields(request.headers, request.redacted_names)
        return self._replace(
            request=request._replace(
                headers=headers, body=None, proxy=None, connection_credentials=None, pre_shared_key=None
            )
        )

    def __repr__(self) -> str:
        return f"<Response {self.status} to {self.request!r}>"


def streams_body(request: Request, status: Optional[int]) -> bool:
    """Return whether the body of this response is handed over in chunks.

    The body of a redirect, a challenge or an error is not, unless the request demands it.
    """
    return request.streams and status is not None and status >= 200 and (request.streams_all or status < 300)

"""ReplyContent: what came back, as a value that belongs to no thread."""

from __future__ import annotations

from functools import cached_property
from itertools import count
from typing import Any, Callable, NoReturn, Optional, Union

from ._first_use import first_use
from ._names import public
from .errors import EXCEPTIONS, ErrorCode
from .models.certificate import Certificate
from .models.error_texts import failure_message, status_message
from .models.failure import error_for_status
from .models.headers import MAXIMUM_PARSED_FIELD_BYTES, Headers
from .models.http_messages import Request, Response
from .models.redaction import is_secret_field, printable
from .models.tls import TlsError, TlsSession
from .qt.binding import QtCore, QtNetwork, enum_value, network_error
from .qt.reply_values import known_header, operation_of, reply_attributes

_EMPTY = Response(Request("GET", ""))

_NO_SESSION = TlsSession()

next_request_id = count(1).__next__


@public
class ReplyContent:
    """A reply, complete and immutable. Every method may be called from any thread.

    A copy of it is itself; it can be pickled, and the pickle opens in a process without a Qt application. Two replies
    are equal when they hold the same URL, status, headers, body and error.

    ``ReplyContent()`` is an empty one: no error, no status, ``requestId()`` -1.
    """

    _response: Response
    _request_id: int
    _elapsed: float

    def __init__(self) -> None:
        self._fill(_EMPTY, -1, 0.0)

    @classmethod
    def from_response(cls, response: Response, elapsed: float, request_id: int) -> ReplyContent:
        reply = cls.__new__(cls)
        reply._fill(response, request_id, elapsed)
        return reply

    def _fill(self, response: Response, request_id: int, elapsed: float) -> None:
        content = self.__dict__
        content["_response"] = response
        content["_request_id"] = request_id
        content["_elapsed"] = elapsed

    # -- what it came to

    def errorCode(self) -> ErrorCode:
        """What the call that gave this reply returned."""
        response = self._response
        if response.failure is not None:
            return response.failure.code
        if response.status is not None and response.status >= 400:
            return ErrorCode.ServerExceptionError
        return ErrorCode.NoError

    def error(self) -> QtNetwork.QNetworkReply.NetworkError:
        """Qt's error: of the failure where there was one, else of the status (``NoError`` below 400)."""
        response = self._response
        if response.failure is not None:
            return network_error(response.failure.error)
        return network_error(error_for_status(response.status or 0))

    def errorString(self) -> str:
        """'' where there was no error, else one sentence that names the URL, without its secrets."""
        response = self._response
        if response.failure is not None:
            return failure_message(response.failure, response.request.redacted_url)
        if response.status is not None and response.status >= 400:
            return status_message(response.status, response.reason, response.request.redacted_url)
        return ""

    def raiseForError(self) -> None:
        """Do nothing where the code is ``NoError``, else raise the exception for it.

        Raises NetworkRequestError, RequestTimeoutError, ServerExceptionError or RequestCanceledError, all of them
        RequestError with this reply as ``reply``.
        """
        code = self.errorCode()
        if code is not ErrorCode.NoError:
            raise EXCEPTIONS[code](self.errorString(), self)

    # -- the status line and the headers

    def statusCode(self) -> Optional[int]:
        """The HTTP status, or None where no HTTP answer came."""
        return self._response.status

    def reasonPhrase(self) -> str:
        """What the server wrote beside the status; HTTP/2 has none."""
        return self._response.reason

    @cached_property
    def headers(self) -> Headers:
        """The header fields, by name in any case; ``headers.getlist('Set-Cookie')`` gives each cookie."""
        return Headers(self._response.headers.pairs)

    def rawHeader(self, headerName: Union[bytes, str, QtCore.QByteArray]) -> QtCore.QByteArray:
        """The value of a field as bytes, name in any case; empty where it did not come."""
        name = _raw_name(headerName)
        if name == b"set-cookie":
            # Qt joins cookies by a line feed, because a comma may stand in one.
            return QtCore.QByteArray(b"\n".join(v for k, v in self._response.headers.pairs if k.lower() == name))
        return QtCore.QByteArray(self._response.headers.whole_value(name) or b"")

    def hasRawHeader(self, headerName: Union[bytes, str, QtCore.QByteArray]) -> bool:
        """Whether a field came, name in any case."""
        return self._response.headers.has(_raw_name(headerName))

    def rawHeaderList(self) -> list[QtCore.QByteArray]:
        """The names of the fields as they came."""
        return [QtCore.QByteArray(name) for name, _ in self._response.headers.pairs]

    def rawHeaderPairs(self) -> list[tuple[QtCore.QByteArray, QtCore.QByteArray]]:
        """The fields as they came; ``Set-Cookie`` as many times as it did."""
        return [(QtCore.QByteArray(name), QtCore.QByteArray(value)) for name, value in self._response.headers.pairs]

    def header(self, header: QtNetwork.QNetworkRequest.KnownHeaders) -> Any:
        """A known header parsed by Qt (an int, a QDateTime, a QUrl, ...), or None where it did not come."""
        return known_header(self._response.headers, header)

    def attribute(self, code: QtNetwork.QNetworkRequest.Attribute) -> Any:
        """One of ``attributes()``, or None."""
        return self.attributes().get(enum_value(code))

    def attributes(self) -> dict[int, Any]:
        """What Qt tells of a reply by ``QNetworkRequest.Attribute``, by its integer; the same on every engine."""
        return reply_attributes(self._response)

    # -- the body

    @property
    def body(self) -> bytes:
        """The body, its content coding undone. No copy."""
        return self._response.body

    def content(self) -> QtCore.QByteArray:
        """The body as a QByteArray: a copy; ``body`` is the cheap way."""
        return QtCore.QByteArray(self.body)

    def text(self, encoding: Optional[str] = None) -> str:
        """The body as text; what cannot be decoded becomes U+FFFD.

        The encoding is the one given, else that of a byte order mark, else the charset of ``Content-Type``, else UTF-8.
        """
        with first_use:
            from .models.text_encoding import text_encoding
        encoding = encoding or text_encoding(self.body, self._response.headers.value(b"content-type") or b"")
        return self.body.decode(encoding, errors="replace")

    def json(self, **kwargs: Any) -> Any:
        """The body parsed as JSON (RFC 8259); keyword arguments go to ``json.loads``. Raises ValueError."""
        with first_use:
            import json
        return json.loads(self.body, **kwargs)

    # -- the TLS session

    @property
    def _session(self) -> TlsSession:
        tls = self._response.tls
        return _NO_SESSION if tls is None else tls.session

    def peerCertificate(self) -> Optional[Certificate]:
        """The server's certificate, also of one that was refused; None where no TLS was spoken."""
        return next(iter(self._session.certificates), None)

    def peerCertificateChain(self) -> tuple[Certificate, ...]:
        """The server's certificates as it sent them, its own first (on Python 3.9 the python engine knows only it)."""
        return self._session.certificates

    def sessionProtocol(self) -> str:
        """The version of TLS, as ``"TLSv1.3"``; '' where none was agreed on."""
        return self._session.protocol

    def sessionCipher(self) -> str:
        """OpenSSL's name of the cipher, as ``"TLS_AES_256_GCM_SHA384"``; '' where none was agreed on."""
        return self._session.cipher

    def sslErrors(self) -> tuple[TlsError, ...]:
        """What was wrong with the server's certificate: why it was refused, or what was ignored."""
        return self._session.errors

    # -- where it came from

    def url(self) -> QtCore.QUrl:
        """The URL that answered: the last of the redirects."""
        return QtCore.QUrl.fromEncoded(QtCore.QByteArray(self._response.request.url.encode("utf-8", "replace")))

    def request(self) -> QtNetwork.QNetworkRequest:
        """The request that was answered, the last of the redirects, with the headers we sent."""
        request = self._response.request
        qt_request = QtNetwork.QNetworkRequest(self.url())
        for name, value in request.headers:
            qt_request.setRawHeader(name, value)
        return qt_request

    def requestId(self) -> int:
        """A number no other reply of this process has; -1 for an empty one."""
        return self._request_id

    def operation(self) -> QtNetwork.QNetworkAccessManager.Operation:
        """Qt's name for the method that was answered (a POST that was redirected may have become a GET)."""
        return operation_of(self._response.request.method)

    @cached_property
    def _history(self) -> tuple[ReplyContent, ...]:
        return tuple(
            ReplyContent.from_response(response, 0.0, next_request_id()) for response in self._response.history
        )

    def history(self) -> tuple[ReplyContent, ...]:
        """The redirecting replies, oldest first; their ``elapsed()`` is 0."""
        return self._history

    def elapsed(self) -> float:
        """How long the whole call took, redirects included, in seconds."""
        return self._elapsed

    def attempts(self) -> int:
        """How often the request was sent until this reply came: 1 without retries, 0 where nothing was sent."""
        return self._response.attempts if self._response.engine else 0

    def filePath(self) -> str:
        """The path of the file that a download has written; '' if none was written, or into an open file or device."""
        return self._response.file

    def isFromCache(self) -> bool:
        """Whether the body comes from the cache: it was fresh, or the server has confirmed that it still is right."""
        return self._response.from_cache

    def expirationDate(self) -> QtCore.QDateTime:
        """Until when the reply is fresh, in UTC; in the past where it never was. Not valid where nothing says so, and
        without a cache (RFC 9111 section 4.2).
        """
        expires = self._response.expires
        if expires is None:
            return QtCore.QDateTime()
        return QtCore.QDateTime.fromMSecsSinceEpoch(int(expires * 1000), QtCore.Qt.TimeSpec.UTC)

    def engine(self) -> str:
        """Which engine served: 'qt' or 'python'; '' where nothing was sent."""
        return self._response.engine

    def httpVersion(self) -> str:
        """The version of HTTP that the server spoke: ``"HTTP/2"`` or ``"HTTP/1.1"``; ``""`` if it was not asked.

        ``"HTTP/1.1"`` stands for HTTP/1.0 too, which Qt does not tell apart.
        """
        response = self._response
        if response.status is None or not response.engine or not response.request.url.startswith("http"):
            return ""
        return "HTTP/2" if response.http2 else "HTTP/1.1"

    # -- a value

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a ReplyContent is immutable; {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a ReplyContent is immutable; {name!r} cannot be deleted")

    def __copy__(self) -> ReplyContent:
        return self

    def __deepcopy__(self, memo: Any) -> ReplyContent:
        return self

    def __reduce__(self) -> tuple[Callable[..., ReplyContent], tuple[Any, ...]]:
        return ReplyContent._unpickled, (_without_qt_request(self._response), self._request_id, self._elapsed)

    @classmethod
    def _unpickled(cls, response: Response, request_id: int, elapsed: float) -> ReplyContent:
        reply = cls.__new__(cls)
        reply._fill(response, request_id, elapsed)
        return reply

    def _compared(self) -> tuple[Any, ...]:
        response = self._response
        return (
            response.request.url,
            response.status,
            response.headers,
            response.body,
            self.errorCode(),
            enum_value(self.error()),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReplyContent):
            return NotImplemented
        return self is other or self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        if self._response is _EMPTY:
            return "<ReplyContent (empty)>"
        what = self.errorString() or printable(f"{self.statusCode()} {self.reasonPhrase()}".strip())
        return f"<ReplyContent {self.errorCode().name}: {what}, {len(self.body)} bytes>"

    @staticmethod
    def extractFileNameFromContentDispositionHeader(header: Union[str, bytes, QtCore.QByteArray]) -> str:
        """The file name in a ``Content-Disposition`` (RFC 6266), its folders left out; '' where it has none."""
        with first_use:
            from .models.header_parameters import file_name
        text = header if isinstance(header, str) else _text(bytes(header))
        name = file_name(text[:MAXIMUM_PARSED_FIELD_BYTES])
        name = name.replace("\\", "/").rpartition("/")[2].strip().strip("\0")
        return "" if name in (".", "..") else name


def response_of(reply: ReplyContent) -> Response:
    """The response that a reply shows."""
    return reply._response


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _raw_name(name: Union[bytes, str, QtCore.QByteArray]) -> bytes:
    return (name.encode("latin-1", "replace") if isinstance(name, str) else bytes(name)).lower()


def _without_qt_request(response: Response) -> Response:
    """The response without the caller's QNetworkRequest, which cannot be pickled, and without what was secret in it."""
    request = response.request
    headers = tuple(pair for pair in request.headers if not is_secret_field(pair[0], request.redacted_names))
    return response._replace(
        request=Request(
            request.method,
            request.url,
            headers,
            decode=request.decode,
            redirects=request.redirects,
            redacted_names=request.redacted_names,
        ),
        history=tuple(_without_qt_request(earlier) for earlier in response.history),
    )

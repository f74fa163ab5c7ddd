"""ReplyContent: the response of a call, as an immutable value for any thread."""

from __future__ import annotations

from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, Callable, NoReturn, Optional, Union

from ._first_use import first_use
from ._names import public
from .errors import EXCEPTIONS, ErrorCode
from .models.certificate import Certificate
from .models.error_texts import failure_message, status_message
from .models.failure import error_for_status
from .models.headers import MAXIMUM_PARSED_FIELD_BYTES, Headers
from .models.http_messages import Request, Response
from .models.known_secrets import secrets_of_response
from .models.redaction import printable, without_secret_fields
from .models.tls import TlsError, TlsSession
from .models.urls import with_stray_percent_encoded
from .qt.binding import QtCore, QtNetwork, check_binding, enum_value, network_error
from .qt.network_request import qt_request_copy
from .qt.reply_values import known_header, operation_of, reply_attributes

if TYPE_CHECKING:
    from .models.timings import Timings

_EMPTY = Response(Request("GET", ""))

_NO_SESSION = TlsSession()

next_request_id = count(1).__next__


@public
class ReplyContent:
    """The response of a call: status, headers, body and error. Every method may be called in any thread.

    It is complete and immutable; ``copy`` and ``deepcopy`` return the same object. It can be pickled, and unpickled in
    a process without a QCoreApplication. Two replies are equal if they have the same URL, status, headers, body and
    error.

    After an error it has the part of the response that arrived. ``ReplyContent()`` is an empty reply: no error, no
    status, ``requestId()`` -1.

    It has the methods of QGIS's QgsNetworkReplyContent and of Qt's QNetworkReply, and for Python ``body``, ``text()``,
    ``json()``, ``headers``, ``statusCode()`` and ``raiseForError()``.
    """

    _response: Response
    _request_id: int
    _elapsed: float

    def __init__(self) -> None:
        """Create an empty reply."""
        self._fill(_EMPTY, -1, 0.0)

    @classmethod
    def from_response(cls, response: Response, elapsed: float, request_id: int) -> ReplyContent:
        """Internal: make a reply. ``elapsed``: the duration of the call in seconds."""
        reply = cls.__new__(cls)
        reply._fill(response, request_id, elapsed)
        return reply

    def _fill(self, response: Response, request_id: int, elapsed: float) -> None:
        content = self.__dict__
        content["_response"] = response
        content["_request_id"] = request_id
        content["_elapsed"] = elapsed

    # -- the outcome

    def errorCode(self) -> ErrorCode:
        """Return the code that the call of this reply returned."""
        response = self._response
        if response.failure is not None:
            return response.failure.code
        if response.status is not None and response.status >= 400:
            return ErrorCode.ServerExceptionError
        return ErrorCode.NoError

    def error(self) -> QtNetwork.QNetworkReply.NetworkError:
        """Return Qt's ``QNetworkReply.NetworkError``: ``NoError`` if the status is below 400 and the body complete."""
        response = self._response
        if response.failure is not None:
            return network_error(response.failure.error)
        return network_error(error_for_status(response.status or 0))

    def errorString(self) -> str:
        """Return one sentence that describes the error; '' if there was none.

        It names the URL without its user, password and the values of secret parameters, and the reason of the server
        without the secrets that it repeats.
        """
        response = self._response
        if response.failure is not None:
            return failure_message(response.failure, response.request.redacted_url)
        if response.status is not None and response.status >= 400:
            secrets = secrets_of_response(response)
            url = secrets.hide_in_url(response.request.redacted_url)
            return status_message(response.status, secrets.hide_in_text(response.reason), url)
        return ""

    def isHttpStatusSuccess(self) -> bool:
        """Return whether the status is 200 to 299, as ``QRestReply.isHttpStatusSuccess`` does."""
        return 200 <= (self._response.status or 0) <= 299

    def isSuccess(self) -> bool:
        """Return whether the status is 200 to 299 and the body complete, as ``QRestReply.isSuccess`` does."""
        return self.isHttpStatusSuccess() and not self.hasError()

    def hasError(self) -> bool:
        """Return whether the request failed below HTTP, as ``QRestReply.hasError`` does.

        A timeout and a cancel are such errors. A complete response with a status of 400 or more is none; use
        ``errorCode()`` to know it, too.
        """
        return self._response.failure is not None

    def raiseForError(self) -> None:
        """Raise an exception if ``errorCode()`` is not ``NoError``.

        Raises NetworkRequestError, RequestTimeoutError, ServerExceptionError or RequestCanceledError. All are
        RequestErrors, with this reply as their attribute ``reply``.
        """
        code = self.errorCode()
        if code is not ErrorCode.NoError:
            raise EXCEPTIONS[code](self.errorString(), self)

    # -- the status line and the headers

    def statusCode(self) -> Optional[int]:
        """Return the status code (RFC 9110 section 15); None if no HTTP response arrived."""
        return self._response.status

    def reasonPhrase(self) -> str:
        """Return the reason phrase, such as ``Not Found``; '' over HTTP/2, which has none."""
        return self._response.reason

    @cached_property
    def headers(self) -> Headers:
        """The headers as a mapping, whose names are compared without regard to case.

        ``headers.getlist('Set-Cookie')`` is the list of all values of a field.
        """
        return Headers(self._response.headers.pairs)

    def rawHeader(self, headerName: Union[bytes, str, QtCore.QByteArray]) -> QtCore.QByteArray:
        """Return the value of a header as a QByteArray; empty if it is missing. The case of the name does not matter.

        Several values are joined by ``, ``, those of ``Set-Cookie`` by a line feed, as in Qt.
        """
        name = _raw_name(headerName)
        if name == b"set-cookie":
            # Qt joins cookies with a line feed, because a cookie may contain a comma.
            return QtCore.QByteArray(b"\n".join(v for k, v in self._response.headers.pairs if k.lower() == name))
        return QtCore.QByteArray(self._response.headers.whole_value(name) or b"")

    def hasRawHeader(self, headerName: Union[bytes, str, QtCore.QByteArray]) -> bool:
        """Return whether the response has a header. The case of the name does not matter."""
        return self._response.headers.has(_raw_name(headerName))

    def rawHeaderList(self) -> list[QtCore.QByteArray]:
        """Return the names of the headers, in the order they were received."""
        return [QtCore.QByteArray(name) for name, _ in self._response.headers.pairs]

    def rawHeaderPairs(self) -> list[tuple[QtCore.QByteArray, QtCore.QByteArray]]:
        """Return the names and values of the headers, in the order they were received; repeated names repeatedly."""
        return [(QtCore.QByteArray(name), QtCore.QByteArray(value)) for name, value in self._response.headers.pairs]

    def header(self, header: QtNetwork.QNetworkRequest.KnownHeaders) -> Any:
        """Return a known header as ``QNetworkReply.header`` does (an int, a QDateTime, a QUrl); None if missing."""
        return known_header(self._response.headers, header)

    def attribute(self, code: QtNetwork.QNetworkRequest.Attribute) -> Any:
        """Return an attribute of the reply, as ``QNetworkReply.attribute``; None if it is not set."""
        check_binding(code, "code")
        return self.attributes().get(enum_value(code))

    def attributes(self) -> dict[int, Any]:
        """Return all attributes of the reply by the int value of their ``QNetworkRequest.Attribute``.

        They are the same on both engines.
        """
        return reply_attributes(self._response)

    # -- the body

    @property
    def body(self) -> bytes:
        """The body as bytes, with the content coding (gzip) decoded. It is not copied."""
        return self._response.body

    def content(self) -> QtCore.QByteArray:
        """Return the body as a QByteArray. This is a copy; ``body`` is not."""
        return QtCore.QByteArray(self.body)

    def text(self, encoding: Optional[str] = None) -> str:
        """Return the body as text. Bytes that cannot be decoded become U+FFFD.

        ``encoding``: the name of a Python codec. None: the encoding of a byte order mark, else the charset of
        ``Content-Type``, else UTF-8. Raises LookupError if ``encoding`` is unknown.
        """
        with first_use:
            from .models.text_encoding import text_encoding
        encoding = encoding or text_encoding(self.body, self._response.headers.value(b"content-type") or b"")
        return self.body.decode(encoding, errors="replace")

    def json(self, **kwargs: Any) -> Any:
        """Return the body parsed as JSON (RFC 8259). Keyword arguments are passed to ``json.loads``.

        Raises ValueError if the body is not JSON, or if its values are nested more deeply than Python reads.
        """
        with first_use:
            import json
        try:
            return json.loads(self.body, **kwargs)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None

    # -- the names of QRestReply

    def httpStatus(self) -> int:
        """Return the status code as ``QRestReply.httpStatus`` does: 0 if no HTTP response arrived."""
        return self._response.status or 0

    def readBody(self) -> QtCore.QByteArray:
        """Return the body as ``QRestReply.readBody`` does. It may be read repeatedly; ``body`` is not copied."""
        return self.content()

    def readText(self) -> str:
        """Return the body as text, as ``QRestReply.readText`` does; see ``text()``."""
        return self.text()

    def readJson(self) -> tuple[Any, Optional[ValueError]]:
        """Return the body parsed as JSON (RFC 8259), and None; or None, and the error that ``json()`` would raise.

        ``QRestReply.readJson`` of PySide6 returns such a pair, with a QJsonDocument and a QJsonParseError. Look at the
        error to recognize a failure, because the JSON value ``null`` is None, too.
        """
        try:
            return self.json(), None
        except ValueError as error:
            return None, error.with_traceback(None)

    # -- the TLS session

    @property
    def _session(self) -> TlsSession:
        tls = self._response.tls
        return _NO_SESSION if tls is None else tls.session

    def peerCertificate(self) -> Optional[Certificate]:
        """Return the server's certificate, also if it was refused; None without TLS."""
        return next(iter(self._session.certificates), None)

    def peerCertificateChain(self) -> tuple[Certificate, ...]:
        """Return the certificates that the server sent, its own first.

        On Python 3.9 the python engine knows only the first one.
        """
        return self._session.certificates

    def sessionProtocol(self) -> str:
        """Return the version of TLS, such as ``"TLSv1.3"``; '' if the handshake did not get so far."""
        return self._session.protocol

    def sessionCipher(self) -> str:
        """Return OpenSSL's name of the cipher, such as ``"TLS_AES_256_GCM_SHA384"``; '' if none was agreed on."""
        return self._session.cipher

    def sslErrors(self) -> tuple[TlsError, ...]:
        """Return the errors of the server's certificate: those that refused it, or those that were ignored."""
        return self._session.errors

    def sslConfiguration(self) -> QtNetwork.QSslConfiguration:
        """Return a copy of the TLS configuration of the connection, as ``QNetworkReply.sslConfiguration``.

        On the qt engine it is Qt's own, with the server's certificates, the session and the settings that were used. On
        the python engine it has only the parts that Qt has functions to set: the certificates of the client and of the
        trusted authorities, ``protocol()`` with the version and ``ciphers()`` with the cipher of the connection. Its
        ``peerCertificate()`` and ``sessionCipher()`` are null: use those of this reply, which both engines fill.

        It has no private key and no session ticket, because these are secrets. It is a null configuration
        (``isNull()``) for a connection without TLS, if Qt has no TLS, for a reply from the cache, and for a reply that
        was pickled.
        """
        with first_use:
            from .tls.reply_configuration import reply_configuration
        return reply_configuration(self._response)

    # -- where it came from

    def url(self) -> QtCore.QUrl:
        """Return the URL of the response: after redirects the last one."""
        url = with_stray_percent_encoded(self._response.request.url)
        return QtCore.QUrl.fromEncoded(QtCore.QByteArray(url.encode("utf-8", "replace")))

    def request(self) -> QtNetwork.QNetworkRequest:
        """Return a copy of the request of the response, after redirects the last one.

        It has the headers and the attributes of the caller, without credentials and cookies that were added. A reply
        that was pickled has no attributes.
        """
        request = qt_request_copy(self._response.request)
        request.setUrl(self.url())
        return request

    def requestId(self) -> int:
        """Return a number that no other reply of this process has; -1 for an empty reply."""
        return self._request_id

    def operation(self) -> QtNetwork.QNetworkAccessManager.Operation:
        """Return the method of the last request as a ``QNetworkAccessManager.Operation``.

        A redirect may turn a POST into a GET (RFC 9110 section 15.4).
        """
        return operation_of(self._response.request.method)

    @cached_property
    def _history(self) -> tuple[ReplyContent, ...]:
        return tuple(
            ReplyContent.from_response(response, 0.0, next_request_id()) for response in self._response.history
        )

    def history(self) -> tuple[ReplyContent, ...]:
        """Return the replies that redirected, the first one first. Their ``elapsed()`` is 0."""
        return self._history

    def elapsed(self) -> float:
        """Return the duration of the whole call in seconds, redirects and retries included."""
        return self._elapsed

    def timings(self) -> Timings:
        """Return how long the steps of the last request took, in ms: look-up, connection, TLS, sending and others.

        A step is None if it was not taken, or if the engine cannot tell. Use ``setEngine("python")`` to know all steps.
        """
        with first_use:
            from .models.timings import timings_of
        return timings_of(self._response.trace)

    def attempts(self) -> int:
        """Return how often the request was sent: 1 without retries, 0 if nothing was sent."""
        return self._response.attempts if self._response.engine else 0

    def filePath(self) -> str:
        """Return the path of the file that a download has written.

        It is '' if no file was written, or if the body was written into an open file or device.
        """
        return self._response.file

    def isFromCache(self) -> bool:
        """Return whether the body comes from the cache, also if the server has revalidated it (304)."""
        return self._response.from_cache

    def expirationDate(self) -> QtCore.QDateTime:
        """Return the UTC time until which the response is fresh (RFC 9111 section 4.2).

        It is in the past if the response was never fresh. It is an invalid QDateTime if the response does not say so,
        and if the manager has no cache.
        """
        expires = self._response.expires
        if expires is None:
            return QtCore.QDateTime()
        return QtCore.QDateTime.fromMSecsSinceEpoch(int(expires * 1000), QtCore.Qt.TimeSpec.UTC)

    def engine(self) -> str:
        """Return the engine that sent the request, 'qt' or 'python'; '' if nothing was sent; 'fake' in a test."""
        return self._response.engine

    def httpVersion(self) -> str:
        """Return the version of HTTP: ``"HTTP/2"`` or ``"HTTP/1.1"``; ``""`` if no server has sent a response.

        ``"HTTP/1.1"`` includes HTTP/1.0: Qt does not report which of them it was.
        """
        return self._response.http_version

    # -- immutability, comparison and pickling

    def clear(self) -> NoReturn:
        """Raise TypeError: unlike QgsNetworkReplyContent, a reply cannot be changed."""
        raise TypeError("a ReplyContent is immutable, because threads may share it: ReplyContent() is an empty one")

    def setContent(self, content: object) -> NoReturn:
        """Raise TypeError: unlike QgsNetworkReplyContent, a reply cannot be changed."""
        raise TypeError("a ReplyContent is immutable, because threads may share it: keep the changed body beside it")

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
        outcome = self.errorString() or f"{self.statusCode()} {self._shown_reason()}".strip()
        return f"<ReplyContent {self.errorCode().name}: {outcome}, {len(self.body)} bytes>"

    def _shown_reason(self) -> str:
        response = self._response
        return printable(secrets_of_response(response).hide_in_text(response.reason)) if response.reason else ""

    @staticmethod
    def extractFileNameFromContentDispositionHeader(header: Union[str, bytes, QtCore.QByteArray]) -> str:
        """Return the file name in a ``Content-Disposition`` (RFC 6266), without folders; '' if it has none."""
        with first_use:
            from .models.header_parameters import file_name
        text = header if isinstance(header, str) else _text(bytes(header))
        name = file_name(text[:MAXIMUM_PARSED_FIELD_BYTES])
        name = name.replace("\\", "/").rpartition("/")[2].strip().strip("\0")
        return "" if name in (".", "..") else name


def response_of(reply: ReplyContent) -> Response:
    """Return the internal response of a reply."""
    return reply._response


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _raw_name(name: Union[bytes, str, QtCore.QByteArray]) -> bytes:
    return (name.encode("latin-1", "replace") if isinstance(name, str) else bytes(name)).lower()


def _without_qt_request(response: Response) -> Response:
    """Return the response without the caller's QNetworkRequest, which cannot be pickled, and without secret headers."""
    request = response.request
    headers = without_secret_fields(request.headers, request.redacted_names)
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

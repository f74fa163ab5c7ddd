"""Makes a Response of a QNetworkReply: reads its header, and judges Qt's errors."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Callable, Optional

from ...errors import ErrorCode
from ...models import error_texts as messages
from ...models.connection_options import DEFAULT_CONNECTION
from ...models.failure import Failure, QtNetworkError, error_for_status, network_failure
from ...models.headers import (
    MAXIMUM_HEADER_BYTES,
    MAXIMUM_HEADER_LINES,
    NO_FIELDS,
    Fields,
    Pairs,
    is_readable,
    known_fields,
    without_control_characters,
)
from ...models.http_messages import Request, Response, streams_body
from ...models.tls import live_session
from ...qt.binding import QT_VERSION, QtNetwork, enum_value, field_name
from ...tls.qt_configuration import caller_configuration, session_of
from ..body_errors import HeaderTooLarge, UnreadableByQt, corrupt_body
from ..body_reader import BodyReader, framing_value, is_chunked, limits_of
from .ntlm import endless_login
from .pre_shared_keys import TLS_1_3_ADVICE, hint_after_failure
from .proxy_probe import proxy_failure

if TYPE_CHECKING:
    from .worker import QtTransfer

_Attribute = QtNetwork.QNetworkRequest.Attribute

STATUS = _Attribute.HttpStatusCodeAttribute
REASON = _Attribute.HttpReasonPhraseAttribute
HTTP2 = _Attribute.Http2WasUsedAttribute


_NO_ERROR = QtNetwork.QNetworkReply.NetworkError.NoError


def read_response(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> Response:
    """Return the Response of a finished reply."""
    request, reader = transfer.request, transfer.reader
    status, reason = None, ""
    if request.url.startswith("http"):  # Qt gives local files the status 200
        status, reason = transfer.status, reason_phrase(reply)
    qt_error = reply.error()  # type: ignore[operator]
    error = 0 if qt_error == _NO_ERROR else enum_value(qt_error)
    failure = transfer.failure
    if failure is None and error == QtNetworkError.SslHandshakeFailedError and transfer.tls_errors:
        failure = messages.certificate_refused(transfer.tls_errors)
    if failure is None and (error or transfer.aborted or _is_interim(status)):
        failure = transfer_failure(transfer, status, error, reply.errorString())
    if failure is None and status is None and request.url.startswith("http"):
        # A response without a status is never a success, also if Qt reports no error.
        failure = messages.connection_closed(request, answered=False)
    tls = None
    if request.url.startswith("https:"):
        hint = None
        if error == QtNetworkError.SslHandshakeFailedError and request.pre_shared_key is not None:
            hint = hint_after_failure(transfer, openssl_reason(reply.errorString()))
        tls = session_of(reply.sslConfiguration(), transfer.tls_errors, agreed=status is not None, key_hint=hint)
    if reader is None:
        # There is no reader if the header could not be read; ``transfer.failure`` says why.
        return Response(
            request,
            status,
            reason,
            transfer.fields,
            failure=failure,
            engine="qt",
            tls=tls,
            trace=transfer.trace,
            is_unreadable=transfer.is_unreadable or _may_be_readable(status, failure),
        )
    has_body = request.method != "HEAD" and status not in (204, 304)
    is_closed = failure is not None and failure.error is QtNetworkError.RemoteHostClosedError
    if has_body and (failure is None or is_closed):
        failure = reader.body_error() or failure
    if (
        failure is None
        and status is not None
        and status >= 400
        and reader.encoded_bytes
        and _lost_header(transfer.fields, reply)
    ):
        failure, transfer.is_unreadable = corrupt_body(_NO_FIELD), True
    is_whole = not has_body or reader.total_bytes == reader.encoded_bytes
    if is_closed and status is not None and status >= 400 and is_whole:
        # The server did not read the rest of the request's body, and its response says why.
        failure = None
    return Response(
        request=request,
        status=status,
        reason=reason,
        headers=transfer.fields,
        body=reader.content(),
        failure=failure,
        engine="qt",
        http2=_is_http2(request, reply),
        encoded_bytes=reader.encoded_bytes,
        total_bytes=reader.total_bytes,
        tls=tls,
        trace=transfer.trace,
        is_unreadable=transfer.is_unreadable or _may_be_readable(status, failure),
    )


def _is_http2(request: Request, reply: QtNetwork.QNetworkReply) -> bool:
    # Without TLS, HTTP/2 is spoken only if the caller has asked for it.
    can_be = request.url.startswith("https:") or request.connection is not DEFAULT_CONNECTION
    return can_be and bool(reply.attribute(HTTP2))


def _is_interim(status: Optional[int]) -> bool:
    return status is not None and status < 200


def _may_be_readable(status: Optional[int], failure: Optional[Failure]) -> bool:
    """Return whether a failed response may only be one that Qt cannot read: an interim one, or bytes that are not quite
    HTTP, of which Qt tells nothing.
    """
    if failure is None:
        return False
    return _is_interim(status) or (status is None and failure.error is QtNetworkError.RemoteHostClosedError)


def small_response(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> Optional[Response]:
    """Return the Response of a usual reply in a third of the time of ``read_response``; None for all others.

    A usual reply comes over http, has no error, and its whole body is there, without a coding and with the right
    length.
    """
    request = transfer.request
    is_untouched = transfer.reader is None and transfer.failure is None and not transfer.aborted
    if not is_untouched or request.streams or request.method != "GET" or request.body is not None:
        return None
    if not request.url.startswith("http:"):
        return None
    try:
        read_header(transfer, reply)
    except HeaderTooLarge:
        return None
    status, fields, size = transfer.status, transfer.fields, reply.bytesAvailable()
    # If the body has the promised length, Qt reports no error, so it need not be asked.
    if status is None or not 200 <= status < 400 or fields.whole_value(b"content-length") != b"%d" % size:
        return None
    if fields.has(b"transfer-encoding") or fields.has(b"content-encoding"):
        return None
    if 0 < request.body_limit < size or (QT_VERSION < (6,) and _is_mixed_up(fields)):
        return None
    body = bytes(reply.read(size))  # PySide6 returns a QByteArray
    return Response(
        request=request,
        status=status,
        reason=reason_phrase(reply),
        headers=fields,
        body=body,
        failure=None,
        engine="qt",
        http2=_is_http2(request, reply),
        encoded_bytes=size,
        total_bytes=size,
        trace=transfer.trace,
    )


def handshake_failed_without_reason(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> bool:
    """Return whether a TLS handshake has failed for an unknown reason."""
    error = enum_value(reply.error())  # type: ignore[operator]
    known = transfer.aborted or transfer.failure is not None or transfer.tls_errors
    return error == QtNetworkError.SslHandshakeFailedError and not known


def reason_phrase(reply: QtNetwork.QNetworkReply) -> str:
    """Return the reason phrase of the status line."""
    reason = str(reply.attribute(REASON) or "")
    # If the line has neither a phrase nor a space after the status, Qt 5.15 returns the whole line.
    if reason.startswith("HTTP/1."):
        return ""
    try:
        return reason.encode("latin-1").decode("utf-8")  # Qt takes it for latin-1
    except UnicodeError:
        return reason


def read_header(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> None:
    """Read the status and the fields, if they were not read before. Raises HeaderTooLarge, and reads nothing then."""
    if transfer.fields is NO_FIELDS:
        fields = _header_fields(reply)
        transfer.status, transfer.fields = reply.attribute(STATUS), fields


def _header_fields(reply: QtNetwork.QNetworkReply) -> Fields:
    """Return the header fields, which do not need the reply any more. Raises HeaderTooLarge."""
    if _HAS_HEADERS:
        # Qt itself reads at most 99 lines and 100 KB.
        return _QtFields(reply.headers())  # type: ignore[attr-defined]
    # The fields are copied at once, because memory that one thread has allocated is freed slowly in another.
    pairs = tuple([(name.data(), value.data()) for name, value in reply.rawHeaderPairs()])
    if any(b"\r" in value or b"\0" in value for _, value in pairs):
        pairs = tuple([(name, without_control_characters(name, value)) for name, value in pairs])
    _check_size(pairs)
    fields = known_fields(pairs)
    return Fields(partial(_with_each_cookie, fields.pairs)) if fields.has_set_cookie else fields


_HAS_HEADERS = hasattr(QtNetwork.QNetworkReply, "headers")
"""Whether Qt returns all fields as one QHttpHeaders (since 6.8), which takes a tenth of the time."""


class _QtFields(Fields):
    """The fields of a QHttpHeaders. They are converted when they are first asked for."""

    def __init__(self, headers: Any) -> None:
        super().__init__(partial(_pairs, headers))
        self._headers = headers

    @property
    def is_empty(self) -> bool:
        return bool(self._headers.isEmpty())

    @property
    def has_set_cookie(self) -> bool:
        return self.has(b"set-cookie")

    def has(self, name: bytes) -> bool:
        return bool(self._headers.contains(field_name(name)))

    def value(self, name: bytes) -> Optional[bytes]:
        value = self.whole_value(name)
        return value if value is None or is_readable(value) else None

    def whole_value(self, name: bytes) -> Optional[bytes]:
        value: bytes = self._headers.combinedValue(field_name(name)).data()
        return value if value or self.has(name) else None


def _pairs(headers: Any) -> Iterator[tuple[bytes, bytes]]:
    return ((name.data(), value.data()) for name, value in headers.toListOfPairs())


def _check_size(pairs: Pairs) -> None:
    """Raise HeaderTooLarge if the header is. Qt 5 joins the values of equal names, so most repeated lines count
    once.
    """
    size = sum(map(len, chain.from_iterable(pairs)))
    if len(pairs) > MAXIMUM_HEADER_LINES or size > MAXIMUM_HEADER_BYTES:
        raise HeaderTooLarge


def _with_each_cookie(pairs: Pairs) -> Iterator[tuple[bytes, bytes]]:
    """Split repeated ``Set-Cookie`` fields, which Qt joins by line feeds."""
    for name, value in pairs:
        if b"\n" in value and name.lower() == b"set-cookie":
            yield from ((name, cookie) for cookie in value.split(b"\n"))
        else:
            yield name, value


def body_reader(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> BodyReader:
    """Return a reader for the reply's body. Raises CorruptBody if its length is not a number, or if Qt lost the
    header.
    """
    request, status, fields = transfer.request, transfer.status, transfer.fields
    if status is not None:
        _check_header(request.method, status, fields, reply)
    chunked = is_chunked(framing_value(fields, b"transfer-encoding"))
    length = framing_value(fields, b"content-length")
    if chunked and length is not None and length.strip(b"0") == b"" and status not in (None, 204, 304):
        raise UnreadableByQt("Qt reads no body if the header has Transfer-Encoding and a Content-Length of 0")
    length = None if chunked else length
    encoding = (framing_value(fields, b"content-encoding") or b"") if request.decode else b""
    limits = limits_of(request, encoding)
    sink = transfer.deliver if streams_body(request, status) else None
    return BodyReader(length, encoding, limits, sink, _abort_check(transfer) if encoding else bool)


def _abort_check(transfer: QtTransfer) -> Callable[[], bool]:
    """Return a function that returns whether the caller has aborted.

    It holds the transfer by a weak reference, because the transfer holds the reader.
    """
    reference = weakref.ref(transfer)

    def is_aborted() -> bool:
        live = reference()
        return live is None or live.aborted

    return is_aborted


def begun_response(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> Response:
    """Return a streamed response, without its body, as soon as its header has come."""
    request, tls = transfer.request, None
    if request.url.startswith("https:"):
        tls = session_of(reply.sslConfiguration(), transfer.tls_errors, agreed=True)
    total = -1 if transfer.reader is None else transfer.reader.total_bytes
    return Response(
        request,
        transfer.status,
        reason_phrase(reply),
        transfer.fields,
        engine="qt",
        http2=_is_http2(request, reply),
        tls=tls,
        total_bytes=total,
        is_streaming=True,
        trace=transfer.trace,
    )


_NO_FIELD = (
    "no header field could be read; the header is empty, has a line without a colon or with an odd name, "
    "or is larger than Qt 6 reads (99 lines, 100 KB)"
)


def _check_header(method: str, status: int, fields: Fields, reply: QtNetwork.QNetworkReply) -> None:
    """Raise UnreadableByQt if Qt could not read the header. Qt goes on without the fields, and so without the length.

    Qt 6.11 drops the whole header if a line has no colon or an odd name, or if it has more than 99 lines or about 100
    KB. If the response has no body, or an error body, which may be empty, nothing else is lost. Qt 5.15 takes a line
    without a colon for the beginning of the next field's name. There an empty header really is empty.
    """
    if _lost_header(fields, reply) and (method == "HEAD" or (status < 400 and status not in (204, 304))):
        raise UnreadableByQt(_NO_FIELD)
    if QT_VERSION < (6,) and _is_mixed_up(fields):
        raise UnreadableByQt("the header has a line without a colon")


def _lost_header(fields: Fields, reply: QtNetwork.QNetworkReply) -> bool:
    """Return whether Qt may have dropped the whole header. A response of HTTP/2 needs no fields, and Qt drops none."""
    return QT_VERSION >= (6,) and fields.is_empty and not reply.attribute(HTTP2)


def _is_mixed_up(fields: Fields) -> bool:
    return b"\n" in b"".join(fields.names)


def transfer_failure(transfer: QtTransfer, status: Optional[int], error: int, error_string: str) -> Optional[Failure]:
    """Return the failure that Qt's error means, or None if the error only repeats the status of the response."""
    request = transfer.request
    if transfer.aborted:
        return messages.canceled()
    if status is not None and status < 200:
        # Qt 5 takes the interim responses 102 and 103 for final ones.
        return messages.interim_status(status)
    if error == QtNetworkError.NoError or (status is not None and error == error_for_status(status)):
        return None
    if error == QtNetworkError.ContentReSendError and request.connection_credentials is not None:
        return endless_login(request)
    if error == QtNetworkError.OperationCanceledError and request.qgis:
        return messages.qgis_timeout()
    if status is None and transfer.proxy is not None:
        failure = proxy_failure(transfer.proxy, request, _known(error), error_string)
        if failure is not None:
            return failure
    if error in (QtNetworkError.RemoteHostClosedError, QtNetworkError.ContentReSendError):
        return messages.connection_closed(request, answered=status is not None)
    return _failure_for(request, error, error_string, status is not None)


def _known(error: int) -> QtNetworkError:
    try:
        return QtNetworkError(error)
    except ValueError:
        return QtNetworkError.UnknownNetworkError


def leaves_connection_in_doubt(response: Response) -> bool:
    """Return whether more bytes may follow a response, which Qt would take for the response to the next request.

    RFC 9112 section 6.3: a connection must be closed after a response with both Transfer-Encoding and Content-Length. A
    204 has no body, so a body that is announced may follow all the same. On Qt 5 a final response may follow an interim
    one.
    """
    status, fields = response.status, response.headers
    if status is None:
        return False
    if status < 200:
        return QT_VERSION < (6,)
    has_length = fields.has(b"content-length")
    if fields.has(b"transfer-encoding"):
        return has_length or status in (204, 304)
    return status == 204 and has_length and fields.value(b"content-length") != b"0"


def _failure_for(request: Request, error: int, error_string: str, has_begun: bool) -> Failure:
    """``has_begun``: whether the header of a response has come."""
    known = _known(error)
    if (
        known is QtNetworkError.SslHandshakeFailedError
        or "SSL routines" in error_string
        or "key values" in error_string
    ):
        # With TLS 1.3, a server refuses a missing client certificate after the handshake: Qt reports an unknown error.
        reason = openssl_reason(error_string)
        return messages.tls_broken(reason) if has_begun else _handshake_failure(request, reason)
    text = messages.error_text(known, request.url) or error_string.replace(request.url, request.redacted_url)
    if known is QtNetworkError.TimeoutError:
        return Failure(ErrorCode.TimeoutError, known, text)
    if known is QtNetworkError.OperationCanceledError:
        return Failure(ErrorCode.CanceledError, known, text)
    return network_failure(known, text)


def _handshake_failure(request: Request, reason: str) -> Failure:
    """``reason``: OpenSSL's words."""
    key = request.pre_shared_key
    advice = TLS_1_3_ADVICE if key is not None and key.is_known else ""
    return messages.handshake_failed(reason, shows_certificate(request), key, advice)


def with_handshake_reason(transfer: QtTransfer, response: Response, reason: str) -> Response:
    """Return the response of a failed handshake with its reason, in OpenSSL's words; '' if it is not known."""
    tls, hint = response.tls, hint_after_failure(transfer, reason)
    if hint is not None and tls is not None:
        tls = live_session(replace(tls.session, key_hint=hint), tls.configuration)
    return response._replace(failure=_handshake_failure(response.request, reason), tls=tls)


def openssl_reason(error_string: str) -> str:
    """Return OpenSSL's reason in Qt's message: ``...: error:0A00010B:SSL routines::wrong version number``."""
    return error_string.rpartition(" routines:")[2].rpartition(":")[2] if " routines:" in error_string else ""


def shows_certificate(request: Request) -> bool:
    """Return whether the client has a certificate for the server."""
    caller_tls = caller_configuration(request)
    if caller_tls is not None:
        return request.same_origin and not caller_tls.localCertificate().isNull()
    return request.tls is not None and request.tls.clientCertificate is not None

"""Qt's side of an Exchange: the QNetworkRequest that goes out, and what a finished QNetworkReply means.

Qt's own redirects, cookies, cached credentials, cache and decoding are switched off: they resend requests, carry
headers to other hosts and pass damage as success. They are decided above the wires.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Optional

from .. import messages
from ..errors import ErrorCode, Failure, QtNetworkError, error_for_status, network_failure
from ..exchange import Exchange
from ..headers import DEFAULT_FIELDS, Fields, Pairs
from ..qt import QT_VERSION, QtCore, QtNetwork, enum_value, has_tls
from ..urls import CACHED_URL_LENGTH, shown
from .body import BodyReader, DamagedBody, is_chunked
from .qt_tls import configuration_for, own_configuration

_Attribute = QtNetwork.QNetworkRequest.Attribute
_Request = QtNetwork.QNetworkRequest

STATUS = _Attribute.HttpStatusCodeAttribute
REASON = _Attribute.HttpReasonPhraseAttribute
HTTP2 = _Attribute.Http2WasUsedAttribute


def native_request(exchange: Exchange) -> QtNetwork.QNetworkRequest:
    """The request as Qt sends it. May be called from any thread: it is a value, which nobody changes afterwards."""
    native: Optional[QtNetwork.QNetworkRequest] = exchange.native
    headers = exchange.headers
    if native is None:
        if exchange.tls is None and len(headers) == DEFAULT_FIELDS and len(exchange.url) <= CACHED_URL_LENGTH:
            return _plain_request(exchange.url, headers)
        request = _Request(_prototype(headers[:DEFAULT_FIELDS]))
        headers = headers[DEFAULT_FIELDS:]
    else:
        request = _Request(native)
        for name in request.rawHeaderList():
            request.setRawHeader(name, QtCore.QByteArray())
        _own(request)
        if not exchange.keeps_identity:
            _leave_identity(request)
    if exchange.tls is not None and exchange.url.startswith("https:") and own_configuration(exchange) is None:
        request.setSslConfiguration(configuration_for(exchange.tls))
    request.setUrl(QtCore.QUrl.fromEncoded(exchange.url.encode("ascii")))  # type: ignore[arg-type]
    for field, value in headers:
        request.setRawHeader(field, value)  # type: ignore[arg-type]
    return request


def _own(request: QtNetwork.QNetworkRequest) -> None:
    """Switch off what is decided above the wire."""
    manual = enum_value(_Request.LoadControl.Manual)
    request.setAttribute(_Attribute.RedirectPolicyAttribute, _MANUAL_REDIRECTS)
    request.setAttribute(_Attribute.CookieLoadControlAttribute, manual)
    request.setAttribute(_Attribute.CookieSaveControlAttribute, manual)
    request.setAttribute(_Attribute.AuthenticationReuseAttribute, manual)
    request.setAttribute(_Attribute.CacheLoadControlAttribute, _PREFER_NETWORK)
    request.setAttribute(_Attribute.DoNotBufferUploadDataAttribute, True)
    request.setTransferTimeout(0)


def _leave_identity(request: QtNetwork.QNetworkRequest) -> None:
    """A client certificate and the name the peer must prove were meant for the first origin only."""
    if has_tls():
        request.setPeerVerifyName("")
        configuration = request.sslConfiguration()
        if not configuration.localCertificate().isNull():
            configuration.setLocalCertificate(QtNetwork.QSslCertificate())
            configuration.setPrivateKey(QtNetwork.QSslKey())
            request.setSslConfiguration(configuration)


_MANUAL_REDIRECTS = enum_value(_Request.RedirectPolicy.ManualRedirectPolicy)
_PREFER_NETWORK = enum_value(_Request.CacheLoadControl.PreferNetwork)


@lru_cache(maxsize=256)
def _plain_request(url: str, headers: Pairs) -> QtNetwork.QNetworkRequest:
    """For the many that ask the same URL again and again, with no header of their own."""
    request = _Request(_prototype(headers))
    request.setUrl(QtCore.QUrl.fromEncoded(url.encode("ascii")))  # type: ignore[arg-type]
    return request


@lru_cache(maxsize=16)
def _prototype(headers: Pairs) -> QtNetwork.QNetworkRequest:
    """A request with the header fields that most requests share; copying it is cheaper than setting them."""
    request = _Request()
    _own(request)
    for name, value in headers:
        request.setRawHeader(name, value)
    return request


def reason_phrase(reply: QtNetwork.QNetworkReply) -> str:
    """What stands beside the status."""
    reason = str(reply.attribute(REASON) or "")
    # Where nothing does, not even a space, Qt 5.15 takes the whole line for it.
    return "" if reason.startswith("HTTP/1.") else reason


QtPairs = list[tuple[QtCore.QByteArray, QtCore.QByteArray]]


def header_fields(qt_pairs: QtPairs) -> Fields:
    """The header fields, which may be read when the reply is no more."""
    return Fields(partial(_header_pairs, qt_pairs))


def _header_pairs(qt_pairs: QtPairs) -> Iterator[tuple[bytes, bytes]]:
    for qt_name, qt_value in qt_pairs:
        name, value = qt_name.data(), qt_value.data()
        if b"\n" in value and name.lower() == b"set-cookie":
            # Qt joins repeated cookies by line feeds.
            yield from ((name, cookie) for cookie in value.split(b"\n"))
        else:
            yield name, value


def body_reader(reply: QtNetwork.QNetworkReply, status: Optional[int], qt_pairs: QtPairs, decode: bool) -> BodyReader:
    """A reader for the reply's body. Raises DamagedBody where its length is none, or where the header was lost."""
    if status is not None:
        _check_header(qt_pairs)
    chunked = is_chunked(reply.rawHeader(b"Transfer-Encoding").data() or None)  # type: ignore[arg-type]
    length = b"" if chunked else reply.rawHeader(b"Content-Length").data()  # type: ignore[arg-type]
    encoding = reply.rawHeader(b"Content-Encoding").data() if decode else b""  # type: ignore[arg-type]
    return BodyReader(length or None, encoding)


def _check_header(qt_pairs: QtPairs) -> None:
    """Find the headers Qt could not read: it goes on as if nothing had been in them, and a length or coding is lost.

    Qt 6.11 drops the header whole, if a line has no colon, or over 99 lines or about 100 KB. Qt 5.15 takes a line
    without colon for the beginning of the next field's name; there an empty header is just that.
    """
    if not qt_pairs and QT_VERSION >= (6,):
        raise DamagedBody(
            "no header field could be read; the header is empty, has a line without a colon, "
            "or is larger than Qt 6 reads (99 lines, 100 KB)"
        )
    if QT_VERSION < (6,) and b"\n" in b"".join([name.data() for name, _ in qt_pairs]):
        raise DamagedBody("the header has a line without a colon")


def wire_failure(
    exchange: Exchange, status: Optional[int], error: int, error_string: str, aborted: bool
) -> Optional[Failure]:
    """What Qt's error means; None where there is an HTTP answer whose status tells it all."""
    if aborted:
        return messages.canceled()
    if status is not None and status < 200:
        # Qt 5 hands over the interim replies 102 and 103 as final ones.
        return messages.interim_status(status)
    if error == QtNetworkError.NoError or (status is not None and error == error_for_status(status)):
        return None
    if error in (QtNetworkError.RemoteHostClosedError, QtNetworkError.ContentReSendError):
        return messages.connection_closed(exchange, answered=status is not None)
    return _failure_for(exchange, error, error_string)


def _failure_for(exchange: Exchange, error: int, error_string: str) -> Failure:
    try:
        known = QtNetworkError(error)
    except ValueError:
        known = QtNetworkError.UnknownNetworkError
    if known is QtNetworkError.SslHandshakeFailedError or "SSL routines" in error_string:
        # Of a client certificate that is wanted a client hears after the handshake (TLS 1.3): an unknown error to Qt.
        return messages.handshake_failed(openssl_reason(error_string), shows_certificate(exchange))
    text = messages.error_text(known, exchange.url) or error_string.replace(exchange.url, shown(exchange.url))
    if known is QtNetworkError.TimeoutError:
        return Failure(ErrorCode.TimeoutError, known, text)
    if known is QtNetworkError.OperationCanceledError:
        return Failure(ErrorCode.CanceledError, known, text)
    return network_failure(known, text)


def openssl_reason(error_string: str) -> str:
    """OpenSSL's own words in Qt's: ``...: error:0A00010B:SSL routines::wrong version number``."""
    return error_string.rpartition("SSL routines:")[2].rpartition(":")[2] if "SSL routines" in error_string else ""


def shows_certificate(exchange: Exchange) -> bool:
    """Whether the client has a certificate for the server."""
    own = own_configuration(exchange)
    if own is not None:
        return exchange.keeps_identity and not own.localCertificate().isNull()
    return exchange.tls is not None and exchange.tls.clientCertificate is not None

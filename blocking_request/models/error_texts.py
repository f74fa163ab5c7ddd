"""The messages of failures. They are Qt's own if Qt has one, equal on both engines, and without secrets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus
from typing import Optional
from urllib.parse import urlsplit

from ..errors import ErrorCode
from .certificate import Certificate
from .failure import Failure, QtNetworkError, network_failure
from .headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES
from .http_messages import Request
from .pre_shared_key import NOT_GIVEN, PreSharedKey, may_want_key, refuses_key
from .proxy import Proxy
from .redaction import printable
from .tls import TlsError

_QT_TEXTS = {
    QtNetworkError.ConnectionRefusedError: "Connection refused",
    QtNetworkError.RemoteHostClosedError: "Connection closed",
    QtNetworkError.TimeoutError: "Connection timed out",
    QtNetworkError.OperationCanceledError: "Operation canceled",
    QtNetworkError.ProxyConnectionRefusedError: "Proxy connection refused",
    QtNetworkError.ProxyConnectionClosedError: "Proxy connection closed prematurely",
    QtNetworkError.ProxyNotFoundError: "Proxy not found",
    QtNetworkError.ProxyTimeoutError: "Proxy server connection timed out",
}


def error_text(error: QtNetworkError, url: str) -> Optional[str]:
    """Return Qt's message for an error, or None if Qt has no message that always fits."""
    if error is QtNetworkError.HostNotFoundError:
        host = urlsplit(url).hostname or '""'
        return f"Host {host} not found"
    return _QT_TEXTS.get(error)


def failure_message(failure: Failure, redacted_url: str) -> str:
    """Return a failure as one sentence that names the URL, and the proxy if the proxy has failed."""
    text = printable(failure.text)
    names = [redacted_url] if redacted_url else []
    if failure.proxy:
        names.append(f"proxy {failure.proxy}")
    return f"{text} ({', '.join(names)})" if names else text


def naming_proxy(failure: Failure, proxy: Proxy) -> Failure:
    """Return a failure that names the proxy, if it is the proxy that has failed."""
    return replace(failure, proxy=f"{proxy.kind}://{proxy.address}") if failure.error.is_of_proxy else failure


def status_message(status: int, reason: str, redacted_url: str) -> str:
    """Why a status of 400 or more is an error, in Qt's words."""
    if status == 401:
        return f"Host requires authentication (401, {redacted_url})"
    if status == 407:
        return f"Proxy requires authentication (407, {redacted_url})"
    reason = printable(reason) or _standard_reason(status)
    return f"Error transferring {redacted_url} - server replied: {reason} ({status})"


def _standard_reason(status: int) -> str:
    """The reason RFC 9110 gives a status; HTTP/2 sends none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "an unknown status"


def certificate_refused(errors: Iterable[TlsError]) -> Failure:
    text = "SSL handshake failed: " + "; ".join(error.text() for error in errors)
    return _handshake_failed(text)


def certificate_refused_by(words: str) -> Failure:
    """Return a failure with OpenSSL's message, if no more is known."""
    return _handshake_failed(f"SSL handshake failed: the certificate is not accepted ({words})")


def fingerprint_refused(certificate: Optional[Certificate]) -> Failure:
    fingerprint = "none" if certificate is None else certificate.fingerprint()
    return _handshake_failed(
        f"SSL handshake failed: the certificate's fingerprint is {fingerprint}, which is not pinned"
    )


def tls_unusable(text: str) -> Failure:
    return _handshake_failed(f"SSL handshake failed: {text}")


def handshake_failed(
    reason: str, shows_certificate: bool, key: Optional[PreSharedKey] = None, key_advice: str = ""
) -> Failure:
    """``reason``: OpenSSL's words for it; ``shows_certificate``: whether the client has one.

    ``key``: the pre-shared key of the request; ``key_advice``: how to use one, if the engine cannot.
    """
    reason = reason.lower().replace("_", " ")
    if key is not None and key.is_known and refuses_key(reason):
        return _handshake_failed(
            f"SSL handshake failed: the server did not accept the pre-shared key ({reason.rpartition('alert ')[2]})"
        )
    if key is not None and key_advice and may_want_key(reason):
        return _handshake_failed(
            f"SSL handshake failed: the server refused the handshake; it may want a pre-shared key: {key_advice}"
        )
    text = next((text for words, text in _HANDSHAKE_TEXTS if any(word in reason for word in words)), reason)
    if any(word in reason for word in _CERTIFICATE_ALERTS):
        refusal = "did not accept the client certificate" if shows_certificate else "refused the handshake"
        text = f"the server {refusal} ({reason.rpartition('alert ')[2].partition(' (')[0]})"
    elif "alert handshake failure" in reason and not shows_certificate:
        wanted = "client certificate" if key is None else "client certificate or a pre-shared key"
        text += f"; it may want a {wanted}, and none was given"
    elif "alert protocol version" in reason and key is not None and key.is_known and key_advice:
        text += f"; {key_advice}"
    return _handshake_failed(f"SSL handshake failed: {text}" if text else "SSL handshake failed")


def tls_broken(reason: str) -> Failure:
    """``reason``: OpenSSL's words for an error that comes after the handshake."""
    return _handshake_failed(f"SSL connection broken: {reason.lower().replace('_', ' ')}")


def handshake_with_proxy_failed(failure: Failure) -> Failure:
    """The same of an https proxy."""
    return _handshake_failed(failure.text.replace("SSL handshake failed", "SSL handshake with the proxy failed", 1))


_HANDSHAKE_TEXTS = (
    ((NOT_GIVEN,), "the server wants a pre-shared key, and none was given"),
    (("certificate required",), "the server wants a client certificate, and none was given"),
    (("handshake failure",), "the server refused the handshake"),
    (
        (
            "no ciphers available",
            "alert protocol version",
            "unsupported protocol",
            "no protocols available",
            "wrong ssl version",
            "legacy sigalg",
        ),
        "the server speaks no version of TLS that is allowed here",
    ),
    (
        ("wrong version number", "http request", "record layer failure", "packet length too long", "unknown protocol"),
        "the server does not speak TLS there; if it speaks plain HTTP, use http://",
    ),
    (("key values mismatch",), "the client key does not belong to the client certificate"),
)

_CERTIFICATE_ALERTS = (
    "alert unknown ca",
    "alert bad certificate",
    "alert certificate unknown",
    "alert certificate expired",
    "alert certificate revoked",
    "alert unsupported certificate",
    "alert access denied",
    "alert decrypt error",
)


def _handshake_failed(text: str) -> Failure:
    return Failure(ErrorCode.NetworkError, QtNetworkError.SslHandshakeFailedError, text)


_PROXY_AUTHENTICATION = "Proxy requires authentication"
PROXY_REFUSED_PASSWORD = f"{_PROXY_AUTHENTICATION}: it did not accept the user and the password"


def proxy_failed(error: QtNetworkError) -> Optional[Failure]:
    """Return the failure of a proxy, or None if the error does not belong to a proxy."""
    if error is QtNetworkError.ProxyAuthenticationRequiredError:
        return Failure(ErrorCode.NetworkError, error, _PROXY_AUTHENTICATION)
    text = _QT_TEXTS.get(error)
    if text is None or not error.is_of_proxy:
        return None
    code = ErrorCode.TimeoutError if error is QtNetworkError.ProxyTimeoutError else ErrorCode.NetworkError
    return Failure(code, error, text)


def proxy_refused(why: str) -> Failure:
    text = f"The proxy did not let us through: {why}"
    return Failure(ErrorCode.NetworkError, QtNetworkError.UnknownProxyError, text)


def connection_closed(request: Request, answered: bool) -> Failure:
    """``answered``: whether the header of a response has come."""
    if answered:
        text = "Connection closed"
    elif request.body is not None:
        text = (
            f"Connection closed: the {request.method} was sent at most once, no answer came, and it is not sent again"
        )
    elif request.url.startswith("http:"):
        text = "Connection closed without an answer; if the server expects TLS there, use https://"
    else:
        text = "Connection closed without an answer"
    return Failure(ErrorCode.NetworkError, QtNetworkError.RemoteHostClosedError, text)


def interim_status(status: int) -> Failure:
    text = f"The connection ended with the interim status {status}, without a final answer"
    return Failure(ErrorCode.NetworkError, QtNetworkError.ProtocolFailure, text)


def header_too_large() -> Failure:
    text = (
        f"The header of the response is larger than {MAXIMUM_HEADER_BYTES >> 10} KB "
        f"or has more than {MAXIMUM_HEADER_LINES} lines"
    )
    return Failure(ErrorCode.NetworkError, QtNetworkError.ProtocolFailure, text)


def canceled() -> Failure:
    return Failure(ErrorCode.CanceledError, QtNetworkError.OperationCanceledError, "Operation canceled")


def http2_through_forwarding_proxy() -> Failure:
    text = (
        "HTTP/2 is demanded (Http2DirectAttribute), and the HTTP proxy forwards http:// URLs by HTTP/1.1: "
        "leave the attribute out, or use https:// or no proxy"
    )
    return network_failure(QtNetworkError.ProtocolInvalidOperationError, text)


def no_application() -> Failure:
    text = (
        "There is no Qt application, and without one Qt delivers nothing in any thread. "
        "Make one first and keep it: app = QCoreApplication([])"
    )
    return Failure(ErrorCode.NetworkError, QtNetworkError.UnknownNetworkError, text)


def application_ended() -> Failure:
    text = "Operation canceled: the Qt application has ended"
    return Failure(ErrorCode.CanceledError, QtNetworkError.OperationCanceledError, text)


def idle_timeout(milliseconds: int) -> Failure:
    text = f"Timed out: no data moved for {milliseconds} ms"
    return Failure(ErrorCode.TimeoutError, QtNetworkError.TimeoutError, text)


def connect_timeout(milliseconds: int) -> Failure:
    text = f"Timed out: not connected within {milliseconds} ms"
    return Failure(ErrorCode.TimeoutError, QtNetworkError.TimeoutError, text, is_connecting=True)


def qgis_timeout() -> Failure:
    text = "Timed out: no data moved for as long as QGIS's network timeout allows"
    return Failure(ErrorCode.TimeoutError, QtNetworkError.TimeoutError, text)


def deadline_passed(milliseconds: int) -> Failure:
    text = f"Timed out: not finished within the deadline of {milliseconds} ms"
    return Failure(ErrorCode.TimeoutError, QtNetworkError.TimeoutError, text, ends_the_call=True)


def supplied_connection_ended() -> Failure:
    text = "Connection closed: the connection of setSocket() has ended; give another one, or setSocket(None)"
    return network_failure(QtNetworkError.RemoteHostClosedError, text)


def bytes_before_request() -> Failure:
    text = "The connection of setSocket() had bytes to read before the request was sent: they are no response to it"
    return network_failure(QtNetworkError.ProtocolFailure, text)


def supplied_connection_elsewhere(url: str) -> Failure:
    text = (
        f"The connection of setSocket() is in use without TLS, or with TLS to another server: {url} needs another one"
    )
    return network_failure(QtNetworkError.UnknownNetworkError, text)

"""NetworkEntry: one call of a log, or one request of it, without secrets."""

from __future__ import annotations

from typing import Optional
from urllib.parse import urlsplit

from .._first_use import first_use
from ..errors import ErrorCode
from ..models.body_redaction import redact_body
from ..models.call_record import CALL, CallRecord
from ..models.certificate import Certificate
from ..models.exchange_redaction import redacted_fields
from ..models.headers import content_type
from ..models.redaction import printable, redact_text
from ..models.timings import Timings
from .har_records import decoded_body, decoded_size
from .heads import request_fields, sent_head


class NetworkEntry:
    """One call of a ``NetworkLog``, or one request that the call has sent. May be used in any thread.

    An entry is a view: while the call runs, its values change. No value contains secrets: URLs have no user and
    password, and the values of credentials are ``***``. Two entries of the same call are equal.
    """

    __slots__ = ("_record",)

    def __init__(self, record: CallRecord) -> None:
        self._record = record

    def __repr__(self) -> str:
        outcome = "running" if not self.isFinished() else self.statusCode() or self.errorCode().name
        return f"<NetworkEntry {self.method()} {self.url()}: {outcome}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkEntry) and self._record is other._record

    def __hash__(self) -> int:
        return hash(self._record)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a NetworkEntry cannot be pickled: save the log with saveHar(), and load it with loadHar()")

    # -- the call

    def kind(self) -> str:
        """Return ``"call"``; of a request of a call, why it was sent.

        ``"request"``: it is the first one; ``"redirect"``; ``"retry"``: after a failure; ``"login"``: with credentials,
        after a 401 or 407; ``"resend"``: the response before it could not be used, such as one that Qt could not
        read, or a download that begins again; ``"cache"``: it was not sent, the response is from the cache.
        """
        return self._record.kind

    def children(self) -> list[NetworkEntry]:
        """Return the requests of a call, in the order they were sent. A request has no children."""
        return [NetworkEntry(each) for each in list(self._record.children)]

    def requestId(self) -> int:
        """Return the number of the call, as ``reply().requestId()``."""
        return self._record.identifier

    def thread(self) -> str:
        """Return the name of the thread that has called."""
        return printable(self._record.thread)

    def started(self) -> float:
        """Return when the call, or the request, has begun, in seconds since 1970."""
        return self._record.started

    def elapsed(self) -> float:
        """Return how long it took, in seconds, a streamed body included; 0.0 while it is running."""
        return self._record.seconds

    def isFinished(self) -> bool:
        """Return whether it has ended."""
        return self._record.ended is not None

    def errorCode(self) -> ErrorCode:
        """Return how it has ended; ``NoError`` while it is running."""
        failure, status = self._record.failure, self._record.status
        if failure is not None:
            return failure.code
        return ErrorCode.ServerExceptionError if (status or 0) >= 400 else ErrorCode.NoError

    def errorString(self) -> str:
        """Return why there is no usable response; '' if there is one, or while the call is running."""
        failure = self._record.failure
        return "" if failure is None else self._shown(failure.text)

    # -- the request

    def method(self) -> str:
        """Return the method, such as ``"GET"``."""
        return self._record.method

    def url(self) -> str:
        """Return the URL, without user, password and the values of secret parameters."""
        return self._record.url

    def host(self) -> str:
        """Return the host of the URL, in lower case; '' if the URL is not valid."""
        try:
            return urlsplit(self._record.url).hostname or ""
        except ValueError:
            return ""

    def requestLine(self) -> str:
        """Return the request line as it was sent, such as ``"GET /path HTTP/1.1"``; '' if it is not known.

        The ``python`` engine notes it when it sends it. That of ``qt`` is the line that Qt sends as soon as it is
        connected; over https it is known when the response is there, which tells whether it was HTTP/2.
        """
        head = sent_head(self._request)
        return "" if head is None else self._shown(head.line)

    def requestHeaders(self) -> list[tuple[str, str]]:
        """Return names and values of the header fields as they were sent, those of the engine included.

        If the engine does not know them (``qt`` over HTTP/2), or if nothing was sent, they are those that were given to
        the engine. Of a call, they are those of its first request.
        """
        return redacted_fields(request_fields(self._request), self._request.redacted_names, self._record.secrets)

    def requestBody(self) -> Optional[bytes]:
        """Return the body of the request, or the part of it that the log keeps; None if there is none, or if it was
        read from a file or an iterator.
        """
        record = self._request
        if record.request_body is None:
            return None
        body = redact_body(record.request_body, content_type(request_fields(record)), record.redacted_names)
        return record.secrets.hide(body)

    def requestSize(self) -> int:
        """Return the size of the request's body in bytes; -1 if it is not known."""
        return self._request.request_size

    def proxy(self) -> str:
        """Return the proxy that the manager, or the environment, has named, without user and password; '' if none."""
        return self._request.proxy

    # -- the response

    def statusCode(self) -> Optional[int]:
        """Return the status code; None if there is no response."""
        return self._record.status

    def reasonPhrase(self) -> str:
        """Return the reason phrase, such as ``"Not Found"``; '' over HTTP/2."""
        return self._shown(self._record.reason)

    def responseHeaders(self) -> list[tuple[str, str]]:
        """Return names and values of the header fields of the response."""
        record = self._record
        return redacted_fields(record.response_headers.pairs, record.redacted_names, record.secrets)

    def responseBody(self) -> Optional[bytes]:
        """Return the decoded body, or the part of it that the log keeps; None if it is not kept.

        Secrets in it are ``***`` if the body is a form, JSON or XML. So is every repetition of a secret of the call.
        """
        record = self._record
        body, _ = decoded_body(record)
        if body is None:
            return None
        kind = content_type(record.response_headers.pairs)
        return record.secrets.hide(redact_body(body, kind, record.redacted_names, is_response=True))

    def responseSize(self) -> int:
        """Return the size of the whole decoded body in bytes; -1 if it is not known.

        So is that of a compressed body which the requests adapter has handed over as it came, if only a part is kept.
        """
        return decoded_size(self._record)

    def receivedBytes(self) -> int:
        """Return how many bytes of the body were received, before they were decoded."""
        return self._record.encoded_size

    def isFromCache(self) -> bool:
        """Return whether the response came from the cache."""
        return self._record.from_cache

    # -- the connection

    def engine(self) -> str:
        """Return ``"qt"`` or ``"python"``; ``"fake"`` with ``FakeReplies``; '' if nothing was sent."""
        record = self._record
        return record.engine or (record.children[-1].engine if record.ended is None and record.children else "")

    def httpVersion(self) -> str:
        """Return ``"HTTP/1.1"`` or ``"HTTP/2"``; '' if there was no response."""
        return self._record.http_version

    def remoteAddress(self) -> str:
        """Return address and port of the server, or of the proxy, such as ``"192.0.2.1:443"``; '' if it is not known.

        The ``qt`` engine does not know them.
        """
        if self._record.peer is None:
            return ""
        host, port = self._record.peer
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def isReused(self) -> Optional[bool]:
        """Return whether the connection had served another request before; None if it is not known."""
        trace = self._record.trace
        return None if trace is None else trace.is_reused

    def sessionProtocol(self) -> str:
        """Return the version of TLS, such as ``"TLSv1.3"``; '' without TLS."""
        return "" if self._record.tls is None else self._record.tls.session.protocol

    def sessionCipher(self) -> str:
        """Return the cipher, in the spelling of OpenSSL; '' without TLS."""
        return "" if self._record.tls is None else self._record.tls.session.cipher

    def peerCertificate(self) -> Optional[Certificate]:
        """Return the certificate of the server; None without TLS, and of an entry that was loaded."""
        certificates = () if self._record.tls is None else self._record.tls.session.certificates
        return certificates[0] if certificates else None

    def timings(self) -> Timings:
        """Return how long the steps took, in ms. Of a call, they are those of its last request."""
        return self._record.timings

    # -- texts

    def asCurl(self) -> str:
        """Return a command for a POSIX shell that sends the same request with curl.

        Credentials are ``***`` in it: put in your own. Of a call, it is the first request. If the log has not kept the
        body, the command reads the file ``body`` and says so.
        """
        with first_use:
            from .commands import as_curl
        return as_curl(self._record)

    def asPython(self) -> str:
        """Return a program that sends the same request with this package. The rules are those of ``asCurl``."""
        with first_use:
            from .commands import as_python
        return as_python(self._record)

    def _shown(self, text: str) -> str:
        record = self._record
        return record.secrets.hide_in_text(redact_text(printable(text), record.redacted_names))

    @property
    def _request(self) -> CallRecord:
        """The record of the request that is shown: the first one of a call."""
        children = self._record.children
        return children[0] if self._record.kind == CALL and children else self._record


def record_of_entry(entry: NetworkEntry) -> CallRecord:
    """Return the record of an entry."""
    return entry._record

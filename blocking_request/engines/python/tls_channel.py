"""Channels with TLS: TlsChannel over a socket, NestedTlsChannel over another channel.

NestedTlsChannel serves HTTPS through an HTTPS proxy, and contexts that are not Python's own (truststore). Its ``send``
may keep encrypted bytes: see ``has_unsent``. The end of the stream counts as an end also if the peer says no goodbye
(close_notify). The framing of HTTP shows whether the response is complete. If a body has no length, a cut is not
noticed.
"""

from __future__ import annotations

import errno
import os
import ssl
from contextlib import suppress
from typing import Any, Optional, TypeVar, Union

from ..._fork_lock import fork_lock
from ..wanted import READ, WRITE, Steps, Wanted
from .channel import Channel, OverSocket, SocketChannel

_T = TypeVar("_T")

_RECORD_BYTES = 1 << 14
"""How many bytes of data a TLS record holds at most (RFC 8446 section 5.1)."""

_NETWORK_BYTES = 1 << 15
"""How many bytes are moved at once between TLS and the channel below it."""


class TlsChannel(OverSocket):
    """TLS over the socket of a SocketChannel. The SocketChannel must not be used any more."""

    __slots__ = ("_has_ended",)

    sock: ssl.SSLSocket

    def __init__(self, channel: SocketChannel, context: ssl.SSLContext, host: str) -> None:
        sock = context.wrap_socket(
            channel.sock, do_handshake_on_connect=False, suppress_ragged_eofs=False, server_hostname=host
        )
        super().__init__(sock)
        self._has_ended = False

    @property
    def ssl_object(self) -> ssl.SSLSocket:
        """The object that knows the certificates, the version and the cipher."""
        return self.sock

    def do_handshake(self) -> bool:
        """Return whether the handshake is complete; if not, ``wanted`` says what to wait for."""
        try:
            with fork_lock.held():
                self.sock.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            self._must_wait(error)
            return False
        return True

    def receive(self, limit: int) -> Optional[bytes]:
        try:
            return self._receive(limit)
        except ssl.SSLError as error:
            return None if self._must_wait(error) else self._end(error, b"")

    def receive_into(self, buffer: memoryview) -> Optional[int]:
        try:
            return self._receive_into(buffer)
        except ssl.SSLError as error:
            return None if self._must_wait(error) else self._end(error, 0)

    def send(self, data: Union[bytes, memoryview]) -> Optional[int]:
        try:
            return self._send(data if len(data) <= _RECORD_BYTES else memoryview(data)[:_RECORD_BYTES])
        except ssl.SSLError as error:
            if self._must_wait(error):
                return None
            if is_end(error):
                raise BrokenPipeError(errno.EPIPE, str(error)) from error
            raise

    def has_pending(self) -> bool:
        return self.sock.pending() > 0

    def _must_wait(self, error: ssl.SSLError) -> bool:
        """Return whether the error means that the operation cannot go on now; sets ``wanted`` then."""
        if isinstance(error, ssl.SSLWantReadError):
            self.wanted = self.wants_read
        elif isinstance(error, ssl.SSLWantWriteError):
            self.wanted = self.wants_write
        else:
            return False
        return True

    def _end(self, error: ssl.SSLError, end: _T) -> _T:
        """Return ``end`` if the peer has closed, with a goodbye or without one; raise any other error."""
        if not is_end(error):
            raise error
        # Python 3.10 to 3.12 report a reset as an end, too. But OpenSSL gives a reason for an end, in the first call.
        is_reset = isinstance(error, ssl.SSLEOFError) and error.reason is None and ssl.OPENSSL_VERSION_INFO >= (3,)
        if is_reset and not self._has_ended:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error
        self._has_ended = True
        return end


class NestedTlsChannel:
    """TLS over any channel, as over the TLS of an HTTPS proxy."""

    __slots__ = (
        "_incoming",
        "_inner",
        "_outgoing",
        "_unsent",
        "_wants_both",
        "ssl_object",
        "wanted",
        "wants_read",
        "wants_write",
    )

    def __init__(self, inner: Channel, context: ssl.SSLContext, host: str) -> None:
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._unsent = memoryview(b"")
        """Encrypted bytes that the inner channel has not taken yet."""
        self.wants_read = self.wanted = inner.wants_read
        self.wants_write = inner.wants_write
        self._wants_both = Wanted(tuple((descriptor, READ | WRITE) for descriptor, _ in inner.wants_read.sockets))

    @property
    def has_unsent(self) -> bool:
        """Whether encrypted bytes wait until the inner channel takes them."""
        return bool(self._unsent) or self._outgoing.pending > 0 or self._inner.has_unsent

    def do_handshake(self) -> bool:
        """Return whether the handshake is complete; if not, ``wanted`` says what to wait for."""
        while True:
            try:
                with fork_lock.held():
                    self.ssl_object.do_handshake()
            except ssl.SSLWantReadError:
                if not self._fill():
                    return False
            except ssl.SSLError:
                with suppress(OSError):
                    self._flush()  # an alert
                raise
            else:
                self._flush()
                return True

    def receive(self, limit: int) -> Optional[bytes]:
        data: Optional[bytes] = self._read(b"", limit)
        return data

    def receive_into(self, buffer: memoryview) -> Optional[int]:
        count: Optional[int] = self._read(0, len(buffer), buffer)
        return count

    def _read(self, end: Any, *arguments: Any) -> Any:
        while True:
            try:
                return self.ssl_object.read(*arguments)
            except ssl.SSLWantReadError:
                if not self._fill():
                    return None
            except ssl.SSLError as error:
                if is_end(error):
                    return end
                raise

    def send(self, data: Union[bytes, memoryview]) -> Optional[int]:
        while self._flush():
            try:
                count = self.ssl_object.write(data if len(data) <= _RECORD_BYTES else memoryview(data)[:_RECORD_BYTES])
            except ssl.SSLWantReadError:
                if not self._fill():
                    return None
            except ssl.SSLError as error:
                if is_end(error):
                    raise BrokenPipeError(errno.EPIPE, str(error)) from error
                raise
            else:
                self._flush()  # what remains goes out with the next call of any method
                return count
        self.wanted = self._inner.wanted
        return None

    def has_pending(self) -> bool:
        return self.ssl_object.pending() > 0 or self._incoming.pending > 0 or self._inner.has_pending()

    def fileno(self) -> int:
        return self._inner.fileno()

    def close(self) -> None:
        self._inner.close()

    def _flush(self) -> bool:
        """Send the encrypted bytes; False if the inner channel does not take all of them now."""
        while self._unsent or self._outgoing.pending:
            if not self._unsent:
                self._unsent = memoryview(self._outgoing.read(_NETWORK_BYTES))
            count = self._inner.send(self._unsent)
            if count is None:
                return False
            self._unsent = self._unsent[count:]
        return True

    def _fill(self) -> bool:
        """Give TLS more bytes of the peer; if there are none now, set ``wanted`` and return False."""
        failure: Optional[OSError] = None
        try:
            is_sent = self._flush()
        except OSError as error:
            is_sent, failure = True, error  # the peer may have sent something before it closed
        data = self._inner.receive(_NETWORK_BYTES)
        if data is None:
            if failure is not None:
                raise failure
            self.wanted = self._inner.wanted if is_sent else self._wants_both
            return False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        return True


TlsStream = Union[TlsChannel, NestedTlsChannel]


def encrypted(channel: Channel, context: ssl.SSLContext, host: str) -> TlsStream:
    """Return TLS over the channel, and take the channel over. The handshake must follow.

    Some versions of truststore (seen with 0.10.1) read the certificates of an SSLSocket before the handshake, when it
    is made. They read those of an SSLObject afterwards, so a foreign context gets an SSLObject.
    """
    if isinstance(channel, SocketChannel) and type(context).__module__ == ssl.__name__:
        return TlsChannel(channel, context, host)
    return NestedTlsChannel(channel, context, host)


def handshake(stream: TlsStream) -> Steps[None]:
    """Do the handshake of TLS. Raises ssl.SSLError and other kinds of OSError."""
    while not stream.do_handshake():
        yield stream.wanted


def is_end(error: OSError) -> bool:
    """Return whether an error of TLS says that the peer has closed, with a goodbye or without one."""
    if isinstance(error, (ssl.SSLZeroReturnError, ssl.SSLEOFError)):
        return True
    # Python 3.9 has no exception class for this error of OpenSSL 3.
    return isinstance(error, ssl.SSLError) and error.reason == "UNEXPECTED_EOF_WHILE_READING"

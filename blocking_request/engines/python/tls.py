"""TLS connections, and the reasons why a server's certificate is refused.

If a certificate is refused, a second handshake accepts everything, without the client certificate, and sends nothing.
It gives the certificates, in which the other errors are found. If the settings ignore all the errors, a third handshake
makes the connection. It ignores these errors of this certificate only.
"""

from __future__ import annotations

import errno
import ssl
from typing import Callable, Optional

from ...models import error_texts as messages
from ...models.certificate import Certificate
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.pre_shared_key import PreSharedKey
from ...models.tls import TlsError, TlsErrorKind, TlsSession, TlsSettings, ignores_errors, matches_pins, sorted_errors
from ...tls.pem import loaded
from ..wanted import NEVER, Steps
from .certificate_errors import Refusal, errors_of, is_address, outdated, refusal_of
from .channel import Channel
from .failures import ConnectionLost, TransferFailed
from .pre_shared_keys import KEY_ADVICE, KeyOffer, supports_pre_shared_keys
from .ssl_context import context_for, lenient_context
from .time_limit import within
from .tls_channel import TlsStream, encrypted, handshake, is_end
from .tls_session import certificates_sent_to, session_of, verified_certificates

PATIENCE = 2.0
"""Seconds that the second handshake may take to connect, and as many for the handshake itself."""

KEPT_LENIENT_CONTEXTS = 8
"""How many contexts are kept that ignore errors. Each may hold all certificates of the system."""

Alpn = tuple[str, ...]
OpenChannel = Callable[[], Steps[Channel]]


class Tls:
    """Makes the TLS connections of one TlsSettings. Any thread may call every method."""

    def __init__(self, settings: TlsSettings, key: Optional[PreSharedKey] = None) -> None:
        """``key``: the pre-shared key; None if the manager has no handler for it."""
        self.settings = settings
        self._key = key
        self._offer = KeyOffer(key) if key is not None and supports_pre_shared_keys() else None
        self._loaded: Optional[TlsSettings] = None
        self._contexts: dict[Alpn, ssl.SSLContext] = {}
        self._inquiring_context: Optional[ssl.SSLContext] = None
        self._lenient_contexts: dict[tuple[Alpn, frozenset[tuple[TlsErrorKind, Certificate]]], ssl.SSLContext] = {}

    @property
    def context(self) -> ssl.SSLContext:
        """The context that offers no protocol. Raises TlsUnusable."""
        return self.context_for(())

    def context_for(self, alpn: Alpn) -> ssl.SSLContext:
        """Return the context that offers these protocols. Raises TlsUnusable.

        It is made when it is first needed, because reading the system's certificates takes 20 ms. Two threads may both
        make the first one: a lock would stay locked in a child that is forked meanwhile.
        """
        context = self._contexts.get(alpn)
        return context or self._contexts.setdefault(alpn, context_for(self._load(), alpn, offer=self._offer))

    def start(self, open_channel: OpenChannel, host: str, alpn: Alpn = ()) -> Steps[tuple[TlsStream, TlsSession]]:
        """Connect to a trusted server; return the connection and its TLS session.

        ``open_channel`` connects anew, through the proxy if there is one: it is called for each handshake. Raises
        TransferFailed, ConnectionLost, TlsUnusable, and the errors of ``open_channel``.
        """
        host = _server_name(host)
        refusal = None
        errors: tuple[TlsError, ...] = ()
        try:
            stream = yield from self._connect(open_channel, self.context_for(alpn), host)
        except ssl.SSLCertVerificationError as error:
            refusal = refusal_of(error)
        if refusal is not None:
            stream, errors = yield from self._look_into(refusal, open_channel, host, alpn)
        try:
            session = session_of(stream.ssl_object, errors)
            certificate = next(iter(session.certificates), None)  # a server with a pre-shared key may have none
            if not matches_pins(self.settings, certificate):
                raise TransferFailed(messages.fingerprint_refused(certificate), session)
        except BaseException:
            stream.close()
            raise
        return stream, session

    def failure(self, error: ssl.SSLError) -> Failure:
        """Return the failure for an error of TLS that is not the end of the stream.

        With TLS 1.3 a server tells only after the handshake that it wants another client certificate.
        """
        shows_certificate = self.settings.clientCertificate is not None
        advice = "" if self._offer is not None else KEY_ADVICE
        return messages.handshake_failed(error.reason or str(error), shows_certificate, self._key, advice)

    def _load(self) -> TlsSettings:
        """Return the settings with every file read, once. Raises TlsUnusable."""
        if self._loaded is None:
            self._loaded = loaded(self.settings)
        return self._loaded

    def _inquiring(self) -> ssl.SSLContext:
        if self._inquiring_context is None:
            minimum, maximum = self.settings.minimumVersion, self.settings.maximumVersion
            settings = TlsSettings(verify=False, minimumVersion=minimum, maximumVersion=maximum)
            self._inquiring_context = context_for(settings, offer=self._offer)
        return self._inquiring_context

    def _lenient(self, errors: tuple[TlsError, ...], alpn: Alpn) -> ssl.SSLContext:
        key = (alpn, frozenset((error.kind, error.certificate) for error in errors))
        context = self._lenient_contexts.get(key)
        if context is None:
            if len(self._lenient_contexts) >= KEPT_LENIENT_CONTEXTS:
                self._lenient_contexts = {}
            context = self._lenient_contexts[key] = lenient_context(self._load(), errors, alpn, self._offer)
        return context

    def _connect(
        self, open_channel: OpenChannel, context: ssl.SSLContext, host: str, patience: float = NEVER
    ) -> Steps[TlsStream]:
        """Connect and do the handshake. Raises SSLCertVerificationError if the certificate is refused."""
        channel = yield from within(patience, open_channel())
        try:
            return (yield from within(patience, self._encrypt(channel, context, host)))
        except BaseException:
            channel.close()
            raise

    def _encrypt(self, channel: Channel, context: ssl.SSLContext, host: str) -> Steps[TlsStream]:
        stream = None
        try:
            stream = encrypted(channel, context, host.rstrip("."))
            yield from handshake(stream)
        except BaseException as error:
            if stream is not None:
                stream.close()
            if not isinstance(error, OSError) or isinstance(error, ssl.SSLCertVerificationError):
                raise
            if isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN or is_end(error):
                raise ConnectionLost(str(error)) from error
            if isinstance(error, ssl.SSLError):
                hint = None if self._offer is None else self._offer.wanted_hint(error)
                raise TransferFailed(self.failure(error), TlsSession(key_hint=hint)) from error
            raise
        return stream

    def _look_into(
        self, refusal: Refusal, open_channel: OpenChannel, host: str, alpn: Alpn
    ) -> Steps[tuple[TlsStream, tuple[TlsError, ...]]]:
        """Find all errors; if the settings ignore them all, return a connection and the ignored errors."""
        certificates = yield from self._inquire(refusal, open_channel, host)
        errors = sorted_errors(errors_of(refusal, certificates, host))
        if ignores_errors(self.settings, errors):
            try:
                stream = yield from self._connect(open_channel, self._lenient(errors, alpn), host)
            except ssl.SSLCertVerificationError as error:
                errors = sorted_errors((*errors, *errors_of(refusal_of(error), certificates, host)))
            else:
                accepted = False
                try:
                    # This handshake ignores the dates of all certificates, so the verified ones are checked here.
                    now_outdated = outdated(verified_certificates(stream.ssl_object), host)
                    is_same = certificates_sent_to(stream.ssl_object)[0] == certificates[0]
                    accepted = is_same and ignores_errors(self.settings, now_outdated)
                finally:
                    if not accepted:
                        stream.close()
                if accepted:
                    return stream, errors
                errors = sorted_errors((*errors, *now_outdated))
        raise TransferFailed(messages.certificate_refused(errors), TlsSession("", "", certificates, errors))

    def _inquire(self, refusal: Refusal, open_channel: OpenChannel, host: str) -> Steps[tuple[Certificate, ...]]:
        """Return the certificates that the server shows. Raises TransferFailed with the refusal if it shows none."""
        try:
            stream = yield from self._connect(open_channel, self._inquiring(), host, PATIENCE)
        except Exception as error:
            if isinstance(error, TransferFailed) and error.session is not None and error.session.key_hint is not None:
                raise  # the server goes on only with a pre-shared key
            raise TransferFailed(messages.certificate_refused_by(refusal.words), TlsSession()) from error
        try:
            return certificates_sent_to(stream.ssl_object)
        finally:
            stream.close()


def _server_name(host: str) -> str:
    """Return the name that the certificate must have: an address without brackets and zone, or the name of a host."""
    address = host.strip("[]").partition("%")[0]
    if is_address(address):
        return address
    try:
        host.encode("idna")  # as Python does it for TLS
    except UnicodeError as error:
        raise TransferFailed(network_failure(QtNetworkError.HostNotFoundError, f"Host {host} not found")) from error
    return host

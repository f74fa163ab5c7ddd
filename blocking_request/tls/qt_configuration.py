"""TLS between Qt's values and ours: QSslConfiguration, QSslError, and which TLS configuration a request has."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache, partial
from itertools import count
from typing import Any, Optional

from ..models.certificate import Certificate
from ..models.http_messages import Request
from ..models.pre_shared_key import PreSharedKey
from ..models.tls import (
    TRUST_ERRORS,
    VERSIONS,
    LazySession,
    TlsError,
    TlsErrorKind,
    TlsSession,
    TlsSettings,
    TlsUnusable,
    merged_settings,
    sorted_errors,
    without_client_certificate,
)
from ..qt.binding import QtNetwork, enum_value, has_tls
from .pem import loaded

_Configuration = QtNetwork.QSslConfiguration
_Protocol = QtNetwork.QSsl.SslProtocol
_Mode = QtNetwork.QSslSocket.PeerVerifyMode


# -- which configuration a request has


def caller_configuration(request: Request) -> Optional[QtNetwork.QSslConfiguration]:
    """Return the configuration that the caller has set on the request; None if it has Qt's default one."""
    if request.qt_request is None:
        return None
    configuration: QtNetwork.QSslConfiguration = request.qt_request.sslConfiguration()
    return None if configuration == _Configuration.defaultConfiguration() else configuration


class _Numbers:
    """Numbers for configurations, which have no hash. May be used from any thread."""

    KEPT = 64

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._numbered: list[tuple[int, QtNetwork.QSslConfiguration]] = []
        self._next = count(1).__next__

    def number(self, configuration: QtNetwork.QSslConfiguration) -> int:
        for number, known in list(self._numbered):
            if known == configuration:
                return number
        with self._guard:
            number = self._next()
            self._numbered = [*self._numbered[-self.KEPT + 1 :], (number, configuration)]
            return number


_number = _Numbers().number


_WITHOUT_TLS = 1 << 62
"""Stands for the number of Qt's default configuration if Qt has no TLS. Qt is not asked for it then."""


def configuration_number(request: Request) -> int:
    """Return an equal number for requests with equal Qt configurations; a negative one without client certificate.

    The configuration is the request's own, or else the default one, which the application may change at any time.
    A configuration of the request has another number than an equal default one, because TlsSettings change only the
    default one.
    """
    caller_tls = caller_configuration(request)
    if caller_tls is not None:
        number = 2 * _number(caller_tls) + 1
    elif has_tls():
        number = 2 * _number(_Configuration.defaultConfiguration())
    else:
        number = _WITHOUT_TLS
    return number if request.same_origin else -number


def configuration_settings(request: Request) -> TlsSettings:
    """Return the request's settings and its Qt configuration as TlsSettings, for the python engine.

    Raises TlsUnusable if the configuration has values that the python engine does not support.
    """
    caller_tls = caller_configuration(request)
    if caller_tls is not None:
        # It takes precedence over the manager's settings, except for their pinned and their accepted certificates.
        base = request.tls or TlsSettings()
        settings = settings_of(caller_tls)
        settings = replace(settings, pinnedFingerprints=base.pinnedFingerprints, ignoredErrors=base.ignoredErrors)
    else:
        settings = settings_of(_Configuration.defaultConfiguration()) if has_tls() else TlsSettings()
        settings = settings if request.tls is None else merged_settings(request.tls, settings)
    return settings if request.same_origin else without_client_certificate(settings)


# -- from our settings to Qt's


def configuration_for(settings: TlsSettings) -> QtNetwork.QSslConfiguration:
    """Return Qt's default configuration with the settings' values. It must not be changed. Raises TlsUnusable."""
    return _configuration_for(settings, _number(_Configuration.defaultConfiguration()))


@lru_cache(maxsize=64)
def _configuration_for(settings: TlsSettings, default_number: int) -> QtNetwork.QSslConfiguration:
    key_password = settings.keyPassword
    settings = loaded(settings)
    configuration = _Configuration.defaultConfiguration()
    if settings.caData is not None:
        authorities = QtNetwork.QSslCertificate.fromData(settings.caData)  # type: ignore[arg-type]
        if not authorities:
            raise TlsUnusable("the CA certificates cannot be read as PEM")
        if settings.trust == "system":
            authorities += _system_authorities()
        configuration.setCaCertificates(authorities)
    if not settings.verify:
        configuration.setPeerVerifyMode(_Mode.VerifyNone)
    elif enum_value(configuration.peerVerifyMode()) < enum_value(_Mode.VerifyPeer):
        configuration.setPeerVerifyMode(_Mode.AutoVerifyPeer)
    if settings.minimumVersion is not None or settings.maximumVersion is not None:
        configuration.setProtocol(_protocol(settings.minimumVersion, settings.maximumVersion))
    certificate, key = settings.clientCertificate, settings.clientKey
    if isinstance(certificate, bytes) and isinstance(key, bytes):
        chain = QtNetwork.QSslCertificate.fromData(certificate)  # type: ignore[arg-type]
        if not chain:
            raise TlsUnusable("the client certificate or its key cannot be read as PEM")
        configuration.setLocalCertificateChain(chain)
        private_key = _private_key(key, settings.keyPassword)
        if private_key is None:
            raise TlsUnusable(_unreadable_key_text(key, is_decrypted=settings.keyPassword != key_password))
        configuration.setPrivateKey(private_key)
    return configuration


def limited_for_keys(configuration: QtNetwork.QSslConfiguration) -> Optional[QtNetwork.QSslConfiguration]:
    """Return the configuration without TLS 1.3, for which Qt has no pre-shared keys; None if it needs no change.

    A server that speaks both versions would take TLS 1.3, and then refuse a client without a key (Qt 5.15, 6.11).
    """
    if configuration.protocol() not in _UP_TO_1_3:
        return None
    limited = _Configuration(configuration)
    limited.setProtocol(_Protocol.TlsV1_2)
    return limited


_UP_TO_1_3 = (
    _Protocol.AnyProtocol,
    _Protocol.SecureProtocols,
    _Protocol.TlsV1_0OrLater,
    _Protocol.TlsV1_1OrLater,
    _Protocol.TlsV1_2OrLater,
)


def _private_key(pem: bytes, password: Optional[str]) -> Optional[QtNetwork.QSslKey]:
    for algorithm in (QtNetwork.QSsl.KeyAlgorithm.Rsa, QtNetwork.QSsl.KeyAlgorithm.Ec, QtNetwork.QSsl.KeyAlgorithm.Dsa):
        key = QtNetwork.QSslKey(
            pem,  # type: ignore[arg-type]
            algorithm,
            QtNetwork.QSsl.EncodingFormat.Pem,
            QtNetwork.QSsl.KeyType.PrivateKey,
            (password or "").encode("utf-8", "replace"),  # type: ignore[arg-type]
        )
        if not key.isNull():
            return key
    return None


def _unreadable_key_text(pem: bytes, is_decrypted: bool) -> str:
    """``is_decrypted``: whether it is of a PKCS#12 file, which was decrypted."""
    if is_decrypted:
        return "Qt does not support this kind of client key: it must be RSA, EC or DSA, or use the python engine"
    if b"ENCRYPTED" in pem:
        return "the client key cannot be decrypted: keyPassword is missing or wrong"
    return "the client certificate or its key cannot be read as PEM"


def _protocol(minimum: Optional[str], maximum: Optional[str]) -> Any:
    maximum = maximum or VERSIONS[-1]
    minimum = minimum or min("1.2", maximum)
    name = "TlsV" + minimum.replace(".", "_")
    if maximum == VERSIONS[-1]:
        return getattr(_Protocol, name + "OrLater")
    if maximum == minimum:
        return getattr(_Protocol, name)
    raise TlsUnusable(
        f"Qt cannot be told TLS {minimum} to {maximum}: give one version, or no maximum, or use the python engine"
    )


# -- from Qt's configuration to our settings


def settings_of(configuration: QtNetwork.QSslConfiguration) -> TlsSettings:
    """Return the caller's configuration as TlsSettings. Raises TlsUnusable for values that TlsSettings lack."""
    default = _Configuration.defaultConfiguration()
    for what, name in _UNTRANSLATABLE.items():
        if _value(configuration, name) != _value(default, name):
            raise _untranslatable(what)
    authorities = configuration.caCertificates()
    if any(certificate.isNull() for certificate in authorities) or _trusts_nobody(configuration):
        raise _untranslatable("CA certificates")
    # Qt 5 reads the system's when it needs them, and has none in the list until then.
    ca_data = _pem(authorities) if authorities and authorities != _system_authorities() else None
    chain, key = configuration.localCertificateChain(), configuration.privateKey()
    if chain and (key.isNull() or any(certificate.isNull() for certificate in chain)):
        raise _untranslatable("a client certificate")
    minimum, maximum = _versions(configuration)
    return TlsSettings(
        caData=ca_data,
        verify=enum_value(configuration.peerVerifyMode()) >= enum_value(_Mode.VerifyPeer),
        clientCertificate=_pem(chain) if chain else None,
        clientKey=key.toPem().data() if chain else None,
        minimumVersion=minimum,
        maximumVersion=maximum,
    )


@lru_cache(maxsize=1)
def _system_authorities() -> list[QtNetwork.QSslCertificate]:
    """Return the system's CA certificates. They are read once: it takes 70 ms, in which no other thread runs."""
    return list(_Configuration.systemCaCertificates())


def _trusts_nobody(configuration: QtNetwork.QSslConfiguration) -> bool:
    """Return whether the caller has emptied the list of CA certificates."""
    if configuration.caCertificates() or not has_tls():
        return False
    emptied = _Configuration(configuration)
    emptied.setCaCertificates([])
    return bool(emptied == configuration)


_UNTRANSLATABLE = {
    "ciphers": "ciphers",
    "elliptic curves": "ellipticCurves",
    "a verify depth": "peerVerifyDepth",
    "a pre-shared key": "preSharedKeyIdentityHint",
    "OCSP stapling": "ocspStaplingEnabled",
    "options of the TLS backend": "backendConfiguration",
}


def _value(configuration: QtNetwork.QSslConfiguration, name: str) -> Any:
    return getattr(configuration, name)()


def _untranslatable(what: str) -> TlsUnusable:
    text = f"the request's QSslConfiguration sets {what}, which only Qt's own TLS can use"
    if not has_tls():
        text += ", and this Qt has none"
    return TlsUnusable(f"{text}: give a NetworkAccessManager the same by setTlsSettings(), or use the qt engine")


def _pem(certificates: Iterable[QtNetwork.QSslCertificate]) -> bytes:
    return b"".join(certificate.toPem().data() for certificate in certificates)


def _versions(configuration: QtNetwork.QSslConfiguration) -> tuple[Optional[str], Optional[str]]:
    if configuration.protocol() == _Protocol.SecureProtocols:
        return None, None
    for version in VERSIONS:
        name = "TlsV" + version.replace(".", "_")
        if configuration.protocol() == getattr(_Protocol, name):
            return version, version
        if configuration.protocol() == getattr(_Protocol, name + "OrLater"):
            return version, None
    if configuration.protocol() == _Protocol.AnyProtocol:
        return VERSIONS[0], None
    raise _untranslatable("a protocol other than TLS 1.0 to 1.3")


# -- the session


def peer_certificate(configuration: QtNetwork.QSslConfiguration) -> Optional[Certificate]:
    """Return the certificate of the server; None if it has shown none."""
    certificate = configuration.peerCertificate()
    return None if certificate.isNull() else Certificate(certificate.toDer().data())


def _certificates(configuration: QtNetwork.QSslConfiguration) -> tuple[Certificate, ...]:
    """Return the certificates that the server has shown, its own first."""
    return tuple(Certificate(certificate.toDer().data()) for certificate in configuration.peerCertificateChain())


def errors_of(
    errors: Iterable[QtNetwork.QSslError], configuration: QtNetwork.QSslConfiguration, host: str
) -> list[tuple[QtNetwork.QSslError, TlsError]]:
    """Return each of Qt's errors with its TlsError."""
    server_certificate = Certificate(configuration.peerCertificate().toDer().data())
    pairs = []
    for error in errors:
        try:
            kind = TlsErrorKind(enum_value(error.error()))
        except ValueError:
            kind = TlsErrorKind.UnspecifiedError
        if kind is TlsErrorKind.UnableToVerifyFirstCertificate:
            # OpenSSL says it besides the real reason, when it is asked to go on.
            kind = TlsErrorKind.UnableToGetLocalIssuerCertificate
        certificate = error.certificate()
        if kind in TRUST_ERRORS or kind is TlsErrorKind.HostNameMismatch or certificate.isNull():
            pairs.append((error, TlsError(kind, server_certificate, host)))
        else:
            pairs.append((error, TlsError(kind, Certificate(certificate.toDer().data()), host)))
    return pairs


def session_of(
    configuration: QtNetwork.QSslConfiguration,
    errors: Iterable[TlsError],
    agreed: bool,
    key_hint: Optional[str] = None,
) -> LazySession:
    """Return the session, which is read when it is needed; ``agreed``: whether the handshake was finished."""
    return LazySession(partial(_session, configuration, tuple(errors), agreed, key_hint), configuration, is_live=True)


def _session(
    configuration: QtNetwork.QSslConfiguration, errors: tuple[TlsError, ...], agreed: bool, key_hint: Optional[str]
) -> TlsSession:
    certificates, errors = _certificates(configuration), sorted_errors(errors)
    if not agreed:
        return TlsSession("", "", certificates, errors, key_hint)
    protocol = _PROTOCOL_NAMES.get(enum_value(configuration.sessionProtocol()), "")
    return TlsSession(protocol, configuration.sessionCipher().name(), certificates, errors)


_PROTOCOL_NAMES = {
    enum_value(getattr(_Protocol, "TlsV" + version.replace(".", "_"))): f"TLSv{version}".replace("v1.0", "v1")
    for version in VERSIONS
}

TlsKey = tuple[Optional[TlsSettings], int, Optional[PreSharedKey]]


def tls_key(request: Request) -> TlsKey:
    """Return a key that is equal for two requests if they may share connections on the qt engine."""
    if not request.url.startswith("https:"):
        return NO_TLS
    return request.tls, configuration_number(request), request.pre_shared_key


NO_TLS: TlsKey = (None, 0, None)


def qt_error(error: TlsError) -> QtNetwork.QSslError:
    """Convert an error for Qt. If Qt has no OpenSSL, the certificate in it is null."""
    certificate = QtNetwork.QSslCertificate(error.certificate.der, QtNetwork.QSsl.EncodingFormat.Der)
    return QtNetwork.QSslError(QtNetwork.QSslError.SslError(error.kind), certificate)

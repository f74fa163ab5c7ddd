"""The values of TLS: the settings of the caller, the errors of certificates, and the session with a server."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from functools import cached_property
from typing import Any, Callable, Optional, Union

from .._names import pickled, public
from .certificate import Certificate
from .redaction import printable


@public
class TlsErrorKind(IntEnum):
    """The kinds of certificate errors, with the names and values of ``QSslError.SslError``."""

    UnspecifiedError = -1
    UnableToGetIssuerCertificate = 1
    UnableToDecryptCertificateSignature = 2
    UnableToDecodeIssuerPublicKey = 3
    CertificateSignatureFailed = 4
    CertificateNotYetValid = 5
    CertificateExpired = 6
    InvalidNotBeforeField = 7
    InvalidNotAfterField = 8
    SelfSignedCertificate = 9
    SelfSignedCertificateInChain = 10
    UnableToGetLocalIssuerCertificate = 11
    UnableToVerifyFirstCertificate = 12
    CertificateRevoked = 13
    InvalidCaCertificate = 14
    PathLengthExceeded = 15
    InvalidPurpose = 16
    CertificateUntrusted = 17
    CertificateRejected = 18
    HostNameMismatch = 22


TIME_ERRORS = frozenset((TlsErrorKind.CertificateNotYetValid, TlsErrorKind.CertificateExpired))
TRUST_ERRORS = frozenset(
    (
        TlsErrorKind.UnableToGetIssuerCertificate,
        TlsErrorKind.SelfSignedCertificate,
        TlsErrorKind.SelfSignedCertificateInChain,
        TlsErrorKind.UnableToGetLocalIssuerCertificate,
        TlsErrorKind.UnableToVerifyFirstCertificate,
        TlsErrorKind.CertificateUntrusted,
    )
)
"""The issuer is not known or not trusted. Said of the server's own certificate, whichever of the chain it was."""


@public
@dataclass(frozen=True)
class TlsError:
    """One error of one certificate of one host.

    Two errors are equal if kind, certificate and host are equal, because settings that differ in a host must not share
    a connection. ``covers`` compares errors when the settings ignore some.
    """

    kind: TlsErrorKind
    certificate: Certificate
    host: str = ""
    """Which the certificate should be for; '' in ``ignoredErrors`` means any."""

    def covers(self, error: TlsError) -> bool:
        """Whether to ignore this one is to ignore that one."""
        is_same = (self.kind, self.certificate) == (error.kind, error.certificate)
        return is_same and self.host in ("", error.host)

    def text(self) -> str:
        """Return the error in words."""
        certificate, kind = self.certificate, self.kind
        if kind is TlsErrorKind.CertificateExpired:
            return f"the certificate of {_quoted(certificate)} expired on {_date(certificate.expiryDate())}"
        if kind is TlsErrorKind.CertificateNotYetValid:
            return f"the certificate of {_quoted(certificate)} is valid only from {_date(certificate.effectiveDate())}"
        if kind is TlsErrorKind.HostNameMismatch:
            names = ", ".join(certificate.names()) or certificate.subject() or "no host at all"
            return f"the certificate is for {printable(names)}, not for {self.host}"
        if kind is TlsErrorKind.SelfSignedCertificate:
            return f"the certificate of {_quoted(certificate)} is self-signed and not trusted here"
        if kind is TlsErrorKind.SelfSignedCertificateInChain:
            return f"the certificate of {_quoted(certificate)} leads to a self-signed root that is not trusted here"
        if kind in TRUST_ERRORS:
            return f'the issuer "{printable(certificate.issuer())}" of the certificate is not known here'
        words = _WORD_START.sub(" ", kind.name).lower()
        return f"the certificate of {_quoted(certificate)} is not accepted ({words})"


def _quoted(certificate: Certificate) -> str:
    return f'"{printable(certificate.subject())}"'


def _date(moment: Any) -> str:
    return "an unreadable date" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def sorted_errors(errors: Iterable[TlsError]) -> tuple[TlsError, ...]:
    """Return each error once, in an order that does not depend on the engine."""
    errors_by_key = {(error.kind, error.certificate.der, error.host): error for error in errors}
    return tuple(errors_by_key[key] for key in sorted(errors_by_key))


_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DIGEST = re.compile(r"[0-9a-f]{64}")

VERSIONS = ("1.0", "1.1", "1.2", "1.3")

PathOrPem = Union[str, "os.PathLike[str]", bytes]


@public
@dataclass(frozen=True)
class TlsSettings:
    """The settings of TLS connections. A value, which any thread may use and share.

    ``caFile``, ``caData``: trusted certificates: the path of a PEM file, or PEM text as bytes. They replace the
    system's certificates, as in requests and curl, unless ``trust`` names these too.
    ``trust``: ``"system"``: the certificates that the operating system trusts; ``"certifi"``: those of Mozilla, in the
    package certifi; None: the system's, unless ``caFile`` or ``caData`` is given.
    ``verify``: False accepts every certificate: an attacker on the network can then read and change everything.
    ``clientCertificate``, ``clientKey``: the client's certificate and key: a path, or PEM as bytes. The chain may
    follow the certificate, and the key may be in its file. They are not used at another origin after a redirect.
    ``clientCertificate`` may be a PKCS#12 file (``.p12``, ``.pfx``; RFC 7292), as a path or bytes. It contains the key
    and the chain, so ``clientKey`` is None. This needs the package ``cryptography``
    (``pip install 'blocking-request[pkcs12]'``).
    ``keyPassword``: the password of an encrypted key, or of the PKCS#12 file.
    ``minimumVersion``, ``maximumVersion``: versions of TLS, ``"1.0"`` to ``"1.3"``. None: the default of the engine.
    ``pinnedFingerprints``: the server's own certificate must have one of these digests, ``"sha256:..."`` in hex, with
    or without colons; otherwise the request is not sent. This is checked besides everything else, also with
    ``verify=False``.
    ``ignoredErrors``: these errors of these certificates are ignored, and no others (RFC 9110 section 4.3.4 leaves this
    to the user).

    Files are read once, for the first connection with these settings. Raises TypeError and ValueError for other values.
    """

    caFile: Union[str, os.PathLike[str], None] = None
    caData: Optional[bytes] = field(default=None, repr=False)
    trust: Optional[str] = None
    verify: bool = True
    clientCertificate: Optional[PathOrPem] = field(default=None, repr=False)
    clientKey: Optional[PathOrPem] = field(default=None, repr=False)
    keyPassword: Optional[str] = field(default=None, repr=False)
    minimumVersion: Optional[str] = None
    maximumVersion: Optional[str] = None
    pinnedFingerprints: tuple[str, ...] = ()
    ignoredErrors: tuple[TlsError, ...] = ()

    def __post_init__(self) -> None:
        for name in ("caFile", "clientCertificate", "clientKey"):
            value = getattr(self, name)
            if not isinstance(value, (str, bytes, os.PathLike, type(None))):
                kinds = "PEM or PKCS#12" if name == "clientCertificate" else "PEM"
                raise TypeError(f"{name} must be the path of a {kinds} file, not {type(value).__name__}")
        self._set("caFile", None if self.caFile is None else os.fsdecode(self.caFile))
        self._set("caData", self.caData.encode() if isinstance(self.caData, str) else self.caData)
        for name in ("clientCertificate", "clientKey"):
            value = getattr(self, name)
            value = value if value is None or isinstance(value, bytes) else os.fspath(value)
            # PEM given as text must not be taken for a path, which messages would show.
            self._set(name, value.encode() if isinstance(value, str) and "-----BEGIN" in value else value)
        if isinstance(self.pinnedFingerprints, (str, bytes)):
            raise TypeError("pinnedFingerprints must be a list of fingerprints, not one: ['sha256:...']")
        self._set("pinnedFingerprints", tuple(sorted(_fingerprint(pin) for pin in self.pinnedFingerprints)))
        for error in self.ignoredErrors:
            if not isinstance(error, TlsError):
                kind = type(error).__name__
                raise TypeError(f"ignoredErrors must be TlsErrors, not {kind}: reply.sslErrors() returns them")
        self._set("ignoredErrors", sorted_errors(self.ignoredErrors))
        self._check()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        # Kept, because the settings are a part of the key of each https connection.
        kept: Optional[int] = self.__dict__.get("_hash")
        if kept is None:
            kept = hash(tuple(getattr(self, each.name) for each in fields(self)))
            self._set("_hash", kept)
        return kept

    def __getstate__(self) -> dict[str, Any]:
        # Hashes of text differ from process to process.
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}

    def _check(self) -> None:
        if self.caData is not None and not isinstance(self.caData, bytes):
            raise TypeError(f"caData must be PEM as bytes, not {type(self.caData).__name__}")
        if self.caFile is not None and "-----BEGIN" in str(self.caFile):
            raise ValueError("caFile must be a path; certificates themselves are caData")
        if self.keyPassword is not None and not isinstance(self.keyPassword, str):
            raise TypeError(f"keyPassword must be a str, not {type(self.keyPassword).__name__}")
        if not isinstance(self.verify, bool):
            raise TypeError(f"verify must be True or False, not {self.verify!r}; certificates to trust are caFile")
        if self.trust not in (None, "system", "certifi"):
            raise ValueError(f"trust must be 'system', 'certifi' or None, not {self.trust!r}")
        for name in ("minimumVersion", "maximumVersion"):
            if getattr(self, name) not in (None, *VERSIONS):
                raise ValueError(f"{name} must be one of {', '.join(VERSIONS)} or None, not {getattr(self, name)!r}")
        if (self.minimumVersion or VERSIONS[0]) > (self.maximumVersion or VERSIONS[-1]):
            raise ValueError("minimumVersion must not be greater than maximumVersion")
        if self.clientKey is not None and self.clientCertificate is None:
            raise ValueError("a clientKey needs its clientCertificate")


def ignores_errors(settings: TlsSettings, errors: Iterable[TlsError]) -> bool:
    """Return whether the settings ignore all of the errors."""
    return all(any(ignored.covers(error) for ignored in settings.ignoredErrors) for error in errors)


def with_ignored_errors(settings: TlsSettings, errors: Iterable[TlsError]) -> TlsSettings:
    """Return the settings with more errors ignored."""
    return replace(settings, ignoredErrors=(*settings.ignoredErrors, *errors))


def merged_settings(settings: TlsSettings, base: TlsSettings) -> TlsSettings:
    """Return ``base`` with the ``verify`` of ``settings``, and with its other values that are not the defaults."""
    changes = {
        each.name: getattr(settings, each.name)
        for each in fields(settings)
        if getattr(settings, each.name) != each.default
    }
    if "caFile" in changes or "caData" in changes or "trust" in changes:
        changes = {"caFile": None, "caData": None, "trust": None, **changes}
    if "clientCertificate" in changes:
        changes = {"clientKey": None, "keyPassword": None, **changes}
    if settings.minimumVersion is not None and settings.minimumVersion > (base.maximumVersion or VERSIONS[-1]):
        changes = {"maximumVersion": None, **changes}
    return replace(base, **{**changes, "verify": settings.verify})


def without_client_certificate(settings: TlsSettings) -> TlsSettings:
    """Return the settings without the client's certificate and key."""
    if settings.clientCertificate is None:
        return settings
    return replace(settings, clientCertificate=None, clientKey=None, keyPassword=None)


def matches_pins(settings: TlsSettings, certificate: Optional[Certificate]) -> bool:
    """Return whether a server's certificate has one of the pinned fingerprints, if there are any."""
    if not settings.pinnedFingerprints:
        return True
    return certificate is not None and certificate.fingerprint() in settings.pinnedFingerprints


def _fingerprint(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a fingerprint is a str, not {type(text).__name__}")
    digest = text.lower().replace(":", "").replace(" ", "")
    digest = digest[len("sha256") :] if digest.startswith("sha256") else digest
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"a fingerprint is 'sha256:' and 64 hexadecimal digits, not {text!r}")
    return f"sha256:{digest}"


class TlsUnusable(Exception):
    """The settings cannot be used; the text says why."""


@pickled
@dataclass(frozen=True)
class TlsSession:
    """The TLS session with a server, or the certificates of a server that was refused."""

    protocol: str = ""
    """For example ``"TLSv1.3"``; '' if the handshake has failed."""
    cipher: str = ""
    """OpenSSL's name for it."""
    certificates: tuple[Certificate, ...] = ()
    """As the server sent them, its own first. Python 3.9 gives only that one."""
    errors: tuple[TlsError, ...] = ()
    """The errors of the certificates: the reasons of a refusal, or the errors that ``ignoredErrors`` allowed."""
    key_hint: Optional[str] = None
    """The hint of a server that wants a pre-shared key, or another one; None if no key would help."""


class LazySession:
    """A session that is read from Qt or Python when it is first needed: most callers do not need it."""

    def __init__(self, source: Callable[[], TlsSession], configuration: Any = None, is_live: bool = False) -> None:
        """``configuration``: the QSslConfiguration of the connection, if Qt has made it; ``is_live``: whether this
        process has made the connection. Neither is pickled.
        """
        self._source = source
        self.configuration = configuration
        self.is_live = is_live

    @cached_property
    def session(self) -> TlsSession:
        return self._source()

    def __reduce__(self) -> tuple[Any, ...]:
        return known_session, (self.session,)


@pickled
def known_session(session: TlsSession) -> LazySession:
    return LazySession(lambda: session)


def live_session(session: TlsSession, configuration: Any = None) -> LazySession:
    """Return the known session of a connection that this process has made."""
    return LazySession(lambda: session, configuration, is_live=True)

"""The options of TLS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional, Union

import click

from ... import ReplyContent, TlsSettings
from ...models.tls import TRUST_ERRORS
from ...qt.binding import QtNetwork
from .call_setup import CallSetup
from .file_content import content_of_path
from .sections import TLS, Command, decorated, option
from .values import READABLE_FILE, check_readable, is_pipe


def tls_options(command: Command) -> Command:
    """Add the options of TLS to a command."""
    return decorated(
        command,
        [
            option(
                TLS,
                "--cacert",
                type=READABLE_FILE,
                metavar="FILE",
                help="Trust only the certificates in this PEM file.",
            ),
            option(
                TLS,
                "-E",
                "--cert",
                "cert",
                metavar="FILE[:PASSWORD]",
                help="Authenticate with the client certificate in this PEM or PKCS#12 file.",
            ),
            option(
                TLS,
                "--key",
                type=READABLE_FILE,
                metavar="FILE",
                help="The key of --cert, if it is in a PEM file of its own.",
            ),
            option(
                TLS,
                "--pass",
                "key_password",
                metavar="PASSWORD",
                help="The password of the key or of the PKCS#12 file.",
            ),
            option(TLS, "-k", "--insecure", is_flag=True, help="Do not verify the server's certificate."),
            option(
                TLS,
                "--pinned-sha256",
                "pins",
                multiple=True,
                metavar="DIGEST",
                help="The server's certificate must have this SHA-256 fingerprint, in hexadecimal digits, or one of "
                "several.",
            ),
        ],
    )


def apply_tls_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply the TLS settings. Raises click.UsageError, click.FileError."""
    cacert, key, pins, insecure = values["cacert"], values["key"], values["pins"], values["insecure"]
    cert, password = (None, None) if values["cert"] is None else _certificate(values["cert"])
    if values["key_password"] is not None:
        if password is not None:
            raise click.UsageError("the password of the key is given twice: by --cert and by --pass")
        if cert is None:
            raise click.UsageError("--pass can only be used with --cert")
        password = values["key_password"]
    if not (cacert or cert or key or pins or insecure):
        return
    if key and not cert:
        raise click.UsageError("--key can only be used with --cert")
    try:
        is_authority_piped = cacert is not None and is_pipe(cacert)
        settings = TlsSettings(
            caFile=None if is_authority_piped else cacert,
            caData=content_of_path(cacert, "--cacert") if is_authority_piped else None,
            clientCertificate=_read_if_pipe(cert, "--cert"),
            clientKey=_read_if_pipe(key, "--key"),
            keyPassword=password,
            verify=not insecure,
            pinnedFingerprints=pins,
        )
    except ValueError as error:
        name = "--pinned-sha256" if pins else "--cacert, --cert or --key"
        raise click.UsageError(f"{name} cannot be used: {error}") from None
    setup.manager.setTlsSettings(settings)


def _certificate(text: str) -> tuple[str, Optional[str]]:
    """Return path and password of ``FILE[:PASSWORD]``. Raises click.FileError, whose text has no password."""
    path = path_of_certificate(text)
    check_readable(path, "--cert")
    return path, text[len(path) + 1 :] if len(path) < len(text) else None


def _read_if_pipe(path: Optional[str], option: str) -> Union[str, bytes, None]:
    """Return the content of a pipe, which the library would read several times, and the path of another file."""
    return path if path is None or not is_pipe(path) else content_of_path(path, option)


def path_of_certificate(text: str) -> str:
    """Return the path in ``FILE[:PASSWORD]``."""
    if os.path.lexists(text.partition("\0")[0]):
        return text
    colon = text.find(":", 2)  # after the drive of a path of Windows
    return text[:colon] if colon > 0 else text


def with_tls_advice(text: str, reply: ReplyContent, values: Mapping[str, Any]) -> str:
    """Return the message about a failure, with the option that may mend it: --cacert or --key."""
    if values["cert"] is not None and values["key"] is None and "key cannot be read as PEM" in text:
        return f"{text}: if {path_of_certificate(values['cert'])} lacks the key, --key FILE names its file"
    cacert = values["cacert"]
    is_refused = reply.error() == QtNetwork.QNetworkReply.NetworkError.SslHandshakeFailedError
    is_untrusted = any(error.kind in TRUST_ERRORS for error in reply.sslErrors()) or "CA certificates" in text
    if not is_refused or not is_untrusted or values["insecure"] or (cacert is not None and cacert in text):
        return text
    if cacert is None:
        return f"{text}: --cacert FILE names the certificates to trust"
    return f"{text}: only the certificates of {cacert} are trusted (--cacert)"

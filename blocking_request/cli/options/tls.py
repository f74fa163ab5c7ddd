"""The options of TLS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import click

from ... import TlsSettings
from .call_setup import CallSetup
from .sections import TLS, Command, decorated, option
from .values import ReadableFile

_PEM_FILE = ReadableFile()


def tls_options(command: Command) -> Command:
    """Add the options of TLS to a command."""
    return decorated(
        command,
        [
            option(
                TLS, "--cacert", type=_PEM_FILE, metavar="FILE", help="Trust only the certificates in this PEM file."
            ),
            option(
                TLS,
                "--cert",
                type=_PEM_FILE,
                metavar="FILE",
                help="Authenticate with the client certificate in this PEM file, or PKCS#12 file without a password.",
            ),
            option(
                TLS,
                "--key",
                type=_PEM_FILE,
                metavar="FILE",
                help="The key of --cert, if it is in a PEM file of its own.",
            ),
            option(TLS, "-k", "--insecure", is_flag=True, help="Do not verify the server's certificate."),
        ],
    )


def apply_tls_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply the TLS settings. Raises click.UsageError."""
    setup.manager.setTlsSettings(_tls_settings(values["cacert"], values["cert"], values["key"], values["insecure"]))


def _tls_settings(
    cacert: Optional[str], cert: Optional[str], key: Optional[str], insecure: bool
) -> Optional[TlsSettings]:
    if not (cacert or cert or key or insecure):
        return None
    try:
        return TlsSettings(caFile=cacert, clientCertificate=cert, clientKey=key, verify=not insecure)
    except ValueError as error:
        text = "--key can only be used with --cert" if key and not cert else "--cacert, --cert or --key cannot be used"
        raise click.UsageError(f"{text} ({error})") from None

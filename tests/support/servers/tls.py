"""TLS servers with certificates of their own making, good and bad."""

from __future__ import annotations

import socket
import ssl
import warnings
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Callable, Optional

import trustme

from .raw import Connection, Handler, RawServer, always

NOW = datetime.now(timezone.utc)
EXPIRED = datetime(2020, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
FUTURE = NOW + timedelta(days=400)


class TlsServer(RawServer):
    """Runs a handler behind a TLS handshake; remembers the clients' certificates."""

    def __init__(
        self,
        certificate: Optional[trustme.LeafCert],
        handler: Optional[Handler] = None,
        trusts: Optional[trustme.CA] = None,
        requires: bool = False,
        versions: tuple[str, str] = ("TLSv1_2", "TLSv1_3"),
    ) -> None:
        """``trusts``: client certificates of this authority are asked for, and required where ``requires``."""
        self._tls_handler = handler or always(b"secret")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate is not None:
            certificate.configure_cert(self.context)
        if trusts is not None:
            trusts.configure_trust(self.context)
            self.context.verify_mode = ssl.CERT_REQUIRED if requires else ssl.CERT_OPTIONAL
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TLS 1.0
            self.context.minimum_version, self.context.maximum_version = (ssl.TLSVersion[name] for name in versions)
        if versions[1] == "TLSv1":
            self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.handshakes = 0
        self.client_names: list[str] = []
        super().__init__(self._handle)
        self.url = self.url.replace("http:", "https:")

    def _handle(self, connection: Connection) -> None:
        drain = connection.sock.dup()
        try:
            sock = self.context.wrap_socket(connection.sock, server_side=True, do_handshake_on_connect=False)
        except OSError:  # the client has reset the connection already
            drain.close()
            return
        connection.sock = sock
        try:
            sock.do_handshake()
        except (ssl.SSLError, OSError):
            connection.sock = drain
            with suppress(OSError):
                drain.shutdown(socket.SHUT_WR)
            connection.wait_for_close()  # so that the alert is not overtaken by a reset
            return
        finally:
            drain.close() if connection.sock is sock else None
        self.handshakes += 1
        shown = sock.getpeercert() or {}
        self.client_names += [name for _, name in shown.get("subjectAltName", ())]  # type: ignore[misc, str-unpack]
        try:
            self._tls_handler(connection)
        finally:
            sock.close()


Start = Callable[..., TlsServer]
"""The type of the fixture ``start`` of tests/tls."""


def redirecting(connection: Connection) -> None:
    """Redirects /to/URL there."""
    while (request := connection.read_request()) is not None:
        path = request.split(b" ")[1].decode()
        if path.startswith("/to/"):
            connection.respond(b"", "307 Moved", f"Location: {path[4:]}\r\n")
        else:
            connection.respond(b"secret")

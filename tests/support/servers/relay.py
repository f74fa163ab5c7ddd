"""A handler that stands between a client and another server."""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress

from .raw import Connection, Handler


def relay_to(port: int, piece: int = 1 << 14) -> Handler:
    """Return a handler that passes everything on to a server, and back in pieces of this size."""

    def handle(connection: Connection) -> None:
        client = connection.sock
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
            while True:
                has_pending = isinstance(client, ssl.SSLSocket) and client.pending() > 0
                source = client if has_pending else select.select([client, server], [], [])[0][0]
                data = source.recv(1 << 14)
                if not data:
                    return
                if source is client:
                    server.sendall(data)
                    continue
                for start in range(0, len(data), piece):
                    client.sendall(data[start : start + piece])

    return handle

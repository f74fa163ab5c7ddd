"""A proxy that forwards, tunnels and speaks SOCKS5, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from typing import Optional
from urllib.parse import urlsplit

from .raw import Connection, RawServer

SOCKS_VERSION, SOCKS_HOST_NAME, SOCKS_PASSWORD, SOCKS_REFUSED = 5, 3, 2, 5


class ProxyServer(RawServer):
    """``asked``: the absolute URLs, ``CONNECT host:port`` and ``socks host:port``; every name is 127.0.0.1 to it."""

    def __init__(self, refuse: str = "", login: tuple[str, str] = ("", "")) -> None:
        """``refuse``: the status line that answers every CONNECT; ``login``: who may come in by SOCKS5."""
        self._login = login
        self.asked: list[str] = []
        self.authorizations: list[str] = []
        self._refuse = refuse
        super().__init__(self._handle)

    def _handle(self, connection: Connection) -> None:
        first = connection.sock.recv(1, socket.MSG_PEEK)
        if first == bytes([SOCKS_VERSION]):
            self._socks(connection.sock)
            return
        while (request := connection.read_request()) is not None:
            method, target, _ = request.split(b"\r\n")[0].decode().split(" ")
            for line in request.split(b"\r\n"):
                if line.lower().startswith(b"proxy-authorization: "):
                    self.authorizations.append(line.partition(b": ")[2].decode())
            if method == "CONNECT":
                self.asked.append(f"CONNECT {target}")
                if self._refuse:
                    connection.send(f"HTTP/1.1 {self._refuse}\r\nContent-Length: 0\r\n\r\n".encode())
                    return
                connection.send(b"HTTP/1.1 200 Go ahead\r\n\r\n")
                _join(connection.sock, int(target.rpartition(":")[2]))
                return
            self.asked.append(target)
            connection.respond(_fetch(target, request))

    def _socks(self, sock: socket.socket) -> None:
        _, count = sock.recv(2)
        methods = sock.recv(count)
        if not any(self._login):
            sock.sendall(bytes([SOCKS_VERSION, 0]))
        elif not self._socks_login(sock, methods):
            return
        _, _, _, kind = sock.recv(4)
        host = sock.recv(sock.recv(1)[0]).decode() if kind == SOCKS_HOST_NAME else socket.inet_ntoa(sock.recv(4))
        port = int.from_bytes(sock.recv(2), "big")
        self.asked.append(f"socks {host}:{port}")
        try:
            server = socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            sock.sendall(bytes([SOCKS_VERSION, SOCKS_REFUSED, 0, 1, 0, 0, 0, 0, 0, 0]))
            return
        server.close()
        sock.sendall(bytes([SOCKS_VERSION, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        _join(sock, port)

    def _socks_login(self, sock: socket.socket, methods: bytes) -> bool:
        """RFC 1929."""
        if SOCKS_PASSWORD not in methods:
            sock.sendall(bytes([SOCKS_VERSION, 0xFF]))
            return False
        sock.sendall(bytes([SOCKS_VERSION, SOCKS_PASSWORD]))
        sock.recv(1)
        user = sock.recv(sock.recv(1)[0]).decode()
        password = sock.recv(sock.recv(1)[0]).decode()
        is_right = (user, password) == self._login
        sock.sendall(bytes([1, not is_right]))
        return is_right


def _fetch(url: str, request: bytes) -> bytes:
    """The body of the answer to a forwarded request."""
    parts = urlsplit(url)
    with socket.create_connection(("127.0.0.1", parts.port or 80)) as sock:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n")[1:] if not line.lower().startswith((b"proxy-", b"connection:"))]
        method = request.split(b" ")[0]
        first = method + b" " + (parts.path or "/").encode() + b" HTTP/1.1"
        sock.sendall(b"\r\n".join([first, *lines, b"Connection: close", b"", b""]) + body)
        response = b""
        while b"\r\n\r\n" not in response:
            response += sock.recv(65536)
        head, _, body = response.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += sock.recv(65536)
        return body


def _join(client: socket.socket, port: int) -> None:
    """Carry bytes both ways until both have closed."""
    server = socket.create_connection(("127.0.0.1", port))

    def carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    back: Optional[threading.Thread] = threading.Thread(target=carry, args=(server, client), daemon=True)
    assert back is not None
    back.start()
    carry(client, server)
    back.join()
    server.close()

"""A proxy that forwards, tunnels and speaks SOCKS5 and SOCKS4a, and remembers its requests."""

from __future__ import annotations

import socket
import threading
from typing import BinaryIO, Optional
from urllib.parse import urlsplit

from .raw import Connection, RawServer

SOCKS_VERSION, SOCKS_HOST_NAME, SOCKS_PASSWORD, SOCKS_REFUSED = 5, 3, 2, 5
SOCKS4_VERSION, SOCKS4_GRANTED, SOCKS4_REFUSED = 4, 90, 91


class ProxyServer(RawServer):
    """Every name is 127.0.0.1 to it.

    ``asked``: the absolute URLs, ``CONNECT host:port``, ``socks host:port`` and ``socks4 user@host:port``.
    """

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
        if first == bytes([SOCKS4_VERSION]):
            self._socks4(connection.sock)
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

    def _socks4(self, sock: socket.socket) -> None:
        """SOCKS4a: the address 0.0.0.255 stands for a name behind the user."""
        with sock.makefile("rb") as stream:
            start = stream.read(8)
            user = _until_zero(stream)
            host = _until_zero(stream) if start[4:] == b"\0\0\0\xff" else socket.inet_ntoa(start[4:])
        port = int.from_bytes(start[2:4], "big")
        self.asked.append(f"socks4 {user}@{host}:{port}" if user else f"socks4 {host}:{port}")
        if user != self._login[0]:
            sock.sendall(bytes([0, SOCKS4_REFUSED]) + bytes(6))
            return
        sock.sendall(bytes([0, SOCKS4_GRANTED]) + bytes(6))
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


def _until_zero(stream: BinaryIO) -> str:
    text = b""
    while (byte := stream.read(1)) not in (b"", b"\0"):
        text += byte
    return text.decode()


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
    try:
        server = socket.create_connection(("127.0.0.1", port))
    except ConnectionRefusedError:
        client.close()  # the test is over
        return

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

"""One server that stands for all hosts in the documentation: see ``tests/test_documents.py`` for its hosts and paths.

It has one port. The first bytes of a connection tell TLS, SOCKS and HTTP apart. A tunnel through it leads to itself.
"""

from __future__ import annotations

import base64
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import trustme
from httpbin import app as httpbin  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

TLS_RECORD, SOCKS4, SOCKS5 = b"\x16", b"\x04", b"\x05"
SLOW_SECONDS = 60.0
TRICKLE_SECONDS = 0.1
BINARY = bytes(range(250)) * 1200
BINARY_SUFFIXES = (".zip", ".tif", ".gpkg", ".bin")
TEXT = "A text of the server, in ASCII.\n"
OBJECT = {"name": "Ada", "born": 1815, "works": ["notes", "programs"]}


class ExampleHosts:
    """``port``: of the server. ``folder``: receives the certificates public-ca.pem, company-ca.pem and me.pem."""

    def __init__(self, folder: Path) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = _Server("127.0.0.1", 0, _application, _Handler)
        self._server.tls = _contexts(folder)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _contexts(folder: Path) -> ssl.SSLContext:
    public, company, unknown = trustme.CA(), trustme.CA(organization_name="Company"), trustme.CA()
    public.cert_pem.write_to_path(folder / "public-ca.pem")
    company.cert_pem.write_to_path(folder / "company-ca.pem")
    company.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(folder / "me.pem")

    def context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(made)
        company.configure_trust(made)
        made.verify_mode = ssl.CERT_OPTIONAL
        return made

    domains = [name for domain in ("org", "com", "net") for name in (f"example.{domain}", f"*.example.{domain}")]
    result = context(public, *domains, "httpbin.org", "localhost", "127.0.0.1")
    others = {
        "intranet.example.org": context(company, "intranet.example.org"),
        "untrusted.example.org": context(unknown, "untrusted.example.org"),
    }

    def choose(sock: ssl.SSLObject, name: str, _: ssl.SSLContext) -> None:
        sock.context = others.get(name, result)

    result.sni_callback = choose  # type: ignore[assignment]
    return result


class _Server(ThreadedWSGIServer):
    daemon_threads = True
    block_on_close = False
    tls: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        try:
            _Handler(self._unwrapped(request), client_address, self)
        except OSError:  # the client has closed, or does not trust the certificate
            pass

    def _unwrapped(self, sock: socket.socket) -> socket.socket:
        """The connection within tunnels and TLS."""
        while True:
            first = sock.recv(8, socket.MSG_PEEK)
            if first[:1] == TLS_RECORD:
                return self.tls.wrap_socket(sock, server_side=True)
            if first[:1] == SOCKS5:
                _accept_socks5(sock)
            elif first[:1] == SOCKS4:
                _accept_socks4(sock)
            elif first == b"CONNECT ":
                _read_until(sock, b"\r\n\r\n")
                sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                return sock

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is no error."""


def _read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end) and (byte := sock.recv(1)):
        data += byte
    return data


def _accept_socks5(sock: socket.socket) -> None:
    _, count = sock.recv(2)
    wants_password = 2 in sock.recv(count)
    sock.sendall(bytes([5, 2 * wants_password]))
    if wants_password:  # RFC 1929
        sock.recv(1)
        sock.recv(sock.recv(1)[0])
        sock.recv(sock.recv(1)[0])
        sock.sendall(bytes([1, 0]))
    kind = sock.recv(4)[3]
    sock.recv((sock.recv(1)[0] if kind == 3 else {1: 4, 4: 16}[kind]) + 2)
    sock.sendall(bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))


def _accept_socks4(sock: socket.socket) -> None:
    start = sock.recv(8)
    _read_until(sock, b"\0")
    if start[4:7] == b"\0\0\0":  # SOCKS4a: a name follows the user
        _read_until(sock, b"\0")
    sock.sendall(bytes([0, 90]) + bytes(6))


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def make_environ(self) -> Any:
        environ = super().make_environ()
        environ["wsgi.url_scheme"] = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        return environ


def _application(environ: Any, start_response: Any) -> Iterable[bytes]:
    try:
        httpbin.url_map.bind_to_environ(environ).match()
    except HTTPException:
        return _other_path(Request(environ))(environ, start_response)
    return httpbin(environ, start_response)  # type: ignore[no-any-return]


def _other_path(request: Request) -> Response:
    path = request.path
    if path.startswith("/missing"):
        return Response("There is no such thing.\n", 404)
    if path.startswith("/private") and not _is_allowed(request):
        return Response("Who are you?\n", 401, {"WWW-Authenticate": 'Basic realm="private"'})
    if path.startswith("/slow"):
        time.sleep(SLOW_SECONDS)
    if path.startswith("/trickle"):
        return Response(_trickle(), headers={"Content-Length": "100"})
    if request.method not in ("GET", "HEAD"):
        return _echo(request)
    if path.endswith(".json"):
        response = Response(json.dumps(OBJECT), content_type="application/json")
    elif path.endswith(BINARY_SUFFIXES):
        response = Response(BINARY, content_type="application/octet-stream")
    else:
        response = Response(TEXT, content_type="text/plain; charset=utf-8")
    response.set_etag("1")
    response.cache_control.max_age = 60
    return response.make_conditional(request, accept_ranges=True, complete_length=response.content_length)


def _is_allowed(request: Request) -> bool:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return kind == "Bearer" or (kind == "Basic" and base64.b64decode(value) == b"user:password")


def _trickle() -> Iterable[bytes]:
    for _ in range(100):
        time.sleep(TRICKLE_SECONDS)
        yield b"x"


def _echo(request: Request) -> Response:
    data = request.get_data(cache=True)
    sent = {
        "method": request.method,
        "url": request.url,
        "args": request.args.to_dict(),
        "headers": dict(request.headers),
        "form": request.form.to_dict(),
        "files": {name: file.read().decode("latin-1") for name, file in request.files.items()},
        "json": request.get_json(silent=True),
        "size": len(data),
    }
    return Response(json.dumps(sent), content_type="application/json")

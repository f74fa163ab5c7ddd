"""A server of HTTP/2, with and without TLS, whose answers a test scripts, frame by frame."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Callable, Optional, Union

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trustme

Pair = tuple[bytes, bytes]
Handler = Callable[["Http2Peer", "Http2Request"], None]


class Http2Request:
    """A request that has come whole."""

    def __init__(self, stream: int, headers: list[Pair]) -> None:
        self.stream = stream
        self.headers = headers
        self.body = b""

    def field(self, name: bytes) -> bytes:
        return dict(self.headers).get(name, b"")


class Http2Peer:
    """The server's end of one connection. For the thread that serves it."""

    def __init__(self, sock: Union[socket.socket, ssl.SSLSocket], server: Http2Server) -> None:
        self.sock = sock
        self.server = server
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.resets: list[int] = []
        """The streams that the client has reset."""
        self.unsent: dict[int, bytes] = {}
        """The bytes that wait until the client's window is open again."""
        self.sent: dict[int, int] = {}
        """How many bytes of a body were sent."""

    def flush(self) -> None:
        with suppress(OSError):
            self.sock.sendall(self.h2.data_to_send())

    def reset(self, request: Http2Request, code: h2.errors.ErrorCodes) -> None:
        """End the stream of a request with RST_STREAM (RFC 9113 section 6.4)."""
        self.h2.reset_stream(request.stream, code)
        self.flush()

    def respond(
        self,
        request: Http2Request,
        body: bytes = b"",
        status: int = 200,
        headers: Sequence[Pair] = (),
        ends: bool = True,
    ) -> None:
        """``ends``: whether the body ends; if not, no length is told."""
        fields = [(b":status", b"%d" % status), *headers]
        if ends:
            fields.append((b"content-length", b"%d" % len(body)))
        self.h2.send_headers(request.stream, fields, end_stream=ends and not body)
        if body:
            self.unsent[request.stream] = body
            self.send_more(ends)
        self.flush()

    def send_more(self, ends: bool = True) -> None:
        """Send as many bytes as the windows allow."""
        for stream, body in list(self.unsent.items()):
            while body:
                with suppress(h2.exceptions.ProtocolError):
                    count = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
                    if count <= 0:
                        break
                    self.h2.send_data(stream, body[:count], end_stream=ends and count == len(body))
                    self.sent[stream] = self.sent.get(stream, 0) + count
                    body = body[count:]
                    continue
                body = b""  # the client has reset it
            if body:
                self.unsent[stream] = body
            else:
                del self.unsent[stream]
        self.flush()

    def serve(self) -> None:
        settings = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.server.most_streams, **self.server.settings}
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self.h2.initiate_connection()
        if self.server.connection_window:
            self.h2.increment_flow_control_window(self.server.connection_window)
        self.flush()
        requests: dict[int, Http2Request] = {}
        while data := self._received():
            time.sleep(self.server.pause)
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError:
                return
            for event in events:
                self._handle(event, requests)
            self.send_more()

    def _received(self) -> bytes:
        try:
            return self.sock.recv(65536)
        except OSError:
            return b""

    def _handle(self, event: Any, requests: dict[int, Http2Request]) -> None:
        if isinstance(event, h2.events.RequestReceived):
            requests[event.stream_id] = Http2Request(event.stream_id, list(event.headers))
            self.server.begun(self, requests[event.stream_id])
        elif isinstance(event, h2.events.DataReceived):
            requests[event.stream_id].body += event.data
            self.server.data_received(self, requests[event.stream_id], event.data)
            if self.server.acknowledges:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            request = requests.pop(event.stream_id)
            self.server.requests.append(request)
            self.server.handler(self, request)
        elif isinstance(event, h2.events.StreamReset):
            self.resets.append(event.stream_id)
            self.server.resets.append(event.stream_id)
            self.unsent.pop(event.stream_id, None)


class Http2Server:
    """Calls ``handler`` with each request, in a thread for each connection.

    Who does not ask for HTTP/2 is given "HTTP/1.1", and the connection is closed.
    """

    def __init__(self, authority: Optional[trustme.CA], handler: Handler) -> None:
        """``authority``: None to serve without TLS, and to expect HTTP/2 at once (RFC 9113 section 3.3)."""
        self.handler = handler
        self.begun: Handler = lambda peer, request: None
        """Called when the header of a request has come."""
        self.data_received: Callable[[Http2Peer, Http2Request, bytes], None] = lambda peer, request, data: None
        """Called with each part of a body."""
        self.most_streams = 100
        self.settings: dict[h2.settings.SettingCodes, int] = {}
        """Others that it begins with."""
        self.connection_window = 0
        """How much more than usual the client may send on a connection."""
        self.pause = 0.0
        """Seconds before it reads the received bytes."""
        self.handshake_pause = 0.0
        self.needs_alpn = True
        """Whether a client that does not ask for HTTP/2 is given HTTP/1.1."""
        self.acknowledges = True
        """Whether the client may go on with a body."""
        self.requests: list[Http2Request] = []
        self.resets: list[int] = []
        self.peers: list[Http2Peer] = []
        self.closed = 0
        """How many connections have ended."""
        self._context: Optional[ssl.SSLContext] = None
        if authority is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(self._context)
            self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'http' if authority is None else 'https'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        if self._context is None:
            with sock:
                self._serve_peer(sock)
            return
        time.sleep(self.handshake_pause)
        with suppress(OSError), self._context.wrap_socket(sock, server_side=True) as encrypted:
            if self.needs_alpn and encrypted.selected_alpn_protocol() != "h2":
                encrypted.recv(65536)
                encrypted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nHTTP/1.1")
                return
            self._serve_peer(encrypted)

    def _serve_peer(self, sock: Union[socket.socket, ssl.SSLSocket]) -> None:
        peer = Http2Peer(sock, self)
        self.peers.append(peer)
        peer.serve()
        self.closed += 1

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.peers:
            # The thread that serves it closes it: else it may read from another socket that has got its number.
            with suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)

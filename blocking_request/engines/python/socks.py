"""Opens the way to a server through a SOCKS proxy: SOCKS5 (RFC 1928, RFC 1929) and SOCKS4a. The proxy looks names up.

The messages are the package socksio's; how many bytes a reply has is told here.
"""

from __future__ import annotations

import socket
from collections.abc import Generator
from typing import Any, Optional

from ...models import error_texts as messages
from ...models.failure import Failure
from ...models.http_messages import Request
from ...models.proxy import Proxy
from ...models.urls import is_address
from ..wanted import Steps, Wanted
from .channel import Channel
from .failures import TransferFailed, connect_failure, proxy_closed, proxy_wants_authentication
from .proxy import send_all

MAXIMUM_BYTES = 255
"""A name, a user and a password are counted in one byte each."""


def socks_unusable_reason() -> Optional[str]:
    """Return why no SOCKS proxy can be spoken to, or None."""
    try:
        import socksio  # noqa: F401
    except ImportError:
        return (
            "The proxy is a SOCKS proxy, for which the python engine needs the package socksio: "
            "python3 -m pip install socksio; or use setEngine('qt')"
        )
    return None


def open_socks(channel: Channel, proxy: Proxy, host: str, port: int, request: Request) -> Steps[None]:
    """Have the proxy connect to the server; from then on the channel leads there. Raises TransferFailed.

    ``request``: whose server it is.
    """
    from socksio import ProtocolError

    steps = _open_socks4 if proxy.kind == "socks4" else _open_socks5
    address = host.partition("%")[0]
    if max(map(len, (host.encode(), proxy.user.encode(), proxy.password.encode()))) > MAXIMUM_BYTES:
        raise TransferFailed(messages.proxy_refused("SOCKS has names, users and passwords of 255 bytes at most"))
    try:
        failure = yield from steps(channel, proxy, address, port, request)
    except OSError as error:
        raise TransferFailed(proxy_closed()) from error
    except (ProtocolError, UnicodeError) as error:
        raise TransferFailed(messages.proxy_refused("its answer is none of SOCKS")) from error
    if failure is not None:
        raise TransferFailed(failure)


_Opening = Generator[Wanted, None, Optional[Failure]]


def _open_socks5(channel: Channel, proxy: Proxy, host: str, port: int, request: Request) -> _Opening:
    from socksio import socks5

    connection: Any = socks5.SOCKS5Connection()
    methods = [socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED]
    if proxy.user:
        methods.append(socks5.SOCKS5AuthMethod.USERNAME_PASSWORD)
    connection.send(socks5.SOCKS5AuthMethodsRequest(methods))
    yield from send_all(channel, connection.data_to_send())
    chosen = connection.receive_data((yield from _receive(channel, 2))).method
    if chosen == socks5.SOCKS5AuthMethod.USERNAME_PASSWORD and proxy.user:
        connection.send(socks5.SOCKS5UsernamePasswordRequest(proxy.user.encode(), proxy.password.encode()))
        yield from send_all(channel, connection.data_to_send())
        if not connection.receive_data((yield from _receive(channel, 2))).success:
            return proxy_wants_authentication()
    elif chosen != socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED:
        return proxy_wants_authentication()
    connection.send(socks5.SOCKS5CommandRequest.from_address(socks5.SOCKS5Command.CONNECT, (host, port)))
    yield from send_all(channel, connection.data_to_send())
    start = yield from _receive(channel, 5)
    # The fifth byte is the length of a name, or the first of an address.
    length = {1: 4, 3: 1 + start[4], 4: 16}.get(start[3], 4)
    rest = yield from _receive(channel, length + 1)
    name_start = start[4:] if start[3] != 3 else b""  # socksio takes no length before a name
    reply = connection.receive_data(start[:4] + name_start + rest)
    return _refusal(int(reply.reply_code[0]), request)


def _open_socks4(channel: Channel, proxy: Proxy, host: str, port: int, request: Request) -> _Opening:
    from socksio import socks4

    if ":" in host:
        return messages.proxy_refused("SOCKS4 knows no IPv6 addresses")
    connection = socks4.SOCKS4Connection(proxy.user.encode())
    kind = socks4.SOCKS4Request if is_address(host) else socks4.SOCKS4ARequest
    connection.send(kind.from_address(socks4.SOCKS4Command.CONNECT, (host, port)))
    yield from send_all(channel, connection.data_to_send())
    reply = connection.receive_data((yield from _receive(channel, 8)))
    code = reply.reply_code
    if code == socks4.SOCKS4ReplyCode.REQUEST_GRANTED:
        return None
    if code == socks4.SOCKS4ReplyCode.REQUEST_REJECTED_OR_FAILED:
        return messages.proxy_refused("it could not connect to the server, or does not allow it")
    return proxy_wants_authentication()


def _receive(channel: Channel, count: int) -> Generator[Wanted, None, bytes]:
    """Return so many bytes, and leave the others: they are the server's. Raises OSError."""
    received = b""
    while len(received) < count:
        data = channel.receive(count - len(received))
        if data is None:
            yield channel.wanted
        elif data:
            received += data
        else:
            raise ConnectionResetError
    return received


_REFUSALS = {
    1: "general SOCKS server failure",
    2: "connection not allowed by ruleset",
    3: "network unreachable",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}
"""RFC 1928 section 6."""


def _refusal(code: int, request: Request) -> Optional[Failure]:
    if code == 0:
        return None
    if code == 4:
        return connect_failure(socket.gaierror(), request)
    if code == 5:
        return connect_failure(ConnectionRefusedError(), request)
    return messages.proxy_refused(_REFUSALS.get(code, f"error {code}"))

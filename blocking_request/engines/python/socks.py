"""Opens the way to a server through a SOCKS proxy: SOCKS5 (RFC 1928, RFC 1929) and SOCKS4a. The proxy looks names up.

The messages are the package socksio's; how many bytes a reply has is told here.
"""

from __future__ import annotations

import socket
from collections.abc import Generator
from typing import Any, Optional

from ..._first_use import first_use
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

VERSION_5 = 5
NAME_KIND = 3
PORT_BYTES = 2
_ADDRESS_BYTES = {1: 4, 4: 16}
"""How long an address is, by its kind (RFC 1928 section 5)."""


def socks_unusable_reason() -> Optional[str]:
    """Return why no SOCKS proxy can be spoken to, or None."""
    try:
        with first_use:
            import socksio  # noqa: F401
    except ImportError:
        return (
            "The proxy is a SOCKS proxy, for which the python engine needs the package socksio: "
            "python3 -m pip install socksio"
        )
    return None


def open_socks(channel: Channel, proxy: Proxy, host: str, port: int, request: Request) -> Steps[None]:
    """Have the proxy connect to the server; from then on the channel leads there. Raises TransferFailed.

    ``request``: the request to the server, for messages.
    """
    from socksio import ProtocolError

    steps = _open_socks4 if proxy.kind == "socks4" else _open_socks5
    address = host.partition("%")[0]
    if max(map(len, (host.encode(), proxy.user.encode(), proxy.password.encode()))) > MAXIMUM_BYTES:
        raise TransferFailed(messages.proxy_refused("SOCKS has names, users and passwords of 255 bytes at most"))
    try:
        failure = (yield from steps(channel, proxy, address, port, request)) or _failure_of_rest(channel)
    except OSError as error:
        raise TransferFailed(proxy_closed()) from error
    except (ProtocolError, UnicodeError) as error:
        raise TransferFailed(messages.proxy_refused("its answer is none of SOCKS")) from error
    if failure is not None:
        raise TransferFailed(failure)


_Opening = Generator[Wanted, None, Optional[Failure]]


def _open_socks5(channel: Channel, proxy: Proxy, host: str, port: int, request: Request) -> _Opening:
    from socksio import ProtocolError, socks5

    connection: Any = socks5.SOCKS5Connection()
    methods = [socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED]
    if proxy.user:
        methods.append(socks5.SOCKS5AuthMethod.USERNAME_PASSWORD)
    connection.send(socks5.SOCKS5AuthMethodsRequest(methods))
    yield from send_all(channel, connection.data_to_send())
    answer = yield from _receive(channel, 2)
    if answer[0] != VERSION_5:
        raise ProtocolError
    chosen = connection.receive_data(answer).method
    if chosen == socks5.SOCKS5AuthMethod.USERNAME_PASSWORD and proxy.user:
        connection.send(socks5.SOCKS5UsernamePasswordRequest(proxy.user.encode(), proxy.password.encode()))
        yield from send_all(channel, connection.data_to_send())
        if not connection.receive_data((yield from _receive(channel, 2))).success:
            return proxy_wants_authentication()
    elif chosen != socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED:
        return proxy_wants_authentication()
    connection.send(socks5.SOCKS5CommandRequest.from_address(socks5.SOCKS5Command.CONNECT, (host, port)))
    yield from send_all(channel, connection.data_to_send())
    # socksio knows no codes above 8, and some proxies send no more than this if they refuse.
    version, code, _, kind = yield from _receive(channel, 4)
    if version != VERSION_5:
        raise ProtocolError
    if code:
        return _refusal(code, request)
    length = _ADDRESS_BYTES.get(kind)
    if length is None:
        if kind != NAME_KIND:
            raise ProtocolError
        length = (yield from _receive(channel, 1))[0]
    yield from _receive(channel, length + PORT_BYTES)  # the proxy's own address and port
    return None


def _open_socks4(channel: Channel, proxy: Proxy, host: str, port: int, request: Request) -> _Opening:
    from socksio import socks4

    if ":" in host:
        return messages.proxy_refused("SOCKS4 knows no IPv6 addresses")
    user = proxy.user.encode()
    if b"\0" in user:
        return messages.proxy_refused("SOCKS4 ends a user with a zero byte, so none may stand in it")
    connection = socks4.SOCKS4Connection(user)
    kind = socks4.SOCKS4Request if is_address(host) else socks4.SOCKS4ARequest
    # socksio takes an empty user from the request only.
    connection.send(kind.from_address(socks4.SOCKS4Command.CONNECT, (host, port), user))
    yield from send_all(channel, connection.data_to_send())
    reply = connection.receive_data((yield from _receive(channel, 8)))
    code = reply.reply_code
    if code == socks4.SOCKS4ReplyCode.REQUEST_GRANTED:
        return None
    if code == socks4.SOCKS4ReplyCode.REQUEST_REJECTED_OR_FAILED:
        return messages.proxy_refused("it could not connect to the server, or does not allow it")
    if code == socks4.SOCKS4ReplyCode.CONNECTION_FAILED:
        return messages.proxy_refused("it asks an identd on this computer who the user is, and there is none")
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


def _failure_of_rest(channel: Channel) -> Optional[Failure]:
    """Return a failure if bytes follow the proxy's last reply: the server cannot have sent them, it was not asked
    yet.
    """
    data = channel.receive(1)
    if data is None:
        return None
    return messages.proxy_refused("it sent something behind its answer") if data else proxy_closed()


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

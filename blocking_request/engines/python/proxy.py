"""Opens the way to a server through an HTTP proxy, by CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

from ...models import error_texts as messages
from ...models.proxy import Proxy
from ..body_errors import BodyError
from ..wanted import Steps
from .channel import Channel
from .failures import ConnectionLost, TransferFailed, proxy_closed, proxy_wants_authentication
from .http1 import ResponseParser, encode_head
from .http1_errors import CutOff

READ_BYTES = 1 << 12


def open_tunnel(channel: Channel, proxy: Proxy, host: str, port: int) -> Steps[None]:
    """Have the proxy connect to the server; from then on the channel leads there. Raises TransferFailed."""
    authority = f"{bracketed(host)}:{port}"
    fields = [(b"Host", authority.encode("ascii", "replace"))]
    if proxy.user:
        fields.append((b"Proxy-Authorization", proxy.authorization))
    parser = ResponseParser("CONNECT")
    try:
        yield from send_all(channel, encode_head("CONNECT", authority, fields))
        while not parser.head:
            data = channel.receive(READ_BYTES)
            if data is None:
                yield channel.wanted
            elif data:
                parser.receive_head(data)
            else:
                parser.receive_end()
    except (ConnectionLost, CutOff, OSError) as error:
        raise TransferFailed(proxy_closed()) from error
    except BodyError as error:
        if parser.head is None or parser.head.status < 300:
            raise TransferFailed(messages.proxy_refused(error.failure.text)) from error
        # The status of a refusal says more than the error in its fields.
    head = parser.head
    assert head is not None
    if head.status == 407:
        raise TransferFailed(proxy_wants_authentication())
    if not 200 <= head.status < 300:
        raise TransferFailed(messages.proxy_refused(f"{head.status} {head.reason}".rstrip()))
    if parser.rest:
        # The client speaks first, in TLS as in HTTP. So these bytes do not come from the server: they are an attack.
        raise TransferFailed(messages.proxy_refused("it sent something behind its answer"))


def send_all(channel: Channel, data: bytes) -> Steps[None]:
    """Send all of the data. Raises OSError."""
    view = memoryview(data)
    while view:
        sent = channel.send(view)
        if sent is None:
            yield channel.wanted
        else:
            view = view[sent:]


def bracketed(host: str) -> str:
    """Return a host as it stands before a port: an IPv6 address in brackets and without its zone (RFC 6874)."""
    return f"[{host.partition('%')[0]}]" if ":" in host else host

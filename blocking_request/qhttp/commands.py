"""What waits in the queue of an Http: each command as a value."""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple, Optional, Union

from ..bodies.upload import Data
from ..engines.events import Chunk
from ..models.failure import QtNetworkError, RequestNotSent, request_not_sent
from ..models.proxy import Proxy
from ..models.redaction import hidden_repr
from ..models.urls import DEFAULT_PORTS, origin
from ..prepare.build_request import checked_text
from .headers import HttpRequestHeader

_ABSOLUTE = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class SetHost(NamedTuple):
    """Where requests go that give a path only."""

    base: str = ""
    """Scheme, host and port as they are sent; '' where there is none."""

    @property
    def origin(self) -> str:
        return origin(self.base) if self.base else ""

    def url(self, path: str) -> str:
        """Of a path, or of an absolute URI. Raises RequestNotSent where there is no host, and for what HTTP cannot
        send.
        """
        absolute = _ABSOLUTE.match(path)
        if absolute is None and not self.base:
            raise request_not_sent(
                QtNetworkError.UnknownNetworkError, "No server set to connect to: call setHost() first"
            )
        if absolute is not None and absolute[1].lower() not in DEFAULT_PORTS:
            raise request_not_sent(QtNetworkError.ProtocolUnknownError, f'Protocol "{absolute[1]}" is unknown')
        if absolute is None:
            path = f"{self.base}{'' if path.startswith('/') else '/'}{path}"
        return path


def host_of(name: str, port: int, scheme: str) -> SetHost:
    """``port``: 0 is the default one. Raises ValueError for what is no host."""
    if not name:
        return SetHost()
    if any(character in name for character in "/@?# \r\n"):
        raise ValueError("a host is a name or an address, without scheme, user and path")
    written = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
    if ":" in written and not (written.startswith("[") and written.endswith("]")):
        raise ValueError("a host is given without its port, which has an argument of its own")
    shown_port = "" if port in (0, DEFAULT_PORTS[scheme]) else f":{port}"
    try:
        url, _, _ = checked_text(f"{scheme}://{written}{shown_port}/")
    except RequestNotSent as error:
        raise ValueError(f"{name!r} is no host: {error.failure.text}") from None
    return SetHost(url.rstrip("/"))


class SetUser(NamedTuple):
    name: str
    password: str

    def __repr__(self) -> str:
        return "<User>"


class SetProxy(NamedTuple):
    """The way to go."""

    proxy: Optional[Proxy]
    """None: as the manager says."""


class Close(NamedTuple):
    """Leave the connection."""


class Send(NamedTuple):
    """One request."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    header: HttpRequestHeader
    data: Data = None
    device: Any = None
    """The destination: a QIODevice or a binary file."""
    write: Optional[Callable[[Chunk], None]] = None
    """Writes to it."""


Command = Union[SetHost, SetUser, SetProxy, Close, Send]

"""The commands of an Http, as values in its queue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

from ..bodies.upload import Data
from ..engines.events import Chunk
from ..models.failure import QtNetworkError, RequestNotSent, request_not_sent
from ..models.proxy import Proxy
from ..models.redaction import hidden_repr
from ..models.urls import DEFAULT_PORTS, origin
from ..prepare.build_request import checked_text
from .headers import HttpRequestHeader

if TYPE_CHECKING:
    from .supplied_socket import SuppliedSocket

_ABSOLUTE = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class SetHost(NamedTuple):
    """Sets the host for requests that name only a path."""

    base: str = ""
    """Scheme, host and port, such as ``http://host:8080``; '' if no host is set."""

    @property
    def origin(self) -> str:
        """The origin of the host; '' if no host is set."""
        return origin(self.base) if self.base else ""

    def url(self, path: str) -> str:
        """Return the URL of a path or an absolute URI.

        Raises RequestNotSent if a path is given and no host is set, or if the scheme of the URI is not http or https.
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
    """Return the command for a host. ``port``: 0 is the default one. Raises ValueError if the host is not valid."""
    if not name:
        return SetHost()
    if any(character in name for character in "/@?# \r\n"):
        raise ValueError("hostName must be a name or an address, without scheme, user and path")
    written = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
    if ":" in written and not (written.startswith("[") and written.endswith("]")):
        raise ValueError("hostName must be without its port: give that as the argument port")
    shown_port = "" if port in (0, DEFAULT_PORTS[scheme]) else f":{port}"
    try:
        url, _, _ = checked_text(f"{scheme}://{written}{shown_port}/")
    except RequestNotSent as error:
        raise ValueError(f"{name!r} is not a valid host: {error.failure.text}") from None
    return SetHost(url.rstrip("/"))


class SetSocket(NamedTuple):
    """Sets the connection for the requests that follow."""

    socket: Optional[SuppliedSocket]
    """None: connections of the engine."""


class SetUser(NamedTuple):
    """Sets the user and password for the host."""

    name: str
    password: str

    def __repr__(self) -> str:
        return "<User>"


class SetProxy(NamedTuple):
    """Sets the proxy."""

    proxy: Optional[Proxy]
    """None: the manager's."""


class Close(NamedTuple):
    """Closes the connection."""


class Send(NamedTuple):
    """Sends a request."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    header: HttpRequestHeader
    data: Data = None
    device: Any = None
    """The destination: a QIODevice or a binary file."""
    write: Optional[Callable[[Chunk], None]] = None
    """Writes a chunk of the body to ``device``; None: the body is kept for ``read()``."""


Command = Union[SetHost, SetSocket, SetUser, SetProxy, Close, Send]

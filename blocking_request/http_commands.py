"""What waits in the queue of an Http: each command as a value."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Union

from .body_source import Data
from .errors import QtNetworkError, unsendable
from .http_header import HttpRequestHeader
from .mailbox import Piece
from .proxy import Proxy
from .urls import DEFAULT_PORTS


class Host(NamedTuple):
    """Where requests go that give a path only."""

    name: str = ""
    port: int = 0
    """0: the default one."""
    scheme: str = "http"

    def url(self, path: str) -> str:
        """Of a path, or of an absolute URI, which is taken as it is. Raises Unsendable where there is no host."""
        if "://" in path.partition("?")[0]:
            return path
        if not self.name:
            raise unsendable(QtNetworkError.UnknownNetworkError, "No server set to connect to: call setHost() first")
        name = f"[{self.name}]" if ":" in self.name and not self.name.startswith("[") else self.name
        port = "" if self.port in (0, DEFAULT_PORTS[self.scheme]) else f":{self.port}"
        return f"{self.scheme}://{name}{port}{'' if path.startswith('/') else '/'}{path}"


class User(NamedTuple):
    name: str
    password: str

    def __repr__(self) -> str:
        return "<User>"


class Through(NamedTuple):
    """The way to go."""

    proxy: Optional[Proxy]
    """None: as the manager says."""


class Close(NamedTuple):
    """Leave the connection."""


class Send(NamedTuple):
    """One request."""

    header: HttpRequestHeader
    data: Data = None
    device: Any = None
    """The destination: a QIODevice or a binary file."""
    write: Optional[Callable[[Piece], None]] = None
    """Writes to it."""


Command = Union[Host, User, Through, Close, Send]

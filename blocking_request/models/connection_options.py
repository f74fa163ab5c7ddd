"""ConnectionOptions: how the connection of a request is made and kept, as the caller's QNetworkRequest says."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .._names import pickled


@pickled
class KeepAlive(NamedTuple):
    """TCP keep-alive probes (RFC 9293 section 3.8.4)."""

    idle_seconds: int
    """After how many seconds without data the first probe is sent."""
    interval_seconds: int
    probes: int
    """After so many probes without a response the connection is lost."""


@pickled
class ConnectionOptions(NamedTuple):
    """Requests share a connection only if their options are equal: most hold for a connection, not for a request."""

    allows_http2: bool = True
    """Whether HTTP/2 may be agreed on by TLS."""
    demands_http2: bool = False
    """Whether HTTP/2 is spoken without asking the server, with and without TLS (RFC 9113 section 3.3)."""
    upgrades_to_http2: bool = False
    """Whether the qt engine may ask for HTTP/2 without TLS by ``Upgrade``. The python engine ignores it."""
    idle_seconds: Optional[int] = None
    """How long the connection is kept without a request; None: as long as the engine keeps others."""
    keep_alive: Optional[KeepAlive] = None
    """None: as the engine has it."""
    stream_window: int = 0
    """How many bytes of a body may come over HTTP/2 before any is taken; 0: as the engine has it."""
    connection_window: int = 0
    """The same for all bodies of a connection."""
    frame_bytes: int = 0
    """The size of the largest frame of HTTP/2 that the server may send; 0: as the engine has it."""
    huffman: bool = True
    """Whether the header fields of HTTP/2 are compressed by Huffman coding. Only Qt can switch it off."""


DEFAULT_CONNECTION = ConnectionOptions()

"""TransferTrace: when the steps of one transfer were taken, and over which connection."""

from __future__ import annotations

from typing import Optional

from .._names import pickled


@pickled
class TransferTrace:
    """The moments of one transfer, by the clock of the call; None if a step was not taken, or if it is unknown.

    A step that has failed has a beginning and no end. The engine writes the moments, and no more after ``ended``. The
    class has no ``__init__``, and unknown moments are attributes of the class, because a trace is made for each
    request.
    """

    queued: Optional[float] = None
    """When the engine was given the request."""
    look_up_started: Optional[float] = None
    """None if the host is an address. Of a proxy's host if there is a proxy; so is the connection."""
    look_up_ended: Optional[float] = None
    connect_started: Optional[float] = None
    """None if a kept connection was used, and so are the next three."""
    connect_ended: Optional[float] = None
    tls_started: Optional[float] = None
    """With the server; a tunnel through a proxy stands by then."""
    tls_ended: Optional[float] = None
    request_sent: Optional[float] = None
    """When the kernel, or Qt, had taken all of it. None if the response came before that."""
    first_byte: Optional[float] = None
    """The first that was read after the request was sent, also of an interim response."""
    headers_received: Optional[float] = None
    ended: Optional[float] = None
    """When there was the response, or the failure."""
    peer: Optional[tuple[str, int]] = None
    """The address and the port of the other end: of the server, or of the proxy."""
    is_reused: Optional[bool] = None
    """Whether the connection had served another request before. None without a connection, or if it is unknown."""

    def __repr__(self) -> str:
        start = self.queued or 0.0
        steps = (f"{name} {(at - start) * 1000:.1f} ms" for name, at in vars(self).items() if isinstance(at, float))
        return f"<TransferTrace: {', '.join(steps)}>"

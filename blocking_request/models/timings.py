"""Timings: how long the steps of a transfer took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .._names import public
from .transfer_trace import TransferTrace


@public
@dataclass(frozen=True)
class Timings:
    """How long the steps of a request took, in ms. The names are those of HAR's ``timings``, in Qt's spelling.

    None: the step was not taken, or the engine cannot tell. The ``python`` engine knows all steps. The ``qt`` engine
    knows none of them, unless the logger ``blocking_request`` is at DEBUG: then it knows ``receive``, and since Qt 6.3
    also others. The steps are those of the last request of a call, after redirects and retries.
    """

    blocked: Optional[float] = None
    """Until the engine began with the request: it waited for a connection."""
    lookUp: Optional[float] = None
    """The look-up of the name. None if the host is an address, or a kept connection was used."""
    connect: Optional[float] = None
    """The TCP connection. None if a kept connection was used."""
    tls: Optional[float] = None
    """The TLS handshake with the server. None over http, or if a kept connection was used."""
    send: Optional[float] = None
    """Sending the request."""
    wait: Optional[float] = None
    """From the end of the request to the first byte of the response."""
    receive: Optional[float] = None
    """From the first byte to the end of the response."""


def timings_of(trace: Optional[TransferTrace]) -> Timings:
    """Return the durations of the steps of a transfer. ``trace``: None if nothing was sent."""
    if trace is None:
        return Timings()
    began = _first(trace.look_up_started, trace.connect_started)
    is_connected_at = _first(trace.tls_ended, trace.connect_ended)
    if trace.is_reused:
        is_connected_at = trace.queued
    return Timings(
        blocked=_milliseconds(trace.queued, began),
        lookUp=_milliseconds(trace.look_up_started, trace.look_up_ended),
        connect=_milliseconds(trace.connect_started, trace.connect_ended),
        tls=_milliseconds(trace.tls_started, trace.tls_ended),
        send=_milliseconds(is_connected_at, trace.request_sent),
        wait=_milliseconds(trace.request_sent, trace.first_byte),
        receive=_milliseconds(_first(trace.first_byte, trace.headers_received), trace.ended),
    )


def _first(*moments: Optional[float]) -> Optional[float]:
    return next((moment for moment in moments if moment is not None), None)


def _milliseconds(start: Optional[float], end: Optional[float]) -> Optional[float]:
    return None if start is None or end is None else max(end - start, 0.0) * 1000

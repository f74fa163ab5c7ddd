"""The events that an engine gives to the caller of a transfer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional, Protocol, Union

from ..models.http_messages import Response

PROGRESS_SECONDS = 0.1
"""Seconds between two events of progress, as in Qt."""


@dataclass(frozen=True)
class Progress:
    """Bytes moved so far, and how many there will be (-1: unknown)."""

    upload: bool
    done: int
    total: int


HELD_BACK = frozenset((304, 401, 407))
"""The statuses of responses that the cache or the credentials may replace by another one.

As in Qt, they are reported only if they are the response of the call.
"""


def reports_progress(status: Optional[int]) -> bool:
    """Return whether the progress of a body is reported while it arrives.

    A redirect such as 302 is not held back: its header is reported, as in Qt. The progress of its body is not, because
    the call may go on with the response of another URL.
    """
    return status not in HELD_BACK and not 300 <= (status or 0) < 400


Chunk = Union[bytes, memoryview]
"""A chunk of a body. A memoryview belongs to a buffer that is used again: see ``Mailbox.buffers``."""


@dataclass(frozen=True)
class HeadersReceived:
    """The header of a streamed response has come. BodyChunks follow; ``response`` has no body."""

    response: Response


@dataclass(frozen=True)
class BodyChunks:
    """The chunks of a streamed body that have come since the last event of this kind."""

    chunks: list[Chunk]


class Step(Enum):
    """A step of a transfer. The value is the signal of QNetworkReply that reports it."""

    CONNECTING = "socketStartedConnecting"
    """A connection to the server or the proxy is being made. A kept connection has no such step."""
    ENCRYPTED = "encrypted"
    """The TLS handshake of a new connection is complete, and the certificate was accepted."""
    REQUEST_SENT = "requestSent"
    """The header of the request was sent. Its body follows."""
    HEADERS_RECEIVED = "metaDataChanged"
    """The header of the response was received. Its body follows."""


NO_STEPS: frozenset[Step] = frozenset()


@dataclass(frozen=True)
class StepReached:
    """A step that the caller wants to know of: see ``Mailbox.wanted_steps``."""

    step: Step
    response: Optional[Response] = None
    """The TLS session after ENCRYPTED, the response without its body after HEADERS_RECEIVED."""


@dataclass(frozen=True)
class UploadDataNeeded:
    """The engine has sent most of the body's bytes that it was given, and wants more."""


@dataclass(frozen=True)
class Cancel:
    """The call is cancelled."""


Event = Union[Response, HeadersReceived, BodyChunks, UploadDataNeeded, Progress, StepReached, Cancel]


class Marker:
    """Stands in a queue for chunks that are in the mailbox."""


CHUNKS = Marker()

QueuedEvent = Union[Event, Marker, None]
"""An event in a queue. A marker stands for chunks, and None for progress, that are in the mailbox."""


class EventSink(Protocol):
    """Takes events, from any thread."""

    def put(self, event: QueuedEvent) -> None: ...

"""The events that an engine gives to the caller of a transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Union

from ..models.http_messages import Response

PROGRESS_SECONDS = 0.1
"""Seconds between two events of progress, as in Qt."""


@dataclass(frozen=True)
class Progress:
    """Bytes moved so far, and how many there will be (-1: unknown)."""

    upload: bool
    done: int
    total: int


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


@dataclass(frozen=True)
class UploadDataNeeded:
    """The engine has sent most of the bytes that it was given of the request's body, and wants more."""


@dataclass(frozen=True)
class Cancel:
    """The call is cancelled."""


Event = Union[Response, HeadersReceived, BodyChunks, UploadDataNeeded, Progress, Cancel]


class Marker:
    """Stands in a queue for chunks that are in the mailbox."""


CHUNKS = Marker()

QueuedEvent = Union[Event, Marker, None]
"""An event in a queue. A marker stands for chunks, and None for progress, that are in the mailbox."""


class EventSink(Protocol):
    """May be called from any thread."""

    def put(self, event: QueuedEvent) -> None: ...

"""Events: what an engine tells the caller of a transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Union

from ..models.http_messages import Response

PROGRESS_SECONDS = 0.1
"""Between two events of progress, as Qt has it."""


@dataclass(frozen=True)
class Progress:
    """Bytes moved so far, and how many there will be (-1: unknown)."""

    upload: bool
    done: int
    total: int


Chunk = Union[bytes, memoryview]
"""Of a body. A memoryview is one of a buffer that is used again: see ``Mailbox.buffers``."""


@dataclass(frozen=True)
class HeadersReceived:
    """The header of a streamed response is there, and BodyChunks follow; ``response`` has no body."""

    response: Response


@dataclass(frozen=True)
class BodyChunks:
    """What of a streamed body has come since the last ones."""

    chunks: list[Chunk]


@dataclass(frozen=True)
class UploadDataNeeded:
    """The engine has sent most of what it has of the request's body."""


@dataclass(frozen=True)
class Cancel:
    """The call is cancelled."""


Event = Union[Response, HeadersReceived, BodyChunks, UploadDataNeeded, Progress, Cancel]


class Marker:
    """Stands in a queue for what waits in the mailbox."""


CHUNKS = Marker()

QueuedEvent = Union[Event, Marker, None]
"""An event on its way. A marker stands for the chunks, None for the progress, that wait in the mailbox."""


class EventSink(Protocol):
    """May be called from any thread."""

    def put(self, event: QueuedEvent) -> None: ...

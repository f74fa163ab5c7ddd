"""The transfer of the qt engine, without a worker."""

from __future__ import annotations

from typing import Any, Callable, cast

from blocking_request.engines.events import BodyChunks, Chunk
from blocking_request.engines.mailbox import STREAMED_AHEAD, Mailbox
from blocking_request.engines.qt.worker import QtTransfer, Worker
from blocking_request.models.http_messages import Request


class QuickMailbox(Mailbox):
    """The caller takes the chunks before ``deliver`` has returned."""

    def deliver(self, chunk: Chunk, resume: Callable[[], None]) -> bool:
        has_room = super().deliver(chunk, resume)
        assert isinstance(self.take(0), BodyChunks)
        return has_room


class JobList:
    """Accepts jobs like a worker."""

    def __init__(self) -> None:
        self.jobs: list[QtTransfer] = []

    def submit(self, transfer: QtTransfer, patience: float = 0.0) -> None:
        self.jobs.append(transfer)


def test_chunk_taken_during_deliver_resumes_reading() -> None:
    """has_room was once set to False after the caller had set it to True, so reading never continued."""
    transfer = QtTransfer(Request("GET", "http://host.example/"), QuickMailbox())
    worker: Any = JobList()
    transfer.worker = cast(Worker, worker)
    transfer.deliver(b"x" * STREAMED_AHEAD)
    assert transfer.has_room
    assert worker.jobs == [transfer]

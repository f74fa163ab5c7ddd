"""Reads the header and the body of a QNetworkReply, in the thread of a worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ...models.http_messages import streams_body
from ...qt.binding import QtNetwork
from ..body_errors import BodyError, UnreadableByQt
from ..body_reader import BodyReader
from ..events import PROGRESS_SECONDS, HeadersReceived, Progress, reports_progress
from .response import begun_response, body_reader, read_header

if TYPE_CHECKING:
    from .worker import QtTransfer

STREAM_READ_BYTES = 1 << 18


def read_available(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> None:
    """Read the bytes that have arrived from Qt's buffer. An error in the body ends the request."""
    transfer.mailbox.mark_active()
    try:
        reader = transfer.reader
        if reader is None:
            read_header(transfer, reply)
            reader = transfer.reader = body_reader(transfer, reply)
            if streams_body(transfer.request, transfer.status):
                transfer.mailbox.post(HeadersReceived(begun_response(transfer, reply)))
        if transfer.request.streams:
            _read_while_there_is_room(transfer, reply, reader)
        elif reply.bytesAvailable() > 0:
            reader.feed(reply.readAll())
    except BodyError as error:
        transfer.failure, transfer.is_unreadable = error.failure, isinstance(error, UnreadableByQt)
        if not reply.isFinished():
            reply.abort()
        return
    if transfer.mailbox.wants_progress and (transfer.status is not None or reader.encoded_bytes):
        now = time.monotonic()
        if now >= transfer.progress_due and reports_progress(transfer.status):
            transfer.progress_due = now + PROGRESS_SECONDS
            transfer.mailbox.report(Progress(False, reader.encoded_bytes, reader.total_bytes))


def _read_while_there_is_room(transfer: QtTransfer, reply: QtNetwork.QNetworkReply, reader: BodyReader) -> None:
    """Read as much as the caller takes, or everything if the reply has finished, because Qt deletes it then."""
    while reply.bytesAvailable() > 0 and (transfer.has_room or reply.isFinished()):
        room = max(transfer.mailbox.room, 1)
        reader.feed(reply.read(STREAM_READ_BYTES if reply.isFinished() else min(room, STREAM_READ_BYTES)))

"""Performs one request over a stream of HTTP/2. The results are the same as over HTTP/1.1.

The steps: send the header, send the body as the windows allow, wait for the header of the response, hand over its body.
A window is opened again when the caller has taken the bytes. StreamRefused, ServerLeaves and Http11Required are
handled in ``transfer.perform``, which sends the request again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from copy import copy
from time import monotonic
from typing import Optional, Union

from ...models.http_messages import streams_body
from ..body_reader import BodyReader, framing_value, limits_of
from ..events import Chunk, Event, HeadersReceived, Step, UploadDataNeeded
from ..upload_channel import UploadChannel
from ..upload_progress import UploadProgress
from ..wanted import BYTES_PER_TURN, YIELD_NOW, Wanted
from .failures import TransferFailed
from .http2 import Http2Connection
from .http2_stream import CONNECTION_FIELDS, Http2Stream
from .reading import BodyDelivery
from .request_head import host_field, request_fields, request_target
from .routes import Route
from .sending import CONTINUE_SECONDS, PIECE_BYTES, expects_continue
from .state import TransferState, no_wake_up

Steps = Generator[Union[Wanted, Event], None, None]


def perform_stream(state: TransferState, http2: Http2Connection, route: Route) -> Steps:
    """Send the request and read its response. Raises OSError, ConnectionLost, StreamRefused, BodyError."""
    request = state.request
    stream = http2.open(request.method, state.mailbox.wake)
    state.stream = stream
    try:
        if state.reached:
            yield YIELD_NOW  # a slot may abort before the request is sent
        has_body = request.body is not None and request.body != b""
        fields = _fields(state, route)
        http2.send_headers(stream, fields, ends=not has_body)
        state.mailbox.sent_head = fields
        state.reach(Step.REQUEST_SENT)
        if has_body:
            yield from _send_body(state, http2, stream)
        if stream.head is None:
            state.trace.request_sent = state.mailbox.now()
        yield from http2.wait(stream, lambda: stream.head is not None)
        if stream.head is None and stream.error is not None:
            raise copy(stream.error)
        state.mailbox.mark_active()
        state.trace.first_byte = state.trace.headers_received = state.mailbox.last_activity
        state.reach(Step.HEADERS_RECEIVED)
        yield from _read(state, http2, stream)
    finally:
        http2.close(stream)


def _fields(state: TransferState, route: Route) -> list[tuple[bytes, bytes]]:
    """The header of the request (RFC 9113 section 8.3.1)."""
    request = state.request
    authority = host_field(request.url)
    fields: list[tuple[bytes, bytes]] = []
    for name, value in request_fields(request, route):
        name = name.lower()
        if name == b"host":
            authority = value
        elif name not in CONNECTION_FIELDS and (name != b"te" or value.strip().lower() == b"trailers"):
            fields.append((name, value))
    return [
        (b":method", request.method.encode("ascii")),
        (b":scheme", request.url.partition(":")[0].encode("ascii")),
        (b":authority", authority),
        (b":path", request_target(request.url, False).encode("ascii")),
        *fields,
    ]


def _send_body(state: TransferState, http2: Http2Connection, stream: Http2Stream) -> Steps:
    """Send the body, unless the final response comes before its end."""
    request = state.request
    body = request.body
    if expects_continue(request):
        yield from _wait_for_continue(http2, stream)
    if isinstance(body, bytes):
        progress = UploadProgress(state.mailbox, len(body))
    else:
        assert isinstance(body, UploadChannel)
        progress = UploadProgress(state.mailbox, body.size)
    sent = since_turn = 0
    while not stream.needs_no_request_body:
        if isinstance(body, bytes):
            piece: Optional[bytes] = body[sent : sent + PIECE_BYTES] or None
        else:
            piece = body.take(PIECE_BYTES, no_wake_up)
        if piece is None:
            # The server may have made the window negative (RFC 9113 section 6.9.2): h2 before 4.3 refuses the end then.
            yield from http2.wait(stream, lambda: http2.sendable(stream) >= 0 or stream.needs_no_request_body)
            if stream.needs_no_request_body:
                return
            http2.send_data(stream, b"", ends=True)
            yield from _tell(progress.end())
            return
        if not piece:
            yield UploadDataNeeded()
            continue
        sent += len(piece)
        since_turn += len(piece)
        if since_turn >= BYTES_PER_TURN:
            since_turn = 0
            yield YIELD_NOW
        http2.receive(stream)  # the window may be so large that nothing else has it read
        yield from _send(state, http2, stream, piece, progress)


def _send(
    state: TransferState, http2: Http2Connection, stream: Http2Stream, piece: bytes, progress: UploadProgress
) -> Steps:
    view = memoryview(piece)
    while view:
        _keep_early_chunks(state, http2, stream)
        yield from http2.wait(
            stream,
            lambda: (
                http2.sendable(stream) > 0
                or stream.needs_no_request_body
                or (bool(stream.chunks) and state.has_room_for_early_chunks)
            ),
        )
        if stream.needs_no_request_body:
            return
        if http2.sendable(stream) <= 0:
            continue
        count = min(http2.sendable(stream), len(view))
        http2.send_data(stream, view[:count], ends=False)
        view = view[count:]
        yield from _tell(progress.add(count))


def _keep_early_chunks(state: TransferState, http2: Http2Connection, stream: Http2Stream) -> None:
    """Take what has come of the response, so that the server can go on: it may send as much as it reads."""
    if stream.chunks and state.has_room_for_early_chunks:
        chunks, size = stream.take_chunks()
        state.add_early_chunks(chunks)
        http2.acknowledge(stream, size)


def _tell(event: Optional[Event]) -> Iterator[Event]:
    if event is not None:
        yield event


def _wait_for_continue(http2: Http2Connection, stream: Http2Stream) -> Generator[Wanted, None, None]:
    """Wait a while for any response (RFC 9110 section 10.1.1)."""
    end = monotonic() + CONTINUE_SECONDS
    for wanted in http2.wait(stream, lambda: stream.has_begun or stream.needs_no_request_body or monotonic() >= end):
        yield wanted._replace(seconds=max(min(wanted.seconds, end - monotonic()), 0.0))


def _read(state: TransferState, http2: Http2Connection, stream: Http2Stream) -> Steps:
    request, head = state.request, stream.head
    assert head is not None
    streams = streams_body(request, head.status)
    encoding = framing_value(head.fields, b"content-encoding") if request.decode else None
    sink: Optional[list[Chunk]] = [] if streams else None
    reader = state.reader = BodyReader(
        None,
        encoding or b"",
        limits_of(request, encoding or b""),
        None if sink is None else sink.append,
    )
    reader.total_bytes = stream.total_bytes
    if streams and stream.error is None:
        yield HeadersReceived(state.begun_response())
    taker = BodyDelivery(state, reader, sink)
    yield from taker.take(state.take_early_chunks())
    while not stream.has_ended or stream.chunks:
        yield from http2.wait(stream, lambda: bool(stream.chunks) or stream.has_ended)
        if stream.chunks:
            chunks, size = stream.take_chunks()
            state.mailbox.mark_active()
            yield from taker.take(chunks)
            http2.acknowledge(stream, size)
            continue  # there may be more before an error
        if stream.error is not None:
            break
    if stream.error is not None:
        # A copy, because an error that is raised holds its frames, and the stream holds the error.
        raise copy(stream.error)
    failure = reader.body_error() if stream.has_body else None
    if failure is not None:
        raise TransferFailed(failure)

"""One request and its response over a stream of HTTP/2; the results are those of HTTP/1.1."""

from __future__ import annotations

from collections.abc import Generator
from typing import Optional, Union

from ...models.http_messages import streams_body
from ..body_reader import BodyReader, Limits, framing_value
from ..events import Chunk, Event, HeadersReceived, UploadDataNeeded
from ..upload_channel import UploadChannel
from ..upload_progress import UploadProgress
from ..wanted import LOOK_AROUND, Wanted
from .failures import TransferFailed
from .http2 import Http2Connection, Http2Stream
from .reading import LOOK_UP_BYTES, BodyTaker
from .request_head import host_field, request_fields, request_target
from .routes import Route
from .sending import PIECE_BYTES
from .state import TransferState, nobody_waits

_OF_HTTP1 = frozenset((b"connection", b"host", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
"""RFC 9113 section 8.2.2."""

Steps = Generator[Union[Wanted, Event], None, None]


def perform_stream(state: TransferState, http2: Http2Connection, route: Route) -> Steps:
    """Send the request and read its response. Raises OSError, ConnectionLost, StreamRefused, BodyError."""
    stream = http2.open(state.wake)
    state.stream = stream
    try:
        yield from _send(state, http2, stream, route)
        yield from http2.wait(stream, lambda: stream.head is not None)
        if stream.error is not None and stream.head is None:
            raise stream.error
        state.mailbox.mark_active()
        yield from _read(state, http2, stream)
    finally:
        http2.close(stream)


def _send(state: TransferState, http2: Http2Connection, stream: Http2Stream, route: Route) -> Steps:
    request = state.request
    body = request.body
    fields = [
        (b":method", request.method.encode("ascii")),
        (b":scheme", b"https"),
        (b":authority", host_field(request.url)),
        (b":path", request_target(request.url, False).encode("ascii")),
    ]
    fields.extend(
        (lowered, value) for name, value in request_fields(request, route) if (lowered := name.lower()) not in _OF_HTTP1
    )
    if body is None or body == b"":
        http2.send_headers(stream, fields, ends=True)
        return
    http2.send_headers(stream, fields, ends=False)
    size = len(body) if isinstance(body, bytes) else body.size
    progress = UploadProgress(state.mailbox, size)
    sent = 0
    while not stream.has_news and stream.head is None:
        if isinstance(body, bytes):
            piece: Optional[bytes] = body[sent : sent + PIECE_BYTES] or None
        else:
            assert isinstance(body, UploadChannel)
            piece = body.take(PIECE_BYTES, nobody_waits)
        if piece is None:
            break
        if not piece:
            yield UploadDataNeeded()
            continue
        sent += len(piece)
        view = memoryview(piece)
        while view and not stream.has_news and stream.head is None:
            yield from http2.wait(
                stream, lambda: http2.sendable(stream) > 0 or stream.has_news or stream.head is not None
            )
            count = min(http2.sendable(stream), len(view)) if not stream.has_news else 0
            if count <= 0:
                continue
            http2.send_data(stream, view[:count], ends=False)
            view = view[count:]
            event = progress.add(count)
            if event is not None:
                yield event
    if not stream.has_news and stream.head is None:
        http2.send_data(stream, b"", ends=True)
        event = progress.end()
        if event is not None:
            yield event


def _read(state: TransferState, http2: Http2Connection, stream: Http2Stream) -> Steps:
    request, head = state.request, stream.head
    assert head is not None
    streams = streams_body(request, head.status)
    encoding = framing_value(head.fields, b"content-encoding") if request.decode else None
    sink: Optional[list[Chunk]] = [] if streams else None
    reader = state.reader = BodyReader(
        None,
        encoding or b"",
        Limits(request.body_limit, request.expansion_limit),
        None if sink is None else sink.append,
    )
    reader.total_bytes = stream.total_bytes
    if streams:
        yield HeadersReceived(state.begun_response())
    taker = BodyTaker(state, reader, sink)
    since_look = 0
    while not stream.has_ended or stream.chunks:
        yield from http2.wait(stream, lambda: bool(stream.chunks) or stream.has_ended)
        while stream.chunks:
            data, size = stream.chunks.popleft()
            state.mailbox.mark_active()
            since_look += len(data)
            yield from taker.take((data,))
            http2.acknowledge(stream, size)
            if since_look >= LOOK_UP_BYTES:
                since_look = 0
                yield LOOK_AROUND
        if stream.error is not None:
            raise stream.error
    has_body = request.method != "HEAD" and head.status not in (204, 304)
    failure = reader.body_error() if has_body else None
    if failure is not None:
        raise TransferFailed(failure)

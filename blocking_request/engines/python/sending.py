"""Sends a request: its head, its body, and responses that come before the request is complete."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Optional, Union

from ...models.http_messages import Request
from ..events import Event, Step, UploadDataNeeded
from ..upload_channel import UploadChannel
from ..upload_progress import UploadProgress
from ..wanted import BYTES_PER_TURN, READ, WRITE, YIELD_NOW, Steps, Wanted
from .channel import Channel
from .request_head import request_head
from .routes import Route
from .state import TransferState, no_wake_up
from .time_limit import within

SMALL_BODY_BYTES = 1 << 14
"""Up to this size a body goes out with its head: one system call, one packet, one TLS record."""

PIECE_BYTES = 1 << 16
"""How much of a body is written at a time. Between two pieces the engine checks whether the server has responded."""

CONTINUE_SECONDS = 1.0
"""How long a body waits for the interim response that ``Expect: 100-continue`` asks for, as in curl (RFC 9110 section
10.1.1)."""

EARLY_READS_AT_ONCE = 4
EARLY_BYTES_PER_TURN = 1 << 18
"""After so many bytes of the response, read while the request is being sent, the driver checks its timeouts."""

Sending = Generator[Union[Wanted, Event], None, None]


def send_at_once(state: TransferState, route: Route) -> bool:
    """Send a small request, which the kernel takes in one piece as a rule; return whether all of it was taken.

    If not, ``send_request`` sends the rest. Raises OSError.
    """
    request, connection = state.request, state.connection
    assert connection is not None
    body = request.body
    if body is None:
        data = head = request_head(request, route)
    elif isinstance(body, bytes) and len(body) <= SMALL_BODY_BYTES and not expects_continue(request):
        head = request_head(request, route)
        data = head + body
    else:
        return False
    state.mailbox.sent_head = head
    sent = connection.channel.send(data)
    if sent == len(data) and not (body and state.mailbox.wants_progress):
        return True
    state.unsent = memoryview(data)[sent or 0 :]
    return False


def send_request(state: TransferState, route: Route) -> Sending:
    """Send the bytes that ``send_at_once`` has left, or the whole request.

    If the final response comes before the end, sending stops and ``state.is_cut_short`` is set. Raises OSError.
    """
    request, connection, unsent = state.request, state.connection, state.unsent
    assert connection is not None
    channel, body = connection.channel, request.body
    state.is_cut_short = True  # set in advance: each early return and exception leaves it so
    if unsent is None:
        state.mailbox.sent_head = request_head(request, route)
        if not (yield from _send(state, channel, state.mailbox.sent_head)):
            return
        state.reach(Step.REQUEST_SENT)
        if not (yield from _send_body(state, channel, request)):
            return
    else:
        state.unsent = None
        if not (yield from _send(state, channel, unsent)):
            return
        state.reach(Step.REQUEST_SENT)
        if isinstance(body, bytes):
            yield from _tell(UploadProgress(state.mailbox, len(body)).add(len(body)))
    state.is_cut_short = False


def _send_body(state: TransferState, channel: Channel, request: Request) -> Generator[Union[Wanted, Event], None, bool]:
    """Send a body that is large, or that waits for 100 (Continue); return whether all of it was sent."""
    if expects_continue(request) and not (yield from _wait_for_continue(state, channel)):
        return False
    body = request.body
    if isinstance(body, UploadChannel):
        return (yield from _send_from(state, channel, body))
    assert isinstance(body, bytes)
    progress = UploadProgress(state.mailbox, len(body))
    view = memoryview(body)
    for start in range(0, len(view), PIECE_BYTES):
        if start and start % BYTES_PER_TURN == 0:
            yield YIELD_NOW
        if not (yield from _send(state, channel, view[start : start + PIECE_BYTES], progress)):
            return False
    return True


def _send_from(
    state: TransferState, channel: Channel, body: UploadChannel
) -> Generator[Union[Wanted, Event], None, bool]:
    """Send a body that comes piece by piece; return whether all of it was sent.

    If the channel is empty, this yields UploadDataNeeded. The driver resumes it when the caller has put in more.
    """
    progress = UploadProgress(state.mailbox, body.size)
    is_chunked = body.size < 0
    since_turn = 0
    while True:
        piece = body.take(PIECE_BYTES, no_wake_up)
        if piece is None:
            break
        if not piece:
            yield UploadDataNeeded()
            continue
        since_turn += len(piece)
        if since_turn >= BYTES_PER_TURN:
            since_turn = 0
            yield YIELD_NOW
        if not is_chunked:
            if not (yield from _send(state, channel, piece, progress)):
                return False
            continue
        if not (yield from _send(state, channel, b"%x\r\n%b\r\n" % (len(piece), piece))):
            return False
        yield from _tell(progress.add(len(piece)))
    if is_chunked and not (yield from _send(state, channel, b"0\r\n\r\n")):
        return False
    yield from _tell(progress.end())
    return True


def _tell(event: Optional[Event]) -> Iterator[Event]:
    if event is not None:
        yield event


def _send(
    state: TransferState,
    channel: Channel,
    data: Union[bytes, memoryview],
    progress: Optional[UploadProgress] = None,
) -> Generator[Union[Wanted, Event], None, bool]:
    """Send all of the data; return False if the final response has come, or the server has closed, before that.

    ``progress`` counts the bytes that the kernel has taken.
    """
    view = memoryview(data)
    while view:
        if _read_early(state, channel):
            return False
        if state.early_read >= EARLY_BYTES_PER_TURN:
            state.early_read = 0
            yield YIELD_NOW  # the server floods, and the driver has to check its timeouts
        try:
            sent = channel.send(view)
        except OSError:
            # The server may have responded before the error: then its response is read.
            if _read_early(state, channel) or state.parser is None or not state.parser.has_begun:
                raise
            return False
        if sent is None:
            yield _wants_to_send(state, channel)
            continue
        view = view[sent:]
        if progress is None:
            state.mailbox.mark_active()
        else:
            yield from _tell(progress.add(sent))
    return True


def _wants_to_send(state: TransferState, channel: Channel) -> Wanted:
    """Return the event to wait for after ``send`` has returned None. The server may respond in the meantime."""
    if not state.has_room_for_early_chunks or channel.wanted == channel.wants_read:
        return channel.wanted
    return Wanted(((channel.fileno(), READ | WRITE),))


def _read_early(state: TransferState, channel: Channel) -> bool:
    """Read the bytes that the server has sent; return whether the rest of the request need not be sent.

    That is so if the response is complete, or says that the request has failed (RFC 9112 section 9.5). Some servers
    begin a successful response while they read the request. Interim responses (RFC 9110 section 15.2) are read and
    dropped. Raises OSError, ConnectionLost, BodyError.
    """
    parser = state.parser
    assert parser is not None
    for _ in range(EARLY_READS_AT_ONCE):
        head = parser.head
        if head is not None:
            if parser.rest:
                state.add_early_chunks(parser.receive_body(parser.rest))
            if head.status >= 300 or parser.is_complete:
                return True
            if not state.has_room_for_early_chunks:
                return False
        data = channel.receive(PIECE_BYTES)
        if data is None:
            return False
        if not data:
            if head is None:
                parser.receive_end()
            return True  # the end is read again with the body
        state.early_read += len(data)
        if head is None:
            parser.receive_head(data)
        else:
            state.add_early_chunks(parser.receive_body(data))
    return False


def expects_continue(request: Request) -> bool:
    return any(name.lower() == b"expect" and b"100-continue" in value.lower() for name, value in request.headers)


def _wait_for_continue(state: TransferState, channel: Channel) -> Steps[bool]:
    """Wait for the interim response; return False if the final one has come."""
    try:
        return (yield from within(CONTINUE_SECONDS, _continue_or_answer(state, channel)))
    except TimeoutError:
        return True


def _continue_or_answer(state: TransferState, channel: Channel) -> Steps[bool]:
    parser = state.parser
    assert parser is not None
    while not _read_early(state, channel) and parser.head is None:
        if parser.has_continue:
            return True
        yield channel.wanted
    return False

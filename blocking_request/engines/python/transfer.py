"""Performs one request. ``perform`` is a generator, which yields what it must wait for.

Theory of operation: a driver resumes the generator. If it yields a Wanted, the driver waits for that. If it yields an
event, the event is for the caller. If an exception or the driver ends the generator early, the connection is closed. It
is kept only if the response was read to its end.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Optional, Union

from ...models import error_texts as messages
from ...models.failure import Failure
from ...models.http_messages import Response
from ..body_errors import BodyError
from ..events import Event, Step
from ..upload_channel import UploadChannel
from ..wanted import YIELD_NOW, Wanted
from .connection import Connection, Connections
from .failures import (
    ConnectionLost,
    Http11Required,
    ServerLeaves,
    StreamRefused,
    TransferFailed,
    is_out_of_descriptors,
    is_tls_error,
    lost_failure,
    refused_failure,
)
from .reading import has_head, read_body, read_head, take_whole_body
from .routes import Route
from .sending import send_at_once, send_request
from .shared_connections import SharedConnections
from .state import TransferState

MOST_ATTEMPTS = 3
"""How often a request is sent to servers that say that they have not processed it (RFC 9113 section 8.7)."""

MOST_CONNECTIONS = 100
"""The highest number of connections on which a request is sent. A server that serves a fixed number of requests on a
connection may end each one before it processes the request (RFC 9113 section 6.8)."""

TransferSteps = Generator[Union[Wanted, Event], None, Response]


def perform(
    state: TransferState,
    route: Route,
    pool: Connections,
    running: set[TransferState],
    shared: Optional[SharedConnections] = None,
) -> TransferSteps:
    """Send the request and read its response, which the generator returns. If it fails in a way that is foreseen, the
    response has the failure, and nothing is raised.

    ``running`` holds the state from the first step until the generator ends in any way. ``shared``: connections that
    the requests of a batch share.
    """
    # A connection that was lost, or missing descriptors, allow a second attempt; a refusal allows more.
    attempts = 1
    try:
        running.add(state)
        while True:
            failure: Optional[Failure] = None
            try:
                yield from _attempt(state, route, pool, shared, attempts > 1)
            except TransferFailed as failed:
                if attempts == 1 and is_out_of_descriptors(failed.__cause__):
                    pool.clear()  # the kept connections have some
                    attempts += 1
                    continue
                failure, state.session = failed.failure, failed.session or state.session
            except (ConnectionLost, OSError) as error:
                if attempts == 1 and state.may_be_repeated and not is_tls_error(error):
                    attempts += 1
                    continue
                if not _is_complete_error_response(state):
                    failure = _lost_failure(error, state, route)
            except StreamRefused as refused:
                most = MOST_CONNECTIONS if isinstance(refused, ServerLeaves) else MOST_ATTEMPTS
                body = state.request.body
                can_repeat = not isinstance(body, UploadChannel) or body.is_untouched
                if isinstance(refused, Http11Required) and route.key.connection.demands_http2:
                    can_repeat = False
                if attempts < most and can_repeat:
                    attempts += 1
                    if isinstance(refused, Http11Required):
                        route, shared = replace(route, alpn=()), None
                    continue
                failure = refused_failure()
            except BodyError as error:
                failure = error.failure
            return state.response(failure)
    finally:
        running.discard(state)


def _attempt(
    state: TransferState,
    route: Route,
    pool: Connections,
    shared: Optional[SharedConnections],
    needs_new_connection: bool,
) -> Generator[Union[Wanted, Event], None, None]:
    """Send the request once, and read its response."""
    if shared is not None:
        connection = yield from shared.connect(route, state, needs_new_connection)
    else:
        kept = None if needs_new_connection else pool.take(route.key)
        connection = kept or (yield from pool.open(route, state))
    if connection.http2 is None:
        yield from _use(state, connection, route, pool)
        return
    from .http2_transfer import perform_stream  # loaded when HTTP/2 was offered

    state.begin_attempt(connection)
    is_abandoned = True
    try:
        yield from perform_stream(state, connection.http2, route)
        is_abandoned = False
    except Exception:
        is_abandoned = False  # this stream has failed; if the connection has, too, ``is_usable`` says so
        raise
    finally:
        # The last stream of a connection that no batch owns keeps or closes it. A cancelled transfer closes it.
        if connection.http2.is_idle and not (shared is not None and shared.owns(connection)):
            if not is_abandoned and connection.http2.is_usable():
                pool.put(connection)
            else:
                connection.close()


def _use(
    state: TransferState, connection: Connection, route: Route, pool: Connections
) -> Generator[Union[Wanted, Event], None, None]:
    """Use a connection for the request, and keep or close it afterwards."""
    is_kept = False
    try:
        state.begin_attempt(connection)
        trace, mailbox = state.trace, state.mailbox
        if state.reached:
            yield YIELD_NOW  # a slot may abort before the request is sent
        if send_at_once(state, route):
            trace.request_sent = mailbox.now()
            state.reach(Step.REQUEST_SENT)
            if not connection.channel.has_unsent:
                # The server cannot have responded yet, so this saves a ``receive`` that would return None.
                yield connection.channel.wants_read
        else:
            yield from send_request(state, route)
            if not state.is_cut_short:
                trace.request_sent = mailbox.now()
        if not has_head(state):
            yield from read_head(state)
        trace.headers_received = mailbox.last_activity
        if trace.first_byte is None:
            trace.first_byte = mailbox.last_activity  # it has come with the rest
        state.reach(Step.HEADERS_RECEIVED)
        if not take_whole_body(state):
            yield from read_body(state)
        parser = state.parser
        assert parser is not None and parser.head is not None
        is_kept = parser.keeps_connection and not parser.rest and not state.is_cut_short and parser.head.status >= 200
    finally:
        if is_kept:
            pool.put(connection)
        else:
            connection.close()


def _lost_failure(error: Exception, state: TransferState, route: Route) -> Failure:
    if route.tls is not None and is_tls_error(error):
        reason = error.reason or str(error)
        if _has_head(state) or "ALERT" not in reason:
            return messages.tls_broken(reason)
        return route.tls.failure(error)  # as for a client certificate that is not accepted
    return _failure_of_body(state) or lost_failure(error, state.request, route.proxy, _has_head(state))


def _has_head(state: TransferState) -> bool:
    return state.received is not None and state.received.head is not None


def _is_complete_error_response(state: TransferState) -> bool:
    """Return whether a server has refused a body, and ended its response by closing the connection.

    The close arrives as a reset if the server has not read the whole body.
    """
    parser, reader = state.parser, state.reader
    if not state.is_cut_short or parser is None or parser.head is None or parser.head.status < 400:
        return False
    try:
        parser.receive_end()
    except BodyError:
        return False
    return parser.is_complete and (reader is None or reader.body_error() is None)


def _failure_of_body(state: TransferState) -> Optional[Failure]:
    """Why the body is not whole, if the header has promised how long it is."""
    reader, stream = state.reader, state.stream
    if reader is None or reader.total_bytes < 0 or (stream is not None and not stream.has_body):
        return None
    return reader.body_error()


def canceled(state: TransferState) -> Response:
    """Return the response of an aborted transfer, with the bytes that have come."""
    return state.response(messages.canceled())

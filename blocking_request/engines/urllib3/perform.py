"""One request over urllib3, in the thread of a worker: no redirects, no retries, no cookies, no decoding of its own.

urllib3 connects, speaks TLS, keeps the connections and writes the request. The body is read from http.client's response
as it arrives; urllib3's own reading waits until a whole block is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Optional, Union

from urllib3.util import SKIP_HEADER, Retry, Timeout

from ...models import error_texts as messages
from ...models.failure import Failure
from ...models.http_messages import IDEMPOTENT_METHODS, Body, Request, Response, streams_body
from ...models.tls import known_session
from ...trace import logger
from ..accept_language import accept_language
from ..body_errors import BodyError
from ..body_reader import BodyReader, Limits, framing_value, is_chunked
from ..events import PROGRESS_SECONDS, Chunk, HeadersReceived, Progress
from ..mailbox import Mailbox
from ..upload_channel import UploadChannel
from ..upload_progress import UploadProgress
from .abort_handle import AbortHandle, using_handle
from .connection import HELD_BACK_BYTES
from .failure import broke_unanswered, internal_error, out_of_descriptors, transfer_failure
from .framing import blocks
from .pools import Pool
from .response import HttpClientResponse
from .tls import TlsRefused

CONNECT_SECONDS = 30.0
"""How long connecting to one address may take, as Qt has it. It goes on by itself where the caller has left."""

PIECE_BYTES = 1 << 14
CHANNEL_BYTES = 1 << 16


def perform(request: Request, mailbox: Mailbox, abort_handle: AbortHandle, pool: Pool) -> Response:
    """Do the request and tell what came of it; raises nothing."""
    try:
        response = _Attempt(request, mailbox, abort_handle, pool).run()
        if response is None:
            # A kept connection was closed by the server as we sent.
            abort_handle.wants_fresh = True
            response = _Attempt(request, mailbox, abort_handle, pool).run()
        assert response is not None
        return response
    except BaseException as error:
        logger.error("a request failed in the network thread", exc_info=error)
        abort_handle.abort()
        return Response(request, failure=internal_error(error), engine="urllib3")


class _Attempt:
    """One way there and back."""

    def __init__(self, request: Request, mailbox: Mailbox, abort_handle: AbortHandle, pool: Pool) -> None:
        self._request = request
        self._mailbox = mailbox
        self._abort_handle = abort_handle
        self._pool = pool
        self._pooled: Any = None
        """urllib3's response, which has the connection."""
        self._reader: Optional[BodyReader] = None
        self._chunked = False
        self._progress_due = 0.0
        self._is_cut_short = False
        """Whether the response came before the whole body had been sent."""
        abort_handle.response = None
        abort_handle.response_begun = False

    def run(self) -> Optional[Response]:
        """The response; None where the request may be, and should be, sent once more."""
        abort_handle = self._abort_handle
        failure: Optional[Failure] = None
        try:
            with using_handle(abort_handle):
                if not abort_handle.aborted:
                    self._pooled = self._send()
                    self._read_body()
        except Exception as error:
            makes_room = out_of_descriptors(error) and not abort_handle.wants_fresh
            if makes_room:
                self._pool.clear_all()  # the kept connections have some
            if makes_room or self._may_be_repeated(error):
                abort_handle.release()
                return None
            failure = self._failure(error)
        if failure is None and self._has_body():
            assert self._reader is not None or abort_handle.aborted
            failure = self._reader.body_error() if self._reader is not None else None
        self._let_go(failure)
        if abort_handle.aborted:
            failure = messages.canceled()
        return self._response(failure)

    def _send(self) -> Any:
        """Returns urllib3's response when the header is there, its body unread."""
        request, abort_handle = self._request, self._abort_handle
        pool = self._pool
        abort_handle.tls, proxy = pool.tls, pool.proxy
        # To an HTTP proxy that forwards the whole URL is the target (RFC 9112 section 3.2.2).
        is_forwarded = proxy is not None and proxy.forwards(request.url)
        abort_handle.target = request_target(request.url, is_forwarded)
        logged = request.redacted_url
        is_shown = logged is request.url and is_forwarded == (proxy is not None)
        return pool.connections(request.url).urlopen(
            request.method,
            abort_handle.target if is_shown else request_target(logged, proxy is not None),  # what urllib3 logs
            body=None if request.body is None else self._pieces(request.body),  # type: ignore[arg-type]
            headers=request_headers(request),  # type: ignore[arg-type]
            retries=_NO_RETRIES,
            redirect=False,
            assert_same_host=False,
            timeout=_TIMEOUT,
            preload_content=False,
            decode_content=False,
        )

    def _pieces(self, body: Body) -> Iterator[Union[bytes, memoryview]]:
        """Raises BrokenPipeError where the server answers or closes before it has all of it; urllib3 reads on then."""
        if isinstance(body, UploadChannel):
            yield from self._channel_pieces(body)
            return
        assert isinstance(body, bytes)
        view = memoryview(body)
        progress = UploadProgress(self._mailbox, len(view))
        if len(view) <= HELD_BACK_BYTES:
            self._abort_handle.when_sent = partial(progress.add, len(view))
            yield view
            return
        for start in range(0, len(view), PIECE_BYTES):
            piece = view[start : start + PIECE_BYTES]
            self._wait_to_send()
            yield piece
            progress.add(len(piece))

    def _channel_pieces(self, channel: UploadChannel) -> Iterator[bytes]:
        """The same for a body that comes piece by piece."""
        abort_handle = self._abort_handle
        room = abort_handle.room = abort_handle.room or threading.Event()
        progress = UploadProgress(self._mailbox, channel.size)
        while True:
            room.clear()
            piece = channel.take(CHANNEL_BYTES, room.set)
            if piece is None:
                progress.end()
                return
            if piece:
                self._wait_to_send()
                yield piece
                progress.add(len(piece))
            elif abort_handle.aborted:
                raise BrokenPipeError
            else:
                room.wait()

    def _wait_to_send(self) -> None:
        """Raises BrokenPipeError where the server has something to say before it has all of the body."""
        if not self._abort_handle.wait_to_send():
            self._is_cut_short = True
            raise BrokenPipeError

    def _open_reader(self, response: HttpClientResponse) -> BodyReader:
        """Raises CorruptBody where the length is none."""
        fields = response.fields
        chunked = self._chunked = is_chunked(framing_value(fields, b"transfer-encoding"))
        length = None if chunked else framing_value(fields, b"content-length")
        encoding = framing_value(fields, b"content-encoding") if self._request.decode else None
        request = self._request
        limits = Limits(request.body_limit, request.expansion_limit)
        sink = self._deliver if streams_body(request, response.status) else None
        return BodyReader(length, encoding or b"", limits, sink, self._abort_handle.is_aborted)

    def _deliver(self, piece: Chunk) -> None:
        """Returns when the caller takes more."""
        abort_handle = self._abort_handle
        room = abort_handle.room = abort_handle.room or threading.Event()
        room.clear()
        if not self._mailbox.deliver(piece, room.set) and not abort_handle.aborted:
            room.wait()
            self._mailbox.mark_active()

    def _read_body(self) -> None:
        response = self._abort_handle.response
        assert response is not None
        reader = self._reader = self._open_reader(response)
        self._mailbox.mark_active()
        if streams_body(self._request, response.status):
            self._mailbox.post(HeadersReceived(self._begun_response(response, reader)))
        if not self._has_body():
            return
        buffers = self._mailbox.buffers if reader.passes_on else None
        assert response.room is not None
        for block in blocks(response.file, self._chunked, reader.total_bytes, response.room.line, buffers):
            reader.feed(block)
            self._mailbox.mark_active()
            if self._mailbox.wants_progress and not 300 <= response.status < 400:
                self._report(reader)

    def _has_body(self) -> bool:
        response = self._abort_handle.response
        return response is not None and self._request.method != "HEAD" and response.status not in (204, 304)

    def _report(self, reader: BodyReader) -> None:
        now = time.monotonic()
        if now >= self._progress_due:
            self._progress_due = now + PROGRESS_SECONDS
            self._mailbox.report(Progress(False, reader.encoded_bytes, reader.total_bytes))

    def _may_be_repeated(self, error: Exception) -> bool:
        """RFC 9110 section 9.2.2 allows it; a body reaches the server at most once all the same."""
        request, abort_handle = self._request, self._abort_handle
        if abort_handle.aborted or not abort_handle.reused or abort_handle.response_begun or request.body is not None:
            return False
        return request.method in IDEMPOTENT_METHODS and broke_unanswered(error)

    def _failure(self, error: Exception) -> Failure:
        if isinstance(error, BodyError):
            return error.failure
        if isinstance(error, TlsRefused):
            self._abort_handle.session = error.session
            return error.failure
        response = self._abort_handle.response
        if response is not None and self._reader is None:
            # urllib3 did not like the header; what is wrong with it is told in our words where we know.
            try:
                self._open_reader(response)
            except BodyError as worse:
                return worse.failure
        if self._reader is not None and self._reader.total_bytes >= 0:
            failure = self._reader.body_error()
            if failure is not None:
                return failure
        tls = self._abort_handle.tls
        shows_certificate = tls is not None and tls.settings.clientCertificate is not None
        return transfer_failure(error, self._request, self._pool.proxy, response is not None, shows_certificate)

    def _let_go(self, failure: Optional[Failure]) -> None:
        """Give the connection back to its pool, closed where another request cannot use it."""
        leftovers = failure is None and self._abort_handle.has_leftovers()
        reusable = self._abort_handle.release() and failure is None and not leftovers and not self._is_cut_short
        # A pool that was dropped closes its connections when nobody holds it any more (urllib3 2).
        pooled, self._pooled = self._pooled, None
        response = self._abort_handle.response
        if pooled is None:
            return  # urllib3 has seen to it
        if reusable and response is not None and response.status >= 200:
            response.close()
        else:
            pooled.close()
        pooled.release_conn()

    def _begun_response(self, response: HttpClientResponse, reader: BodyReader) -> Response:
        """What is known when the header is there."""
        session = self._abort_handle.current_session
        return Response(
            self._request,
            response.status,
            response.reason,
            response.fields,
            engine="urllib3",
            tls=None if session is None else known_session(session),
            total_bytes=reader.total_bytes,
            is_streaming=True,
        )

    def _response(self, failure: Optional[Failure]) -> Response:
        response, reader = self._abort_handle.response, self._reader
        session = self._abort_handle.session
        tls = None if session is None else known_session(session)
        if response is None:
            if session is not None:
                # Whatever was agreed on with the server, it came to nothing: Qt does not tell it either.
                tls = known_session(replace(session, protocol="", cipher=""))
            return Response(self._request, failure=failure, engine="urllib3", tls=tls)
        if failure is None and response.status < 200:
            failure = messages.interim_status(response.status)
        return Response(
            self._request,
            response.status,
            response.reason,
            response.fields,
            b"" if reader is None else reader.content(),
            failure,
            "urllib3",
            tls=tls,
            encoded_bytes=0 if reader is None else reader.encoded_bytes,
            total_bytes=-1 if reader is None else reader.total_bytes,
        )


_NO_RETRIES = Retry(False, redirect=False)
_TIMEOUT = Timeout(connect=CONNECT_SECONDS, read=None)


def request_target(url: str, is_absolute: bool) -> str:
    """The path and query of a URL, as they are sent (RFC 9112 section 3.2.1), or with scheme and host before them."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    end = min((position for position in (rest.find("/"), rest.find("?")) if position >= 0), default=len(rest))
    path = rest[end:] if rest[end : end + 1] == "/" else "/" + rest[end:]
    return f"{scheme}://{rest[:end]}{path}" if is_absolute else path


def request_headers(request: Request) -> dict[str, Any]:
    """The header fields that are sent, those among them that Qt adds by itself."""
    headers: dict[str, Any] = {name.decode("latin-1"): value for name, value in request.headers}
    names = {name.lower() for name in headers}
    if request.omitted:
        omitted = {name.decode("latin-1") for name in request.omitted}
        # urllib3 adds these two by itself.
        headers.update((name, SKIP_HEADER) for name in omitted & {"user-agent", "accept-encoding"})
        names |= omitted
    if "accept-language" not in names:
        headers["Accept-Language"] = accept_language()
    if request.body is None and request.method not in IDEMPOTENT_METHODS:
        headers["Content-Length"] = b"0"
    if "connection" not in names:
        headers["Connection"] = b"Keep-Alive"
    return headers

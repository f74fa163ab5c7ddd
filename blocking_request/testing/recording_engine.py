"""The engine of a Recording: replays exchanges, or sends requests by the python engine and records them."""

from __future__ import annotations

import time
from typing import Callable, Optional

from ..engines import choice
from ..engines.base import BatchHint, Transfer
from ..engines.body_errors import BodyError
from ..engines.body_reader import BodyReader
from ..engines.events import BodyChunks, Event, HeadersReceived
from ..engines.mailbox import Mailbox
from ..engines.wanted import Wanted
from ..errors import ErrorCode
from ..models.error_texts import canceled
from ..models.failure import Failure, QtNetworkError
from ..models.har import HarEntry
from ..models.http_messages import Request, Response
from ..models.timings import timings_of
from ..models.transfer_trace import TransferTrace
from .engine import FakeEngine
from .exchanges import Exchanges, kept_body
from .fake_replies import unmatched_failure
from .reply import CODES, FakeReply, has_body
from .sent_request import body_size

MOST_BODY_BYTES = 1 << 26
"""A larger body is not recorded, and the request fails when it is replayed."""

_ENDED = "Operation canceled: the request was cancelled, or had timed out, when it was recorded"
_LATE_SECONDS = 1.0
"""So many seconds later than in the recording a request fails that its caller has ended. So the caller is first."""

_FRAMING = frozenset((b"content-length", b"content-encoding", b"transfer-encoding"))
"""Fields that do not fit the body of a recording, which is decoded and without secrets."""


class RecordingEngine:
    """Every method may be called from any thread."""

    name = "recording"

    def __init__(self, exchanges: Exchanges, mode: str, is_recording: bool) -> None:
        self._exchanges = exchanges
        self._mode = mode
        self._is_recording = is_recording
        self._fake = FakeEngine(lambda *_: FakeReply())

    def unsupported_reason(self, request: Request) -> Optional[Failure]:
        return None

    def start(self, request: Request, mailbox: Mailbox, hint: Optional[BatchHint] = None) -> Transfer:
        entry = self._exchanges.take(request)
        if entry is not None:
            reply = recorded_reply(entry, request)
        elif not self._is_recording:
            reply = FakeReply(failure=unmatched_failure(self._exchanges.unmatched_text(request, self._mode)))
        else:
            engine = choice.engine_below(self)
            failure = _unrecordable(request) or engine.unsupported_reason(request)
            if failure is None:
                return RecordedTransfer(engine.start(request, mailbox, hint), request, self._exchanges, mailbox.now)
            reply = FakeReply(failure=failure)
        return self._fake.start(request, mailbox, hint, lambda *_: reply)

    def clear_connections(self) -> None:
        choice.engine_below(self).clear_connections()

    def shutdown(self) -> None:
        self._fake.shutdown()

    def exit(self) -> None:
        self._fake.exit()


def _unrecordable(request: Request) -> Optional[Failure]:
    if request.connection_credentials is None and not request.qgis:
        return None
    kind = "by QGIS's own manager" if request.qgis else "with NTLM or Negotiate"
    text = f"A Recording cannot record requests {kind}, which only Qt can send: use FakeReplies"
    return Failure(ErrorCode.NetworkError, QtNetworkError.ProtocolInvalidOperationError, text, ends_the_call=True)


class RecordedTransfer:
    """A transfer of the python engine, whose exchange is recorded when it has ended. See ``Transfer``."""

    has_worker = False

    def __init__(self, transfer: Transfer, request: Request, exchanges: Exchanges, now: Callable[[], float]) -> None:
        """``now``: reads the clock of the call."""
        self._transfer = transfer
        self._request = request
        self._exchanges = exchanges
        self._started = time.time()
        self._now, self._began = now, now()
        self._chunks: Optional[list[bytes]] = None
        self._received = 0
        self._begun: Optional[Response] = None
        """The response without its body, if its header has come before."""
        self._has_ended = False
        self.waits_for: Wanted = transfer.waits_for

    @property
    def engine_name(self) -> str:
        return self._transfer.engine_name

    @property
    def trace(self) -> TransferTrace:
        return self._transfer.trace

    def step(self) -> Optional[Event]:
        event = self._transfer.step()
        self.waits_for = self._transfer.waits_for
        if event is not None:
            self._note(event)
        return event

    def take(self, seconds: float) -> Event:
        event = self._transfer.take(seconds)
        self._note(event)
        return event

    def close(self) -> None:
        self._transfer.close()
        if not self._has_ended:
            begun = self._begun or Response(self._request, engine="python")
            self._note(begun._replace(failure=canceled()))

    def abort(self) -> None:
        self._transfer.abort()

    def read_buffer_resized(self) -> None:
        self._transfer.read_buffer_resized()

    def look_for_connection(self) -> None:
        self._transfer.look_for_connection()

    def is_connected(self) -> bool:
        return self._transfer.is_connected()

    def failure_if_dead(self) -> Optional[Failure]:
        return self._transfer.failure_if_dead()

    def _note(self, event: Event) -> None:
        if isinstance(event, HeadersReceived):
            self._chunks, self._begun = [], event.response
        elif isinstance(event, BodyChunks) and self._chunks is not None:
            for chunk in event.chunks:
                self._received += len(chunk)
                if self._received <= MOST_BODY_BYTES:
                    self._chunks.append(bytes(chunk))
        elif isinstance(event, Response) and not self._has_ended:
            self._has_ended = True
            failure = event.failure
            # A request that ends the call was not sent: a test has no reply for it.
            if failure is None or not failure.ends_the_call:
                self._record(event)

    def _record(self, response: Response) -> None:
        request, failure, trace = self._request, response.failure, response.trace
        whole: Optional[bytes] = response.body if self._chunks is None else b"".join(self._chunks)
        if self._received > MOST_BODY_BYTES or len(response.body) > MOST_BODY_BYTES:
            whole = None
        extra = {"_engine": response.engine}
        if failure is not None:
            extra["_errorCode"] = failure.error.name
        entry = HarEntry(
            method=request.method,
            url=request.url,
            started=self._started,
            seconds=self._now() - self._began,
            request_headers=request.headers,
            request_body=kept_body(request),
            request_size=body_size(request),
            status=response.status or 0,
            reason=response.reason,
            http_version=response.http_version,
            response_headers=response.headers.pairs,
            response_body=None if whole is None else _decoded(whole, request, response),
            response_size=-1,
            encoded_size=response.encoded_bytes,
            timings=timings_of(trace),
            peer=None if trace is None else trace.peer,
            error="" if failure is None else _ENDED if failure.code is ErrorCode.CanceledError else failure.text,
            extra=extra,
        )
        self._exchanges.add(entry, request.redacted_names)


def _decoded(body: bytes, request: Request, response: Response) -> bytes:
    """Return a body decoded, also if the caller wanted it as it came. HAR has no other ones."""
    encoding = response.headers.value(b"content-encoding")
    if request.decode or not encoding:
        return body
    try:
        reader = BodyReader(None, encoding)
        for _ in reader.pieces(body):
            pass
        return reader.content()
    except BodyError:
        return body


def recorded_reply(entry: HarEntry, request: Request) -> FakeReply:
    """Return the reply of an exchange."""
    failure = _failure(entry)
    pause = 0.0
    if failure is not None and failure.code is ErrorCode.CanceledError:
        pause = max(entry.seconds, 0.0) + _LATE_SECONDS
    if not entry.status:
        return FakeReply(delay=pause, failure=failure or _no_response())
    body = entry.response_body or b""
    if entry.response_body is None and entry.response_size > 0:
        text = f"The recording does not have the body of {entry.response_size} bytes"
        return FakeReply(failure=Failure(ErrorCode.NetworkError, QtNetworkError.UnknownNetworkError, text))
    is_head = request.method == "HEAD"
    fields = tuple(pair for pair in entry.response_headers if is_head or pair[0].lower() not in _FRAMING)
    if has_body(entry.status) and not is_head:
        size = len(body) if failure is None else len(body) + 1
        fields += ((b"Content-Length", b"%d" % size),)
    pieces = (body, pause, failure) if failure is not None else (body,)
    return FakeReply(entry.status, entry.reason, fields, pieces)


def _failure(entry: HarEntry) -> Optional[Failure]:
    name = str(entry.extra.get("_errorCode", ""))
    if not entry.error:
        return None
    error = QtNetworkError.__members__.get(name, QtNetworkError.UnknownNetworkError)
    return Failure(CODES.get(error, ErrorCode.NetworkError), error, entry.error)


def _no_response() -> Failure:
    text = "The recording has no response of the server"
    return Failure(ErrorCode.NetworkError, QtNetworkError.UnknownNetworkError, text)

"""Stream: iterates over the body of one response while it arrives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Optional

from .._names import public
from ..bodies.sink import merge_responses
from ..calls.call import Call
from ..engines.mailbox import DEFAULT_READ_BUFFER
from ..feedback import FeedbackLike
from ..models.http_messages import Response
from ..models.redaction import redact_url
from ..prepare.arguments import CallArguments
from ..prepare.build_request import url_text
from ..prepare.settings import checked_bytes
from ..reply import ReplyContent

if TYPE_CHECKING:
    from ..bodies.upload import Data
    from ..prepare.request_attributes import RequestLike
    from .call_runner import CallRunner
    from .request import BlockingNetworkRequest


@public
class Stream:
    """The body of a response as an iterator over bytes, made by ``BlockingNetworkRequest.stream``.

    It is a context manager: the request is sent when the block is entered. Only the thread that entered the block may
    iterate; ``close`` may be called in any thread.
    """

    _call: Optional[Call] = None
    _context: Any = None

    def __init__(
        self,
        request: BlockingNetworkRequest,
        runner: CallRunner,
        target: RequestLike,
        data: Data,
        verb: str,
        feedback: Optional[FeedbackLike],
        arguments: CallArguments,
    ) -> None:
        self._request = request
        self._runner = runner
        self._target = target
        self._url = redact_url(url_text(target))
        self._data = data
        self._verb = verb
        self._feedback = feedback
        self._arguments = arguments
        self._begun: Optional[Response] = None
        self._chunks: Iterator[bytes] = iter(())
        self._reply = ReplyContent()
        self._is_waiting = False
        """Whether a thread waits for the next chunk."""
        self._is_closed = False
        """Whether ``close`` was called while the next chunk was waited for, or in another thread."""
        self._read_buffer = DEFAULT_READ_BUFFER
        self._thread = 0
        """The thread that has entered the block. Slots and preprocessors run in it only."""

    def reply(self) -> ReplyContent:
        """Return a reply with the status and the headers, without the body. It is empty before the block is entered."""
        return self._reply

    def setReadBufferSize(self, size: int) -> None:
        """Set how many bytes of the body may be received that the program has not taken yet, as in QNetworkReply.

        - ``size``: in bytes. The server can send no more if so many wait here. A small size saves memory, and gives
          small chunks; a large one keeps the connection busy while the program does something else. 0 removes the
          limit. The default is 6 MiB.

        May be called in any thread, before the block is entered and inside it. A smaller size does not concern bytes
        that were already received.

        The qt engine may exceed the limit by 256 KiB, on a busy machine by 4 MiB, and the operating system has buffers
        of its own. A size below 12 KiB counts as 12 KiB. The bytes count as they were sent: if a body is compressed,
        its chunks may be larger. Over HTTP/2 the stream's window, 1 MiB by default, may be received in any case. The
        ``python`` engine receives only while the program waits for the next chunk, and at most 256 KiB. So a larger
        size, or 0, changes nothing there.

        Raises TypeError if ``size`` is not an int, ValueError if it is negative.
        """
        self._read_buffer = checked_bytes(size, "size")
        call = self._call
        if call is not None:
            call.resize_read_buffer(self._read_buffer)

    def readBufferSize(self) -> int:
        """Return how many bytes may be received that the program has not taken yet; 0: any number."""
        return self._read_buffer

    def __repr__(self) -> str:
        return f"<Stream: {self._verb} {self._url}>"

    def __enter__(self) -> Stream:
        """Send the request and block until the headers are there.

        Raises RequestError if the outcome is not NoError, RuntimeError if the request object runs another call.
        """
        if self._context is not None:
            raise RuntimeError("a stream can be entered once: call stream() again")
        self._thread = threading.get_ident()
        runner = self._runner
        context = self._context = runner.begin(self._target, self._verb, self._arguments)
        response: Optional[Response] = None
        try:
            data, feedback = self._data, self._feedback
            response = runner.run(self._request, context, data, False, feedback, None, self._read_buffer)
            if response.is_streaming and runner.running is not None:
                self._begun, self._chunks = response, runner.running.iter_chunks()
                self._call = runner.running
                self._call.resize_read_buffer(self._read_buffer)  # a slot may have changed it meanwhile
        finally:
            if self._call is None:
                self._end(response)
        self._reply = runner.reply if self._begun is None else ReplyContent.from_response(response, 0.0, -1)
        self._reply.raiseForError()
        if self._begun is None:
            # The response is complete already: a local file, for example.
            self._chunks = iter([response.body] if response.body else [])
        return self

    def close(self) -> None:
        """End the transfer, even if the body is not complete. Afterwards the iterator gives no more chunks.

        May be called in any thread, more than once, and in a slot that runs while the next chunk is waited for. In
        another thread it only cancels the transfer. The thread that has entered the block then ends the transfer when
        it takes the next chunk or leaves the block.
        """
        call = self._call
        if call is not None and (self._is_waiting or threading.get_ident() != self._thread):
            self._is_closed = True
            call.cancel()
        else:
            self._leave()

    def _leave(self) -> None:
        call = self._call
        if call is None:
            return
        self._chunks = iter(())
        call.abandon()
        assert self._begun is not None
        response = call.streamed_response
        self._end(self._begun if response is None else merge_responses(self._begun, response))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next chunk.

        Raises RequestError if the body breaks off or is corrupt, or if the call times out or is cancelled; RuntimeError
        if the block was not entered.
        """
        if self._context is None:
            raise RuntimeError("a stream sends its request on entering: with request.stream(url) as chunks: ...")
        self._is_waiting = True
        try:
            chunk = next(self._chunks, None)
        finally:
            self._is_waiting = False
        if chunk is not None and not self._is_closed:
            return chunk
        call = self._call
        if call is not None:
            call.abandon()
            if call.streamed_response is not None:
                self._end(merge_responses(self._begun, call.streamed_response))  # type: ignore[arg-type]
                if not self._is_closed:
                    self._runner.reply.raiseForError()
        raise StopIteration

    def __exit__(self, *_: object) -> None:
        self._leave()

    def __del__(self) -> None:
        # The block was never left: the stream was dropped, or Ctrl-C came before the block began. Release the request
        # without a signal, because a destructor may run in any thread.
        if self._context is not None:
            if self._call is not None:
                self._call.abandon()
                response = self._call.streamed_response
                if response is not None and self._call.report is not None:
                    self._context.report_end(self._call.report, merge_responses(self._begun, response))  # type: ignore[arg-type]
            self._runner.release(self._context)

    def _end(self, response: Optional[Response]) -> None:
        self._call = None
        self._runner.end(self._request, self._context, response)

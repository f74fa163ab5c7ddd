"""Stream: the body of one response, chunk by chunk, in the thread that iterates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Optional

from .._names import public
from ..bodies.sink import merge_responses
from ..calls.call import Call
from ..feedback import FeedbackLike
from ..models.http_messages import Response
from ..models.redaction import redact_url
from ..prepare.arguments import CallArguments
from ..prepare.build_request import url_text
from ..reply import ReplyContent

if TYPE_CHECKING:
    from ..bodies.upload import Data
    from ..prepare.request_attributes import RequestLike
    from .call_runner import CallRunner
    from .request import BlockingNetworkRequest


@public
class Stream:
    """A context manager and an iterator over bytes; for the thread that has entered it."""

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
        """Whether a thread is inside ``next``."""
        self._is_closed = False
        """Whether ``close`` was called in the meantime."""

    def reply(self) -> ReplyContent:
        """Status and headers, from the moment the block is entered; the body is not in it."""
        return self._reply

    def __repr__(self) -> str:
        return f"<Stream: {self._verb} {self._url}>"

    def __enter__(self) -> Stream:
        """Raises RequestError for whatever is not NoError, and RuntimeError where the request is busy."""
        if self._context is not None:
            raise RuntimeError("a stream can be entered once: call stream() again")
        runner = self._runner
        context = self._context = runner.begin(self._target, self._verb, self._arguments)
        response: Optional[Response] = None
        try:
            response = runner.run(self._request, context, self._data, False, self._feedback, None, streams=True)
            if response.is_streaming and runner.running is not None:
                self._begun, self._chunks = response, runner.running.iter_chunks()
                self._call = runner.running
        finally:
            if self._call is None:
                self._end(response)
        self._reply = runner.reply if self._begun is None else ReplyContent.from_response(response, 0.0, -1)
        self._reply.raiseForError()
        if self._begun is None:
            # A local file: there it is.
            self._chunks = iter([response.body] if response.body else [])
        return self

    def close(self) -> None:
        """End the transfer if the body has not come to its end; the block may go on, and nothing more comes.

        Leaving the block does the same. May be called again, from a slot that is called while the next chunk is waited
        for, and from another thread.
        """
        call = self._call
        if call is None:
            return
        if self._is_waiting:
            self._is_closed = True
            call.cancel()
            return
        self._chunks = iter(())
        call.abandon()
        assert self._begun is not None
        response = call.streamed_response
        self._end(self._begun if response is None else merge_responses(self._begun, response))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Raises RequestError if the body breaks off, is corrupt, late or cancelled; RuntimeError outside the block."""
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
        self.close()

    def __del__(self) -> None:
        # It was dropped, or Ctrl-C came before its block began: nothing is told, but its request is free again.
        if self._context is not None:
            if self._call is not None:
                self._call.abandon()
            self._runner.release(self._context)

    def _end(self, response: Optional[Response]) -> None:
        self._call = None
        self._runner.end(self._request, self._context, response)

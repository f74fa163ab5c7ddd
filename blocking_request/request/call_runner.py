"""CallRunner: runs the calls of one BlockingNetworkRequest, one at a time, in the calling thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from .. import trace
from ..bodies.sink import BodySink
from ..bodies.upload import Data
from ..calls.call import Call, do_nothing
from ..calls.context import CallContext, new_context
from ..calls.pipeline import build_flow
from ..calls.sink_flow import build_sink_flow
from ..engines.python.failures import is_out_of_descriptors, unknown_failure
from ..errors import ErrorCode
from ..feedback import FeedbackLike
from ..manager.manager import NetworkAccessManager
from ..manager.settings_holder import settings_of
from ..models.error_texts import canceled
from ..models.failure import RequestNotSent
from ..models.http_messages import Response
from ..prepare.arguments import CallArguments
from ..prepare.options import usable_engine
from ..prepare.prepare_call import prepare_call
from ..prepare.request_attributes import RequestLike, transfer_timeout
from ..prepare.settings import Settings
from ..reply import ReplyContent
from .interpreter_exit import blocked_callers
from .options import overrides_of, own_deadline, own_timeout
from .signals import RequestSignals, emit_end

if TYPE_CHECKING:
    from .request import BlockingNetworkRequest


class CallRunner:
    """Runs calls and keeps the reply of the last one. ``cancel`` may be called in any thread.

    It has no reference to its owner, the BlockingNetworkRequest: in a reference cycle that would be deleted only when
    the garbage collector runs.
    """

    def __init__(self, manager: NetworkAccessManager, has_slots: bool) -> None:
        self.has_slots = has_slots
        """Whether a slot was ever connected to a signal of the owner."""
        self.reply = _EMPTY_REPLY
        """The reply of the last call."""
        self.running: Optional[Call] = None
        """The call that runs now."""
        self._manager = manager
        self._holder: dict[int, CallContext] = {}
        """The context of the call that runs, at key 0. It serves as a lock that knows its holder: if Ctrl-C interrupts
        ``begin``, ``release`` frees it only if this call holds it. A ``threading.Lock`` could not tell."""

    @property
    def is_running(self) -> bool:
        return self.running is not None

    def cancel(self) -> None:
        """Cancel the call that runs, if any."""
        call = self.running
        if call is not None:
            call.cancel()

    def call(
        self,
        owner: BlockingNetworkRequest,
        target: RequestLike,
        method: str,
        data: Data,
        force_refresh: bool,
        feedback: Optional[FeedbackLike],
        arguments: CallArguments,
        sink: Optional[BodySink],
    ) -> ErrorCode:
        """Do one whole call. Raises RuntimeError if another one runs."""
        context = self.begin(target, method, arguments)
        response: Optional[Response] = None
        try:
            response = self.run(owner, context, data, force_refresh, feedback, sink)
        finally:
            # finished() is emitted even if an exception (Ctrl-C) has ended the call.
            try:
                self.end(owner, context, response)
            finally:
                self.release(context)
        return self.reply.errorCode()

    def begin(self, target: RequestLike, method: str, arguments: CallArguments) -> CallContext:
        """Start a call. The caller must call ``end`` for it. Raises RuntimeError if another one runs."""
        context = new_context(target, method, settings_of(self._manager), arguments)
        try:
            if self._holder.setdefault(0, context) is not context:
                raise RuntimeError(
                    "this BlockingNetworkRequest is busy with another call: use one object for each thread, "
                    "and another one within a slot"
                )
            blocked_callers.add(self)
            self.reply = _EMPTY_REPLY
        except BaseException:
            self.release(context)
            raise
        return context

    def run(
        self,
        owner: BlockingNetworkRequest,
        context: CallContext,
        data: Data,
        force_refresh: bool,
        feedback: Optional[FeedbackLike],
        sink: Optional[BodySink],
        read_buffer: Optional[int] = None,
    ) -> Response:
        """Send the request and block until the response is complete.

        ``read_buffer``: how many bytes of the body the engine may hold. With it, block only until the headers are
        there: if the response ``is_streaming`` then, ``running.iter_chunks()`` reads its body.
        """
        settings = context.settings
        try:
            # Precedence of the idle timeout: call, QNetworkRequest, request object, manager.
            engine = usable_engine(owner)
            idle_ms = context.arguments.timeout
            if idle_ms is None:
                idle_ms = transfer_timeout(context.target) or own_timeout(owner, settings)
            deadline_ms = own_deadline(owner, settings)
            observer = RequestSignals(owner, self, context, self._manager)
            call = self.running = Call(
                engine=engine,
                idle_ms=idle_ms,
                deadline_ms=deadline_ms,
                observer=observer,
                feedback=feedback,
                poll=_poll_of(settings),
                clock=context.clock,
            )
            if read_buffer is not None:
                call.resize_read_buffer(read_buffer)
            prepared = prepare_call(
                context,
                self._manager,
                data,
                overrides_of(owner, engine, settings),
                call,
                force_refresh,
                read_buffer is not None or sink is not None,
            )
            if prepared.needs_redirect_verifier:
                prepared = prepared._replace(verify_redirect=observer.verify_redirect)
            if trace.wants_calls():
                call.report = context.report_start(prepared.request)
            if sink is None:
                return call.run(build_flow(prepared))
            return call.run_into_sink(build_sink_flow(sink, prepared, call.settle))
        except RequestNotSent as request_not_sent:
            return context.failed(request_not_sent.failure)
        except OSError as error:  # modules are loaded when they are first needed
            if not is_out_of_descriptors(error):
                raise
            return context.failed(unknown_failure(error))

    def end(self, owner: BlockingNetworkRequest, context: CallContext, response: Optional[Response]) -> None:
        """Make the reply, notify the manager and emit the last signals. ``response``: None if an exception ended it."""
        try:
            response = response or context.failed(_CANCELED)
            context.report_end(None if self.running is None else self.running.report, response)
            reply = self.reply = context.to_reply(response)
            try:
                context.notify(self._manager, reply)
            finally:
                if self.has_slots:
                    emit_end(owner, reply)
        finally:
            self.release(context)

    def release(self, context: CallContext) -> None:
        """Allow the next call to begin, if this is the call that runs."""
        if self._holder.get(0) is context:
            self.running = None
            blocked_callers.discard(self)
            self._holder.clear()


def _poll_of(settings: Settings) -> Callable[[], None]:
    """Return the function that the call runs regularly while it waits."""
    if not settings.qgis:
        return do_nothing
    from ..qgis.auth import attention

    return attention()


_EMPTY_REPLY = ReplyContent()
_CANCELED = canceled()

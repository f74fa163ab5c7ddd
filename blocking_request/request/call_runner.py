"""CallRunner: runs the calls of one BlockingNetworkRequest, one at a time, in the thread of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from ..bodies.sink import BodySink
from ..bodies.upload import Data
from ..calls.call import Call, do_nothing
from ..calls.context import CallContext, new_context
from ..calls.pipeline import build_flow
from ..calls.progress import ProgressReporter, progress_reporter, signal_method
from ..calls.sink_flow import build_sink_flow
from ..errors import ErrorCode
from ..feedback import FeedbackLike
from ..manager.manager import NetworkAccessManager
from ..manager.settings_holder import settings_of
from ..models.error_texts import canceled
from ..models.failure import QtNetworkError, RequestNotSent, network_failure
from ..models.http_messages import Request, Response
from ..prepare.arguments import CallArguments
from ..prepare.prepare_call import prepare_call
from ..prepare.request_attributes import RequestLike, transfer_timeout
from ..prepare.settings import Settings
from ..qt.binding import encoded_url, is_deleted
from ..qt.slot_exceptions import slot_exceptions_reported
from ..reply import ReplyContent
from ..trace import Watcher
from .interpreter_exit import blocked_callers
from .options import overrides_of, own_deadline, own_timeout

if TYPE_CHECKING:
    from .request import BlockingNetworkRequest


class CallRunner:
    """For the thread that calls; ``cancel`` may come from any.

    It does not hold its owner, the request object: that would then live until the garbage collector comes by.
    """

    def __init__(self, manager: NetworkAccessManager) -> None:
        self.reply = _EMPTY_REPLY
        """What the last call came to."""
        self.watchers: tuple[Watcher, ...] = ()
        self.running: Optional[Call] = None
        """The call that runs."""
        self._manager = manager
        self._holder: dict[int, CallContext] = {}
        """The call that this object is busy with: a lock would not tell whose it is if Ctrl-C comes as it is taken."""

    @property
    def is_running(self) -> bool:
        return self.running is not None

    def cancel(self) -> None:
        """End the call that runs, if there is one."""
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
        """Do one call from its beginning to its end. Raises RuntimeError if another runs."""
        context = self.begin(target, method, arguments)
        response: Optional[Response] = None
        try:
            response = self.run(owner, context, data, force_refresh, feedback, sink)
        finally:
            # An exception (Ctrl-C) may have ended the call: slots of finished() are called all the same.
            try:
                self.end(owner, context, response)
            finally:
                self.release(context)
        return self.reply.errorCode()

    def begin(self, target: RequestLike, method: str, arguments: CallArguments) -> CallContext:
        """Start a call, which ``end`` must end. Raises RuntimeError if another runs."""
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
        streams: bool = False,
    ) -> Response:
        """Send, and block until there is a response. ``streams``: until its header is there; its body is left to
        ``running.iter_chunks()`` if it ``is_streaming``.
        """
        settings = context.settings
        try:
            engine = _usable_engine(owner)
            idle_ms = context.arguments.timeout
            if idle_ms is None:
                idle_ms = transfer_timeout(context.target) or own_timeout(owner, settings)
            deadline_ms = own_deadline(owner, settings)
            observer = _Observer(owner, self.watchers)
            call = self.running = Call(
                engine=engine,
                idle_ms=idle_ms,
                deadline_ms=deadline_ms,
                observer=observer,
                feedback=feedback,
                poll=_poll_of(settings),
            )
            prepared = prepare_call(
                context,
                self._manager,
                data,
                overrides_of(owner, engine, settings),
                call.stop_reason,
                force_refresh,
                streams or sink is not None,
            )
            if sink is None:
                return call.run(build_flow(prepared))
            return call.run_into_sink(build_sink_flow(sink, prepared, call.settle))
        except RequestNotSent as request_not_sent:
            return context.failed(request_not_sent.failure)

    def end(self, owner: BlockingNetworkRequest, context: CallContext, response: Optional[Response]) -> None:
        """Make the reply and tell everybody. ``response``: None if an exception ends the call."""
        try:
            response = response or context.failed(_CANCELED)
            reply = self.reply = context.to_reply(response)
            try:
                context.notify(self._manager, reply)
            finally:
                _emit_finished(owner)
        finally:
            self.release(context)

    def release(self, context: CallContext) -> None:
        """Let the next call begin, if this one has held it up so far."""
        if self._holder.get(0) is context:
            self.running = None
            blocked_callers.discard(self)
            self._holder.clear()


class _Observer:
    """Tells the signals and watchers of a request of its call."""

    def __init__(self, owner: BlockingNetworkRequest, watchers: tuple[Watcher, ...]) -> None:
        self._owner = owner
        self.watchers = watchers

    def progress_reporter(self, feedback: Optional[FeedbackLike]) -> Optional[ProgressReporter]:
        return progress_reporter(self._owner, feedback)

    def on_redirect(self, request: Request) -> None:
        if is_deleted(self._owner):
            return
        with slot_exceptions_reported:
            self._owner.redirected.emit(encoded_url(request.url))


def _emit_finished(owner: BlockingNetworkRequest) -> None:
    # If nothing is connected, nothing needs to be done: it is so for most calls.
    if not is_deleted(owner) and owner.isSignalConnected(signal_method(type(owner), "finished()")):  # type: ignore[arg-type]
        with slot_exceptions_reported:
            owner.finished.emit()


def _usable_engine(owner: BlockingNetworkRequest) -> str:
    """Raises RequestNotSent if the environment names an engine that there is not."""
    try:
        return owner.engine()
    except ValueError as error:
        raise RequestNotSent(network_failure(QtNetworkError.ProtocolInvalidOperationError, str(error))) from None


def _poll_of(settings: Settings) -> Callable[[], None]:
    """What the call looks after while it waits."""
    if not settings.qgis:
        return do_nothing
    from ..qgis.auth import attention

    return attention()


_EMPTY_REPLY = ReplyContent()
_CANCELED = canceled()

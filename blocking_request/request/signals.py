"""Emits the signals of a BlockingNetworkRequest, in the thread of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._first_use import first_use
from ..calls.progress import ProgressReporter, progress_reporter
from ..engines.events import HELD_BACK, NO_STEPS, Step, StepReached
from ..errors import ErrorCode
from ..feedback import FeedbackLike
from ..models.http_messages import Request, Response
from ..models.transfer_trace import TransferTrace
from ..qt.binding import encoded_url
from ..qt.emit import emit, is_connected
from ..reply import ReplyContent

if TYPE_CHECKING:
    from ..calls.context import CallContext
    from ..manager.manager import NetworkAccessManager
    from .call_runner import CallRunner
    from .request import BlockingNetworkRequest

_STEP_SIGNALS = tuple(step.value for step in Step)


class RequestSignals:
    """Reports the events of a call to the signals of its request. It is a CallObserver."""

    _wanted: Optional[frozenset[Step]] = None
    """The steps that were wanted last; None before the first request."""
    _reported: Optional[TransferTrace] = None
    """The trace of the response that ``metaDataChanged`` has reported last."""
    _has_reported_redirect = False
    """Whether ``verify_redirect`` reports the redirects of this call."""

    def __init__(
        self, owner: BlockingNetworkRequest, runner: CallRunner, context: CallContext, manager: NetworkAccessManager
    ) -> None:
        self._owner = owner
        self._manager = manager
        self._runner = runner
        self._context = context

    def progress_reporter(self, feedback: Optional[FeedbackLike]) -> Optional[ProgressReporter]:
        has_listener = feedback is not None or self._runner.has_slots
        return progress_reporter(self._owner, feedback) if has_listener else None

    def wanted_steps(self) -> frozenset[Step]:
        """Return the steps for which a slot is connected, and remember them for ``on_response``."""
        self._wanted = NO_STEPS
        if self._runner.has_slots and is_connected(self._owner, *_STEP_SIGNALS):
            self._wanted = frozenset(step for step in Step if is_connected(self._owner, step.value))
        if self._manager.encrypted:
            self._wanted |= {Step.ENCRYPTED}
        return self._wanted

    def on_step(self, event: StepReached) -> None:
        response = event.response
        if event.step is not Step.HEADERS_RECEIVED:
            if response is not None:
                self._runner.reply = self._context.to_reply(response.without_credentials())
            _emit(self._owner, event.step.value)
            if event.step is Step.ENCRYPTED:
                # The signal of the same name of the request's manager.
                self._manager.encrypted.emit(self._runner.reply)
        elif response is not None and response.status not in HELD_BACK:
            self._emit_meta_data_changed(response.without_credentials())

    def verify_redirect(self, _: str, target: str) -> Optional[bool]:
        """Ask the slots of ``redirected`` whether to follow a redirect. None: there is no slot."""
        with first_use:
            from .redirect_consent import is_allowed
        self._has_reported_redirect = True
        allowed = is_allowed(self._owner, target)
        call = self._runner.running
        # If the call was cancelled meanwhile, that is its outcome: it ends before the next request is sent.
        return allowed if call is None or call.stop_reason() is None else True

    def on_redirect(self, request: Request) -> None:
        if self._has_reported_redirect:
            return
        emit(self._owner, "redirected", encoded_url(request.url))

    def on_response(self, response: Response) -> None:
        wanted = self.wanted_steps() if self._wanted is None else self._wanted
        if not wanted or Step.HEADERS_RECEIVED not in wanted or response.status is None:
            return
        if response.trace is None or response.trace is not self._reported:
            self._emit_meta_data_changed(response._replace(body=b""))

    def _emit_meta_data_changed(self, response: Response) -> None:
        self._reported = response.trace
        self._runner.reply = self._context.to_reply(response)
        _emit(self._owner, "metaDataChanged")


def emit_end(owner: BlockingNetworkRequest, reply: ReplyContent) -> None:
    """Emit the last signals of a call."""
    if reply.errorCode() is not ErrorCode.NoError:
        _emit(owner, "errorOccurred", reply.error())
    _emit(owner, "downloadFinished")
    _emit(owner, "finished")


def _emit(owner: BlockingNetworkRequest, signal: str, *arguments: object) -> None:
    # If a subclass uses the name for something else, it is not connected, and must not be called.
    if is_connected(owner, signal):
        emit(owner, signal, *arguments)

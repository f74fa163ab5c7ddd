"""CallContext: the data of one call, from the caller's request to the reply. Single calls and batches both use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from .. import trace
from ..engines.clock import Clock, new_clock
from ..models.failure import Failure
from ..models.http_messages import Request, Response
from ..models.redaction import hidden_repr
from ..prepare.arguments import NO_ARGUMENTS, CallArguments
from ..prepare.build_request import url_text
from ..prepare.request_attributes import RequestLike
from ..prepare.settings import Settings
from ..qt.network_request import qt_request_copy
from ..reply import ReplyContent, next_request_id, response_of

if TYPE_CHECKING:
    from ..manager.manager import NetworkAccessManager


class CallContext(NamedTuple):
    """The data of one call: request, method, settings, id, clock, start (by the clock) and arguments."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    target: RequestLike
    method: str
    settings: Settings
    request_id: int
    clock: Clock
    started: float
    arguments: CallArguments = NO_ARGUMENTS

    def failed(self, failure: Failure) -> Response:
        """Return the response of a call that failed before its Request was built."""
        secrets = self.settings.secret_parameters
        return Response(Request(self.method, url_text(self.target), redacted_names=secrets), failure=failure)

    def report_start(self, request: Request) -> Optional[trace.ReportedCall]:
        """Report the start of the call, as its Request is there. None if no recorder wants the call."""
        return trace.call_started(request, self.settings.owner, self.request_id, self.started, self.clock.now)

    def report_end(self, report: Optional[trace.ReportedCall], response: Response) -> None:
        """Report the end of the call to the log and to the recorders. ``report``: the result of ``report_start``."""
        trace.call_ended(report, response, self.settings.owner, self.request_id, self.started, self.clock.now)

    def to_reply(self, response: Response) -> ReplyContent:
        """Return the reply of the call, with its id and duration."""
        return ReplyContent.from_response(response, self.clock.now() - self.started, self.request_id)

    def notify(self, manager: NetworkAccessManager, reply: ReplyContent) -> None:
        """Call the reply preprocessors, and emit the manager's ``finished`` if a slot is connected."""
        for _, processor in self.settings.reply_preprocessors:
            processor(qt_request_copy(response_of(reply).request), reply)
        if manager.finished:
            manager.finished.emit(reply)


def new_context(
    target: RequestLike,
    method: str,
    settings: Settings,
    arguments: CallArguments = NO_ARGUMENTS,
    clock: Optional[Clock] = None,
) -> CallContext:
    """Return the context of a call that starts now, with a new id. ``clock``: None: a new one."""
    clock = clock or new_clock()
    return CallContext(
        target=target,
        method=method,
        settings=settings,
        request_id=next_request_id(),
        clock=clock,
        started=clock.now(),
        arguments=arguments,
    )

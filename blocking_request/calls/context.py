"""CallContext: one call from the request that the caller gave to the reply, single or of a batch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from ..bodies.upload import Data, read_body
from ..models.failure import Failure
from ..models.http_messages import Request, Response
from ..models.redaction import hidden_repr
from ..models.urls import is_canonical
from ..qt.network_request import native_copy
from ..reply import ReplyContent, next_request_id
from .arguments import NO_ARGUMENTS, CallArguments
from .options import CallOptions, CallOverrides, call_options, with_settings
from .prepare import Defaults, prepare, url_text
from .request_attributes import RequestLike
from .request_parameters import parameters_of
from .settings import Settings

if TYPE_CHECKING:
    from ..manager.manager import NetworkAccessManager


class CallContext(NamedTuple):
    """The parts of one call that blocking and batch calls share: its request, settings, number and start."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    target: RequestLike
    method: str
    settings: Settings
    request_id: int
    started: float
    arguments: CallArguments = NO_ARGUMENTS

    def build_request(
        self,
        manager: NetworkAccessManager,
        data: Data,
        own: CallOverrides,
        stop_reason: Callable[[], Optional[Failure]],
        force_refresh: bool,
        streams: bool,
    ) -> tuple[Request, CallOptions]:
        """Return the request and its options, and emit ``requestAboutToBeCreated``. Raises RequestNotSent."""
        target, settings = self.target, self.settings
        body = read_body(data, stop_reason)
        is_plain = body is None and isinstance(target, str) and not own.auth_cfg and is_canonical(target)
        key = self.method, own, force_refresh, streams, self.arguments
        known = settings.plain[0] if is_plain and settings.plain else None
        if known is not None and known[0] == key:
            request, rules = known[1].at(target), known[2]  # type: ignore[arg-type]
        else:
            rules = call_options(target, settings, own, stop_reason, force_refresh)
            defaults = Defaults(settings.user_agent, settings.default_headers)
            request = prepare(target, self.method, body, force_refresh, defaults, self.arguments)
            request = with_settings(request, settings, rules.auth, streams)
            if is_plain:
                settings.plain[:] = [(key, request, rules)]
        if manager.requestAboutToBeCreated:
            manager.requestAboutToBeCreated.emit(parameters_of(request, self.request_id))
        return request, rules

    def failed(self, failure: Failure) -> Response:
        """Where there is not even a request."""
        secrets = self.settings.secret_parameters
        return Response(Request(self.method, url_text(self.target), redacted_names=secrets), failure=failure)

    def reply(self, response: Response) -> ReplyContent:
        """What it came to."""
        return ReplyContent.from_response(response, time.monotonic() - self.started, self.request_id)

    def tell(self, manager: NetworkAccessManager, reply: ReplyContent) -> None:
        """Call the reply preprocessors, and emit the manager's ``finished`` if a slot is connected."""
        for _, processor in self.settings.reply_preprocessors:
            processor(native_copy(reply._response.request), reply)
        if manager.finished:
            manager.finished.emit(reply)


def new_context(
    target: RequestLike, method: str, settings: Settings, arguments: CallArguments = NO_ARGUMENTS
) -> CallContext:
    return CallContext(target, method, settings, next_request_id(), time.monotonic(), arguments)

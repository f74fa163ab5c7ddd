"""PreparedCall: the request of one call and its options, as the caller, the attributes and the settings have them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Protocol

from .._first_use import first_use
from ..bodies.upload import Data, read_body
from ..flows.redirects import RedirectPolicy, RedirectRules
from ..models.failure import Failure, RequestNotSent
from ..models.http_messages import Request
from ..models.redaction import hidden_repr
from ..models.urls import is_canonical
from .build_request import Defaults, build_request
from .options import CallOptions, CallOverrides, call_options, with_settings
from .settings import Settings, plain_request

if TYPE_CHECKING:
    from ..calls.context import CallContext
    from ..manager.manager import NetworkAccessManager


class PreparedCall(NamedTuple):
    """The values from which ``build_flow`` makes the flow of a call."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    request: Request
    options: CallOptions
    settings: Settings
    verify_redirect: Optional[Callable[[str, str], Optional[bool]]] = None
    """Serves as ``RedirectRules.verify``. It is kept apart from ``options``, because a manager keeps the last ones."""

    @property
    def redirects(self) -> RedirectRules:
        rules = self.options.redirects
        return rules if self.verify_redirect is None else replace(rules, verify=self.verify_redirect)

    @property
    def needs_redirect_verifier(self) -> bool:
        """Whether the user must allow each redirect, and the manager has no redirect handler."""
        rules = self.options.redirects
        return rules.policy is RedirectPolicy.UserVerified and rules.verify is None


class StopReasons(Protocol):
    """A Call or its Timeouts."""

    def stop_reason(self) -> Optional[Failure]:
        """Return why the call must end: cancelled, or deadline passed. None: it need not."""

    def stop_reason_of_wait(self, began: float) -> Optional[Failure]:
        """The same for a call that waits since a time of ``time.monotonic``, for which the idle timeout counts, too."""


def prepare_call(
    context: CallContext,
    manager: NetworkAccessManager,
    data: Data,
    overrides: CallOverrides,
    stops: StopReasons,
    force_refresh: bool,
    streams: bool,
) -> PreparedCall:
    """Build the request of a call, and emit ``requestAboutToBeCreated``, for a URL that cannot be requested, too.

    ``overrides``: the settings of the request object; ``stops``: tells while a body is read, and while QGIS is waited
    for, whether the call must end; ``streams``: whether the body of the response is not kept in memory. Raises
    RequestNotSent.
    """
    target, settings = context.target, context.settings
    body = read_body(data, stops.stop_reason)
    has_body = body is not None
    is_plain = (
        (body is None or (isinstance(body, bytes) and body != b""))  # an empty one may be left out
        and isinstance(target, str)
        and not overrides.auth_cfg
        and not settings.proxies.qgis_auth_cfg
        and is_canonical(target)
    )
    key = context.method, has_body, overrides, force_refresh, streams, context.arguments
    plain = settings.last_built.plain_request if is_plain else None
    if plain is not None and plain.key == key:
        request, options = plain.with_target(target, body), plain.options  # type: ignore[arg-type]
    else:
        defaults = Defaults(settings.user_agent, settings.default_headers)
        try:
            options = call_options(target, settings, overrides, stops.stop_reason_of_wait, force_refresh)
            request = build_request(target, context.method, body, force_refresh, defaults, context.arguments)
            request = with_settings(request, settings, options.auth, streams)
        except RequestNotSent as request_not_sent:
            _announce(manager, context, context.failed(request_not_sent.failure).request)
            raise
        if is_plain:
            settings.last_built.plain_request = plain_request(key, request, options)
    _announce(manager, context, request)
    return PreparedCall(request, options, settings)


def _announce(manager: NetworkAccessManager, context: CallContext, request: Request) -> None:
    if manager.requestAboutToBeCreated:
        with first_use:
            from .request_parameters import parameters_of
        manager.requestAboutToBeCreated.emit(parameters_of(request, context.request_id))

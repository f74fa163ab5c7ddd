"""A transport for ``requests``: a Session keeps its redirects, cookies and auth, and its bytes go over our engines.

So any program of ``requests`` has Qt's or QGIS's proxies, TLS and credentials, a timeout that holds, and a cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Optional

import requests
from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest
from requests.models import Response as RequestsResponse
from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

from .. import trace
from .._names import public
from ..calls.call import Call
from ..calls.observer import NULL_OBSERVER
from ..calls.pipeline import build_flow
from ..engines.clock import new_clock
from ..feedback import FeedbackLike
from ..manager.manager import NetworkAccessManager, check_manager
from ..manager.settings_holder import settings_of
from ..models.failure import RequestNotSent
from ..models.http_messages import Request, Response
from ..models.urls import origin
from ..prepare.build_request import checked_text
from ..prepare.options import CallOptions, CallOverrides, call_options, usable_engine, with_settings
from ..prepare.prepare_call import PreparedCall
from ..prepare.request_attributes import check_options
from ..prepare.settings import Settings
from ..reply import next_request_id
from .arguments import (
    Origins,
    check_retries,
    check_tls_files,
    checked_origins,
    has_retries,
    merged_tls,
    named_proxy,
    request_body,
    request_fields,
    timeouts_ms,
    url_error,
)
from .interception import is_replaced_by_tests
from .response import exception_for, raw_response

_OMITTED = frozenset((b"user-agent",))


@public
class QtAdapter(HTTPAdapter):
    """An adapter for ``Session.mount('https://', QtAdapter())``. Any number of threads may use it at once.

    ``manager``: gives the settings that the Session lacks: proxies, TLS, credentials, retries, limits, the engine. The
    default is ``NetworkAccessManager.instance()``. The Session, and not the manager, keeps cookies and follows
    redirects.
    ``feedback``: cancels every request of the adapter.
    ``authCfg``: the id of an authentication config, as in ``BlockingNetworkRequest.setAuthCfg``.
    ``authOrigins``: one or several URLs. Requests to their origins (scheme, host and port) carry these credentials.
    Requests to any other origin, also after a redirect, do not. It is required with ``authCfg``, because a Session
    follows redirects by itself, so an adapter cannot know which host may get the credentials.

    The ``timeout`` of a request is as in requests: seconds, for connecting and between two reads. If it is None, the
    manager's timeout holds, so that no request waits for ever. A cancelled request raises RequestCanceled. A pickled
    adapter has the manager of the process that loads it, and no feedback.
    """

    def __init__(
        self,
        manager: Optional[NetworkAccessManager] = None,
        feedback: Optional[FeedbackLike] = None,
        authCfg: str = "",
        *,
        authOrigins: Origins = (),
        **options: Any,
    ) -> None:
        """``options``: HTTPAdapter's own, of which only ``max_retries`` means something here: retries like the
        manager's. Raises TypeError if an argument has the wrong type, ValueError if ``max_retries`` is negative, or if
        ``authOrigins`` does not fit ``authCfg`` or has no URLs.
        """
        check_manager(manager)
        check_options(False, feedback)
        self._manager = manager
        self._feedback = feedback
        self._auth_cfg = authCfg
        self._auth_origins = checked_origins(authCfg, authOrigins)
        check_retries(options.get("max_retries"))
        super().__init__(**options)

    def __repr__(self) -> str:
        origins = f", credentials for {', '.join(sorted(self._auth_origins))}" if self._auth_origins else ""
        return f"<QtAdapter over {self._manager or 'the manager of the process'}{origins}>"

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self._manager, self._feedback, self._auth_cfg, self._auth_origins = None, None, "", frozenset()
        super().__setstate__(state)  # type: ignore[misc]

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Optional[Mapping[str, str]] = None,
    ) -> RequestsResponse:
        """As HTTPAdapter's: raises RequestException; OSError if a file of ``verify`` or ``cert`` does not exist.

        If a library for tests (responses, VCR) has replaced a part of requests or of urllib3, it gets the request.
        """
        if is_replaced_by_tests():
            return super().send(request, stream, timeout, verify, cert, proxies)
        manager = self._manager or NetworkAccessManager.instance()
        settings = settings_of(manager)
        connect_ms, read_ms = timeouts_ms(timeout, settings)
        identifier, clock = next_request_id(), new_clock()
        started = clock.now()
        report: Optional[trace.ReportedCall] = None
        try:
            engine = usable_engine(manager)
            call = Call(
                engine=engine,
                idle_ms=read_ms,
                deadline_ms=settings.deadline,
                observer=NULL_OBSERVER,
                feedback=self._feedback,
                connect_ms=connect_ms,
                clock=clock,
                prefers_python=True,  # it answers as requests does: one connection, the header as it is
            )
            engine_request, options = self._prepared(request, settings, engine, call, proxies, stream)
            if engine_request.url.startswith("https:"):
                check_tls_files(verify, cert)
                engine_request = engine_request._replace(tls=merged_tls(settings.tls, verify, cert))
            if trace.wants_calls():
                report = call.report = trace.call_started(
                    engine_request, settings.owner, identifier, started, clock.now
                )
            response = call.run(build_flow(PreparedCall(engine_request, options, settings)))
        except RequestNotSent as error:
            response = Response(Request(request.method or "", request.url or ""), failure=error.failure)
        report_end = partial(
            trace.call_ended, report, owner=settings.owner, identifier=identifier, started=started, now=clock.now
        )
        exhausts_retries = self._exhausts_retries(response)
        if exhausts_retries or not response.is_streaming:
            report_end(response)
        if response.failure is not None and response.status is None:
            raise exception_for(response.failure, request)
        if exhausts_retries:
            text = f"too many {response.status} error responses"
            cause = MaxRetryError(None, request.url or "", ResponseError(text))  # type: ignore[arg-type]
            raise requests.exceptions.RetryError(cause, request=request)
        return self.build_response(request, raw_response(response, call, request, report_end))  # type: ignore[no-untyped-call,no-any-return]

    def _prepared(
        self,
        request: PreparedRequest,
        settings: Settings,
        engine: str,
        call: Call,
        proxies: Optional[Mapping[str, str]],
        stream: bool,
    ) -> tuple[Request, CallOptions]:
        """Raises RequestNotSent, RequestException."""
        try:
            # Without its user and password, which requests has made a header field of.
            url, _, _ = checked_text(request.url or "")
        except RequestNotSent as error:
            raise url_error(error, request) from None
        body = request_body(request, call)
        fields = request_fields(request, body)
        # A field that the caller has removed is not sent, although Qt would add its own.
        omitted = _OMITTED - {name.lower() for name, _ in fields}
        engine_request = Request((request.method or "GET").upper(), url, fields, body, decode=False, omitted=omitted)
        engine_request = with_settings(engine_request, settings, streams=stream)._replace(
            streams_all=stream, same_origin=True
        )
        own = named_proxy(request, proxies) if proxies else None
        retry = self.max_retries if has_retries(self.max_retries) else settings.retry
        auth_cfg = self._auth_cfg if self._auth_cfg and origin(url) in self._auth_origins else ""
        rules = call_options(
            url,
            settings,
            CallOverrides(engine=engine, auth_cfg=auth_cfg, auth_config=None, proxy=own, retry=retry),
            call.stop_reason_of_wait,
        )
        return engine_request, rules.without_redirects_and_cookies()

    def _exhausts_retries(self, response: Response) -> bool:
        """Whether ``max_retries`` is exhausted by a status that it would have sent again for, and wants it told."""
        rule = self.max_retries
        if not rule.total or not rule.raise_on_status or response.attempts <= rule.total:
            return False
        return bool(rule.status_forcelist) and response.status in rule.status_forcelist


def are_alike(one: QtAdapter, other: QtAdapter) -> bool:
    """Return whether two adapters differ in ``max_retries`` at most."""
    return (one._manager, one._feedback, one._auth_cfg, one._auth_origins) == (
        other._manager,
        other._feedback,
        other._auth_cfg,
        other._auth_origins,
    )


def with_retries(adapter: QtAdapter, retries: Retry) -> QtAdapter:
    """Return an adapter that differs in ``max_retries`` only."""
    origins = sorted(adapter._auth_origins)
    return QtAdapter(adapter._manager, adapter._feedback, adapter._auth_cfg, authOrigins=origins, max_retries=retries)

"""A transport for ``requests``: a Session keeps its redirects, cookies and auth, and its bytes go over our engines.

So any program of ``requests`` has Qt's or QGIS's proxies, TLS and credentials, a timeout that holds, and a cancel.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional, Union

import requests
from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest
from requests.models import Response as RequestsResponse
from requests.utils import select_proxy
from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

from ..bodies.upload import read_body
from ..calls.call import Call
from ..calls.observer import NULL_OBSERVER
from ..calls.pipeline import build_flow
from ..feedback import FeedbackLike
from ..manager.manager import NetworkAccessManager, check_manager
from ..manager.settings_holder import settings_of
from ..models.auth import checked_auth_cfg
from ..models.failure import RequestNotSent
from ..models.headers import Pairs, encoded
from ..models.http_messages import Body, Request, Response
from ..models.proxy import Proxy
from ..models.tls import TlsSettings, merged_settings
from ..models.urls import origin
from ..prepare.build_request import checked_text, framing, without_framing
from ..prepare.options import CallOptions, CallOverrides, call_options, with_settings
from ..prepare.prepare_call import PreparedCall
from ..prepare.request_attributes import check_options
from ..prepare.settings import Settings
from ..proxies.parse import proxy_of
from ..proxies.rules import environment_names_proxies
from ..qt.binding import type_name
from .response import RequestCanceled, exception_for, raw_response

__all__ = ["QtAdapter", "RequestCanceled", "requests_session", "route_requests"]


class QtAdapter(HTTPAdapter):
    """For ``Session.mount('https://', QtAdapter())``. May be used from any thread, by several at once.

    ``manager`` gives what the Session does not say: proxies, TLS, credentials, retries, limits, the engine; without one
    it is ``NetworkAccessManager.instance()``. Its cookies and redirects are left to the Session.
    ``feedback`` cancels every request that goes through the adapter.
    ``authCfg``: the id of an authentication config, as in ``BlockingNetworkRequest.setAuthCfg``.
    ``authOrigins``: one or several URLs whose origins (scheme, host and port) are given those credentials. Requests to
    any other origin, also of a redirect, go without. It is required with ``authCfg``: a Session follows redirects by
    itself, and an adapter cannot know which host the credentials were meant for.

    ``timeout`` of a request is requests': seconds, for connecting and between two reads; where it is None the manager's
    timeout holds, so that nothing waits for ever. A cancelled request raises RequestCanceled. A pickled adapter comes
    back with the manager of its process, and without the feedback.
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
        self._auth_origins = _checked_origins(authCfg, authOrigins)
        _check_retries(options.get("max_retries"))
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
        """As HTTPAdapter's: raises RequestException."""
        manager = self._manager or NetworkAccessManager.instance()
        settings = settings_of(manager)
        connect_ms, read_ms = _milliseconds(timeout, settings)
        try:
            engine = manager.engine()
            call = Call(
                engine=engine,
                idle_ms=read_ms,
                deadline_ms=settings.deadline,
                observer=NULL_OBSERVER,
                feedback=self._feedback,
                connect_ms=connect_ms,
            )
            engine_request, options = self._prepared(request, settings, engine, call, proxies, stream)
            if engine_request.url.startswith("https:"):
                engine_request = engine_request._replace(tls=_tls(settings.tls, verify, cert))
            response = call.run(build_flow(PreparedCall(engine_request, options, settings)))
        except RequestNotSent as error:
            response = Response(Request(request.method or "", request.url or ""), failure=error.failure)
        if response.failure is not None and response.status is None:
            raise exception_for(response.failure, request)
        if self._gives_up(response):
            text = f"too many {response.status} error responses"
            cause = MaxRetryError(None, request.url or "", ResponseError(text))  # type: ignore[arg-type]
            raise requests.exceptions.RetryError(cause, request=request)
        return self.build_response(request, raw_response(response, call, request))  # type: ignore[no-untyped-call,no-any-return]

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
            raise _no_url(error, request) from None
        body = _body(request, call)
        engine_request = Request((request.method or "GET").upper(), url, _fields(request, body), body, decode=False)
        engine_request = with_settings(engine_request, settings, streams=stream)._replace(
            streams_all=stream, same_origin=True
        )
        own = _named_proxy(request, proxies) if proxies else None
        retry = self.max_retries if self.max_retries.total else settings.retry
        auth_cfg = self._auth_cfg if self._auth_cfg and origin(url) in self._auth_origins else ""
        rules = call_options(
            url,
            settings,
            CallOverrides(engine=engine, auth_cfg=auth_cfg, auth_config=None, proxy=own, retry=retry),
            call.stop_reason,
        )
        return engine_request, rules.without_redirects_and_cookies()

    def _gives_up(self, response: Response) -> bool:
        """Whether ``max_retries`` is exhausted by a status that it would have sent again for, and wants it told."""
        rule = self.max_retries
        if not rule.total or not rule.raise_on_status or response.attempts <= rule.total:
            return False
        return bool(rule.status_forcelist) and response.status in rule.status_forcelist

    def close(self) -> None:
        """Nothing: connections belong to the process, and are kept for others."""


Origins = Union[str, Iterable[str]]


def _checked_origins(auth_cfg: str, urls: Origins) -> frozenset[str]:
    """The origins that may be given the credentials. Raises TypeError, ValueError."""
    checked_auth_cfg(auth_cfg)
    if isinstance(urls, bytes) or not isinstance(urls, Iterable):
        raise _no_origins(urls)
    origins = [urls] if isinstance(urls, str) else list(urls)
    if bool(auth_cfg) != bool(origins):
        raise ValueError(
            "authCfg and authOrigins go together: name the origins that may be given the credentials, "
            "as in authCfg='x7k2p0a', authOrigins=['https://api.example.org']"
        )
    return frozenset(_checked_origin(url) for url in origins)


def _checked_origin(url: str) -> str:
    if not isinstance(url, str):
        raise _no_origins(url)
    try:
        text, _, is_local = checked_text(url)
    except RequestNotSent as error:
        raise ValueError(f"{url!r} is not an origin, as in 'https://api.example.org': {error.failure.text}") from None
    if is_local:
        raise ValueError(f"{url!r} is not an origin: it must begin with http:// or https://")
    return origin(text)


def _no_origins(origins: Any) -> TypeError:
    return TypeError(f"authOrigins must be URLs as str, as in ['https://api.example.org'], not {type_name(origins)}")


def _check_retries(retries: Any) -> None:
    """Raises TypeError, ValueError if HTTPAdapter would take what is no rule for one."""
    if retries is not None and not isinstance(retries, (int, Retry)):
        raise TypeError(
            f"max_retries must be an urllib3.util.Retry, a number of retries or None, not {type_name(retries)}"
        )
    if isinstance(retries, int) and retries < 0:
        raise ValueError("max_retries must not be negative")


def _named_proxy(request: PreparedRequest, proxies: Mapping[str, str]) -> Optional[Proxy]:
    named = select_proxy(request.url or "", dict(proxies))
    try:
        return None if named is None else proxy_of(named)
    except ValueError as error:
        raise requests.exceptions.InvalidProxyURL(str(error), request=request) from None


def _milliseconds(timeout: Any, settings: Settings) -> tuple[int, int]:
    """For connecting (0: no clock of its own) and between two reads."""
    try:
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        connect = getattr(connect, "connect_timeout", connect)
        read = getattr(read, "read_timeout", read)
        for seconds in (connect, read):
            if seconds is not None and (isinstance(seconds, bool) or not float(seconds) > 0):
                raise ValueError("it must be greater than 0")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"timeout must be seconds, or a pair of them for connecting and reading, or None, not {timeout!r} ({error})"
        ) from None
    read_ms = settings.timeout if read is None else max(1, round(float(read) * 1000))
    return 0 if connect is None else max(1, round(float(connect) * 1000)), read_ms


def _body(request: PreparedRequest, call: Call) -> Body:
    body: Any = request.body
    if body is None or body == "":
        return b"" if request.headers.get("Content-Length") == "0" else None
    if isinstance(body, str):
        return body.encode("utf-8")
    return read_body(body, call.stop_reason)


def _fields(request: PreparedRequest, body: Body) -> Pairs:
    """What requests has made. Raises RequestNotSent."""
    fields = without_framing((encoded(name), encoded(value)) for name, value in request.headers.items())
    return (*fields, *framing(body))


def _tls(base: Optional[TlsSettings], verify: Any, cert: Any) -> Optional[TlsSettings]:
    """Return the manager's TLS settings with those of the Session; None if there are neither."""
    if base is not None and verify in _bundles_of_environment():
        # requests has replaced True by it. The manager's settings take precedence over it.
        verify = True
    if verify is True and cert is None:
        return base
    settings: dict[str, Any] = {}
    if verify is False:
        settings["verify"] = False
    elif verify is not True:
        settings["caFile"] = verify
    if cert is not None:
        certificate, key = cert if isinstance(cert, (tuple, list)) else (cert, None)
        settings.update(clientCertificate=certificate, clientKey=key)
    tls_settings = TlsSettings(**settings)
    return tls_settings if base is None else merged_settings(tls_settings, base)


def _bundles_of_environment() -> tuple[Optional[str], ...]:
    return os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("CURL_CA_BUNDLE")


def _no_url(error: RequestNotSent, request: PreparedRequest) -> requests.RequestException:
    text = error.failure.text
    if text.startswith("Protocol "):
        return requests.exceptions.InvalidSchema(text, request=request)
    return requests.exceptions.InvalidURL(text, request=request)


def requests_session(
    manager: Optional[NetworkAccessManager] = None,
    feedback: Optional[FeedbackLike] = None,
    authCfg: str = "",
    *,
    authOrigins: Origins = (),
) -> requests.Session:
    """A ``requests.Session`` whose requests go over our engines. Arguments as of ``QtAdapter``."""
    session = _Session()
    adapter = QtAdapter(manager, feedback, authCfg, authOrigins=authOrigins)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Session(requests.Session):
    """Looks the environment up as requests does, but only where something is there: to find nothing takes requests a
    fifth of the time of a small request.
    """

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        if proxies or self.proxies or sys.platform != "linux" or (self.trust_env and environment_names_proxies()):
            return super().merge_environment_settings(url, proxies, stream, verify, cert)  # type: ignore[no-untyped-call]
        if self.trust_env and (verify is True or verify is None):
            verify = next((path for path in _bundles_of_environment() if path), verify)
        return {
            "proxies": {},
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
        }


_routes_guard = threading.Lock()
_routes: list[QtAdapter] = []
_original_get_adapter = requests.Session.get_adapter


def _routed_get_adapter(session: requests.Session, url: str) -> Any:
    adapter = _original_get_adapter(session, url)
    routes = _routes
    # What somebody has mounted on purpose stays.
    return routes[-1] if routes and type(adapter) is HTTPAdapter else adapter


@contextmanager
def route_requests(
    manager: Optional[NetworkAccessManager] = None,
    feedback: Optional[FeedbackLike] = None,
    authCfg: str = "",
    *,
    authOrigins: Origins = (),
) -> Iterator[QtAdapter]:
    """Within it every ``requests`` of the process goes over our engines, in all threads: for libraries that make their
    own sessions (OWSLib, pystac-client). Sessions that have an adapter of their own mounted keep it. May be nested.
    """
    adapter = QtAdapter(manager, feedback, authCfg, authOrigins=authOrigins)
    with _routes_guard:
        if not _routes:
            requests.Session.get_adapter = _routed_get_adapter  # type: ignore
        _routes.append(adapter)
    try:
        yield adapter
    finally:
        with _routes_guard:
            _routes.remove(adapter)
            if not _routes and requests.Session.get_adapter is _routed_get_adapter:
                requests.Session.get_adapter = _original_get_adapter  # type: ignore[method-assign]

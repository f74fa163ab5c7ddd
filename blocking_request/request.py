"""BlockingNetworkRequest: call ``get()`` from any thread, get an answer or a reason in bounded time."""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import Callable, Optional, Union

from urllib3.util import Retry

from . import engines, errors
from .auth import AuthConfig
from .body_source import Data, check_body, read_body
from .call import Call, nothing
from .call_rules import OwnSettings, call_rules, with_settings
from .errors import QtNetworkError, Unsendable, network_failure
from .exchange import Answer, Exchange
from .feedback import FeedbackLike
from .manager import NetworkAccessManager
from .messages import canceled
from .parameters import native_copy, parameters_of
from .policy import policy
from .preparation import Defaults, prepare, url_text
from .progress import ProgressTeller, progress_teller
from .proxy import Proxy
from .proxy_rules import ProxyLike, proxy_of
from .qt import QtCore, Signal, is_deleted
from .reply import ReplyContent, next_request_id
from .request_attributes import RequestLike, check_request, transfer_timeout
from .settings import Settings, checked_milliseconds, checked_retry
from .trace import Watcher


class BlockingNetworkRequest(QtCore.QObject):
    """A network request that blocks the calling thread, and only that, until it has an answer or a reason.

    The calls (``get``, ``head``, ``post``, ``put``, ``patch``, ``deleteResource``, ``sendCustomRequest``) may come from
    any thread: the main one, a QThread, a ``threading.Thread``; the caller needs no event loop, and the program no
    application. Each returns an ``ErrorCode``; the rest is in ``reply()`` and ``errorMessage()``. An object may be used
    again and again, by one call at a time: a second one at the same time raises RuntimeError.

    All signals are emitted in the calling thread, from within the call: a slot of an object that lives there runs while
    the call waits, and may call ``abort()``.

    Code written for QGIS's QgsBlockingNetworkRequest runs after changing the import.
    """

    ErrorCode = errors.ErrorCode
    NoError = errors.ErrorCode.NoError
    NetworkError = errors.ErrorCode.NetworkError
    TimeoutError = errors.ErrorCode.TimeoutError
    ServerExceptionError = errors.ErrorCode.ServerExceptionError
    CanceledError = errors.ErrorCode.CanceledError

    downloadProgress = Signal("qint64", "qint64")
    """Bytes of the answer's body received, and how many there will be (-1: unknown)."""
    uploadProgress = Signal("qint64", "qint64")
    """Bytes of the request's body sent, and how many there are."""
    redirected = Signal(QtCore.QUrl)
    """Emitted before a redirect is followed: where to."""
    finished = Signal()
    """Emitted once for each call, as the last; ``reply()`` is there by then."""

    def __init__(self, manager: Optional[NetworkAccessManager] = None, parent: Optional[QtCore.QObject] = None) -> None:
        """``manager`` gives the settings; without one it is ``NetworkAccessManager.instance()``."""
        super().__init__(parent)
        self._manager = manager if manager is not None else NetworkAccessManager.instance()
        self._timeout: Optional[int] = None
        self._deadline: Optional[int] = None
        self._engine: Optional[str] = None
        self._auth_cfg = ""
        self._auth_config: Optional[AuthConfig] = None
        self._proxy: Optional[Proxy] = None
        self._retry: Union[Retry, object, None] = _NOT_SET
        self._reply = _EMPTY_REPLY
        self._busy = threading.Lock()
        self._call: Optional[Call] = None
        self._watchers: tuple[Watcher, ...] = ()

    # -- the calls

    def get(
        self, request: RequestLike, forceRefresh: bool = False, feedback: Optional[FeedbackLike] = None
    ) -> errors.ErrorCode:
        """GET a resource (RFC 9110 section 9.3.1) and block until it is there.

        ``request``: a QNetworkRequest (never modified; its headers and attributes are honoured), a QUrl or a str.
        ``forceRefresh``: ask caches on the way not to answer from what they keep.
        ``feedback``: cancels the call and hears of its progress; a Feedback or anything with ``isCanceled()``.

        From any thread. Returns NoError: a status below 400 and a complete body; ServerExceptionError: a status of 400
        or more; NetworkError: no usable answer, or a request that cannot be sent; TimeoutError: ``timeout()`` or
        ``deadline()`` has passed; CanceledError: ``abort()``, the feedback, or the application quits.
        Raises TypeError where an argument has the wrong type, RuntimeError where this object is busy with another call.
        """
        return self._block(request, "GET", None, forceRefresh, feedback)

    def head(
        self, request: RequestLike, forceRefresh: bool = False, feedback: Optional[FeedbackLike] = None
    ) -> errors.ErrorCode:
        """HEAD: the headers a GET would give, without the body (RFC 9110 section 9.3.2). Otherwise as ``get``."""
        return self._block(request, "HEAD", None, forceRefresh, feedback)

    def post(
        self,
        request: RequestLike,
        data: Data,
        forceRefresh: bool = False,
        feedback: Optional[FeedbackLike] = None,
    ) -> errors.ErrorCode:
        """POST ``data`` (RFC 9110 section 9.3.3). It reaches the server at most once.

        ``data``: bytes-like, QByteArray, an open QIODevice or a binary file (read from where it stands, here, in the
        calling thread), or None for an empty body. Without a ``Content-Type`` of yours it is
        ``application/x-www-form-urlencoded``, as Qt has it. Otherwise as ``get``.
        """
        return self._block(request, "POST", _or_empty(data), forceRefresh, feedback)

    def put(self, request: RequestLike, data: Data, feedback: Optional[FeedbackLike] = None) -> errors.ErrorCode:
        """PUT ``data`` (RFC 9110 section 9.3.4); ``data`` as in ``post``, without a default ``Content-Type``."""
        return self._block(request, "PUT", _or_empty(data), False, feedback)

    def patch(self, request: RequestLike, data: Data, feedback: Optional[FeedbackLike] = None) -> errors.ErrorCode:
        """PATCH with ``data`` (RFC 5789); ``data`` as in ``post``, without a default ``Content-Type``."""
        return self._block(request, "PATCH", _or_empty(data), False, feedback)

    def deleteResource(self, request: RequestLike, feedback: Optional[FeedbackLike] = None) -> errors.ErrorCode:
        """DELETE a resource (RFC 9110 section 9.3.5). Otherwise as ``get``."""
        return self._block(request, "DELETE", None, False, feedback)

    delete = deleteResource

    def sendCustomRequest(
        self, request: RequestLike, verb: Union[bytes, str], data: Data = None, feedback: Optional[FeedbackLike] = None
    ) -> errors.ErrorCode:
        """Send any method, as it is spelled; only the common ones are put in capitals (RFC 9110 section 9.1).

        ``verb``: the method; where it is empty, the request's ``CustomVerbAttribute``. ``data``: as in ``post``; None
        sends no body. Otherwise as ``get``.
        """
        if isinstance(verb, (bytes, bytearray, QtCore.QByteArray)):
            verb = bytes(verb).decode("latin-1")
        if not isinstance(verb, str):
            raise TypeError(f"verb must be bytes or str, not {type(verb).__name__}")
        return self._block(request, verb, data, False, feedback)

    def abort(self) -> None:
        """End the call that is blocked on this object: it returns ``CanceledError`` within 50 ms.

        From any thread, and from within a slot. Does nothing where no call is blocked.
        """
        call = self._call
        if call is not None:
            call.cancel()

    # -- the result

    def reply(self) -> ReplyContent:
        """What the last call came to; an empty reply before the first and during a call."""
        return self._reply

    def errorMessage(self) -> str:
        """'' after NoError, else one sentence that names the URL, without its secrets."""
        return self._reply.errorString()

    # -- the settings

    def setTimeout(self, timeout: int) -> None:
        """Set the idle timeout of this object's calls in ms: how long nothing may move, connecting included.

        0 is none. It counts from the start, from each byte of body that moves and from each redirect. A request's own
        ``transferTimeout`` goes before it, the manager's timeout after it. Raises TypeError, ValueError.
        """
        self._timeout = checked_milliseconds(timeout, "timeout")

    def timeout(self) -> int:
        """The idle timeout in ms; 0 is none."""
        return self._manager.timeout() if self._timeout is None else self._timeout

    def setDeadline(self, deadline: int) -> None:
        """Set how long a call of this object may take as a whole, redirects included, in ms. 0 is none.

        Raises TypeError, ValueError.
        """
        self._deadline = checked_milliseconds(deadline, "deadline")

    def deadline(self) -> int:
        """The total deadline in ms; 0 is none."""
        return self._manager.deadline() if self._deadline is None else self._deadline

    def setEngine(self, engine: str) -> None:
        """Set which wire serves this object's calls: ``'qt'``, ``'urllib3'``, or ``'auto'``.

        ``'auto'`` takes Qt, unless there is no application, or the URL is https and this Qt has no TLS, or a body would
        be slow (Qt 5). A wire that was named and cannot serve is a NetworkError that says why. Raises TypeError,
        ValueError.
        """
        self._engine = engines.checked_engine(engine)

    def engine(self) -> str:
        """Which wire serves this object's calls: its own setting, else the manager's."""
        return self._engine or self._manager.engine()

    def setAuthCfg(self, authCfg: str) -> None:
        """Set by its id the authentication config for this object's calls; '' is none.

        The id of one in the manager's ``authRegistry()``, or, inside QGIS, in QGIS's own database. It belongs to the
        origin of the URL: at a redirect to another it stays behind. An id that nobody knows is a NetworkError.
        Raises TypeError.
        """
        if not isinstance(authCfg, str):
            raise TypeError(f"an id is a str, not {type(authCfg).__name__}; for an AuthConfig there is setAuthConfig")
        self._auth_cfg = authCfg

    def authCfg(self) -> str:
        """The id of the authentication config; '' is none."""
        return self._auth_cfg

    def setAuthConfig(self, authConfig: Optional[AuthConfig]) -> None:
        """Set the authentication config itself for this object's calls; goes before ``authCfg``. Raises TypeError."""
        if authConfig is not None and not isinstance(authConfig, AuthConfig):
            raise TypeError(f"authConfig must be an AuthConfig or None, not {type(authConfig).__name__}")
        self._auth_config = authConfig

    def setProxy(self, proxy: ProxyLike) -> None:
        """Set the proxy of this object's calls, before every setting of the manager's; None, the default, is that.

        ``proxy`` as in ``NetworkAccessManager.setProxy``. Raises TypeError, ValueError.
        """
        self._proxy = proxy_of(proxy)

    def proxy(self) -> Optional[Proxy]:
        """The proxy of this object's calls, or None."""
        return self._proxy

    def setRetry(self, retry: Union[Retry, int, None]) -> None:
        """Set whether and how a call of this object is sent again that failed; as in ``NetworkAccessManager.setRetry``.

        None and 0 are never, whatever the manager says. Raises TypeError, ValueError.
        """
        self._retry = checked_retry(retry)

    def retry(self) -> Optional[Retry]:
        """The rule for sending again, its own or else the manager's; None is never."""
        return self._own_retry(self._manager._settings)

    # -- how it is done

    def _block(
        self, request: RequestLike, method: str, data: Data, force_refresh: bool, feedback: Optional[FeedbackLike]
    ) -> errors.ErrorCode:
        check_request(request)
        check_body(data)
        if not isinstance(force_refresh, int):
            raise TypeError(f"forceRefresh must be a bool, not {type(force_refresh).__name__}")
        if feedback is not None and not hasattr(feedback, "isCanceled"):
            raise TypeError(f"feedback must be a Feedback or have isCanceled(), {type(feedback).__name__} has not")
        # What stays if an exception (Ctrl-C) ends the call: whoever waits for finished() hears it all the same.
        failure = _CANCELED
        answer = None
        started = time.monotonic()
        if not self._busy.acquire(blocking=False):
            raise RuntimeError(
                "this BlockingNetworkRequest is busy with another call: use one object for each thread, "
                "and another one within a slot"
            )
        try:
            _blocked_requests.add(self)
            self._reply = _EMPTY_REPLY
            settings, request_id = self._manager._settings, next_request_id()
            try:
                answer = self._answer(request, method, data, bool(force_refresh), feedback, settings, request_id)
            except Unsendable as unsendable:
                failure = unsendable.failure
            finally:
                if answer is None:
                    exchange = Exchange(method, url_text(request), secret_names=settings.secret_parameters)
                    answer = Answer(exchange, failure=failure)
                reply = ReplyContent._from_answer(answer, time.monotonic() - started, request_id)
                self._conclude(reply, settings)
            return reply.errorCode()
        finally:
            self._call = None
            _blocked_requests.discard(self)
            self._busy.release()

    def _answer(
        self,
        request: RequestLike,
        method: str,
        data: Data,
        force_refresh: bool,
        feedback: Optional[FeedbackLike],
        settings: Settings,
        request_id: int,
    ) -> Answer:
        """Raises Unsendable."""
        engine = self._usable_engine()
        idle_ms = transfer_timeout(request) or (settings.timeout if self._timeout is None else self._timeout)
        deadline_ms = settings.deadline if self._deadline is None else self._deadline
        call = self._call = Call(engine, idle_ms, deadline_ms, self, feedback, _attention(settings))
        body = read_body(data, call.ended_early)
        own = OwnSettings(engine, self._auth_cfg, self._auth_config, self._proxy, self._own_retry(settings))
        request, rules = call_rules(request, settings, own)
        exchange = prepare(
            request, method, body, force_refresh, Defaults(settings.user_agent, settings.default_headers)
        )
        exchange = with_settings(exchange, settings)
        if self._manager.requestAboutToBeCreated:
            self._manager.requestAboutToBeCreated.emit(parameters_of(exchange, request_id))
        return call.run(policy(exchange, settings, rules))

    def _conclude(self, reply: ReplyContent, settings: Settings) -> None:
        """Hand the reply over and tell everybody."""
        self._reply = reply
        try:
            for _, processor in settings.reply_preprocessors:
                processor(native_copy(reply._answer.exchange), reply)
            if self._manager.finished:
                self._manager.finished.emit(reply)
        finally:
            if not is_deleted(self):
                self.finished.emit()

    def _own_retry(self, settings: Settings) -> Optional[Retry]:
        return settings.retry if self._retry is _NOT_SET else self._retry  # type: ignore[return-value]

    def _usable_engine(self) -> str:
        try:
            return self.engine()
        except ValueError as error:  # the environment's
            raise Unsendable(network_failure(QtNetworkError.ProtocolInvalidOperationError, str(error))) from None

    def _progress_teller(self, feedback: Optional[FeedbackLike]) -> Optional[ProgressTeller]:
        return progress_teller(self, feedback)

    def _tell_redirect(self, exchange: Exchange) -> None:
        if is_deleted(self):
            return
        self.redirected.emit(QtCore.QUrl.fromEncoded(QtCore.QByteArray(exchange.url.encode("ascii"))))


_blocked_requests: set[BlockingNetworkRequest] = set()

if hasattr(os, "register_at_fork"):
    # The callers of the parent do not exist in the child.
    os.register_at_fork(after_in_child=_blocked_requests.clear)

EXIT_WAIT = 1.0
EXIT_EPILOGUE = 0.02
"""Seconds the interpreter's exit waits for callers in daemon threads to leave their calls, and then for them to be done
with what they have in hand. PyQt, which ends next, deletes every QObject under their feet."""


@atexit.register
def _let_callers_leave() -> None:
    end = time.monotonic() + EXIT_WAIT
    had_callers = bool(_blocked_requests)
    while _blocked_requests and time.monotonic() < end:
        time.sleep(0.002)
    if had_callers:
        time.sleep(EXIT_EPILOGUE)


def _attention(settings: Settings) -> Callable[[], None]:
    """What the call looks after while it waits."""
    if not settings.qgis:
        return nothing
    from .qgis import attention

    return attention()


def _or_empty(data: Data) -> Data:
    return b"" if data is None else data


_NOT_SET = object()
_EMPTY_REPLY = ReplyContent()
_CANCELED = canceled()

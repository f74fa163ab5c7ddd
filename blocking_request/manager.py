"""NetworkAccessManager: the settings that requests share, and the end of the workers they use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Optional

from . import engines
from .feedback import FeedbackLike
from .flows.tls import Ask as SslErrorHandler
from .preparation import Data, RequestLike
from .reply import ReplyContent
from .tls import TlsSettings
from .version import VERSION

if TYPE_CHECKING:
    from .request import BlockingNetworkRequest

DEFAULT_TIMEOUT_MS = 60_000
"""As QGIS; Qt and requests have none."""

DEFAULT_USER_AGENT = f"blocking-request/{VERSION}"


class NetworkAccessManager:
    """Settings that requests share. Every method may be called from any thread; a running request keeps what it
    started with.
    """

    _instance: Optional[NetworkAccessManager] = None
    _instance_guard = threading.Lock()

    def __init__(self) -> None:
        self._timeout = DEFAULT_TIMEOUT_MS
        self._deadline = 0
        self._user_agent = DEFAULT_USER_AGENT
        self._engine: Optional[str] = None
        self._tls_settings: Optional[TlsSettings] = None
        self._ssl_error_handler: Optional[SslErrorHandler] = None

    @classmethod
    def instance(cls) -> NetworkAccessManager:
        """The one of the process, which requests use that were given none."""
        with cls._instance_guard:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    def setTimeout(self, timeout: int) -> None:
        """Set the idle timeout in ms: how long nothing may move. 0 is none; 60 000 by default, as in QGIS."""
        self._timeout = checked_milliseconds(timeout, "timeout")

    def timeout(self) -> int:
        """The idle timeout in ms; 0 is none."""
        return self._timeout

    def setDeadline(self, deadline: int) -> None:
        """Set how long a call may take as a whole, redirects included, in ms. 0, the default, is none."""
        self._deadline = checked_milliseconds(deadline, "deadline")

    def deadline(self) -> int:
        """The total deadline in ms; 0 is none."""
        return self._deadline

    def setUserAgent(self, userAgent: str) -> None:
        """Set the ``User-Agent`` of requests that have none of their own."""
        if not userAgent.strip() or not userAgent.isprintable():
            raise ValueError("a user agent is one line of printable characters, and not empty")
        self._user_agent = userAgent

    def userAgent(self) -> str:
        """The ``User-Agent`` of requests that have none of their own."""
        return self._user_agent

    def setEngine(self, engine: str) -> None:
        """Set which wire serves: ``'qt'``, ``'urllib3'``, or ``'auto'``, which takes Qt unless it cannot or is slow.

        Raises TypeError, ValueError.
        """
        self._engine = engines.checked_engine(engine)

    def engine(self) -> str:
        """Which wire serves; as long as none was set, what the environment variable ``BLOCKING_REQUEST_ENGINE`` says.

        Raises ValueError where that is no engine.
        """
        return self._engine or engines.engine_of_environment()

    def setTlsSettings(self, tlsSettings: Optional[TlsSettings]) -> None:
        """Set whom TLS connections trust and who we are on them; None is what the engine has by itself.

        A request's own QSslConfiguration goes before it. Raises TypeError.
        """
        if tlsSettings is not None and not isinstance(tlsSettings, TlsSettings):
            raise TypeError(f"tlsSettings must be TlsSettings or None, not {type(tlsSettings).__name__}")
        self._tls_settings = tlsSettings

    def tlsSettings(self) -> Optional[TlsSettings]:
        """Whom TLS connections trust, or None."""
        return self._tls_settings

    def setSslErrorHandler(self, handler: Optional[SslErrorHandler]) -> None:
        """Set who is asked when a server's certificate is not accepted; None, the default, is nobody.

        ``handler(errors, chain)`` is called in the thread of the blocked caller, with the list of TlsErrors and the
        list of the server's Certificates, its own first. It returns those of the errors that are accepted, or None. If
        all are, the request goes on, over a connection of its own; if not, it ends in a NetworkError. It is asked anew
        for each call; what is to be accepted for good belongs into ``TlsSettings.ignoredErrors``. What it raises ends
        the call and goes to the caller. Raises TypeError.
        """
        if handler is not None and not callable(handler):
            raise TypeError(f"an SSL error handler must be callable, {type(handler).__name__} is not")
        self._ssl_error_handler = handler

    def sslErrorHandler(self) -> Optional[SslErrorHandler]:
        """Who is asked when a server's certificate is not accepted, or None."""
        return self._ssl_error_handler

    def blockingGet(
        self, request: RequestLike, forceRefresh: bool = False, feedback: Optional[FeedbackLike] = None
    ) -> ReplyContent:
        """GET and return the reply, whatever it came to: see its ``errorCode()`` or call its ``raiseForError()``."""
        blocking = self._request()
        blocking.get(request, forceRefresh, feedback)
        return blocking.reply()

    def blockingPost(
        self, request: RequestLike, data: Data, forceRefresh: bool = False, feedback: Optional[FeedbackLike] = None
    ) -> ReplyContent:
        """POST and return the reply, whatever it came to: see its ``errorCode()`` or call its ``raiseForError()``."""
        blocking = self._request()
        blocking.post(request, data, forceRefresh, feedback)
        return blocking.reply()

    def _request(self) -> BlockingNetworkRequest:
        from .request import BlockingNetworkRequest

        return BlockingNetworkRequest(self)

    def shutdown(self) -> None:
        """End every worker of the process, cancelling what is in flight (their calls return ``CanceledError``).

        Happens by itself when the application quits and when the interpreter exits. May be called again; the next
        request starts anew.
        """
        engines.shutdown()


def checked_milliseconds(value: int, name: str) -> int:
    """Raises TypeError and ValueError for what is no duration."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number of milliseconds, not {type(value).__name__} (1.5 s are 1500)")
    if value < 0:
        raise ValueError(f"{name} must not be negative; 0 means none")
    return value

"""Blocking HTTP for Qt programs: call ``get()`` from any thread, get an answer or a reason in bounded time."""

from ._version import VERSION as __version__
from .auth import AuthConfig, AuthMethod
from .auth_registry import AuthRegistry
from .batch import Batch
from .batch_loop import BatchResult
from .batch_request import BatchRequest
from .cache import CacheStatistics, NetworkDiskCache, NetworkMemoryCache
from .certificate import Certificate
from .cookies import CookieJar
from .errors import (
    ErrorCode,
    NetworkRequestError,
    RequestCanceledError,
    RequestError,
    RequestTimeoutError,
    ServerExceptionError,
)
from .feedback import Feedback
from .manager import NetworkAccessManager
from .parameters import RequestParameters
from .portable import PortableSettings
from .proxy import Proxy
from .reply import ReplyContent
from .request import BlockingNetworkRequest
from .requests_adapter import QtAdapter, requests_session, route_requests
from .stream import Stream
from .tls import TlsError, TlsErrorKind, TlsSettings

__all__ = [
    "AuthConfig",
    "AuthMethod",
    "AuthRegistry",
    "Batch",
    "BatchRequest",
    "BatchResult",
    "BlockingNetworkRequest",
    "CacheStatistics",
    "Certificate",
    "CookieJar",
    "ErrorCode",
    "Feedback",
    "NetworkAccessManager",
    "NetworkDiskCache",
    "NetworkMemoryCache",
    "NetworkRequestError",
    "PortableSettings",
    "Proxy",
    "QtAdapter",
    "ReplyContent",
    "RequestCanceledError",
    "RequestError",
    "RequestParameters",
    "RequestTimeoutError",
    "ServerExceptionError",
    "Stream",
    "TlsError",
    "TlsErrorKind",
    "TlsSettings",
    "__version__",
    "requests_session",
    "route_requests",
]

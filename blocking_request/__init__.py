"""Blocking HTTP for Qt programs: call ``get()`` from any thread, get a response or a reason in bounded time."""

from ._version import VERSION as __version__
from .batch.batch import Batch
from .batch.request import BatchRequest
from .batch.result_buffer import BatchResult
from .errors import (
    ErrorCode,
    NetworkRequestError,
    RequestCanceledError,
    RequestError,
    RequestTimeoutError,
    ServerExceptionError,
)
from .feedback import Feedback
from .manager.manager import NetworkAccessManager
from .manager.portable import PortableSettings
from .models.auth import AuthConfig, AuthMethod
from .models.certificate import Certificate
from .models.proxy import Proxy
from .models.tls import TlsError, TlsErrorKind, TlsSettings
from .prepare.request_parameters import RequestParameters
from .reply import ReplyContent
from .request.request import BlockingNetworkRequest
from .request.stream import Stream
from .requests_adapter import QtAdapter, requests_session, route_requests
from .stores.auth_registry import AuthRegistry
from .stores.cache import CacheStatistics, NetworkDiskCache, NetworkMemoryCache
from .stores.cookie_jar import CookieJar

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

# Public names say where they are imported from, whatever name the package has, as in a plugin that brings its own copy.
from . import _pickled as _pickled

for _name in __all__:
    if _name != "__version__":
        globals()[_name].__module__ = __name__

"""Blocking HTTP requests for Qt programs.

Call ``BlockingNetworkRequest().get(url)`` in any thread. It blocks until the response or an error is there, at the
latest after its timeout.
"""

import os
import sys

if "__all__" not in globals() and getattr(sys.modules.get(__name__), "__dict__", None) is globals():
    # The package is imported, and not reloaded by importlib.reload(). If modules of it are there already, they are left
    # of an earlier import: QGIS removes only some of them when it unloads a plugin (3.22). They do not work together
    # with new ones.
    for _name in [name for name in sys.modules if name.startswith(f"{__name__}.")]:
        del sys.modules[_name]

from ._command import end_at_signals, is_command

if is_command():
    end_at_signals()

from typing import TYPE_CHECKING, Any

from ._first_use import first_use
from ._version import VERSION as __version__
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
from .models.auth import AuthConfig, AuthMethod
from .models.certificate import Certificate
from .models.proxy import Proxy
from .models.tls import TlsError, TlsErrorKind, TlsSettings
from .reply import ReplyContent
from .request.request import BlockingNetworkRequest
from .request.stream import Stream
from .stores.auth_registry import AuthRegistry

if TYPE_CHECKING:
    from . import _pickled as _pickled
    from .batch.batch import Batch
    from .batch.request import BatchRequest
    from .batch.result_buffer import BatchResult
    from .manager.portable import PortableSettings
    from .models.timings import Timings
    from .netlog.state import dumpState
    from .prepare.request_parameters import RequestParameters
    from .requests_adapter import QtAdapter, requests_session, route_requests
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
    "Timings",
    "TlsError",
    "TlsErrorKind",
    "TlsSettings",
    "__version__",
    "dumpState",
    "requests_session",
    "route_requests",
]

_MODULES = {
    "Batch": "batch.batch",
    "BatchRequest": "batch.request",
    "BatchResult": "batch.result_buffer",
    "CacheStatistics": "stores.cache",
    "CookieJar": "stores.cookie_jar",
    "NetworkDiskCache": "stores.cache",
    "NetworkMemoryCache": "stores.cache",
    "PortableSettings": "manager.portable",
    "QtAdapter": "requests_adapter",
    "RequestParameters": "prepare.request_parameters",
    "Timings": "models.timings",
    "dumpState": "netlog.state",
    "requests_session": "requests_adapter",
    "route_requests": "requests_adapter",
}
"""The modules of the names that are imported at their first use (PEP 562), because their imports take time."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    with first_use:
        module = import_module(f".{_MODULES[name]}", __name__)
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})


if os.environ.get("BLOCKING_REQUEST_LOG"):
    with first_use:
        from .netlog.har_file import log_to_file_of_environment
    log_to_file_of_environment()

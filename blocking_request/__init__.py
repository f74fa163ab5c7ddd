"""Blocking HTTP for Qt programs: call ``get()`` from any thread, get an answer or a reason in bounded time."""

from .certificate import Certificate
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
from .reply import ReplyContent
from .request import BlockingNetworkRequest
from .tls import TlsError, TlsErrorKind, TlsSettings
from .version import VERSION as __version__

__all__ = [
    "BlockingNetworkRequest",
    "Certificate",
    "ErrorCode",
    "Feedback",
    "NetworkAccessManager",
    "NetworkRequestError",
    "ReplyContent",
    "RequestCanceledError",
    "RequestError",
    "RequestTimeoutError",
    "ServerExceptionError",
    "TlsError",
    "TlsErrorKind",
    "TlsSettings",
    "__version__",
]

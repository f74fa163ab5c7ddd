"""The internal classes and functions that pickles name. ``pickle`` imports this module when it loads one.

Rules of this file: a class or function that moves to another module keeps its name here, so that pickles of an earlier
version can still be loaded. Its definition has the decorator ``pickled``.
"""

from __future__ import annotations

from .batch.pickling import PackedRequest, PackedUrl
from .flows.redirects import RedirectPolicy, RedirectRules
from .manager.portable import Secrets
from .models.connection_options import ConnectionOptions, KeepAlive
from .models.failure import Failure, QtNetworkError
from .models.headers import known_fields
from .models.http_messages import Request, Response
from .models.tls import TlsSession, known_session
from .models.transfer_trace import TransferTrace
from .proxies.rules import ProxyRules

__all__ = [
    "ConnectionOptions",
    "Failure",
    "KeepAlive",
    "PackedRequest",
    "PackedUrl",
    "ProxyRules",
    "QtNetworkError",
    "RedirectPolicy",
    "RedirectRules",
    "Request",
    "Response",
    "Secrets",
    "TlsSession",
    "TransferTrace",
    "known_fields",
    "known_session",
]

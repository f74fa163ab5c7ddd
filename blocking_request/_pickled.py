"""The names under which internal values stand in pickles; ``pickle`` imports it when it meets one.

Rules of this file: a class or function that moves keeps its name here. So a pickle of an earlier version can be read.
The decorator ``pickled`` says where each is defined that it is named by this.
"""

from __future__ import annotations

from .batch.pickling import PackedRequest, PackedUrl
from .flows.redirects import RedirectPolicy, RedirectRules
from .manager.portable import Secrets
from .models.failure import Failure, QtNetworkError
from .models.headers import known_fields
from .models.http_messages import Request, Response
from .models.tls import TlsSession, known_session
from .models.transfer_trace import TransferTrace
from .proxies.rules import ProxyRules

__all__ = [
    "Failure",
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

"""The names under which internal values stand in pickles.

Rules of this file: a class or function that moves keeps its name here. So a pickle of an earlier version can be read.
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

for _each in (
    Response,
    Request,
    Failure,
    PackedRequest,
    PackedUrl,
    ProxyRules,
    QtNetworkError,
    RedirectPolicy,
    RedirectRules,
    Secrets,
    TlsSession,
    TransferTrace,
    known_fields,
    known_session,
):
    _each.__module__ = __name__

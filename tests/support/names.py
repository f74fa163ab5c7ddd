"""Names that many test files use: the engines, a type, the results of calls, a Qt class, the project's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from blocking_request import ErrorCode
from blocking_request.qt.binding import QtNetwork, has_tls

from .servers.raw import Handler, RawServer

ROOT = Path(__file__).parents[2]
"""The folder of the project: programs that import ``tests`` run in it."""

ENGINES = ("qt", "python")
"""Every behaviour test runs on each of these."""

TLS_ENGINES = ENGINES if has_tls() else ("python",)
"""Tests that need TLS run on each of these."""

Serve = Callable[[Handler], RawServer]
"""The type of the fixture ``serve``."""

REQUEST = QtNetwork.QNetworkRequest
Attribute = QtNetwork.QNetworkRequest.Attribute

OK = ErrorCode.NoError
NET = ErrorCode.NetworkError
SERVER = ErrorCode.ServerExceptionError
TIMEOUT = ErrorCode.TimeoutError
CANCELED = ErrorCode.CanceledError

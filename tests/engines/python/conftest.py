"""Servers of HTTP/2, and a manager that trusts them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

import pytest
import trustme

from blocking_request import NetworkAccessManager, TlsSettings

from ...support.servers.http2 import Handler, Http2Server

Start = Callable[[Handler], Http2Server]


@pytest.fixture(scope="module")
def http2_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def start(http2_authority: trustme.CA) -> Iterator[Start]:
    """Start a scripted server of HTTP/2."""
    servers: list[Http2Server] = []

    def begin(handler: Handler) -> Http2Server:
        servers.append(Http2Server(http2_authority, handler))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


@pytest.fixture
def over_http2(http2_authority: trustme.CA) -> Iterator[NetworkAccessManager]:
    manager = NetworkAccessManager()
    manager.setEngine("python")
    manager.setTimeout(10_000)
    manager.setTlsSettings(TlsSettings(caData=http2_authority.cert_pem.bytes()))
    yield manager
    manager.clearConnectionCache()

"""The fixtures of the TLS tests: servers, and the engines that have TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import pytest
import trustme

from ..support.names import TLS_ENGINES
from ..support.servers.raw import Handler
from ..support.servers.tls import Start, TlsServer


@pytest.fixture
def start() -> Iterator[Start]:
    """Start TLS servers that end with the test."""
    servers: list[TlsServer] = []

    def run(
        certificate: Optional[trustme.LeafCert],
        handler: Optional[Handler] = None,
        *,
        kind: type[TlsServer] = TlsServer,
        **options: Any,
    ) -> TlsServer:
        servers.append(kind(certificate, handler, **options))
        return servers[-1]

    yield run
    for server in servers:
        server.close()


@pytest.fixture(params=TLS_ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine: each test sets it on the requests that it makes."""
    name: str = request.param
    return name

"""The fixtures of the proxy tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..support.servers.proxy import ProxyServer


@pytest.fixture
def proxy() -> Iterator[ProxyServer]:
    """A proxy that ends with the test."""
    server = ProxyServer()
    yield server
    server.close()

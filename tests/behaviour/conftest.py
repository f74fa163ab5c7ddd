"""The fixtures of the tests of behaviour."""

from __future__ import annotations

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager


@pytest.fixture
def request_of(manager: NetworkAccessManager) -> BlockingNetworkRequest:
    """A request of the manager that the test has."""
    return BlockingNetworkRequest(manager)

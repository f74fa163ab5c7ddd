"""The fixtures of the tests of the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blocking_request import NetworkAccessManager
from blocking_request.netlog import NetworkLog


@pytest.fixture
def log(manager: NetworkAccessManager) -> Iterator[NetworkLog]:
    """A log of the manager of the test."""
    with NetworkLog(manager) as made:
        yield made

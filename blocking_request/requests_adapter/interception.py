"""Finds out whether a library for tests stands in the place of the network.

``responses`` and ``mock.patch`` replace ``HTTPAdapter.send``, VCR the connections of urllib3. A test that uses them
must not reach the network.
"""

from __future__ import annotations

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


def is_replaced_by_tests() -> bool:
    """Return whether requests to any host are to be seen by a library for tests."""
    return (
        getattr(HTTPAdapter.send, "__module__", "") != HTTPAdapter.__module__
        or not HTTPConnectionPool.ConnectionCls.__module__.startswith("urllib3.")
        or not HTTPSConnectionPool.ConnectionCls.__module__.startswith("urllib3.")
    )

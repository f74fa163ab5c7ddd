"""Streams, downloads and uploads of large bodies take no more memory than small ones."""

from __future__ import annotations

import subprocess
import sys

import pytest
import trustme

from ...support.large_bodies import CLEAR_REFS, TRANSFERS, serve_large_bodies
from ...support.names import ROOT, Serve
from ...support.servers.tls import TlsServer

pytestmark = pytest.mark.skipif(not CLEAR_REFS.exists(), reason="this system does not tell the peak of memory")

SIZE = 512 << 20
MOST_MIB = 64


def memory_growth(kind: str, url: str, *authority: str) -> float:
    """Return by how many MiB the memory of a process grows during such a transfer."""
    command = [sys.executable, "-m", "tests.support.large_bodies", kind, url, str(SIZE), *authority]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return float(run.stdout)


@pytest.mark.parametrize("kind", TRANSFERS)
def test_512_mib_in_constant_memory(kind: str, serve: Serve) -> None:
    assert memory_growth(kind, serve(serve_large_bodies).url) < MOST_MIB


@pytest.mark.parametrize("kind", ["stream", "upload"])
def test_512_mib_over_tls_in_constant_memory(kind: str) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"), serve_large_bodies)
    assert memory_growth(kind, server.url, authority.cert_pem.bytes().decode()) < MOST_MIB
    server.close()

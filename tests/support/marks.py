"""Marks of tests that not every system can run."""

from __future__ import annotations

import os

import pytest

from blocking_request.qt.binding import has_tls

needs_tls_in_qt = pytest.mark.skipif(not has_tls(), reason="this Qt has no TLS")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFO")
needs_descriptors = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="this system does not list descriptors"
)
needs_proc = pytest.mark.skipif(
    not os.path.exists("/proc/net/tcp"), reason="this system does not tell how full the buffers of a socket are"
)
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file or a folder away"
)

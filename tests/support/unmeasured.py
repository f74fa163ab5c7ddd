"""The environment of a process in which coverage is not measured: that imports more, and takes locks."""

from __future__ import annotations

import os


def unmeasured_environment() -> dict[str, str]:
    """Return the variables of this process, without those that let coverage measure another one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}

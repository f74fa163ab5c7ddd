"""The options of proxies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .call_setup import CallSetup
from .sections import Command, decorated


def proxy_options(command: Command) -> Command:
    """Add the options of proxies to a command."""
    return decorated(command, [])


def apply_proxy_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply the proxy. Raises click.UsageError."""

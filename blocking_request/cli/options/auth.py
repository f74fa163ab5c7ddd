"""The options of authentication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .call_setup import CallSetup
from .sections import Command, decorated


def auth_options(command: Command) -> Command:
    """Add the options of authentication to a command."""
    return decorated(command, [])


def apply_auth_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply the credentials. Raises click.UsageError."""

"""Ends the calls of daemon threads when the interpreter exits, and lets their callers leave.

PyQt, which ends next, deletes every QObject, also those that a thread still uses.
"""

from __future__ import annotations

import atexit
import os
import time

from ..engines.choice import exit_engines

blocked_callers: set[object] = set()
"""The requests and batches whose callers are inside a call. Any thread may add its own and discard it."""

if hasattr(os, "register_at_fork"):
    # The callers of the parent do not exist in the child.
    os.register_at_fork(after_in_child=blocked_callers.clear)

LEAVE_SECONDS = 1.0
"""How long the exit waits for callers to leave their calls."""
RETURN_SECONDS = 0.02
"""How long it waits then, for what the callers do after their calls."""


# Registered after PyQt was imported, so called before PyQt takes itself down.
@atexit.register
def _end_calls() -> None:
    exit_engines()
    end = time.monotonic() + LEAVE_SECONDS
    had_callers = bool(blocked_callers)
    while blocked_callers and time.monotonic() < end:
        time.sleep(0.002)
    if had_callers:
        time.sleep(RETURN_SECONDS)

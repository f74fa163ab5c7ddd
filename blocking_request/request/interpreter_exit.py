"""Cancels the calls of daemon threads when the interpreter exits, and waits for them to return.

PyQt's own exit handler runs next. It deletes every QObject, including those that a thread still uses.
"""

from __future__ import annotations

import atexit
import os
import threading
import time

from ..engines.choice import exit_engines

blocked_callers: set[object] = set()
"""The requests and batches with a running call. Any thread may add or discard its own."""

if hasattr(os, "register_at_fork"):
    # The callers of the parent do not exist in the child.
    os.register_at_fork(after_in_child=blocked_callers.clear)

LEAVE_SECONDS = 1.0
"""How long the exit waits for running calls to return."""
RETURN_SECONDS = 0.3
"""How long it waits after that for daemon threads to use the result and end.

Python ends a thread that still runs where it next takes the GIL. Inside a destructor of PySide6, that aborts the
process: "terminate called without an active exception" (6.12 with Python 3.13).
"""


# atexit calls handlers in reverse order. PyQt was imported before, so its own handler runs after this one.
@atexit.register
def _end_calls() -> None:
    had_callers = bool(blocked_callers)
    exit_engines()
    end = time.monotonic() + LEAVE_SECONDS
    while blocked_callers and time.monotonic() < end:
        time.sleep(0.002)
    end = time.monotonic() + RETURN_SECONDS
    while had_callers and time.monotonic() < end and any(each.daemon for each in threading.enumerate()):
        time.sleep(0.002)

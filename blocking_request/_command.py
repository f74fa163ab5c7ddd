"""Whether this process runs our command line, and what Ctrl-C does in it before the first command and after the last.

While modules are imported, and while the interpreter ends, Ctrl-C would show a traceback. It ends the process at once
then, as it ends a program in C. While a command runs, it raises KeyboardInterrupt. Nothing is done if Ctrl-C is
ignored, as in a script that was started with ``&``.
"""

from __future__ import annotations

import os
import sys


def is_command() -> bool:
    """Return whether this process runs our command line."""
    program = (getattr(sys, "argv", None) or [""])[0]
    if program == "-m":  # Python imports the package of the module that -m names
        arguments: list[str] = getattr(sys, "orig_argv", ["blocking_request"])  # new in Python 3.10
        return "blocking_request" in arguments
    name: str = os.path.splitext(os.path.basename(program))[0]
    return name == "blocking-request"


def end_at_ctrl_c() -> None:
    """Let Ctrl-C end the process at once. Call it in the main thread."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_at_ctrl_c() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again. Call it in the main thread."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)

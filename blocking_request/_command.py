"""Whether this process runs our command line, and which signals end it, in which way.

While modules are imported, and while the interpreter ends, Ctrl-C would show a traceback. It ends the process at once
then, as it ends a program in C. While a command runs, Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt, so that files
are cleaned up. Then the signal ends the process: a shell ends its loop only if Ctrl-C has ended the program in it.
Nothing is done about a signal that is ignored, as Ctrl-C is in a script that was started with ``&``.
"""

from __future__ import annotations

# Not signal, whose import takes some milliseconds in which Ctrl-C shows a traceback.
import _signal  # type: ignore[import-not-found]
import os
import sys
from time import monotonic

REPEAT_SECONDS = 1.0
"""A signal that comes again within this time is not a second one: ``timeout`` sends each signal twice."""

_ENDING = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(_signal, name, None)) is not None]
_received: list[tuple[int, float]] = []
"""The first signal, and the moment when it came."""


def is_command() -> bool:
    """Return whether this process runs our command line."""
    program = (getattr(sys, "argv", None) or [""])[0]
    if program == "-m":  # Python imports the package of the module that -m names
        arguments: list[str] = getattr(sys, "orig_argv", None) or _arguments_of_system()  # new in Python 3.10
        return ("-m", "blocking_request") in zip(arguments, arguments[1:])
    name: str = os.path.splitext(os.path.basename(program))[0]
    return name == "blocking-request"


def _arguments_of_system() -> list[str]:
    """Return the arguments of the process as Linux tells them; [] on other systems."""
    try:
        with open("/proc/self/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read().split("\0")
    except OSError:
        return []


def end_at_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP end the process at once. Call it in the main thread."""
    for number in _ENDING:
        if _signal.getsignal(number) in (_signal.default_int_handler, _interrupt):
            _signal.signal(number, _signal.SIG_DFL)


def raise_at_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt. Call it in the main thread."""
    _received.clear()
    for number in _ENDING:
        if _signal.getsignal(number) in (_signal.SIG_DFL, _signal.default_int_handler):
            _signal.signal(number, _interrupt)


def _interrupt(number: int, _: object) -> None:
    if not _received:
        _received.append((number, monotonic()))
        raise KeyboardInterrupt
    if monotonic() - _received[0][1] > REPEAT_SECONDS:
        end_by(number)


def received_signal() -> int:
    """Return the signal that has raised KeyboardInterrupt; 0 if there was none."""
    return _received[0][0] if _received else 0


def end_by(number: int) -> None:
    """End the process by a signal, as if the program did not handle it. Windows has no such end: do nothing there."""
    if sys.platform != "win32":
        _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)

"""Runs the command line with a terminal for its streams."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple, Optional

COLOR_VARIABLES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "COLORTERM")


class Shown(NamedTuple):
    """The exit status, and the bytes that the terminal got."""

    status: int
    output: bytes

    @property
    def text(self) -> str:
        """The output as text, with the line ends of the program."""
        return self.output.decode().replace("\r\n", "\n")


def on_terminal(
    *arguments: str,
    columns: int = 80,
    environment: Optional[dict[str, str]] = None,
    streams: Sequence[str] = ("stdin", "stdout", "stderr"),
    on_output: Callable[[bytes], None] = lambda so_far: None,
) -> Shown:
    """Run the command line. ``streams``: those that are the terminal; the others are the null device.

    ``on_output`` is called with the output so far after each piece of it.
    """
    reading, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in COLOR_VARIABLES}
    chosen: dict[str, Any] = {
        name: terminal if name in streams else subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "blocking_request", *arguments],
        env={**variables, "TERM": "xterm-256color", **(environment or {})},
        **chosen,
    )
    os.close(terminal)
    output = b""
    while True:
        try:
            piece = os.read(reading, 65536)
        except OSError:  # Linux: the last process has closed the terminal
            break
        if not piece:
            break
        output += piece
        on_output(output)
    os.close(reading)
    return Shown(process.wait(30), output)

"""Runs the command line with a terminal for its streams, or with none."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from .names import ROOT

COLOR_VARIABLES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "COLORTERM")


class Shown(NamedTuple):
    """The exit status, and the bytes that the terminal got."""

    status: int
    output: bytes

    @property
    def text(self) -> str:
        """The output as text, with the line ends of the program."""
        return self.output.decode().replace("\r\n", "\n")


class CommandRunner:
    """Runs command lines in forks of one process, which has imported the package. That takes most of the time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.cli_runner", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def start(self, arguments: Sequence[str], stdout: str, stderr: str, environment: Optional[dict[str, str]]) -> None:
        case = {
            "arguments": arguments,
            "stdout": stdout,
            "stderr": stderr,
            "file_size": 0,
            "unset": COLOR_VARIABLES,
            "environment": {"TERM": "xterm-256color", **(environment or {})},
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(case).encode() + b"\n")
        self._process.stdin.flush()

    @property
    def reports(self) -> Any:
        """The stream that gets a line with the exit status at the end of a command."""
        return self._process.stdout

    def resize(self, columns: int) -> None:
        """Change the width of the terminal, also while a command runs."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def on_terminal(
        self,
        *arguments: str,
        columns: int = 200,
        environment: Optional[dict[str, str]] = None,
        streams: Sequence[str] = ("stdout", "stderr"),
        on_output: Callable[[bytes], None] = lambda so_far: None,
    ) -> Shown:
        """Run a command. ``streams``: those that are the terminal; the others are the null device.

        ``on_output`` is called with the output so far after each piece of it.
        """
        reading, terminal = pty.openpty()
        self._terminal = terminal
        self.resize(columns)
        path = os.ttyname(terminal)
        stdout, stderr = (path if name in streams else os.devnull for name in ("stdout", "stderr"))
        self.start(arguments, stdout, stderr, environment)
        output, has_ended = b"", False
        while True:
            ready, _, _ = select.select(
                [reading] if has_ended else [reading, self.reports], [], [], 0 if has_ended else 60
            )
            if reading in ready:
                output += os.read(reading, 65536)
                on_output(output)
            elif has_ended:
                break
            else:
                assert ready, f"{arguments} does not end"
                has_ended = True
        status = int(self.reports.readline())
        os.close(terminal)
        os.close(reading)
        return Shown(status, output)

    def into_file(self, path: Path, *arguments: str, **environment: str) -> bytes:
        """Run a command that succeeds, with standard output into a file. Return the contents of the file."""
        path.unlink(missing_ok=True)
        errors = path.with_suffix(".err")
        self.start(arguments, str(path), str(errors), environment)
        status = int(self.reports.readline())
        assert status == 0, errors.read_text()
        return path.read_bytes()

"""The output of the command line: messages, exit statuses, the progress bar, and --verbose."""

from __future__ import annotations

import os
import sys

import click
import rich.console
import rich.progress

from .. import BlockingNetworkRequest, ErrorCode, ReplyContent
from ..models.headers import Pairs
from ..models.http_messages import Request, Response
from ..models.redaction import printable, redact_value
from ..qt.binding import QtNetwork
from ..trace import steps_text

EXIT_USAGE = 64
EXIT_FILE = 74
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_STATUSES = """\b
Exit status:
   0  no error
   1  network error: no usable response, or the request cannot be sent
   2  timeout: --timeout or --deadline has passed
   3  the server answered with a status of 400 or more
   4  cancelled
  64  wrong usage: an unknown option, a value that is not valid
  74  a file or standard output cannot be read or written
 130  interrupted with Ctrl-C
 141  the program that reads standard output has ended (example: | head)
"""
"""The last part of each --help."""


def exit_status(code: ErrorCode, reply: ReplyContent) -> int:
    """Return the exit status for the result of one request."""
    write_failure = QtNetwork.QNetworkReply.NetworkError.UnknownContentError
    if code is ErrorCode.NetworkError and reply.error() == write_failure:
        return EXIT_FILE
    return int(code)


def say(text: str) -> None:
    """Write a line to standard error."""
    click.echo(printable(text), err=True)


def failure_text(text: str) -> str:
    """Return a message about a failure. It names no arguments of Python that the command line does not have."""
    return text.replace(
        "keyPassword is missing or wrong", "the command line takes PEM and PKCS#12 files without a password only"
    )


class Narrator:
    """Writes each request and response to standard error, without credentials."""

    def request_started(self, request: Request) -> None:
        say(f"> {request.method} {request.redacted_url}")
        self._say_fields("> ", request.headers, request.redacted_names)

    def request_ended(self, response: Response, seconds: float) -> None:
        if response.status is not None:
            status_line = f"{response.http_version} {response.status} {response.reason}".strip()
            say(f"< {status_line}")
            self._say_fields("< ", response.headers.pairs, response.request.redacted_names)
        outcome = failure_text(response.failure.text) if response.failure else f"{response.encoded_bytes} bytes"
        session = None if response.tls is None else response.tls.session
        tls = f", {session.protocol} {session.cipher}" if session is not None and session.protocol else ""
        say(f"* {outcome} in {seconds * 1000:.1f} ms over {response.engine or 'no engine'}{tls}")
        steps = steps_text(response.trace)
        if steps:
            say(f"* {steps}")

    def _say_fields(self, mark: str, pairs: Pairs, redacted_names: tuple[str, ...]) -> None:
        for name, value in pairs:
            say(f"{mark}{name.decode('latin-1')}: {redact_value(name, value, redacted_names)}")


def has_terminal() -> bool:
    """Return whether standard error is a terminal that can redraw a line.

    rich also assumes a terminal if FORCE_COLOR is set.
    """
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


class ProgressBar:
    """Shows a bar on standard error while a transfer runs, if that is a terminal and the body goes elsewhere."""

    def __init__(self, blocking: BlockingNetworkRequest, shows_body: bool) -> None:
        """``shows_body``: whether the body is written to a terminal."""
        self._blocking = blocking
        self._is_shown = has_terminal() and not shows_body
        self._console = rich.console.Console(stderr=True)
        self._progress = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.DownloadColumn(),
            rich.progress.TransferSpeedColumn(),
            rich.progress.TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, rich.progress.TaskID] = {}

    def __enter__(self) -> None:
        if self._is_shown:
            self._progress.start()
            self._blocking.uploadProgress.connect(lambda done, total: self._show("sent", done, total))
            self._blocking.downloadProgress.connect(lambda done, total: self._show("received", done, total))

    def _show(self, direction: str, done: int, total: int) -> None:
        if direction not in self._tasks:
            self._tasks[direction] = self._progress.add_task(direction)
        self._progress.update(self._tasks[direction], completed=done, total=total if total >= 0 else None)

    def __exit__(self, *_: object) -> None:
        if self._is_shown:  # otherwise rich would print an empty line
            self._progress.stop()

"""The output of the command line: messages, exit statuses, the progress bar, and --verbose."""

from __future__ import annotations

import os
import re
import sys

import click
import rich.console
import rich.progress

from .. import BlockingNetworkRequest, ErrorCode, ReplyContent
from ..models.call_record import CallRecord
from ..models.redaction import printable
from ..netlog.entry import NetworkEntry
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
    text = _SET_ENGINE.sub(r"--engine \1", text)
    return text.replace(
        "keyPassword is missing or wrong",
        "its password is missing or wrong: give it with --pass or --cert FILE:PASSWORD",
    )


_SET_ENGINE = re.compile(r"setEngine\('(\w+)'\)")


class Narrator:
    """A recorder that writes each request, as it was sent, and its response to standard error, without credentials."""

    body_limit = 0
    wants_trace = True

    def wants(self, owner: object) -> bool:
        return True

    def call_started(self, call: CallRecord) -> None:
        pass

    def call_ended(self, call: CallRecord) -> None:
        pass

    def request_started(self, request: CallRecord, call: CallRecord) -> None:
        say(f"* {request.method} {request.url}")

    def request_ended(self, request: CallRecord, call: CallRecord) -> None:
        entry = NetworkEntry(request)
        if entry.requestLine():
            say(f"> {entry.requestLine()}")
            _say_fields("> ", entry.requestHeaders())
        elif entry.statusCode() is not None:
            say(f"> {entry.method()} {entry.url()} (Qt adds more header fields)")
            _say_fields("> ", entry.requestHeaders())
        if entry.statusCode() is not None:
            say(f"< {entry.httpVersion()} {entry.statusCode()} {entry.reasonPhrase()}".strip())
            _say_fields("< ", entry.responseHeaders())
        outcome = failure_text(entry.errorString()) or f"{entry.receivedBytes()} bytes"
        tls = f", {entry.sessionProtocol()} {entry.sessionCipher()}" if entry.sessionProtocol() else ""
        say(f"* {outcome} in {entry.elapsed():.1f} ms over {entry.engine() or 'no engine'}{tls}")
        steps = steps_text(request.trace)
        if steps:
            say(f"* {steps}")


def _say_fields(mark: str, fields: list[tuple[str, str]]) -> None:
    for name, value in fields:
        say(f"{mark}{name}: {value}")


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

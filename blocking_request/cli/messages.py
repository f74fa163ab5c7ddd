"""The output of the command line: messages and exit statuses."""

from __future__ import annotations

import re
import sys

import click

from .. import ErrorCode, ReplyContent
from ..models.redaction import printable
from ..qt.binding import QtNetwork
from .output_settings import output_settings
from .terminal import columns_of, wrapped

PROGRAM = "blocking-request"
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
 143  ended by SIGTERM
"""
"""The last part of each --help."""


def exit_status(code: ErrorCode, reply: ReplyContent) -> int:
    """Return the exit status for the result of one request."""
    write_failure = QtNetwork.QNetworkReply.NetworkError.UnknownContentError
    if code is ErrorCode.NetworkError and reply.error() == write_failure:
        return EXIT_FILE
    return int(code)


def show_message(text: str) -> None:
    """Write a message to standard error, unless --silent hides it."""
    if not output_settings().hides_messages:
        show_always(text)


def show_always(text: str) -> None:
    """Write a line to standard error, also after --silent. A terminal gets several lines, without divided words."""
    text = printable(text)
    if sys.stderr.isatty() and len(text) > columns_of(sys.stderr):
        text = "\n".join(wrapped(text, columns_of(sys.stderr)))
    click.echo(text, err=True)


_SET_ENGINE = re.compile(r"setEngine\('(\w+)'\)")


def failure_text(text: str) -> str:
    """Return a message about a failure. It names no arguments of Python that the command line does not have."""
    text = _SET_ENGINE.sub(r"--engine \1", text)
    return text.replace(
        "keyPassword is missing or wrong",
        "its password is missing or wrong: give it with --pass or --cert FILE:PASSWORD",
    )

"""Runs the command line: ends the process with the exit status, and shows each error as one sentence."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn, Optional

import click

from .._command import end_at_signals, end_by, raise_at_signals, received_signal
from ..qt.binding import QtCore
from .commands import commands
from .config_file import ConfigurationError
from .messages import EXIT_BROKEN_PIPE, EXIT_FILE, EXIT_INTERRUPTED, EXIT_USAGE, PROGRAM, show_message
from .options.values import UnreadableFile
from .streams import OutputError, RawOutput, replace_streams

_SIGNALED = 128
"""Shells add it to the number of the signal that has ended a program."""


def run(arguments: Optional[Sequence[str]] = None) -> NoReturn:
    """Run the command line and exit. ``arguments``: None uses those of the process."""
    output = replace_streams()
    # PyPI's PyQt5 warns about OpenSSL 3 at each https request, and Qt 6 about a header field with a control character.
    # The environment variable QT_LOGGING_RULES takes precedence over this filter.
    QtCore.QLoggingCategory.setFilterRules("qt.network.ssl.warning=false\nqt.network.http*.warning=false")
    application = QtCore.QCoreApplication.instance() or QtCore.QCoreApplication(sys.argv[:1])
    status = _status(arguments, output)
    del application
    number = received_signal()
    if number and status == _SIGNALED + number:
        sys.stderr.flush()
        end_by(number)
    sys.exit(status)


def _status(arguments: Optional[Sequence[str]], output: RawOutput) -> int:
    """Run a command and return its exit status. An exception is shown as one sentence."""
    try:
        raise_at_signals()
        status = commands.main(arguments, standalone_mode=False, obj=output)
        sys.stdout.flush()
        return int(status or 0)
    except ConfigurationError as error:
        return _failed(error.message, EXIT_USAGE)
    except click.UsageError as error:
        return _failed(_with_command(error), EXIT_USAGE)
    except UnreadableFile as error:
        return _failed(error.format_message(), EXIT_FILE)
    except click.FileError as error:
        return _failed(f"The file {error.ui_filename} cannot be read: {error.message}", EXIT_FILE)
    except OutputError as error:
        return EXIT_BROKEN_PIPE if error.is_broken_pipe else _failed(str(error), EXIT_FILE)
    except (click.Abort, KeyboardInterrupt):
        end_at_signals()  # if it is the second one, it ends the program at once
        return _interrupted(received_signal())
    except OSError as error:
        file = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return _failed(f"{file}{error.strerror or error}", EXIT_FILE)
    except ValueError as error:  # the library refuses the value of an option
        return _failed(str(error), EXIT_USAGE)
    finally:
        end_at_signals()


def _interrupted(number: int) -> int:
    """``number``: the signal; 0: a password was asked for, and the terminal has no more input."""
    if number and number != signal.SIGINT:
        return _failed("Terminated", _SIGNALED + number)
    if sys.stderr.isatty():
        show_message("")  # the terminal has shown ^C in this line
    return _failed("Interrupted", EXIT_INTERRUPTED)


def _failed(message: str, status: int) -> int:
    show_message(message)
    return status


def _with_command(error: click.UsageError) -> str:
    command = PROGRAM if error.ctx is None else error.ctx.command_path
    message = error.format_message().rstrip(".").replace("\n\t", " ")  # click lists the values of a choice in lines
    return f"{command}: {message} ('{command} --help' shows the usage)"

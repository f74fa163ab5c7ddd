"""The options of the request's body."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Optional

import click

from .sections import BODY, Command, decorated, option
from .values import opened


def body_options(command: Command) -> Command:
    """Add the options of the body to a command."""
    return decorated(
        command,
        [
            option(
                BODY,
                "-d",
                "--data",
                metavar="TEXT|@FILE",
                help="Send this body; @- reads standard input. If -H gives no Content-Type, it is application/"
                "x-www-form-urlencoded.",
            )
        ],
    )


def body_of(values: Mapping[str, Any]) -> Optional[bytes]:
    """Return the body that the options give; None if they give none. Raises click.FileError."""
    data = values.get("data")
    if data is None:
        return None
    if not data.startswith("@"):
        return os.fsencode(data)
    return standard_input() if data == "@-" else contents(data[1:])


def contents(path: str) -> bytes:
    """Read a file. Raises click.FileError."""
    with opened(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise click.FileError(path, error.strerror or str(error)) from None


def standard_input() -> bytes:
    """Read standard input to its end. Raises click.FileError."""
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise click.FileError("standard input", error.strerror or str(error)) from None

"""The options of the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

import click

from ..._first_use import first_use
from .sections import OUTPUT, Command, decorated, option
from .url import complete_url, name_in_url
from .values import checked_path

if TYPE_CHECKING:
    from ...bodies.checksum import Checksum


def output_options(command: Command) -> Command:
    """Add the options of the output to a command."""
    return decorated(
        command,
        [
            option(
                OUTPUT,
                "-o",
                "--output",
                metavar="FILE|FOLDER",
                callback=checked_path,
                help="Write the body to this file when it is complete (head: the status line and the headers). If it "
                "is an existing folder, the server or the URL names the file, and no file is replaced. After an error "
                "the file is unchanged. '-' is standard output.",
            ),
            option(
                OUTPUT,
                "-O",
                "--remote-name",
                is_flag=True,
                help="Write the body to a file in this folder that is named after the URL.",
            ),
            option(
                OUTPUT,
                "-J",
                "--remote-header-name",
                is_flag=True,
                help="With -O: the file gets the name that the server gives it, and no file is replaced.",
            ),
            option(
                OUTPUT,
                "-C",
                "--continue",
                "--continue-at",
                "--resume",
                "resume",
                is_flag=True,
                ignored_value="-",
                help="Continue an interrupted download, or end with an error if this request cannot be continued. "
                "With --from: skip the files that are there already.",
            ),
            option(
                OUTPUT,
                "--checksum",
                metavar="sha256:DIGEST",
                help="The body must have this checksum; any algorithm of Python's hashlib.",
            ),
            option(
                OUTPUT,
                "-f",
                "--fail",
                is_flag=True,
                help="Do not write the body of a response whose status is 400 or more.",
            ),
            option(
                OUTPUT,
                "-v",
                "--verbose",
                is_flag=True,
                help="Show each request as it is sent, each response and the timings.",
            ),
            option(
                OUTPUT,
                "--har",
                metavar="FILE",
                callback=checked_path,
                help="Write all requests and responses, without credentials, into this file (HAR 1.2), which the "
                "developer tools of a browser can open.",
            ),
        ],
    )


def target_path(values: Mapping[str, Any]) -> Optional[str]:
    """Return the file or folder that gets the body; None: standard output. Raises click.UsageError."""
    if values["remote_header_name"] and not values["remote_name"]:
        raise click.UsageError("-J can only be used with -O")
    if not values["remote_name"]:
        path: Optional[str] = values["output"]
        return path
    if values["output"] is not None:
        raise click.UsageError("-o and -O exclude each other: give one of them")
    if values["remote_header_name"]:
        return "."
    name = name_in_url(complete_url(values["url"]))
    if not name:
        raise click.UsageError("-O: the URL ends without a file name: give one with -o")
    return name


def checksum_of(values: Mapping[str, Any]) -> Optional[Checksum]:
    """Return the checksum that the body must have. Raises click.UsageError."""
    if values["checksum"] is None:
        return None
    with first_use:
        from ...bodies.checksum import Checksum
    try:
        return Checksum(values["checksum"])
    except ValueError as error:
        raise click.UsageError(f"--checksum: {error}") from None

"""The options of the output. ``output_settings`` has the values of those about its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

import click

from ..._first_use import first_use
from .file_content import content_of
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
            option(
                OUTPUT,
                "-i",
                "--include",
                is_flag=True,
                help="Write the status line and the headers before the body, also those of redirects.",
            ),
            option(
                OUTPUT,
                "--pretty/--no-pretty",
                default=None,
                help="Lay JSON out on several lines on standard output, and use colors if it is a terminal. Without "
                "the option: only on a terminal, and without '-o -'.",
            ),
            option(
                OUTPUT,
                "-w",
                "--write-out",
                metavar="FORMAT|@FILE",
                callback=_write_out_text,
                help="Write this text to standard output after each request. It may have curl's variables, such as "
                "%{http_code}, %{time_total}, %{size_download}, %{url_effective}, %header{NAME} and "
                "%{json}, and \\n, \\t and %%.",
            ),
            option(
                OUTPUT,
                "-s",
                "--silent",
                is_flag=True,
                help="Show no progress, and no message if the request fails: only the status.",
            ),
            option(
                OUTPUT,
                "-S",
                "--show-error",
                is_flag=True,
                help="With --silent: show the message if the request fails.",
            ),
        ],
    )


def _write_out_text(ctx: click.Context, param: click.Parameter, value: Optional[str]) -> Optional[str]:
    """Return the text, which may be in a file. Raises click.BadParameter, click.FileError."""
    if value is None or not value.startswith("@"):
        return _checked_text(ctx, param, value)
    if value == "@":
        raise click.BadParameter("the name of the file is missing after @", ctx, param)
    text = content_of(value, "-w")
    # As curl does: a line end in a file is written as \\n.
    return _checked_text(ctx, param, text.decode("utf-8", "surrogateescape").replace("\r", "").replace("\n", ""))


def _checked_text(ctx: click.Context, param: click.Parameter, text: Optional[str]) -> Optional[str]:
    if text is not None and "%output{" in text.replace("%%", ""):
        raise click.BadParameter("%output{FILE} is not supported: use %{stderr}, and redirect the streams", ctx, param)
    return text


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

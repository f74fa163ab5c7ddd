"""The options of the output."""

from __future__ import annotations

from .sections import OUTPUT, Command, decorated, option
from .values import checked_path


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

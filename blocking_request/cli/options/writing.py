"""The options about the form of the output. Their values are in ``output_settings``."""

from __future__ import annotations

import functools
from typing import Any

from ..output import EXIT_FILE
from ..output_settings import OutputSettings, output_settings, set_output_settings
from ..streams import OutputError
from .sections import OUTPUT, Command, decorated, option


def writing_options(command: Command) -> Command:
    """Add the options about the form of the output to a command, which does not get them as arguments."""

    @functools.wraps(command)
    def with_settings(**options: Any) -> int:
        taken = {name: options.pop(name) for name in OutputSettings._fields if name in options}
        set_output_settings(OutputSettings(**taken))
        try:
            status: int = command(**options)
            return status
        except OutputError as error:
            if output_settings().hides_messages and not error.is_broken_pipe:
                return EXIT_FILE
            raise

    return decorated(with_settings, _OPTIONS)


_OPTIONS = (
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
        help="Lay JSON out on several lines on standard output, and use colors if it is a terminal. Without the "
        "option: only on a terminal, and without '-o -'.",
    ),
    option(
        OUTPUT,
        "-s",
        "--silent",
        is_flag=True,
        help="Show no progress, and no message if the request fails: only the status.",
    ),
    option(OUTPUT, "-S", "--show-error", is_flag=True, help="With --silent: show the message if the request fails."),
)

"""The options about the form of the output. Their values are in ``output_settings``."""

from __future__ import annotations

import functools
from typing import Any, Optional

import click

from ...trace import add_recorder, remove_recorder
from ..messages import EXIT_FILE
from ..output_settings import OutputSettings, set_output_settings
from ..streams import OutputError
from ..write_out import WriteOut, set_write_out
from .body import contents, standard_input
from .sections import OUTPUT, Command, decorated, option


def writing_options(command: Command) -> Command:
    """Add the options about the form of the output to a command, which does not get them as arguments."""

    @functools.wraps(command)
    def with_settings(**options: Any) -> int:
        taken = {name: options.pop(name) for name in OutputSettings._fields if name in options}
        settings = OutputSettings(**taken)
        set_output_settings(settings)
        write_out = None
        if settings.write_out:
            write_out = WriteOut(settings.write_out, click.get_current_context().obj)
            set_write_out(write_out)
            add_recorder(write_out)
        try:
            status: int = command(**options)
            return status
        except OutputError as error:
            if settings.hides_messages and not error.is_broken_pipe:
                return EXIT_FILE
            raise
        finally:
            if write_out is not None:
                remove_recorder(write_out)

    return decorated(with_settings, _OPTIONS)


def _write_out_text(ctx: click.Context, param: click.Parameter, value: Optional[str]) -> Optional[str]:
    """Return the text, which may be in a file. Raises click.BadParameter, click.FileError."""
    if value is None or not value.startswith("@"):
        return _checked_text(ctx, param, value)
    if value == "@":
        raise click.BadParameter("the name of the file is missing after @", ctx, param)
    text = standard_input() if value == "@-" else contents(value[1:], "-w")
    # As curl does: a line end in a file is written as \\n.
    return _checked_text(ctx, param, text.decode("utf-8", "surrogateescape").replace("\r", "").replace("\n", ""))


def _checked_text(ctx: click.Context, param: click.Parameter, text: Optional[str]) -> Optional[str]:
    if text is not None and "%output{" in text.replace("%%", ""):
        raise click.BadParameter("%output{FILE} is not supported: use %{stderr}, and redirect the streams", ctx, param)
    return text


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
    option(OUTPUT, "-S", "--show-error", is_flag=True, help="With --silent: show the message if the request fails."),
)

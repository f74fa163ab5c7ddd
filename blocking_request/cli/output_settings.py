"""The values of the options about the form of the output and about messages, for all modules that write."""

from __future__ import annotations

from typing import NamedTuple, Optional

import click


class OutputSettings(NamedTuple):
    """The values of the options. The fields have the names of their parameters; see the help of these."""

    fail: bool = False
    har: Optional[str] = None
    include: bool = False
    pretty: Optional[bool] = None
    """None: on a terminal only."""
    show_error: bool = False
    silent: bool = False
    verbose: bool = False
    write_out: Optional[str] = None

    @property
    def hides_messages(self) -> bool:
        """Whether messages about a failed request are not written."""
        return self.silent and not self.show_error


def output_settings() -> OutputSettings:
    """Return the values for the present command; the defaults if none is running, or if it lacks these options."""
    context = click.get_current_context(silent=True)
    values = {} if context is None else context.params
    return OutputSettings(**{name: values[name] for name in OutputSettings._fields if name in values})

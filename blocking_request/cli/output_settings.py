"""The options about the output, which the whole command line asks for."""

from __future__ import annotations

from typing import NamedTuple, Optional

import click


class OutputSettings(NamedTuple):
    """The values of the options; see their help."""

    include: bool = False
    silent: bool = False
    show_error: bool = False
    pretty: Optional[bool] = None
    """None: on a terminal only."""
    write_out: Optional[str] = None

    @property
    def hides_messages(self) -> bool:
        """Whether messages about a failed request are not written."""
        return self.silent and not self.show_error


_KEY = __name__
_DEFAULT = OutputSettings()


def set_output_settings(settings: OutputSettings) -> None:
    """Set the values for the present command."""
    click.get_current_context().meta[_KEY] = settings


def output_settings() -> OutputSettings:
    """Return the values for the present command; the defaults if none is running."""
    context = click.get_current_context(silent=True)
    settings: OutputSettings = _DEFAULT if context is None else context.meta.get(_KEY, _DEFAULT)
    return settings

"""What a terminal can show: its colors and its width."""

from __future__ import annotations

import os
import stat
import textwrap
from typing import TYPE_CHECKING, Any, Callable

from .._first_use import first_use

if TYPE_CHECKING:
    from rich.console import Console

Paint = Callable[[str, str], str]
"""Returns a text in a style, which is a key of ``STYLES``."""

STYLES = {
    "key": "bold blue",
    "string": "green",
    "number": "cyan",
    "literal": "magenta",
    "name": "cyan",
    "version": "blue",
    "1": "bold",
    "2": "bold green",
    "3": "bold yellow",
    "4": "bold red",
    "5": "bold red",
}
"""Styles of rich. The digits are those of classes of status codes; ``key`` to ``literal`` are parts of JSON."""


def is_smart_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal that understands escape sequences."""
    return bool(stream.isatty()) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def may_reach_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal, or a pipe, whose reader may show its text on the terminal: a pager."""
    if stream.isatty():
        return True
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # it has no descriptor
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def columns_of(stream: Any) -> int:
    """Return the width for text in a stream: of the terminal, unless ``COLUMNS`` tells another; 80 by default."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and 0 < len(columns) < 6 and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_COLUMNS
    except (OSError, ValueError):  # it is no terminal, or no file
        return _DEFAULT_COLUMNS


_DEFAULT_COLUMNS = 80
NARROWEST_COLUMNS = 20
_NARROWEST_TEXT = 8


def wrapped(text: str, columns: int, indent: str = "") -> list[str]:
    """Return the lines of a paragraph. No word is divided, so that a path or URL can be copied.

    ``indent``: the beginning of each line but the first.
    """
    columns = max(columns, len(indent) + _NARROWEST_TEXT)
    return textwrap.wrap(text, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def wants_color(stream: Any) -> bool:
    """Return whether text for a stream is colored.

    ``NO_COLOR`` (https://no-color.org) takes precedence over ``FORCE_COLOR`` and ``CLICOLOR_FORCE``, and these over
    ``CLICOLOR`` and the terminal. An empty variable counts as one that is not set.
    """
    variables = os.environ
    if variables.get("NO_COLOR"):
        return False
    if any(variables.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return variables.get("CLICOLOR", "1") != "0" and variables.get("FORCE_COLOR") != "0" and is_smart_terminal(stream)


def paint_plain(style: str, text: str) -> str:
    """Return the text as it is."""
    return text


def paint_for(stream: Any) -> Paint:
    """Return a function that colors text for a stream, or leaves it as it is if the stream gets no colors."""
    if not wants_color(stream):
        return paint_plain
    with first_use:
        from rich.color import ColorSystem
        from rich.style import Style
    around = {
        name: Style.parse(style).render("\0", color_system=ColorSystem.STANDARD).split("\0")
        for name, style in STYLES.items()
    }

    def paint(style: str, text: str) -> str:
        before, after = around[style]
        return f"{before}{text}{after}" if text else ""

    return paint


def console_for(stream: Any) -> Console:
    """Return rich's console for a standard stream, with the width and the colors of this module."""
    with first_use:
        from rich.console import Console
    return Console(
        file=stream,
        markup=False,
        highlight=False,
        width=max(columns_of(stream), NARROWEST_COLUMNS),
        height=25,  # without a height, rich takes a width of 80 if TERM is dumb
        color_system="standard" if wants_color(stream) else None,
    )

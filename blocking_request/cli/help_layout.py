"""Lays ``--help`` out for the width of the terminal, also if that is narrow."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Optional

import click

from .terminal import columns_of

_NARROW_COLUMNS = 60
"""In a narrower help, the names of long options have lines of their own."""

_NARROWEST_COLUMNS = 20
_WIDEST_COLUMNS = 80
_NARROW_NAMES = 10
"""How many columns the names have there."""

_ENTRY = re.compile(r" *(?:\d+ +)?")
"""The part of a line that the lines after it do not have: its indentation, and the number of an exit status."""


class HelpLayout(click.HelpFormatter):
    """click's layout takes 50 columns at least, and cuts no line of a paragraph that is marked with ``\\b``."""

    def __init__(self, indent_increment: int = 2, width: Optional[int] = None, max_width: Optional[int] = None) -> None:
        if width is None:
            widest = min(columns_of(sys.stdout), max_width or _WIDEST_COLUMNS)
            width = max(widest - 2, _NARROWEST_COLUMNS)
        super().__init__(indent_increment, width, max_width)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and their descriptions in two columns."""
        rows = list(rows)
        if self.width >= _NARROW_COLUMNS:
            super().write_dl(rows, col_max, col_spacing)
            return
        width, indent = self.width - self.current_indent, " " * self.current_indent
        names = [f"\n{indent}  ".join(textwrap.wrap(name, width - 2, break_on_hyphens=False)) for name, _ in rows]
        super().write_dl([(name, row[1]) for name, row in zip(names, rows)], _NARROW_NAMES, col_spacing)

    def write_text(self, text: str) -> None:
        """Write paragraphs. Lines that click would keep are wrapped if they are too long."""
        width = self.width - self.current_indent
        super().write_text("\n\n".join(_wrapped(paragraph, width) for paragraph in text.split("\n\n")))


def _wrapped(paragraph: str, width: int) -> str:
    if not paragraph.startswith("\b\n"):
        return paragraph
    lines = ["\b"]
    for line in paragraph.splitlines()[1:]:
        start = _ENTRY.match(line)
        lines += textwrap.wrap(line, width, subsequent_indent=" " * (start.end() if start else 0)) or [""]
    return "\n".join(lines)


class SizedContext(click.Context):
    """The context of a command whose help fits the terminal."""

    formatter_class = HelpLayout

"""Lays ``--help`` out for the width of the terminal, also if that is narrow."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Optional

import click

from .terminal import NARROWEST_COLUMNS, columns_of, wrapped

_NARROW_COLUMNS = 60
"""In a narrower help, descriptions stand below the names."""

_WIDEST_COLUMNS = 80

_ENTRY = re.compile(r" *(?:\d+ +)?")
"""The part of a line that the lines after it do not have: its indentation, and the number of an exit status."""


class HelpLayout(click.HelpFormatter):
    """click's layout takes 50 columns at least, divides words at hyphens, and does not wrap what ``\\b`` marks."""

    def __init__(self, indent_increment: int = 2, width: Optional[int] = None, max_width: Optional[int] = None) -> None:
        if width is None:
            widest = min(columns_of(sys.stdout), max_width or _WIDEST_COLUMNS)
            width = max(widest - 2, NARROWEST_COLUMNS - 2)
        super().__init__(indent_increment, width, max_width)

    def write_usage(self, prog: str, args: str = "", prefix: Optional[str] = None) -> None:
        """Write the line with the name of the command and of its arguments."""
        if self.width >= _NARROW_COLUMNS:
            super().write_usage(prog, args, prefix)
            return
        self.write("Usage:\n")
        self._write_below(f"{prog} {args}")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and their descriptions: in two columns, or below each other if there is no room."""
        rows = list(rows)
        indent = " " * self.current_indent
        start = min(max(len(name) for name, _ in rows), col_max) + col_spacing
        for name, description in rows:
            if self.width < _NARROW_COLUMNS:
                self._write_lines(wrapped(name, self.width - len(indent)), indent)
                self._write_below(description)
                continue
            names = wrapped(name, self.width - len(indent), "  ")
            lines = wrapped(description, self.width - len(indent) - start)
            if len(name) <= start - col_spacing and lines:
                names = [f"{name:{start}}{lines.pop(0)}"]
            self._write_lines(names, indent)
            self._write_lines(lines, indent + " " * start)

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        width = self.width - self.current_indent
        super().write_text("\n\n".join(_wrapped(paragraph, width) for paragraph in text.split("\n\n")))

    def _write_lines(self, lines: Iterable[str], indent: str) -> None:
        for line in lines:
            self.write(f"{indent}{line}".rstrip() + "\n")

    def _write_below(self, text: str) -> None:
        """Write a paragraph that is indented more than its title."""
        indent = " " * (self.current_indent + self.indent_increment)
        self._write_lines(wrapped(text, self.width - len(indent)), indent)


def _wrapped(paragraph: str, width: int) -> str:
    """Return a paragraph in lines that click keeps as they are."""
    if not paragraph.startswith("\b\n"):
        return "\n".join(["\b", *wrapped(paragraph, width)])
    lines = ["\b"]
    for line in paragraph.splitlines()[1:]:
        start = _ENTRY.match(line)
        lines += wrapped(line, width, " " * (start.end() if start else 0)) or [""]
    return "\n".join(lines)


class SizedContext(click.Context):
    """The context of a command whose help fits the terminal."""

    formatter_class = HelpLayout

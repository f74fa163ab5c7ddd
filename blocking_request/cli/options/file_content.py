"""Reads the files that options name as FILE or @FILE. ``-`` is standard input."""

from __future__ import annotations

import sys

import click

from .values import UnreadableFile, opened


def named_file(text: str, option: str) -> str:
    """Return the path of ``@FILE``. Raises click.UsageError if there is no path."""
    if not text[1:]:
        raise click.UsageError(f"{option}: after @ the name of a file is missing; @- is standard input")
    return text[1:]


def content_of(text: str, option: str) -> bytes:
    """Return the content of ``@FILE``. Raises click.UsageError, click.FileError, OSError."""
    return content_of_path(named_file(text, option), option)


def content_of_path(path: str, option: str) -> bytes:
    """Return the content of a file. Raises click.UsageError, click.FileError, OSError."""
    if path == "-":
        return _standard_input()
    with opened(path, option) as file:
        try:
            return file.read()
        except OSError as error:
            raise UnreadableFile(path, error.strerror or str(error), option) from None


def _standard_input() -> bytes:
    """Read standard input to its end. Raises OSError."""
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise OSError(error.errno, f"Standard input cannot be read: {error.strerror}") from None

"""The types of the values of options, and the checks that several groups need."""

from __future__ import annotations

from typing import Any, BinaryIO, Optional

import click

_MAX_MS = 2**31 - 1


class Milliseconds(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A whole number of milliseconds. The messages of click's own IntRange do not name the unit."""

    name = "milliseconds"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> int:
        try:
            number = int(value)
        except ValueError:
            number = -1
        if not 0 <= number <= _MAX_MS:
            expected = f"a whole number of milliseconds from 0 to {_MAX_MS}: 1.5 s are 1500"
            self.fail(f"{value!r} is not {expected}", param, ctx)
        return number


class ReadableFile(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """The path of a file that can be opened. If it cannot, the command ends with ``click.FileError``."""

    name = "file"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> str:
        with opened(value):
            return str(value)


def opened(path: str) -> BinaryIO:
    """Open a file for reading. Raises click.FileError."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise click.FileError(path, error.strerror or str(error)) from None
    except ValueError as error:  # a null character
        raise click.UsageError(f"{path!r} is not a path: {error}") from None


def checked_path(ctx: click.Context, param: click.Parameter, value: Optional[str]) -> Optional[str]:
    """Refuse an empty path. A shell passes '' for a variable that is not set, and the file would go into the current
    folder.
    """
    if value == "":
        raise click.BadParameter("the path is empty", ctx, param)
    if value is not None and "\0" in value:
        raise click.BadParameter("the path has a null character", ctx, param)
    return value


def check_text(text: str, what: str) -> None:
    """Raise click.UsageError if an argument is not UTF-8: Python has decoded its bytes to surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # The text may hold a password and is not shown.
        raise click.UsageError(f"the {what} is not UTF-8 text") from None

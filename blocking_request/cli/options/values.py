"""The types of the values of options, and the checks that several groups need."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, BinaryIO, Optional

import click

from ...bodies.finished_file import is_special

_MAX_MS = 2**31 - 1
_MOST = 1000
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) *(ms|s|m|h|)", re.IGNORECASE)
_MS = {"ms": 1, "": 1000, "s": 1000, "m": 60_000, "h": 3_600_000}


def _shown(text: str) -> str:
    return repr(text if len(text) < 40 else f"{text[:36]}...")


_NUMBER = re.compile("0*[0-9]{1,4}")


class Duration(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A time in seconds, or with a unit: ``5``, ``0.5``, ``500ms``, ``2m``. The value is an int in milliseconds."""

    name = "time"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> int:
        text = str(value).strip()
        match = _DURATION.fullmatch(text) if len(text) < 30 else None
        if match is None:
            self.fail(f"{_shown(text)} is not a time: write 5 or 0.5 (seconds), 500ms or 2m", param, ctx)
        # Rounded up, because 0 means that there is no limit.
        milliseconds = math.ceil(float(match[1]) * _MS[match[2].lower()])
        if milliseconds > _MAX_MS:
            self.fail(f"{_shown(text)} is too long: the longest time is {_MAX_MS // 3_600_000} h", param, ctx)
        return milliseconds


DURATION = Duration()


class WholeNumber(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A whole number, at least ``least`` and at most 1000."""

    name = "number"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> int:
        text = str(value).strip()
        is_number = _NUMBER.fullmatch(text) is not None
        if not is_number or not self._least <= int(text) <= _MOST:
            self.fail(f"{_shown(text)} is not a whole number from {self._least} to {_MOST}", param, ctx)
        return int(text)


class ReadableFile(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """The path of a file that can be opened, or of a pipe. Otherwise the command ends with ``click.FileError``."""

    name = "file"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> str:
        check_readable(value, param.opts[-1] if param is not None else "")
        return str(value)


READABLE_FILE = ReadableFile()


def is_pipe(path: str) -> bool:
    """Return whether a path is a pipe or device, such as ``<(command)`` in a shell: it can be read once only."""
    try:
        return is_special(Path(path))
    except ValueError:  # a null character
        return False


def check_readable(path: str, option: str) -> None:
    """Raise click.FileError if a file cannot be opened. A pipe is not opened: what it has would be lost."""
    if not is_pipe(path):
        opened(path, option).close()


class UnreadableFile(click.FileError):
    """A file that an option names cannot be read. ``option``: the option, or the key of the configuration file."""

    def __init__(self, path: str, problem: str, option: str) -> None:
        super().__init__(path, problem)
        self.option = option

    def format_message(self) -> str:
        """Return the sentence about it, as click calls it."""
        return f"{self.option}: the file '{self.ui_filename}' cannot be read: {self.message}"


def opened(path: str, option: str) -> BinaryIO:
    """Open the file that an option names. Raises click.UsageError, click.FileError."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error), option) from None
    except ValueError as error:  # a null character
        raise click.UsageError(f"{option}: {path!r} is not a path: {error}") from None


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

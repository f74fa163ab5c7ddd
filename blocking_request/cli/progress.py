"""The progress bar of one transfer."""

from __future__ import annotations

import sys
import time
from typing import Any, Optional

from .. import BlockingNetworkRequest
from .._first_use import first_use
from .output_settings import output_settings
from .terminal import is_smart_terminal, wants_color

SHOWN_AFTER_SECONDS = 0.5
"""A quick transfer shows no bar: it would only flash."""

_TOTAL_COLUMNS = 18
_SPEED_COLUMNS = 28
_DIRECTION_COLUMNS = 40
_BAR_COLUMNS = 60
"""A narrower terminal has no room for the total, the speed, the direction, or the bar and the remaining time."""


class ProgressBar:
    """Shows the progress on standard error while a transfer runs, if that is a terminal and the body goes elsewhere."""

    def __init__(self, blocking: BlockingNetworkRequest, shows_body: bool) -> None:
        """``shows_body``: whether the body may be shown on a terminal."""
        self._blocking = blocking
        self._is_wanted = is_smart_terminal(sys.stderr) and not shows_body and not output_settings().silent
        self._started = 0.0
        self._progress: Any = None
        """rich's display, once it is shown."""
        self._width = 0
        """The width for which it has columns. A terminal can be resized."""
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> None:
        if self._is_wanted:
            self._started = time.monotonic()
            self._blocking.uploadProgress.connect(lambda done, total: self._show("sent", done, total))
            self._blocking.downloadProgress.connect(lambda done, total: self._show("received", done, total))

    def _show(self, direction: str, done: int, total: int) -> None:
        if self._progress is None:
            if time.monotonic() - self._started < SHOWN_AFTER_SECONDS:
                return
            self._progress = progress_display()
            self._fit()
            self._progress.start()
        self._fit()
        known_total: Optional[int] = total if total >= 0 else None
        size = _size(done, total if self._width >= _TOTAL_COLUMNS else -1)
        if direction not in self._tasks:
            # The bytes so far came in the time before the bar was shown, so they do not count for the speed.
            self._tasks[direction] = self._progress.add_task(direction, total=known_total, completed=done, size=size)
        else:
            self._progress.update(self._tasks[direction], completed=done, total=known_total, size=size)

    def _fit(self) -> None:
        width = self._progress.console.width
        if width != self._width:
            self._width = width
            self._progress.columns = tuple(_columns(width))

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:  # otherwise rich would print an empty line
            self._progress.stop()
            self._progress = None
            self._is_wanted = False


def _size(done: int, total: int) -> str:
    with first_use:
        from rich.filesize import decimal
    return f"{decimal(done)}/{decimal(total)}" if total >= 0 else decimal(done)


def progress_display() -> Any:
    """Return rich's display of progress on standard error. The caller sets its columns."""
    with first_use:
        from rich.console import Console
        from rich.progress import Progress
    console = Console(stderr=True, color_system="auto" if wants_color(sys.stderr) else None)
    # Not standard output, which is another file or pipe.
    return Progress(console=console, transient=True, redirect_stdout=False)


def _columns(width: int) -> list[Any]:
    """Return the columns of the display for which a terminal has room."""
    with first_use:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.table import Column
    columns: list[Any] = [TextColumn("{task.fields[size]}", table_column=Column(no_wrap=True))]
    if width >= _SPEED_COLUMNS:
        columns.append(TransferSpeedColumn(table_column=Column(no_wrap=True)))
    if width >= _DIRECTION_COLUMNS:
        columns.insert(0, TextColumn("{task.description}", table_column=Column(no_wrap=True)))
    if width >= _BAR_COLUMNS:
        columns.insert(1, BarColumn(bar_width=min(width - _BAR_COLUMNS + 8, 40)))
        columns.append(TimeRemainingColumn(table_column=Column(no_wrap=True)))
    return columns

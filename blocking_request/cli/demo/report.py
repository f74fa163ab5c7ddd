"""The output of the command ``demo``: for people, or as JSON for scripts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

import click
import rich.console
import rich.progress
import rich.text

from ..._version import VERSION
from ...qt.binding import API, BINDING_VERSION, QtCore
from ..messages import show_message
from ..terminal import console_for, wrapped
from .promise import Outcome, ShowProgress
from .promises import PROMISES
from .server import NoLoopbackError, demo_server


def show_demo(as_json: bool = False) -> int:
    """Try all promises and write the results to standard output. Return how many promises were not kept.

    Call it in the main thread, with an application.
    """
    try:
        return _write_json() if as_json else _write_text()
    except NoLoopbackError as error:
        show_message(f"The server of the demonstration cannot be used: {error}")
        return len(PROMISES)


def _write_json() -> int:
    started = time.perf_counter()
    with demo_server() as server:
        outcomes = [(promise, promise.run(server, _show_nothing)) for promise in PROMISES]
    document = {
        "version": VERSION,
        "binding": API,
        "bindingVersion": BINDING_VERSION,
        "qtVersion": str(QtCore.qVersion()),
        "kept": all(outcome.is_kept for _, outcome in outcomes),
        "milliseconds": round((time.perf_counter() - started) * 1000, 3),
        "promises": [
            {
                "name": promise.name,
                "promised": promise.text,
                "happened": list(outcome.happened),
                "qtAlone": outcome.qt_alone or None,
                "kept": outcome.is_kept,
                "figures": outcome.figures,
            }
            for promise, outcome in outcomes
        ],
    }
    click.echo(json.dumps(document, indent=2))
    return sum(not outcome.is_kept for _, outcome in outcomes)


def _show_nothing(done: int, total: int) -> None:
    pass


def _write_text() -> int:
    console = console_for(sys.stdout)
    started = time.perf_counter()
    broken = 0
    introduction = (
        f"blocking-request {VERSION} with {API} {BINDING_VERSION} and Qt {QtCore.qVersion()}. The server of this "
        "demonstration is in the same process."
    )
    with demo_server() as server:
        _write(console, introduction)
        for number, promise in enumerate(PROMISES, 1):
            # The promise is written before it is tried, so that a reader knows what takes the time.
            console.print()
            _write(console, f"{number}. {promise.name.capitalize()}", style="bold")
            _write(console, promise.text, "promised")
            with _progress_bar(console) as show:
                outcome = promise.run(server, show)
            _write_outcome(console, outcome)
            broken += not outcome.is_kept
    seconds = time.perf_counter() - started
    count = len(PROMISES)
    console.print()
    if broken:
        _write(console, f"{broken} of {count} promises {'was' if broken == 1 else 'were'} not kept.", style="bold red")
    else:
        _write(console, f"All {count} promises were kept, in {seconds:.1f} s.")
    return broken


def _write_outcome(console: rich.console.Console, outcome: Outcome) -> None:
    for label, text in zip(("happened", *[""] * len(outcome.happened)), outcome.happened):
        _write(console, text, label)
    if outcome.qt_alone:
        _write(console, outcome.qt_alone, "Qt alone")
    _write(console, *(("yes", "kept", "green") if outcome.is_kept else ("NO", "kept", "bold red")))


LABEL_COLUMNS = 13
_NARROW_COLUMNS = 40
_NARROW_INDENT = 2
"""In a narrower terminal, a label has a line of its own."""


def _write(console: rich.console.Console, text: str, label: Optional[str] = None, style: str = "") -> None:
    """Write a paragraph, with a label on its left. Long lines are wrapped between words."""
    indent = 0 if label is None else LABEL_COLUMNS
    if label is not None and console.width < _NARROW_COLUMNS:
        indent = _NARROW_INDENT
        if label:
            _write(console, label, style="dim")
            label = ""
    for number, line in enumerate(wrapped(text, console.width - indent)):
        start = (f"   {label}" if number == 0 and label else "").ljust(indent)
        console.print(rich.text.Text.assemble((start, "dim"), (line, style)), soft_wrap=True)


@contextmanager
def _progress_bar(console: rich.console.Console) -> Iterator[ShowProgress]:
    """Show a bar, if standard output is a terminal. It appears with the first progress, and stays."""
    if not console.is_terminal or not sys.stdout.isatty():
        yield _show_nothing
        return
    columns: list[rich.progress.ProgressColumn] = [rich.progress.DownloadColumn()]
    if console.width >= _NARROW_COLUMNS:
        columns[:0] = [rich.progress.TextColumn("   progress ", style="dim"), rich.progress.BarColumn(bar_width=None)]
    bar = rich.progress.Progress(
        *columns,
        console=console,
        expand=True,
    )
    task = None

    def show(done: int, total: int) -> None:
        nonlocal task
        if task is None:
            bar.start()
            task = bar.add_task("", total=total, completed=done)
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if task is not None:
            bar.stop()

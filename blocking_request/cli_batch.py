"""``get --from``: many URLs into a folder, with a bar."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click
import rich.console
import rich.progress

from . import ErrorCode, NetworkAccessManager


def download_list(manager: NetworkAccessManager, requests: list[Any], folder: Path, jobs: int) -> ErrorCode:
    """The first code that is not NoError, or that."""
    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    codes: Counter[ErrorCode] = Counter()
    worst = ErrorCode.NoError
    with rich.progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("files", total=len(requests))
        with manager.downloadMany(requests, maxConcurrent=jobs, ordered=False, folder=folder) as batch:
            for _, code, reply in batch:
                bar.update(task, advance=1)
                codes[code] += 1
                if code is not ErrorCode.NoError:
                    worst = worst or code
                    bar.console.print(reply.errorString(), markup=False, highlight=False, soft_wrap=True)
            received = batch.receivedBytes()
    good = codes.pop(ErrorCode.NoError, 0)
    failed = "".join(f", {count} {code.name}" for code, count in sorted(codes.items()))
    click.echo(f"{good} of {len(requests)} files, {received} bytes{failed}", err=True)
    return worst

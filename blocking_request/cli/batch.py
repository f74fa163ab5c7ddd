"""``get --from``: downloads many URLs into a folder, with a progress bar."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import rich.console
import rich.progress

from .. import ErrorCode, NetworkAccessManager
from ..models.redaction import printable
from .output import exit_status, failure_text, has_terminal, say


def download_list(manager: NetworkAccessManager, requests: list[Any], folder: Path, jobs: int) -> int:
    """Download the requests. Return the first exit status that is not 0, else 0."""
    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    codes: Counter[ErrorCode] = Counter()
    status = 0
    bar = rich.progress.Progress(*columns, console=console, transient=True)
    task = bar.add_task("files", total=len(requests))
    # Without a terminal, rich would print an empty line when the bar is stopped.
    shown = bar if has_terminal() else nullcontext()
    with shown, manager.downloadMany(requests, maxConcurrent=jobs, ordered=False, folder=folder) as batch:
        for _, code, reply in batch:
            bar.update(task, advance=1)
            codes[code] += 1
            if code is not ErrorCode.NoError:
                status = status or exit_status(code, reply)
                text = printable(failure_text(reply.errorString()))
                bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        received = batch.receivedBytes()
    good = codes.pop(ErrorCode.NoError, 0)
    failed = "".join(f", {count} {code.name}" for code, count in sorted(codes.items()))
    if failed or has_terminal():
        say(f"{good} of {len(requests)} files, {received} bytes{failed}")
    return status

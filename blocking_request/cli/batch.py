"""``get --from``: downloads many URLs into a folder, with a progress bar."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import rich.console
import rich.progress

from .. import ErrorCode, NetworkAccessManager
from ..manager.batch_methods import MAX_CONCURRENT
from ..models.redaction import printable
from .options.body import contents, standard_input
from .options.groups import configured
from .output import exit_status, failure_text, has_terminal, say


def send_list(values: Mapping[str, Any]) -> int:
    """Download the URLs of --from. Return the exit status. Raises click.UsageError, OSError."""
    folder = values["output"]
    if values["url"] is not None:
        raise click.UsageError("give a URL or --from FILE, not both")
    if folder is None:
        raise click.UsageError("--from needs -o FOLDER, the folder for the files")
    if values["verbose"]:
        raise click.UsageError("--verbose shows single requests: it cannot be used with --from")
    addresses = _addresses(values["urls"])
    setup = configured(values)
    wanted = [setup.request_of(address) for address in addresses]
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError as error:
        raise OSError(error.errno, "this is a file: --from needs a folder for -o", folder) from None
    return download_list(setup.manager, wanted, Path(folder), values["jobs"] or MAX_CONCURRENT)


def _addresses(file: str) -> list[str]:
    raw = standard_input() if file == "-" else contents(file)
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise click.FileError(file, f"it is not UTF-8 text ({error})") from None
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


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

"""``get --from``: downloads many URLs into a folder, with a progress bar."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import rich.console
import rich.progress

from .. import ErrorCode
from ..manager.batch_methods import MAX_CONCURRENT
from .har_output import har_output
from .messages import EXIT_FILE, exit_status, failure_text, show_message
from .options.call_setup import CallSetup
from .options.file_content import content_of_path
from .options.groups import call_setup_of
from .options.named_files import check_named_files
from .options.tls import with_cacert
from .options.url import complete_url
from .options.values import UnreadableFile
from .output_settings import output_settings
from .resume import DownloadRecord
from .terminal import is_smart_terminal, may_reach_terminal
from .write_out import report_reply


def send_list(values: Mapping[str, Any]) -> int:
    """Download the URLs of --from. Return the exit status. Raises click.UsageError, OSError."""
    _check_options(values)
    folder = values["output"]
    check_named_files(values, None)
    addresses = _addresses(values["url_file"])
    setup = call_setup_of(values)
    wanted = [setup.request_of(address) for address in addresses]
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError as error:
        raise OSError(error.errno, "this is a file: --from needs a folder for -o", folder) from None
    urls = [complete_url(address) for address in addresses]
    record = DownloadRecord(Path(folder), urls, setup.query)
    before = len(urls)
    if values["resume"]:
        missing = set(record.missing())
        wanted = [request for request, url in zip(wanted, urls) if url in missing]
        urls = [url for url in urls if url in missing]
    try:
        with har_output() if any(map(setup.can_send, urls)) else nullcontext() as har:
            status = _download(setup, wanted, urls, record, values, before - len(urls))
    finally:
        record.save()
    return EXIT_FILE if status == 0 and har is not None and har.has_failed else status


def _check_options(values: Mapping[str, Any]) -> None:
    if values["url"] is not None:
        raise click.UsageError("give a URL or --from FILE, not both")
    if values["output"] is None:
        raise click.UsageError("--from needs -o FOLDER, the folder for the files")
    if output_settings().verbose:
        raise click.UsageError("--verbose shows single requests: it cannot be used with --from")
    for name, text in (("remote_name", "-O"), ("remote_header_name", "-J"), ("checksum", "--checksum")):
        if values[name]:
            raise click.UsageError(f"{text} is for single requests: it cannot be used with --from")


def _addresses(file: str) -> list[str]:
    raw = content_of_path(file, "--from")
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableFile(file, f"it is not UTF-8 text ({error})", "--from") from None
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def _download(
    setup: CallSetup,
    requests: list[Any],
    urls: list[str],
    record: DownloadRecord,
    values: Mapping[str, Any],
    skipped: int,
) -> int:
    """Download the requests. Return the exit status of the first one in the list that has failed, else 0.

    ``urls``: the URLs of the requests, for the record. ``skipped``: how many files were there before.
    """
    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    codes: Counter[ErrorCode] = Counter()
    has_response = False
    failures: dict[int, tuple[int, str]] = {}
    bar = rich.progress.Progress(*columns, console=console, transient=True)
    task = bar.add_task("files", total=len(requests))
    # Without a terminal, rich would print an empty line when the bar is stopped.
    settings = output_settings()
    # The text of --write-out would be written into the bar.
    is_terminal = is_smart_terminal(sys.stderr)
    is_shown = is_terminal and not settings.silent and not (settings.write_out and may_reach_terminal(sys.stdout))
    shown = bar if is_shown else nullcontext()
    batch = setup.manager.downloadMany(
        requests,
        maxConcurrent=values["jobs"] or MAX_CONCURRENT,
        ordered=False,
        folder=values["output"],
        authCfg=setup.auth_cfg(),
        headers=setup.headers,
        params=setup.query,
    )
    try:
        with shown, batch:
            for index, code, reply in batch:
                bar.update(task, advance=1)
                codes[code] += 1
                has_response = has_response or reply.statusCode() is not None
                if code is ErrorCode.NoError:
                    record.add(urls[index], reply.filePath())
                else:
                    text = with_cacert(failure_text(reply.errorString()), reply, values)
                    failures[index] = exit_status(code, reply), text
                report_reply(reply, exit_status(code, reply))
            received = batch.receivedBytes()
    finally:
        # In the order of the list, which the order of the results is not.
        for _, (_, text) in sorted(failures.items()):
            show_message(text)
    good = codes.pop(ErrorCode.NoError, 0)
    failed = "".join(f", {count} {code.name}" for code, count in sorted(codes.items()))
    if failed or is_terminal:
        there = f"; {skipped} {'was' if skipped == 1 else 'were'} there before" if skipped else ""
        show_message(f"{good} of {len(requests)} files, {received} bytes{failed}{there}")
    if has_response:
        setup.save_cookies()
    return failures[min(failures)][0] if failures else 0

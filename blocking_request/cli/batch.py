"""``get --from``: downloads many URLs into a folder, with a progress bar."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple

import click
import rich.progress

from .. import ErrorCode
from ..manager.batch_methods import MAX_CONCURRENT
from ..models.redaction import hidden_repr
from ..qt.binding import QtNetwork
from .download_record import DownloadRecord
from .failure_messages import failure_message
from .har_output import har_output
from .messages import EXIT_FILE, exit_status, show_message
from .options.call_setup import CallSetup
from .options.file_content import content_of_path
from .options.groups import call_setup_of
from .options.named_files import check_named_files
from .options.url import complete_url
from .options.values import UnreadableFile
from .output_settings import output_settings
from .progress import progress_display
from .terminal import is_smart_terminal, may_reach_terminal
from .write_out import report_reply


class _Listed(NamedTuple):
    """A URL of the list."""

    line: int
    """The number of its line, for messages."""
    url: str
    request: QtNetwork.QNetworkRequest

    def __repr__(self) -> str:
        return hidden_repr(self)


def send_list(values: Mapping[str, Any]) -> int:
    """Download the URLs of --from. Return the exit status. Raises click.UsageError, OSError."""
    _check_options(values)
    folder = values["output"]
    check_named_files(values, None)
    urls = _urls(values["url_file"])
    setup = call_setup_of(values)
    listed = [_Listed(line, url, setup.request_of(url)) for line, url in urls.items()]
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError as error:
        raise OSError(error.errno, "this is a file: --from needs a folder for -o", folder) from None
    record = DownloadRecord(Path(folder), [each.url for each in listed], setup.query)
    wanted = listed
    if values["resume"]:
        missing = set(record.missing())
        wanted = [each for each in listed if each.url in missing]
    try:
        with har_output() if any(setup.can_send(each.url) for each in wanted) else nullcontext() as har:
            status = _download(setup, wanted, record, values, len(listed) - len(wanted))
    finally:
        record.save()
    return EXIT_FILE if status == 0 and har is not None and har.has_failed else status


def _check_options(values: Mapping[str, Any]) -> None:
    if values["url"] is not None:
        raise click.UsageError("give a URL or --from FILE, not both")
    if values["output"] is None:
        raise click.UsageError("--from needs -o FOLDER, the folder for the files")
    if values["output"] == "-":
        raise click.UsageError("--from needs a folder for -o: several files are not written to standard output")
    if output_settings().verbose:
        raise click.UsageError("--verbose shows single requests: it cannot be used with --from")
    for name, text in (("remote_name", "-O"), ("remote_header_name", "-J"), ("checksum", "--checksum")):
        if values[name]:
            raise click.UsageError(f"{text} is for single requests: it cannot be used with --from")


def _urls(file: str) -> dict[int, str]:
    """Return the URLs of the file by the numbers of their lines. Raises UnreadableFile."""
    raw = content_of_path(file, "--from")
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableFile(file, f"it is not UTF-8 text ({error})", "--from") from None
    numbered = enumerate(map(str.strip, lines), 1)
    return {number: complete_url(line) for number, line in numbered if line and not line.startswith("#")}


def _download(
    setup: CallSetup, wanted: list[_Listed], record: DownloadRecord, values: Mapping[str, Any], skipped: int
) -> int:
    """Download URLs of the list. Return the exit status of the first one in the list that failed, else 0.

    ``skipped``: how many files were there before.
    """
    codes: Counter[ErrorCode] = Counter()
    has_response = False
    failures: dict[int, tuple[int, str]] = {}
    batch = setup.manager.downloadMany(
        [each.request for each in wanted],
        maxConcurrent=values["jobs"] or MAX_CONCURRENT,
        ordered=False,
        folder=values["output"],
        authCfg=setup.auth_cfg(),
        headers=setup.headers,
        params=setup.query,
    )
    try:
        with _progress_bar(len(wanted)) as advance, batch:
            for index, code, reply in batch:
                advance()
                codes[code] += 1
                has_response = has_response or reply.statusCode() is not None
                if code is ErrorCode.NoError:
                    record.add(wanted[index].url, reply.filePath())
                else:
                    text = failure_message(reply, values)
                    if not reply.url().isValid():  # a URL that is not valid is not shown: it may have a password
                        text = f"Line {wanted[index].line} of --from: {text}"
                    failures[index] = exit_status(code, reply), text
                report_reply(reply, exit_status(code, reply))
            received = batch.receivedBytes()
    finally:
        # In the order of the list, which the order of the results is not.
        for _, (_, text) in sorted(failures.items()):
            show_message(text)
    _show_summary(codes, len(wanted), received, skipped)
    if has_response:
        setup.save_cookies()
    return failures[min(failures)][0] if failures else 0


@contextmanager
def _progress_bar(count: int) -> Iterator[Callable[[], None]]:
    """Show a bar for this number of files if standard error is a terminal. Yield the function that counts one file."""
    bar = progress_display()
    bar.columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    task = bar.add_task("files", total=count)
    settings = output_settings()
    # The text of --write-out would be written into the bar.
    is_hidden = settings.silent or (settings.write_out and may_reach_terminal(sys.stdout))
    # Without a terminal, rich would print an empty line when the bar is stopped.
    with bar if is_smart_terminal(sys.stderr) and not is_hidden else nullcontext():
        yield partial(bar.update, task, advance=1)


def _show_summary(codes: Counter[ErrorCode], count: int, received: int, skipped: int) -> None:
    """Show how many files were downloaded, and how the other requests have ended. Scripts see it if one has failed."""
    failures = sorted((code, number) for code, number in codes.items() if code is not ErrorCode.NoError)
    failed = "".join(f", {number} {code.name}" for code, number in failures)
    if failed or is_smart_terminal(sys.stderr):
        there = f"; {skipped} {'was' if skipped == 1 else 'were'} there before" if skipped else ""
        show_message(f"{codes[ErrorCode.NoError]} of {count} files, {received} bytes{failed}{there}")

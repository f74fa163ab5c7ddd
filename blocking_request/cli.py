"""The command line: one command for each verb, ``info`` and ``demo``.

The exit status is the ErrorCode of the request (0 to 4); 64 for wrong usage, 74 for a file that cannot be read or
written, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import platform
import ssl
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn, Optional

import click
import rich.console
import rich.progress
import rich.table

from . import (
    BlockingNetworkRequest,
    ErrorCode,
    NetworkDiskCache,
    ReplyContent,
    demo,
    engines,
    messages,
)
from ._version import VERSION
from .batch_calls import MAX_CONCURRENT
from .body_source import body_for
from .cli_batch import download_list
from .cli_options import configured, data_option, many_options, own_cache, request_options
from .cli_output import Narrator, ProgressBar
from .engines import AUTO, ENGINES, ENVIRONMENT_VARIABLE
from .engines.decoders import READABLE_CODINGS
from .errors import Failure
from .exchange import Exchange
from .qt import API, QT_VERSION, QtCore, QtNetwork, has_tls

EXIT_USAGE = 64
EXIT_FILE = 74
EXIT_INTERRUPTED = 130


def run() -> NoReturn:
    """The entry point."""
    application = QtCore.QCoreApplication.instance() or QtCore.QCoreApplication(sys.argv[:1])
    try:
        status = commands.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        status = EXIT_USAGE
    except click.FileError as error:
        error.show()
        status = EXIT_FILE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted", err=True)
        status = EXIT_INTERRUPTED
    del application
    sys.exit(status)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="blocking-request")
def commands() -> None:
    """HTTP over Qt from the command line.

    The exit status tells what a request came to: 0 no error, 1 network error, 2 timeout, 3 the server answered with a
    status of 400 or more, 4 cancelled; 64 wrong usage, 74 a file cannot be read or written.
    """


def _add_verb(verb: str, summary: str, with_data: bool) -> None:
    def command(**options: Any) -> int:
        return _send(verb, **options)

    command.__doc__ = summary
    command = request_options(command)
    if verb == "GET":
        command = many_options(command)
    commands.command(verb.lower())(data_option(command) if with_data else command)


for _verb, _summary, _with_data in (
    ("GET", "GET a resource.", False),
    ("HEAD", "Get the headers of a resource.", False),
    ("POST", "POST a body.", True),
    ("PUT", "PUT a body.", True),
    ("PATCH", "PATCH with a body.", True),
    ("DELETE", "DELETE a resource.", False),
):
    _add_verb(_verb, _summary, _with_data)


@commands.command("request")
@click.argument("verb")
@request_options
@data_option
def _request(verb: str, **options: Any) -> int:
    """Send any VERB."""
    return _send(verb, **options)


def _send(
    verb: str,
    url: Optional[str],
    output: Optional[Path],
    verbose: bool,
    data: Optional[str] = None,
    urls: Optional[Any] = None,
    jobs: Optional[int] = None,
    **options: Any,
) -> int:
    if urls is not None:
        return _send_many(url, output, urls, jobs, verbose, options)
    if url is None:
        raise click.UsageError("Missing argument 'URL'" + (" (or --from FILE)" if verb == "GET" else ""))
    if jobs is not None:
        raise click.UsageError("--jobs is for --from: one URL is one job")
    manager, request_of = configured(**options)
    blocking = BlockingNetworkRequest(manager)
    if verbose:
        blocking._watchers = (Narrator(),)
    body = body_for(verb, None if data is None else _body(data))
    with ProgressBar(blocking):
        code = blocking.sendCustomRequest(request_of(url), verb, body)
    _write(blocking.reply(), output)
    if verbose and blocking.reply().isFromCache():
        click.echo("* from the cache", err=True)
    if code is not ErrorCode.NoError:
        click.echo(blocking.errorMessage(), err=True)
    return int(code)


def _send_many(
    url: Optional[str], folder: Optional[Path], urls: Any, jobs: Optional[int], verbose: bool, options: dict[str, Any]
) -> int:
    if url is not None:
        raise click.UsageError("give a URL or --from FILE, not both")
    if folder is None:
        raise click.UsageError("--from needs -o FOLDER, where the files go")
    if verbose:
        raise click.UsageError("--verbose tells of one exchange after another: it cannot be used with --from")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.FileError(str(folder), error.strerror or str(error)) from error
    manager, request_of = configured(**options)
    addresses = [line.strip() for line in urls if line.strip() and not line.startswith("#")]
    requests = [request_of(address) for address in addresses]
    return int(download_list(manager, requests, folder, jobs or MAX_CONCURRENT))


@commands.group("cache")
def _cache_commands() -> None:
    """What --cache keeps."""


@_cache_commands.command("info")
def _cache_info() -> int:
    """Show where it is and what is in it."""
    cache = own_cache()
    found = cache.statistics()
    click.echo(f"{cache.cacheDirectory()}: {found.count} entries, {found.size} of {found.limit} bytes")
    return _cache_status(cache)


@_cache_commands.command("clear")
def _cache_clear() -> int:
    """Delete what is in it."""
    cache = own_cache()
    cache.clear()
    return _cache_status(cache)


def _cache_status(cache: NetworkDiskCache) -> int:
    return EXIT_FILE if cache.problem() else 0


def _body(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode()
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise click.FileError(data[1:], error.strerror or str(error)) from error


def _write(reply: ReplyContent, output: Optional[Path]) -> None:
    if output is None:
        sys.stdout.buffer.write(reply.body)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(reply.body)
    except OSError as error:
        raise click.FileError(str(output), error.strerror or str(error)) from error


@commands.command("info")
def _info() -> int:
    """Show what this installation is made of, and what serves which URL."""
    console = rich.console.Console()
    parts = rich.table.Table("part", "version", title="blocking-request on this machine")
    for name, version in (
        ("blocking-request", VERSION),
        ("Python", platform.python_version()),
        ("binding", f"{API} {QtCore.PYQT_VERSION_STR}"),
        ("Qt", str(QtCore.qVersion())),
        ("TLS in Qt", QtNetwork.QSslSocket.sslLibraryVersionString() if has_tls() else "none that works here"),
        ("requests", metadata.version("requests")),
        ("urllib3", metadata.version("urllib3")),
        ("TLS in Python", ssl.OPENSSL_VERSION),
        ("content codings", ", ".join(READABLE_CODINGS)),
    ):
        parts.add_row(name, version)
    console.print(parts)
    serving = rich.table.Table("request", "auto takes", "qt", "urllib3", title="What serves what", show_lines=True)
    for row in decisions():
        serving.add_row(*row)
    console.print(serving)
    wanted = os.environ.get(ENVIRONMENT_VARIABLE)
    console.print(f"{ENVIRONMENT_VARIABLE} is {wanted!r}" if wanted else f"{ENVIRONMENT_VARIABLE} is not set: auto")
    return 0


def decisions() -> Iterator[tuple[str, str, str, str]]:
    """For each kind of request: what it is, what ``auto`` takes for it here, and what each engine says to it."""
    for what, exchange in (
        ("http://", Exchange("GET", "http://127.0.0.1/")),
        ("http://, with a body", Exchange("POST", "http://127.0.0.1/", body=b"x")),
        ("https://", Exchange("GET", "https://127.0.0.1/")),
        ("https://, with a body", Exchange("POST", "https://127.0.0.1/", body=b"x")),
        ("file:, data:, qrc:", Exchange("GET", "file:///")),
    ):
        chosen = engines.choose(exchange, AUTO)
        said = [engines.engine(name).refusal(exchange) for name in ENGINES]
        verdicts = ["yes" if refusal is None else f"no: {refusal.text}" for refusal in said]
        if said[0] is None and exchange.body and QT_VERSION < (6,):
            verdicts[0] = "yes, but a body on a kept connection takes 40 ms longer"
        yield what, "nothing" if isinstance(chosen, Failure) else chosen.name, verdicts[0], verdicts[1]
    yield "in a program without an application", "urllib3", f"no: {messages.no_application().text}", "yes"


@commands.command("demo")
def _demo() -> int:
    """Start a server on this machine, send every kind of request to it, and show what came of each."""
    table = rich.table.Table(title="blocking-request demo")
    for heading in ("request", "code", "status", "bytes", "ms", "over", "as promised"):
        table.add_column(heading, no_wrap=heading == "code")
    failed = 0
    for row in demo.rows():
        failed += not row.kept
        table.add_row(
            row.what,
            row.code.name,
            str(row.status or "-"),
            str(row.size),
            f"{row.milliseconds:.1f}",
            row.engine or "-",
            "[green]yes[/green]" if row.kept else f"[red]no: {row.promised}[/red]",
        )
    rich.console.Console().print(table)
    click.echo("Every promise kept." if not failed else f"{failed} of {table.row_count} differ from the promise.")
    return 1 if failed else 0

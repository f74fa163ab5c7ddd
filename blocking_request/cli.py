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
from typing import Any, Callable, NoReturn, Optional

import click
import rich.console
import rich.progress
import rich.table

from . import (
    BlockingNetworkRequest,
    ErrorCode,
    NetworkAccessManager,
    NetworkDiskCache,
    ReplyContent,
    TlsSettings,
    demo,
    engines,
    messages,
)
from .cache.location import default_folder
from .cli_output import Narrator, ProgressBar
from .engines import AUTO, ENGINES, ENVIRONMENT_VARIABLE
from .engines.decoders import READABLE_CODINGS
from .errors import Failure
from .exchange import Exchange
from .qt import API, QT_VERSION, QtCore, QtNetwork, enum_value, has_tls
from .version import VERSION

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


_PEM_FILE = click.Path(exists=True, dir_okay=False, readable=True)


def _request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        [
            click.argument("url"),
            click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header."),
            click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the body to a file."),
            click.option("--timeout", type=click.IntRange(0), help="Longest time without data, in ms; 0 is none."),
            click.option("--deadline", type=click.IntRange(0), help="Longest time as a whole, in ms; 0 is none."),
            click.option("--engine", type=click.Choice([AUTO, *ENGINES]), help="Which wire serves; auto by default."),
            click.option(
                "--cacert", type=_PEM_FILE, metavar="FILE", help="Trust the certificates in this PEM file only."
            ),
            click.option("--cert", type=_PEM_FILE, metavar="FILE", help="Show this client certificate."),
            click.option("--key", type=_PEM_FILE, metavar="FILE", help="Its key, where that is in another file."),
            click.option("-k", "--insecure", is_flag=True, help="Accept every certificate of a server."),
            click.option("--cache", is_flag=True, help="Keep what may be kept, and use it."),
            click.option("--refresh", is_flag=True, help="Ask the server whatever is kept, and keep that."),
            click.option("--offline", is_flag=True, help="Use what is kept, however old, and send nothing."),
            click.option("-v", "--verbose", is_flag=True, help="Show requests, replies, hops, engine and timings."),
        ]
    ):
        command = option(command)
    return command


_data_option = click.option("-d", "--data", metavar="TEXT|@FILE", help="Send this body; @- reads it from the input.")


def _add_verb(verb: str, summary: str, with_data: bool) -> None:
    def command(**options: Any) -> int:
        return _send(verb, **options)

    command.__doc__ = summary
    command = _request_options(command)
    commands.command(verb.lower())(_data_option(command) if with_data else command)


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
@_request_options
@_data_option
def _request(verb: str, **options: Any) -> int:
    """Send any VERB."""
    return _send(verb, **options)


def _send(
    verb: str,
    url: str,
    headers: tuple[str, ...],
    output: Optional[Path],
    timeout: Optional[int],
    deadline: Optional[int],
    engine: Optional[str],
    verbose: bool,
    cache: bool,
    refresh: bool,
    offline: bool,
    data: Optional[str] = None,
    **tls: Any,
) -> int:
    if refresh and offline:
        raise click.UsageError("--refresh asks the server and --offline does not: give one of them")
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(url))
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon:
            raise click.UsageError(f"a header is written 'NAME: VALUE', this one has no colon: {header}")
        request.setRawHeader(name.strip().encode(), value.strip().encode())  # type: ignore[arg-type]
    manager = NetworkAccessManager()
    manager.setTlsSettings(_tls_settings(**tls))
    if cache or refresh or offline:
        manager.setCache(_cache())
        control = _LOAD.AlwaysNetwork if refresh else _LOAD.AlwaysCache if offline else _LOAD.PreferCache
        request.setAttribute(QtNetwork.QNetworkRequest.Attribute.CacheLoadControlAttribute, enum_value(control))
    blocking = BlockingNetworkRequest(manager)
    if engine is not None:
        blocking.setEngine(engine)
    if timeout is not None:
        blocking.setTimeout(timeout)
    if deadline is not None:
        blocking.setDeadline(deadline)
    if verbose:
        blocking._watchers = (Narrator(),)
    body = _body(data) if data is not None else b"" if verb in ("POST", "PUT", "PATCH") else None
    with ProgressBar(blocking):
        code = blocking.sendCustomRequest(request, verb, body)
    _write(blocking.reply(), output)
    if verbose and blocking.reply().isFromCache():
        click.echo("* from the cache", err=True)
    if code is not ErrorCode.NoError:
        click.echo(blocking.errorMessage(), err=True)
    return int(code)


_LOAD = QtNetwork.QNetworkRequest.CacheLoadControl


def _cache() -> NetworkDiskCache:
    return NetworkDiskCache(default_folder("command-line"))


@commands.group("cache")
def _cache_commands() -> None:
    """What --cache keeps."""


@_cache_commands.command("info")
def _cache_info() -> int:
    """Show where it is and what is in it."""
    cache = _cache()
    found = cache.statistics()
    click.echo(f"{cache.cacheDirectory()}: {found.count} entries, {found.size} of {found.limit} bytes")
    return _cache_status(cache)


@_cache_commands.command("clear")
def _cache_clear() -> int:
    """Delete what is in it."""
    cache = _cache()
    cache.clear()
    return _cache_status(cache)


def _cache_status(cache: NetworkDiskCache) -> int:
    return EXIT_FILE if cache.problem() else 0


def _tls_settings(
    cacert: Optional[str], cert: Optional[str], key: Optional[str], insecure: bool
) -> Optional[TlsSettings]:
    if not (cacert or cert or key or insecure):
        return None
    try:
        return TlsSettings(caFile=cacert, clientCertificate=cert, clientKey=key, verify=not insecure)
    except ValueError as error:
        raise click.UsageError(f"--key is of no use by itself ({error})") from None


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

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
    ReplyContent,
    TlsSettings,
    demo,
    engines,
    messages,
)
from .engines import AUTO, ENGINES, ENVIRONMENT_VARIABLE
from .engines.decoders import READABLE_CODINGS
from .errors import Failure
from .exchange import Answer, Exchange
from .headers import CREDENTIAL_FIELDS, Pairs
from .qt import API, QT_VERSION, QtCore, QtNetwork, has_tls
from .version import VERSION

EXIT_USAGE = 64
EXIT_FILE = 74
EXIT_INTERRUPTED = 130

_SECRET_FIELDS = CREDENTIAL_FIELDS | {b"set-cookie"}


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
    data: Optional[str] = None,
    **tls: Any,
) -> int:
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(url))
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon:
            raise click.UsageError(f"a header is written 'NAME: VALUE', this one has no colon: {header}")
        request.setRawHeader(name.strip().encode(), value.strip().encode())  # type: ignore[arg-type]
    manager = NetworkAccessManager()
    manager.setTlsSettings(_tls_settings(**tls))
    blocking = BlockingNetworkRequest(manager)
    if engine is not None:
        blocking.setEngine(engine)
    if timeout is not None:
        blocking.setTimeout(timeout)
    if deadline is not None:
        blocking.setDeadline(deadline)
    if verbose:
        blocking._watchers = (_Narrator(),)
    body = _body(data) if data is not None else b"" if verb in ("POST", "PUT", "PATCH") else None
    with _ProgressBar(blocking):
        code = blocking.sendCustomRequest(request, verb, body)
    _write(blocking.reply(), output)
    if code is not ErrorCode.NoError:
        click.echo(blocking.errorMessage(), err=True)
    return int(code)


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


class _Narrator:
    """Tells on the error output what is sent and what comes back; credentials are not shown."""

    def exchange_started(self, exchange: Exchange) -> None:
        self._say(f"> {exchange.method} {exchange.shown_url}")
        self._say_fields("> ", exchange.headers, exchange.secret_names)

    def exchange_ended(self, answer: Answer, seconds: float) -> None:
        if answer.status is not None:
            self._say(f"< {answer.status} {answer.reason}")
            self._say_fields("< ", answer.headers.pairs, ())
        what = answer.failure.text if answer.failure else f"{answer.wire_bytes} bytes"
        session = None if answer.tls is None else answer.tls.session
        tls = f", {session.protocol} {session.cipher}" if session is not None and session.protocol else ""
        self._say(f"* {what} in {seconds * 1000:.1f} ms over {answer.engine or 'nothing'}{tls}")

    def _say_fields(self, mark: str, pairs: Pairs, secret_names: tuple[str, ...]) -> None:
        secret = _SECRET_FIELDS | {name.lower().encode() for name in secret_names}
        for name, value in pairs:
            text = "***" if name.lower() in secret else value.decode("latin-1")
            self._say(f"{mark}{name.decode('latin-1')}: {text}")

    def _say(self, line: str) -> None:
        click.echo(line, err=True)


class _ProgressBar:
    """A bar on the error output while a transfer runs, if that is a terminal."""

    def __init__(self, blocking: BlockingNetworkRequest) -> None:
        self._blocking = blocking
        self._console = rich.console.Console(stderr=True)
        self._progress = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.DownloadColumn(),
            rich.progress.TransferSpeedColumn(),
            rich.progress.TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, rich.progress.TaskID] = {}

    def __enter__(self) -> None:
        if self._console.is_terminal:
            self._progress.start()
            self._blocking.uploadProgress.connect(lambda done, total: self._show("sent", done, total))
            self._blocking.downloadProgress.connect(lambda done, total: self._show("received", done, total))

    def _show(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what)
        self._progress.update(self._tasks[what], completed=done, total=total if total >= 0 else None)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


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

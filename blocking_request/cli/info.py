"""What ``info`` and ``demo`` show."""

from __future__ import annotations

import os
import platform
import ssl
from collections.abc import Iterator
from importlib import import_module

import click
import requests
import rich.box
import rich.console
import rich.table
import urllib3

from .._version import VERSION
from ..engines import choice
from ..engines.choice import AUTO, ENGINES, ENVIRONMENT_VARIABLE
from ..engines.content_decoding import READABLE_CODINGS
from ..models import error_texts as messages
from ..models.failure import Failure
from ..models.http_messages import Request
from ..qt.binding import API, QT_VERSION, QtCore, QtNetwork, has_tls
from . import demo


def show_installation() -> None:
    """Write the versions and the table of engines to standard output."""
    console = rich.console.Console(markup=False)
    parts = rich.table.Table("component", "version", title="blocking-request on this machine")
    for name, version in (
        ("blocking-request", VERSION),
        ("Python", platform.python_version()),
        ("Qt binding", f"{API} {QtCore.PYQT_VERSION_STR}"),
        ("Qt", str(QtCore.qVersion())),
        ("TLS in Qt", QtNetwork.QSslSocket.sslLibraryVersionString() if has_tls() else "none that works here"),
        ("TLS in Python", ssl.OPENSSL_VERSION),
        ("requests", requests.__version__),
        ("urllib3", urllib3.__version__),  # type: ignore[attr-defined]
        ("h2 (HTTP/2)", _version_of("h2")),
        ("socksio (SOCKS)", _version_of("socksio")),
        ("content codings", ", ".join(READABLE_CODINGS)),
    ):
        parts.add_row(name, version)
    console.print(parts)
    serving = rich.table.Table(title="Which engine sends which request", show_lines=True)
    for heading in ("request", "auto takes", "can qt?", "can python?"):
        # In 80 columns this leaves 20 for the reasons, so that a class and its parentheses stay together.
        serving.add_column(heading, overflow="fold", max_width=17 if heading == "request" else None)
    first_rows: dict[str, str] = {}
    for what, taken, *verdicts in decisions():
        serving.add_row(what, taken, *(_shown(verdict, what, first_rows) for verdict in verdicts))
    console.print(serving)
    click.echo("qt: Qt's own network manager, in a worker thread. python: the calling thread.")
    wanted = os.environ.get(ENVIRONMENT_VARIABLE)
    click.echo(f"{ENVIRONMENT_VARIABLE} is {wanted!r}" if wanted else f"{ENVIRONMENT_VARIABLE} is not set: auto")


def _version_of(name: str) -> str:
    """Return the version of a package that need not be there."""
    try:
        return str(import_module(name).__version__)
    except ImportError:
        return "not installed"


def _shown(verdict: str, what: str, first_rows: dict[str, str]) -> str:
    """Return a verdict as the table shows it: each reason once. ``first_rows``: the row of each reason so far."""
    first = first_rows.setdefault(verdict, what)
    return verdict if verdict == "yes" or first == what else f"as for {first}"


def decisions() -> Iterator[tuple[str, str, str, str]]:
    """For each kind of request: what it is, what ``auto`` takes for it here, and what each engine says to it."""
    get = Request("GET", "http://127.0.0.1/")
    in_a_batch = "http://, in a batch or a QHttp"
    for what, request in (
        ("http://", get),
        (in_a_batch, get),
        ("http://, download or stream", get._replace(streams=True)),
        ("http://, with a cache", get._replace(is_stored=True)),
        ("http://, with a body", Request("POST", "http://127.0.0.1/", body=b"x")),
        ("https://", Request("GET", "https://127.0.0.1/")),
        ("https://, with a body", Request("POST", "https://127.0.0.1/", body=b"x")),
        ("file:, data:, qrc:", Request("GET", "file:///")),
    ):
        chosen = choice.choose(request, AUTO, is_one_of_many=what is in_a_batch)
        refusals = [choice.engine(name).unsupported_reason(request) for name in ENGINES]
        verdicts = ["yes" if refusal is None else f"no: {refusal.text}" for refusal in refusals]
        if refusals[0] is None and request.body and QT_VERSION < (6,):
            verdicts[0] = "yes, but a body on a kept connection takes 40 ms longer"
        yield what, "nothing" if isinstance(chosen, Failure) else chosen.name, verdicts[0], verdicts[1]
    yield "in a program without an application", "python", f"no: {messages.no_application().text}", "yes"


def show_demo() -> int:
    """Run the demonstration and write its table to standard output; return how many results are wrong."""
    # It fits into 80 columns.
    table = rich.table.Table(title="blocking-request demo", box=rich.box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("request", "code", "status", "bytes", "ms", "over", "kept"):
        table.add_column(heading, no_wrap=heading in ("request", "code"))
    failed = 0
    for row in demo.rows():
        failed += not row.is_right
        table.add_row(
            row.what,
            row.code.name,
            str(row.status or "-"),
            str(row.size),
            f"{row.milliseconds:.1f}",
            row.engine or "-",
            "[green]yes[/green]" if row.is_right else f"[red]no: {row.promised}[/red]",
        )
    rich.console.Console().print(table)
    click.echo("Every promise kept." if not failed else f"{failed} of {table.row_count} differ from the promise.")
    return failed

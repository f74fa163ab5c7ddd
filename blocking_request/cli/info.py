"""The output of the command ``info``."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from collections.abc import Iterator
from importlib import import_module

import click
import requests
import rich.table
import urllib3

from .._version import VERSION
from ..engines import choice
from ..engines.choice import AUTO, ENGINES, ENVIRONMENT_VARIABLE
from ..engines.content_decoding import READABLE_CODINGS
from ..models import error_texts as messages
from ..models.failure import Failure
from ..models.http_messages import Request
from ..qt.binding import API, BINDING_VERSION, QT_VERSION, QtCore, QtNetwork, has_tls
from .messages import failure_text
from .terminal import console_for, wrapped

_TABLE_COLUMNS = 80
"""In a narrower terminal, the columns of a table would divide words."""


def show_installation() -> None:
    """Write the versions and the engines of requests to standard output: in tables if these have room."""
    console = console_for(sys.stdout)
    if console.width >= _TABLE_COLUMNS:
        console.print(_table_of_components())
        console.print(_table_of_engines())
    else:
        _write_lists(console.width)
    for text in _engine_texts():
        click.echo("\n".join(wrapped(text, console.width)))


def _components() -> Iterator[tuple[str, str]]:
    """Yield the names of all components and their versions."""
    yield "blocking-request", VERSION
    yield "Python", platform.python_version()
    yield "Qt binding", f"{API} {BINDING_VERSION}"
    yield "Qt", str(QtCore.qVersion())
    yield "TLS in Qt", QtNetwork.QSslSocket.sslLibraryVersionString() if has_tls() else "not usable here"
    yield "TLS in Python", ssl.OPENSSL_VERSION
    yield "requests", requests.__version__
    yield "urllib3", urllib3.__version__  # type: ignore[attr-defined]
    yield "h2 (HTTP/2)", _version_of("h2")
    yield "socksio (SOCKS)", _version_of("socksio")
    yield "content codings", ", ".join(READABLE_CODINGS)


def _table_of_components() -> rich.table.Table:
    table = rich.table.Table("component", "version", title="blocking-request on this machine")
    for name, version in _components():
        table.add_row(name, version)
    return table


def _table_of_engines() -> rich.table.Table:
    table = rich.table.Table(title="Which engine sends which request", show_lines=True)
    for heading in ("request", "auto takes", "can qt?", "can python?"):
        # A terminal of 80 columns then has 20 for each reason: a name such as QCoreApplication([]) is not split.
        table.add_column(heading, overflow="fold", max_width=17 if heading == "request" else None)
    first_rows: dict[str, str] = {}
    for request, taken, *verdicts in decisions():
        table.add_row(request, taken, *(_shown(verdict, request, first_rows) for verdict in verdicts))
    return table


def _write_lists(columns: int) -> None:
    """Write what the tables have, for a narrow terminal."""
    for name, version in _components():
        click.echo("\n".join(wrapped(f"{name}: {version}", columns, "  ")))
    for request, taken, of_qt, of_python in decisions():
        click.echo("\n".join(["", *wrapped(request, columns)]))
        for heading, text in (("auto takes", taken), ("can qt?", of_qt), ("can python?", of_python)):
            click.echo("\n".join(wrapped(f"  {heading} {text}", columns, "    ")))
    click.echo()


def _engine_texts() -> Iterator[str]:
    """Yield the meaning of the names of engines, and the engine that the environment names."""
    yield "qt: Qt's own network manager, in a worker thread. python: the calling thread."
    yield "The commands of blocking-request stream each body; 'get --from' sends a batch."
    wanted = os.environ.get(ENVIRONMENT_VARIABLE)
    try:
        choice.engine_of_environment()
        yield f"{ENVIRONMENT_VARIABLE} is {wanted!r}" if wanted else f"{ENVIRONMENT_VARIABLE} is not set: auto"
    except ValueError as error:
        yield f"{error}. Every request fails until it is mended."


def _version_of(name: str) -> str:
    """Return the version of an optional package."""
    try:
        return str(import_module(name).__version__)
    except ImportError:
        return "not installed"


def _shown(verdict: str, request: str, first_rows: dict[str, str]) -> str:
    """Return a verdict for the table, which shows each reason once. ``first_rows``: the first row of each reason."""
    first = first_rows.setdefault(verdict, request)
    return verdict if verdict == "yes" or first == request else f"as for {first}"


def decisions() -> Iterator[tuple[str, str, str, str]]:
    """Yield, for each kind of request: its name, the engine that ``auto`` takes here, and a verdict of each engine."""
    get = Request("GET", "http://127.0.0.1/")
    in_a_batch = "http://, in a batch or a QHttp"
    for name, request in (
        ("http://", get),
        (in_a_batch, get),
        ("http://, download or stream", get._replace(streams=True)),
        ("http://, with a cache", get._replace(is_stored=True)),
        ("http://, with a body", Request("POST", "http://127.0.0.1/", body=b"x")),
        ("https://", Request("GET", "https://127.0.0.1/")),
        ("https://, with a body", Request("POST", "https://127.0.0.1/", body=b"x")),
        ("file:, data:, qrc:", Request("GET", "file:///")),
    ):
        chosen = choice.choose(request, AUTO, prefers_python=name is in_a_batch)
        refusals = [choice.engine(engine).unsupported_reason(request) for engine in ENGINES]
        verdicts = ["yes" if refusal is None else f"no: {failure_text(refusal.text)}" for refusal in refusals]
        if refusals[0] is None and request.body and QT_VERSION < (6,):
            verdicts[0] = "yes, but a body on a kept connection takes 40 ms longer"
        yield name, "none" if isinstance(chosen, Failure) else chosen.name, verdicts[0], verdicts[1]
    yield "in a program without an application", "python", f"no: {messages.no_application().text}", "yes"

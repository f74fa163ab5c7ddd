"""The output of the command ``info``."""

from __future__ import annotations

import os
import platform
import ssl
from collections.abc import Iterator
from importlib import import_module

import click
import requests
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
from ..qt.binding import API, BINDING_VERSION, QT_VERSION, QtCore, QtNetwork, has_tls


def show_installation() -> None:
    """Write the versions and the table of engines to standard output."""
    console = rich.console.Console(markup=False)
    parts = rich.table.Table("component", "version", title="blocking-request on this machine")
    for name, version in (
        ("blocking-request", VERSION),
        ("Python", platform.python_version()),
        ("Qt binding", f"{API} {BINDING_VERSION}"),
        ("Qt", str(QtCore.qVersion())),
        ("TLS in Qt", QtNetwork.QSslSocket.sslLibraryVersionString() if has_tls() else "not usable here"),
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
        # A terminal of 80 columns then has 20 for each reason: a name such as QCoreApplication([]) is not split.
        serving.add_column(heading, overflow="fold", max_width=17 if heading == "request" else None)
    first_rows: dict[str, str] = {}
    for request, taken, *verdicts in decisions():
        serving.add_row(request, taken, *(_shown(verdict, request, first_rows) for verdict in verdicts))
    console.print(serving)
    click.echo("qt: Qt's own network manager, in a worker thread. python: the calling thread.")
    wanted = os.environ.get(ENVIRONMENT_VARIABLE)
    try:
        choice.engine_of_environment()
        click.echo(f"{ENVIRONMENT_VARIABLE} is {wanted!r}" if wanted else f"{ENVIRONMENT_VARIABLE} is not set: auto")
    except ValueError as error:
        click.echo(f"{error}. Every request fails until it is mended.")


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
        verdicts = ["yes" if refusal is None else f"no: {refusal.text}" for refusal in refusals]
        if refusals[0] is None and request.body and QT_VERSION < (6,):
            verdicts[0] = "yes, but a body on a kept connection takes 40 ms longer"
        yield name, "none" if isinstance(chosen, Failure) else chosen.name, verdicts[0], verdicts[1]
    yield "in a program without an application", "python", f"no: {messages.no_application().text}", "yes"

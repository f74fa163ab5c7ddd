"""The options of the request: URL, headers, times and engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from ...engines.choice import AUTO, ENGINES
from ...manager.batch_methods import MAX_CONCURRENT
from ...models.failure import RequestNotSent
from ...models.headers import Pairs
from ...prepare.arguments import call_arguments
from ...prepare.build_request import check_field
from ...prepare.settings import DEFAULT_TIMEOUT_MS
from ...qt.binding import QtNetwork, field_name
from .call_setup import CallSetup
from .sections import REQUEST, Command, decorated, option
from .values import Milliseconds

_MILLISECONDS = Milliseconds()


def request_options(command: Command) -> Command:
    """Add the URL and the options of the request to a command."""
    return decorated(
        command,
        [
            click.argument("url", required=False),
            option(
                REQUEST,
                "-H",
                "--header",
                "headers",
                multiple=True,
                metavar="'NAME: VALUE'",
                help="Send this header. The option may be given several times.",
            ),
            option(
                REQUEST,
                "--timeout",
                type=_MILLISECONDS,
                metavar="MS",
                help=f"Longest time without data, in milliseconds; {DEFAULT_TIMEOUT_MS} by default; 0: no limit.",
            ),
            option(
                REQUEST,
                "--deadline",
                type=_MILLISECONDS,
                metavar="MS",
                help="Longest time for the whole request, redirects included, in milliseconds; 0 (default): no limit.",
            ),
            option(
                REQUEST,
                "--engine",
                type=click.Choice([AUTO, *ENGINES]),
                help="The engine that sends the request; auto by default.",
            ),
        ],
    )


def many_options(command: Command) -> Command:
    """Add the options of ``get --from`` to a command."""
    return decorated(
        command,
        [
            option(
                REQUEST,
                "--from",
                "urls",
                metavar="FILE",
                help="Download each URL in this file into the folder of -o. Each line has one URL; lines that begin "
                "with # are skipped. '-' is standard input.",
            ),
            option(
                REQUEST,
                "--jobs",
                type=click.IntRange(1),
                metavar="N",
                help=f"With --from: N requests at once, {MAX_CONCURRENT} by default.",
            ),
        ],
    )


def apply_request_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply headers, times and engine. Raises click.UsageError."""
    for name, value in _header_fields(values["headers"]):
        _set_header(setup.prototype, name, value)
    if values["engine"] is not None:
        setup.manager.setEngine(values["engine"])
    if values["timeout"] is not None:
        setup.manager.setTimeout(values["timeout"])
    if values["deadline"] is not None:
        setup.manager.setDeadline(values["deadline"])


def _header_fields(headers: tuple[str, ...]) -> Pairs:
    """Return the fields; the values of a field that is given twice are joined. Raises click.UsageError."""
    pairs = []
    for header in headers:
        name, colon, value = os.fsencode(header).partition(b":")
        if not colon:
            raise click.UsageError(f"a header must be 'NAME: VALUE', this one has no colon: {header}")
        pairs.append((name.strip(), value.strip()))
    try:
        return call_arguments(pairs, None).headers
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _set_header(request: QtNetwork.QNetworkRequest, name: bytes, value: bytes) -> None:
    """Set a header field. Raises click.UsageError if it is not valid; Qt 6 would send the request without it."""
    try:
        check_field(name, value)
    except RequestNotSent as error:
        raise click.UsageError(error.failure.text) from None
    request.setRawHeader(name, value)  # type: ignore[arg-type]
    if value and not request.hasRawHeader(field_name(name)):
        text = name.decode("latin-1")
        raise click.UsageError(f"the value of the header {text} has a control character, which Qt does not send")


def header_names(values: Mapping[str, Any]) -> set[str]:
    """Return the names of the headers of -H in lower case."""
    return {header.partition(":")[0].strip().lower() for header in values["headers"]}

"""The options of the request: URL, headers, redirects, times and engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from ...engines.choice import AUTO, ENGINES
from ...manager.batch_methods import MAX_CONCURRENT
from ...prepare.settings import DEFAULT_TIMEOUT_MS
from ...qt.binding import QtNetwork
from .call_setup import CallSetup
from .sections import REQUEST, Command, decorated, option
from .values import DURATION, WholeNumber

_TIMES = "5 or 0.5 (seconds), 500ms, 2m"


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
                help="Send this header. 'NAME:' removes a header that is sent by default, 'NAME;' sends an empty one. "
                "The option may be given several times.",
            ),
            option(
                REQUEST,
                "-q",
                "--query",
                "query",
                multiple=True,
                metavar="NAME=VALUE",
                help="Add this parameter to the query of the URL, encoded. The option may be given several times.",
            ),
            option(REQUEST, "-A", "--user-agent", metavar="TEXT", help="Send this User-Agent; '' sends none."),
            option(REQUEST, "-e", "--referer", metavar="URL", help="Send this Referer."),
            option(
                REQUEST,
                "-L/--no-location",
                "--location",
                "follows",
                default=True,
                help="Follow redirects (default), or show the response that redirects.",
            ),
            option(
                REQUEST,
                "--max-redirs",
                type=WholeNumber(),
                metavar="N",
                help="Follow at most N redirects; 50 by default.",
            ),
            option(
                REQUEST,
                "--timeout",
                type=DURATION,
                metavar="TIME",
                help=f"Longest time without data: {_TIMES}; {DEFAULT_TIMEOUT_MS // 1000} by default; 0: no limit.",
            ),
            option(
                REQUEST,
                "-m",
                "--deadline",
                "--max-time",
                "deadline",
                type=DURATION,
                metavar="TIME",
                help="Longest time for the whole request, redirects and retries included; 0 (default): no limit.",
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
                "url_file",
                metavar="FILE",
                help="Download each URL in this file into the folder of -o. Each line has one URL; lines that begin "
                "with # are skipped. '-' is standard input.",
            ),
            option(
                REQUEST,
                "--jobs",
                type=WholeNumber(1),
                metavar="N",
                help=f"With --from: N requests at once, {MAX_CONCURRENT} by default.",
            ),
        ],
    )


def apply_request_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply headers, query, redirects, times and engine. Raises click.UsageError."""
    for header in values["headers"]:
        setup.add_header(*_header_field(header))
    setup.query += [_parameter(text) for text in values["query"]]
    if values["user_agent"] is not None:
        setup.add_default_header("User-Agent", values["user_agent"] or None)
    if values["referer"] is not None:
        setup.add_default_header("Referer", values["referer"])
    if not values["follows"]:
        setup.manager.setRedirectPolicy(QtNetwork.QNetworkRequest.RedirectPolicy.ManualRedirectPolicy)
    if values["max_redirs"] is not None:
        setup.prototype.setMaximumRedirectsAllowed(values["max_redirs"])
    if values["engine"] is not None:
        setup.manager.setEngine(values["engine"])
    if values["timeout"] is not None:
        setup.manager.setTimeout(values["timeout"])
    if values["deadline"] is not None:
        setup.manager.setDeadline(values["deadline"])


def _header_field(header: str) -> tuple[bytes, Any]:
    """Return name and value of -H; the value is None if the field must not be sent. Raises click.UsageError."""
    text = os.fsencode(header)
    name, colon, value = text.partition(b":")
    if not colon and text.rstrip().endswith(b";"):
        return text.rstrip()[:-1].strip(), b""
    if not colon:
        # The text may be a secret and is not shown.
        raise click.UsageError("-H: a header is written 'NAME: VALUE', and one has no colon")
    if not name.strip():
        raise click.UsageError("-H: a header is written 'NAME: VALUE', and one has no name")
    return name.strip(), value.strip() or None


def _parameter(text: str) -> tuple[bytes, bytes]:
    """Return name and value of -q. Raises click.UsageError."""
    name, equals, value = os.fsencode(text).partition(b"=")
    if not equals:
        raise click.UsageError("-q: a parameter is written NAME=VALUE, and one has no '='")
    return name, value

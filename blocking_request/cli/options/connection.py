"""The options of the request that concern cookies, content coding, the version of HTTP and retries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import click

from ...qt.binding import QtNetwork
from .call_setup import CallSetup
from .sections import REQUEST, Command, decorated, option
from .values import DURATION, UnreadableFile, WholeNumber, check_readable, checked_path

RETRIED_STATUSES = (408, 429, 500, 502, 503, 504)
"""The statuses after which ``--retry`` tries again, as in curl."""


def connection_options(command: Command) -> Command:
    """Add the options of cookies, content coding, versions of HTTP and retries to a command."""
    return decorated(
        command,
        [
            option(
                REQUEST,
                "-b",
                "--cookie",
                "cookies",
                multiple=True,
                metavar="'A=B; C=D'|FILE",
                help="Send these cookies, or those of this file in the format of Mozilla and curl.",
            ),
            option(
                REQUEST,
                "-c",
                "--cookie-jar",
                metavar="FILE",
                callback=checked_path,
                help="Write all cookies into this file at the end. Only you may read it.",
            ),
            option(
                REQUEST,
                "--retry",
                type=WholeNumber(),
                metavar="N",
                help="Try again up to N times after a failed connection or a status of "
                f"{', '.join(map(str, RETRIED_STATUSES))}: GET, HEAD, PUT, DELETE and OPTIONS only.",
            ),
            option(
                REQUEST,
                "--retry-delay",
                type=DURATION,
                metavar="TIME",
                help="The pause before each retry; by default 1 s, then twice as long each time. Retry-After "
                "is obeyed.",
            ),
            option(
                REQUEST,
                "--compressed/--no-compressed",
                "compressed",
                default=True,
                help="Accept a compressed body and decode it (default), or ask for the body as it is.",
            ),
            # Two flags of one parameter: the later one counts, as in curl.
            option(
                REQUEST,
                "--http1.1",
                "http_version",
                is_flag=True,
                flag_value="1.1",
                default=None,
                help="Use HTTP/1.1 only.",
            ),
            option(
                REQUEST,
                "--http2",
                "http_version",
                is_flag=True,
                flag_value="2",
                default=None,
                help="Use HTTP/2 if the server has it (https only). On the python engine this is the default if h2 is "
                "installed.",
            ),
            option(REQUEST, "--interface", metavar="NAME", hidden=True, callback=_refuse_interface),
        ],
    )


def _refuse_interface(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    if value is not None:
        raise click.UsageError(
            "--interface: Qt cannot bind a request to a network interface, so the operating system chooses it. "
            "curl has this option",
            ctx,
        )
    return value


def apply_connection_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply cookies, content coding, versions of HTTP and retries. Raises click.UsageError, click.FileError."""
    for text in values["cookies"]:
        if "=" in text:
            setup.cookies += _cookies(text)
        else:
            _load_cookies(setup, text, may_be_missing=text == values["cookie_jar"])
    if values["cookie_jar"] == "-":
        raise click.UsageError("-c: give the name of a file; cookies are not written to standard output")
    setup.cookie_file = values["cookie_jar"]
    if not values["compressed"]:
        setup.add_default_header("Accept-Encoding", "identity")
    _apply_version(setup, values)
    if values["retry_delay"] is not None and values["retry"] is None:
        raise click.UsageError("--retry-delay needs --retry N")
    if values["retry"]:
        from .retries import Retries

        delay = values["retry_delay"]
        setup.manager.setRetry(
            Retries(values["retry"], status_forcelist=RETRIED_STATUSES, delay=None if delay is None else delay / 1000)
        )


def _apply_version(setup: CallSetup, values: Mapping[str, Any]) -> None:
    version = values["http_version"]
    if version == "2" and values["engine"] != "qt" and find_spec("h2") is None:
        raise click.UsageError("--http2 needs the package h2: python3 -m pip install 'blocking-request[http2]'")
    if version is not None:
        attribute = QtNetwork.QNetworkRequest.Attribute.Http2AllowedAttribute
        setup.prototype.setAttribute(attribute, version == "2")


def _cookies(text: str) -> list[tuple[str, str]]:
    """Return names and values, with one character for each byte, as the jar keeps them."""
    pairs = []
    for part in os.fsencode(text).decode("latin-1").split(";"):
        name, equals, value = part.strip().partition("=")
        if part.strip() and not (equals and name):
            # The text may be a secret and is not shown.
            raise click.UsageError("-b: cookies are written 'NAME=VALUE; NAME=VALUE', and one of these is not")
        if name:
            pairs.append((name, value))
    return pairs


def _load_cookies(setup: CallSetup, path: str, may_be_missing: bool) -> None:
    """``may_be_missing``: whether -c writes this file, so that the first run need not find it."""
    if not path:
        return  # curl's way to turn cookies on, which are on
    if may_be_missing and not os.path.lexists(path):
        return
    check_readable(path, "-b")
    try:
        setup.manager.cookieJar().load(path)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error), "-b") from None
    except ValueError as error:
        raise UnreadableFile(path, str(error), "-b") from None

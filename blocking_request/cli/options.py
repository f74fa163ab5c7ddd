"""The options of the command line, and the manager and requests that are made from them."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Callable, Optional

import click

from .. import NetworkAccessManager, NetworkDiskCache, TlsSettings
from ..engines.choice import AUTO, ENGINES
from ..manager.batch_methods import MAX_CONCURRENT
from ..models.failure import RequestNotSent
from ..models.headers import Pairs
from ..prepare.arguments import call_arguments
from ..prepare.build_request import check_field
from ..prepare.settings import DEFAULT_TIMEOUT_MS
from ..qt.binding import QtCore, QtNetwork, enum_value, field_name
from ..stores.cache.location import default_folder

_MAX_MS = 2**31 - 1


class Milliseconds(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A whole number of milliseconds. The messages of click's own IntRange do not name the unit."""

    name = "milliseconds"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> int:
        try:
            number = int(value)
        except ValueError:
            number = -1
        if not 0 <= number <= _MAX_MS:
            expected = f"a whole number of milliseconds from 0 to {_MAX_MS}: 1.5 s are 1500"
            self.fail(f"{value!r} is not {expected}", param, ctx)
        return number


class ReadableFile(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """The path of a file that can be opened. If it cannot, the command ends with ``click.FileError``."""

    name = "file"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> str:
        with opened(value):
            return str(value)


def opened(path: str) -> BinaryIO:
    """Open a file for reading. Raises click.FileError."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise click.FileError(path, error.strerror or str(error)) from None
    except ValueError as error:  # a null character
        raise click.UsageError(f"{path!r} is not a path: {error}") from None


_MILLISECONDS = Milliseconds()
_PEM_FILE = ReadableFile()


def checked_path(ctx: click.Context, param: click.Parameter, value: Optional[str]) -> Optional[str]:
    """Refuse an empty path. A shell passes '' for a variable that is not set, and the file would go into the current
    folder.
    """
    if value == "":
        raise click.BadParameter("the path is empty", ctx, param)
    if value is not None and "\0" in value:
        raise click.BadParameter("the path has a null character", ctx, param)
    return value


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the URL and the options that all methods share to a command."""
    for option in reversed(
        [
            click.argument("url", required=False),
            click.option(
                "-H",
                "--header",
                "headers",
                multiple=True,
                metavar="'NAME: VALUE'",
                help="Send this header. The option may be given several times.",
            ),
            click.option(
                "-o",
                "--output",
                metavar="FILE|FOLDER",
                callback=checked_path,
                help="Write the body to this file when it is complete (head: the status line and the headers). If it "
                "is an existing folder, the server or the URL names the file, and no file is replaced. After an error "
                "the file is unchanged. '-' is standard output.",
            ),
            click.option(
                "--timeout",
                type=_MILLISECONDS,
                metavar="MS",
                help=f"Longest time without data, in milliseconds; {DEFAULT_TIMEOUT_MS} by default; 0: no limit.",
            ),
            click.option(
                "--deadline",
                type=_MILLISECONDS,
                metavar="MS",
                help="Longest time for the whole request, redirects included, in milliseconds; 0 (default): no limit.",
            ),
            click.option(
                "--engine",
                type=click.Choice([AUTO, *ENGINES]),
                help="The engine that sends the request; auto by default.",
            ),
            click.option(
                "--cacert", type=_PEM_FILE, metavar="FILE", help="Trust only the certificates in this PEM file."
            ),
            click.option(
                "--cert",
                type=_PEM_FILE,
                metavar="FILE",
                help="Authenticate with the client certificate in this PEM file, or PKCS#12 file without a password.",
            ),
            click.option(
                "--key", type=_PEM_FILE, metavar="FILE", help="The key of --cert, if it is in a PEM file of its own."
            ),
            click.option("-k", "--insecure", is_flag=True, help="Do not verify the server's certificate."),
            click.option("--cache", is_flag=True, help="Use the HTTP cache."),
            click.option("--refresh", is_flag=True, help="Bypass the cache and store the new response."),
            click.option("--offline", is_flag=True, help="Serve from the cache only; never contact the server."),
            click.option(
                "-v", "--verbose", is_flag=True, help="Show each request as it is sent, each response and the timings."
            ),
            click.option(
                "--har",
                metavar="FILE",
                callback=checked_path,
                help="Write all requests and responses, without credentials, into this file (HAR 1.2), which the "
                "developer tools of a browser can open.",
            ),
        ]
    ):
        command = option(command)
    return command


data_option = click.option(
    "-d",
    "--data",
    metavar="TEXT|@FILE",
    help="Send this body; @- reads standard input. If -H gives no Content-Type, it is application/"
    "x-www-form-urlencoded.",
)


def many_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of ``get --from`` to a command."""
    command = click.option(
        "--jobs",
        type=click.IntRange(1),
        metavar="N",
        help=f"With --from: N requests at once, {MAX_CONCURRENT} by default.",
    )(command)
    return click.option(
        "--from",
        "urls",
        metavar="FILE",
        help="Download each URL in this file into the folder of -o. Each line has one URL; lines that begin with # "
        "are skipped. '-' is standard input.",
    )(command)


def configured(
    headers: tuple[str, ...],
    timeout: Optional[int],
    deadline: Optional[int],
    engine: Optional[str],
    cache: bool,
    refresh: bool,
    offline: bool,
    **tls: Any,
) -> tuple[NetworkAccessManager, Callable[[str], QtNetwork.QNetworkRequest]]:
    """Return a manager, and a function that makes the request for a URL. Raises click.UsageError, OSError."""
    if refresh and offline:
        raise click.UsageError("--refresh and --offline exclude each other: give one of them")
    prototype = QtNetwork.QNetworkRequest()
    for name, value in _header_fields(headers):
        _set_header(prototype, name, value)
    manager = NetworkAccessManager()
    manager.setTlsSettings(_tls_settings(**tls))
    if cache or refresh or offline:
        manager.setCache(command_line_cache())
        control = _LOAD.AlwaysNetwork if refresh else _LOAD.AlwaysCache if offline else _LOAD.PreferCache
        prototype.setAttribute(QtNetwork.QNetworkRequest.Attribute.CacheLoadControlAttribute, enum_value(control))
    if engine is not None:
        manager.setEngine(engine)
    if timeout is not None:
        manager.setTimeout(timeout)
    if deadline is not None:
        manager.setDeadline(deadline)

    def request_of(url: str) -> QtNetwork.QNetworkRequest:
        check_text(url, "URL")
        request = QtNetwork.QNetworkRequest(prototype)
        request.setUrl(QtCore.QUrl(url))
        return request

    return manager, request_of


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


def can_continue(headers: tuple[str, ...], cache: bool, refresh: bool, offline: bool, **_: Any) -> bool:
    """Return whether an interrupted download can be resumed: no cache is used, no header selects a range or coding."""
    names = {header.partition(":")[0].strip().lower() for header in headers}
    return not (cache or refresh or offline or names & {"range", "if-range", "accept-encoding"})


def check_text(text: str, what: str) -> None:
    """Raise click.UsageError if an argument is not UTF-8: Python has decoded its bytes to surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # The text may hold a password and is not shown.
        raise click.UsageError(f"the {what} is not UTF-8 text") from None


_LOAD = QtNetwork.QNetworkRequest.CacheLoadControl


def command_line_cache() -> NetworkDiskCache:
    """Return the cache of --cache. Raises OSError if no folder is found, or if it has files that are not a cache's."""
    try:
        folder = default_folder("command-line")
    except RuntimeError as error:  # raised by pathlib or platformdirs if the user has no home folder
        raise OSError(f"There is no folder for the cache: {error}") from None
    try:
        return NetworkDiskCache(folder)
    except ValueError as error:  # the folder contains files that are not a cache's
        raise OSError(str(error)) from None


def _tls_settings(
    cacert: Optional[str], cert: Optional[str], key: Optional[str], insecure: bool
) -> Optional[TlsSettings]:
    if not (cacert or cert or key or insecure):
        return None
    try:
        return TlsSettings(caFile=cacert, clientCertificate=cert, clientKey=key, verify=not insecure)
    except ValueError as error:
        text = "--key can only be used with --cert" if key and not cert else "--cacert, --cert or --key cannot be used"
        raise click.UsageError(f"{text} ({error})") from None

"""The options of the command line, and the manager and requests they come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

import click

from . import NetworkAccessManager, NetworkDiskCache, TlsSettings
from .cache.location import default_folder
from .engines import AUTO, ENGINES
from .qt import QtCore, QtNetwork, enum_value

_PEM_FILE = click.Path(exists=True, dir_okay=False, readable=True)


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        [
            click.argument("url", required=False),
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


data_option = click.option("-d", "--data", metavar="TEXT|@FILE", help="Send this body; @- reads it from the input.")


def many_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--jobs", type=click.IntRange(1), metavar="N", help="As many at once, with --from.")(command)
    return click.option(
        "--from",
        "urls",
        type=click.File(encoding="utf-8"),
        metavar="FILE",
        help="GET every URL of this file, one a line (- is the input), into files in the folder of -o.",
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
    """A manager, and what makes the request for a URL."""
    if refresh and offline:
        raise click.UsageError("--refresh asks the server and --offline does not: give one of them")
    prototype = QtNetwork.QNetworkRequest()
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon:
            raise click.UsageError(f"a header is written 'NAME: VALUE', this one has no colon: {header}")
        prototype.setRawHeader(name.strip().encode(), value.strip().encode())  # type: ignore[arg-type]
    manager = NetworkAccessManager()
    manager.setTlsSettings(_tls_settings(**tls))
    if cache or refresh or offline:
        manager.setCache(own_cache())
        control = _LOAD.AlwaysNetwork if refresh else _LOAD.AlwaysCache if offline else _LOAD.PreferCache
        prototype.setAttribute(QtNetwork.QNetworkRequest.Attribute.CacheLoadControlAttribute, enum_value(control))
    if engine is not None:
        manager.setEngine(engine)
    if timeout is not None:
        manager.setTimeout(timeout)
    if deadline is not None:
        manager.setDeadline(deadline)

    def request_of(url: str) -> QtNetwork.QNetworkRequest:
        request = QtNetwork.QNetworkRequest(prototype)
        request.setUrl(QtCore.QUrl(url))
        return request

    return manager, request_of


_LOAD = QtNetwork.QNetworkRequest.CacheLoadControl


def own_cache() -> NetworkDiskCache:
    return NetworkDiskCache(default_folder("command-line"))


def _tls_settings(
    cacert: Optional[str], cert: Optional[str], key: Optional[str], insecure: bool
) -> Optional[TlsSettings]:
    if not (cacert or cert or key or insecure):
        return None
    try:
        return TlsSettings(caFile=cacert, clientCertificate=cert, clientKey=key, verify=not insecure)
    except ValueError as error:
        raise click.UsageError(f"--key is of no use by itself ({error})") from None

"""The options of the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..._first_use import first_use
from ...qt.binding import QtNetwork, enum_value
from .call_setup import CallSetup
from .sections import CACHE, Command, decorated, option

if TYPE_CHECKING:
    from ... import NetworkDiskCache

_LOAD = QtNetwork.QNetworkRequest.CacheLoadControl


def cache_options(command: Command) -> Command:
    """Add the options of the cache to a command."""
    return decorated(
        command,
        [
            option(CACHE, "--cache", is_flag=True, help="Use the HTTP cache."),
            option(CACHE, "--refresh", is_flag=True, help="Bypass the cache and store the new response."),
            option(CACHE, "--offline", is_flag=True, help="Serve from the cache only; never contact the server."),
        ],
    )


def uses_cache(values: Mapping[str, Any]) -> bool:
    """Return whether an option of the cache is given."""
    return bool(values["cache"] or values["refresh"] or values["offline"])


def apply_cache_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply the use of the cache. Raises click.UsageError, OSError."""
    if values["refresh"] and values["offline"]:
        raise click.UsageError("--refresh and --offline exclude each other: give one of them")
    if not uses_cache(values):
        return
    setup.manager.setCache(command_line_cache())
    control = (
        _LOAD.AlwaysNetwork if values["refresh"] else _LOAD.AlwaysCache if values["offline"] else _LOAD.PreferCache
    )
    setup.prototype.setAttribute(QtNetwork.QNetworkRequest.Attribute.CacheLoadControlAttribute, enum_value(control))


def command_line_cache() -> NetworkDiskCache:
    """Return the cache of --cache. Raises OSError if no folder is found, or if it has files that are not a cache's."""
    with first_use:
        from ... import NetworkDiskCache
        from ...stores.cache.location import default_folder
    try:
        folder = default_folder("command-line")
    except RuntimeError as error:  # raised by pathlib or platformdirs if the user has no home folder
        raise OSError(f"There is no folder for the cache: {error}") from None
    try:
        return NetworkDiskCache(folder)
    except ValueError as error:  # the folder contains files that are not a cache's
        raise OSError(str(error)) from None

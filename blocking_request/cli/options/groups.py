"""All groups of options together: their declarations, and the calls that apply their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .auth import apply_auth_options, auth_options
from .body import body_options
from .cache import apply_cache_options, cache_options, uses_cache
from .call_setup import CallSetup
from .configuration import configuration_options
from .connection import apply_connection_options, connection_options
from .output import output_options
from .precedence import header_name
from .proxy import apply_proxy_options, proxy_options
from .request import apply_request_options, request_options
from .sections import Command, decorated
from .tls import apply_tls_options, tls_options


def all_options(command: Command, with_body: bool) -> Command:
    """Add the URL and the options of a request to a command. ``with_body``: whether the request can have a body."""
    groups = [
        request_options,
        connection_options,
        auth_options,
        tls_options,
        proxy_options,
        output_options,
        cache_options,
        configuration_options,
    ]
    return decorated(command, [*groups, body_options] if with_body else groups)


def call_setup_of(values: Mapping[str, Any]) -> CallSetup:
    """Return the manager and the requests that the values of the options make. Raises click.UsageError, OSError."""
    setup = CallSetup()
    for apply in (
        apply_cache_options,
        apply_request_options,
        apply_connection_options,
        apply_auth_options,
        apply_tls_options,
        apply_proxy_options,
    ):
        apply(setup, values)
    return setup


def can_continue(values: Mapping[str, Any]) -> bool:
    """Return whether an interrupted download can be resumed: no cache is used, no header selects a range or coding."""
    names = {header_name(header) for header in values["headers"]}
    return not (uses_cache(values) or names & {"range", "if-range", "accept-encoding"})

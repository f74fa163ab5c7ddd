"""The options of proxies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

import click

from ...models.proxy import NO_PROXY, Proxy
from ...models.urls import DEFAULT_PORTS
from ...proxies.no_proxy import is_excluded
from ...proxies.parse import ProxyLike, proxy_of
from ...qt.binding import QtCore
from .auth import user_and_password
from .call_setup import CallSetup
from .sections import PROXY, Command, decorated, option


def proxy_options(command: Command) -> Command:
    """Add the options of proxies to a command."""
    return decorated(
        command,
        [
            option(
                PROXY,
                "-x",
                "--proxy",
                metavar="URL",
                help="Use this proxy: http://host:port, https://, socks5:// or socks4a://; 'none' or '' uses none. By "
                "default http_proxy, https_proxy and all_proxy name it.",
            ),
            option(
                PROXY,
                "-U",
                "--proxy-user",
                metavar="USER:PASSWORD",
                help="User and password for the proxy of -x. Without ':PASSWORD' the terminal asks for it.",
            ),
            option(
                PROXY,
                "--noproxy",
                metavar="HOSTS",
                help="Hosts that are reached without a proxy, with commas between them; '*' is every host. In place of "
                "the variable no_proxy.",
            ),
        ],
    )


def apply_proxy_options(setup: CallSetup, values: Mapping[str, Any]) -> None:
    """Apply the proxy. Raises click.UsageError."""
    proxy, exclusions = _proxy(values), values["noproxy"]
    if proxy is not None:
        setup.manager.setProxy(proxy)
    if exclusions is not None:
        os.environ["no_proxy"] = exclusions  # the rule for the proxies of the environment reads it there
    elif proxy is not None:
        exclusions = os.environ.get("no_proxy", os.environ.get("NO_PROXY"))
    if exclusions:
        setup.manager.setProxyFactory(_without_proxy_for(exclusions))


def _proxy(values: Mapping[str, Any]) -> Optional[Proxy]:
    if values["proxy"] is None:
        if values["proxy_user"] is not None:
            raise click.UsageError("-U can only be used with -x")
        return None
    try:
        proxy = proxy_of(values["proxy"].strip() or "none")
        if values["proxy_user"] is not None and proxy is not None:
            user, password = user_and_password(values["proxy_user"], "-U")
            return replace(proxy, user=user, password=password)
        return proxy
    except ValueError as error:
        raise click.UsageError(f"-x: {error}") from None


def _without_proxy_for(exclusions: str) -> Callable[[QtCore.QUrl], ProxyLike]:
    """Return a function that chooses no proxy for some hosts. For others it leaves the choice to the other rules."""

    def proxy_for(url: QtCore.QUrl) -> ProxyLike:
        parts = urlsplit(url.toEncoded().data().decode("ascii", "replace"))
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        return NO_PROXY if is_excluded(parts.hostname or "", port, exclusions) else None

    return proxy_for

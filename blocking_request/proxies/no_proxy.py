"""The rule of the environment variable ``no_proxy``, as in curl: which hosts are reached without a proxy."""

from __future__ import annotations

import re
from typing import Optional

from .._first_use import first_use

_SEPARATORS = re.compile(r"[\s,]+")
_PORT = re.compile(r":[0-9]{1,5}\Z")


def is_excluded(host: str, port: Optional[int], no_proxy: str) -> bool:
    """Return whether a host is in the list.

    ``no_proxy``: names, addresses and networks (``10.0.0.0/8``), with commas or blanks between them. A name includes
    its subdomains; a dot or ``*.`` before it changes nothing. An entry may have a port. ``*`` is every host.
    """
    host = host.strip("[]").partition("%")[0].rstrip(".").lower()
    address = _address(host)
    for entry in _SEPARATORS.split(no_proxy.lower()):
        if entry == "*":
            return True
        name, wanted_port = _name_and_port(entry)
        if not name or (wanted_port is not None and wanted_port != port):
            continue
        if address is None:
            if host == name or host.endswith(f".{name}"):
                return True
        elif _is_within(address, name):
            return True
    return False


def _name_and_port(entry: str) -> tuple[str, Optional[int]]:
    port: Optional[int] = None
    # An IPv6 address has a port only behind brackets.
    if _PORT.search(entry) and (entry.count(":") == 1 or "]" in entry):
        entry, _, digits = entry.rpartition(":")
        port = int(digits)
    name = entry.replace("[", "").replace("]", "")
    if name.startswith("*."):
        name = name[1:]
    return name.strip("."), port


def _address(host: str) -> Optional[object]:
    with first_use:
        from ipaddress import ip_address
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_within(address: object, network: str) -> bool:
    with first_use:
        from ipaddress import ip_network
    try:
        return address in ip_network(network, strict=False)  # type: ignore[operator]
    except ValueError:
        return False

"""StrictTransportHosts: the hosts that demand https (RFC 6797)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping

from ..models.header_parameters import split_unquoted
from ..models.urls import is_address

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r'"[^"]*"|[^\s;"]*')

KEPT_HOSTS = 1024
"""If so many hosts are known, those that have expired are removed."""


class StrictTransportHosts:
    """Any thread may call every method."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._hosts: dict[str, tuple[float, bool]] = {}
        """The time at which each host expires (``time.time()``), and whether its subdomains are included."""
        self._purge_size = KEPT_HOSTS

    def wants_https(self, host: str) -> bool:
        """Return whether requests to a host must use https (RFC 6797 section 8.2)."""
        name, now = host.lower().rstrip("."), time.time()
        labels = name.split(".")
        for start in range(len(labels)):
            until, includes_subdomains = self._hosts.get(".".join(labels[start:]), (0.0, False))
            if until > now and (start == 0 or includes_subdomains):
                return True
        return False

    def store_policy(self, host: str, field: bytes) -> None:
        """Store the policy of a ``Strict-Transport-Security`` field (section 6.1). An invalid field is ignored."""
        directives = _directives(field.decode("latin-1"))
        age = directives.get("max-age", "")
        if not (age.isascii() and age.isdigit()) or is_address(host):  # section 8.1.1
            return
        self.add(host, int(age[:10]), "includesubdomains" in directives)

    def add(self, host: str, maxAge: int, includeSubDomains: bool = False) -> None:
        """Demand https for a host, for ``maxAge`` seconds from now; 0 ends it."""
        name = host.lower().rstrip(".")
        now = time.time()
        with self._guard:
            self._hosts.pop(name, None)
            if len(self._hosts) >= self._purge_size:
                self._hosts = {host: entry for host, entry in self._hosts.items() if entry[0] > now}
                self._purge_size = max(KEPT_HOSTS, 2 * len(self._hosts))
            if maxAge > 0:
                self._hosts[name] = (now + maxAge, includeSubDomains)

    def hosts(self) -> list[str]:
        """Return the known hosts that have not expired."""
        now = time.time()
        with self._guard:
            return sorted(host for host, (until, _) in self._hosts.items() if until > now)


def _directives(text: str) -> dict[str, str]:
    """Return the directives by name, in lower case; an empty dict if the field is not valid (section 6.1)."""
    directives: dict[str, str] = {}
    for part in split_unquoted(text, ";"):
        name, _, value = (word.strip() for word in part.partition("="))
        if not part.strip():
            continue
        name = name.lower()
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value) or name in directives:
            return {}
        directives[name] = value.strip('"')
    return directives


def hosts_of(store: StrictTransportHosts) -> dict[str, tuple[float, bool]]:
    """Return the hosts of a store, each with its time of expiry (``time.time()``) and whether subdomains are
    included.
    """
    return dict(store._hosts)


def store_with(hosts: Mapping[str, tuple[float, bool]]) -> StrictTransportHosts:
    """Return a store with these hosts."""
    store = StrictTransportHosts()
    store._hosts.update(hosts)
    return store

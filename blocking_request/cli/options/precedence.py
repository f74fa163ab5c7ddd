"""Which options of the configuration file give way: to options that exclude them, and for lack of those they add to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

NOT_OF_HEAD = ("remote_name", "remote_header_name", "resume", "checksum")
"""Parameters about a body, which the response to HEAD has not."""

ALTERNATIVES = (
    (("user", "digest"), ("bearer",), ("netrc", "netrc_file")),
    (("data", "data_raw"), ("json_items",), ("form_fields", "form_files")),
    (("method",), ("head",)),
    (("output",), ("remote_name", "remote_header_name")),
    (("refresh",), ("offline",)),
    (("insecure",), ("cacert",)),
    (("head",), NOT_OF_HEAD),
    (("url_file",), ("remote_name", "remote_header_name", "checksum", "verbose")),
)
"""Names of parameters that a request cannot have together: those of one tuple exclude those of the others."""

ADDITIONS: Mapping[str, tuple[str, ...]] = {
    "digest": ("user",),
    "proxy_user": ("proxy",),
    "key": ("cert",),
    "key_password": ("cert",),
    "retry_delay": ("retry",),
    "jobs": ("url_file",),
    "remote_header_name": ("remote_name",),
    "resume": ("output", "remote_name", "url_file"),
}
"""Parameters that only change the effect of another one, with the names of these."""

HEADERS: Mapping[str, str] = {
    "user": "authorization",
    "bearer": "authorization",
    "user_agent": "user-agent",
    "referer": "referer",
}
"""Parameters that send a header field."""

_OF_ONE_VALUE = frozenset(("proxy_user", "key", "key_password"))
"""Additions that fit one value only: the password of a proxy is not for another proxy."""


def remaining(name: str, value: Any, stronger: Mapping[str, Any]) -> Any:
    """Return the part of a value that remains beside the options of stronger places; None if they exclude it."""
    if name == "headers":
        sent = {header_name(header) for header in stronger.get("headers", ())}
        sent |= {field for option, field in HEADERS.items() if option in stronger}
        return tuple(header for header in value if header_name(header) not in sent)
    if name in HEADERS and HEADERS[name] in {header_name(header) for header in stronger.get("headers", ())}:
        return None
    if name == "noproxy" and value == "*" and "proxy" in stronger:
        return None
    return None if name in _excluded_by(stronger) else value


def _excluded_by(stronger: Collection[str]) -> set[str]:
    excluded = {
        name
        for alternatives in ALTERNATIVES
        for chosen in alternatives
        if any(name in stronger for name in chosen)
        for other in alternatives
        if other is not chosen
        for name in other
    }
    return excluded | {name for name in _OF_ONE_VALUE if any(base in stronger for base in ADDITIONS[name])}


def without_effect(names: Iterable[str], used: Collection[str]) -> set[str]:
    """Return those of the ``names`` that add to an option which is not ``used``."""
    return {name for name in names if name in ADDITIONS and not any(base in used for base in ADDITIONS[name])}


def header_name(header: str) -> str:
    """Return the name of a header of -H in lower case."""
    return header.partition(":")[0].partition(";")[0].strip().lower()

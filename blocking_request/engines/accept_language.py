"""The language that the engines ask for where a request says nothing."""

from __future__ import annotations

from functools import cache

from ..qt.binding import QtCore


@cache
def accept_language() -> bytes:
    """What Qt sends: a server must not answer in another language to another engine."""
    locale = QtCore.QLocale.system().name().replace("_", "-")
    if locale == "C":
        return b"en,*"
    return f"{locale},*".encode() if locale.startswith("en-") else f"{locale},en,*".encode()

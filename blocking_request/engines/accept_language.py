"""The default of ``Accept-Language`` on both engines."""

from __future__ import annotations

from functools import cache

from ..qt.binding import QtCore


@cache
def accept_language() -> bytes:
    """Return the value that Qt sends, so that a server answers in the same language on both engines."""
    locale = QtCore.QLocale.system().name().replace("_", "-")
    if locale == "C":
        return b"en,*"
    return f"{locale},*".encode() if locale.startswith("en-") else f"{locale},en,*".encode()

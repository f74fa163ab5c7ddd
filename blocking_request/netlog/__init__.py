"""A log of network calls: its entries, HAR files, commands that repeat a call, and a widget that shows it.

The widget is imported at its first use (PEP 562), because most programs need neither it nor Qt's widgets.
"""

from typing import TYPE_CHECKING, Any

from .._first_use import first_use
from .entry import NetworkEntry
from .log import NetworkLog

if TYPE_CHECKING:
    from .monitor import NetworkMonitor

__all__ = ["NetworkEntry", "NetworkLog", "NetworkMonitor"]

for _each in (NetworkEntry, NetworkLog):
    _each.__module__ = __name__


def __getattr__(name: str) -> Any:
    if name != "NetworkMonitor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with first_use:
        from .monitor import NetworkMonitor
    NetworkMonitor.__module__ = __name__
    globals()[name] = NetworkMonitor
    return NetworkMonitor


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

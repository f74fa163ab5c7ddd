"""The widget that shows a log, and its parts. Only ``NetworkMonitor`` is public, and ``netlog`` offers it.

Each module imports Qt's widgets, so this package is imported at its first use.
"""

from .widget import NetworkMonitor

__all__ = ["NetworkMonitor"]

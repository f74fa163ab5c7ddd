"""A log of network calls: its entries, HAR files, and commands that repeat a call."""

from .entry import NetworkEntry
from .log import NetworkLog

__all__ = ["NetworkEntry", "NetworkLog"]

for _each in (NetworkEntry, NetworkLog):
    _each.__module__ = __name__

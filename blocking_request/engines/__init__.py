"""The wires: each does one exchange. ``choose`` says which one serves, or why none can."""

from __future__ import annotations

from typing import Optional, Protocol

from ..errors import Failure
from ..exchange import Exchange, Mailbox


class Flight(Protocol):
    """An exchange under way, as its caller knows it. Every method may be called from any thread."""

    def abort(self) -> None:
        """End it: its Answer follows in the mailbox, with what has arrived, as soon as the worker hears of it."""

    def lost(self) -> Optional[Failure]:
        """Why no Answer will ever come (the worker or the application has gone), or None."""


class Engine(Protocol):
    """Every method may be called from any thread."""

    name: str

    def refusal(self, exchange: Exchange) -> Optional[Failure]:
        """Why this engine cannot serve the exchange here and now, or None."""

    def start(self, exchange: Exchange, mailbox: Mailbox) -> Flight:
        """Put the exchange on the wire; its notices, the Answer as the last, come to the mailbox."""

    def shutdown(self) -> None:
        """End what is in flight and stop every worker; the next ``start`` begins anew."""


_engine: Optional[Engine] = None


def choose() -> Engine:
    """The engine that serves."""
    global _engine
    if _engine is None:
        from .qt import engine

        _engine = engine
    return _engine

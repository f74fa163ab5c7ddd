"""CallObserver: reports the events of a call to code of the caller, such as slots."""

from __future__ import annotations

from typing import Optional, Protocol

from ..feedback import FeedbackLike
from ..models.http_messages import Request
from ..trace import Watcher
from .progress import ProgressReporter


class CallObserver(Protocol):
    """Reports the events of a call. Every method is called in the thread of the caller, during the call."""

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """Return the watchers, which get each step of the call beside the log."""

    def progress_reporter(self, feedback: Optional[FeedbackLike]) -> Optional[ProgressReporter]:
        """Return a function that reports progress, or None if nothing is connected."""

    def on_redirect(self, request: Request) -> None:
        """Report a redirect: ``request`` is sent next."""


class _NullObserver:
    """Ignores all events."""

    watchers: tuple[Watcher, ...] = ()

    def progress_reporter(self, feedback: Optional[FeedbackLike]) -> None:
        return None

    def on_redirect(self, request: Request) -> None:
        pass


NULL_OBSERVER = _NullObserver()
"""The observer of calls that run in the background."""

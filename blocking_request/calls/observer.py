"""CallObserver: the code of the caller that a call runs, in the caller's thread."""

from __future__ import annotations

from typing import Optional, Protocol

from ..feedback import FeedbackLike
from ..models.http_messages import Request
from ..trace import Watcher
from .progress import ProgressReporter


class CallObserver(Protocol):
    """Every method is called in the caller's thread, from within the call."""

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """Return who is told of each step, beside the log."""

    def progress_reporter(self, feedback: Optional[FeedbackLike]) -> Optional[ProgressReporter]:
        """Return what reports the progress, or None if nothing listens."""

    def on_redirect(self, request: Request) -> None:
        """Hear of a redirect: ``request`` is sent next."""


class _NullObserver:
    """Ignores everything."""

    watchers: tuple[Watcher, ...] = ()

    def progress_reporter(self, feedback: Optional[FeedbackLike]) -> None:
        return None

    def on_redirect(self, request: Request) -> None:
        pass


NULL_OBSERVER = _NullObserver()
"""For calls that no code of a caller follows."""

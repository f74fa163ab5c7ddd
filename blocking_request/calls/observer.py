"""CallObserver: reports the events of a call to code of the caller, such as slots."""

from __future__ import annotations

from typing import Optional, Protocol

from ..engines.events import NO_STEPS, Step, StepReached
from ..feedback import FeedbackLike
from ..models.http_messages import Request, Response
from .progress import ProgressReporter


class CallObserver(Protocol):
    """Reports the events of a call. Every method is called in the thread of the caller, during the call."""

    def progress_reporter(self, feedback: Optional[FeedbackLike]) -> Optional[ProgressReporter]:
        """Return a function that reports progress, or None if nothing is connected."""

    def wanted_steps(self) -> frozenset[Step]:
        """Return the steps for which ``on_step`` is to be called."""

    def on_step(self, event: StepReached) -> None:
        """Report a step of a transfer."""

    def on_redirect(self, request: Request) -> None:
        """Report a redirect: ``request`` is sent next."""

    def on_response(self, response: Response) -> None:
        """Report the response of the call. Its body may follow."""


class _NullObserver:
    """Ignores all events."""

    def progress_reporter(self, feedback: Optional[FeedbackLike]) -> None:
        return None

    def wanted_steps(self) -> frozenset[Step]:
        return NO_STEPS

    def on_step(self, event: StepReached) -> None:
        pass

    def on_redirect(self, request: Request) -> None:
        pass

    def on_response(self, response: Response) -> None:
        pass


NULL_OBSERVER = _NullObserver()
"""The observer of calls that run in the background."""

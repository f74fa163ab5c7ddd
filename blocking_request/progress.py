"""Tells how far a transfer is: to the signals of a request and to a feedback, in the caller's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .exchange import Answer, Progress
from .feedback import FeedbackLike
from .qt import is_deleted

if TYPE_CHECKING:
    from .request import BlockingNetworkRequest


class ProgressTeller:
    def __init__(self, request: BlockingNetworkRequest, feedback: Optional[FeedbackLike]) -> None:
        self._request = request
        self._set_progress: Any = getattr(feedback, "setProgress", None)
        self._last: Optional[Progress] = None

    def wanted(self) -> bool:
        """Whether anybody listens; asking the wire for progress costs time on small requests."""
        request = self._request
        return not is_deleted(request) and (
            self._set_progress is not None
            or request.receivers(request.downloadProgress) > 0
            or request.receivers(request.uploadProgress) > 0
        )

    def __call__(self, progress: Progress) -> None:
        if is_deleted(self._request):
            # The application was destroyed, and PyQt has deleted every QObject with it.
            return
        if progress.upload:
            self._request.uploadProgress.emit(progress.done, progress.total)
            return
        if progress == self._last:
            return
        self._last = progress
        self._request.downloadProgress.emit(progress.done, progress.total)
        if self._set_progress is not None and progress.total > 0:
            self._set_progress(100.0 * progress.done / progress.total)

    def tell_last(self, answer: Answer) -> None:
        """The exact final figure, which the wire may have had no time to tell."""
        if answer.status is not None and not 300 <= answer.status < 400:
            self(Progress(False, answer.wire_bytes, answer.total_bytes))

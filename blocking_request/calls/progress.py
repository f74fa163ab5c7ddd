"""Reports the progress of a transfer to the signals of a request and to a feedback, in the thread of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from ..bodies.upload import READ_AT_ONCE
from ..engines.events import Progress
from ..feedback import FeedbackLike
from ..models.http_messages import Response
from ..qt.binding import is_deleted
from ..qt.emit import emit, is_connected
from ..qt.slot_exceptions import slot_exceptions_reported

if TYPE_CHECKING:
    from ..request.request import BlockingNetworkRequest


_SIGNALS = ("downloadProgress", "uploadProgress", "percentChanged")


def progress_reporter(request: BlockingNetworkRequest, feedback: Optional[FeedbackLike]) -> Optional[ProgressReporter]:
    """Return a reporter, or None if nothing is connected: then the engine need not report, which takes time."""
    set_progress = None if feedback is None else getattr(feedback, "setProgress", None)
    if is_deleted(request):
        return None
    if set_progress is None and not is_connected(request, *_SIGNALS):
        return None
    return ProgressReporter(request, set_progress)


class ProgressReporter:
    """Reports progress to the signals of a request and to a feedback. Each figure is reported once."""

    def __init__(self, request: BlockingNetworkRequest, set_progress: Any) -> None:
        self._request = request
        self._set_progress = set_progress
        self._last: Optional[Progress] = None
        self._percent = 0
        self._start, self._total = 0, -1
        self._is_upload = False
        """Whether the percentage is of the request's body, because that is large, and not of the response's body."""

    def __call__(self, progress: Progress) -> None:
        if is_deleted(self._request):
            # The application was destroyed, and PyQt has deleted every QObject with it.
            return
        if self._start and not progress.upload:
            progress = Progress(False, self._start + progress.done, self._total)
        if not progress.upload and progress == self._last:
            return
        if progress.upload:
            self._is_upload = self._is_upload or progress.total > READ_AT_ONCE
        else:
            self._last = progress
        signal = "uploadProgress" if progress.upload else "downloadProgress"
        emit(self._request, signal, progress.done, progress.total)
        if progress.total > 0 and progress.upload == self._is_upload:
            self._report_percent(100.0 * progress.done / progress.total)

    def count_from(self, start: int, total: int) -> None:
        """Add the part of a file that was downloaded before.

        ``start``: its bytes. ``total``: the size of the whole file in bytes, -1 if it is not known.
        """
        self._start, self._total = start, total

    def _report_percent(self, percent: float) -> None:
        if int(percent) != self._percent:
            self._percent = int(percent)
            emit(self._request, "percentChanged", self._percent)
        if self._set_progress is not None:
            with slot_exceptions_reported:  # a feedback of another class emits its signals itself
                self._set_progress(percent)

    def report_final(self, response: Response) -> None:
        """Report the exact final figure: the engine does not report each chunk."""
        if response.status is not None and not 300 <= response.status < 400:
            self(Progress(False, response.encoded_bytes, response.total_bytes))

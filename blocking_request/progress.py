"""Tells how far a transfer is: to the signals of a request and to a feedback, in the caller's thread."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import TYPE_CHECKING, Any, Optional

from .body_source import READ_AT_ONCE
from .exchange import Answer
from .feedback import FeedbackLike
from .mailbox import Progress
from .qt import QtCore, is_deleted

if TYPE_CHECKING:
    from .request import BlockingNetworkRequest


def progress_teller(request: BlockingNetworkRequest, feedback: Optional[FeedbackLike]) -> Optional[ProgressTeller]:
    """Who tells progress, or None where nobody listens: asking the wire for it costs time on small requests."""
    set_progress = None if feedback is None else getattr(feedback, "setProgress", None)
    if is_deleted(request):
        return None
    if set_progress is None:
        download, upload = _signals(type(request))  # type: ignore[arg-type]
        if not (request.isSignalConnected(download) or request.isSignalConnected(upload)):
            return None
    return ProgressTeller(request, set_progress)


@cache
def _signals(kind: Hashable) -> tuple[QtCore.QMetaMethod, QtCore.QMetaMethod]:
    found: QtCore.QMetaObject = kind.staticMetaObject  # type: ignore[attr-defined]
    return tuple(  # type: ignore[return-value]
        found.method(found.indexOfSignal(f"{name}(qint64,qint64)")) for name in ("downloadProgress", "uploadProgress")
    )


class ProgressTeller:
    """Tells each figure once."""

    def __init__(self, request: BlockingNetworkRequest, set_progress: Any) -> None:
        self._request = request
        self._set_progress = set_progress
        self._last: Optional[Progress] = None
        self._is_upload = False
        """Whether the feedback hears of a large body that is sent, and not of the answer to it."""

    def __call__(self, progress: Progress) -> None:
        if is_deleted(self._request):
            # The application was destroyed, and PyQt has deleted every QObject with it.
            return
        if progress.upload:
            self._request.uploadProgress.emit(progress.done, progress.total)
            if self._set_progress is not None and progress.total > READ_AT_ONCE:
                self._is_upload = True
                self._set_progress(100.0 * progress.done / progress.total)
            return
        if progress == self._last:
            return
        self._last = progress
        self._request.downloadProgress.emit(progress.done, progress.total)
        if self._set_progress is not None and progress.total > 0 and not self._is_upload:
            self._set_progress(100.0 * progress.done / progress.total)

    def tell_last(self, answer: Answer) -> None:
        """The exact final figure, which the wire may have had no time to tell."""
        if answer.status is not None and not 300 <= answer.status < 400:
            self(Progress(False, answer.wire_bytes, answer.total_bytes))

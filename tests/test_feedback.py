"""Feedback: cancel, progress, count and listeners, without a request."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from blocking_request import Feedback
from blocking_request.feedback import add_listener, remove_listener
from blocking_request.qt.binding import API

from .support.names import ROOT


def test_cancel_emits_once() -> None:
    feedback = Feedback()
    heard: list[None] = []
    feedback.canceled.connect(lambda: heard.append(None))
    assert not feedback.isCanceled()
    feedback.cancel()
    feedback.cancel()
    assert feedback.isCanceled() and heard == [None]


def test_progress_and_count() -> None:
    feedback = Feedback()
    percents: list[float] = []
    counts: list[int] = []
    feedback.progressChanged.connect(percents.append)
    feedback.processedCountChanged.connect(counts.append)
    assert (feedback.progress(), feedback.processedCount()) == (0.0, 0)
    for value in (10.0, 10.0, 50.5):
        feedback.setProgress(value)
    for count in (1, 1, 5_000_000_000):
        feedback.setProcessedCount(count)
    assert (percents, counts) == ([10.0, 50.5], [1, 5_000_000_000])
    assert (feedback.progress(), feedback.processedCount()) == (50.5, 5_000_000_000)


@pytest.mark.parametrize("progress", [math.nan, math.inf])
def test_progress_that_is_not_finite(progress: float) -> None:
    feedback = Feedback()
    feedback.setProgress(5)
    with pytest.raises(ValueError, match=f"progress must be a number of percent, not {progress}"):
        feedback.setProgress(progress)
    assert feedback.progress() == 5


@pytest.mark.parametrize("progress", [1e300, -1e10, 2.0**31, 10**400], ids=["1e300", "-1e10", "2**31", "10**400"])
def test_progress_too_large_for_percentChanged(progress: float) -> None:
    feedback = Feedback()
    feedback.setProgress(5)
    with pytest.raises(ValueError, match="progress must be a number of percent, not"):
        feedback.setProgress(progress)
    assert feedback.progress() == 5


@pytest.mark.parametrize(
    ("count", "range"), [(-1, "0 or more"), (-(1 << 70), "0 or more"), (1 << 63, f"less than {1 << 63}")]
)
def test_count_out_of_range(count: int, range: str) -> None:
    feedback = Feedback()
    feedback.setProcessedCount(5)
    with pytest.raises(ValueError, match=f"processedCount must be {range}, not {count}"):
        feedback.setProcessedCount(count)
    assert feedback.processedCount() == 5


@pytest.mark.parametrize("value", [None, "5", b"5", [5], object()], ids=lambda value: type(value).__name__)
def test_wrong_types(value: Any) -> None:
    feedback = Feedback()
    kind = type(value).__name__
    with pytest.raises(TypeError, match=f"progress must be a number of percent, not {kind}"):
        feedback.setProgress(value)
    with pytest.raises(TypeError, match=f"processedCount must be a whole number, not {kind}"):
        feedback.setProcessedCount(value)
    assert (feedback.progress(), feedback.processedCount()) == (0.0, 0)


def test_fractional_count() -> None:
    feedback = Feedback()
    with pytest.raises(TypeError, match="processedCount must be a whole number, not float"):
        feedback.setProcessedCount(5.5)  # type: ignore[arg-type]
    assert feedback.processedCount() == 0


def test_numbers_of_other_classes() -> None:
    """numpy's numbers are no int or float, but have ``__index__`` and ``__float__``."""

    class Number:
        def __index__(self) -> int:
            return 7

        def __float__(self) -> float:
            return 7.5

    feedback = Feedback()
    counts: list[int] = []
    feedback.processedCountChanged.connect(counts.append)
    feedback.setProgress(Number())  # type: ignore[arg-type]
    feedback.setProcessedCount(Number())  # type: ignore[arg-type]
    assert (feedback.progress(), feedback.processedCount(), counts) == (7.5, 7, [7])


def test_listeners() -> None:
    feedback = Feedback()
    heard: list[str] = []
    one, two = (lambda: heard.append("one")), (lambda: heard.append("two"))
    add_listener(feedback, one)
    add_listener(feedback, two)
    remove_listener(feedback, one)
    remove_listener(feedback, one)
    feedback.cancel()
    assert heard == ["two"]
    add_listener(feedback, one)
    assert heard == ["two", "one"], "a listener that comes too late is called at once"


def test_listeners_added_during_cancel_are_called() -> None:
    for _ in range(50):
        feedback = Feedback()
        called = threading.Semaphore(0)
        threads = [threading.Thread(target=add_listener, args=(feedback, called.release)) for _ in range(8)]
        threads.insert(4, threading.Thread(target=feedback.cancel))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(8):
            assert called.acquire(timeout=5)


def test_whole_percent() -> None:
    feedback = Feedback()
    percents: list[int] = []
    feedback.percentChanged.connect(percents.append)
    for value in (0.4, 1.2, 1.9, 99.99, 100.0):
        feedback.setProgress(value)
    assert percents == [1, 99, 100]


def test_reset() -> None:
    feedback = Feedback()
    heard: list[object] = []
    feedback.setProgress(50.5)
    feedback.setProcessedCount(2)
    feedback.cancel()
    for signal in (feedback.progressChanged, feedback.percentChanged, feedback.processedCountChanged):
        signal.connect(heard.append)
    feedback.reset()
    feedback.reset()
    assert heard == [0.0, 0, 0]
    assert not feedback.isCanceled()
    assert (feedback.progress(), feedback.processedCount()) == (0.0, 0)
    called: list[None] = []
    feedback.canceled.connect(lambda: called.append(None))
    add_listener(feedback, lambda: called.append(None))
    feedback.cancel()
    assert feedback.isCanceled() and len(called) == 2


def test_repr() -> None:
    feedback = Feedback()
    assert repr(feedback) == "<Feedback: not canceled, 0 %, 0 processed>"
    feedback.setProgress(12.5)
    feedback.cancel()
    assert repr(feedback) == "<Feedback: canceled, 12.5 %, 0 processed>"


def test_progress_bar_slot_runs_in_the_main_thread(httpbin: str) -> None:
    """The signal is emitted in another thread, so Qt queues the call of the slot for the thread of the bar."""
    program = """
import sys, threading
from PyQt5.QtCore import QThread
from PyQt5.QtWidgets import QApplication, QProgressBar
from blocking_request import BlockingNetworkRequest, Feedback
from blocking_request.qt.binding import Slot

class Bar(QProgressBar):
    @Slot(int)
    def showValue(self, value):
        seen.append((value, threading.current_thread() is threading.main_thread()))
        self.setValue(value)

class Download(QThread):
    def run(self):
        request = BlockingNetworkRequest()
        request.percentChanged.connect(other.showValue)
        request.get(sys.argv[1], feedback=feedback)

app = QApplication([])
seen, bar, other, feedback = [], Bar(), Bar(), Feedback()
feedback.percentChanged.connect(bar.showValue)
thread = Download()
thread.finished.connect(app.quit)
thread.start()
app.exec()
app.processEvents()
print(bar.value(), other.value(), all(is_main for _, is_main in seen))
"""
    command = [sys.executable, "-c", program.replace("PyQt5", API), f"{httpbin}/bytes/50000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout == "100 100 True\n", done.stderr

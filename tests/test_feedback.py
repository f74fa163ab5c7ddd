"""Feedback by itself."""

from __future__ import annotations

import threading

from blocking_request import Feedback


def test_cancel_is_idempotent_and_told_once() -> None:
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


def test_listeners() -> None:
    feedback = Feedback()
    heard: list[str] = []
    one, two = (lambda: heard.append("one")), (lambda: heard.append("two"))
    feedback._listen(one)
    feedback._listen(two)
    feedback._forget(one)
    feedback._forget(one)
    feedback.cancel()
    assert heard == ["two"]
    feedback._listen(one)
    assert heard == ["two", "one"], "a listener that comes too late is called at once"


def test_every_listener_is_called_whatever_the_moment() -> None:
    for _ in range(50):
        feedback = Feedback()
        called = threading.Semaphore(0)
        threads = [threading.Thread(target=feedback._listen, args=(called.release,)) for _ in range(8)]
        threads.insert(4, threading.Thread(target=feedback.cancel))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(8):
            assert called.acquire(timeout=5)

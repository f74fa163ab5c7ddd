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
    feedback._listen(lambda: called.append(None))
    feedback.cancel()
    assert feedback.isCanceled() and len(called) == 2


def test_repr() -> None:
    feedback = Feedback()
    assert repr(feedback) == "<Feedback: not canceled, 0 %, 0 processed>"
    feedback.setProgress(12.5)
    feedback.cancel()
    assert repr(feedback) == "<Feedback: canceled, 12.5 %, 0 processed>"

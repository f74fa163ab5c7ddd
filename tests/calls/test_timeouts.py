"""Timeouts of a call, with a virtual clock."""

from __future__ import annotations

from typing import Optional

import pytest

from blocking_request.calls.cancel import Cancellation
from blocking_request.calls.timeouts import Timeouts
from blocking_request.engines.mailbox import ABORT_GRACE_SECONDS
from blocking_request.models import error_texts
from blocking_request.models.failure import Failure


class VirtualClock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class IdleTransfer:
    """A transfer without events."""

    def __init__(self, connected: bool = False, failure: Optional[Failure] = None) -> None:
        self.connected = connected
        self.failure = failure
        self.looks = 0

    def abort(self) -> None: ...

    def look_for_connection(self) -> None:
        self.looks += 1

    def is_connected(self) -> bool:
        return self.connected

    def failure_if_dead(self) -> Optional[Failure]:
        return self.failure


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_zero_disables_all_timeouts(clock: VirtualClock) -> None:
    timeouts = Timeouts(0, 0, clock=clock)
    timeouts.begin_request()
    started, clock.now = clock.now, clock.now + 1e6
    assert timeouts.check(IdleTransfer(), started) is None
    assert timeouts.seconds_left(started, 0.1) == 0.1


def test_idle_timeout_starts_at_the_last_activity(clock: VirtualClock) -> None:
    timeouts = Timeouts(500, 0, clock=clock)
    last_activity = clock.now + 2.0
    clock.now += 2.4
    assert timeouts.check(IdleTransfer(), last_activity) is None
    assert timeouts.seconds_left(last_activity, 9.0) == pytest.approx(0.1)
    clock.now += 0.1
    assert timeouts.seconds_left(last_activity, 9.0) == 0.0
    assert timeouts.check(IdleTransfer(), last_activity) == error_texts.idle_timeout(500)


def test_deadline_starts_with_the_call(clock: VirtualClock) -> None:
    timeouts = Timeouts(0, 300, clock=clock)
    assert timeouts.stop_reason() is None
    clock.now += 0.2
    assert timeouts.until_deadline(9.0) == pytest.approx(0.1)
    clock.now += 0.1
    assert timeouts.stop_reason() == error_texts.deadline_passed(300)
    assert timeouts.until_deadline(9.0) == 0.0
    assert timeouts.check(IdleTransfer(), clock.now) == error_texts.deadline_passed(300)


def test_connect_timeout_without_connection(clock: VirtualClock) -> None:
    timeouts, transfer = Timeouts(0, 0, connect_ms=400, clock=clock), IdleTransfer()
    timeouts.begin_request()
    clock.now += 0.2
    assert timeouts.check(transfer, clock.now) is None
    assert transfer.looks == 1, "look_for_connection is called halfway"
    clock.now += 0.2
    assert timeouts.check(transfer, clock.now) == error_texts.connect_timeout(400)
    assert transfer.looks == 1


def test_connect_timeout_ends_when_connected(clock: VirtualClock) -> None:
    timeouts, transfer = Timeouts(1000, 0, connect_ms=400, clock=clock), IdleTransfer(connected=True)
    timeouts.begin_request()
    started, clock.now = clock.now, clock.now + 0.5
    assert timeouts.check(transfer, started) is None
    assert timeouts.seconds_left(started, 9.0) == pytest.approx(0.5), "then the idle timeout is the next one"
    timeouts.begin_request()
    assert timeouts.seconds_left(clock.now, 9.0) == pytest.approx(0.2), "each request starts the connect timeout again"


def test_cancel_precedes_all_other_reasons(clock: VirtualClock) -> None:
    canceled: list[bool] = []
    by_feedback = Timeouts(1, 1, lambda: bool(canceled), clock=clock)
    cancellation = Cancellation(None, lambda: None)
    by_call = Timeouts(1, 1, cancellation.is_canceled, clock=clock)
    clock.now += 1
    canceled.append(True)
    cancellation.cancel()
    for timeouts in (by_feedback, by_call):
        assert timeouts.stop_reason() == error_texts.canceled()
        assert timeouts.check(IdleTransfer(), clock.now) == error_texts.canceled()


def test_dead_engine_is_the_last_reason(clock: VirtualClock) -> None:
    transfer = IdleTransfer(failure=error_texts.application_ended())
    timeouts = Timeouts(100, 0, clock=clock)
    assert timeouts.check(transfer, clock.now) == error_texts.application_ended()
    assert timeouts.check(transfer, clock.now - 1) == error_texts.idle_timeout(100)


def test_pause_ends_at_the_deadline(clock: VirtualClock) -> None:
    timeouts = Timeouts(0, 300, clock=clock)
    timeouts.begin_pause(0.2)
    assert timeouts.pause_left() == pytest.approx(0.2)
    timeouts.begin_pause(2.0)
    assert timeouts.pause_left() == pytest.approx(0.3)
    clock.now += 0.4
    assert timeouts.pause_left() == 0.0


def test_grace_of_an_aborted_transfer(clock: VirtualClock) -> None:
    timeouts = Timeouts(0, 0, clock=clock)
    timeouts.begin_grace()
    assert timeouts.grace_left() == pytest.approx(ABORT_GRACE_SECONDS)
    clock.now += ABORT_GRACE_SECONDS * 2
    assert timeouts.grace_left() == 0.0

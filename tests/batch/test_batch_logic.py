"""The order, the limits and the ends of batches, which do not depend on an engine: without a server, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from urllib3.util import Retry

from blocking_request import ErrorCode, Feedback, NetworkAccessManager, ReplyContent
from blocking_request.testing import FakeReplies, SentRequest, makeReply

from ..support.names import CANCELED, OK, SERVER

HOST = "http://api.example.org"


@pytest.fixture
def manager(fake: FakeReplies) -> NetworkAccessManager:
    """A manager whose requests get the replies of the test."""
    made = NetworkAccessManager()
    made.setTimeout(10_000)
    return made


def reply_with_path(fake: FakeReplies) -> None:
    """Reply with the last part of the path as the body."""
    fake.get(f"{HOST}/*", lambda sent: makeReply(body=sent.url.rpartition("/")[2]))


# -- results


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("concurrent", [1, 5, 40, 200])
def test_every_request_gets_its_result(
    manager: NetworkAccessManager, fake: FakeReplies, ordered: bool, concurrent: int
) -> None:
    reply_with_path(fake)
    urls = [f"{HOST}/{number}" for number in range(500)]
    seen = []
    for index, code, reply in manager.getMany(urls, maxConcurrent=concurrent, ordered=ordered):
        assert (code, reply.statusCode(), reply.text()) == (OK, 200, f"{index}"), reply.errorString()
        seen.append(index)
    assert sorted(seen) == list(range(500)) and (not ordered or seen == sorted(seen))
    assert fake.callCount == 500


def test_result_fields(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    reply_with_path(fake)
    (result,) = manager.getMany([f"{HOST}/a"])
    assert (result.index, result.code, result.reply.text()) == (0, OK, "a")
    assert isinstance(result.reply, ReplyContent)


@pytest.mark.parametrize("concurrent", [1, 2, 7, 30])
def test_requests_are_started_in_their_order(manager: NetworkAccessManager, fake: FakeReplies, concurrent: int) -> None:
    """The delays make the results come in another order."""
    for number in range(40):
        fake.get(f"{HOST}/{number}", body=f"{number}", delay=number * 37 % 11 * 100)
    results = list(manager.getMany([f"{HOST}/{number}" for number in range(40)], maxConcurrent=concurrent))
    assert [result.reply.text() for result in results] == [f"{number}" for number in range(40)]
    assert [sent.url for sent in fake.calls] == [f"{HOST}/{number}" for number in range(40)]


@pytest.mark.parametrize("ordered", [True, False])
def test_stop_on_error(manager: NetworkAccessManager, fake: FakeReplies, ordered: bool) -> None:
    fake.get(f"{HOST}/wrong", status=404)
    fake.get(f"{HOST}/waiting/*", delay=math.inf)
    reply_with_path(fake)
    urls = [*(f"{HOST}/waiting/{number}" for number in range(3)), f"{HOST}/wrong", *[f"{HOST}/a"] * 50]
    results = list(manager.getMany(urls, maxConcurrent=4, ordered=ordered, stopOnError=True))
    codes = {result.index: result.code for result in results}
    assert codes[3] is SERVER
    assert all(codes[number] is CANCELED for number in range(3))
    assert len(results) < 20


def test_exception_of_the_request_iterator_ends_the_batch(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    reply_with_path(fake)

    def requests() -> Iterator[str]:
        yield f"{HOST}/a"
        raise LookupError("of the generator")

    with pytest.raises(LookupError, match="of the generator"):
        list(manager.getMany(requests()))


def test_exception_of_the_request_iterator_loses_no_result(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    fake.get(f"{HOST}/waiting", delay=math.inf)
    reply_with_path(fake)

    def requests() -> Iterator[str]:
        yield f"{HOST}/a"
        yield f"{HOST}/waiting"
        raise LookupError("of the generator")

    bodies = []
    with pytest.raises(LookupError, match="of the generator"):
        for _, _, reply in manager.getMany(requests(), maxConcurrent=2, ordered=False):
            bodies.append(reply.body)
    assert bodies == [b"a"]


# -- limits


def test_slow_first_request_keeps_order_and_bounded_memory(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    fake.get(f"{HOST}/slow", delay=5000)
    reply_with_path(fake)
    batch = manager.getMany([f"{HOST}/slow", *(f"{HOST}/{number}" for number in range(200))], maxConcurrent=5)
    first = next(batch)
    assert first.index == 0 and first.reply.elapsed() == 5 and fake.callCount <= 4 * 5
    assert [result.index for result in batch] == list(range(1, 201))


def test_slow_origin_keeps_bounded_memory(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    fake.get("http://slow.example.org/", delay=5000)
    reply_with_path(fake)
    taken: list[int] = []

    def requests() -> Iterator[str]:
        yield "http://slow.example.org/"
        for number in range(300):
            taken.append(number)
            yield f"{HOST}/{number}"

    batch = manager.getMany(requests(), maxConcurrent=5, maxPerOrigin=1)
    assert next(batch).index == 0
    assert fake.callCount <= 15 and len(taken) <= 40
    assert [result.index for result in batch] == list(range(1, 301))


def test_waiting_for_max_per_origin_does_not_count_towards_the_deadline(
    manager: NetworkAccessManager, fake: FakeReplies
) -> None:
    fake.get(f"{HOST}/*", delay=1000)
    manager.setDeadline(1500)
    results = list(manager.getMany([f"{HOST}/{number}" for number in range(45)], maxPerOrigin=1))
    assert [result.code for result in results] == [OK] * 45
    assert [result.reply.elapsed() for result in results] == [pytest.approx(1)] * 45


# -- cancel, retries, progress


def test_feedback_cancelled_before_the_batch(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    feedback = Feedback()
    feedback.cancel()
    assert list(manager.getMany([f"{HOST}/a"] * 5, feedback)) == []
    assert fake.calls == []


@pytest.mark.parametrize("ordered", [True, False])
def test_cancel_ends_running_requests_and_starts_no_more(
    manager: NetworkAccessManager, fake: FakeReplies, ordered: bool
) -> None:
    feedback = Feedback()

    def cancel_at_last(sent: SentRequest) -> Any:
        if fake.callCount == 20:
            feedback.cancel()
        return makeReply()

    fake.get(f"{HOST}/quick", cancel_at_last)
    fake.get(f"{HOST}/*", delay=math.inf)
    urls = [*(f"{HOST}/{number}" for number in range(19)), f"{HOST}/quick", *[f"{HOST}/queued"] * 1000]
    codes = [result.code for result in manager.getMany(urls, feedback, maxConcurrent=20, ordered=ordered)]
    assert len(codes) == fake.callCount == 20 and codes.count(CANCELED) >= 19


def test_other_requests_go_on_while_one_waits_for_a_retry(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    manager.setRetry(Retry(1, status_forcelist=[503]))
    fake.get(f"{HOST}/busy", status=503, headers={"Retry-After": "60"}).then(body="at last")
    fake.get(f"{HOST}/*", delay=1000)
    urls = [f"{HOST}/busy", *(f"{HOST}/{number}" for number in range(100))]
    results = list(manager.getMany(urls, maxConcurrent=2, ordered=False))
    assert [result.code for result in results] == [OK] * 101
    (busy,) = (result for result in results if result.index == 0)
    assert busy.reply.elapsed() == pytest.approx(60) and busy.reply.attempts() == 2
    assert 55 <= results.index(busy) <= 65  # the others take a second each


def test_idle_timeout_and_deadline_of_each_request(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    fake.get(f"{HOST}/never", delay=math.inf)
    fake.get(f"{HOST}/drips", body=[b"a", 900, b"b", 900, b"c", 900, b"d"])
    manager.setTimeout(1000)
    urls = [f"{HOST}/never", f"{HOST}/drips", f"{HOST}/never"]
    timed = [(result.code, result.reply.elapsed()) for result in manager.getMany(urls, maxConcurrent=2)]
    assert timed == [(ErrorCode.TimeoutError, 1.0), (OK, pytest.approx(2.7)), (ErrorCode.TimeoutError, 1.0)]
    manager.setDeadline(2000)
    manager.setTimeout(0)
    timed = [(result.code, result.reply.elapsed()) for result in manager.getMany(urls)]
    assert timed == [(ErrorCode.TimeoutError, 2.0)] * 3


def test_progress_counts_requests_and_bytes(manager: NetworkAccessManager, fake: FakeReplies) -> None:
    fake.get(f"{HOST}/*", body=b"x" * 1000)
    feedback = Feedback()
    counts: list[int] = []
    shares: list[float] = []
    feedback.processedCountChanged.connect(counts.append)
    feedback.progressChanged.connect(shares.append)
    batch = manager.getMany([f"{HOST}/a"] * 200, feedback)
    for _ in batch:
        pass
    assert (counts[-1], shares[-1]) == (200, 100.0)
    assert counts == sorted(counts) and shares == sorted(shares)
    assert (batch.finishedCount(), batch.receivedBytes()) == (200, 200_000)
    assert len(counts) < 60, "ten a second at most"
    unknown = Feedback()
    list(manager.getMany(iter([f"{HOST}/a"] * 5), unknown))
    assert (unknown.processedCount(), unknown.progress()) == (5, 0.0)

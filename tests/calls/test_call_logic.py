"""Retries, deadlines and timeouts of calls, which do not depend on an engine: without a server, in virtual time."""

from __future__ import annotations

import math

import pytest
from urllib3.util import Retry

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.testing import FakeReplies

from ..support.names import OK, SERVER, TIMEOUT

URL = "http://api.example.org/"


@pytest.fixture
def blocking(fake: FakeReplies) -> BlockingNetworkRequest:
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setTimeout(10_000)
    return request


def fails_first(fake: FakeReplies, times: int, **fields: str) -> None:
    """Reply with an error ``times`` times, then with 200."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    fake.add(None, None, status=503, body="busy", headers=headers, times=times)
    fake.add(None, None, body="done")


def test_no_retry_by_default(blocking: BlockingNetworkRequest, fake: FakeReplies) -> None:
    fails_first(fake, 1)
    assert blocking.get(URL) is SERVER
    assert blocking.reply().attempts() == fake.callCount == 1


@pytest.mark.parametrize("failures", range(5))
def test_retry_until_success(blocking: BlockingNetworkRequest, fake: FakeReplies, failures: int) -> None:
    if failures:
        fails_first(fake, failures)
    else:
        fake.get(URL, body="done")
    blocking.setRetry(Retry(3, status_forcelist=[503]))
    assert blocking.get(URL) is (OK if failures <= 3 else SERVER)
    assert blocking.reply().body == (b"done" if failures <= 3 else b"busy")
    assert blocking.reply().attempts() == fake.callCount == min(failures, 3) + 1


def test_post_is_retried_only_if_the_rule_allows_it(blocking: BlockingNetworkRequest, fake: FakeReplies) -> None:
    fails_first(fake, 2)
    blocking.setRetry(Retry(3, status_forcelist=[503]))
    assert blocking.post(URL, b"data") is SERVER and fake.callCount == 1
    blocking.setRetry(Retry(3, status_forcelist=[503], allowed_methods=None))
    assert blocking.post(URL, b"data") is OK
    assert [sent.body for sent in fake.calls] == [b"data"] * 3


def test_retry_after(blocking: BlockingNetworkRequest, fake: FakeReplies) -> None:
    fails_first(fake, 1, Retry_After="3600")
    blocking.setRetry(Retry(1, status_forcelist=[503]))
    assert blocking.get(URL) is OK and blocking.reply().elapsed() == pytest.approx(3600)


def test_pauses_grow(blocking: BlockingNetworkRequest, fake: FakeReplies) -> None:
    fails_first(fake, 5)
    blocking.setRetry(Retry(5, status_forcelist=[503], backoff_factor=1))
    assert blocking.get(URL) is OK
    # urllib3 waits before the first retry from version 2 on only.
    assert blocking.reply().elapsed() == pytest.approx(0 + 2 + 4 + 8 + 16, abs=1.1)


def test_wait_counts_towards_the_deadline(blocking: BlockingNetworkRequest, fake: FakeReplies) -> None:
    fails_first(fake, 1, Retry_After="3600")
    blocking.setRetry(Retry(1, status_forcelist=[503]))
    blocking.setDeadline(300)
    assert blocking.get(URL) is TIMEOUT
    assert blocking.reply().elapsed() == pytest.approx(0.3)
    assert "within the deadline of 300 ms" in blocking.errorMessage()


def test_idle_timeout_of_each_attempt(blocking: BlockingNetworkRequest, fake: FakeReplies) -> None:
    fake.get(URL, delay=math.inf).then(delay=299).then(body="done")
    blocking.setTimeout(300)
    blocking.setRetry(Retry(1))
    assert blocking.get(URL) is OK and blocking.reply().attempts() == 2
    assert blocking.reply().elapsed() == pytest.approx(0.599)


def test_deadline_includes_redirects(blocking: BlockingNetworkRequest, fake: FakeReplies) -> None:
    fake.get(URL + "*", status=302, headers={"Location": "/again"}, delay=100)
    blocking.setDeadline(950)
    assert blocking.get(URL) is TIMEOUT
    assert blocking.reply().elapsed() == pytest.approx(0.95)
    assert "deadline of 950 ms" in blocking.errorMessage()
    assert len(blocking.reply().history()) == 9 and fake.callCount == 10


def test_idle_timeout_counts_from_the_last_bytes(blocking: BlockingNetworkRequest, fake: FakeReplies) -> None:
    fake.get(URL, body=[b"a", 299, b"b", 299, b"c", 301, b"d"])
    blocking.setTimeout(300)
    assert blocking.get(URL) is TIMEOUT
    assert blocking.reply().elapsed() == pytest.approx(0.898) and blocking.reply().body == b"abc"

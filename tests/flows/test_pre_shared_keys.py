"""The handler of pre-shared keys, without a network."""

from __future__ import annotations

from functools import partial
from typing import Any, Optional

import pytest

from blocking_request.flows.pre_shared_keys import PreSharedKeys, with_pre_shared_key
from blocking_request.models.error_texts import canceled, handshake_failed
from blocking_request.models.http_messages import Request, Response
from blocking_request.models.pre_shared_key import UNKNOWN_KEY, PreSharedKey, wanted_hint
from blocking_request.models.tls import TlsSession, known_session
from blocking_request.models.urls import origin
from blocking_request.stores.cache.partition import partition_key

URL = "https://host/"
KEY_ORIGIN = origin(URL)
ONE, OTHER = PreSharedKey("H", b"me", b"one"), PreSharedKey("H", b"me", b"other")


def wants_key(request: Request, hint: Optional[str] = "H") -> Response:
    session = known_session(TlsSession(key_hint=hint))
    return Response(request, failure=handshake_failed("psk identity not found", False), tls=session)


def unexpected(*question: Any) -> Any:
    pytest.fail("asked")


def test_handler_is_not_called_without_need() -> None:
    known: dict[str, PreSharedKey] = {}
    for response in (
        Response(Request("GET", URL), 200),
        Response(Request("GET", URL), failure=canceled()),
        wants_key(Request("GET", URL), None),
    ):
        flow = with_pre_shared_key(Request("GET", URL), PreSharedKeys(unexpected, known), partial(send_one))
        assert next(flow).pre_shared_key == UNKNOWN_KEY  # type: ignore[union-attr]
        with pytest.raises(StopIteration):
            flow.send(response)
    assert known == {}


def send_one(request: Request) -> Any:
    return (yield request)


def test_key_of_another_request_is_used() -> None:
    known: dict[str, PreSharedKey] = {}
    keys = PreSharedKeys(unexpected, known)
    flow = with_pre_shared_key(Request("POST", URL, body=b"x"), keys, send_one)
    first = next(flow)
    known[KEY_ORIGIN] = ONE  # in the meantime
    assert isinstance(first, Request)
    second = flow.send(wants_key(first))
    assert second == first._replace(pre_shared_key=ONE)
    with pytest.raises(StopIteration):
        flow.send(Response(second, 200))
    assert known == {KEY_ORIGIN: ONE}


def test_refused_keys_of_other_requests_are_no_endless_loop() -> None:
    known = {KEY_ORIGIN: ONE}
    flow = with_pre_shared_key(Request("GET", URL), PreSharedKeys(unexpected, known), send_one)
    request = next(flow)
    sent = 1
    with pytest.raises(StopIteration):
        while True:
            assert isinstance(request, Request)
            known[KEY_ORIGIN] = OTHER if request.pre_shared_key == ONE else ONE
            request = flow.send(wants_key(request))
            sent += 1
    assert sent == 7


def test_key_of_a_later_answer_is_not_removed() -> None:
    known = {KEY_ORIGIN: ONE}
    asked: list[tuple[str, str, int]] = []

    def handler(*question: Any) -> None:
        asked.append(question)

    flow = with_pre_shared_key(Request("GET", URL), PreSharedKeys(handler, known), send_one)
    request = next(flow)
    with pytest.raises(StopIteration):
        flow.send(wants_key(request))  # type: ignore[arg-type]
    assert known == {} and asked == [("H", "host", 1)]


def test_key_stored_while_a_refused_one_is_removed() -> None:
    class Known(dict[str, PreSharedKey]):
        def pop(self, *arguments: Any) -> Any:
            self[KEY_ORIGIN] = OTHER  # by another thread
            return super().pop(*arguments)

    known = Known({KEY_ORIGIN: ONE})
    flow = with_pre_shared_key(Request("GET", URL), PreSharedKeys(unexpected, known), send_one)
    first = next(flow)
    assert isinstance(first, Request)
    second = flow.send(wants_key(first))
    assert second == first._replace(pre_shared_key=OTHER)
    with pytest.raises(StopIteration):
        flow.send(Response(second, 200))
    assert known == {KEY_ORIGIN: OTHER}


@pytest.mark.parametrize(
    ("key", "reason", "hint"),
    [
        (None, "psk identity not found", None),
        (UNKNOWN_KEY, "psk identity not found", "new"),
        (ONE, "PSK_IDENTITY_NOT_FOUND", "new"),
        (UNKNOWN_KEY, "sslv3 alert handshake failure", ""),
        (UNKNOWN_KEY, "sslv3 alert bad record mac", None),
        (UNKNOWN_KEY, "tlsv1 alert protocol version", None),
        (UNKNOWN_KEY, "", None),
        (ONE, "SSLV3_ALERT_BAD_RECORD_MAC", "H"),
        (ONE, "tlsv1 alert unknown psk identity", "H"),
        (ONE, "wrong version number", None),
    ],
)
def test_failures_that_a_key_may_cure(key: Optional[PreSharedKey], reason: str, hint: Optional[str]) -> None:
    assert wanted_hint(key, reason, "new") == hint


def test_cache_keeps_keys_apart() -> None:
    request = Request("GET", URL)
    plain = partition_key(request)
    assert partition_key(request._replace(pre_shared_key=UNKNOWN_KEY)) == plain
    keys = {partition_key(request._replace(pre_shared_key=key)) for key in (None, ONE, OTHER)}
    assert len(keys) == 3 and None not in keys


def test_values_show_no_key() -> None:
    keys = PreSharedKeys(unexpected, {KEY_ORIGIN: ONE})
    assert (repr(ONE), repr(keys)) == ("<PreSharedKey>", "<PreSharedKeys>")
    assert "one" not in repr(Request("GET", URL, pre_shared_key=ONE))

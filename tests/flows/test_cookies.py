"""Which cookies are sent and which are stored."""

from __future__ import annotations

from typing import Optional

from blocking_request.flows.cookies import with_cookies
from blocking_request.models.http_messages import Request

from ..support.flow_driver import drive, field, response

REQUEST = Request("GET", "http://host/path", ((b"X-Mine", b"1"),))


class Jar:
    def __init__(self, value: Optional[bytes] = None) -> None:
        self.value = value
        self.received: list[tuple[str, list[bytes]]] = []

    def header(self, url: str) -> Optional[bytes]:
        return self.value

    def receive(self, url: str, values: list[bytes]) -> None:
        self.received.append((url, values))


def test_rfc6265_5_4_stored_cookies_are_sent() -> None:
    (sent,), _, _ = drive(with_cookies(REQUEST, Jar(b"a=1; b=2").header, None), response(200))
    assert field(sent, "Cookie") == ["a=1; b=2"] and field(sent, "X-Mine") == ["1"]
    (sent,), _, _ = drive(with_cookies(REQUEST, Jar().header, None), response(200))
    assert sent is REQUEST


def test_cookie_header_of_the_caller_is_unchanged() -> None:
    own = REQUEST._replace(headers=((b"cookie", b"mine=1"),))
    (sent,), _, _ = drive(with_cookies(own, Jar(b"a=1").header, None), response(200))
    assert sent is own


def test_rfc6265_5_3_each_set_cookie_is_stored() -> None:
    jar = Jar()
    fields = (("Set-Cookie", "a=1"), ("X-Other", "2"), ("set-cookie", "b=2; Path=/"))
    drive(with_cookies(REQUEST, jar.header, jar.receive), response(404, *fields))
    assert jar.received == [("http://host/path", [b"a=1", b"b=2; Path=/"])]
    drive(with_cookies(REQUEST, jar.header, jar.receive), response(200))
    assert len(jar.received) == 1


def test_sending_or_storing_switched_off() -> None:
    jar = Jar(b"a=1")
    (sent,), _, _ = drive(with_cookies(REQUEST, None, jar.receive), response(200, ("Set-Cookie", "c=3")))
    assert sent is REQUEST and jar.received
    jar = Jar(b"a=1")
    (sent,), _, _ = drive(with_cookies(REQUEST, jar.header, None), response(200, ("Set-Cookie", "c=3")))
    assert field(sent, "Cookie") and not jar.received

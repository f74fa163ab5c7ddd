"""Cookies saved to and loaded from files, and the bytes of their values."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from blocking_request import CookieJar, NetworkAccessManager
from blocking_request.qt.binding import QtCore
from blocking_request.stores.cookie_jar import cookie_header, receive_cookies
from blocking_request.stores.cookie_policy import MOST_OF_A_DOMAIN

from ..support.names import Serve
from ..support.servers.raw import Connection

URL = "http://www.example.com/"
YEAR = 365 * 86_400
VALUES = (
    b"plain", b"caf\xc3\xa9", b"caf\xe9", b"\xff\x80", b'"quoted"', b'"a\\"b"', b"a b", b"a\tb",
    # UTF-8 whose last byte is white space in latin-1
    b"voil\xc3\xa0", b"\xc3\x85",
)  # fmt: skip


def jar_with(url: str, *values: bytes) -> CookieJar:
    jar = CookieJar()
    receive_cookies(jar, url, values)
    return jar


@pytest.mark.parametrize("value", VALUES)
def test_bytes_of_a_value_are_kept(value: bytes, tmp_path: Path) -> None:
    jar = jar_with(URL, b"a=" + value + b"; Max-Age=1000; HttpOnly")
    assert cookie_header(jar, URL) == b"a=" + value
    assert jar.allCookies()[0].value().data() == value
    path, loaded = tmp_path / "cookies.txt", CookieJar()
    jar.save(path)
    loaded.load(path)
    # The format cannot hold a TAB.
    assert cookie_header(loaded, URL) == (None if b"\t" in value else b"a=" + value)


def test_bytes_of_a_value_are_kept_between_requests(manager: NetworkAccessManager, serve: Serve) -> None:
    def show(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            lines = [line for line in request.split(b"\r\n") if line.lower().startswith(b"cookie:")]
            connection.respond(
                b"".join(lines), headers="Set-Cookie: a=voilà; Max-Age=100\r\n".encode().decode("latin-1")
            )

    server = serve(show)
    manager.blockingGet(server.url)
    assert manager.blockingGet(server.url).body == "Cookie: a=voilà".encode()


@pytest.mark.parametrize(
    ("value", "sent"),
    [("é", b"\xe9"), ("日本", "日本".encode()), (" a ", b"a"), ("日à", "日à".encode()), ('"\\"', b'"\\"')],
)
def test_encoding_of_a_value_that_is_text(value: str, sent: bytes) -> None:
    jar = CookieJar()
    jar.setCookie(URL, "name", value)
    assert cookie_header(jar, URL) == b"name=" + sent


def test_file_of_curl_with_bytes(tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", CookieJar()
    path.write_bytes(b"www.example.com\tFALSE\t/\tFALSE\t0\ta\tcaf\xc3\xa9\x85\xff\n")
    jar.load(path)
    assert cookie_header(jar, URL) == b"a=caf\xc3\xa9\x85\xff"


def test_limits_of_a_file(tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", CookieJar()
    end = int(time.time()) + YEAR
    lines = [f"www.example.com\tFALSE\t/\tFALSE\t{end}\tn{number}\tx\n" for number in range(MOST_OF_A_DOMAIN + 50)]
    path.write_text("".join(lines) + f"other.com\tFALSE\t/\tFALSE\t{end}\tlarge\t{'x' * 5_000}\n")
    jar.load(path)
    assert len(jar) == MOST_OF_A_DOMAIN
    assert jar.cookiesForUrl("http://other.com/") == []


@pytest.mark.parametrize("expiry", ["-", "soon", "1.5", "9" * 16])
def test_invalid_expiry(expiry: str, tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", CookieJar()
    path.write_text(f"a.com\tFALSE\t/\tFALSE\t0\tn\tx\na.com\tFALSE\t/\tFALSE\t{expiry}\tm\tx\n")
    with pytest.raises(ValueError, match="the expiry in line 2 is no whole number of seconds"):
        jar.load(path)
    assert len(jar) == 0


def test_ipv6_host_in_a_file(tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", jar_with("http://[::1]:8080/", b"a=1; Max-Age=1000")
    jar.save(path)
    loaded = CookieJar()
    loaded.load(path)
    assert cookie_header(loaded, "http://[::1]/") == b"a=1"


FIELDS = b"www.example.com\tFALSE\t/\tFALSE\t0\t"


@pytest.mark.parametrize(
    "end", [b"a\tx\x01y", b"a\tx\0y", b"a\tx\ry", b"a\tx\x7fy", b"a\tx;b=2", b"a=b\tx", b"a;b\tx", b"\t"]
)
def test_line_with_invalid_name_or_value_is_skipped(end: bytes, tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", CookieJar()
    path.write_bytes(FIELDS + end + b"\n" + FIELDS + b"fine\t1\n")
    jar.load(path)
    assert cookie_header(jar, URL) == b"fine=1"


def test_line_without_a_host(tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", CookieJar()
    path.write_bytes(FIELDS + b"a\t1\n" + b"\tFALSE\t/\tFALSE\t0\ta\t1\n")
    with pytest.raises(ValueError, match="line 2 names no host"):
        jar.load(path)
    assert len(jar) == 0


def test_flags_in_lower_case(tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", CookieJar()
    path.write_bytes(b"example.com\ttrue\t/\ttrue\t0\ta\t1\n")
    jar.load(path)
    assert cookie_header(jar, "http://www.example.com/") is None
    assert cookie_header(jar, "https://www.example.com/") == b"a=1"


def test_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", CookieJar()
    path.write_bytes(b"\xef\xbb\xbf# Netscape HTTP Cookie File\n" + FIELDS + b"a\t1\n")
    jar.load(path)
    assert cookie_header(jar, URL) == b"a=1"


def test_cookies_for_url_after_load(tmp_path: Path) -> None:
    path, jar = tmp_path / "cookies.txt", CookieJar()
    path.write_bytes(FIELDS + b"a\t1\n")
    jar.load(path)
    assert [cookie.name().data() for cookie in jar.cookiesForUrl(URL)] == [b"a"]


# -- hosts and rules


def test_ipv6_host_is_cleared_and_limited() -> None:
    jar = jar_with("http://[::1]/", *(b"n%d=x" % number for number in range(MOST_OF_A_DOMAIN + 20)))
    assert len(jar) == MOST_OF_A_DOMAIN
    jar.clear("::1")
    assert len(jar) == 0
    jar.setCookie("http://[::1]/", "a", "1")
    jar.clear("[::1]")
    assert len(jar) == 0


def test_clear_removes_cookies_of_one_host() -> None:
    jar = jar_with("http://a.example.org/", b"own=1", b"all=1; Domain=example.org", b"its=1; Domain=a.example.org")
    for host in ("A.Example.ORG", "a.example.org"):
        jar.clear(host)
        assert [cookie.name().data() for cookie in jar.allCookies()] == [b"all"]
    jar.clear(".example.org")
    assert len(jar) == 0
    with pytest.raises(TypeError, match="host must be a str or None, not int"):
        jar.clear(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host", ["", ".", "example.org:80", "http://example.org/", "example.org/a", "u@example.org", "a b"]
)
def test_clear_with_an_invalid_host(host: str) -> None:
    jar = jar_with("http://example.org/", b"a=1")
    with pytest.raises(ValueError, match="host must be the name or the address of a host"):
        jar.clear(host)
    assert len(jar) == 1


def test_userinfo_is_not_part_of_the_host() -> None:
    jar = CookieJar()
    jar.setCookie("http://user:password@www.example.com/", "a", "1")
    receive_cookies(jar, "http://user:password@www.example.com/", [b"b=2"])
    assert cookie_header(jar, URL) == cookie_header(jar, "http://user:password@www.example.com/") == b"a=1; b=2"
    assert [cookie.domain() for cookie in jar.allCookies()] == ["www.example.com"] * 2


@pytest.mark.parametrize(
    "value", [b"sid=; Domain=bank.example; Max-Age=0", b"sid=; Domain=www.bank.example; Max-Age=0"]
)
def test_other_host_cannot_delete_a_cookie(value: bytes) -> None:
    jar = jar_with("http://www.bank.example/", b"sid=1; Domain=bank.example", b"sid=2; Domain=www.bank.example")
    receive_cookies(jar, "http://evil.example/", [value])
    assert len(jar) == 2


def test_host_deletes_its_own_cookie() -> None:
    # "localhost" is a public suffix: its cookie is that of this host only.
    jar = jar_with("http://localhost/", b"a=1; Domain=localhost; Path=/a")
    receive_cookies(jar, "http://localhost/", [b"a=; Domain=localhost; Path=/a; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
    assert len(jar) == 0


def test_non_ascii_path() -> None:
    jar = jar_with("http://www.example.com/", b"a=1; Path=/caf\xc3\xa9")
    assert cookie_header(jar, "http://www.example.com/caf%C3%A9/menu") == b"a=1"


def test_unicode_and_punycode_are_the_same_host() -> None:
    jar = CookieJar()
    jar.setCookie("http://bücher.example/", "a", "1")
    assert cookie_header(jar, "http://xn--bcher-kva.example/") == b"a=1"
    assert len(jar.cookiesForUrl("http://BÜCHER.example/")) == 1
    jar.clear("bücher.example")
    assert len(jar) == 0


@pytest.mark.parametrize("url", ["HTTP://www.example.com/", "ftp://www.example.com/"])
def test_other_schemes_cannot_replace_a_secure_cookie(url: str) -> None:
    jar = jar_with("https://www.example.com/", b"a=1; Secure")
    receive_cookies(jar, url, [b"a=2"])
    assert cookie_header(jar, "https://www.example.com/") == b"a=1"


def test_http_cannot_replace_a_secure_cookie_of_localhost() -> None:
    jar = jar_with("https://localhost/", b"a=1; Secure")
    for attributes in (b"; Domain=localhost", b"; Domain=localhost; Max-Age=0"):
        receive_cookies(jar, "http://localhost/", [b"a=2" + attributes])
        assert cookie_header(jar, "https://localhost/") == b"a=1"


def test_host_prefix_needs_a_path() -> None:
    for attributes, is_kept in ((b"; Secure", False), (b"; Secure; Path=/", True), (b"; Secure; Path=/a", False)):
        jar = jar_with("https://www.example.com/", b"__Host-a=1" + attributes)
        assert (cookie_header(jar, "https://www.example.com/a") is not None) is is_kept


@pytest.mark.parametrize("value", ["x" * 5_000, "a\x01b"])
def test_refused_value_raises_and_keeps_the_earlier_cookie(value: str) -> None:
    jar = CookieJar()
    jar.setCookie(URL, "a", "1")
    with pytest.raises(ValueError, match=r"the cookie 'a' is not accepted from www\.example\.com"):
        jar.setCookie(URL, "a", value)
    assert cookie_header(jar, URL) == b"a=1"


@pytest.mark.parametrize("url", ["", "www.example.com", "ftp://h/", "http:///a", QtCore.QUrl()])
def test_url_without_a_host(url: Any) -> None:
    jar = CookieJar()
    with pytest.raises(ValueError, match="a cookie needs the URL of a host"):
        jar.cookiesForUrl(url)
    with pytest.raises(ValueError, match="a cookie needs the URL of a host"):
        jar.setCookie(url, "a", "1")


@pytest.mark.parametrize("url", [None, 5, b"http://h/"])
def test_url_of_a_wrong_type(url: Any) -> None:
    with pytest.raises(TypeError, match="url must be a QUrl or a str, not"):
        CookieJar().cookiesForUrl(url)


def test_expired_cookies_are_not_counted() -> None:
    jar = jar_with(URL, b"a=1", b"b=1; Max-Age=1000")
    for cookie in jar.jar:
        if cookie.name == "b":
            cookie.expires = int(time.time()) - 10
    assert len(jar) == len(jar.allCookies()) == len(jar.cookiesForUrl(URL)) == 1

"""The cookie jar by RFC 6265, and the cookies of real exchanges on both engines."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from blocking_request import BlockingNetworkRequest, CookieJar, NetworkAccessManager
from blocking_request.qt.binding import QtCore, QtNetwork, enum_value, field_name
from blocking_request.stores.cookie_jar import cookie_header, receive_cookies

from ..support.names import ENGINES, OK, REQUEST, Serve
from ..support.servers.raw import Connection

URL = "http://www.example.com/a/b"


def jar_with(url: str, *values: str) -> CookieJar:
    jar = CookieJar()
    receive_cookies(jar, url, [value.encode("latin-1") for value in values])
    return jar


# -- the rules


@pytest.mark.parametrize(
    ("value", "from_url", "to_url", "sent"),
    [
        ("a=1", URL, URL, "a=1"),
        ("a=1", URL, "http://www.example.com:8080/a/c", "a=1"),
        ("a=1", URL, "https://www.example.com/a/", "a=1"),
        # 5.1.4 and 5.2.4 path
        ("a=1", URL, "http://www.example.com/a", "a=1"),
        ("a=1", URL, "http://www.example.com/ab", None),
        ("a=1", URL, "http://www.example.com/", None),
        ("a=1; Path=/", URL, "http://www.example.com/", "a=1"),
        ("a=1; Path=/x", URL, "http://www.example.com/x/y", "a=1"),
        # 5.1.3 and 5.2.3 domain
        ("a=1", URL, "http://sub.www.example.com/a/b", None),
        ("a=1; Domain=example.com", URL, "http://other.example.com/a/b", "a=1"),
        ("a=1; Domain=.example.com", URL, "http://example.com/a/b", "a=1"),
        ("a=1; Domain=example.com", URL, "http://badexample.com/a/b", None),
        ("a=1; Domain=other.com", URL, "http://other.com/a/b", None),
        ("a=1; Domain=sub.www.example.com", URL, "http://sub.www.example.com/a/b", None),
        # 5.3 step 5 public suffixes
        ("a=1; Domain=com", URL, URL, None),
        ("a=1; Domain=co.uk", "http://www.example.co.uk/", "http://other.co.uk/", None),
        ("a=1; Domain=example.co.uk", "http://www.example.co.uk/", "http://example.co.uk/", "a=1"),
        ("a=1; Domain=localhost", "http://localhost/", "http://localhost/", "a=1"),
        # names outside ASCII, and suffixes
        ("a=1; Domain=xn--bcher-kva.de", "http://www.xn--bcher-kva.de/", "http://xn--bcher-kva.de/", "a=1"),
        ("a=1; Domain=b\u00c3\u00bccher.de", "http://www.xn--bcher-kva.de/", "http://xn--bcher-kva.de/", "a=1"),
        (
            "a=1; Domain=xn--e1afmkfd.xn--p1ai",
            "http://a.xn--e1afmkfd.xn--p1ai/",
            "http://xn--e1afmkfd.xn--p1ai/",
            "a=1",
        ),
        ("a=1; Domain=xn--p1ai", "http://xn--e1afmkfd.xn--p1ai/", "http://xn--e1afmkfd.xn--p1ai/", None),
        ("a=1; Domain=xn--55qx5d.cn", "http://a.xn--55qx5d.cn/", "http://a.xn--55qx5d.cn/", None),
        # 5.2.5 Secure
        ("a=1; Secure", "https://www.example.com/", "https://www.example.com/", "a=1"),
        ("a=1; Secure", "https://www.example.com/", "http://www.example.com/", None),
        ("a=1; Secure", "http://www.example.com/", "https://www.example.com/", None),
        # 5.2.1, 5.2.2 expiry
        ("a=1; Max-Age=0", URL, URL, None),
        ("a=1; Max-Age=-1", URL, URL, None),
        ("a=1; Max-Age=100", URL, URL, "a=1"),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", URL, URL, None),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=100", URL, URL, "a=1"),
        ("a=1; Expires=Thu, 01-Jan-70 00:00:01 GMT; path=/", URL, URL, None),
        ("a=1; Expires=Thu, 01 Jan 1600 00:00:00 GMT", URL, URL, "a=1"),
        ("a=1; Expires=Mon Dec 10 16:32:30 2007 GMT", URL, URL, None),
        ("a=1; Expires=05-03-2016 00:00:00 GMT", URL, URL, "a=1"),
        ("a=1; Expires=Mon Dec 10 16:32:30 2007; Expires=nonsense", URL, URL, None),
        # 5.2 fields that are no cookies
        ("novalue", URL, URL, None),
        ("=1", URL, URL, None),
        ("a=", URL, URL, "a="),
        ("a=b=c", URL, URL, "a=b=c"),
        ('a="b c"', URL, URL, 'a="b c"'),
        ("a=1; HttpOnly; SameSite=Strict; What=ever", URL, URL, "a=1"),
        # 6265bis prefixes
        ("__Host-a=1; Path=/; Secure", "https://www.example.com/", "https://www.example.com/", "__Host-a=1"),
        ("__Host-a=1; Path=/; Secure; Domain=example.com", "https://www.example.com/", "https://example.com/", None),
        ("__Secure-a=1", "https://www.example.com/", "https://www.example.com/", None),
        # addresses
        ("a=1", "http://127.0.0.1:1/", "http://127.0.0.1:2/", "a=1"),
        ("a=1", "http://[::1]:1/", "http://[::1]:2/", "a=1"),
    ],
)
def test_rfc6265(value: str, from_url: str, to_url: str, sent: str | None) -> None:
    header = cookie_header(jar_with(from_url, value), to_url)
    assert header == (None if sent is None else sent.encode())


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        (("sid=secret; path=/", "sid=; expires=Thu, 01-Jan-70 00:00:01 GMT; path=/"), None),
        (("sid=abc", "sid=; Max-Age=0"), None),
        (("sid=abc; Max-Age=0", "sid=def"), "sid=def"),
        (("a=1", "b=2", "a=3"), "a=3; b=2"),
        (("a=1; Path=/", "a=2"), "a=2; a=1"),
        (("a=1", "=2", "c"), "a=1"),
        (("  a  =  1  ;Path=/a/b",), "a=1"),
        (("a=1;;;; Path = /a/b ;=;",), "a=1"),
        (("a=1; path=", "b=2; path=x"), "a=1; b=2"),
        (("a=1; path=/x; path=/",), "a=1"),
        (("a=1; Domain=other.com; Domain=example.com",), "a=1"),
        (("a=1; Domain=", "b=2; Domain=."), "a=1; b=2"),
        (("a=1; Domain=.WWW.Example.COM",), "a=1"),
        (('a="1; 2"',), 'a="1'),
        (("a=1, b=2",), "a=1, b=2"),
        (("a=1; Max-Age=x; Max-Age=",), "a=1"),
        (("a=1; Max-Age=1; Max-Age=0",), None),
        (("a=1; Max-Age=99999999999999999999",), "a=1"),
        (("a=\u00fc",), "a=\u00fc"),
        (("a=1\x01",), None),
        (("a\tb=1",), "a\tb=1"),
    ],
)
def test_set_cookie_fields_in_order(values: tuple[str, ...], sent: str | None) -> None:
    """After the cases of the working group http-state."""
    header = cookie_header(jar_with(URL, *values), URL)
    assert header == (None if sent is None else sent.encode("latin-1"))


CASES = json.loads(Path(__file__).with_name("set_cookie_cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_cases_of_http_state(number: int) -> None:
    """The inputs of the working group http-state (github.com/abarth/http-state), with dates of today.

    ``received``: the Set-Cookie fields of a response; ``to``: the URL of the next request; ``sent``: its Cookie field.
    """
    case = CASES[number]
    url = "http://home.example.org:8888/cookie-parser?test"
    jar = jar_with(url, *(value.encode("utf-8").decode("latin-1") for value in case["received"]))
    header = cookie_header(jar, urljoin(url, case["to"] or "/cookie-parser-result"))
    assert (header or b"").decode("utf-8") == case["sent"]


def test_rfc6265_5_4_longer_paths_come_first() -> None:
    assert cookie_header(jar_with(URL, "a=1; Path=/", "b=2; Path=/a/b", "c=3; Path=/a"), URL) == b"b=2; c=3; a=1"


def test_rfc6265_5_4_order_of_equal_paths_is_that_of_creation() -> None:
    values = ("a=1; Path=/", "b=2; Path=/; Domain=example.com", "c=3; Path=/", "b=4; Path=/; Domain=example.com")
    assert cookie_header(jar_with(URL, *values), URL) == b"a=1; b=4; c=3"


def test_rfc6265_5_3_new_cookie_replaces_the_old_one() -> None:
    jar = jar_with(URL, "a=1", "a=2")
    assert cookie_header(jar, URL) == b"a=2" and len(jar) == 1
    receive_cookies(jar, URL, [b"a=; Max-Age=0"])
    assert cookie_header(jar, URL) is None


# -- the public methods


def test_set_read_and_clear_cookies() -> None:
    jar = CookieJar()
    jar.setCookie("https://host.example/x", "session", "abc")
    (cookie,) = jar.cookiesForUrl(QtCore.QUrl("https://host.example/y"))
    assert (cookie.name().data(), cookie.value().data(), cookie.isSecure()) == (b"session", b"abc", True)
    assert jar.cookiesForUrl("http://host.example/") == []
    jar.setCookie("http://other.example/", "b", "2")
    assert len(jar.allCookies()) == len(jar) == 2
    assert "abc" not in repr(jar)
    jar.clear("host.example")
    assert [cookie.name().data() for cookie in jar.allCookies()] == [b"b"]
    jar.clear()
    assert len(jar) == 0
    for name, value in (("a;b", "1"), ("a", "1;2"), ("", "1"), ("a=b", "1"), ("a", "1\r\n2")):
        with pytest.raises(ValueError, match="a cookie needs"):
            jar.setCookie("http://host.example/", name, value)


def test_mozilla_file(tmp_path: Path) -> None:
    jar = jar_with(URL, "a=1; Max-Age=1000; Domain=example.com", "session=2")
    file = tmp_path / "cookies.txt"
    jar.save(file)
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert file.read_text().startswith("# Netscape HTTP Cookie File")
    loaded = CookieJar()
    loaded.load(file)
    assert cookie_header(loaded, URL) == b"a=1"
    jar.save(file, sessionCookies=True)
    loaded.load(file)
    assert cookie_header(loaded, URL) in (b"a=1; session=2", b"session=2; a=1")
    assert os.listdir(tmp_path) == ["cookies.txt"]
    # as curl writes them
    file.write_text("# Netscape HTTP Cookie File\nlocalhost\tFALSE\t/\tFALSE\t0\tcurl\tyes\n")
    loaded.load(file)
    assert cookie_header(loaded, "http://localhost/") == b"curl=yes"


def test_invalid_or_missing_file(tmp_path: Path) -> None:
    jar = jar_with(URL, "a=1")
    (tmp_path / "other").write_text("what is this?\n")
    with pytest.raises(ValueError, match="is no cookies file of Mozilla's format"):
        jar.load(tmp_path / "other")
    with pytest.raises(FileNotFoundError):
        jar.load(tmp_path / "none")
    assert cookie_header(jar, URL) == b"a=1"
    with pytest.raises(FileNotFoundError):
        jar.save(tmp_path / "no" / "folder")


# -- real exchanges


def test_cookies_are_stored_and_sent(manager: NetworkAccessManager, httpbin: str) -> None:
    reply = manager.blockingGet(f"{httpbin}/cookies/set?a=1&b=2")
    assert reply.json() == {"cookies": {"a": "1", "b": "2"}}
    assert len(reply.history()) == 1
    assert manager.blockingGet(f"{httpbin}/cookies").json() == {"cookies": {"a": "1", "b": "2"}}
    assert manager.blockingGet(f"{httpbin}/cookies/delete?a").json() == {"cookies": {"b": "2"}}
    # another manager sends them only if it shares the jar
    other = NetworkAccessManager()
    other.setEngine(manager.engine())
    assert other.blockingGet(f"{httpbin}/cookies").json() == {"cookies": {}}
    other.setCookieJar(manager.cookieJar())
    assert other.blockingGet(f"{httpbin}/cookies").json() == {"cookies": {"b": "2"}}


def test_both_engines_and_all_threads_share_cookies(httpbin: str) -> None:
    manager = NetworkAccessManager()
    requested = []
    for engine, path in zip(ENGINES, ("/cookies/set?a=1", "/cookies/set?b=2")):
        request = BlockingNetworkRequest(manager)
        request.setEngine(engine)
        thread = threading.Thread(target=request.get, args=(httpbin + path,))
        thread.start()
        thread.join(30)
        requested.append(request.reply().json())
    assert requested == [{"cookies": {"a": "1"}}, {"cookies": {"a": "1", "b": "2"}}]


def test_jar_of_a_requests_session(manager: NetworkAccessManager, httpbin: str) -> None:
    session = requests.Session()
    manager.setCookieJar(session.cookies)
    assert manager.blockingGet(f"{httpbin}/cookies/set?a=1").errorCode() is OK
    assert session.get(f"{httpbin}/cookies").json() == {"cookies": {"a": "1"}}
    session.close()


def test_cookie_header_of_the_caller(manager: NetworkAccessManager, httpbin: str) -> None:
    manager.cookieJar().setCookie(httpbin, "jar", "1")
    request = REQUEST(QtCore.QUrl(f"{httpbin}/cookies"))
    request.setRawHeader(b"Cookie", b"mine=2")
    assert manager.blockingGet(request).json() == {"cookies": {"mine": "2"}}


def test_cookie_attributes_of_the_request(manager: NetworkAccessManager, httpbin: str) -> None:
    manual = enum_value(REQUEST.LoadControl.Manual)
    manager.cookieJar().setCookie(httpbin, "jar", "1")
    request = REQUEST(QtCore.QUrl(f"{httpbin}/cookies"))
    request.setAttribute(REQUEST.Attribute.CookieLoadControlAttribute, manual)
    assert manager.blockingGet(request).json() == {"cookies": {}}
    request = REQUEST(QtCore.QUrl(f"{httpbin}/cookies/set?new=2"))
    request.setAttribute(REQUEST.Attribute.CookieSaveControlAttribute, manual)
    assert manager.blockingGet(request).json() == {"cookies": {"jar": "1"}}
    assert manager.blockingGet(f"{httpbin}/cookies").json() == {"cookies": {"jar": "1"}}


def test_request_of_the_reply_has_no_cookie_header(manager: NetworkAccessManager, httpbin: str) -> None:
    manager.cookieJar().setCookie(httpbin, "jar", "s3cret")
    reply = manager.blockingGet(f"{httpbin}/get")
    assert not reply.request().hasRawHeader(field_name(b"Cookie"))


def test_redirect_to_another_origin_sends_only_its_cookies(manager: NetworkAccessManager, serve: Serve) -> None:
    def show(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            lines = [line for line in request.split(b"\r\n") if line.lower().startswith(b"cookie:")]
            connection.respond(b"".join(lines))

    other = serve(show)

    def move(connection: Connection) -> None:
        while connection.read_request() is not None:
            target = f"http://localhost:{other.port}/"
            connection.respond(b"", "302 Found", f"Set-Cookie: first=1\r\nLocation: {target}\r\n")

    first = serve(move)
    manager.cookieJar().setCookie(f"http://localhost:{other.port}", "second", "2")
    reply = manager.blockingGet(first.url)
    assert (reply.errorCode(), reply.body) == (OK, b"Cookie: second=2")


def test_qnetworkcookiejar_is_refused() -> None:
    with pytest.raises(TypeError, match="a QNetworkCookieJar belongs to one thread"):
        NetworkAccessManager().setCookieJar(QtNetwork.QNetworkCookieJar())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="jar must be a RequestsCookieJar"):
        NetworkAccessManager().setCookieJar({})  # type: ignore[arg-type]


def test_set_cookie_while_another_thread_clears() -> None:
    jar, is_over = CookieJar(), threading.Event()

    def clear() -> None:
        while not is_over.is_set():
            jar.clear()

    thread = threading.Thread(target=clear)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for number in range(1_000):
            jar.setCookie(URL, f"c{number}", "1")
    finally:
        sys.setswitchinterval(interval)
        is_over.set()
        thread.join(30)


def test_threads_set_send_clear_and_save(tmp_path: Path) -> None:
    jar = CookieJar()
    errors: list[BaseException] = []

    def work(number: int) -> None:
        url = f"http://host{number % 5}.example/"
        try:
            for count in range(60):
                receive_cookies(jar, url, [f"c{count}=1; Max-Age=100".encode(), b"gone=1; Max-Age=0"])
                cookie_header(jar, url)
                len(jar)
                if count % 20 == 0:
                    jar.clear(f"host{number % 5}.example")
                    jar.save(tmp_path / str(number))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


# -- limits (RFC 6265bis sections 5.6 and 5.7)


def names(jar: CookieJar) -> set[str]:
    return {cookie.name().data().decode() for cookie in jar.allCookies()}


def test_many_http_cookies_do_not_evict_a_secure_cookie() -> None:
    jar = jar_with("https://example.com/", "sid=secret; Secure; Path=/")
    receive_cookies(jar, "http://example.com/", [b"n%d=x" % number for number in range(500)])
    assert len(jar) == 180
    assert "sid" in names(jar)
    assert "n499" in names(jar) and "n0" not in names(jar)


def test_oldest_cookie_is_evicted_first() -> None:
    jar = CookieJar()
    receive_cookies(jar, "http://example.com/", [b"n%d=x; Path=/a" % number for number in range(180)])
    receive_cookies(jar, "http://example.com/", [b"new=1; Path=/"])
    assert len(jar) == 180 and "new" in names(jar) and "n0" not in names(jar)


def test_cookie_set_again_is_not_the_oldest() -> None:
    jar = CookieJar()
    receive_cookies(jar, "http://example.com/", [b"n%d=x" % number for number in range(180)])
    receive_cookies(jar, "http://example.com/", [b"n0=y"])
    receive_cookies(jar, "http://example.com/", [b"new=1"])
    assert {"n0", "new"} < names(jar) and "n1" not in names(jar)


def test_expired_cookies_are_evicted_first() -> None:
    jar = CookieJar()
    receive_cookies(jar, "http://example.com/", [b"old=x"])
    receive_cookies(jar, "http://example.com/", [b"n%d=x" % number for number in range(179)])
    for cookie in jar.jar:
        cookie.expires = 1 if cookie.name == "n100" else cookie.expires
    receive_cookies(jar, "http://example.com/", [b"new=1"])
    assert "old" in names(jar) and "n100" not in names(jar)


def test_limit_for_a_registrable_domain() -> None:
    jar = CookieJar()
    for number in range(200):
        receive_cookies(jar, f"http://h{number}.example.com/", [b"n%d=x; Domain=example.com" % number])
    assert len(jar) == 180 and "n199" in names(jar)


def test_limit_for_all_cookies() -> None:
    jar = jar_with("https://bank.example/", "sid=secret; Secure")
    started = time.process_time()
    for number in range(40):
        values = [b"n%d-%d=x" % (number, each) for each in range(100)]
        receive_cookies(jar, f"http://host{number}.example.org/", values)
    assert len(jar) == 3_000 and "sid" in names(jar) and "n39-99" in names(jar)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("a=" + "v" * 4095, True),
        ("a=" + "v" * 4096, False),
        ("n" * 4095 + "=v", True),
        ("a=1; Path=/" + "p" * 1023, False),
        ("a=1; Path=/" + "p" * 1024, True),
        ("a=1; Domain=" + "d" * 1025, True),
        ("a=1; X=" + "x" * 5000, True),
    ],
    ids=["largest", "too large", "long name", "long path", "path ignored", "domain ignored", "other ignored"],
)
def test_size_limits(value: str, sent: bool) -> None:
    jar = jar_with("http://example.com/", value)
    assert (cookie_header(jar, "http://example.com/") is not None) is sent


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("http://host.example.org/", b"sid=evil; Path=/secure"),
        ("http://host.example.org/", b"sid=evil; Path=/secure/more"),
        ("http://host.example.org/secure/page", b"sid=evil"),
        ("http://other.example.org/", b"sid=evil; Domain=example.org; Path=/secure"),
        ("http://below.host.example.org/", b"sid=evil; Domain=host.example.org; Path=/secure/"),
    ],
)
def test_http_cookie_cannot_shadow_a_secure_one(url: str, value: bytes) -> None:
    jar = CookieJar()
    receive_cookies(jar, "https://host.example.org/secure/", [b"sid=good; Secure"])
    receive_cookies(jar, url, [value])
    assert cookie_header(jar, "https://host.example.org/secure/more/page") == b"sid=good"
    assert len(jar) == 1


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("http://host.example.org/", b"sid=2"),
        ("http://host.example.org/", b"sid=2; Path=/secured"),
        ("http://host.example.org/", b"other=2; Path=/secure"),
        ("http://another.example.org/secure/page", b"sid=2"),
        ("http://localhost/secure/page", b"sid=2"),
    ],
)
def test_http_cookie_of_another_path_or_host_is_accepted(url: str, value: bytes) -> None:
    jar = CookieJar()
    receive_cookies(jar, "https://host.example.org/secure/", [b"sid=1; Secure"])
    receive_cookies(jar, url, [value])
    assert len(jar) == 2


def test_http_cookie_cannot_shadow_a_secure_one_of_localhost() -> None:
    jar = CookieJar()
    receive_cookies(jar, "https://localhost/", [b"sid=good; Secure"])
    receive_cookies(jar, "http://localhost/", [b"sid=evil; Path=/"])
    assert cookie_header(jar, "https://localhost/a") == b"sid=good"

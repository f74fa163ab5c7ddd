"""Each response field that is parsed, with values made to cost time or to raise exceptions."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from urllib3.util import Retry

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager, NetworkMemoryCache, ReplyContent
from blocking_request.bodies.download_files import safe_name
from blocking_request.engines.body_errors import BodyError
from blocking_request.engines.body_reader import BodyReader, is_chunked
from blocking_request.flows.auth.challenges import challenges
from blocking_request.flows.cache.cache_control import directives
from blocking_request.flows.cache.freshness import is_explicit
from blocking_request.flows.cache.http_date import parsed_date
from blocking_request.flows.redirects import RedirectRules, follow_redirects
from blocking_request.flows.retry import with_retries
from blocking_request.models.certificate import Certificate
from blocking_request.models.header_parameters import charset, file_name, parameters
from blocking_request.models.headers import MAXIMUM_PARSED_FIELD_BYTES, Headers, known_fields
from blocking_request.models.http_messages import Request, Response
from blocking_request.models.urls import redirect_target
from blocking_request.qhttp import HttpResponseHeader
from blocking_request.stores.cookie_jar import CookieJar, cookie_header, receive_cookies
from blocking_request.stores.hsts_hosts import StrictTransportHosts

from ..support.names import ENGINES, Serve
from ..support.servers.raw import Connection

FIELDS = (
    "Age", "Cache-Control", "Connection", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range",
    "Content-Type", "Date", "ETag", "Expires", "Last-Modified", "Location", "Pragma", "Proxy-Authenticate", "Retry-After",
    "Set-Cookie", "Strict-Transport-Security", "Transfer-Encoding", "Vary", "WWW-Authenticate",
)  # fmt: skip

UNITS = (
    " ", "\t", ",", ";", '"', "\\", "=", "a", "9", "0", "a=", 'a="', '";', ", a", "; a=b", '\\"', "a b=c,", "%", "%41", "\x80",
    "bytes ", "max-age=1,", "Basic a=b, ", "a,b,", "/", "..//", "?#", "[", "@:", "Mon, ", "gzip,",
)  # fmt: skip

PREFIXES = {
    "Content-Disposition": ("attachment; filename=", 'attachment; filename="', "attachment; filename*=utf-8''"),
    "Content-Range": ("bytes 0-1/",),
    "Content-Type": ("text/html; charset=",),
    "Location": ("http://", "/"),
    "Set-Cookie": ("a=b; expires=", "a=b; path=/", "a=b; domain="),
    "Strict-Transport-Security": ("max-age=1 ;",),
    "WWW-Authenticate": ("Digest a=b,", 'Digest realm="', "Basic "),
    "Proxy-Authenticate": ('Basic realm="',),
    "Cache-Control": ("max-age=", 'private="'),
    "Vary": ("a,",),
}


def hostile(field: str, size: int) -> list[str]:
    values = [prefix + unit * (size // len(unit)) for prefix in ("", *PREFIXES.get(field, ())) for unit in UNITS]
    return [value[:size] for value in values]


def read_everything(fields: list[tuple[bytes, bytes]], status: int) -> None:
    """Call all code that parses fields of a response with these."""
    response = Response(Request("GET", "https://host/a"), status, "x", known_fields(tuple(fields)), b"body")
    reply = ReplyContent.from_response(response, 0.0, 1)
    for name in ("Content-Type", "Location", "X"):
        reply.hasRawHeader(name)
        reply.rawHeader(name)
    reply.text(), reply.url(), reply.attributes(), reply.errorString(), repr(reply), reply.rawHeaderPairs()
    for header in range(10):
        reply.header(ReplyContent_known(header))
    Headers(response.headers.pairs).get("Set-Cookie")
    challenges(response.headers.values(b"www-authenticate"))
    said = directives(response.headers)
    is_explicit(response.headers, said)
    jar = CookieJar()
    receive_cookies(jar, "https://host/a", response.headers.values(b"set-cookie"))
    cookie_header(jar, "https://host/a")
    StrictTransportHosts().store_policy("host", response.headers.value(b"strict-transport-security") or b"")
    for name in (b"date", b"expires", b"last-modified"):  # type: ignore[assignment]
        parsed_date(response.headers.value(name) or b"", time.time())  # type: ignore[arg-type]
    flow = with_retries(response.request, rule=Retry(2, status_forcelist=[status], respect_retry_after_header=True))
    next(flow)
    _advance(flow, response)
    flow = follow_redirects(response.request, RedirectRules())
    next(flow)
    _advance(flow, response)
    file_name((response.headers.value(b"content-disposition") or b"").decode("latin-1"))
    ReplyContent.extractFileNameFromContentDispositionHeader(dict(fields).get(b"Content-Disposition", b""))
    safe_name((response.headers.whole_value(b"location") or b"").decode("latin-1"))
    try:
        is_chunked(response.headers.value(b"transfer-encoding"))
        BodyReader(response.headers.value(b"content-length"), response.headers.value(b"content-encoding") or b"")
    except BodyError:
        pass


def ReplyContent_known(number: int) -> Any:
    from blocking_request.qt.binding import QtNetwork

    known = QtNetwork.QNetworkRequest.KnownHeaders
    return known(number)


def _advance(flow: Any, response: Response) -> None:
    try:
        flow.send(response)
    except StopIteration:
        pass


@pytest.mark.parametrize("field", FIELDS)
def test_hostile_fields_are_read_in_linear_time(field: str) -> None:
    started = time.process_time()
    count = 0
    for size in (64, MAXIMUM_PARSED_FIELD_BYTES, 250_000):
        for value in hostile(field, size):
            read_everything([(field.encode(), value.encode("latin-1"))], 302 if field == "Location" else 503)
            count += 1
    # Some 4 ms each, most of it for a Location of 250 KB.
    assert (time.process_time() - started) / count < 0.1


def test_random_fields_raise_no_exception() -> None:
    """Words that servers send, joined at random."""
    chance = random.Random(13)
    words = [
        b"utf-8''", b"undefined''x", b"idna''x", b"a\0b''x", b"charset=", b"filename*0*=", b"filename*=UTF-8''b", b"filename=",
        b"max-age=", b"9" * 400, b"9" * 5000, b"-1", b"Mon, 01 Jan 0000 00:00:00 GMT", b"Tue, 30 Feb 9999 99:99:99 GMT",
        b"Thu, 01-Jan-70 00:00:01 GMT", b"Digest", b"realm=", b'"', b"\\", b",", b";", b"=", b" ", b"\xff", b"\xc3\xa9", b"%zz", b"%00",
        b"http://", b"https://[", b"//", b":", b"@", b"..", b"?", b"#", b"bytes", b"0-", b"/", b"*", b"idna", b"punycode", b"\r", b"\n",
        b"expires=", b"domain=", b"path=/", b"secure", b"__Host-a=b", b"chunked", b"gzip", b"W/", b"xn--", "\u00df".encode(),
    ]  # fmt: skip
    deadline = time.process_time() + 2
    while time.process_time() < deadline:
        value = b"".join(chance.choices(words, k=chance.randint(1, 8)))
        fields = [(field.encode(), value) for field in chance.sample(FIELDS, 4)]
        try:
            read_everything(fields, chance.choice((200, 302, 401, 429, 503)))
            redirect_target("http://host/a", value)
        except ValueError as error:
            # The only parser that may raise: its caller turns this into a failure.
            assert error.__traceback__ is not None and "redirect_target" in _functions(error), (fields, error)


def _functions(error: BaseException) -> list[str]:
    names, frame = [], error.__traceback__
    while frame is not None:
        names.append(frame.tb_frame.f_code.co_name)
        frame = frame.tb_next
    return names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attachment; filename*=undefined''x; filename=plain.txt", "plain.txt"),
        ("attachment; filename*=idna''x; filename=plain.txt", "plain.txt"),
        ("attachment; filename*=a\0b''x; filename=plain.txt", "plain.txt"),
        ("attachment; filename*=UTF-8''%ff; filename=plain.txt", "plain.txt"),
        ("attachment; filename*0*=UTF-8''a; filename*=UTF-8''b", "b"),
        ("attachment; filename*=iso-8859-1'en'caf%E9.txt", "caf\u00e9.txt"),
        ('attachment; x="; filename=no.txt"; filename=yes.txt', "yes.txt"),
        ('attachment; filename="a;b.txt"', "a;b.txt"),
        ('attachment; filename="unclosed.txt', "unclosed.txt"),
        ("attachment; filename=a.txt; filename=b.txt", "a.txt"),
        ('attachment; filename="a\\"b.txt"', 'a"b.txt'),
        ("inline", ""),
        ("", ""),
        # RFC 6266 section 5, and cases of greenbytes.de/tech/tc2231
        ("Attachment; filename=example.html", "example.html"),
        ('INLINE; FILENAME= "an example.html"', "an example.html"),
        ("attachment; filename*= UTF-8''%e2%82%ac%20rates", "€ rates"),
        ("attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates", "€ rates"),
        ("attachment; filename=foo bar.html", "foo bar.html"),
        ("attachment; foo=foo; filename=bar.html", "bar.html"),
        ('attachment; filename="foo-%41.html"', "foo-%41.html"),
        ("attachment; filename*=UTF-8''%zz; filename=y.txt", "y.txt"),
        ("attachment; filename*=UTF-8''a%; filename=y.txt", "y.txt"),
        ("attachment; filename*=utf8''%c3%a4; filename=y.txt", "y.txt"),
        ("attachment; filename*=UTF-8'; filename=y.txt", "y.txt"),
        ("filename=foo.html", ""),
        # joined values
        ("attachment; filename=a.zip, attachment; filename=a.zip", "a.zip"),
        ("attachment; filename=a.zip, attachment; filename=b.zip", ""),
        ("attachment; filename=a, b.txt", "a, b.txt"),
        ('attachment; filename="a, attachment; b.txt"', "a, attachment; b.txt"),
        ("attachment; filename=a,inline", ""),
    ],
)
def test_file_name(text: str, expected: str) -> None:
    """RFC 6266 section 4.3, RFC 8187 section 3.2."""
    assert file_name(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text/plain; charset=UTF-8", "utf-8"),
        ("text/plain; charset=utf-8, text/plain; charset=utf-8", "utf-8"),
        ("text/plain; charset=utf-8, text/plain; charset=latin-1", "latin-1"),
        ("text/plain; charset=latin-1, text/plain", "latin-1"),
        ("text/plain; charset=latin-1, text/html", ""),
        ("text/html; charset=latin-1, */*", "latin-1"),
        ("text/html; charset=latin-1, nothing", "latin-1"),
        ('text/plain; x="a, text/html; charset=utf-16"; charset=latin-1', "latin-1"),
        (", text/plain; charset=latin-1", "latin-1"),
        ("charset=latin-1", ""),
    ],
)
def test_charset(text: str, expected: str) -> None:
    """The Fetch standard's way to extract a MIME type."""
    assert charset(text) == expected


def test_file_name_with_a_lone_surrogate() -> None:
    assert file_name("attachment; filename*=utf-8''\udc80.txt; filename=a.txt") == "a.txt"


@pytest.mark.parametrize("unit", ["\\a", '""', '"a";', '\\"', '"'])
def test_parameters_are_read_in_linear_time(unit: str) -> None:
    """300 000 escaped letters in quotes took minutes."""
    started = time.process_time()
    for text in (f'a; b="{unit * 300_000}', f'a; b="{unit * 300_000}"; c=d', f"a; b={unit * 300_000}"):
        parameters(text)
    assert time.process_time() - started < 10


def test_parameters() -> None:
    assert parameters('a/b; A="1;2" ; b = 3; c; =d') == {"a": "1;2", "b": "3", "": "d"}
    assert charset('text/html; x="charset=no"; Charset="UTF-8"') == "utf-8"


@pytest.mark.parametrize(
    "name", ["a\0b", "undefined", "idna", "hex", "rot13", "zip", "no such", "utf-8\udc80", "9" * 5000]
)
def test_unknown_charset(name: str) -> None:
    field = f"text/plain; charset={name}".encode("utf-8", "surrogatepass")
    response = Response(
        Request("GET", "http://h/"), 200, "", known_fields(((b"Content-Type", field),)), "h\u00e9".encode()
    )
    assert ReplyContent.from_response(response, 0.0, 1).text() == "h\u00e9"


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_fields_in_calls(engine: str, serve: Serve, tmp_path: Path) -> None:
    """With all features that parse fields: cache, cookies, retries, authentication, redirects, downloads."""
    values = [(field, value) for field in FIELDS for value in hostile(field, MAXIMUM_PARSED_FIELD_BYTES)[::7]]
    values = [(field, value) for field, value in values if field not in ("Connection", "Location")]
    left = list(values)

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            field, value = left.pop() if left else ("X", "y")
            status = {"WWW-Authenticate": "401 No", "Retry-After": "503 Later"}.get(field, "200 OK")
            head = f"HTTP/1.1 {status}\r\n{field}: {value}\r\nContent-Length: 2\r\n\r\n"
            connection.send(head.encode("latin-1") + b"hi")
            if field in ("Transfer-Encoding", "Content-Length"):
                return

    server = serve(handle)
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTimeout(3_000)
    manager.setCache(NetworkMemoryCache())
    manager.setAuthHandler(lambda realm, host, attempt: None)
    manager.setRetry(Retry(1, status_forcelist=[503], backoff_factor=0))
    blocking = BlockingNetworkRequest(manager)
    started = time.monotonic()
    while left:
        before = len(left)
        number = len(left)
        if left[-1][0] == "Content-Disposition":
            code = blocking.download(f"{server.url}/{number}", str(tmp_path))
        else:
            code = blocking.get(f"{server.url}/{number}")
        assert isinstance(code, ErrorCode) and len(left) < before
        assert code is not ErrorCode.TimeoutError, blocking.errorMessage()
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_response_fails_one_download_only(engine: str, serve: Serve, tmp_path: Path) -> None:
    """One response once ended a batch of 21 after 0 to 5 results."""
    bad = ["filename*=undefined''x", "filename*0*=UTF-8''a; filename*=UTF-8''b", "filename*=a\0b''x"]

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            number = int(request.split()[1].rpartition(b"/")[2])
            field = f"Content-Disposition: attachment; {bad[number % 3]}\r\n" if number % 7 == 0 else ""
            connection.respond(b"hi", headers=field + "Retry-After: " + "9" * 400 + "\r\n")

    server = serve(handle)
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    results = list(manager.downloadMany([f"{server.url}/{number}" for number in range(21)], folder=tmp_path))
    assert len(results) == 21
    assert sum(code is ErrorCode.NoError for _, code, _ in results) >= 18


@pytest.mark.parametrize("digits", [5, 20, 400, 5000])
@pytest.mark.parametrize("engine", ENGINES)
def test_retry_after_of_many_digits(engine: str, digits: int, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"", "503 Later", f"Retry-After: {'9' * digits}\r\n")

    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setRetry(Retry(2, status_forcelist=[503], backoff_factor=0))
    manager.setDeadline(300)
    code = BlockingNetworkRequest(manager).get(serve(handle).url)
    assert code in (ErrorCode.ServerExceptionError, ErrorCode.TimeoutError)


def test_certificate_of_random_bytes() -> None:
    chance = random.Random(13)
    for _ in range(300):
        raw = bytes([0x30, 0x82]) + chance.randbytes(chance.randint(0, 300))
        try:
            certificate = Certificate(raw)
            repr(certificate), certificate.subject(), certificate.issuer()
        except ValueError:
            pass


def test_content_length_of_many_digits() -> None:
    for digits in (19, 5_000, 100_000):
        assert HttpResponseHeader(f"HTTP/1.1 200 OK\r\nContent-Length: {'9' * digits}\r\n").contentLength() == 0
    assert HttpResponseHeader("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n").contentLength() == 12

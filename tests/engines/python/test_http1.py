"""Responses of HTTP/1 as bytes: framing, tolerance, errors, limits (RFC 9112). Each is split at each position."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from blocking_request.engines.body_errors import BodyError, CorruptBody, HeaderTooLarge
from blocking_request.engines.python.failures import ConnectionLost
from blocking_request.engines.python.http1 import ResponseParser, encode_head
from blocking_request.engines.python.http1_errors import NoFinalResponse, NotHttp
from blocking_request.models.error_texts import interim_status
from blocking_request.models.failure import QtNetworkError
from blocking_request.models.headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES

from .llhttp_responses import VECTORS, Vector
from .outcomes import Outcome, outcome, parsed, splits

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HI = Outcome(status=200, body=b"hi", is_complete=True, keeps=True)
HELLO = HI._replace(body=b"hello")
EMPTY = HI._replace(body=b"")
CORRUPT = Outcome(error="CorruptBody")
CORRUPT_BODY = Outcome(error="CorruptBody", status=200)
NOT_HTTP = Outcome(error="NotHttp")


def not_kept(outcome: Outcome) -> Outcome:
    """Return the same outcome with a connection that cannot be reused."""
    return outcome._replace(keeps=False)


def with_length(*lines: bytes, length: bytes = b"Content-Length: 2") -> bytes:
    return OK + b"".join(line + b"\r\n" for line in (*lines, length)) + b"\r\nhi"


BY_LENGTH = {
    "a length": (with_length(), HI),
    "no length of 0": (OK + b"Content-Length: 0\r\n\r\n", EMPTY),
    "in another case": (with_length(length=b"CONTENT-length:2"), HI),
    "with blanks": (with_length(length=b"Content-Length: \t2 \t"), HI),
    "with zeros": (with_length(length=b"Content-Length: 002"), HI),
    "folded": (with_length(length=b"Content-Length:\r\n 2"), HI),
    "folded behind": (with_length(length=b"Content-Length: 2\r\n "), HI),
    "equal ones in a line": (with_length(length=b"Content-Length: 2, 2"), HI),
    "equal ones without a blank": (with_length(length=b"Content-Length: 2,2"), HI),
    "equal ones in two lines": (with_length(b"Content-Length: 2"), HI),
    "too few bytes": (OK + b"Content-Length: 3\r\n\r\nhi", Outcome(status=200, body=b"hi")),
    "too many bytes": (with_length() + b"HTTP/1.1 200 OK", HI._replace(rest=b"HTTP/1.1 200 OK")),
    "different ones": (with_length(b"Content-Length: 3"), CORRUPT_BODY),
    "different ones in a line": (with_length(length=b"Content-Length: 2, 3"), CORRUPT_BODY),
    "empty": (with_length(length=b"Content-Length:"), CORRUPT_BODY),
    "one is empty": (with_length(length=b"Content-Length: 2,"), CORRUPT_BODY),
    "negative": (with_length(length=b"Content-Length: -2"), CORRUPT_BODY),
    "with a plus": (with_length(length=b"Content-Length: +2"), CORRUPT_BODY),
    "hexadecimal": (with_length(length=b"Content-Length: 0x2"), CORRUPT_BODY),
    "with an underscore": (with_length(length=b"Content-Length: 0_2"), CORRUPT_BODY),
    "not a number": (with_length(length=b"Content-Length: two"), CORRUPT_BODY),
    "of another alphabet": (with_length(length="Content-Length: \u0662".encode()), CORRUPT_BODY),
    "of 19 digits": (with_length(length=b"Content-Length: " + b"9" * 19), CORRUPT_BODY),
    "two numbers": (with_length(length=b"Content-Length: 2 2"), CORRUPT_BODY),
    "two numbers in two lines": (with_length(length=b"Content-Length: 2\r\n 2"), CORRUPT_BODY),
    "with a form feed": (with_length(length=b"Content-Length: 2\f"), CORRUPT_BODY),
    "with a vertical tab": (with_length(length=b"Content-Length: \v2, 2"), CORRUPT_BODY),
    "with NUL": (with_length(length=b"Content-Length: 2\0"), CORRUPT_BODY),
    "with CR": (with_length(length=b"Content-Length: 2\r"), CORRUPT_BODY),
    "with CR and another field": (with_length(length=b"Content-Length: 2\rX: y"), CORRUPT_BODY),
    "of 9000 blanks and a number": (with_length(length=b"Content-Length: 2," + b" " * 9000 + b"2"), CORRUPT_BODY),
    "a name that begins alike": (with_length(b"Content-Length-X: 9"), HI),
    "a name that ends alike": (with_length(b"X-Content-Length: 9"), HI),
    "a value that holds it": (with_length(b"X: Content-Length: 9"), HI),
    "with an underscore in the name": (with_length(b"Content_Length: 9"), HI),
}

BY_CHUNKS = {
    "one chunk": (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", HELLO),
    "several": (CHUNKED + b"2\r\nhe\r\n1\r\nl\r\n2\r\nlo\r\n0\r\n\r\n", HELLO),
    "none": (CHUNKED + b"0\r\n\r\n", EMPTY),
    "bytes behind": (CHUNKED + b"5\r\nhello\r\n0\r\n\r\nX", HELLO._replace(rest=b"X")),
    "extensions": (CHUNKED + b'5;a=b;c="d;e"\r\nhello\r\n0;x\r\n\r\n', HELLO),
    "blanks behind the size": (CHUNKED + b"5 \t\r\nhello\r\n0 ; x\r\n\r\n", HELLO),
    "leading zeros": (CHUNKED + b"0000000000000000000005\r\nhello\r\n000000000000000000000\r\n\r\n", HELLO),
    "bare LF": (CHUNKED + b"5\nhello\n0\n\n", HELLO),
    "bare LF once": (CHUNKED + b"5\r\nhello\r\n0\n\r\n", HELLO),
    "bare LF behind a size": (CHUNKED + b"2\nhe\r\n3\r\nllo\r\n0\n\n", HELLO),
    "bare LF behind a chunk only": (CHUNKED + b"5\r\nhello\n0\r\n\r\n", CORRUPT_BODY._replace(body=b"hello")),
    "a size too large by the CR": (CHUNKED + b"6\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY._replace(body=b"hello\r")),
    "sizes in any case": (
        CHUNKED + b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
        HI._replace(body=b"0123456789" * 2),
    ),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n", HELLO),
    "cut in the size": (CHUNKED + b"5", Outcome(error="CutOff", status=200)),
    "cut in a chunk": (CHUNKED + b"5\r\nhel", Outcome(error="CutOff", status=200, body=b"hel")),
    "cut behind a chunk": (CHUNKED + b"5\r\nhello\r", Outcome(error="CutOff", status=200, body=b"hello")),
    "cut before the last": (CHUNKED + b"5\r\nhello\r\n", Outcome(error="CutOff", status=200, body=b"hello")),
    "cut in the trailers": (
        CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n",
        Outcome(error="CutOff", status=200, body=b"hello"),
    ),
    "a size too small": (CHUNKED + b"4\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY._replace(body=b"hell")),
    "CR and no LF behind a chunk": (CHUNKED + b"5\r\nhello\rX\r\n", CORRUPT_BODY._replace(body=b"hello")),
    "no size": (CHUNKED + b"\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "no hexadecimal": (CHUNKED + b"5x\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "a size with a prefix": (CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "a size with an underscore": (CHUNKED + b"0_5\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "a signed size": (CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "a negative size": (CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "a blank before the size": (CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "a bare CR in an extension": (CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "a size of 16 digits": (CHUNKED + b"f" * 16 + b"\r\nhi", Outcome(error="CutOff", status=200, body=b"hi")),
    "a size of 17 digits": (CHUNKED + b"1" + b"0" * 16 + b"\r\nhi", CORRUPT_BODY),
    "an extension of 64 KB": (CHUNKED + b"5;" + b"x" * ((1 << 16) - 4) + b"\r\nhello\r\n0\r\n\r\n", HELLO),
    "a longer extension": (CHUNKED + b"5;" + b"x" * ((1 << 16) - 3) + b"\r\nhello\r\n0\r\n\r\n", CORRUPT_BODY),
    "an extension without an end": (CHUNKED + b"5;" + b"x" * (1 << 17), CORRUPT_BODY),
}

FIVE = b"5\r\nhello\r\n0\r\n\r\n"


def with_coding(*lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return version + b" 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + FIVE


BY_CODING = {
    "in another case": (with_coding(b"TRANSFER-encoding:Chunked"), HELLO),
    "folded": (with_coding(b"Transfer-Encoding:\r\n\tchunked"), HELLO),
    "beside a length": (with_coding(b"Content-Length: 0", b"Transfer-Encoding: chunked"), not_kept(HELLO)),
    "beside a length that is none": (with_coding(b"Content-Length: x", b"Transfer-Encoding: chunked"), not_kept(HELLO)),
    "twice": (with_coding(b"Transfer-Encoding: chunked, chunked"), not_kept(HELLO)),
    "identity and chunked": (
        with_coding(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
        not_kept(HELLO),
    ),
    "HTTP/1.0": (
        with_coding(b"Transfer-Encoding: chunked", b"Connection: keep-alive", version=b"HTTP/1.0"),
        not_kept(HELLO),
    ),
    "identity": (with_coding(b"Transfer-Encoding: identity"), not_kept(HI._replace(body=FIVE))),
    "identity and a length": (
        OK + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
        not_kept(HI),
    ),
    "gzip": (with_coding(b"Transfer-Encoding: gzip"), CORRUPT_BODY),
    "gzip, chunked": (with_coding(b"Transfer-Encoding: gzip, chunked"), CORRUPT_BODY),
    "xchunked": (with_coding(b"Transfer-Encoding: xchunked"), CORRUPT_BODY),
    "chunked with a parameter": (with_coding(b"Transfer-Encoding: chunked;q=1"), CORRUPT_BODY),
    "chunked with a vertical tab": (with_coding(b"Transfer-Encoding: \vchunked"), CORRUPT_BODY),
    "chunked with CR": (with_coding(b"Transfer-Encoding: chunked\rX: y"), CORRUPT_BODY),
    "chunked with NUL": (with_coding(b"Transfer-Encoding: chunked\0"), CORRUPT_BODY),
}

CONNECTIONS = {
    "close": (with_length(b"Connection: close"), not_kept(HI)),
    "close in another case": (with_length(b"connection: Close"), not_kept(HI)),
    "close among others": (with_length(b"Connection: x, close"), not_kept(HI)),
    "close in the second": (with_length(b"Connection: keep-alive", b"Connection: close"), not_kept(HI)),
    "close in the first": (with_length(b"Connection: close", b"Connection: keep-alive"), not_kept(HI)),
    "close behind a fold": (with_length(b"Connection:\r\n close"), not_kept(HI)),
    "something else": (with_length(b"Connection: closer"), HI),
    "keep-alive": (with_length(b"Connection: keep-alive"), HI),
    "empty, then close": (with_length(b"Connection:", b"Connection: close"), not_kept(HI)),
    "unreadable": (with_length(b"Connection: close\0"), not_kept(HI)),
    "HTTP/1.0": (with_length().replace(b"1.1", b"1.0"), not_kept(HI)),
    "HTTP/1.0 kept": (with_length(b"Connection: Keep-Alive").replace(b"1.1", b"1.0"), HI),
    "HTTP/1.0 kept and closed": (with_length(b"Connection: keep-alive, close").replace(b"1.1", b"1.0"), not_kept(HI)),
    "HTTP/1.2": (with_length().replace(b"1.1", b"1.2"), HI),
    "up to the end": (OK + b"X: y\r\n\r\nhi", not_kept(HI)),
    "up to the end without a field": (OK + b"\r\nhi", not_kept(HI)),
}

HEADERS = {
    "empty lines first": (b"\r\n\n\r\n" + with_length(), HI),
    "several blanks": (with_length().replace(b"1.1 200 ", b"1.1 \t 200  "), HI),
    "no reason": (with_length().replace(b" OK", b""), HI),
    "an empty reason": (with_length().replace(b" OK", b" "), HI),
    "bare LF": (with_length(b"X: y").replace(b"\r\n", b"\n"), HI),
    "bare LF at the end": (OK + b"Content-Length: 2\r\n\nhi", HI),
    "bare LF before the end": (OK + b"Content-Length: 2\n\r\nhi", HI),
    "a PHP warning": (with_length(b"PHP Warning:  x"), HI),
    "a blank before the colon": (with_length(b"X-Odd : 1"), HI),
    "brackets": (with_length(b"X[a]: 1"), HI),
    "a name that is not ASCII": (with_length("X-\u00d6: 1".encode()), HI),
    "no name": (with_length(b": 1"), HI),
    "the continuation of a dropped field": (with_length(b": 1", b" Content-Length: 9"), HI),
    "no colon": (with_length(b"X-Odd"), Outcome("CorruptBody", 200)),
    "HTML": (with_length(b"<br />"), Outcome("CorruptBody", 200)),
    "a blank first": (OK + b" Content-Length: 2\r\n\r\nhi", Outcome("CorruptBody", 200)),
    "a tab first": (OK + b"\tX\r\nContent-Length: 2\r\n\r\nhi", Outcome("CorruptBody", 200)),
    "a length that is almost one": (with_length(b"Content-Length : 9"), Outcome("CorruptBody", 200)),
    "a coding that is almost one": (with_length(b"Transfer-Encoding\t: chunked"), Outcome("CorruptBody", 200)),
    "a vertical tab in the name": (with_length(b"Content-Length\v: 9"), Outcome("CorruptBody", 200)),
    "a CR before the name": (with_length(b"\rContent-Length: 9"), Outcome("CorruptBody", 200)),
    "NUL in the name": (with_length(b"Content\0-Length: 9"), Outcome("CorruptBody", 200)),
    "a soft hyphen in the name": (with_length(b"Transfer-\xadEncoding: chunked"), Outcome("CorruptBody", 200)),
}

STATUS_LINES = {
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", NOT_HTTP),
    "HTML": (b"<html>hello</html>\n", NOT_HTTP),
    "a TLS alert": (b"\x15\x03\x01\x00\x02\x02\x46", NOT_HTTP),
    "a frame of HTTP/2": (b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01", NOT_HTTP),
    "text": (b"hello", NOT_HTTP),
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", NOT_HTTP),
    "ICY": (b"ICY 200 OK\r\n\r\n", NOT_HTTP),
    "lower case": (b"http/1.1 200 OK\r\n\r\n", NOT_HTTP),
    "a CR first": (b"\rHTTP/1.1 200 OK\r\n\r\n", NOT_HTTP),
    "a blank first": (b" HTTP/1.1 200 OK\r\n\r\n", NOT_HTTP),
    "a longer version": (b"HTTP/1.10 200 OK\r\n\r\n", NOT_HTTP),
    "no version": (b"HTTP 200 OK\r\n\r\n", NOT_HTTP),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", NOT_HTTP),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", NOT_HTTP),
    "a status and a letter": (b"HTTP/1.1 200OK\r\n\r\n", NOT_HTTP),
    "a signed status": (b"HTTP/1.1 +20 OK\r\n\r\n", NOT_HTTP),
    "a CR in the reason": (b"HTTP/1.1 200 O\rK\r\n\r\n", NOT_HTTP),
    "status 000": (b"HTTP/1.1 000 X\r\n\r\n", Outcome(error="NoFinalResponse")),
    "status 099": (b"HTTP/1.1 099\r\n\r\n", Outcome(error="NoFinalResponse")),
    "status 999": (b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", EMPTY._replace(status=999)),
    "nothing": (b"", Outcome(error="ConnectionLost")),
    "an empty line": (b"\r\n", Outcome(error="ConnectionLost")),
    "a CR": (b"\r", Outcome(error="ConnectionLost")),
    "cut in the version": (b"HTTP/1", Outcome(error="CutOff")),
    "cut in the status": (b"HTTP/1.1 20", Outcome(error="CutOff")),
    "cut in a field": (OK + b"A: 1", Outcome(error="CutOff")),
    "cut before the empty line": (OK + b"A: 1\r\n", Outcome(error="CutOff")),
    "cut in the empty line": (OK + b"A: 1\r\n\r", Outcome(error="CutOff")),
}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
INTERIM = {
    "100": (CONTINUE + with_length(), HI),
    "102 and 103": (b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: </a>\r\n\r\n" + with_length(), HI),
    "with bare LF": (b"HTTP/1.1 100\n\n" + with_length(), HI),
    "an empty line between": (CONTINUE + b"\r\n" + with_length(), HI),
    "with a length": (b"HTTP/1.1 100 C\r\nContent-Length: 9\r\n\r\n" + with_length(), HI),
    "with a body": (b"HTTP/1.1 103 E\r\nContent-Length: 2\r\n\r\nhi" + with_length(), NOT_HTTP),
    "and nothing": (CONTINUE * 2, Outcome(error="NoFinalResponse")),
    "and an empty line": (CONTINUE + b"\r\n", Outcome(error="NoFinalResponse")),
    "and a cut header": (CONTINUE + b"HT", Outcome(error="CutOff")),
    "and then 101": (CONTINUE + b"HTTP/1.1 101 S\r\n\r\n\x81", Outcome("", 101, b"", b"\x81", True)),
}

CASES = {
    f"{name}: {case}": value
    for name, cases in (
        ("length", BY_LENGTH),
        ("chunks", BY_CHUNKS),
        ("coding", BY_CODING),
        ("connection", CONNECTIONS),
        ("header", HEADERS),
        ("status line", STATUS_LINES),
        ("interim", INTERIM),
    )
    for case, value in cases.items()
}


@pytest.mark.parametrize("case", CASES)
def test_response(case: str) -> None:
    data, expected = CASES[case]
    assert outcome(data) == expected
    for pieces in splits(data):
        assert parsed(pieces).outcome == expected, pieces


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])
def test_llhttp_vector(vector: Vector) -> None:
    assert outcome(vector.data, vector.method) == vector.expected
    for pieces in splits(vector.data):
        assert parsed(pieces, vector.method).outcome == vector.expected, pieces


@pytest.mark.parametrize(
    ("method", "status", "keeps"),
    [("HEAD", 200, True), ("HEAD", 404, True), ("GET", 204, True), ("GET", 304, True), ("CONNECT", 200, False)],
)
@pytest.mark.parametrize("field", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"X: y\r\n"])
def test_response_without_a_body(method: str, status: int, keeps: bool, field: bytes) -> None:
    head = b"HTTP/1.1 %d X\r\n%b\r\n" % (status, field)
    assert outcome(head, method) == Outcome("", status, b"", b"", True, keeps)
    assert outcome(head + b"late", method) == Outcome("", status, b"", b"late", True, keeps)


def test_refused_connect_has_a_body() -> None:
    assert outcome(with_length().replace(b"200", b"407"), "CONNECT") == HI._replace(status=407)


def test_repeated_content_length_of_head() -> None:
    """A response to HEAD has no body, so its end is not ambiguous."""
    data = OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"
    assert outcome(data, "HEAD") == EMPTY


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the response is not HTTP/1: it begins with 'SSH-2.0-OpenSSH_9.6'"),
        (b"ICY 200 OK\r\n", "the response is not HTTP/1: it begins with 'ICY 200 OK'"),
        (b"\r\n<p>" + b"x" * 99, f"the response is not HTTP/1: it begins with '<p>{'x' * 37}'"),
        (b"\x1b[2J\0\xff\n", "the response is not HTTP/1: it begins with '\\x1b[2J\\x00\xff'"),
        (
            b"\x15\x03\x01\0\2\2\x46",
            "the response is not HTTP/1: it is TLS; if the server expects TLS there, use https://",
        ),
        (b"\0\0\x12\x04\0\0\0\0\0", "the response is not HTTP/1: it is HTTP/2"),
        (b"HTTP/2.0 200 OK\r\n", "the server speaks HTTP/2.0, which is not spoken here"),
        (b"HTTP/1.1 2x0\r\n", "the response is not HTTP/1: its status line is 'HTTP/1.1 2x0'"),
        (b"HTTP/1.1 200 O\rK\r\n", "the response is not HTTP/1: its status line is 'HTTP/1.1 200 O\\rK'"),
    ],
)
def test_response_that_is_not_http(data: bytes, text: str) -> None:
    error = parsed([data]).error
    assert isinstance(error, NotHttp)
    assert error.failure.text == f"Data corrupted: {text}"
    assert error.failure.error is QtNetworkError.ProtocolFailure


@pytest.mark.parametrize("data", [b"S", b"\x15", b"HTTP/2", b"HTTX", b"\r\nX", b"\rH"])
def test_first_bytes_that_are_not_http(data: bytes) -> None:
    """They are refused at once, because a TLS alert has only 7 bytes."""
    with pytest.raises(NotHttp):
        ResponseParser("GET").receive_head(data)


@pytest.mark.parametrize("status", [b"000", b"99", b"7"])
def test_status_below_100(status: bytes) -> None:
    with pytest.raises(NoFinalResponse) as caught:
        ResponseParser("GET").receive_head(b"HTTP/1.1 %b X\r\n" % status)
    assert caught.value.failure == interim_status(int(status))


def test_connection_closed_after_an_interim_response() -> None:
    error = parsed([CONTINUE, b"HTTP/1.1 103 X\r\n\r\n"]).error
    assert isinstance(error, NoFinalResponse) and error.failure == interim_status(103)


@pytest.mark.parametrize("data", [b"HTTP/1.1 20", CHUNKED + b"5\r\nhel"])
def test_connection_closed_in_the_response(data: bytes) -> None:
    error = parsed([data]).error
    assert isinstance(error, BodyError)
    assert error.failure.error is QtNetworkError.RemoteHostClosedError
    assert error.failure.text.startswith("Connection closed")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"HTTP/1.1 404 Not Found", "Not Found"),
        (b"HTTP/1.1 404   Not  Found \t", "Not  Found"),
        (b"HTTP/1.1 404", ""),
        (b"HTTP/1.1 404\tNot", "Not"),
        ("HTTP/1.1 404 Nicht m\u00f6glich".encode(), "Nicht m\u00f6glich"),
        ("HTTP/1.1 404 Nicht m\u00f6glich".encode("latin-1"), "Nicht m\u00f6glich"),
    ],
)
def test_reason_phrase(line: bytes, reason: str) -> None:
    parser = ResponseParser("GET")
    assert parser.receive_head(line + b"\r\n\r\n")
    assert parser.head is not None and parser.head.reason == reason and parser.head.minor_version == 1


def fields(*lines: bytes) -> list[tuple[bytes, bytes]]:
    parser = ResponseParser("GET")
    assert parser.receive_head(OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n")
    assert parser.head is not None
    return list(parser.head.fields.pairs)


def test_fields_keep_order_case_and_repetition() -> None:
    lines = (b"X-a:1", b"x-A: \t 2 \t", b"Empty:", b"Set-Cookie: a=b", b"Set-Cookie: c=d", b"Colons: a:b:c")
    expected = [(b"X-a", b"1"), (b"x-A", b"2"), (b"Empty", b""), (b"Set-Cookie", b"a=b"), (b"Set-Cookie", b"c=d")]
    assert fields(*lines) == [*expected, (b"Colons", b"a:b:c")]


def test_folded_lines_are_joined_by_one_space() -> None:
    lines = (b"A:", b"\t1 ", b"  2", b" ", b" 3", b"B: x", b" ")
    assert fields(*lines) == [(b"A", b"1 2 3"), (b"B", b"x")]


def test_fields_with_invalid_names_are_dropped() -> None:
    lines = (b"A: 1", b"PHP Warning:  x", b" y", b"X-Odd : 1", b"X[a]: 1", b"X-\xd6: 1", b": 1", b" z", b"B: 2")
    assert fields(*lines) == [(b"A", b"1"), (b"B", b"2")]


def test_bare_cr_and_nul_become_blanks() -> None:
    """RFC 9110 section 5.5. In a field that frames the body they are an error."""
    assert fields(b"A: 1\rB: 2", b"C: \0") == [(b"A", b"1 B: 2"), (b"C", b"")]
    parser = ResponseParser("GET")
    with pytest.raises(CorruptBody):
        parser.receive_head(OK + b"Transfer-Encoding: chunked\r\r\n\r\n")


def test_head_of_a_response_with_invalid_framing() -> None:
    """The response is reported with its status and fields, and the error of its framing."""
    parser = ResponseParser("GET")
    with pytest.raises(CorruptBody):
        parser.receive_head(with_length(b"Content-Length: 3"))
    assert parser.head is not None and parser.head.status == 200


def test_states_of_a_parser() -> None:
    parser = ResponseParser("GET")
    assert not parser.receive_head(b"\r\n") and not parser.has_begun
    assert not parser.receive_head(CONTINUE[:1]) and parser.has_begun
    assert not parser.receive_head(CONTINUE[1:]) and parser.head is None and parser.interim_status == 100
    assert parser.receive_head(OK + b"Content-Length: 9\r\n\r\nhi")
    assert (parser.length, parser.total_bytes, parser.is_complete, parser.rest) == (9, 9, False, b"hi")
    assert list(parser.receive_body(parser.rest)) == [b"hi"]
    assert (parser.length, parser.rest) == (7, b"")
    parser.took(4)
    assert (parser.length, parser.is_complete) == (3, False)
    assert [bytes(part) for part in parser.receive_body(memoryview(b"abcd"))] == [b"abc"]
    assert (parser.length, parser.total_bytes, parser.is_complete, parser.rest) == (0, 9, True, b"d")
    parser.receive_end()


def test_body_read_past_the_parser() -> None:
    parser = ResponseParser("GET")
    parser.receive_head(OK + b"Content-Length: 9\r\n\r\n")
    parser.took(9)
    assert parser.is_complete and parser.length == 0
    parser = ResponseParser("GET")
    parser.receive_head(OK + b"\r\n")
    parser.took(9)
    assert not parser.is_complete
    parser.receive_end()
    assert parser.is_complete


def test_chunks_are_not_copied() -> None:
    parser = ResponseParser("GET")
    parser.receive_head(CHUNKED)
    memory = bytearray(b"5\r\nhello\r\n0\r\n\r\n")
    (part,) = parser.receive_body(memoryview(memory))
    memory[3:4] = b"J"
    assert bytes(part) == b"Jello"


def test_body_before_an_error_is_given() -> None:
    parser = ResponseParser("GET")
    parser.receive_head(CHUNKED)
    parts = iter(parser.receive_body(b"2\r\nhi\r\nx\r\n"))
    assert bytes(next(parts)) == b"hi"
    with pytest.raises(CorruptBody):
        next(parts)


def test_connection_closed_before_a_response() -> None:
    parser = ResponseParser("GET")
    with pytest.raises(ConnectionLost):
        parser.receive_end()


# Limits


def header(lines: int, size: int) -> bytes:
    """Return a header with this number of lines and bytes in total."""
    filled = OK + b"A: 1\r\n" * (lines - 1)
    return filled + b"B: %b\r\n\r\n" % (b"x" * (size - len(filled) - 7))


def in_chunks(data: bytes, size: int = 1000) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize(("lines", "size", "fits"), [(1000, 9000, True), (1001, 9000, True), (1002, 9000, False)])
def test_limit_of_header_lines(lines: int, size: int, fits: bool) -> None:
    """Not counting the status line and two empty lines, one of them for trailers."""
    assert MAXIMUM_HEADER_LINES == 1000
    expected = Outcome(status=200, is_complete=True) if fits else Outcome(error="HeaderTooLarge")
    for pieces in ([header(lines, size)], in_chunks(header(lines, size), 1)):
        assert parsed(pieces).outcome == expected


@pytest.mark.parametrize("over", [0, 1])
def test_limit_of_header_bytes(over: int) -> None:
    data = header(10, MAXIMUM_HEADER_BYTES + over)
    assert len(data) == MAXIMUM_HEADER_BYTES + over
    expected = Outcome(error="HeaderTooLarge") if over else Outcome(status=200, is_complete=True)
    for pieces in ([data], in_chunks(data), in_chunks(data, 1)):
        assert parsed(pieces).outcome == expected


TOO_LARGE = {
    "lines": OK + b"X-A: 1\r\n" * 60_000,
    "one line": OK + b"X-A: " + b"a" * 400_000,
    "folded lines": OK + b"X-A: 1\r\n" + b" folded\r\n" * 60_000,
    "interim responses": b"HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n" * 60_000,
    "short interim responses": b"HTTP/1.1 100\n\n" * 60_000,
    "reason": b"HTTP/1.1 200 " + b"R" * 400_000,
    "empty lines": b"\r\n" * 400_000,
    "trailers": CHUNKED + b"0\r\n" + b"X-A: 1\r\n" * 60_000,
    "one trailer": CHUNKED + b"0\r\nX-A: " + b"a" * 400_000,
    "header and trailers": header(800, 9000)[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 300,
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_too_large_header(case: str) -> None:
    data = TOO_LARGE[case]
    for pieces in ([data], in_chunks(data), [data[at : at + 7] for at in range(0, len(data), 7)]):
        error = parsed(pieces).error
        assert isinstance(error, HeaderTooLarge)


SIZE = 1 << 16

HOSTILE: dict[str, Callable[[int], bytes]] = {
    "blanks in the status line": lambda size: b"HTTP/1.1 200" + b" " * size + b"\rX\n",
    "blanks before the status": lambda size: b"HTTP/1.1" + b" \t" * (size // 2) + b"X\n",
    "CRs in the status line": lambda size: b"HTTP/1.1 200 " + b"\r" * size + b"\n",
    "CRs in a field": lambda size: OK + b"A: " + b"\r" * size + b"\r\n\r\n",
    "blanks in a field": lambda size: OK + b"A:" + b" " * size + b"\0\r\n\r\n",
    "blanks in a length": lambda size: OK + b"Content-Length:" + b" " * size + b"\r\n\r\n",
    "commas in a length": lambda size: OK + b"Content-Length: 1" + b",1" * (size // 2) + b"\r\n\r\n",
    "digits in a length": lambda size: OK + b"Content-Length: " + b"1" * size + b"\r\n\r\n",
    "commas in a coding": lambda size: OK + b"Transfer-Encoding: chunked" + b"," * size + b"\r\n\r\n",
    "colons": lambda size: OK + b":" * size + b"\r\n\r\n",
    "a name": lambda size: OK + b"a" * size + b"\0: 1\r\n\r\n",
    "no colon": lambda size: OK + b"a" * size + b"\r\n\r\n",
    "folds": lambda size: OK + b"A: 1\r\n" + b" \r\n" * (size // 70) + b" " * size + b"\r\n\r\n",
    "interim responses": lambda size: b"HTTP/1.1 100\n\n" * (size // 140) + OK + b"A:" + b" " * size + b"\n\n",
    "CRs first": lambda size: b"\n" * (size // 70) + b"\r" * size,
    "zeros of a size": lambda size: CHUNKED + b"0" * (size - 100) + b"\rX\n",
    "digits of a size": lambda size: CHUNKED + b"f" * (size - 100) + b"\r\n",
    "blanks behind a size": lambda size: CHUNKED + b"1" + b" \t" * (size // 2 - 100) + b"\rX\n",
    "an extension": lambda size: CHUNKED + b"1" + b";" * (size - 100) + b"\rX\n",
    "chunks of a byte": lambda size: CHUNKED + b"1\r\nx\r\n" * (size // 6) + b"X\r\n",
    "sizes that end": lambda size: CHUNKED + b"00\n" + b"A: 1\n" * (size // 70) + b"\r" * size,
}


def seconds(pieces: list[bytes]) -> float:
    started = time.process_time()
    parser = parsed(pieces).parser
    if parser.head is not None:
        list(parser.head.fields.pairs)
    return time.process_time() - started


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_response_takes_linear_time(case: str) -> None:
    """64 KB take some milliseconds in one piece and 0.1 s byte by byte; quadratic time would be seconds."""
    whole = HOSTILE[case](SIZE)
    for limit, pieces in ((0.1, [whole]), (1.0, in_chunks(whole, 1))):
        assert min(seconds(pieces) for _ in range(2)) < limit


# The head of a request


def test_request_head() -> None:
    head = encode_head("GET", "/a?b", [(b"Host", b"x"), (b"X-\xd6", b"\xff")])
    assert head == b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-\xd6: \xff\r\n\r\n"
    assert encode_head("CONNECT", "[::1]:443", ()) == b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target", "field"),
    [
        ("GET\r\nX: 1", "/", (b"A", b"1")),
        ("GET", "/ HTTP/1.1\nX: 1", (b"A", b"1")),
        ("GET", "/", (b"A\r\nX", b"1")),
        ("GET", "/", (b"A", b"1\r\nX: 1")),
        ("GET", "/", (b"A", b"1\rX: 1")),
    ],
)
def test_line_end_in_a_request_head(method: str, target: str, field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError):
        encode_head(method, target, [field])

"""Random responses, parsed by us, by h11 and by llhttp (httptools): the results are the same or differ by a documented rule.

If both parsers accept a response, status and body must be equal. One may refuse what the other accepts only by a rule.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

import h11
import httptools
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from blocking_request.engines.python.failures import ConnectionLost
from blocking_request.engines.python.http1_errors import CutOff, NoFinalResponse

from .outcomes import parsed

STATUS_LINES = (
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No",
    b"HTTP/1.1 304 Not", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 099 X", b"HTTP/1.1 20 X",
    b"HTTP/2.0 200 OK", b"HTTP/1.2 200 OK", b"ICY 200 OK", b"", b"HTTP/1.1 999 X", b"HTTP/1.1 200 \xc3\xb6\xff", b"HTTP/1.1 2000",
)  # fmt: skip
FIELDS = (
    b"X: y", b"X:y", b"x-a: \t b \t", b"X:", b"X: a\r\n b", b" X: y", b"X : y", b"X[a]: y", b"X-\xd6: 1", b": y", b"X", b"X: \0", b"X: \xff",
    b"X: a\rb", b"Content-Length: 5", b"Content-Length: 5", b"Content-Length: 5", b"content-length:0", b"Content-Length: 5, 5",
    b"Content-Length: 5,6", b"Content-Length: 05", b"Content-Length: +5", b"Content-Length: 0x5", b"Content-Length: -5",
    b"Content-Length:", b"Content-Length : 5", b"Content-Length: 5\r\n ", b"Content-Length: 99999999999999999999",
    b"Content_Length: 3", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked",
    b"transfer-encoding:Chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, gzip",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding: xchunked",
    b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade", b"Upgrade: x",
)  # fmt: skip
BODIES = (
    b"", b"hello", b"hello", b"hello world", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n",
    b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0;c\r\n\r\n", b'5;a="b;c"\r\nhello\r\n0\r\n\r\n', b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"005\r\nhello\r\n000\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"4\r\nhello\r\n0\r\n\r\n", b"6\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n",
    b"fffffffffffffffff\r\nhello", b"5\r\nhello\r\n0\r\n", b"5\r\nhel", b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n",
)  # fmt: skip
INTERIM = (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n", b"\r\n", b"HTTP/1.1 102\n\n")
MUTATIONS = (b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b";", b",", b"0", b"5", b"x", b"\x80", b"\v", b"-")


@some.composite
def responses(draw: some.DrawFn) -> bytes:
    """Compose a response and, in some of them, change a few bytes."""
    interim = b"".join(draw(some.lists(some.sampled_from(INTERIM), max_size=1)))
    lines = [draw(some.sampled_from(STATUS_LINES)), *draw(some.lists(some.sampled_from(FIELDS), max_size=4))]
    line_end = draw(some.sampled_from((b"\r\n", b"\r\n", b"\r\n", b"\n")))
    data = interim + line_end.join([*lines, b"", b""]) + draw(some.sampled_from(BODIES))
    for _ in range(draw(some.sampled_from((0, 0, 1, 2)))):
        at = draw(some.integers(0, len(data)))
        data = data[:at] + draw(some.sampled_from(MUTATIONS)) + data[at + draw(some.integers(0, 2)) :]
    return data


class Verdict(NamedTuple):
    """The result of a parser; ``is_refused``: it has found an error."""

    is_refused: bool
    status: int = 0
    body: bytes = b""
    is_complete: bool = False


def our_verdict(data: bytes) -> Verdict:
    found, _, error = parsed([data])
    at_end = isinstance(error, NoFinalResponse) and error.status >= 100
    is_refused = error is not None and not at_end and not isinstance(error, (CutOff, ConnectionLost))
    return Verdict(is_refused, found.status, found.body, found.is_complete)


def h11_verdict(data: bytes) -> Verdict:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    status, body, is_at_end = 0, b"", False
    connection.receive_data(data)
    while True:
        try:
            event = connection.next_event()
            if event is h11.NEED_DATA and not is_at_end:
                connection.receive_data(b"")
                is_at_end = True
                continue
        except h11.RemoteProtocolError:
            # It reports an incomplete response only at the end.
            return Verdict(not is_at_end, status, body)
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return Verdict(False, status, body, True)
        elif not isinstance(event, h11.InformationalResponse):
            return Verdict(False, status, body)


class _Stop(Exception):
    pass


class _Receiver:
    def __init__(self) -> None:
        self.parser: Optional[httptools.HttpResponseParser] = None
        self.status, self.body, self.is_complete = 0, b"", False

    def on_headers_complete(self) -> None:
        assert self.parser is not None
        status = self.parser.get_status_code()
        self.status = status if status >= 200 else 0

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if self.status:
            self.is_complete = True
            raise _Stop


def llhttp_verdict(data: bytes) -> Verdict:
    receiver = _Receiver()
    receiver.parser = parser = httptools.HttpResponseParser(receiver)
    is_refused = False
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        is_refused = not receiver.is_complete
    return Verdict(is_refused, receiver.status, receiver.body, receiver.is_complete)


# The documented differences: the reason, and a regular expression that matches such bytes.

_ODD_NAME = rb"\n(?![ \t])[!-9;-~]*[^!#$%&'*+\-.^_`|~0-9A-Za-z:\r\n][^:\n]*:"

WE_READ = {
    "an empty line before a status line (curl reads it)": rb"^\r?\n|\n\r?\n\r?\n",
    "blanks before the status (RFC 9112 section 4)": rb"HTTP/1\.\d(?:\t|[ \t]{2})",
    "a version 1.x": rb"HTTP/1\.[2-9]",
    "bare LF (RFC 9112 section 2.2)": rb"[^\r]\n|^\n",
    "a field with an odd name, or none, is dropped (browsers)": _ODD_NAME + rb"|\n:",
    "control characters in a value, which is not parsed": rb"[\0-\x08\v\f\x0e-\x1f]",
    "a bare CR": rb"\r(?!\n)",
    "bytes over 127 in a reason": rb"[\x80-\xff]",
    "a folded line (RFC 9112 section 5.2)": rb"\n[ \t]",
    "equal lengths count once (RFC 9110 section 8.6)": rb"content-length:[^\r\n]*,|content-length.*content-length",
    "a coding beside a length (RFC 9112 section 6.3)": rb"(?=.*content-length).*transfer-encoding",
    "identity, or a coding twice": rb"transfer-encoding:[^\n]*(?:identity|,)|transfer-encoding.*transfer-encoding",
    "a coding that is empty": rb"transfer-encoding:\s*\r?\n",
    "bytes behind the end, with Connection: close": rb"connection: close",
    "blanks behind the size of a chunk": rb"[0-9a-fA-F][ \t]+[;\r\n]",
    "extensions that are ignored": rb"\n[0-9a-fA-F]+[ \t]*;",
    "trailers that are ignored": rb"\n0[ \t]*(?:;[^\n]*)?\r?\n[^\r\n]",
    "the framing of a response that has no body": rb"HTTP/1\.\d [23]04",
}
"""Rules for responses that we read and a peer refuses."""

THEY_READ = {
    "another version": rb"HTTP/(?!1\.\d[ \t])",
    "a CR before the status line": rb"^\r|\n\r(?!\n)",
    "codings that cannot be decoded, and llhttp ignores": rb"transfer-encoding:(?!\s*chunked\s*\n)",
    "lines without a colon (curl refuses them, browsers skip them)": rb"\n[^:\n]+\n",
}
"""Rules for responses that a peer reads and we refuse."""


def has_rule(rules: dict[str, bytes], data: bytes) -> bool:
    return any(re.search(rule, data, re.IGNORECASE | re.DOTALL) for rule in rules.values())


def compare(data: bytes, peer: Verdict) -> None:
    ours = our_verdict(data)
    if ours.is_complete and peer.is_refused:
        assert has_rule(WE_READ, data)
    elif ours.is_complete:
        # httptools has no end of the connection: a body that ends there is never complete for it.
        if peer.is_complete or not has_rule(WE_READ, data):
            assert (peer.status, peer.body) == (ours.status, ours.body)
    elif peer.is_complete:
        assert has_rule(THEY_READ, data)


FUZZ = settings(
    max_examples=1000,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@FUZZ
@given(responses())
def test_same_result_as_h11(data: bytes) -> None:
    compare(data, h11_verdict(data))


@FUZZ
@given(responses())
def test_same_result_as_llhttp(data: bytes) -> None:
    compare(data, llhttp_verdict(data))


@FUZZ
@given(responses(), some.data())
def test_result_does_not_depend_on_the_split(data: bytes, draw: some.DataObject) -> None:
    cuts = sorted(draw.draw(some.lists(some.integers(0, len(data)), max_size=6)))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)])]
    assert parsed(pieces).outcome == parsed([data]).outcome


@some.composite
def valid_responses(draw: some.DrawFn) -> tuple[bytes, int, bytes]:
    """Return a response that is valid by RFC 9112, its status and its body."""
    status = draw(some.sampled_from((200, 201, 301, 404, 500, 599)))
    body = draw(some.binary(max_size=40))
    text = some.text("abcXYZ019-._~!#$%&'*+^`|", min_size=1, max_size=12)
    value = some.text(' \tabc:;,=()"/<>@{}\\[]?09\xff', max_size=12)
    fields = [f"X-{draw(text)}:{draw(value)}".encode("latin-1") for _ in range(draw(some.integers(0, 4)))]
    framing = draw(some.sampled_from(("length", "chunks", "end")))
    content = body
    if framing == "length":
        fields.append(b"Content-Length: %d" % len(body))
    elif framing == "chunks":
        fields.append(b"Transfer-Encoding: chunked")
        size = draw(some.integers(1, 20))
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        content = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    fields = draw(some.permutations(fields))
    interim = b"".join(draw(some.lists(some.sampled_from(INTERIM[:2]), max_size=2)))
    head = b"HTTP/1.1 %d %b" % (status, draw(some.sampled_from((b"", b"OK", b"Not Found"))))
    return interim + b"\r\n".join([head, *fields, b"", content]), status, body


@FUZZ
@given(valid_responses())
def test_valid_response_is_read_by_all(response: tuple[bytes, int, bytes]) -> None:
    data, status, body = response
    expected = Verdict(False, status, body, True)
    assert our_verdict(data) == h11_verdict(data) == expected
    assert llhttp_verdict(data)[:3] == expected[:3]


@FUZZ
@given(some.binary(max_size=60))
def test_random_bytes_raise_no_other_exception(data: bytes) -> None:
    """Also behind a valid header and a valid chunk."""
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"):
        parsed([start + data])

"""Entries of HAR: to JSON without secrets, and back; documents of browsers."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest

from blocking_request.models import har
from blocking_request.models.body_redaction import redact_body
from blocking_request.models.har import HarEntry
from blocking_request.models.har_reader import entries_of
from blocking_request.models.timings import Timings

SECRET = "s3cret-s3cret-s3cret"
TEXT = b"text/plain"


def entry(**values: Any) -> HarEntry:
    return HarEntry(**{"method": "GET", "url": "https://h/a?b=1", "started": 1767323045.25, **values})


def round_trip(original: HarEntry) -> HarEntry:
    (read,) = entries_of(har.document([har.to_har(original)]))
    return read


def test_round_trip() -> None:
    original = entry(
        method="POST",
        seconds=0.5,
        request_headers=((b"Accept", b"*/*"), (b"Content-Type", b"application/json")),
        request_body=b'{"a": 1}',
        request_size=8,
        status=201,
        reason="Created",
        http_version="HTTP/1.1",
        response_headers=((b"Content-Type", TEXT), (b"X-A", b"caf\xe9"), (b"X-A", b"2")),
        response_body="é\n".encode(),
        response_size=3,
        encoded_size=23,
        timings=Timings(1.0, 2.0, 3.0, 4.0, 5.0, 470.0, 15.0),
        peer=("127.0.0.1", 8080),
        error="it broke",
        comment="a comment",
        extra={"_engine": "python"},
    )
    assert round_trip(original) == original


def test_body_that_is_no_text() -> None:
    original = entry(request_body=b"\xff\0", request_size=2, response_body=b"\x80\0\n", response_size=3)
    exported = har.to_har(original)
    assert exported["response"]["content"] == {"size": 3, "mimeType": "", "text": "gAAK", "encoding": "base64"}
    read = round_trip(original)
    assert (read.request_body, read.response_body) == (b"\xff\0", b"\x80\0\n")


def test_members_that_the_format_demands() -> None:
    exported = har.to_har(entry(seconds=0.1, response_headers=((b"Location", b"/b"),), status=302))
    assert exported["startedDateTime"] == "2026-01-02T03:04:05.250Z"
    assert set(exported) == {"startedDateTime", "time", "request", "response", "cache", "timings"}
    common = {"httpVersion", "cookies", "headers", "headersSize", "bodySize"}
    assert set(exported["request"]) == common | {"method", "url", "queryString"}
    assert set(exported["response"]) == common | {"status", "statusText", "content", "redirectURL"}
    assert exported["request"]["queryString"] == [{"name": "b", "value": "1"}]
    assert exported["response"]["redirectURL"] == "/b"
    assert exported["timings"]["wait"] == exported["time"] == 100.0


def test_time_is_the_sum_of_the_timings() -> None:
    timings = har.to_har(entry(seconds=0.1, timings=Timings(connect=10.0, tls=20.0, wait=5.0, receive=30.0)))["timings"]
    assert (timings["connect"], timings["ssl"]) == (30.0, 20.0)
    assert sum(value for name, value in timings.items() if name != "ssl" and value > 0) == 100.0
    (read,) = entries_of(har.document([har.to_har(entry(timings=Timings(connect=10.0, tls=20.0)))]))
    assert read.timings.connect == 10.0


def test_secrets_of_url_and_headers_are_not_exported() -> None:
    secret = SECRET.encode()
    original = entry(
        url=f"https://u:{SECRET}@h/a?token={SECRET}&mine={SECRET}&b=1#access_token={SECRET}",
        request_headers=(
            (b"Authorization", b"Bearer " + secret),
            (b"Proxy-Authorization", secret),
            (b"Cookie", b"sid=" + secret + b"; " + secret),
            (b"X-Mine", secret),
            (b"Referer", b"https://u:" + secret + b"@h/"),
        ),
        response_headers=(
            (b"Set-Cookie", b"sid=" + secret + b"; Path=/; HttpOnly"),
            (b"Location", b"/x?token=" + secret),
        ),
        error=f"https://u:{SECRET}@h/ has failed",
    )
    exported = har.to_har(original, ("mine", "X-Mine"))
    assert SECRET not in json.dumps(exported) and SECRET not in repr(original)
    assert exported["request"]["url"] == "https://h/a?token=***&mine=***&b=1"
    values = [field["value"] for field in exported["request"]["headers"]]
    assert values == ["Bearer ***", "***", "sid=***; ***", "***", "https://h/"]
    assert exported["response"]["headers"][0]["value"] == "sid=***; Path=/; HttpOnly"
    assert exported["response"]["cookies"] == [
        {"name": "sid", "value": "***", "path": "/", "httpOnly": True, "secure": False}
    ]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/x-www-form-urlencoded", "a=1&password=S&user%5Bpwd%5D=S&b=2", "a=1&password=***&user%5Bpwd%5D=***&b=2"),
        ("application/json", '{"a": "S1", "Password" : "S", "n": [1, {"access_token":"S"}]}', '{"a": "S1", "Password" : "***", "n": [1, {"access_token":"***"}]}'),
        ("application/json", '{"clientSecret": 5, "token": null, "auth": {"a": "S"}}', '{"clientSecret": "***", "token": null, "auth": "***"}'),
        ("application/json", '{"pass\\u0077ord": "S"}', '{"pass\\u0077ord": "***"}'),
        ("application/json", '{"x": "{\\"api_key\\": \\"S\\"}"}', '{"x": "{\\"api_key\\": \\"***\\"}"}'),
        ("application/json", '{"u": "https:\\/\\/me:S@h\\/", "password": "S', '{"u": "https://h/", "password": "***"'),
        ("application/geo+json; charset=utf-8", '{"key": "S"}', '{"key": "***"}'),
        ("", ' [{"Authorization": "S"}]', ' [{"Authorization": "***"}]'),
        ("text/xml", '<a pwd="S" b="1"><x:Password type="t">S</x:Password></a>', '<a pwd="***" b="1"><x:Password type="t">***</x:Password></a>'),
        ("text/html", '<a href="https://u:S@h/?token=S&amp;a=1">', '<a href="https://h/?token=***&amp;a=1">'),
        ("image/png", '{"password": "S"}', '{"password": "S"}'),
        ("multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="password"\r\n\r\nS\r\n--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n', '--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n***\r\n--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'),
        ("multipart/form-data", "no boundary", "no boundary"),
        ("application/json", "[" * 5000, "[" * 5000),
    ],
)  # fmt: skip
def test_secrets_in_bodies(kind: str, body: str, expected: str) -> None:
    assert redact_body(body.encode(), kind).decode() == expected
    assert redact_body(body.encode() + b"\xff", kind).startswith(expected.encode()[:5])


def test_own_names_in_bodies() -> None:
    assert redact_body(b'{"pin": 1}', "application/json", ("pin",)) == b'{"pin": "***"}'
    assert redact_body(b"pin=1", "application/x-www-form-urlencoded", ("p*n",)) == b"pin=***"


def test_json_that_was_sent_as_a_form() -> None:
    """Bytes that are sent without a ``Content-Type`` get that of a form."""
    kind = "application/x-www-form-urlencoded"
    assert redact_body(b'{"password": "hunter2", "a": 1}', kind) == b'{"password": "***", "a": 1}'
    assert redact_body(b"[a]=1&password=hunter2", kind) == b"[a]=1&password=***"


def test_large_body_without_fields_is_read_once() -> None:
    """It took minutes: each character was taken for the beginning of a field."""
    body = b"x" * 1_000_000
    assert redact_body(body, "application/x-www-form-urlencoded") == body
    assert redact_body(body + b"&token=a", "application/x-www-form-urlencoded") == body + b"&token=***"


def test_vague_names_in_responses() -> None:
    """``{"key": "PROJ-1"}`` is a name in many APIs, so only a long value is hidden there."""
    body = b'{"key": "PROJ-1", "token": "a"}'
    assert redact_body(body, "application/json", is_response=True) == b'{"key": "PROJ-1", "token": "***"}'
    body = b'{"key": "%s"}' % SECRET.encode()
    assert redact_body(body, "application/json", is_response=True) == b'{"key": "***"}'


def test_document_of_a_browser() -> None:
    """Chrome: pseudo-fields, joined values of Set-Cookie, params in place of a text, -1 for unknown timings."""
    document = {
        "log": {
            "version": "1.2",
            "pages": [],
            "entries": [
                {
                    "startedDateTime": "2026-01-02T03:04:05.25+00:00",
                    "time": 12.5,
                    "request": {
                        "method": "POST",
                        "url": "https://h/",
                        "headers": [{"name": ":authority", "value": "h"}, {"name": "accept", "value": "*/*"}],
                        "postData": {"mimeType": "", "params": [{"name": "a", "value": "1"}, {"name": "b"}]},
                    },
                    "response": {
                        "status": 0,
                        "headers": [{"name": "set-cookie", "value": "a=1\nb=2"}],
                        "content": {"mimeType": "x"},
                        "_error": "net::ERR_FAILED",
                    },
                    "serverIPAddress": "::1",
                    "timings": {"blocked": -1, "dns": -1, "connect": -1, "send": 0, "wait": 1, "receive": 2, "ssl": -1},
                }
            ],
        }
    }
    (read,) = entries_of(json.dumps(document))
    assert read.request_headers == ((b"accept", b"*/*"),) and read.request_body == b"a=1&b="
    assert read.response_headers == ((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))
    assert (read.started, read.seconds, read.peer) == (1767323045.25, 0.0125, ("::1", 0))
    assert (read.response_body, read.error) == (None, "net::ERR_FAILED")
    assert read.timings == Timings(send=0.0, wait=1.0, receive=2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON: Expecting value"),
        ("[]", "it is not HAR: it has no log.entries"),
        ('{"log": {"entries": 5}}', "it is not HAR: it has no log.entries"),
        ('{"log": {"entries": [{}]}}', "the entry 0 is not one of HAR 1.2: it has no 'request'"),
        ('{"log": {"entries": [5]}}', "the entry 0 is not one of HAR 1.2: "),
    ],
)
def test_documents_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        entries_of(text)
    assert str(caught.value).startswith(message)


def changed(*path: str, value: str) -> str:
    """Return a document with one entry, in which one value is the text of another one."""
    document: Any = json.loads(har.document([har.to_har(entry())]))
    place = document["log"]["entries"][0]
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = "@@"
    return json.dumps(document).replace('"@@"', value)


PLACES = [
    ("time",),
    ("request", "bodySize"),
    ("response", "bodySize"),
    ("response", "status"),
    ("response", "content", "size"),
    ("timings", "wait"),
    ("_own",),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, "1" + "0" * 5000, "[" * 2000 + "]" * 2000]
)
def test_numbers_that_no_other_code_must_meet(place: tuple[str, ...], value: str) -> None:
    with pytest.raises(ValueError, match=r"too large|no number of JSON|nested|real number|string or"):
        entries_of(changed(*place, value=value))


@pytest.mark.parametrize("place", PLACES[:-1])
@pytest.mark.parametrize("value", ['"nan"', '"inf"', '"1e999"', "9.1e15", "1e300"])
def test_values_that_are_no_sizes_and_times(place: tuple[str, ...], value: str) -> None:
    with pytest.raises(ValueError, match="and not a number up to"):
        entries_of(changed(*place, value=value))


def test_unusual_values_of_other_programs() -> None:
    for value, seconds in (("-1", 0.0), ("null", 0.0), ('"5"', 0.005)):
        assert entries_of(changed("time", value=value))[0].seconds == seconds
    assert entries_of(changed("response", "status", value="-1"))[0].status == 0
    assert entries_of(changed("response", "content", "size", value="null"))[0].response_size == -1
    for port in ("70000", "123456", "\u0663", "9" * 5000):
        text = changed("connection", value=json.dumps(port))
        assert entries_of(text.replace('"startedDateTime"', '"serverIPAddress": "::1", "startedDateTime"'))[0].peer == (
            "::1",
            0,
        )


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59-14:00",
        "",
        "5",
    ],
)
def test_moments_at_the_edges(moment: str) -> None:
    (read,) = entries_of(changed("startedDateTime", value=json.dumps(moment)))
    assert read.started == 0.0 and har.to_har(read)["startedDateTime"] == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize("seconds", [-1e15, 1e15, 1e300])
def test_moment_of_a_virtual_clock(seconds: float) -> None:
    assert har.to_har(entry(started=seconds))["startedDateTime"][:4] in ("1970", "9999")


def test_bytes_of_a_document() -> None:
    text = har.document([har.to_har(entry())])
    assert entries_of(text.encode("utf-8-sig")) == entries_of(text.encode()) == entries_of(text)
    for content in (text.encode("utf-16"), b"\xff\xfe{}", b'{"log": "\xe4"}'):
        with pytest.raises(ValueError, match="it is not UTF-8"):
            entries_of(content)


def test_document_that_is_cut_off() -> None:
    """A process that is killed while it writes leaves a part of the last entry."""
    entries = [har.to_har(entry(url=f"http://h/{number}", reason="\u20ac")) for number in range(3)]
    content = har.document(entries).encode()
    begins = [content.index(b'"http://h/%d' % number) for number in range(3)]
    # An entry is known to be whole when the next line begins, or the end of the document is there.
    ends = [content.rindex(b"\n{", 0, begins[1]) + 2, content.rindex(b"\n{", 0, begins[2]) + 2, len(content) - 1]
    for size in range(begins[1], len(content)):
        whole = sum(end <= size for end in ends)
        read = [each.url for each in entries_of(content[:size])]
        assert read == [f"http://h/{number}" for number in range(whole)], size
    with pytest.raises(ValueError, match="it is not JSON"):
        entries_of(content[: begins[0] - 40].replace(b"blocking_request", b"another"))


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000])
def test_deep_nesting(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        entries_of(text)


def test_numbers_that_are_not_finite_are_not_written() -> None:
    text = har.document([{**har.to_har(entry()), "_filter": {"a": [float("nan"), 1], "b": float("inf")}}])
    assert json.loads(text, parse_constant=pytest.fail)["log"]["entries"][0]["_filter"] == {"a": [None, 1], "b": None}


def test_reason_phrase_has_no_secrets() -> None:
    reason = "no /a?token=hunter2 at http://me:hunter2@h/"
    assert "hunter2" not in har.to_har(entry(reason=reason))["response"]["statusText"]


def test_url_that_is_not_valid() -> None:
    request = har.to_har(entry(url="http://[::1/?a=1"))["request"]
    assert (request["url"], request["queryString"]) == ("http://[::1/", [])


def test_document_has_one_entry_a_line() -> None:
    text = har.document([har.to_har(entry()), har.to_har(entry())], comment="c")
    assert len(text.splitlines()) == 4 and json.loads(text)["log"]["comment"] == "c"
    assert json.loads(har.document([])) == json.loads(har.beginning() + har.END)


def test_secrets_that_a_server_echoes_are_not_exported() -> None:
    """httpbin returns the cookies, and servers put a password into a text."""
    password, cookie, key = "p4ssword-p4ss", "c00kie-c00kie", "k3y+/k3y+/k3y"
    original = entry(
        url=f"https://h/?key={quote(key)}",
        request_headers=(
            (b"Authorization", b"Basic " + b64encode(b"me:" + password.encode())),
            (b"Cookie", b"sid=" + cookie.encode()),
            (b"X-Note", cookie.encode()),
        ),
        response_headers=((b"X-You", password.encode()), (b"Set-Cookie", b"n=new-c00kie-1; Path=/"), (b"Vary", b"x")),
        response_body=f"{cookie} new-c00kie-1 {password} {key} Basic x".encode(),
        request_body=b"\xff" + cookie.encode(),
    )
    text = json.dumps(har.to_har(original))
    assert all(secret not in text for secret in (password, cookie, key, quote(key), "new-c00kie-1"))
    read = round_trip(original)
    assert read.response_body == b"*** *** *** *** Basic x" and read.request_body == b"\xff***"
    assert [value for _, value in read.request_headers] == [b"Basic ***", b"sid=***", b"***"]

"""Secrets in bodies, and hostile bodies."""

from __future__ import annotations

import json
import time

import pytest

from blocking_request.models.body_redaction import redact_body, secrets_of_body


def redacted(text: str, is_response: bool = True) -> str:
    return redact_body(text.encode(), "application/json", is_response=is_response).decode()


@pytest.mark.parametrize("unit", ['[\\"', '{\\"a\\":', '[\\"token\\":', '{"key":', '"a":"{', '"\\"'])
def test_hostile_json_takes_linear_time(unit: str) -> None:
    """Before, the first ones took over 15 s: each level of JSON within JSON was searched anew."""
    text = '{"' + unit * 30_000
    started = time.process_time()
    redacted(text)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_json_in_strings_of_json(levels: int) -> None:
    text = json.dumps({"password": "hidden-value", "name": "kept"})
    for _ in range(levels):
        text = json.dumps({"body": text})
    result = redacted(text)
    assert "hidden-value" not in result
    for _ in range(levels):
        result = json.loads(result)["body"]
    assert json.loads(result) == {"password": "***", "name": "kept"}


def test_json_that_was_cut_off_in_a_string_of_json() -> None:
    text = json.dumps({"body": json.dumps({"name": "kept", "password": "hidden-value"})})
    assert "hidden" not in redacted(text[: text.index("value")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"key": "short"}', '{"key": "short"}'),
        ('{"key": "0123456789abcdef"}', '{"key": "***"}'),
        ('{"key": {"a": 1}}', '{"key": {"a": 1}}'),
    ],
)
def test_vague_names_of_responses(text: str, expected: str) -> None:
    """A name such as "key" often has another meaning, so only a value that looks like a secret is hidden."""
    assert redacted(text) == expected


def test_vague_names_of_requests_are_secret() -> None:
    assert redacted('{"key": "short"}', is_response=False) == '{"key": "***"}'


@pytest.mark.parametrize("unit", ['"a",', '"token":', "\\u00e4", '"\\u00e4":', " ", '"token" ', '{"key":"'])
def test_usual_json_is_read_fast(unit: str) -> None:
    """A log reads 64 kB of each body. Before, the names of JSON took 20 ms, and so the monitor froze."""
    body = ("[" + unit * (65_000 // len(unit))).encode()
    secrets_of_body(body, "application/json")
    taken = []
    for _ in range(3):
        started = time.process_time()
        secrets_of_body(body, "application/json")
        taken.append(time.process_time() - started)
    assert min(taken) < 0.03


SECRET = "hidden-value"


@pytest.mark.parametrize(
    "kind",
    [
        *("application/json; charset=utf-8", "application/x-ndjson", "application/x-json", "application/jsonlines"),
        *("application/yaml", "application/octet-stream", "application/graphql", "text/plain", "", "application/x"),
        *("application/vnd.api+json", "application/json-patch+json", "application/json5"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("form", ["JSON", "XML"])
def test_json_and_xml_of_other_types_and_encodings(form: str, encoding: str, kind: str) -> None:
    text = f'\n{{"password": "{SECRET}", "ä": "kept"}}\n'
    if form == "XML":
        text, kind = (
            f"<?xml version='1.0'?><a ä='kept'>\n<password>{SECRET}</password></a>",
            kind.replace("json", "xml"),
        )
    body = text.encode(encoding)
    assert redact_body(body, kind).decode(encoding) == text.replace(SECRET, "***")
    assert secrets_of_body(body, kind) == {SECRET.encode()}
    cut = body[:-7]
    assert SECRET.encode(encoding)[4:] not in redact_body(cut, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (')]}\',\n{"password": "SECRET"}', "application/javascript"),
        ('event: a\ndata: {"password": "SECRET"}\n\n', "text/event-stream"),
        ("<a><password><![CDATA[SECRET]]></password></a>", "text/xml"),
        ("<a><password><![CDATA[SECRET", "text/xml"),
        ("<a><password>a<![CDATA[SECRET]]>b<!-- > -->SECRET</password></a>", "text/xml"),
        ("<a><password>a\"b'SECRET</password></a>", "text/xml"),
        ("<a><password>&lt;SECRET&gt;</password></a>", "text/xml"),
        ("<s:a><s:Password Type='x'>SECRET</s:Password></s:a>", "application/soap+xml"),
        ('<a s:password = "it\'s SECRET"/>', "text/xml"),
        ("user[password]=SECRET&user%5Btoken%5D=SECRET&password[0]=SECRET", "application/x-www-form-urlencoded"),
        (
            '--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: application/json\r\n\r\n'
            '{"password": "SECRET"}\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (
            '--x\r\nContent-Type: application/json\r\n\r\n{"password": "SECRET"}\r\n--x\r\n\r\n\0\1\r\n--x--\r\n',
            "multipart/related; boundary=x",
        ),
    ],
)
def test_other_places_of_secrets(text: str, kind: str) -> None:
    body = text.replace("SECRET", SECRET).encode()
    assert SECRET.encode() not in redact_body(body, kind) and b"***" in redact_body(body, kind)
    assert any(SECRET.encode() in value for value in secrets_of_body(body, kind))


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/png", "", "application/zip", "video/mp4"])
def test_bytes_that_are_no_text_stay(kind: str) -> None:
    for body in (bytes(range(256)), b"\0\0\0\x18ftypmp42", b"PK\3\4\0\0{", b"\xff\xfe\0", b"\xfe\xff\xd8", b"\0"):
        assert redact_body(body, kind) == body


@pytest.mark.parametrize("text", ['{"password": "abc\\u00', '{"password": "abc\\', '{"password": ["abc', '["a\\'])
def test_json_that_is_cut_off(text: str) -> None:
    assert "abc" not in redacted(text)
    assert secrets_of_body(text.encode(), "application/json") == ({b"abc"} if "abc" in text else set())


@pytest.mark.parametrize(
    "unit",
    ["<password>", "<password><![CDATA[", "<password><!--", "<token ", " token=", " token = ", "<a:", "]]>", "\n"],
)
def test_hostile_xml_takes_linear_time(unit: str) -> None:
    body = ("<a>" + unit * (200_000 // len(unit))).encode()
    started = time.process_time()
    redact_body(body, "text/xml", ("mine*", "*mine"))
    assert time.process_time() - started < 2

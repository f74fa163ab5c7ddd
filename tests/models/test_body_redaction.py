"""Secrets in bodies, and hostile bodies."""

from __future__ import annotations

import json
import time

import pytest

from blocking_request.models.body_redaction import redact_body


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

"""Challenges parsed from the header fields of servers."""

from __future__ import annotations

import pytest

from blocking_request.flows.auth.challenges import Challenge, challenges


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b"Basic", [Challenge("basic")]),
        (b'Basic realm="a, b=c"', [Challenge("basic", {"realm": "a, b=c"})]),
        (b'BASIC Realm = "x" , charset="UTF-8"', [Challenge("basic", {"realm": "x", "charset": "UTF-8"})]),
        (b"Negotiate, NTLM", [Challenge("negotiate"), Challenge("ntlm")]),
        (b"NTLM TlRM/+a==", [Challenge("ntlm", token="TlRM/+a==")]),
        (b"Negotiate YII=, Basic realm=s", [Challenge("negotiate", token="YII="), Challenge("basic", {"realm": "s"})]),
        (
            b'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
            [
                Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
                Challenge("basic", {"realm": "simple"}),
            ],
        ),
        (b",, ,Basic realm=x,", [Challenge("basic", {"realm": "x"})]),
        (b'Basic realm="never closed', [Challenge("basic", {"realm": ""})]),
        (b'"what"', []),
    ],
)
def test_rfc9110_11_6_1_challenges(value: bytes, expected: list[Challenge]) -> None:
    assert challenges([value]) == expected


def test_several_fields() -> None:
    assert [challenge.scheme for challenge in challenges([b"A x=1", b"B"])] == ["a", "b"]


def test_long_invalid_challenge_takes_linear_time() -> None:
    assert challenges([b"a" * 100_000 + b'="' + b'\\"' * 100_000]) is not None

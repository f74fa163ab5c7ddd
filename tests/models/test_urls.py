"""URLs as text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.utils import requote_uri

from blocking_request.models.urls import is_canonical, redirect_target, without_dot_segments

PIECES = st.lists(st.sampled_from(["%", "%4", "%41", "%7e", "%zz", "%g1", "%2F", "%é", "%éé", "a", "~", " ", '"', "é"]))


@settings(max_examples=500, deadline=None)
@given(PIECES)
def test_target_is_quoted_as_requests_does(pieces: list[str]) -> None:
    path = "".join(pieces)
    assert redirect_target("http://host/", f"/x{path}".encode()) == requote_uri(f"http://host/x{path}".rstrip())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/../b", "/b"),
        ("/a/./b/", "/a/b/"),
        ("/a/%2e%2E/b", "/b"),
        ("/foo/bar/..", "/foo/"),
        ("/foo/bar/.", "/foo/bar/"),
        ("/../..", "/"),
        ("//a/../b", "//b"),
        ("/a//../b", "/a/b"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a/..b/.../c.", "/a/..b/.../c."),
        ("/x?y=/../z#/./", "/x?y=/../z#/./"),
        ("/a/..?q", "/?q"),
        ("", ""),
        ("?/../", "?/../"),
    ],
)
def test_dot_segments(path: str, expected: str) -> None:
    """RFC 3986 section 5.2.4."""
    assert without_dot_segments(f"http://host.test:81{path}") == f"http://host.test:81{expected}"
    assert is_canonical(f"http://host.test{path or '/'}") <= (path == expected)

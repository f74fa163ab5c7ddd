"""URLs as text."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.utils import requote_uri

from blocking_request.models.urls import (
    is_canonical,
    normalized,
    redirect_target,
    with_stray_percent_encoded,
    without_dot_segments,
)
from blocking_request.qt.binding import encoded_url

PIECES = st.lists(
    st.sampled_from(["%41", "%7e", "%2F", "%e4", "%éé", "a", "~", " ", '"', "é", "?", "[", "|", "\\", "'"])
)
WITH_STRAY_PERCENT = st.lists(st.sampled_from(["%", "%4", "%2%35", "%41", "%zz", "%g1", "%é", "a", " ", "é", "?", "/"]))


@settings(max_examples=500, deadline=None)
@given(PIECES)
def test_percent_encoding_agrees_with_requests(pieces: list[str]) -> None:
    url = f"http://host/x{''.join(pieces)}".rstrip()
    if re.search("%(?![0-9a-fA-F]{2})", url) is None:
        upper = re.sub("%..", lambda match: match[0].upper(), requote_uri(url))
        assert normalized(url) == redirect_target("http://host/", url.encode()) == upper


@settings(max_examples=500, deadline=None)
@given(st.one_of(PIECES, WITH_STRAY_PERCENT))
def test_normalization_is_idempotent(pieces: list[str]) -> None:
    """Qt sends the same URL."""
    url = normalized(f"http://host/x{''.join(pieces)}")
    assert normalized(url) == url
    for_qt = with_stray_percent_encoded(url)
    sent = encoded_url(url).toEncoded().data().decode("ascii")
    assert sent == url or url != for_qt
    assert unquote_to_bytes(sent) == unquote_to_bytes(url)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/100%/a%20b", "/100%/a%20b"),
        ("/%", "/%"),
        ("/%2%35", "/%2%35"),
        ("/%7e%e4", "/~%E4"),
        ("/%zz%7e", "/%zz%7e"),
        ("/a b?c d", "/a%20b?c%20d"),
        ("/ö?ö", "/%C3%B6?%C3%B6"),
        ("/a\\b", "/a%5Cb"),
    ],
)
def test_percent_encoding(path: str, expected: str) -> None:
    assert normalized(f"http://host{path}") == f"http://host{expected}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Host:80/", "http://host/"),
        ("https://h:443?q", "https://h?q"),
        ("https://h:80/", "https://h:80/"),
        ("http://h:/x", "http://h/x"),
        ("http://h:0081/x", "http://h:81/x"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://u:p%40@h:80/", "http://u:p%40@h/"),
        ("http://h//a/b", "http://h//a/b"),
    ],
)
def test_scheme_and_authority(url: str, expected: str) -> None:
    assert normalized(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http:///x",
        "http://u@/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:x/",
        "http://h:٣/",
        "http://a\\@b/",
        "ftp://h/",
    ],
)
def test_invalid_urls(url: str) -> None:
    with pytest.raises(ValueError, match=r"host|port|backslash|http"):
        normalized(url)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        ("g#s", "http://a/b/c/g#s"),
        ("g?y#s", "http://a/b/c/g?y#s"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y#s"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        # abnormal examples
        ("../../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/./x", "http://a/b/c/g#s/./x"),
        ("g#s/../x", "http://a/b/c/g#s/../x"),
        ("g:h", "g:h"),
        # not in the table of the RFC
        ("g?", "http://a/b/c/g?"),
        ("HTTPS://G:443/", "https://g/"),
        (" \t/g\t/h ", "http://a/g/h"),
    ],
)
def test_references(reference: str, expected: str) -> None:
    """RFC 3986 section 5.4."""
    assert redirect_target("http://a/b/c/d;p?q", reference.encode()) == expected


@pytest.mark.parametrize("reference", ["http:g", "http:/g", "//", "///x", "http://", "//[x]/", "//a b/"])
def test_references_without_a_host(reference: str) -> None:
    with pytest.raises(ValueError, match="host"):
        redirect_target("http://a/b/c/d;p?q", reference.encode())


@pytest.mark.parametrize(
    "text", ["%" * 65_536, "%2" * 30_000, "/." * 30_000, "/.." * 20_000, ":" * 65_536, "@" * 65_536]
)
def test_long_urls_take_linear_time(text: str) -> None:
    began = time.monotonic()
    for url in (f"http://h/{text}", f"http://h{text}", text):
        with suppress(ValueError):
            normalized(url)
        with suppress(ValueError):
            redirect_target("http://h/", url.encode())
        is_canonical(url)
    assert time.monotonic() - began < 2


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

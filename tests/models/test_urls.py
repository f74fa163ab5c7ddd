"""URLs as text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from requests.utils import requote_uri

from blocking_request.models.urls import redirect_target

PIECES = st.lists(st.sampled_from(["%", "%4", "%41", "%7e", "%zz", "%g1", "%2F", "%é", "%éé", "a", "~", " ", '"', "é"]))


@settings(max_examples=500, deadline=None)
@given(PIECES)
def test_target_is_quoted_as_requests_does(pieces: list[str]) -> None:
    path = "".join(pieces)
    assert redirect_target("http://host/", f"/x{path}".encode()) == requote_uri(f"http://host/x{path}".rstrip())

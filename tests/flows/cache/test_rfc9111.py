"""The cache, rule by rule of RFC 9111; each test name starts with the number of the section."""

from __future__ import annotations

import time

import pytest

from blocking_request.errors import ErrorCode
from blocking_request.flows.cache.load_control import CacheLoadControl
from blocking_request.models.error_texts import canceled
from blocking_request.models.failure import QtNetworkError, network_failure
from blocking_request.models.http_messages import Response

from ...support.cache_client import START, URL, Client, Field, date, page
from ...support.flow_driver import response

FRESH = ("Cache-Control", "max-age=100")
STALE = ("Cache-Control", "max-age=0")
TAG = ("ETag", '"1"')
NOT_MODIFIED = response(304, ("Date", date(10)), TAG)


@pytest.fixture
def client() -> Client:
    return Client()


def reuses(first: Response, later: float = 10, **options: object) -> bool:
    """Return whether a second, equal request is served from the cache without being sent."""
    client = Client()
    client.ask(first)
    try:
        last = client.ask(later=later, **options)  # type: ignore[arg-type]
    except AssertionError:
        return False
    assert last.body == first.body
    return last.from_cache


# -- section 2: the key


def test_2_uri_is_the_key(client: Client) -> None:
    client.ask(page(FRESH))
    assert client.ask(page(FRESH, body=b"b"), url=URL + "?b").body == b"b"
    assert client.ask().body == b"page"
    assert client.ask(url=URL + "?b").body == b"b"


def test_2_fragment_is_not_part_of_the_key(client: Client) -> None:
    client.ask(page(FRESH), url=URL + "#one")
    assert client.ask(url=URL + "#two").from_cache


def test_2_method_is_part_of_the_key(client: Client) -> None:
    client.ask(page(FRESH), method="OPTIONS")
    assert not client.ask(page(FRESH)).from_cache
    assert not client.ask(page(FRESH), method="OPTIONS").from_cache


# -- section 3: storing


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "PROPFIND", "TRACE", "OPTIONS", "HEAD"])
def test_3_only_get_is_stored(client: Client, method: str) -> None:
    client.ask(page(FRESH), method=method)
    assert not client.ask(page(FRESH)).from_cache


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
def test_3_statuses_that_are_cacheable_by_default(status: int) -> None:
    """Also RFC 9110 section 15.1: heuristic freshness is allowed for them."""
    assert reuses(page(("Last-Modified", date(-1_000)), status=status))


@pytest.mark.parametrize("status", [201, 202, 302, 303, 307, 400, 403, 418, 500, 502, 503, 599])
def test_3_other_statuses_need_explicit_freshness(status: int) -> None:
    assert reuses(page(FRESH, status=status))
    assert reuses(page(("Expires", date(100)), status=status))
    assert not reuses(page(("Last-Modified", date(-1_000)), status=status))


def test_3_public_makes_any_status_cacheable() -> None:
    modified = ("Last-Modified", date(-1_000))
    assert reuses(page(("Cache-Control", "public"), modified, status=299))


def test_3_no_store_is_not_stored() -> None:
    assert not reuses(page(("Cache-Control", "no-store, max-age=100")))
    assert not reuses(page(("Cache-Control", "max-age=100, NO-STORE")))
    assert not reuses(page(FRESH, ("Cache-Control", "no-store")))


def test_3_private_is_stored_by_a_private_cache() -> None:
    assert reuses(page(("Cache-Control", "private, max-age=100")))
    assert reuses(page(("Cache-Control", 'private="x-field", max-age=100')))


def test_3_new_response_replaces_the_stored_one(client: Client) -> None:
    client.ask(page(FRESH))
    client.ask(page(FRESH, body=b"new"), load_control=CacheLoadControl.AlwaysNetwork)
    assert client.ask().body == b"new"
    assert client.store.statistics().count == 1


def test_3_uncacheable_response_removes_the_stored_one(client: Client) -> None:
    client.ask(page(FRESH))
    client.ask(page(("Cache-Control", "no-store"), body=b"new"), load_control=CacheLoadControl.AlwaysNetwork)
    assert not client.ask(page(body=b"newer")).from_cache


@pytest.mark.parametrize("status", [101, 206, 304, 401, 407])
def test_3_uncacheable_statuses(status: int) -> None:
    assert not reuses(page(FRESH, status=status))


def test_3_storing_switched_off(client: Client) -> None:
    client.ask(page(FRESH), may_store=False)
    assert not client.ask(page(FRESH)).from_cache


# -- section 3.1: header fields


@pytest.mark.parametrize("name", ["X-Field", "Content-Type", "Content-Encoding", "Content-Length", "Link", "Expires"])
def test_3_1_header_fields_are_stored(client: Client, name: str) -> None:
    client.ask(page(FRESH, (name, "1")))
    assert client.ask().headers.value(name.lower().encode()) == b"1"


def test_3_1_repeated_fields_stay_repeated(client: Client) -> None:
    client.ask(page(FRESH, ("Link", "<a>"), ("Link", "<b>")))
    assert [value for name, value in client.ask().headers.pairs if name == b"Link"] == [b"<a>", b"<b>"]


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Authenticate",
        "Proxy-Authentication-Info",
        "Proxy-Authorization",
    ],
)
def test_3_1_connection_fields_are_not_stored(client: Client, name: str) -> None:
    client.ask(page(FRESH, (name, "1")))
    assert client.ask().headers.value(name.lower().encode()) is None


def test_3_1_fields_named_by_connection_are_not_stored(client: Client) -> None:
    client.ask(page(FRESH, ("Connection", "a, B"), ("A", "1"), ("b", "2"), ("c", "3")))
    found = client.ask().headers
    assert (found.value(b"a"), found.value(b"b"), found.value(b"c")) == (None, None, b"3")


def test_3_1_set_cookie_is_not_stored(client: Client) -> None:
    """A cookie is a secret and may be outdated when the response is served; Chromium stores none either."""
    client.ask(page(FRESH, ("Set-Cookie", "a=secret")))
    assert not client.ask().headers.has_set_cookie


def test_3_1_missing_date_is_added(client: Client) -> None:
    """RFC 9110 section 6.6.1."""
    client.ask(page(FRESH, dated=False))
    assert client.ask(later=5).headers.value(b"date") == date().encode()


# -- sections 3.3 and 3.4: incomplete responses


def test_3_3_partial_response_is_not_stored(client: Client) -> None:
    part = page(FRESH, ("Content-Range", "bytes 0-3/10"), status=206)
    assert client.ask(part, fields=[("Range", "bytes=0-3")]).body == b"page"
    assert not client.ask(page(FRESH, body=b"whole page")).from_cache


def test_3_3_truncated_body_is_not_stored(client: Client) -> None:
    broken = page(FRESH)._replace(failure=network_failure(QtNetworkError.RemoteHostClosedError, "closed"))
    client.ask(broken)
    assert not client.ask(page(FRESH)).from_cache


@pytest.mark.parametrize(
    ("wanted", "body", "content_range"),
    [
        ("bytes=0-1", b"pa", b"bytes 0-1/4"),
        ("bytes=1-", b"age", b"bytes 1-3/4"),
        ("bytes=-3", b"age", b"bytes 1-3/4"),
        ("bytes=-9", b"page", b"bytes 0-3/4"),
        ("Bytes = 2-99", b"ge", b"bytes 2-3/4"),
    ],
)
def test_3_4_range_of_a_stored_response(client: Client, wanted: str, body: bytes, content_range: bytes) -> None:
    client.ask(page(FRESH, TAG, ("Content-Length", "4")))
    for condition in ([], [("If-Range", '"1"')]):
        part = client.ask(fields=[("Range", wanted), *condition])
        assert (part.status, part.body, part.headers.value(b"content-range")) == (206, body, content_range)
        assert part.headers.value(b"content-length") == b"%d" % len(body)
    assert client.ask().body == b"page"


@pytest.mark.parametrize(
    ("fields", "later"),
    [
        ([("Range", "bytes=0-1, 3-3")], 0),
        ([("Range", "bytes=4-")], 0),
        ([("Range", "bytes=2-1")], 0),
        ([("Range", "bytes=-0")], 0),
        ([("Range", "lines=0-1")], 0),
        ([("Range", "bytes=0-1"), ("If-Range", '"2"')], 0),
        ([("Range", "bytes=0-1"), ("If-Range", 'W/"1"')], 0),
        ([("Range", "bytes=0-1"), ("If-Range", date(0))], 0),
        ([("Range", "bytes=0-1"), ("If-None-Match", '"1"')], 0),
        ([("Range", "bytes=0-1"), ("Cache-Control", "no-cache")], 0),
        ([("Range", "bytes=0-1")], 101),
    ],
)
def test_3_4_other_range_requests_are_sent(client: Client, fields: list[Field], later: float) -> None:
    client.ask(page(FRESH, TAG))
    part = page(FRESH, ("Content-Range", "bytes 0-1/9"), status=206, body=b"xx")
    assert client.ask(part, fields=fields, later=later).body == b"xx"
    assert client.sent[0].headers == tuple((name.encode(), value.encode()) for name, value in fields)
    assert client.ask(*([] if later < 100 else [NOT_MODIFIED]), later=later).body == b"page"


def test_3_4_no_range_of_a_decoded_body(client: Client) -> None:
    client.ask(page(FRESH, ("Content-Encoding", "gzip")))
    assert client.ask(page(status=206, body=b"xx"), fields=[("Range", "bytes=0-1")]).body == b"xx"


# -- section 3.5: requests with credentials


def test_3_5_responses_are_not_shared_between_partitions(client: Client) -> None:
    client.ask(page(("Cache-Control", "public, max-age=100"), body=b"for a"), partition_key=b"a")
    assert client.ask(page(FRESH, body=b"for b"), partition_key=b"b").body == b"for b"
    assert client.ask(page(FRESH, body=b"for all")).body == b"for all"
    assert client.ask(partition_key=b"a").body == b"for a"
    assert client.ask(partition_key=b"b").body == b"for b"
    assert client.ask().body == b"for all"


def test_3_5_nothing_is_stored_without_a_partition_key(client: Client) -> None:
    client.ask(page(FRESH), partition_key=None)
    assert not client.ask(page(FRESH)).from_cache
    assert not client.ask(page(FRESH), partition_key=None).from_cache


# -- section 4: serving


def test_4_age_header(client: Client) -> None:
    client.ask(page(FRESH, ("Age", "30")))
    found = [value for name, value in client.ask(later=10).headers.pairs if name.lower() == b"age"]
    assert found == [b"40"]


def test_4_date_is_unchanged(client: Client) -> None:
    client.ask(page(FRESH))
    assert client.ask(later=10).headers.value(b"date") == date().encode()


def test_4_status_reason_and_body_are_unchanged(client: Client) -> None:
    client.ask(page(FRESH, status=404, body=b"none")._replace(reason="Gone Fishing"))
    found = client.ask()
    assert (found.status, found.reason, found.body) == (404, "Gone Fishing", b"none")


def test_4_unsafe_methods_are_sent(client: Client) -> None:
    client.ask(page(FRESH))
    for method in ("POST", "PUT", "DELETE", "PATCH", "X-UNKNOWN"):
        assert not client.ask(page(FRESH), method=method).from_cache


def test_4_newest_matching_response_is_used(client: Client) -> None:
    client.ask(page(FRESH, ("Vary", "A"), body=b"old"), fields=[("A", "1")])
    client.ask(page(("Cache-Control", "max-age=100"), ("Date", date(5)), body=b"new", dated=False), later=5,
               fields=[("A", "2")])  # fmt: skip
    assert client.ask(later=6, fields=[("A", "1")]).body == b"new"


# -- section 4.1: Vary


def test_4_1_variant_is_selected_by_request_fields(client: Client) -> None:
    english, german = [("Accept-Language", "en")], [("Accept-Language", "de")]
    client.ask(page(FRESH, ("Vary", "Accept-Language"), body=b"english"), fields=english)
    client.ask(page(FRESH, ("Vary", "accept-language"), body=b"german"), fields=german)
    assert client.ask(fields=english).body == b"english"
    assert client.ask(fields=german).body == b"german"
    assert client.ask(page(FRESH, body=b"any")).body == b"any"


def test_4_1_absent_field_matches_only_an_absent_field(client: Client) -> None:
    client.ask(page(FRESH, ("Vary", "A")))
    assert not client.ask(page(FRESH, ("Vary", "A")), fields=[("A", "")]).from_cache
    assert client.ask().from_cache


def test_4_1_all_named_fields_must_match(client: Client) -> None:
    client.ask(page(FRESH, ("Vary", "A, B"), ("Vary", "C")), fields=[("A", "1"), ("B", "2"), ("C", "3")])
    assert client.ask(fields=[("C", "3"), ("B", "2"), ("A", "1")]).from_cache
    for name in "ABC":
        fields = [(each, "9" if each == name else str("ABC".index(each) + 1)) for each in "ABC"]
        assert not client.ask(page(("Cache-Control", "no-store")), fields=fields).from_cache


def test_4_1_whitespace_and_repeated_fields_are_normalized(client: Client) -> None:
    client.ask(page(FRESH, ("Vary", "A")), fields=[("A", "x,y")])
    assert client.ask(fields=[("A", " x ,  y")]).from_cache
    assert client.ask(fields=[("A", "x"), ("a", "y")]).from_cache


@pytest.mark.parametrize("value", ["*", "A, *", "*, A", " * "])
def test_4_1_star_never_matches(value: str) -> None:
    assert not reuses(page(FRESH, ("Vary", value)))


def test_4_1_encoded_and_decoded_bodies_are_separate(client: Client) -> None:
    """A request with its own ``Accept-Encoding`` gets an encoded body, and only such a stored one."""
    client.ask(page(FRESH, ("Content-Encoding", "gzip"), body=b"page"))
    assert client.ask(page(FRESH, ("Content-Encoding", "gzip"), body=b"\x1f\x8b"), decode=False).body == b"\x1f\x8b"
    assert client.ask(decode=False).body == b"\x1f\x8b"
    assert client.ask().body == b"page"


# -- section 4.2.1: freshness lifetime


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ([("Cache-Control", "max-age=100")], 100),
        ([("Cache-Control", "MaX-aGe=100")], 100),
        ([("Cache-Control", "max-age=0100")], 100),
        ([("Cache-Control", 'max-age="100"')], 100),
        ([("Cache-Control", "max-age=100, max-age=5")], 100),  # the first of two
        ([("Cache-Control", "max-age=5, max-age=100")], 5),
        ([("Cache-Control", "max-age=100"), ("Expires", date(-5))], 100),
        ([("Cache-Control", "max-age=100"), ("Expires", "0")], 100),
        ([("Cache-Control", "max-age=5"), ("Expires", date(100))], 5),
        ([("Cache-Control", "max-age=5, s-maxage=100")], 5),  # for caches that are shared
        ([("Cache-Control", "s-maxage=5, max-age=100")], 100),
        ([("Cache-Control", "max-age=99999999999")], 100_000),
        ([("Expires", date(100))], 100),
        ([("Expires", date(100)), ("Cache-Control", "unknown=1")], 100),
    ],
)
def test_4_2_1_lifetime(fields: list[Field], seconds: int) -> None:
    assert reuses(page(*fields), later=seconds - 1)
    if seconds < 100_000:
        assert not reuses(page(*fields), later=seconds)


@pytest.mark.parametrize(
    "value",
    ["max-age=0", "max-age=-100", "max-age='100'", "max-age=100.5", "max-age=a100", "max-age=100a", "max-age", "max-age=",
     'x="max-age=100"', 'x="max-age=100", max-age=0', "x=\"\\\"max-age=100\"", "max-age=1 00", "xmax-age=100"],
)  # fmt: skip
def test_4_2_1_invalid_max_age(value: str) -> None:
    assert not reuses(page(("Cache-Control", value)), later=1)


@pytest.mark.parametrize(
    "value", ["max-age = 100", "max-age=  100", " ,, max-age=100 ,", "a=b,max-age=100", 'a="b, c" , max-age=100']
)
def test_4_2_1_unusual_spacing_and_quoting(value: str) -> None:
    assert reuses(page(("Cache-Control", value)))


# -- section 4.2.2: heuristic freshness


def test_4_2_2_heuristic_is_a_tenth_of_the_time_since_last_modified() -> None:
    made = page(("Last-Modified", date(-1_000)))
    assert reuses(made, later=99)
    assert not reuses(made, later=101)


def test_4_2_2_heuristic_is_at_most_a_week() -> None:
    made = page(("Last-Modified", date(-1_000_000_000)))
    assert reuses(made, later=7 * 24 * 3600 - 1)
    assert not reuses(made, later=7 * 24 * 3600 + 1)


def test_4_2_2_no_heuristic_with_explicit_freshness() -> None:
    modified = ("Last-Modified", date(-1_000_000))
    assert not reuses(page(modified, ("Cache-Control", "max-age=5")), later=6)
    assert not reuses(page(modified, ("Expires", date(5))), later=6)


def test_4_2_2_no_heuristic_without_a_past_last_modified() -> None:
    assert not reuses(page(("Last-Modified", date(1_000))))
    assert not reuses(page(("Last-Modified", "last week")))
    assert not reuses(page())


# -- section 4.2.3: age


def test_4_2_3_age_header_counts_towards_the_age() -> None:
    assert not reuses(page(FRESH, ("Age", "95")))
    assert reuses(page(FRESH, ("Age", "85")))


def test_4_2_3_past_date_counts_towards_the_age() -> None:
    assert not reuses(page(FRESH, ("Date", date(-95)), dated=False))
    assert reuses(page(FRESH, ("Date", date(-85)), dated=False))


def test_4_2_3_future_date_does_not_lower_the_age() -> None:
    made = page(FRESH, ("Date", date(1_000)), dated=False)
    assert reuses(made, later=99)
    assert not reuses(made, later=101)


def test_4_2_3_response_delay_counts_towards_the_age(client: Client) -> None:
    def slow(request: object) -> Response:
        client.now += 60
        return page(FRESH, ("Age", "30"))._replace(request=request)  # type: ignore[arg-type]

    client.ask(slow)
    assert client.ask(later=61).headers.value(b"age") == b"91"


# -- section 4.2.4: stale responses


def test_4_2_4_stale_response_is_not_served() -> None:
    assert not reuses(page(FRESH), later=101)


@pytest.mark.parametrize("failure", [True, False])
def test_4_2_4_stale_response_is_not_served_on_error(client: Client, failure: bool) -> None:
    client.ask(page(STALE))
    error = network_failure(QtNetworkError.ConnectionRefusedError, "Connection refused")
    trouble = Response(response(500).request, failure=error) if failure else response(500)
    assert not client.ask(trouble, later=10).from_cache


# -- section 4.3.1: validation requests


def test_4_3_1_validators_are_sent(client: Client) -> None:
    client.ask(page(STALE, TAG, ("Last-Modified", date(-50))))
    client.ask(NOT_MODIFIED, later=10)
    assert client.sent_field("If-None-Match") == '"1"'
    assert client.sent_field("If-Modified-Since") == date(-50)


def test_4_3_1_weak_etag_is_sent(client: Client) -> None:
    client.ask(page(STALE, ("ETag", 'W/"1"')))
    assert client.ask(response(304, ("ETag", 'W/"1"')), later=10).from_cache
    assert client.sent_field("If-None-Match") == 'W/"1"'


def test_4_3_1_no_condition_without_a_validator(client: Client) -> None:
    client.ask(page(STALE))
    client.ask(page(STALE), later=10)
    assert client.sent_field("If-None-Match") is None and client.sent_field("If-Modified-Since") is None


def test_4_3_1_no_condition_for_another_variant(client: Client) -> None:
    client.ask(page(STALE, TAG, ("Vary", "A")), fields=[("A", "1")])
    client.ask(page(), fields=[("A", "2")])
    assert client.sent_field("If-None-Match") is None


# -- section 4.3.2: conditional requests of the caller


def test_4_3_2_matching_condition_of_the_caller(client: Client) -> None:
    client.ask(page(FRESH, TAG, ("Last-Modified", date(-50))))
    for fields in (
        [("If-None-Match", '"1"')],
        [("If-None-Match", '"0", W/"1"')],
        [("If-None-Match", "*")],
        [("If-Modified-Since", date(-50))],
        [("If-Modified-Since", date(-10))],
    ):
        found = client.ask(fields=fields)
        assert (found.status, found.body, found.headers.value(b"etag")) == (304, b"", b'"1"'), fields


def test_4_3_2_tag_with_a_comma_and_conditions_on_two_lines(client: Client) -> None:
    client.ask(page(FRESH, ("ETag", '"a,b"')))
    assert client.ask(fields=[("If-None-Match", '"0", "a,b"')]).status == 304
    assert client.ask(fields=[("If-None-Match", '"a,b"'), ("If-None-Match", '"0"')]).status == 304
    assert client.ask(fields=[("If-None-Match", '"a", "b"')]).status == 200


def test_4_3_2_condition_of_the_caller_that_does_not_match(client: Client) -> None:
    client.ask(page(FRESH, TAG, ("Last-Modified", date(-50))))
    for fields in (
        [("If-None-Match", '"0"')],
        [("If-Modified-Since", date(-60))],
        [("If-Modified-Since", "yesterday")],
        [("If-None-Match", '"0"'), ("If-Modified-Since", date(0))],  # the tag counts
    ):
        found = client.ask(fields=fields)
        assert (found.status, found.body) == (200, b"page"), fields


def test_4_3_2_condition_of_the_caller_is_sent_unchanged(client: Client) -> None:
    client.ask(page(STALE, TAG))
    found = client.ask(response(304, ("ETag", '"9"')), fields=[("If-None-Match", '"9"')], later=10)
    assert found.status == 304 and not found.from_cache
    assert [value for name, value in client.sent[0].headers if name == b"If-None-Match"] == [b'"9"']


@pytest.mark.parametrize("name", ["If-Match", "If-Unmodified-Since"])
def test_4_3_2_conditions_only_the_server_can_evaluate(client: Client, name: str) -> None:
    client.ask(page(FRESH, TAG))
    assert not client.ask(page(FRESH, TAG), fields=[(name, '"1"')]).from_cache


# -- section 4.3.3: the server's response


def test_4_3_3_not_modified_serves_the_stored_response(client: Client) -> None:
    client.ask(page(STALE, TAG))
    found = client.ask(NOT_MODIFIED, later=10)
    assert (found.status, found.body, found.from_cache) == (200, b"page", True)


def test_4_3_3_full_response_replaces_the_stored_one(client: Client) -> None:
    client.ask(page(STALE, TAG))
    assert client.ask(page(FRESH, body=b"new"), later=10).body == b"new"
    assert client.ask(later=10).body == b"new"


def test_4_3_3_server_error_is_returned(client: Client) -> None:
    client.ask(page(STALE, TAG))
    assert client.ask(response(503), later=10).status == 503
    assert client.ask(NOT_MODIFIED, later=20).body == b"page"


def test_4_3_3_body_evicted_during_revalidation(client: Client) -> None:
    client.ask(page(STALE, TAG))
    body = client.store.body
    client.store.body = lambda stored: None  # type: ignore[method-assign]
    assert client.ask(NOT_MODIFIED, page(body=b"new"), later=10).body == b"new"
    assert client.sent[1].headers == ()
    client.store.body = body  # type: ignore[method-assign]


# -- section 4.3.4 and 3.2: freshening


def test_4_3_4_not_modified_makes_it_fresh_again(client: Client) -> None:
    client.ask(page(FRESH, TAG))
    client.ask(response(304, TAG, ("Date", date(150)), ("Cache-Control", "max-age=200")), later=150)
    found = client.ask(later=349)
    assert found.from_cache and found.headers.value(b"age") == b"199"
    client.ask(NOT_MODIFIED, later=351)


def test_3_2_fields_of_the_304_replace_stored_ones(client: Client) -> None:
    client.ask(page(FRESH, TAG, ("A", "1"), ("B", "1"), ("Age", "50")))
    client.ask(response(304, TAG, ("Date", date(150)), ("a", "2"), ("C", "3")), later=150)
    found = client.ask(later=150).headers
    assert [found.value(name) for name in (b"a", b"b", b"c", b"age")] == [b"2", b"1", b"3", b"0"]


@pytest.mark.parametrize("name", ["Content-Encoding", "Content-Length", "Content-Range", "Content-MD5", "Connection"])
def test_3_2_fields_of_the_stored_body_are_not_updated(client: Client, name: str) -> None:
    client.ask(page(FRESH, TAG, (name, "old")))
    client.ask(response(304, TAG, ("Date", date(150)), (name, "new")), later=150)
    assert client.ask(later=150).headers.value(name.lower().encode()) in (b"old", None)


def test_3_2_set_cookie_of_a_304_is_returned_but_not_stored(client: Client) -> None:
    client.ask(page(FRESH, TAG))
    confirmed = client.ask(response(304, TAG, ("Date", date(150)), ("Set-Cookie", "a=1")), later=150)
    assert confirmed.headers.value(b"set-cookie") == b"a=1"
    assert client.ask(later=151).headers.value(b"set-cookie") is None


def test_4_3_4_not_modified_with_another_etag(client: Client) -> None:
    client.ask(page(STALE, TAG))
    found = client.ask(response(304, ("ETag", '"2"')), page(FRESH, ("ETag", '"2"'), body=b"two"), later=10)
    assert found.body == b"two" and not found.from_cache
    assert client.sent[1].headers == ()
    assert client.ask(later=10).body == b"two"


def test_4_3_4_condition_of_the_caller_updates_the_stored_response(client: Client) -> None:
    client.ask(page(FRESH, TAG))
    fresher = response(304, TAG, ("Date", date(150)), FRESH)
    assert client.ask(fresher, fields=[("If-None-Match", '"1"')], later=150).status == 304
    assert client.ask(later=200).from_cache


# -- section 4.3.5: HEAD


def test_4_3_5_head_is_served_from_a_stored_get(client: Client) -> None:
    client.ask(page(FRESH, ("Content-Length", "4")))
    found = client.ask(method="HEAD")
    assert (found.status, found.body, found.headers.value(b"content-length")) == (200, b"", b"4")


def test_4_3_5_head_is_not_stored(client: Client) -> None:
    client.ask(page(FRESH, body=b""), method="HEAD")
    assert client.ask(page(FRESH)).body == b"page"


def test_4_3_5_head_updates_the_stored_response(client: Client) -> None:
    client.ask(page(FRESH, TAG, ("Content-Length", "4"), ("A", "1")))
    head = response(200, TAG, ("Content-Length", "4"), ("Date", date(150)), ("A", "2"))
    client.ask(head, method="HEAD", later=150)
    found = client.ask(later=200)
    assert (found.body, found.headers.value(b"a")) == (b"page", b"2")


@pytest.mark.parametrize(
    "field", [("ETag", '"2"'), ("Content-Length", "5"), ("Last-Modified", date(5))], ids=lambda field: field[0]
)
def test_4_3_5_head_with_other_metadata_invalidates(client: Client, field: Field) -> None:
    client.ask(page(STALE, TAG, ("Content-Length", "4"), ("Last-Modified", date(-50))))
    client.ask(response(200, ("Date", date(10)), FRESH, field), method="HEAD", later=10)
    assert not client.ask(page(), later=20).from_cache


# -- section 4.4: invalidation


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
@pytest.mark.parametrize("status", [200, 201, 204, 303])
def test_4_4_unsafe_method_invalidates(client: Client, method: str, status: int) -> None:
    client.ask(page(FRESH))
    client.ask(response(status), method=method)
    assert not client.ask(page(FRESH)).from_cache


def test_4_4_unsafe_method_invalidates_all_partitions(client: Client) -> None:
    client.ask(page(FRESH), partition_key=b"a")
    client.ask(page(FRESH))
    client.ask(response(200), method="POST", partition_key=b"b")
    assert not client.ask(page(FRESH), partition_key=b"a", later=1).from_cache
    assert not client.ask(page(FRESH), later=1).from_cache


@pytest.mark.parametrize("status", [400, 404, 500])
def test_4_4_failed_unsafe_method_does_not_invalidate(client: Client, status: int) -> None:
    client.ask(page(FRESH))
    client.ask(response(status), method="POST")
    assert client.ask().from_cache


def test_4_4_unsafe_method_without_a_response_invalidates(client: Client) -> None:
    client.ask(page(FRESH))
    error = network_failure(QtNetworkError.RemoteHostClosedError, "closed")
    client.ask(Response(response(200).request, failure=error), method="POST")
    assert not client.ask(page(FRESH)).from_cache


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
def test_4_4_location_is_invalidated(client: Client, name: str) -> None:
    client.ask(page(FRESH), url="http://host.example/other")
    client.ask(response(201, (name, "other#part")), method="POST")
    assert not client.ask(page(FRESH), url="http://host.example/other").from_cache


@pytest.mark.parametrize("value", ["http://else.example/other", "https://host.example/other", "http://[/", "//"])
def test_4_4_location_of_another_origin_is_not_invalidated(client: Client, value: str) -> None:
    client.ask(page(FRESH), url="http://else.example/other")
    client.ask(page(FRESH), url="https://host.example/other")
    client.ask(response(201, ("Location", value)), method="POST")
    assert client.ask(url="http://else.example/other").from_cache
    assert client.ask(url="https://host.example/other").from_cache


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_4_4_safe_methods_do_not_invalidate(client: Client, method: str) -> None:
    client.ask(page(FRESH))
    client.ask(*([] if method in ("GET", "HEAD") else [response(200)]), method=method)
    assert client.ask().from_cache


def test_4_4_response_requested_before_the_invalidation_is_not_stored(client: Client) -> None:
    """A GET that was running while another request changed the resource."""

    def invalidate_then_respond(request: object) -> Response:
        client.store.invalidate(URL, client.now)
        return page(FRESH)._replace(request=request)  # type: ignore[arg-type]

    client.ask(invalidate_then_respond)
    assert not client.ask(page(FRESH), later=1).from_cache
    assert client.ask(later=1).from_cache


# -- section 5.1: Age


@pytest.mark.parametrize("value", ["0, 95", "old", "-95", "9.5", "", "old, 95"])
def test_5_1_first_or_invalid_age(value: str) -> None:
    assert reuses(page(FRESH, ("Age", value)))


@pytest.mark.parametrize("value", ["95", "095", "95, 0", "99999999999"])
def test_5_1_large_age(value: str) -> None:
    assert not reuses(page(FRESH, ("Age", value)))


# -- section 5.2.1: directives of a request


def test_5_2_1_1_max_age() -> None:
    assert reuses(page(FRESH), fields=[("Cache-Control", "max-age=10")])
    assert not reuses(page(FRESH), fields=[("Cache-Control", "max-age=9")])
    assert not reuses(page(FRESH), fields=[("Cache-Control", "max-age=0")])


def test_5_2_1_2_max_stale() -> None:
    assert reuses(page(FRESH), later=150, fields=[("Cache-Control", "max-stale")])
    assert reuses(page(FRESH), later=150, fields=[("Cache-Control", "max-stale=50")])
    assert not reuses(page(FRESH), later=151, fields=[("Cache-Control", "max-stale=50")])
    must = ("Cache-Control", "max-age=100, must-revalidate")
    assert not reuses(page(must), later=150, fields=[("Cache-Control", "max-stale")])


def test_5_2_1_3_min_fresh() -> None:
    assert reuses(page(FRESH), fields=[("Cache-Control", "min-fresh=90")])
    assert not reuses(page(FRESH), fields=[("Cache-Control", "min-fresh=91")])


def test_5_2_1_4_no_cache_revalidates(client: Client) -> None:
    client.ask(page(FRESH, TAG))
    assert client.ask(NOT_MODIFIED, fields=[("Cache-Control", "no-cache")], later=10).from_cache


def test_5_2_1_5_no_store(client: Client) -> None:
    client.ask(page(FRESH), fields=[("Cache-Control", "no-store")])
    client.ask(page(FRESH))
    assert client.ask(page(FRESH, body=b"b"), fields=[("Cache-Control", "no-store")]).body == b"b"
    assert client.ask().body == b"page"


def test_5_2_1_7_only_if_cached(client: Client) -> None:
    wanted = [("Cache-Control", "only-if-cached")]
    assert client.ask(fields=wanted).status == 504
    client.ask(page(FRESH))
    assert client.ask(fields=wanted).body == b"page"
    assert client.ask(fields=wanted, later=101).status == 504
    assert client.ask(fields=[("Cache-Control", "only-if-cached, max-stale")], later=101).body == b"page"


# -- section 5.2.2: directives of a response


def test_5_2_2_2_must_revalidate_is_never_served_stale(client: Client) -> None:
    client.ask(page(("Cache-Control", "max-age=10, must-revalidate, stale-if-error=1000"), TAG))
    assert client.ask(later=9).from_cache
    assert not client.ask(response(503), later=11).from_cache


def test_5_2_2_3_must_understand(client: Client) -> None:
    understood = ("Cache-Control", "must-understand, no-store, max-age=100")
    assert reuses(page(understood))
    assert not reuses(page(understood, status=299))
    assert not reuses(page(("Cache-Control", "must-understand, max-age=100"), status=299))


def test_5_2_2_4_no_cache_is_revalidated_each_time(client: Client) -> None:
    client.ask(page(("Cache-Control", "no-cache, max-age=100"), TAG))
    assert client.ask(NOT_MODIFIED, later=1).from_cache
    assert client.ask(page(("Cache-Control", "no-cache"), body=b"new"), later=2).body == b"new"


def test_5_2_2_4_no_cache_with_field_names(client: Client) -> None:
    client.ask(page(("Cache-Control", 'no-cache="A, b" , max-age=100'), ("A", "1"), ("B", "2"), ("C", "3"), TAG))
    found = client.ask(later=10).headers
    assert (found.value(b"a"), found.value(b"b"), found.value(b"c")) == (None, None, b"3")
    confirmed = client.ask(response(304, TAG, ("Date", date(150))), later=150)
    assert confirmed.headers.value(b"a") == b"1"


def test_5_2_2_8_proxy_revalidate_and_s_maxage_are_ignored(client: Client) -> None:
    client.ask(page(("Cache-Control", "max-age=10, proxy-revalidate, s-maxage=0, stale-if-error=1000")))
    assert client.ask(later=9).from_cache
    assert client.ask(response(503), later=11).from_cache


@pytest.mark.parametrize(
    "field", [("Surrogate-Control", "max-age=100"), ("CDN-Cache-Control", "max-age=100"), ("Edge-Control", "max-age=9")]
)
def test_5_2_3_cdn_fields_are_ignored(field: Field) -> None:
    """RFC 9213 section 3.1."""
    assert not reuses(page(field))
    assert not reuses(page(field, STALE))


def test_5_2_3_unknown_directives_are_ignored() -> None:
    assert reuses(page(("Cache-Control", 'what=ever, max-age=100, "?", odd="x\\"y", =3')))
    assert not reuses(page(("Cache-Control", "what=ever")))


# -- section 5.3: Expires


@pytest.mark.parametrize(
    "value",
    ["Fri, 15 Jan 2027 08:01:40 GMT", "Friday, 15-Jan-27 08:01:40 GMT", "Fri Jan 15 08:01:40 2027",
     "fri, 15 jan 2027 08:01:40 gmt"],
)  # fmt: skip
def test_5_3_three_date_formats(value: str) -> None:
    assert START == 1_800_000_000  # Fri, 15 Jan 2027 08:00:00 GMT
    assert reuses(page(("Expires", value)), later=99)
    assert not reuses(page(("Expires", value)), later=100)


@pytest.mark.parametrize(
    "value",
    ["0", "-1", "", "tomorrow", "Fri, 15 Jan 2027 08:01:40", "Fri, 15 Jan 2027 08:01:40 PST", "15 Jan 2027 08:01:40 GMT",
     "Fri, 32 Jan 2027 08:01:40 GMT", "Fri, 15 Foo 2027 08:01:40 GMT", "Fri, 15 Jan 27 08:01:40 GMT",
     "Fri, 15 Jan 2027 25:01:40 GMT", "Fri, 15 Jan 2027 8:01:40 GMT", "Fri 15 Jan 2027 08:01:40 GMT",
     "Fri, 15 Jan 2027 08:01:40 GMT, Fri, 15 Jan 2027 08:01:40 GMT"],
)  # fmt: skip
def test_5_3_invalid_date_is_in_the_past(value: str) -> None:
    assert not reuses(page(("Expires", value), ("Last-Modified", date(-1_000_000))))


def test_5_3_two_digit_year_in_the_past() -> None:
    assert not reuses(page(("Expires", "Sunday, 06-Nov-94 08:49:37 GMT")))


def test_5_3_expires_is_relative_to_date(client: Client) -> None:
    """Also if the server's clock differs from ours."""
    made = page(("Date", date(-50)), ("Expires", date(50)), dated=False)
    assert reuses(made, later=49)
    assert not reuses(made, later=51)


# -- section 5.4: Pragma


def test_5_4_pragma_in_a_request_without_cache_control(client: Client) -> None:
    client.ask(page(FRESH, TAG))
    assert client.ask(NOT_MODIFIED, fields=[("Pragma", "no-cache")], later=10).from_cache
    assert client.ask(fields=[("Pragma", "no-cache"), ("Cache-Control", "max-age=100")], later=10).from_cache
    assert client.ask(fields=[("Pragma", "other")], later=10).from_cache


def test_5_4_pragma_in_a_response_is_ignored() -> None:
    assert reuses(page(FRESH, ("Pragma", "no-cache")))


def test_5_5_warning_is_kept(client: Client) -> None:
    client.ask(page(FRESH, ("Warning", '110 - "stale"')))
    assert client.ask().headers.value(b"warning") == b'110 - "stale"'


# -- RFC 5861: stale-while-revalidate, stale-if-error; RFC 8246: immutable


def test_rfc_5861_3_stale_while_revalidate(client: Client) -> None:
    client.ask(page(("Cache-Control", "max-age=10, stale-while-revalidate=20"), TAG))
    assert client.ask(later=9).from_cache and client.later == []
    assert client.ask(later=29).body == b"page"
    assert [request.url for request in client.later] == [URL]
    assert client.ask(page(body=b"new"), later=31).body == b"new"


def test_rfc_5861_3_prefer_network_ignores_stale_while_revalidate(client: Client) -> None:
    client.ask(page(("Cache-Control", "max-age=10, stale-while-revalidate=20")))
    assert client.ask(page(body=b"new"), later=15, load_control=CacheLoadControl.PreferNetwork).body == b"new"
    assert client.later == []


@pytest.mark.parametrize("where", ["request", "response"])
def test_rfc_5861_4_stale_if_error(client: Client, where: str) -> None:
    value = "stale-if-error=100"
    client.ask(page(("Cache-Control", f"max-age=10, {value}" if where == "response" else "max-age=10"), TAG))
    fields = [("Cache-Control", value)] if where == "request" else []
    refused = network_failure(QtNetworkError.ConnectionRefusedError, "Connection refused")
    for trouble in (
        response(500),
        response(502),
        response(503),
        response(504),
        Response(response(200).request, failure=refused),
    ):
        found = client.ask(trouble, fields=fields, later=100)
        assert (found.body, found.failure, found.from_cache) == (b"page", None, True)
    assert client.ask(response(503), fields=fields, later=111).status == 503
    assert client.ask(response(404), fields=fields, later=50).status == 404


def test_rfc_5861_4_canceled_request_gets_no_stale_response(client: Client) -> None:
    client.ask(page(("Cache-Control", "max-age=10, stale-if-error=100")))
    found = client.ask(Response(response(200).request, failure=canceled()), later=50)
    assert found.failure is not None and found.failure.code is ErrorCode.CanceledError


def test_rfc_8246_2_fresh_immutable_is_not_revalidated(client: Client) -> None:
    client.ask(page(("Cache-Control", "max-age=100, immutable"), TAG))
    assert client.ask(fields=[("Cache-Control", "max-age=0")], later=50).from_cache
    assert client.ask(NOT_MODIFIED, fields=[("Cache-Control", "max-age=0")], later=101).from_cache
    assert client.ask(NOT_MODIFIED, fields=[("Cache-Control", "no-cache")], later=102).from_cache


# -- Qt's CacheLoadControl


def test_always_network_sends_no_condition(client: Client) -> None:
    client.ask(page(FRESH, TAG))
    assert client.ask(page(FRESH, body=b"new"), load_control=CacheLoadControl.AlwaysNetwork).body == b"new"
    assert client.sent_field("If-None-Match") is None


def test_always_cache_serves_stale_responses(client: Client) -> None:
    client.ask(page(STALE))
    assert client.ask(load_control=CacheLoadControl.AlwaysCache, later=1_000_000).body == b"page"


@pytest.mark.parametrize("directive", ["must-revalidate", "no-cache"])
def test_always_cache_with_must_revalidate(client: Client, directive: str) -> None:
    client.ask(page(("Cache-Control", f"max-age=10, {directive}")))
    found = client.ask(load_control=CacheLoadControl.AlwaysCache, later=11)
    assert found.failure is not None and found.failure.error is QtNetworkError.ContentNotFoundError
    assert "must be revalidated" in found.failure.text


def test_always_cache_without_a_stored_response(client: Client) -> None:
    for options in ({}, {"method": "OPTIONS"}, {"fields": [("Range", "bytes=0-1")]}, {"partition_key": None}):
        found = client.ask(load_control=CacheLoadControl.AlwaysCache, **options)  # type: ignore[arg-type]
        assert found.failure is not None and found.failure.error is QtNetworkError.ContentNotFoundError
        assert found.failure.text == "Not in the cache"


def test_expires_of_the_response(client: Client) -> None:
    assert client.ask(page(FRESH, ("Age", "30"))).expires == START + 70
    assert client.ask(later=20).expires == START + 70
    assert client.ask(page(("Cache-Control", "no-store")), url=URL + "?2").expires is None


def test_statistics(client: Client) -> None:
    client.ask(page(STALE, TAG))
    client.ask(NOT_MODIFIED, later=10)
    client.ask(page(FRESH), later=11)
    client.ask(later=12)
    found = client.store.statistics()
    assert (found.count, found.misses, found.validated, found.hits, found.stored) == (1, 2, 1, 1, 2)


# -- regressions


@pytest.mark.parametrize("name", ["Cache-Control", "Pragma"])
def test_malicious_fields_are_parsed_in_linear_time(client: Client, name: str) -> None:
    for value in ("," * 60_000 + "=", '"' * 60_000, 'a="' + "\\" * 60_000, "a " * 30_000, '",' * 30_000):
        started = time.perf_counter()
        client.ask(page((name, value)))
        assert time.perf_counter() - started < 1.0
        assert not client.ask(page()).from_cache


def test_very_long_numbers() -> None:
    assert reuses(page(("Cache-Control", f"max-age={'9' * 5_000}")))
    assert reuses(page(("Cache-Control", f"max-age={'0' * 5_000}100")))
    assert not reuses(page(FRESH, ("Age", "9" * 5_000)))


@pytest.mark.parametrize("value", ["Accept Language", "A=B", "\x01", "A;B", "é"])
def test_vary_with_invalid_field_names(value: str) -> None:
    assert not reuses(page(FRESH, ("Vary", value)))


def test_vary_includes_default_headers_of_the_engine(client: Client) -> None:
    german, french = ((b"accept-language", b"de"),), ((b"accept-language", b"fr"),)
    client.ask(page(FRESH, ("Vary", "Accept-Language"), body=b"deutsch"), default_headers=german)
    assert client.ask(page(body=b"francais"), default_headers=french).body == b"francais"
    assert client.ask(default_headers=german).body == b"deutsch"
    assert client.ask(default_headers=french, fields=[("Accept-Language", "de")]).body == b"deutsch"


def test_identity_request_does_not_match_a_decoded_response(client: Client) -> None:
    client.ask(page(FRESH, ("Content-Encoding", "gzip")))
    assert not client.ask(page(body=b"plain"), fields=[("Accept-Encoding", "identity")]).from_cache


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        (("Last-Modified", date(-50)), ("If-Modified-Since", date(-10))),
        (("ETag", '"old"'), ("If-None-Match", '"new"')),
        (("ETag", '"old"'), ("If-None-Match", '"new", "old"')),
    ],
)
def test_304_for_a_condition_of_the_caller_does_not_validate_another_response(
    client: Client, kept: Field, asked: Field
) -> None:
    client.ask(page(STALE, kept))
    assert client.ask(response(304, ("Date", date(10)), FRESH), fields=[asked], later=10).status == 304
    assert not client.ask(page(body=b"new"), later=20).from_cache


@pytest.mark.parametrize("status", [404, 301])
def test_conditions_are_ignored_for_unsuccessful_responses(client: Client, status: int) -> None:
    """RFC 9110 section 13.2.1."""
    client.ask(page(FRESH, TAG, status=status))
    for field in (("If-None-Match", "*"), ("If-None-Match", '"1"'), ("If-Modified-Since", date(0))):
        assert client.ask(fields=[field]).status == status


@pytest.mark.parametrize("value", ["max-age=0", "max-age=5", "min-fresh=10"])
def test_max_age_and_min_fresh_override_stale_while_revalidate(value: str) -> None:
    lenient = page(("Cache-Control", "max-age=10, stale-while-revalidate=1000"))
    assert reuses(lenient, later=50)
    assert not reuses(lenient, later=50, fields=[("Cache-Control", value)])


def test_clock_set_back() -> None:
    assert reuses(page(FRESH), later=-30)
    assert not reuses(page(FRESH), later=-1_000_000)


@pytest.mark.parametrize("status", [401, 407, 408, 425, 429])
def test_preliminary_error_statuses_keep_the_stored_response(client: Client, status: int) -> None:
    """The server asks for a digest first, so a request with a digest must be able to validate."""
    client.ask(page(STALE, TAG))
    client.ask(response(status), later=10)
    assert client.ask(NOT_MODIFIED, later=20).from_cache


def test_304_without_a_date(client: Client) -> None:
    client.ask(page(FRESH, TAG, dated=False))
    client.ask(response(304, TAG), later=150)
    assert client.ask(later=240).from_cache


def test_body_over_the_limit_is_not_served_from_the_cache(client: Client) -> None:
    client.ask(page(FRESH, body=b"x" * 5_000))
    assert not client.ask(page(), body_limit=4_999).from_cache
    client.ask(page(FRESH, body=b"x" * 5_000), load_control=CacheLoadControl.AlwaysNetwork)
    assert client.ask(body_limit=5_000).from_cache


def test_retry_is_not_served_from_the_cache(client: Client) -> None:
    client.ask(page(FRESH, status=503))
    assert client.ask(page(), is_retry=True).status == 200


def test_connection_cannot_remove_cache_control_and_vary(client: Client) -> None:
    client.ask(
        page(("Connection", "Cache-Control, Vary"), ("Cache-Control", "no-cache"), ("Last-Modified", date(-9_999)))
    )
    assert not client.ask(page()).from_cache


@pytest.mark.parametrize("error", [QtNetworkError.SslHandshakeFailedError, QtNetworkError.ProtocolFailure])
def test_stale_if_error_does_not_hide_tls_and_protocol_errors(client: Client, error: QtNetworkError) -> None:
    client.ask(page(("Cache-Control", "max-age=10, stale-if-error=1000")))
    found = client.ask(Response(response(200).request, failure=network_failure(error, "wrong")), later=50)
    assert found.failure is not None and not found.from_cache


def test_encoded_bytes_of_head(client: Client) -> None:
    client.ask(page(FRESH))
    assert (client.ask(method="HEAD").encoded_bytes, client.ask().encoded_bytes) == (0, 4)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_304_without_a_condition_updates_nothing(client: Client, method: str) -> None:
    """RFC 9110 section 15.4.5: it responds to a conditional request; here neither we nor the caller have set a condition."""
    client.ask(page(STALE))
    assert client.ask(response(304, ("Date", date(10)), FRESH), method=method, later=10).status == 304
    assert not client.ask(page(body=b"new"), later=20).from_cache


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_always_cache_does_not_send_unsafe_methods(client: Client, method: str) -> None:
    client.ask(page(FRESH))
    missing = client.ask(method=method, load_control=CacheLoadControl.AlwaysCache)
    assert client.sent == [] and missing.failure is not None
    assert client.ask(load_control=CacheLoadControl.AlwaysCache).from_cache, "it is not evicted"

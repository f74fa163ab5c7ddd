"""Redirects decided without a network: responses go in, requests come out."""

from __future__ import annotations

from typing import Optional

import pytest

from blocking_request.errors import ErrorCode
from blocking_request.flows.redirects import MAXIMUM_HISTORY_BYTES, RedirectPolicy, RedirectRules, follow_redirects
from blocking_request.models.failure import Failure, QtNetworkError
from blocking_request.models.headers import Fields
from blocking_request.models.http_messages import Request, Response
from blocking_request.models.urls import without_parameters

START = "http://host/a/b?q=1#part"


def response_to(request: Request, status: int, location: Optional[str] = None) -> Response:
    pairs = () if location is None else ((b"Location", location.encode("latin-1")),)
    return Response(request, status, headers=Fields(lambda: pairs))


def next_request(
    status: int, location: str, first: Optional[Request] = None, rules: Optional[RedirectRules] = None
) -> Request:
    """The request that follows a redirecting response."""
    flow = follow_redirects(first or Request("GET", START), rules or RedirectRules())
    return flow.send(response_to(next(flow), status, location))  # type: ignore[arg-type, return-value]


def final_response(
    status: int, location: Optional[str], first: Optional[Request] = None, rules: Optional[RedirectRules] = None
) -> Response:
    """The response a flow ends with at once."""
    flow = follow_redirects(first or Request("GET", START), rules or RedirectRules())
    with pytest.raises(StopIteration) as stop:
        flow.send(response_to(next(flow), status, location))  # type: ignore[arg-type]
    last: Response = stop.value.value
    return last


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("GET", 301, "GET"), ("GET", 302, "GET"), ("GET", 303, "GET"), ("GET", 307, "GET"), ("GET", 308, "GET"),
        ("HEAD", 301, "HEAD"), ("HEAD", 302, "HEAD"), ("HEAD", 303, "HEAD"), ("HEAD", 307, "HEAD"), ("HEAD", 308, "HEAD"),
        ("POST", 301, "GET"), ("POST", 302, "GET"), ("POST", 303, "GET"), ("POST", 307, "POST"), ("POST", 308, "POST"),
        ("PUT", 301, "PUT"), ("PUT", 302, "PUT"), ("PUT", 303, "GET"), ("PUT", 307, "PUT"), ("PUT", 308, "PUT"),
        ("PATCH", 301, "PATCH"), ("PATCH", 303, "GET"), ("DELETE", 302, "DELETE"), ("DELETE", 303, "GET"),
        ("PROPFIND", 301, "PROPFIND"), ("PROPFIND", 303, "GET"),
    ],
)  # fmt: skip
def test_rfc9110_15_4_method(method: str, status: int, expected: str) -> None:
    headers = ((b"Content-Type", b"text/plain"), (b"Content-Length", b"4"), (b"X-Mine", b"1"))
    first = Request(method, START, headers, b"data")
    following = next_request(status, "/next", first)
    assert following.method == expected
    if expected == method:
        assert (following.body, following.headers) == (b"data", headers)
    else:
        assert (following.body, following.headers) == (None, ((b"X-Mine", b"1"),))


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://other/x", "http://other/x#part"),
        ("/x", "http://host/x#part"),
        ("x", "http://host/a/x#part"),
        ("../x/./y", "http://host/x/y#part"),
        ("?x=2", "http://host/a/b?x=2#part"),
        ("//other:81/x", "http://other:81/x#part"),
        ("#new", "http://host/a/b?q=1#new"),
        ("/x#new", "http://host/x#new"),
        ("/a b", "http://host/a%20b#part"),
        ("/%zz", "http://host/%zz#part"),
        ("/ok%20fine", "http://host/ok%20fine#part"),
        ("HTTP://HOST/x", "http://host/x#part"),
        ("/\xc3\xa9", "http://host/%C3%A9#part"),
        ("/\xe9", "http://host/%C3%A9#part"),
        ("http://b\xc3\xbccher/x", "http://xn--bcher-kva/x#part"),
        ("http://user:secret@host/x", "http://host/x#part"),
        (" /x ", "http://host/x#part"),
        ("https://host/x", "https://host/x#part"),
    ],
)
def test_rfc9110_10_2_2_target(location: str, expected: str) -> None:
    assert next_request(302, location).url == expected


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/x", True),
        ("http://host:80/x", True),
        ("http://HOST/x", True),
        ("http://host:8080/x", False),
        ("http://sub.host/x", False),
        ("https://host/x", False),
        ("//other/x", False),
    ],
)
def test_credentials_are_removed_if_the_origin_changes(location: str, kept: bool) -> None:
    secret = tuple(
        (name, b"secret")
        for name in (b"Authorization", b"COOKIE", b"X-Api-Key", b"Proxy-Authorization", b"X-Auth-Token", b"Host")
    )
    first = Request("GET", START, (*secret, (b"Accept", b"*/*")))
    following = next_request(307, location, first)
    assert following.headers == (first.headers if kept else ((b"Accept", b"*/*"),))
    assert following.same_origin is kept


def test_credentials_stay_removed_after_a_redirect_back() -> None:
    flow = follow_redirects(Request("GET", START, ((b"Authorization", b"secret"),)), RedirectRules())
    away = flow.send(response_to(next(flow), 302, "http://other/"))  # type: ignore[arg-type]
    back = flow.send(response_to(away, 302, START))  # type: ignore[arg-type]
    assert back.headers == ()  # type: ignore[union-attr]
    assert back.same_origin is False  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
def test_statuses_that_do_not_redirect(status: int) -> None:
    assert final_response(status, "/x").failure is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_status_without_location(status: int) -> None:
    last = final_response(status, None)
    assert (last.status, last.failure, last.history) == (status, None, ())


@pytest.mark.parametrize(
    ("location", "policy", "error"),
    [
        ("file:///etc/passwd", RedirectPolicy.NoLessSafe, QtNetworkError.ProtocolUnknownError),
        ("ftp://host/", RedirectPolicy.NoLessSafe, QtNetworkError.ProtocolUnknownError),
        ("data:text/plain,x", RedirectPolicy.NoLessSafe, QtNetworkError.ProtocolUnknownError),
        ("javascript:alert(1)", RedirectPolicy.NoLessSafe, QtNetworkError.ProtocolUnknownError),
        ("http://", RedirectPolicy.NoLessSafe, QtNetworkError.ProtocolUnknownError),
        ("http:x", RedirectPolicy.NoLessSafe, QtNetworkError.ProtocolUnknownError),
        ("http://host:99999/", RedirectPolicy.NoLessSafe, QtNetworkError.ProtocolUnknownError),
        ("http://[::1/", RedirectPolicy.NoLessSafe, QtNetworkError.ProtocolUnknownError),
        ("http://other/", RedirectPolicy.SameOrigin, QtNetworkError.InsecureRedirectError),
        ("http://host:81/", RedirectPolicy.SameOrigin, QtNetworkError.InsecureRedirectError),
        ("/x", RedirectPolicy.UserVerified, QtNetworkError.InsecureRedirectError),
    ],
)
def test_refused_targets(location: str, policy: RedirectPolicy, error: QtNetworkError) -> None:
    failure = final_response(302, location, rules=RedirectRules(policy)).failure
    assert failure is not None
    assert (failure.code, failure.error) == (ErrorCode.NetworkError, error)


def test_downgrade_is_refused() -> None:
    failure = final_response(302, "http://host/?token=s3cret", Request("GET", "https://host/")).failure
    assert failure is not None
    assert failure.error is QtNetworkError.InsecureRedirectError
    assert failure.text == "Insecure redirect: from https to http://host/?token=***"


def test_same_origin_policy_follows_within_the_origin() -> None:
    assert next_request(302, "/x", rules=RedirectRules(RedirectPolicy.SameOrigin)).url == "http://host/x#part"


def test_manual_policy_follows_nothing() -> None:
    last = final_response(302, "/x", rules=RedirectRules(RedirectPolicy.Manual))
    assert (last.status, last.failure) == (302, None)


@pytest.mark.parametrize(("limit", "followed"), [(0, 0), (-1, 0), (1, 1), (3, 3), (50, 50)])
def test_redirect_limit(limit: int, followed: int) -> None:
    flow = follow_redirects(Request("GET", START), RedirectRules(limit=limit))
    request = next(flow)
    with pytest.raises(StopIteration) as stop:
        for hop in range(100):
            assert request.redirects == hop  # type: ignore[union-attr]
            request = flow.send(response_to(request, 302, f"/{hop}"))  # type: ignore[arg-type]
    last: Response = stop.value.value
    assert len(last.history) == followed
    assert last.failure is not None and last.failure.error is QtNetworkError.TooManyRedirectsError
    assert last.failure.text == f"Too many redirects: more than {max(limit, 0)}"


def test_history_is_oldest_first() -> None:
    flow = follow_redirects(Request("POST", START, body=b"x"), RedirectRules())
    one = next(flow)
    two = flow.send(response_to(one, 307, "/two"))  # type: ignore[arg-type]
    three = flow.send(response_to(two, 303, "/three"))  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as stop:
        flow.send(response_to(three, 200))  # type: ignore[arg-type]
    last: Response = stop.value.value
    assert [earlier.request.method for earlier in last.history] == ["POST", "POST"]
    assert last.request.method == "GET"
    assert last.request.url == "http://host/three#part"


def test_failed_response_is_not_followed() -> None:
    flow = follow_redirects(Request("GET", START), RedirectRules())
    first = next(flow)
    following = flow.send(response_to(first, 302, "/x"))  # type: ignore[arg-type]
    failure = Failure(ErrorCode.CanceledError, QtNetworkError.OperationCanceledError, "Operation canceled")
    with pytest.raises(StopIteration) as stop:
        flow.send(Response(following, 302, headers=Fields(lambda: ((b"Location", b"/y"),)), failure=failure))  # type: ignore[arg-type]
    assert stop.value.value.failure is failure
    assert len(stop.value.value.history) == 1


def test_bodies_of_followed_redirects_are_kept_up_to_a_limit() -> None:
    """Fifty redirects of 6 MB each once kept 240 MB."""
    flow = follow_redirects(Request("GET", START), RedirectRules())
    request = next(flow)
    for number in range(50):
        body = b"x" * (1000 if number % 2 else 400_000)
        request = flow.send(response_to(request, 302, f"/{number}")._replace(body=body))  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as stop:
        flow.send(response_to(request, 200))  # type: ignore[arg-type]
    history = stop.value.value.history
    assert len(history) == 50
    assert [len(earlier.body) for earlier in history[:5]] == [400_000, 1000, 400_000, 1000, 0]
    assert sum(len(earlier.body) for earlier in history) <= MAXIMUM_HISTORY_BYTES


@pytest.mark.parametrize("repeated", ["key=a/b==", "key=a%2Fb%3D%3D", "key=a%2fb%3d="])
def test_added_parameter_that_the_server_encodes_anew(repeated: str) -> None:
    """It must not reach another host."""
    url = without_parameters(f"/path?q=1&{repeated}&r=2#end", ("key=a/b==",))
    assert url == "/path?q=1&r=2#end"

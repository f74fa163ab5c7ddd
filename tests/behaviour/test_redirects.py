"""Redirects over real servers, on each engine."""

from __future__ import annotations

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode
from blocking_request.models.failure import QtNetworkError
from blocking_request.qt.binding import QT_VERSION, QtCore, QtNetwork, enum_value

from ..support.names import Attribute, Serve
from ..support.servers.raw import Connection, Handler

Policy = QtNetwork.QNetworkRequest.RedirectPolicy


def redirecting(status: str, location: str) -> Handler:
    """Return a handler that redirects each path except /end, which echoes the request."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b" /end" in request.partition(b"\r\n")[0]:
                connection.respond(request)
            else:
                connection.respond(b"moved", status, f"Location: {location}\r\nSet-Cookie: a=1\r\n")

    return handle


def test_redirects_are_followed_and_in_the_history(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    heard: list[str] = []
    blocking.redirected.connect(lambda url: heard.append(url.path()))
    assert blocking.get(f"{httpbin}/absolute-redirect/3") is ErrorCode.NoError
    reply = blocking.reply()
    assert reply.url() == QtCore.QUrl(f"{httpbin}/get")
    assert [earlier.statusCode() for earlier in reply.history()] == [302, 302, 302]
    assert [earlier.url().path() for earlier in reply.history()] == [
        "/absolute-redirect/3", "/absolute-redirect/2", "/absolute-redirect/1",
    ]  # fmt: skip
    assert heard == ["/absolute-redirect/2", "/absolute-redirect/1", "/get"]
    assert reply.history()[0].rawHeader(b"Location").data().endswith(b"/absolute-redirect/2")


def test_each_hop_is_sent_once(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting("303 See Other", "/end"))
    for number in range(50):
        assert blocking.post(f"{server.url}/start", b"%d" % number) is ErrorCode.NoError
    assert len(server.requests) == 100
    posts = [request for request in server.requests if request.startswith(b"POST /start")]
    assert [request.partition(b"\r\n\r\n")[2] for request in posts] == [b"%d" % number for number in range(50)]


def test_307_sends_the_body_again(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting("307 Temporary Redirect", "/end"))
    assert blocking.post(f"{server.url}/start", b"payload") is ErrorCode.NoError
    assert [request.partition(b"\r\n\r\n")[2] for request in server.requests] == [b"payload", b"payload"]
    assert blocking.reply().operation() == QtNetwork.QNetworkAccessManager.Operation.PostOperation


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect", "302 Found"])
@pytest.mark.parametrize("size", [0, 5, 200_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_body_of_a_redirect_that_is_not_followed(
    status: str, size: int, chunked: bool, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    """At a 307 Qt tries to send the body again even if redirects are not followed, and drops the response if it cannot."""

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            if chunked:
                connection.send(f"HTTP/1.1 {status}\r\nLocation: /x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                connection.send(b"5\r\nmoved\r\n0\r\n\r\n")
            else:
                connection.respond(b"moved", status, "Location: /x\r\n")

    server = serve(handle)
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setAttribute(Attribute.RedirectPolicyAttribute, Policy.ManualRedirectPolicy)
    for _ in range(2):
        assert blocking.post(request, b"x" * size) is ErrorCode.NoError, blocking.errorMessage()
        assert blocking.reply().body == b"moved"
    assert len(server.requests) == 2


def test_credential_headers_are_not_sent_to_another_origin(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    other = serve(redirecting("302 Found", "/end"))
    first = serve(redirecting("302 Found", f"{other.url}/end"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(f"{first.url}/start"))
    request.setRawHeader(b"Authorization", b"Bearer s3cret")
    request.setRawHeader(b"Cookie", b"sid=s3cret")
    request.setRawHeader(b"X-Api-Key", b"s3cret")
    request.setRawHeader(b"X-Harmless", b"kept")
    assert blocking.get(request) is ErrorCode.NoError
    assert b"s3cret" in first.requests[0]
    assert b"s3cret" not in other.requests[0]
    assert b"kept" in other.requests[0]


def test_userinfo_is_not_sent_to_another_origin(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    other = serve(redirecting("302 Found", "/end"))
    first = serve(redirecting("302 Found", f"{other.url}/end"))
    host = first.url.partition("//")[2]
    assert blocking.get(f"http://user:pass@{host}/start") is ErrorCode.NoError
    assert b"uthorization: Basic" in first.requests[0] or b"authorization: Basic" in first.requests[0]
    assert b"uthorization" not in other.requests[0]


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_limit_of_the_request(limit: int, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting("302 Found", "/again"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setMaximumRedirectsAllowed(limit)
    assert blocking.get(request) is ErrorCode.NetworkError
    assert enum_value(blocking.reply().error()) == QtNetworkError.TooManyRedirectsError
    assert len(server.requests) == limit + 1
    assert blocking.reply().body == b"moved"
    assert blocking.errorMessage().startswith(f"Too many redirects: more than {limit} (")


def test_default_limit_of_qt(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting("302 Found", "/again"))
    assert blocking.get(server.url) is ErrorCode.NetworkError
    assert len(server.requests) == 51


def test_manual_policy(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting("302 Found", "/end"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setAttribute(Attribute.RedirectPolicyAttribute, Policy.ManualRedirectPolicy)
    assert blocking.get(request) is ErrorCode.NoError
    reply = blocking.reply()
    assert (reply.statusCode(), reply.body, reply.history()) == (302, b"moved", ())
    assert reply.attribute(Attribute.RedirectionTargetAttribute) == QtCore.QUrl("/end")


def test_same_origin_policy(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    other = serve(redirecting("302 Found", "/end"))
    server = serve(redirecting("302 Found", f"{other.url}/end"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setAttribute(Attribute.RedirectPolicyAttribute, Policy.SameOriginRedirectPolicy)
    assert blocking.get(request) is ErrorCode.NetworkError
    assert enum_value(blocking.reply().error()) == QtNetworkError.InsecureRedirectError
    assert other.connections == 0


@pytest.mark.parametrize("follow", [True, False])
def test_follow_redirects_attribute_of_qt5(follow: bool, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting("302 Found", "/end"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    if QT_VERSION >= (6,):
        assert not hasattr(Attribute, "FollowRedirectsAttribute")
        return
    request.setAttribute(Attribute.FollowRedirectsAttribute, follow)
    assert blocking.get(request) is ErrorCode.NoError
    assert blocking.reply().statusCode() == (200 if follow else 302)


def test_invalid_location(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting("302 Found", "http://host:99999/"))
    assert blocking.get(server.url) is ErrorCode.NetworkError
    assert "The redirect's Location is no URL" in blocking.errorMessage()

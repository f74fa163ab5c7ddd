"""The auth objects of ``requests_oauthlib``, with a server that verifies their signatures."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest
from oauthlib.oauth1.rfc5849 import signature
from requests_oauthlib import OAuth1, OAuth2

from blocking_request import AuthConfig, AuthRegistry, BatchRequest, BlockingNetworkRequest, NetworkAccessManager

from ..support.names import OK, SERVER, Serve
from ..support.servers.raw import Connection

FORM = "application/x-www-form-urlencoded"


def field(request: bytes, name: bytes) -> str:
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return next((line.partition(b": ")[2].decode() for line in lines if line.lower().startswith(name + b":")), "")


def verifying(connection: Connection) -> None:
    """Verify each request by RFC 5849; redirect /from to /to, with the query of the request."""
    seen: set[str] = set()
    while (request := connection.read_request()) is not None:
        method, target, _ = request.split(b"\r\n")[0].decode().split(" ")
        path, _, query = target.partition("?")
        is_form = field(request, b"content-type") == FORM
        body = request.partition(b"\r\n\r\n")[2].decode() if is_form else ""
        headers = {"Authorization": field(request, b"authorization")} if field(request, b"authorization") else {}
        sent = signature.collect_parameters(uri_query=query, body=body, headers=headers, exclude_oauth_signature=False)
        values = dict(sent)
        params = [pair for pair in sent if pair[0] != "oauth_signature"]
        uri = f"http://{field(request, b'host')}{path}"
        signed = SimpleNamespace(
            http_method=method, uri=uri, params=params, signature=values.get("oauth_signature", "")
        )
        nonce = values.get("oauth_nonce", "")
        is_valid = signature.verify_hmac_sha1(signed, "client secret", "token secret")
        if not is_valid or nonce in seen or len(params) != len(dict(params)):
            connection.respond(b"", "401 No", 'WWW-Authenticate: OAuth realm="r"\r\n')
        elif path == "/from":
            connection.respond(b"", "307 Go", f"Location: /to?{query}\r\n")
        else:
            connection.respond(repr(sorted(pair for pair in params if not pair[0].startswith("oauth_"))).encode())
        seen.add(nonce)


def oauth1(place: str, secret: str = "token secret") -> AuthConfig:
    auth = OAuth1("client", "client secret", "token", secret, signature_type=place)
    return AuthConfig.requestsAuth(auth)


@pytest.mark.parametrize("place", ["auth_header", "query"])
def test_oauth1_get(place: str, request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(verifying)
    request_of.setAuthConfig(oauth1(place))
    for target in ("/a?x=1&y=%C3%A9%20b", "/from?x=1&y=%C3%A9%20b", "/a"):
        assert request_of.get(server.url + target) is OK, request_of.reply().history()
    assert "oauth" not in request_of.reply().url().toString()
    assert "oauth" not in repr(request_of.reply().history())
    request_of.setAuthConfig(oauth1(place, "wrong"))
    assert request_of.get(f"{server.url}/a") is SERVER and request_of.reply().statusCode() == 401


@pytest.mark.parametrize("place", ["auth_header", "query", "body"])
def test_oauth1_form(place: str, request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(verifying)
    request_of.setAuthConfig(oauth1(place))
    assert request_of.post(f"{server.url}/a?z=3", b"x=1&y=%C3%A9+b") is OK
    assert request_of.reply().body.decode() == repr([("x", "1"), ("y", "\xe9 b"), ("z", "3")])
    sent = dict(parse_qsl(server.requests[0].partition(b"\r\n\r\n")[2].decode()))
    assert ("oauth_signature" in sent) is (place == "body")


def test_oauth1_with_bytes(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(verifying)
    request_of.setAuthConfig(oauth1("auth_header"))
    assert request_of.put(f"{server.url}/a", b"\0\xff", headers={"Content-Type": "image/png"}) is OK
    assert server.requests[0].endswith(b"\r\n\r\n\0\xff")


def test_oauth1_in_a_batch(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(verifying)
    manager.setAuthRegistry(AuthRegistry())
    authcfg = manager.authRegistry().store(oauth1("auth_header"))
    items = [BatchRequest(f"{server.url}/{each}", "POST", b"x=%d" % each) for each in range(8)]
    assert {each.code for each in manager.sendMany(items, authCfg=authcfg)} == {OK}


def test_oauth2(request_of: BlockingNetworkRequest, httpbin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # oauthlib refuses http without it.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    auth = OAuth2(token={"access_token": "abc", "token_type": "Bearer"})
    request_of.setAuthConfig(AuthConfig.requestsAuth(auth))
    assert request_of.get(f"{httpbin}/bearer") is OK and request_of.reply().json()["token"] == "abc"


def test_exception_of_oauth2(request_of: BlockingNetworkRequest, httpbin: str) -> None:
    auth = OAuth2(token={"access_token": "abc", "token_type": "Bearer"})
    request_of.setAuthConfig(AuthConfig.requestsAuth(auth))
    with pytest.raises(Exception, match="OAuth 2 MUST utilize https"):
        request_of.get(f"{httpbin}/bearer")

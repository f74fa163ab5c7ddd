"""Auth objects of ``requests`` (``AuthConfig.requestsAuth``): each request is signed, and hooks may send again."""

from __future__ import annotations

import copy
import gzip
import hashlib
import hmac
import io
import logging
import pickle
import threading
import time
import weakref
from pathlib import Path
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

import pytest
import requests
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from requests.models import PreparedRequest
from urllib3.util import Retry

from blocking_request import (
    AuthConfig,
    AuthMethod,
    AuthRegistry,
    BatchRequest,
    BlockingNetworkRequest,
    ErrorCode,
    Feedback,
    NetworkAccessManager,
    NetworkMemoryCache,
)
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.qt.binding import enum_value
from blocking_request.requests_adapter import requests_session

from ..support.interpreter import without_garbage_collector
from ..support.names import CANCELED, NET, OK, SERVER, TIMEOUT, Serve
from ..support.servers.raw import Connection, Handler, RawServer, always

Prepared = Callable[[PreparedRequest], PreparedRequest]


def field(request: bytes, name: str) -> str:
    """Return the value of a header field of a request that a server has read; '' if it is not there."""
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        field_name, _, value = line.partition(b": ")
        if field_name.decode().lower() == name.lower():
            return value.decode("latin-1")
    return ""


def fields(server: RawServer, name: str) -> list[str]:
    return [field(request, name) for request in server.requests]


def targets(server: RawServer) -> list[str]:
    return [request.split(b" ")[1].decode() for request in server.requests]


class Numbering(AuthBase):
    """Signs with a number that grows, and remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[PreparedRequest] = []
        self.threads: set[int] = set()

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        self.seen.append(r.copy())
        self.threads.add(threading.get_ident())
        r.headers["Authorization"] = f"Number {len(self.seen)}"
        return r


class SigV4(AuthBase):
    """AWS Signature Version 4, as in Amazon's documents."""

    def __init__(self, key: str, secret: str, moment: str = "20261120T101112Z") -> None:
        self._key, self._secret, self._moment = key, secret, moment

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        assert r.url is not None
        r.headers["X-Amz-Date"] = self._moment
        payload = hashlib.sha256(r.body or b"").hexdigest()  # type: ignore[arg-type]
        r.headers["X-Amz-Content-Sha256"] = payload
        parts = urlsplit(r.url)
        names = {"host": parts.netloc, "x-amz-content-sha256": payload, "x-amz-date": self._moment}
        query = "&".join(sorted(parts.query.split("&"))) if parts.query else ""
        lines = "".join(f"{name}:{value}\n" for name, value in names.items())
        canonical = "\n".join([r.method or "", parts.path, query, lines, ";".join(names), payload])
        scope = f"{self._moment[:8]}/eu-central-1/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", self._moment, scope, digest])
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        r.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return r


def checking_sigv4(connection: Connection) -> None:
    """Signs each request as the client should have, and compares; redirects /from to /to."""
    while (request := connection.read_request()) is not None:
        head, _, body = request.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        prepared = requests.Request(method, f"http://{field(request, 'Host')}{target}").prepare()
        prepared.body = body or None
        SigV4("id", "secret")(prepared)
        if prepared.headers["Authorization"] != field(request, "Authorization"):
            connection.respond(b"signature", "403 Forbidden")
        elif target.startswith("/from"):
            connection.respond(b"", "307 Go", "Location: /to?b=2&a=1\r\n")
        else:
            connection.respond(body or b"read")


def with_auth(request: BlockingNetworkRequest, auth: Any) -> BlockingNetworkRequest:
    request.setAuthConfig(AuthConfig.requestsAuth(auth))
    return request


# -- auth objects that sign


def test_basic(request_of: BlockingNetworkRequest, httpbin: str) -> None:
    url = f"{httpbin}/basic-auth/user/pass"
    assert with_auth(request_of, HTTPBasicAuth("user", "pass")).get(url) is OK, request_of.errorMessage()
    assert request_of.reply().json()["user"] == "user"
    assert with_auth(request_of, HTTPBasicAuth("user", "wrong")).get(url) is SERVER
    assert request_of.reply().statusCode() == 401


def test_signature_of_url_and_body(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(checking_sigv4)
    with_auth(request_of, SigV4("id", "secret"))
    assert request_of.get(f"{server.url}/a%20b/c?x=1&a=%C3%A9") is OK, request_of.reply().body
    assert request_of.post(f"{server.url}/put?x", b"bytes \0\xff") is OK and request_of.reply().body == b"bytes \0\xff"
    assert request_of.put(f"{server.url}/file", io.BytesIO(b"of a file")) is OK
    assert request_of.reply().body == b"of a file"
    assert request_of.get(f"{server.url}/from?x=1") is OK, "the second URL has a signature of its own"
    assert with_auth(request_of, SigV4("id", "other")).get(f"{server.url}/a") is SERVER


def test_function_as_auth(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"body"))

    def sign(r: PreparedRequest) -> PreparedRequest:
        r.url = f"{r.url}&signed=yes"
        r.headers["X-Signature"] = b"bytes"  # type: ignore[assignment]
        r.headers["Accept"] = "text/changed"
        del r.headers["X-Removed"]
        r.body = "caf\u00e9"
        return r

    with_auth(request_of, sign)
    headers = {"Accept": "text/plain", "X-Removed": "1", "X-Kept": "2"}
    assert request_of.post(f"{server.url}/a?b=1", b"other", headers=headers) is OK
    sent = server.requests[0]
    assert sent.startswith(b"POST /a?b=1&signed=yes ") and sent.endswith(b"\r\n\r\ncaf\xc3\xa9")
    shown = [field(sent, name) for name in ("X-Signature", "Accept", "X-Removed", "X-Kept", "Content-Length")]
    assert shown == ["bytes", "text/changed", "", "2", "5"]
    assert request_of.reply().url().toString() == f"{server.url}/a?b=1"


def test_request_that_an_auth_object_sees(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server, auth = serve(always(b"body")), Numbering()
    assert with_auth(request_of, auth).put(f"{server.url}/a?b=1#c", b"data", headers={"X-A": "1"}) is OK
    (seen,) = auth.seen
    assert isinstance(seen, PreparedRequest) and (seen.method, seen.body) == ("PUT", b"data")
    assert seen.url is not None and seen.url.startswith(f"{server.url}/a?b=1")
    assert seen.headers["x-a"] == "1" and seen.headers["Content-Length"] == "4" and seen.path_url == "/a?b=1"
    assert auth.threads == {threading.get_ident()}


def test_own_authorization_field_goes_first(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server, auth = serve(always(b"body")), Numbering()
    assert with_auth(request_of, auth).get(server.url, headers={"Authorization": "mine"}) is OK
    assert fields(server, "Authorization") == ["mine"] and not auth.seen


def test_auth_object_by_id(manager: NetworkAccessManager, serve: Serve) -> None:
    server, auth = serve(always(b"body")), Numbering()
    manager.setAuthRegistry(AuthRegistry())
    request = BlockingNetworkRequest(manager)
    request.setAuthCfg(manager.authRegistry().store(AuthConfig.requestsAuth(auth)))
    assert request.get(server.url) is OK and fields(server, "Authorization") == ["Number 1"]


def test_auth_object_of_a_handler(manager: NetworkAccessManager, httpbin: str) -> None:
    asked: list[str] = []

    def handler(realm: str, host: str, attempt: int) -> AuthConfig:
        asked.append(realm)
        return AuthConfig.requestsAuth(HTTPBasicAuth("user", "pass"))

    manager.setAuthHandler(handler)
    for _ in range(2):
        assert manager.blockingGet(f"{httpbin}/basic-auth/user/pass").errorCode() is OK
    assert len(asked) == 1, "it is remembered for the origin"


# -- each hop and each attempt, and no other origin


def test_retries_are_signed_anew(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    left = ["503 Later", "503 Later", "200 OK"]

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"body", left.pop(0))

    server, auth = serve(handle), Numbering()
    request_of.setRetry(Retry(3, status_forcelist=[503], backoff_factor=0))
    assert with_auth(request_of, auth).get(server.url) is OK and request_of.reply().attempts() == 3
    assert fields(server, "Authorization") == ["Number 1", "Number 2", "Number 3"]


def redirecting_to(target: str) -> Handler:
    """Return a handler that redirects /a there, and responds with 200 to all else."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.split(b" ")[1].startswith(b"/a"):
                query = request.split(b" ")[1].partition(b"?")[2].decode()
                connection.respond(b"", "307 Go", f"Location: {target}?{query}\r\n")
            else:
                connection.respond(b"body")

    return handle


def in_query(r: PreparedRequest) -> PreparedRequest:
    assert r.url is not None
    r.url += ("&" if "?" in r.url else "?") + f"sig=s3cret&for={urlsplit(r.url).path[1:]}"
    return r


def test_redirect_within_the_origin_is_signed_anew(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server, auth = serve(redirecting_to("/b")), Numbering()
    assert with_auth(request_of, auth).get(f"{server.url}/a?x=1") is OK
    assert fields(server, "Authorization") == ["Number 1", "Number 2"]
    assert with_auth(request_of, in_query).get(f"{server.url}/a?x=1") is OK, request_of.errorMessage()
    assert targets(server)[2:] == ["/a?x=1&sig=s3cret&for=a", "/b?x=1&sig=s3cret&for=b"]
    assert "s3cret" not in repr(request_of.reply().history()[0].rawHeaderPairs())


def test_redirect_to_another_origin_is_not_signed(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    other = serve(always(b"body"))
    server, auth = serve(redirecting_to(f"{other.url}/b")), Numbering()
    assert with_auth(request_of, auth).get(f"{server.url}/a?x=1") is OK
    assert fields(other, "Authorization") == [""] and len(auth.seen) == 1
    assert with_auth(request_of, in_query).get(f"{server.url}/a?x=1") is OK
    assert targets(other) == ["/b?x=1", "/b?x=1"]


def test_auth_object_must_not_leave_the_origin(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server, other = serve(always(b"body")), serve(always(b"body"))

    def elsewhere(r: PreparedRequest) -> PreparedRequest:
        r.url = f"{other.url}/?token=s3cret"
        return r

    assert with_auth(request_of, elsewhere).get(server.url) is NET
    assert "has changed the URL to another origin" in request_of.errorMessage()
    assert "s3cret" not in request_of.errorMessage() and not other.requests and not server.requests


# -- hooks


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_digest(algorithm: str, request_of: BlockingNetworkRequest, httpbin: str) -> None:
    with_auth(request_of, HTTPDigestAuth("user", "pass"))
    for _ in range(3):
        assert request_of.get(f"{httpbin}/digest-auth/auth/user/pass/{algorithm}") is OK, request_of.errorMessage()
        assert request_of.reply().json()["authenticated"]
    with_auth(request_of, HTTPDigestAuth("user", "wrong"))
    assert request_of.get(f"{httpbin}/digest-auth/auth/user/pass/{algorithm}") is SERVER
    assert request_of.reply().statusCode() == 401


DIGEST = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n'


def wanting_digest(connection: Connection) -> None:
    """Challenges each request without Authorization, with a cookie; responds with the body of the request."""
    while (request := connection.read_request()) is not None:
        if field(request, "Authorization"):
            connection.respond(request.partition(b"\r\n\r\n")[2] or b"body")
        else:
            connection.respond(b"who?", "401 No", DIGEST + "Set-Cookie: session=1; Path=/\r\n")


def test_digest_with_a_body(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(wanting_digest)
    assert with_auth(request_of, HTTPDigestAuth("user", "pass")).post(server.url, b"data") is OK
    assert request_of.reply().body == b"data"
    assert [request.endswith(b"\r\n\r\ndata") for request in server.requests] == [True, True]


def test_cookies_of_a_challenge_are_sent_once(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(wanting_digest)
    manager.cookieJar().setCookie(server.url, "own", "2")
    request = with_auth(BlockingNetworkRequest(manager), HTTPDigestAuth("user", "pass"))
    assert request.get(server.url) is OK
    assert fields(server, "Cookie") == ["own=2", "own=2; session=1"]


def test_streamed_body(request_of: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server, auth, data = serve(wanting_digest), Numbering(), b"0123456789abcdef" * (1 << 17)
    path = tmp_path / "data"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert with_auth(request_of, auth).put(server.url, file) is OK and request_of.reply().body == data
        assert auth.seen[0].body.size == len(data)  # type: ignore[union-attr]
    with path.open("rb") as file:
        assert with_auth(request_of, HTTPDigestAuth("user", "pass")).put(server.url, file) is OK
        assert request_of.reply().body == data


def digest_of_body(prepared: PreparedRequest) -> PreparedRequest:
    prepared.headers["X-Digest"] = hashlib.sha256(prepared.body or b"").hexdigest()  # type: ignore[arg-type]
    return prepared


def read_body(prepared: PreparedRequest) -> PreparedRequest:
    prepared.headers["X-Length"] = str(len(prepared.body.read()))  # type: ignore[union-attr]
    return prepared


@pytest.mark.parametrize("sign", [digest_of_body, read_body])
def test_auth_object_that_reads_a_streamed_body(sign: Any, request_of: BlockingNetworkRequest, serve: Serve) -> None:
    """The message names the reason, and the error of the object is its cause."""
    server = serve(always(b"ok"))
    with_auth(request_of, sign)
    words = r"\(an error of the auth object of the type function\). No auth object can read .* give it as bytes"
    with pytest.raises(TypeError, match=words) as raised:
        request_of.put(server.url, io.BytesIO(b"x" * 2_000_000))
    cause = raised.value.__cause__
    assert isinstance(cause, (TypeError, AttributeError)) and str(raised.value).startswith(str(cause))
    assert server.requests == []


def test_error_of_an_auth_object_with_a_body_of_bytes(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    with pytest.raises(AttributeError, match=r"^'bytes' object has no attribute 'read'$"):
        with_auth(request_of, read_body).put(serve(always(b"ok")).url, b"x")
    assert with_auth(request_of, digest_of_body).put(serve(always(b"ok")).url, b"x" * 2_000_000) is OK


def test_streamed_body_that_cannot_be_sent_again(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.respond(b"who?", "401 No", DIGEST)
        connection.wait_for_close()

    server = serve(handle)
    body = (b"x" * (1 << 18) for _ in range(8))
    assert with_auth(on_python, HTTPDigestAuth("user", "pass")).put(server.url, body) is SERVER
    assert on_python.reply().statusCode() == 401 and on_python.reply().body == b"who?" and len(server.requests) == 1


def test_download_and_stream_with_a_hook(request_of: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(wanting_digest)
    with_auth(request_of, HTTPDigestAuth("user", "pass"))
    assert request_of.download(server.url, tmp_path / "file") is OK, request_of.errorMessage()
    assert (tmp_path / "file").read_bytes() == b"body"
    with_auth(request_of, HTTPDigestAuth("user", "pass"))
    with request_of.stream(server.url) as stream:
        assert b"".join(stream) == b"body"
    assert len(server.requests) == 4


class Mutual(AuthBase):
    """Authenticates as HTTPKerberosAuth does: by a hook, which wants a proof of the server's, too."""

    def __init__(self, proof: str = "yes") -> None:
        self.proof = proof
        self.responses: list[requests.Response] = []

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        r.register_hook("response", self.handle_response)  # type: ignore[no-untyped-call]
        return r

    def handle_response(self, response: requests.Response, **kwargs: Any) -> requests.Response:
        self.responses.append(response)
        if response.status_code == 401:
            response.content
            response.raw.release_conn()
            request = response.request.copy()
            request.headers["Authorization"] = "Negotiate abc"
            again = response.connection.send(request, **kwargs)  # type: ignore[attr-defined]
            again.history.append(response)
            response.close()
            return self.handle_response(again, **kwargs)
        if response.headers.get("www-authenticate") == f"Negotiate {self.proof}":
            return response
        hidden = requests.Response()
        hidden.__dict__.update({**response.__dict__, "status_code": 502, "reason": "No proof", "_content": b""})
        hidden.headers = requests.structures.CaseInsensitiveDict({"content-length": "0"})
        return hidden


def proving(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if field(request, "Authorization"):
            connection.respond(
                b"body", headers="WWW-Authenticate: Negotiate yes\r\nX-A: caf\xe9\r\nSet-Cookie: a=b\r\n"
            )
        else:
            connection.respond(b"who?", "401 No", "WWW-Authenticate: Negotiate\r\n")


def test_hook_that_authenticates_the_server(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server, auth = serve(proving), Mutual()
    assert with_auth(request_of, auth).get(f"{server.url}/a") is OK and request_of.reply().body == b"body"
    first, second = auth.responses
    assert (first.status_code, first.reason, first.content, first.ok) == (401, "No", b"who?", False)
    assert first.url == f"{server.url}/a" and first.request.url == first.url and not first.is_redirect
    assert second.headers["x-a"] == "caf\xe9" and second.cookies["a"] == "b" and second.text == "body"
    assert second.history == [first]
    with pytest.raises(RuntimeError, match="while the hook runs"):
        second.connection.send(second.request)  # type: ignore[attr-defined]


@pytest.mark.parametrize("streams", [False, True])
def test_hooks_of_a_session(streams: bool, manager: NetworkAccessManager, serve: Serve) -> None:
    """The adapter takes bodies as they came, in a content coding."""
    texts: list[str] = []

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            body, coding = gzip.compress(b"packed"), "Content-Encoding: gzip\r\n"
            connection.respond(body, "200 OK" if field(request, "Authorization") else "401 No", coding)

    def read(response: requests.Response, **kwargs: Any) -> Optional[requests.Response]:
        if response.status_code != 401:
            return None
        texts.append(response.text)
        return send_again(response)

    server = serve(handle)
    with requests_session(manager, authCfg=stored(manager, hooked(read)), authOrigins=server.url) as session:
        response = session.get(server.url, stream=streams)
        assert (response.status_code, response.text, texts) == (200, "packed", ["packed"])
    request = BlockingNetworkRequest(manager)
    assert with_auth(request, hooked(read)).get(server.url) is OK and request.reply().body == b"packed"
    assert texts == ["packed"] * 2


def test_hook_that_hides_a_response(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    assert with_auth(request_of, Mutual("other")).get(serve(proving).url) is SERVER
    reply = request_of.reply()
    assert (reply.statusCode(), reply.reasonPhrase(), reply.body) == (502, "No proof", b"")
    assert reply.headers.get("x-a") is None


def test_hook_that_sends_to_another_origin_is_refused(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server, other = serve(wanting_digest), serve(always(b"body"))

    def ask_elsewhere(response: requests.Response, **kwargs: Any) -> requests.Response:
        request = response.request.copy()
        request.url = other.url
        return response.connection.send(request)  # type: ignore[attr-defined,no-any-return]

    def auth(r: PreparedRequest) -> PreparedRequest:
        r.register_hook("response", ask_elsewhere)  # type: ignore[no-untyped-call]
        return r

    assert with_auth(request_of, auth).get(server.url) is NET and "another origin" in request_of.errorMessage()
    assert not other.requests


def hooked(hook: Callable[..., Any]) -> Prepared:
    """Return an auth object that only registers a hook."""

    def auth(r: PreparedRequest) -> PreparedRequest:
        r.register_hook("response", hook)  # type: ignore[no-untyped-call]
        return r

    return auth


def send_again(response: requests.Response, **kwargs: Any) -> requests.Response:
    request = response.request.copy()
    request.headers["Authorization"] = "again"
    return response.connection.send(request, **kwargs)  # type: ignore[attr-defined,no-any-return]


def swallowing(response: requests.Response, **kwargs: Any) -> requests.Response:
    try:
        return send_again(response)
    except requests.RequestException:
        return response


def hanging_at_the_second(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if field(request, "Authorization"):
            connection.wait_for_close()
            return
        connection.respond(b"who?", "401 No")


@pytest.mark.parametrize("hook", [send_again, swallowing])
@pytest.mark.parametrize("in_batch", [False, True], ids=["single", "batch"])
def test_cancel_while_a_hook_sends(hook: Any, in_batch: bool, manager: NetworkAccessManager, serve: Serve) -> None:
    server, feedback = serve(hanging_at_the_second), Feedback()
    manager.authRegistry().store(AuthConfig.requestsAuth(hooked(hook)), "cancel")
    moments: list[float] = []

    def cancel() -> None:
        server.wait_for_requests(2)
        moments.append(time.monotonic())
        feedback.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    if in_batch:
        (code,) = (each.code for each in manager.getMany([server.url], authCfg="cancel", feedback=feedback))
    else:
        request = BlockingNetworkRequest(manager)
        request.setAuthCfg("cancel")
        code = request.get(server.url, feedback=feedback)
    assert code is CANCELED and time.monotonic() - moments[0] < 0.5
    canceller.join()
    manager.authRegistry().remove("cancel")


@pytest.mark.parametrize("in_batch", [False, True], ids=["single", "batch"])
@pytest.mark.parametrize(("setter", "hook"), [("setTimeout", send_again), ("setDeadline", swallowing)])
def test_timeout_while_a_hook_sends(
    setter: str, hook: Any, in_batch: bool, manager: NetworkAccessManager, serve: Serve
) -> None:
    server = serve(hanging_at_the_second)
    getattr(manager, setter)(300)
    manager.setAuthRegistry(AuthRegistry())
    authcfg = manager.authRegistry().store(AuthConfig.requestsAuth(hooked(hook)))
    if in_batch:
        codes = [each.code for each in manager.getMany([server.url], authCfg=authcfg)]
    else:
        request = BlockingNetworkRequest(manager)
        request.setAuthCfg(authcfg)
        codes = [request.get(server.url)]
    assert codes == [TIMEOUT] and len(server.requests) == 2


def test_connection_lost_while_a_hook_sends(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if field(request, "Authorization"):
                connection.reset()
                return
            connection.respond(b"who?", "401 No")

    server = serve(handle)
    assert with_auth(request_of, hooked(send_again)).post(server.url, b"a") is NET
    assert enum_value(request_of.reply().error()) == Q.RemoteHostClosedError
    # A hook that handles the exception has the last word.
    assert with_auth(request_of, hooked(swallowing)).post(server.url, b"a") is SERVER
    assert request_of.reply().body == b"who?"


# -- errors of the caller's code


class Wrong(Exception):
    pass


def failing(r: Any, **kwargs: Any) -> Any:
    raise Wrong("of the caller")


@pytest.mark.parametrize("auth", [failing, hooked(failing)], ids=["auth", "hook"])
def test_exception_is_raised_to_the_caller(auth: Any, manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"body"))
    request = with_auth(BlockingNetworkRequest(manager), auth)
    for _ in range(2):
        with pytest.raises(Wrong, match="of the caller"):
            request.get(server.url)
    with pytest.raises(Wrong), request.stream(server.url) as stream:
        list(stream)
    authcfg = manager.authRegistry().store(AuthConfig.requestsAuth(auth))
    with pytest.raises(Wrong):
        list(manager.getMany([server.url], authCfg=authcfg))
    request.setAuthConfig(None)
    assert request.get(server.url) is OK


def setting(name: str, value: Any) -> Prepared:
    def auth(r: PreparedRequest) -> PreparedRequest:
        setattr(r, name, value)
        return r

    return auth


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (lambda r: None, "must return the requests.PreparedRequest .* function has returned NoneType"),
        (lambda r: r.headers, "has returned CaseInsensitiveDict"),
        (setting("headers", {"X": 1}), "the header field x must be a str or bytes, not int"),
        (setting("url", None), "the url of a request must be a str, not NoneType"),
        (setting("body", 1), "may put bytes or a str in the place of the body, not int"),
        (hooked(lambda r, **_: "text"), "a response hook must return a requests.Response or None, not str"),
        (hooked(lambda r, **_: requests.Response()), "a requests.Response without a status_code"),
    ],
)
def test_results_of_wrong_types(auth: Any, message: str, request_of: BlockingNetworkRequest, serve: Serve) -> None:
    with pytest.raises(TypeError, match=message):
        with_auth(request_of, auth).get(serve(always(b"body")).url)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("headers", {"X": "a\r\nb: s3cret"}, "holds a line end or NUL"),
        ("headers", {"a b": "s3cret"}, "The header name b'a b' is not allowed"),
        ("url", "http://[s3cret", "a URL that is not valid"),
        ("url", "http://user:s3cret@host/", "put a user and a password into the URL"),
        ("method", "a b", "without a valid method"),
        ("method", None, "without a valid method"),
    ],
)
def test_requests_that_cannot_be_sent(
    name: str, value: Any, message: str, request_of: BlockingNetworkRequest, serve: Serve
) -> None:
    server = serve(always(b"body"))
    assert with_auth(request_of, setting(name, value)).get(server.url) is NET
    assert message in request_of.errorMessage() and "s3cret" not in request_of.errorMessage()
    assert not server.requests


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (("user", "password"), "take AuthConfig.basic"),
        (None, "not NoneType"),
        ("token", "not str"),
        (HTTPDigestAuth, "not the class HTTPDigestAuth: make one of it"),
    ],
)
def test_arguments_of_wrong_types(auth: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        AuthConfig.requestsAuth(auth)
    with pytest.raises(TypeError, match=r"belongs to AuthConfig\.requestsAuth"):
        AuthConfig(AuthMethod.Basic, "user", "password", auth=len)


# -- values and secrets


def test_config_is_a_value() -> None:
    auth = HTTPBasicAuth("user", "s3cret")
    config, same = AuthConfig.requestsAuth(auth), AuthConfig.requestsAuth(auth)
    assert config == same and hash(config) == hash(same) and config.auth is auth
    assert config != AuthConfig.requestsAuth(HTTPBasicAuth("user", "s3cret"))
    assert repr(config) == "<AuthConfig RequestsAuth>" and copy.deepcopy(config) is config
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(config)
    with pytest.raises(TypeError, match="is no text"):
        config.toJson()


def test_secrets_are_not_shown(
    request_of: BlockingNetworkRequest, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(redirecting_to("/b"))

    def auth(r: PreparedRequest) -> PreparedRequest:
        r.headers["X-Odd-Name"] = "s3cret"
        r.url = f"{r.url}&odd=s3cret"
        return r

    caplog.set_level(logging.DEBUG)
    assert with_auth(request_of, auth).get(f"{server.url}/a?b=1") is OK
    assert all(field(request, "X-Odd-Name") == "s3cret" for request in server.requests)
    reply = request_of.reply()
    shown = [caplog.text, repr(reply), repr(request_of), repr(reply.rawHeaderPairs()), reply.url().toString()]
    assert not any("s3cret" in text for text in shown)
    assert b"s3cret" not in pickle.dumps(reply)
    server.close()
    assert request_of.get(f"{server.url}/a?b=1") is NET and "s3cret" not in request_of.errorMessage()


def test_cache_does_not_share_between_users(manager: NetworkAccessManager, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            user = field(request, "X-User") or field(request, "Authorization") or "nobody"
            connection.respond(user.encode(), headers="Cache-Control: private, max-age=600\r\n")

    server = serve(handle)
    manager.setCache(NetworkMemoryCache())
    request = BlockingNetworkRequest(manager)
    user = ["ann"]

    def auth(r: PreparedRequest) -> PreparedRequest:
        r.headers["X-User"] = user[0]
        return r

    for name in ("ann", "bob", "ann"):
        user[0] = name
        assert with_auth(request, auth).get(server.url) is OK and request.reply().body == name.encode()
    assert request.reply().isFromCache() and len(server.requests) == 2
    request.setAuthConfig(None)
    assert request.get(server.url) is OK and request.reply().body == b"nobody"


# -- batches


def waiting_for(count: int) -> Handler:
    """Return a handler that challenges no request before so many have come."""
    barrier = threading.Barrier(count)

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if field(request, "Authorization"):
                connection.respond(b"body")
            else:
                barrier.wait(10)
                connection.respond(b"who?", "401 No", DIGEST)

    return handle


def stored(manager: NetworkAccessManager, auth: Any) -> str:
    manager.setAuthRegistry(AuthRegistry())
    return manager.authRegistry().store(AuthConfig.requestsAuth(auth))


def test_batch_is_signed(manager: NetworkAccessManager, serve: Serve) -> None:
    server, auth = serve(checking_sigv4), SigV4("id", "secret")
    items = [BatchRequest(f"{server.url}/{each}", "PUT", b"%d" % each) for each in range(20)]
    results = list(manager.sendMany(items, authCfg=stored(manager, auth)))
    assert {each.code for each in results} == {OK}
    assert sorted(int(each.reply.body) for each in results) == list(range(20))


def test_hooks_in_a_batch(manager: NetworkAccessManager, serve: Serve) -> None:
    """All requests are signed before the first hook runs: HTTPDigestAuth counts the challenges of its thread."""
    server = serve(waiting_for(4))
    authcfg = stored(manager, HTTPDigestAuth("user", "pass"))
    urls = [f"{server.url}/{each}" for each in range(4)]
    results = list(manager.getMany(urls, authCfg=authcfg, maxConcurrent=4))
    assert [(each.code, each.reply.body) for each in results] == [(OK, b"body")] * 4


def test_hooks_in_a_batch_of_downloads(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    server = serve(wanting_digest)
    authcfg = stored(manager, HTTPDigestAuth("user", "pass"))
    pairs = [(f"{server.url}/{each}", tmp_path / str(each)) for each in range(4)]
    assert {each.code for each in manager.downloadMany(pairs, authCfg=authcfg)} == {OK}
    assert {path.read_bytes() for _, path in pairs} == {b"body"}


def test_connection_is_kept(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(wanting_digest)
    for _ in range(5):
        assert with_auth(on_python, HTTPDigestAuth("user", "pass")).get(server.url) is OK
    assert server.connections == 1 and len(server.requests) == 10


def test_hook_that_reads_a_streamed_body(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"body"))
    with_auth(request_of, hooked(lambda r, **_: r.content and None))
    with pytest.raises(RuntimeError, match="cannot read the body of a response that is streamed"):
        with request_of.stream(server.url) as stream:
            list(stream)
    with_auth(request_of, hooked(lambda r, **_: None))
    with request_of.stream(server.url) as stream:
        assert b"".join(stream) == b"body"


def test_threads_share_an_auth_object(manager: NetworkAccessManager, serve: Serve) -> None:
    server, auth = serve(waiting_for(4)), HTTPDigestAuth("user", "pass")
    codes: list[ErrorCode] = []
    authcfg = stored(manager, auth)

    def get(number: int) -> None:
        request = BlockingNetworkRequest(manager)
        request.setAuthCfg(authcfg)
        codes.append(request.get(f"{server.url}/{number}"))

    threads = [threading.Thread(target=get, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert codes == [OK] * 4


def test_responses_of_hooks_are_freed(manager: NetworkAccessManager, serve: Serve) -> None:
    seen: list[weakref.ref[requests.Response]] = []

    def hook(response: requests.Response, **kwargs: Any) -> requests.Response:
        seen.append(weakref.ref(response))
        again = send_again(response)
        seen.append(weakref.ref(again))
        return again

    server = serve(wanting_digest)
    authcfg = stored(manager, hooked(hook))
    request = BlockingNetworkRequest(manager)
    request.setAuthCfg(authcfg)
    with without_garbage_collector():
        assert request.get(server.url) is OK
        assert [each.code for each in manager.getMany([server.url], authCfg=authcfg)] == [OK]
        assert [each() for each in seen] == [None] * 4


def test_redirect_is_reported_once(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.startswith(b"GET /a"):
                connection.respond(b"", "302 Go", "Location: /b\r\n")
            elif field(request, "Authorization"):
                connection.respond(b"body")
            else:
                connection.respond(b"who?", "401 No")

    redirects: list[str] = []
    request_of.redirected.connect(lambda url: redirects.append(url.path()))
    again = hooked(lambda r, **_: send_again(r) if r.status_code == 401 else None)
    assert with_auth(request_of, again).get(f"{serve(handle).url}/a") is OK
    assert redirects == ["/b"] and len(request_of.reply().history()) == 1

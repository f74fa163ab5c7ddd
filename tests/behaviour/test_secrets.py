"""Regressions: a secret, or a text of a server, was sent or shown in a wrong place."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from urllib3.util import Retry

from blocking_request import AuthConfig, BlockingNetworkRequest, CookieJar, ErrorCode, NetworkAccessManager, TlsSettings
from blocking_request.qt.binding import QtCore, enum_value, has_tls
from blocking_request.stores.cookie_jar import cookie_header, receive_cookies

from ..support.auth_handler import ScriptedAuthHandler
from ..support.names import NET, OK, REQUEST, SERVER, TLS_ENGINES, Serve
from ..support.servers.ntlm import challenge as ntlm_challenge
from ..support.servers.ntlm import ntlm_server
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import Connection, Handler, RawServer, always
from ..support.servers.tls import TlsServer


def responding(*responses: tuple[str, str]) -> Handler:
    """Return a handler that gives these responses (status and header fields) in order, and then repeats the last one."""
    left = list(responses)

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            status, fields = left.pop(0) if len(left) > 1 else left[0]
            connection.respond(b"body", status, fields)

    return handle


def fields_of(server: RawServer, name: bytes) -> list[bytes]:
    return [
        b"".join(line for line in request.split(b"\r\n") if line.lower().startswith(name.lower() + b":"))
        for request in server.requests
    ]


DIGEST = ("401 No", 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n')
NTLM = ("401 No", "WWW-Authenticate: NTLM\r\n")


@pytest.mark.parametrize("challenge", [DIGEST, NTLM], ids=["digest", "ntlm"])
@pytest.mark.parametrize(
    "config",
    [
        AuthConfig.bearer("s3cret"),
        AuthConfig.apiKey("s3cret"),
        AuthConfig.clientCertificate("me.pem", keyPassword="s3cret"),
    ],
    ids=["bearer", "key", "certificate"],
)
def test_tokens_and_certificates_are_not_used_for_digest_or_ntlm(
    config: AuthConfig, challenge: tuple[str, str], serve: Serve
) -> None:
    server = serve(responding(challenge))
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setAuthConfig(config)
    assert request.get(server.url) is SERVER
    assert not any(word in b"".join(server.requests) for word in (b"Digest", b"NTLM"))


def test_bearer_token_if_digest_is_offered_too(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(responding((DIGEST[0], DIGEST[1] + "WWW-Authenticate: Bearer\r\n"), ("200 OK", "")))
    manager.setAuthHandler(ScriptedAuthHandler(AuthConfig.bearer("tok")))
    assert manager.blockingGet(server.url).errorCode() is OK
    assert fields_of(server, b"Authorization")[1] == b"Authorization: Bearer tok"


def test_digest_credentials_are_not_sent_as_basic_after_ntlm(serve: Serve) -> None:
    server = serve(responding(NTLM, ("401 No", 'WWW-Authenticate: Basic realm="x"\r\n')))
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setAuthConfig(AuthConfig.digest("user", "s3cret"))
    assert request.get(server.url) is SERVER
    assert fields_of(server, b"Authorization") == [b""]


def test_pickled_reply_contains_no_secret(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"ok"))
    manager.setTlsSettings(TlsSettings(clientCertificate=b"-----BEGIN", clientKey=b"s3cret", keyPassword="s3cret"))
    manager.setDefaultHeaders({"X-Api-Key": "s3cret"})
    manager.setSecretParameters(["X-Mine"])
    request = REQUEST(QtCore.QUrl(server.url))
    request.setRawHeader(b"Authorization", b"s3cret")
    request.setRawHeader(b"X-Mine", b"s3cret")
    blocking = BlockingNetworkRequest(manager)
    assert blocking.post(request, b"s3cret") is OK
    assert b"s3cret" not in pickle.dumps(blocking.reply())


def test_api_key_repeated_in_a_location_is_redacted(manager: NetworkAccessManager, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            target = request.split(b" ")[1].decode()
            if target.startswith("/p/"):
                connection.respond(b"", "404 Not Found")
            else:
                connection.respond(b"", "301 Moved", f"Location: {target.replace('/p', '/p/')}\r\n")

    server = serve(handle)
    request = BlockingNetworkRequest(manager)
    request.setAuthConfig(AuthConfig.apiKey("s3cret", parameter="mine"))
    assert request.get(f"{server.url}/p?a=1") is SERVER
    assert b"GET /p/?a=1&mine=s3cret " in server.requests[1]
    assert "s3cret" not in request.errorMessage() + repr(request.reply()) + request.reply().url().toString()
    # a redirect to another origin
    other = serve(always(b""))
    first = serve(responding(("302 Found", f"Location: {other.url}/?mine=s3cret\r\n")))
    assert request.get(first.url) is OK
    assert b"s3cret" not in other.requests[0]


def test_secret_parameters_in_redirect_messages(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(responding(("302 Found", "Location: ftp://other/?ticket=s3cret\r\n")))
    manager.setSecretParameters(["ticket"])
    assert "s3cret" not in manager.blockingGet(server.url).errorString()


def test_authentication_reuse_attribute_stores_no_credentials(manager: NetworkAccessManager, httpbin: str) -> None:
    asked: list[int] = []

    def handler(realm: str, host: str, attempt: int) -> tuple[str, str]:
        asked.append(attempt)
        return ("user", "pass")

    manager.setAuthHandler(handler)
    request = REQUEST(QtCore.QUrl(f"{httpbin}/basic-auth/user/pass"))
    request.setAttribute(REQUEST.Attribute.AuthenticationReuseAttribute, enum_value(REQUEST.LoadControl.Manual))
    for _ in range(3):
        assert manager.blockingGet(request).errorCode() is OK
    assert len(asked) == 3


def test_credentials_of_a_removed_handler_are_used(manager: NetworkAccessManager, httpbin: str) -> None:
    def handler(realm: str, host: str, attempt: int) -> tuple[str, str]:
        manager.setAuthHandler(None)
        manager.blockingGet(f"{httpbin}/get")
        return ("user", "pass")

    manager.setAuthHandler(handler)
    codes = [manager.blockingGet(f"{httpbin}/basic-auth/user/pass").errorCode() for _ in range(3)]
    assert codes == [OK] * 3


def test_log_of_urllib3_contains_no_secret(
    manager: NetworkAccessManager, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(responding(("503 Busy", ""), ("200 OK", "")))
    manager.setRetry(Retry(1, status_forcelist=[503]))
    assert manager.blockingGet(f"{server.url}/?access_token=s3cret").errorCode() is OK
    assert "s3cret" not in caplog.text and caplog.text


def test_error_of_an_invalid_cookie_file_contains_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text("example.org\tTRUE\t/\tFALSE\tsoon\tsid\ts3cret\n")
    with pytest.raises(ValueError, match="the expiry in line 1 is no whole number") as caught:
        CookieJar().load(file)
    assert "s3cret" not in str(caught.value)
    # some programs write a domain without a leading dot
    file.write_text("example.org\tTRUE\t/\tFALSE\t0\tsid\tabc\n")
    jar = CookieJar()
    jar.load(file)
    assert cookie_header(jar, "http://sub.example.org/") == b"sid=abc"


def test_preprocessor_changes_the_origin(manager: NetworkAccessManager, serve: Serve) -> None:
    named, other = serve(always(b"")), serve(always(b""))
    id = manager.setRequestPreprocessor(lambda request: request.setUrl(QtCore.QUrl(other.url)))
    request = BlockingNetworkRequest(manager)
    request.setAuthConfig(AuthConfig.basic("u", "p"))
    assert request.get(named.url) is OK
    assert fields_of(other, b"Authorization") == [b""]
    manager.removeRequestPreprocessor(id)
    manager.setRequestPreprocessor(
        lambda request: request.setUrl(QtCore.QUrl(named.url.replace("//", "//user:s3cret@")))
    )
    assert request.get(named.url) is NET and "s3cret" not in request.errorMessage()


# -- header fields of a server


@pytest.mark.parametrize("value", ["Fri, 31 Dec 99999999 23:59:59 GMT", "9" * 5000, "\xb2"])
def test_invalid_retry_after(value: str, manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(responding(("503 Busy", f"Retry-After: {value}\r\n"), ("200 OK", "")))
    manager.setRetry(Retry(1))
    manager.setDeadline(2000)
    assert manager.blockingGet(server.url).errorCode() in (OK, ErrorCode.TimeoutError)


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_invalid_and_repeated_strict_transport_fields(engine: str) -> None:
    authority = trustme.CA()
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setStrictTransportSecurityEnabled(True)
    field = "Strict-Transport-Security: "
    bad = TlsServer(authority.issue_cert("localhost"), always(b"", headers=f"{field}max-age=\xb2\r\n"))
    assert manager.blockingGet(bad.url.replace("127.0.0.1", "localhost")).errorCode() is OK
    hosts = manager.strictTransportSecurityHosts()
    assert hosts is not None and hosts.hosts() == []
    two = TlsServer(
        authority.issue_cert("localhost"), always(b"", headers=f"{field}max-age=100\r\n{field}max-age=0\r\n")
    )
    assert manager.blockingGet(two.url.replace("127.0.0.1", "localhost")).errorCode() is OK
    if engine == "python":  # Qt joins the two
        assert hosts.hosts() == ["localhost"]
    bad.close()
    two.close()


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_redirect_to_http_of_an_hsts_host(engine: str) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("localhost"), lambda connection: move(connection))

    def move(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b"GET /there" in request:
                connection.respond(b"there")
            else:
                connection.respond(b"", "302 Found", f"Location: http://localhost:{server.port}/there\r\n")

    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setStrictTransportSecurityEnabled(True)
    hosts = manager.strictTransportSecurityHosts()
    assert hosts is not None
    hosts.add("localhost", 100)
    reply = manager.blockingGet(f"http://localhost:{server.port}/")
    assert (reply.errorCode(), reply.body) == (OK, b"there"), reply.errorString()
    server.close()


def test_control_characters_of_a_server_are_not_sent_back(manager: NetworkAccessManager, serve: Serve) -> None:
    jar = CookieJar()
    receive_cookies(jar, "http://host/", [b"sid=a\rX-Evil: 1", b"nul=a\0b", b"fine=1"])
    assert cookie_header(jar, "http://host/") == b"fine=1"
    server = serve(responding(("401 No", 'WWW-Authenticate: Digest realm="x\rX-Evil: 1\r", nonce="n\x00"\r\n')))
    request = BlockingNetworkRequest(manager)
    request.setAuthConfig(AuthConfig.digest("u", "p"))
    request.get(server.url)
    assert not any(line.startswith(b"X-Evil") for each in server.requests for line in each.splitlines())
    assert not any(b"\0" in each for each in server.requests)


def test_ntlm_sends_the_body_once(serve: Serve) -> None:
    """The server reads the last NTLM message and the body, and closes without a response."""
    import base64

    done: list[bytes] = []

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b"TlRMTVNTUAAD" in request:
                if request.startswith(b"POST"):
                    done.append(request)
                    return
                connection.respond(b"in")
            elif b"TlRMTVNTUAAB" in request:
                value = base64.b64encode(ntlm_challenge()).decode()
                connection.respond(b"", "401 No", f"WWW-Authenticate: NTLM {value}\r\n")
            else:
                connection.respond(b"", "401 No", "WWW-Authenticate: NTLM\r\n")

    server = serve(handle)
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setTimeout(5_000)
    request.setAuthConfig(AuthConfig.basic("user", "pass"))
    assert request.post(server.url, b"data") is not OK
    assert len(done) <= 1


def test_407_of_a_server_behind_a_tunnel_asks_no_handler(engine: str) -> None:
    authority = trustme.CA()
    server = TlsServer(
        authority.issue_cert("somewhere.test"),
        always(b"", "407 Tell me", 'Proxy-Authenticate: Basic realm="Your bank password"\r\n'),
    )
    proxy = ProxyServer()
    manager = NetworkAccessManager()
    manager.setEngine(engine if has_tls() else "python")
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setProxy(f"127.0.0.1:{proxy.port}")
    handler = ScriptedAuthHandler()
    manager.setAuthHandler(handler)
    reply = manager.blockingPost(server.url.replace("127.0.0.1", "somewhere.test"), b"data")
    assert reply.statusCode() == 407 and handler.questions == []
    proxy.close()
    server.close()


def test_ntlm_and_basic_offered_to_an_engine_without_ntlm(serve: Serve) -> None:
    authority = trustme.CA()
    offers = 'WWW-Authenticate: NTLM\r\nWWW-Authenticate: Basic realm="r"\r\n'

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            is_in = b"Authorization: Basic" in request
            connection.respond(b"in" if is_in else b"", "200 OK" if is_in else "401 No", "" if is_in else offers)

    server = TlsServer(authority.issue_cert("127.0.0.1"), handle)
    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setAuthHandler(ScriptedAuthHandler(("u", "p"), ("u", "p"), ("u", "p")))
    reply = manager.blockingGet(server.url)
    assert reply.errorCode() is (SERVER if has_tls() else OK), reply.errorString()
    server.close()


def test_basic_if_the_digest_is_not_supported(manager: NetworkAccessManager, serve: Serve) -> None:
    offers = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth-int"\r\nWWW-Authenticate: Basic realm="b"\r\n'
    server = serve(responding(("401 No", offers), ("200 OK", "")))
    handler = ScriptedAuthHandler(("u", "p"))
    manager.setAuthHandler(handler)
    assert manager.blockingGet(server.url).errorCode() is OK
    assert handler.questions[0][0] == "b"


def test_digest_with_non_ascii_characters(manager: NetworkAccessManager, serve: Serve) -> None:
    import hashlib
    import re

    proofs: list[bool] = []

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            found = re.search(rb"Authorization: Digest (.*?)\r\n", request)
            if found is None:
                field = 'WWW-Authenticate: Digest realm="Gesch\xc3\xbctzt \\"a\\"", nonce="n"\r\n'
                connection.respond(b"", "401 No", field)
                continue
            one = hashlib.md5(b'u"ser:' + b'Gesch\xc3\xbctzt "a":' + "pä".encode()).hexdigest()
            two = hashlib.md5(b"GET:/a;v=1?q=2").hexdigest()
            proof = hashlib.md5(f"{one}:n:{two}".encode()).hexdigest().encode()
            is_right = proof in found[1] and b'uri="/a;v=1?q=2"' in found[1] and b'username="u\\"ser"' in found[1]
            proofs.append(is_right and b'realm="Gesch\xc3\xbctzt \\"a\\""' in found[1])
            connection.respond(b"in")

    server = serve(handle)
    request = BlockingNetworkRequest(manager)
    request.setAuthConfig(AuthConfig.digest('u"ser', "pä"))
    assert request.get(f"{server.url}/a;v=1?q=2") is OK
    assert proofs == [True]


def test_cookies_of_a_401_are_stored(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(responding((DIGEST[0], DIGEST[1] + "Set-Cookie: sid=1\r\n"), ("200 OK", "")))
    request = BlockingNetworkRequest(manager)
    request.setAuthConfig(AuthConfig.digest("u", "p"))
    assert request.get(server.url) is OK
    assert fields_of(server, b"Cookie") == [b"", b"Cookie: sid=1"]


@pytest.mark.parametrize(
    ("value", "from_url", "to_url", "sent"),
    [
        ("a=1; Domain=0.1", "http://127.0.0.1/", "http://127.1.0.1/", None),
        ("a=1; Domain=127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1/", b"a=1"),
        ("a=1; Path=foo", "http://host.test/x/y", "http://host.test/x/z", b"a=1"),
        ("a=1; Max-Age=x", "http://host.test/", "http://host.test/", b"a=1"),
        ("a=1; Max-Age=", "http://host.test/", "http://host.test/", b"a=1"),
        ("a=1; Domain=", "http://host.test/", "http://host.test/", b"a=1"),
        ("a=1; Port=1", "http://host.test/", "http://host.test/", b"a=1"),
        ('a=1; Version="x"', "http://host.test/", "http://host.test/", b"a=1"),
        ("a=1; Expires=Mon, 01 Jan 1900 00:00:00 GMT", "http://host.test/", "http://host.test/", None),
        ("a=1; Expires=whenever", "http://host.test/", "http://host.test/", b"a=1"),
        ("a=1; Max-Age=99999999999999999999", "http://host.test/", "http://host.test/", b"a=1"),
        ("a=" + "x" * 5000, "http://host.test/", "http://host.test/", None),
    ],
)
def test_rfc6265_5_2_set_cookie(value: str, from_url: str, to_url: str, sent: Any) -> None:
    jar = CookieJar()
    receive_cookies(jar, from_url, [value.encode()])
    assert cookie_header(jar, to_url) == sent
    assert len(jar.allCookies()) == len(jar)


def test_secure_cookie_is_not_replaced_and_cookies_are_limited() -> None:
    jar = CookieJar()
    receive_cookies(jar, "https://host.test/", [b"a=safe; Secure"])
    receive_cookies(jar, "http://host.test/", [b"a=evil"])
    assert cookie_header(jar, "https://host.test/") == b"a=safe"
    receive_cookies(jar, "http://host.test/", [f"c{number}=1".encode() for number in range(1000)])
    assert len(jar) <= 180
    assert b"c999=1" in (cookie_header(jar, "http://host.test/") or b"")


def test_one_thread_clears_the_jar_while_others_read() -> None:
    import sys

    jar = CookieJar()
    errors: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                cookie_header(jar, "http://ex.org/")
                jar.cookiesForUrl("http://ex.org/")
        except BaseException as error:
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    readers = [threading.Thread(target=read) for _ in range(3)]
    try:
        for reader in readers:
            reader.start()
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            receive_cookies(jar, "http://ex.org/", [b"a=1; Path=/", b"b=2; Path=/b"])
            jar.clear("ex.org")
    finally:
        stop.set()
        for reader in readers:
            reader.join(30)
        sys.setswitchinterval(before)
    assert errors == []


# -- slots, proxies and look-ups


class Raising(QtCore.QObject):
    def handle_event(self, reply: object) -> None:
        raise LookupError("heard")


def test_exception_in_a_slot_of_a_qobject(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b""))
    listener = Raising()
    manager.finished.connect(listener.handle_event)
    with pytest.raises(LookupError, match="heard"):
        manager.blockingGet(server.url)
    # the signal does not keep it alive
    del listener
    assert manager.blockingGet(server.url).errorCode() is OK


def test_proxy_with_wrong_credentials_asks_the_handler_once(serve: Serve, engine: str) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            is_in = b"Proxy-Authorization: Basic Z29vZDpwdw==" in request
            fields = "" if is_in else 'Proxy-Authenticate: Basic realm="p"\r\n'
            connection.respond(b"in" if is_in else b"", "200 OK" if is_in else "407 Who", fields)

    proxy = serve(handle)
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setProxy(f"http://bad:pw@127.0.0.1:{proxy.port}")
    handler = ScriptedAuthHandler(("good", "pw"))
    manager.setAuthHandler(handler)
    assert [manager.blockingGet("http://somewhere.test/").body for _ in range(3)] == [b"in"] * 3
    assert len(handler.questions) == 1


def test_late_look_up_does_not_affect_the_next_attempt(serve: Serve) -> None:
    """The first attempt times out while its host is still being looked up."""
    import socket

    server = serve(always(b"ok"))
    look_up, calls = socket.getaddrinfo, [0]

    def slow(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == 1:
            time.sleep(0.6)
        return look_up(*args, **kwargs)

    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setEngine("python")
    request.setTimeout(200)
    request.setRetry(Retry(9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", slow)
        assert request.get(server.url.replace("127.0.0.1", "localhost")) is OK, request.errorMessage()
    assert request.reply().body == b"ok" and request.reply().attempts() >= 2
    manager = NetworkAccessManager.instance()
    manager.shutdown()


def test_ntlm_connection_is_not_shared(serve: Serve) -> None:
    server = serve(ntlm_server("user"))
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setAuthConfig(AuthConfig.basic("user", "pass"))
    assert request.get(server.url) is OK
    assert BlockingNetworkRequest(NetworkAccessManager()).get(server.url) is SERVER

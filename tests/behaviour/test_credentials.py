"""Credentials with real servers, on both engines: which are sent, when a handler is asked, and that they stay secret."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
from base64 import b64decode
from pathlib import Path
from typing import Any, Callable

import pytest
import trustme

from blocking_request import (
    AuthConfig,
    AuthRegistry,
    BlockingNetworkRequest,
    ErrorCode,
    NetworkAccessManager,
    TlsSettings,
)
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.qt.binding import QT_VERSION, QtCore, QtNetwork, enum_value
from blocking_request.qt.network_request import raw_fields

from ..support.auth_handler import ScriptedAuthHandler
from ..support.names import NET, OK, REQUEST, SERVER, TLS_ENGINES, Serve
from ..support.servers.ntlm import ntlm_server
from ..support.servers.raw import Connection, Handler, RawServer, always
from ..support.servers.tls import TlsServer


def refusing(challenge: str) -> Handler:
    """Return a handler that responds with 401 to each request."""

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"no", "401 Unauthorized", f"WWW-Authenticate: {challenge}\r\n")

    return handle


def authorizations(server: RawServer) -> list[str]:
    found = []
    for request in server.requests:
        lines = [line for line in request.split(b"\r\n") if line.lower().startswith(b"authorization: ")]
        found.append(lines[0].partition(b": ")[2].decode() if lines else "")
    return found


# -- httpbin


def test_basic(request_of: BlockingNetworkRequest, httpbin: str) -> None:
    url = f"{httpbin}/basic-auth/user/pass"
    assert request_of.get(url) is SERVER
    assert request_of.errorMessage() == f"Host requires authentication (401, {url})"
    request_of.setAuthConfig(AuthConfig.basic("user", "pass"))
    assert request_of.get(url) is OK and request_of.reply().json()["user"] == "user"
    request_of.setAuthConfig(AuthConfig.basic("user", "wrong"))
    assert request_of.get(url) is SERVER and request_of.reply().statusCode() == 401


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512"])
@pytest.mark.parametrize("config", [AuthConfig.digest("user", "pass"), AuthConfig.basic("user", "pass")])
def test_digest(config: AuthConfig, algorithm: str, request_of: BlockingNetworkRequest, httpbin: str) -> None:
    request_of.setAuthConfig(config)
    for _ in range(2):
        assert request_of.get(f"{httpbin}/digest-auth/auth/user/pass/{algorithm}") is OK, request_of.errorMessage()
    assert request_of.post(f"{httpbin}/post", b"a=1") is OK
    assert request_of.get(f"{httpbin}/digest-auth/auth/user/other/{algorithm}") is SERVER


def test_userinfo_for_a_digest_challenge(request_of: BlockingNetworkRequest, httpbin: str) -> None:
    url = httpbin.replace("//", "//user:pass@") + "/digest-auth/auth/user/pass"
    assert request_of.get(url) is OK, request_of.errorMessage()
    assert request_of.get(QtCore.QUrl(url)) is OK
    assert "pass" not in request_of.reply().url().authority()


def test_bearer(request_of: BlockingNetworkRequest, httpbin: str) -> None:
    request_of.setAuthConfig(AuthConfig.bearer("tok"))
    assert request_of.get(f"{httpbin}/bearer") is OK and request_of.reply().json()["token"] == "tok"


def test_api_keys(request_of: BlockingNetworkRequest, httpbin: str) -> None:
    request_of.setAuthConfig(AuthConfig.apiKey("k1", header="X-Mine"))
    assert request_of.get(f"{httpbin}/headers") is OK
    assert request_of.reply().json()["headers"]["X-Mine"] == "k1"
    request_of.setAuthConfig(AuthConfig.apiKey("k 2", parameter="mine"))
    assert request_of.get(f"{httpbin}/get?a=1") is OK
    assert request_of.reply().json()["args"] == {"a": "1", "mine": "k 2"}
    assert request_of.reply().url().toString().endswith("/get?a=1")


# -- the handler


def test_handler_runs_in_the_callers_thread(manager: NetworkAccessManager, httpbin: str) -> None:
    threads: list[int] = []

    def handler(realm: str, host: str, attempt: int) -> tuple[str, str]:
        threads.append(threading.get_ident())
        assert realm == "Fake Realm" and host == httpbin.partition("//")[2]
        return ("user", "pass" if attempt == 2 else "wrong")

    manager.setAuthHandler(handler)
    results: list[ErrorCode] = []
    caller = threading.Thread(
        target=lambda: results.append(manager.blockingGet(f"{httpbin}/basic-auth/user/pass").errorCode())
    )
    caller.start()
    caller.join(30)
    assert results == [OK] and threads == [caller.ident] * 2
    # the credentials are cached for this origin, for each caller
    assert manager.blockingGet(f"{httpbin}/basic-auth/user/pass").errorCode() is OK
    assert len(threads) == 2
    manager.clearAccessCache()
    assert manager.blockingGet(f"{httpbin}/basic-auth/user/pass").errorCode() is OK
    assert len(threads) == 4


def test_handler_is_asked_three_times(manager: NetworkAccessManager, serve: Serve) -> None:
    for challenge in ('Basic realm="r"', 'Digest realm="r", nonce="n", qop="auth"', 'Digest realm="r", nonce="n"'):
        server = serve(refusing(challenge))
        handler = ScriptedAuthHandler(("u", "1"), ("u", "2"), ("u", "3"))
        manager.setAuthHandler(handler)
        reply = manager.blockingGet(server.url)
        assert (reply.errorCode(), reply.statusCode(), reply.body) == (SERVER, 401, b"no")
        assert len(handler.questions) == 3 and len(server.requests) == 4


def test_stale_nonce_is_replaced_once(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(refusing('Digest realm="r", nonce="n", qop="auth", stale=true'))
    request_of.setAuthConfig(AuthConfig.digest("u", "p"))
    assert request_of.get(server.url) is SERVER
    assert len(server.requests) == 3


def test_exception_of_the_handler(manager: NetworkAccessManager, httpbin: str) -> None:
    def handler(realm: str, host: str, attempt: int) -> Any:
        raise LookupError("no password")

    manager.setAuthHandler(handler)
    request = BlockingNetworkRequest(manager)
    with pytest.raises(LookupError, match="no password"):
        request.get(f"{httpbin}/basic-auth/user/pass")
    manager.setAuthHandler(None)
    assert request.get(f"{httpbin}/get") is OK


def test_handler_cancels_the_call(manager: NetworkAccessManager, httpbin: str) -> None:
    request = BlockingNetworkRequest(manager)

    def handler(realm: str, host: str, attempt: int) -> tuple[str, str]:
        request.abort()
        return ("user", "pass")

    manager.setAuthHandler(handler)
    assert request.get(f"{httpbin}/basic-auth/user/pass") is ErrorCode.CanceledError


def test_authentication_reuse_attribute(manager: NetworkAccessManager, httpbin: str) -> None:
    handler = ScriptedAuthHandler(("user", "pass"), None)
    manager.setAuthHandler(handler)
    url = f"{httpbin}/basic-auth/user/pass"
    assert manager.blockingGet(url).errorCode() is OK
    request = REQUEST(QtCore.QUrl(url))
    request.setAttribute(REQUEST.Attribute.AuthenticationReuseAttribute, enum_value(REQUEST.LoadControl.Manual))
    assert manager.blockingGet(request).errorCode() is SERVER
    assert len(handler.questions) == 2


# -- NTLM


@pytest.fixture
def on_qt_or_auto() -> NetworkAccessManager:
    made = NetworkAccessManager()
    made.setTimeout(10_000)
    return made


def test_ntlm(on_qt_or_auto: NetworkAccessManager, serve: Serve) -> None:
    server = serve(ntlm_server("user"))
    request = BlockingNetworkRequest(on_qt_or_auto)
    request.setAuthConfig(AuthConfig.basic("user", "pass"))
    assert request.get(server.url) is OK, request.errorMessage()
    assert request.reply().body == b"you are user" and request.reply().engine() == "qt"
    assert request.post(server.url, b"data") is OK
    assert request.reply().body == b"you are user"
    assert server.requests[-1].endswith(b"data")
    # no other request reuses an authenticated connection
    stranger = BlockingNetworkRequest(on_qt_or_auto)
    assert stranger.get(server.url) is SERVER
    stranger.setAuthConfig(AuthConfig.basic("other", "pass"))
    assert stranger.get(server.url) is SERVER


def test_ntlm_refused_each_time(on_qt_or_auto: NetworkAccessManager, serve: Serve) -> None:
    for scheme in ("NTLM", "Negotiate, NTLM"):
        server = serve(refusing(scheme))
        handler = ScriptedAuthHandler(("u", "1"), ("u", "2"), ("u", "3"))
        on_qt_or_auto.setAuthHandler(handler)
        reply = on_qt_or_auto.blockingGet(server.url)
        assert (reply.errorCode(), reply.statusCode()) == (SERVER, 401)
        assert len(handler.questions) == 3
        # Qt 6 reports a sent request only after it has continued
        assert len(server.requests) < 1000


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_ntlm_proofs_of_wrong_passwords(verb: str, on_qt_or_auto: NetworkAccessManager, serve: Serve) -> None:
    """One for each password, because accounts are locked. docs/limits.rst has the exception, a POST on Qt 6."""
    server = serve(ntlm_server("user"))
    handler = ScriptedAuthHandler(("other", "1"), ("other", "2"), None)
    on_qt_or_auto.setAuthHandler(handler)
    client = BlockingNetworkRequest(on_qt_or_auto)
    assert client.sendCustomRequest(server.url, verb, None if verb == "GET" else b"data") is SERVER
    assert len(handler.questions) == 3
    lines = [line for request in server.requests for line in request.split(b"\r\n")]
    messages = [b64decode(line.split(b" ")[2]) for line in lines if line.lower().startswith(b"authorization: ntlm ")]
    proofs = [message for message in messages if message[8] == 3]
    assert len(proofs) == (4 if verb == "POST" and QT_VERSION >= (6,) else 2)


def test_ntlm_on_the_python_engine(serve: Serve) -> None:
    server = serve(refusing("NTLM"))
    request = BlockingNetworkRequest()
    request.setEngine("python")
    request.setAuthConfig(AuthConfig.basic("u", "p"))
    assert request.get(server.url) is SERVER and request.reply().statusCode() == 401
    assert len(server.requests) == 1


# -- to which origin credentials are sent


@pytest.mark.parametrize(
    "config",
    [
        AuthConfig.basic("user", "pass"),
        AuthConfig.bearer("secret"),
        AuthConfig.apiKey("secret", header="X-Mine"),
        AuthConfig.apiKey("secret", parameter="mine"),
    ],
)
def test_credentials_are_not_sent_to_another_origin(
    config: AuthConfig, request_of: BlockingNetworkRequest, serve: Serve
) -> None:
    other = serve(always(b"ok"))

    def move(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"", "302 Found", f"Location: {other.url}/\r\n")

    first = serve(move)
    request_of.setAuthConfig(config)
    assert request_of.get(first.url) is OK
    assert any(word in first.requests[0] for word in (b"Basic ", b"secret"))
    assert not any(word in other.requests[0] for word in (b"Basic ", b"secret"))
    # they are not used for the next request
    request_of.setAuthConfig(None)
    assert request_of.get(first.url) is OK
    assert not any(word in first.requests[1] for word in (b"Basic ", b"secret"))


def test_handler_is_asked_for_the_other_origin(manager: NetworkAccessManager, httpbin: str, serve: Serve) -> None:
    def move(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"", "302 Found", f"Location: {httpbin}/basic-auth/user/pass\r\n")

    handler = ScriptedAuthHandler(("user", "pass"))
    manager.setAuthHandler(handler)
    assert manager.blockingGet(serve(move).url).errorCode() is OK
    assert handler.questions == [("Fake Realm", httpbin.partition("//")[2], 1)]


def test_netrc(manager: NetworkAccessManager, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login user password pass\nmachine elsewhere login a password b\n")
    server = serve(always(b"ok"))
    manager.blockingGet(server.url)
    manager.setNetrc(str(file))
    manager.blockingGet(server.url)
    manager.setNetrc(True)
    monkeypatch.setenv("NETRC", str(file))
    manager.blockingGet(server.url)
    manager.setNetrc(str(tmp_path / "none"))
    manager.blockingGet(server.url)
    assert authorizations(server) == ["", "Basic dXNlcjpwYXNz", "Basic dXNlcjpwYXNz", ""]


def test_precedence_of_credentials(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    """The header of the request, the config of the call, the userinfo of the URL, netrc: the first one is used."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login netrc password n\n")
    manager.setNetrc(tmp_path / "netrc")
    server = serve(always(b"ok"))
    request = BlockingNetworkRequest(manager)
    with_userinfo = server.url.replace("//", "//url:u@")
    own = REQUEST(QtCore.QUrl(with_userinfo))
    own.setRawHeader(b"Authorization", b"own")
    request.get(own)
    request.get(with_userinfo)
    request.get(server.url)
    request.setAuthConfig(AuthConfig.bearer("call"))
    request.get(with_userinfo)
    request.get(own)
    assert authorizations(server) == ["own", "Basic dXJsOnU=", "Basic bmV0cmM6bg==", "Bearer call", "own"]


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_client_certificate(engine: str) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"), trusts=authority, requires=True)
    mine = authority.issue_cert("me@example.org")
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    request = BlockingNetworkRequest(manager)
    assert request.get(server.url) is NET
    pem = b"".join(part.bytes() for part in mine.cert_chain_pems)
    request.setAuthConfig(AuthConfig.clientCertificate(pem, mine.private_key_pem.bytes()))
    assert request.get(server.url) is OK, request.errorMessage()
    if engine == "qt":
        own = REQUEST(QtCore.QUrl(server.url))
        configuration = QtNetwork.QSslConfiguration(own.sslConfiguration())
        configuration.setPeerVerifyMode(QtNetwork.QSslSocket.PeerVerifyMode.VerifyNone)
        own.setSslConfiguration(configuration)
        assert request.get(own) is NET
        assert "leave one of the two out" in request.errorMessage()
    server.close()


# -- credentials by id


def test_credentials_by_id(manager: NetworkAccessManager, httpbin: str) -> None:
    url = f"{httpbin}/basic-auth/user/pass"
    authcfg = manager.authRegistry().store(AuthConfig.basic("user", "pass"))
    assert len(authcfg) == 7
    assert manager.blockingGet(url, authcfg).errorCode() is OK
    request = BlockingNetworkRequest(manager)
    request.setAuthCfg(authcfg)
    assert request.authCfg() == authcfg and request.get(url) is OK
    manager.authRegistry().remove(authcfg)
    assert request.get(url) is NET
    assert enum_value(request.reply().error()) == Q.AuthenticationRequiredError
    assert request.errorMessage().startswith(f"There is no authentication config '{authcfg}': store it in the manager")
    request.setAuthCfg("")
    assert request.get(f"{httpbin}/get") is OK
    with pytest.raises(TypeError, match="setAuthConfig of a BlockingNetworkRequest takes the AuthConfig itself"):
        request.setAuthCfg(AuthConfig.bearer("x"))  # type: ignore[arg-type]


def test_registry_of_1000_credentials() -> None:
    registry = AuthRegistry()
    ids = [registry.store(AuthConfig.bearer(str(number))) for number in range(1000)]
    assert len(set(ids)) == 1000 and registry.configIds() == sorted(ids)
    assert [registry.load(id) for id in ids] == [AuthConfig.bearer(str(number)) for number in range(1000)]
    assert registry.store(AuthConfig.bearer("new"), ids[0]) == ids[0]
    assert registry.load(ids[0]) == AuthConfig.bearer("new")
    assert registry.remove(ids[1]) and not registry.remove(ids[1])
    registry.clear()
    assert registry.configIds() == [] and registry.load(ids[0]) is None


def test_keyring_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring", exc_type=ImportError)
    from keyring.backend import KeyringBackend

    class Memory(KeyringBackend):
        priority = 1  # type: ignore[assignment]

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.kept: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, username: str) -> Any:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    try:
        config = AuthConfig.basic("user", "pass")
        authcfg = AuthRegistry(keyring=True).store(config)
        # a second registry, as in another process
        assert AuthRegistry(keyring=True).load(authcfg) == config
        assert AuthRegistry(keyring=True, service="other").load(authcfg) is None
        assert AuthRegistry().load(authcfg) is None
        assert AuthRegistry(keyring=True).remove(authcfg)
        assert AuthRegistry(keyring=True).load(authcfg) is None
    finally:
        keyring.set_keyring(before)


# -- secrets


def test_secrets_are_not_in_messages_logs_and_pickles(
    manager: NetworkAccessManager, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(refusing('Basic realm="r"'))
    caplog.set_level(logging.DEBUG)
    request = BlockingNetworkRequest(manager)
    for config in (
        AuthConfig.basic("user", "s3cret"),
        AuthConfig.bearer("s3cret"),
        AuthConfig.apiKey("s3cret", parameter="mine"),
        AuthConfig.apiKey("s3cret", header="X-Mine"),
        AuthConfig.digest("user", "s3cret"),
    ):
        request.setAuthConfig(config)
        assert request.get(f"{server.url}/?a=1") is SERVER
        reply = request.reply()
        shown = [repr(config), repr(reply), reply.errorString(), reply.url().toString(), repr(reply.request())]
        shown += [str(raw_fields(reply.request()))]
        assert not any("s3cret" in text or "czNjcmV0" in text for text in shown)
        assert b"s3cret" not in pickle.dumps(reply) and b"dXNlcjpzM2NyZXQ" not in pickle.dumps(reply)
        with pytest.raises(TypeError, match="pass its id"):
            pickle.dumps(config)
        assert copy.copy(config) is config and copy.deepcopy(config) is config
    assert "s3cret" not in caplog.text and "dXNlcjpzM2NyZXQ" not in caplog.text
    assert caplog.records


def test_json_round_trip() -> None:
    for config in (AuthConfig.basic("u", "p"), AuthConfig.clientCertificate("me.pem", keyPassword="x")):
        assert AuthConfig.fromJson(config.toJson()) == config
    with pytest.raises(ValueError, match="this is no authentication config") as caught:
        AuthConfig.fromJson('{"method": "basic", "secret": "s3cret", "what": 1}')
    assert caught.value.__cause__ is None and "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: AuthConfig.basic("a:b", "c"), "must not hold a colon"),
        (lambda: AuthConfig.bearer(""), "must not be empty"),
        (lambda: AuthConfig.bearer("a\r\nb"), "must not hold a line end"),
        (lambda: AuthConfig.apiKey("k", header="a b"), "is no name of a header field"),
        (lambda: AuthConfig.apiKey("k", parameter=""), "must not be empty"),
        (lambda: AuthConfig.clientCertificate(""), "a path or PEM"),
    ],
)
def test_invalid_configs(make: Callable[[], AuthConfig], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()
    with pytest.raises(TypeError, match="user must be a str"):
        AuthConfig.basic(None, "x")  # type: ignore[arg-type]

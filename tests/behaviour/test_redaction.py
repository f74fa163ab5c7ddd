"""The same rule decides which names are secret in reprs, messages, logs, redirects and the cache's partition."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
import requests

import blocking_request
from blocking_request import (
    AuthConfig,
    BatchRequest,
    BlockingNetworkRequest,
    ErrorCode,
    NetworkAccessManager,
    NetworkMemoryCache,
    QtAdapter,
    TlsError,
    TlsErrorKind,
    TlsSettings,
    requests_session,
    route_requests,
)
from blocking_request.engines.python.routes import RouteKey
from blocking_request.engines.qt.manager import WorkerKey
from blocking_request.models.certificate import Certificate
from blocking_request.models.connection_options import ConnectionOptions
from blocking_request.models.headers import Headers
from blocking_request.models.http_messages import ConnectionCredentials
from blocking_request.models.proxy import Proxy
from blocking_request.models.redaction import is_secret_field, printable, redact_text, redact_url, redact_value
from blocking_request.qt.binding import QT_VERSION, QtCore, QtNetwork

from ..support.names import ENGINES, OK, Serve
from ..support.servers.raw import Connection, RawServer, always

SECRET = "s3cret"

WITHOUT_SECRETS = frozenset(
    (
        "BatchOptions", "BatchResult", "HeadersReceived", "UploadDataNeeded", "CacheStatistics", "CallOptions", "Cancel", "CertificatePrompt",
        "Challenge", "Close", "CredentialRules", "BatchHint", "Description", "Directives", "Drain", "Failure", "ReportWhole", "Freshness", "SetHost", "SetSocket", "ResumePoint", "CachedCredential", "_Item", "Limits", "Naming",
        "CallOverrides", "BodyChunks", "Progress", "Proxy", "ProxyChoice", "ProxyRules", "Row", "ReadBody", "TaskRules", "SetProxy", "TlsError",
        "TlsSession", "TlsSettings", "Wait", "WorkerKey", "ConnectionOptions", "KeepAlive", "_Fields", "RouteKey", "ResponseHead", "Wanted", "Route", "Refusal", "_OuterProxies", "Entry", "Timings", "StepReached", "MatchRules", "RunningCall",
        "BodySize", "Column", "MonitorColors", "Segment", "TimeAxis", "ConfigFile", "_Setting", "Outcome", "OutputSettings", "Promise", "_Row", "_Line", "_NamedFile",
    )
)  # fmt: skip
"""Values whose repr shows their fields: these contain no secrets, or hide them themselves."""


def value_classes() -> Iterator[type]:
    seen: set[type] = set()
    for found in pkgutil.walk_packages(blocking_request.__path__, "blocking_request."):
        if found.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(found.name)).values():
            is_own = isinstance(value, type) and value.__module__.startswith("blocking_request") and value not in seen
            if is_own and (dataclasses.is_dataclass(value) or (issubclass(value, tuple) and hasattr(value, "_fields"))):
                seen.add(value)
                yield value


def has_default_repr(kind: Any) -> bool:
    fields = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else kind._fields
    value = kind.__new__(kind) if dataclasses.is_dataclass(kind) else tuple.__new__(kind, ["x"] * len(fields))  # type: ignore[arg-type]
    if dataclasses.is_dataclass(kind):
        for name in fields:
            object.__setattr__(value, name, "x")
    try:
        return (bool(fields) and f"{fields[-1]}=" in repr(value)) or f"{fields[0]}=" in repr(value)
    except Exception:  # its own repr needs real field values
        return False


def test_repr_of_values_with_secrets_hides_them() -> None:
    """A new value class fails here until its repr hides its fields, or it is in the list because it has no secrets."""
    showing = {kind.__name__ for kind in value_classes() if has_default_repr(kind)}
    assert showing <= WITHOUT_SECRETS


def test_repr_of_a_batch_request_is_redacted() -> None:
    url = f"http://user:{SECRET}@host/a?token={SECRET}&b=1"
    qt_request = QtNetwork.QNetworkRequest(QtCore.QUrl(url))
    qt_request.setRawHeader(b"Authorization", SECRET.encode())
    for request in (url, QtCore.QUrl(url), qt_request):
        text = repr(BatchRequest(request, "POST", SECRET.encode(), "/tmp/x"))
        assert text == "<BatchRequest POST http://host/a?token=***&b=1 into '/tmp/x'>"


# -- control characters of terminals

ESCAPES = "\x1b[31mred\x07\x9b1m \u202egpj.exe \u2028"


def test_printable() -> None:
    assert printable(ESCAPES) == "\\x1b[31mred\\x07\\x9b1m \\u202egpj.exe \\u2028"
    assert printable("caf\u00e9 \u65e5\u672c\n", allowed="\n") == "caf\u00e9 \u65e5\u672c\n"


def test_control_characters_in_a_reason_phrase_are_escaped(
    blocking: BlockingNetworkRequest, serve: Serve, caplog: Any
) -> None:
    caplog.set_level("DEBUG", "blocking_request")
    server = serve(always(b"x", "404 \x1b[2J\x1b]0;owned\x07"))
    code = blocking.get(server.url)
    reply = blocking.reply()
    with pytest.raises(blocking_request.RequestError) as caught:
        reply.raiseForError()
    for text in (blocking.errorMessage(), reply.errorString(), repr(reply), str(caught.value), caplog.text):
        assert "\x1b" not in text and "\x07" not in text
    # Qt 6 accepts no control character in a status line and reports that there was no response.
    assert "\\x1b[2J" in blocking.errorMessage() if code is ErrorCode.ServerExceptionError else QT_VERSION >= (6,)


@pytest.mark.parametrize("url", ["http://[bad\x1b[2J/", "ht\x1btp://h/", "http://h:99\x1b/", "\x1b[2J", "\u202egpj"])
@pytest.mark.parametrize("params", [None, {"a": "b"}])
def test_control_characters_in_a_url_are_escaped(url: str, params: Any, blocking: BlockingNetworkRequest) -> None:
    assert blocking.get(url, params=params) is not OK
    for text in (blocking.errorMessage(), repr(blocking.reply()), repr(BatchRequest(url)), repr(blocking.stream(url))):
        assert text.isprintable(), ascii(text)


@pytest.mark.parametrize("name", ["client_secret", "refresh_token", "id_token", "ID_TOKEN", "private-token"])
def test_names_of_secret_parameters(name: str) -> None:
    assert redact_url(f"http://h/?a=1&{name}=x#{name}=x") == f"http://h/?a=1&{name}=***#{name}=***"


def test_repr_of_headers_is_redacted() -> None:
    headers = Headers(((b"Set-Cookie", b"sid=" + SECRET.encode()), (b"Location", b"http://u:p@h/"), (b"A", b"1")))
    assert repr(headers) == "Headers({'Set-Cookie': '***', 'Location': 'http://h/', 'A': '1'})"


def test_redacted_texts() -> None:
    assert redact_value(b"Location", b"http://u:p@h/?a=1&token=x#key=y", ()) == "http://h/?a=1&token=***#key=***"
    assert redact_value(b"Location", b"/x?token=a,b&c=d", ()) == "/x?token=***&c=d"
    assert redact_url("http://[bad/#access_token=x") == redact_url("http://[bad/?token=a@x") == "http://[bad/"
    assert redact_value(b"Link", b"<http://h/?sig=x>; rel=next", ()) == "<http://h/?sig=***>; rel=next"
    assert redact_value(b"Set-Cookie", b"a=b", ()) == redact_value(b"X-Vault-Token", b"x", ("X-Vault-*",)) == "***"
    assert redact_text("see http://u:p@h/?mine=1", ("mine",)) == "see http://h/?mine=***"
    assert redact_url("http://h/?X-Amz-Signature=1&b=2") == "http://h/?X-Amz-Signature=***&b=2"


def test_names_of_secret_fields() -> None:
    for name in (b"Authorization", b"COOKIE", b"x-api-key"):
        assert is_secret_field(name, ())
    assert is_secret_field(b"x-vault-token", ("X-Vault-Token",)) and is_secret_field(b"X-My-Key", ("x-my-*",))
    assert not is_secret_field(b"X-My-Key", ("X-My",)) and not is_secret_field(b"Accept", ("*-my",))
    assert is_secret_field(b"A.B", ("a.b",)) and not is_secret_field(b"AxB", ("a.b",))


# -- redirects and the cache


def two_servers(serve: Serve) -> tuple[RawServer, RawServer]:
    """Return two servers; the first redirects to the second."""
    other = serve(always(b"other"))

    def redirect(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"", "302 Found", f"Location: {other.url}/b\r\n")

    return serve(redirect), other


@pytest.mark.parametrize("names", [["X-Vault-Token"], ["X-Vault-*"], ["x-*-token"]])
def test_secret_fields_are_not_sent_to_another_origin(
    names: list[str], manager: NetworkAccessManager, serve: Serve
) -> None:
    first, other = two_servers(serve)
    manager.setSecretParameters(names)
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(first.url))
    request.setRawHeader(b"X-Vault-Token", SECRET.encode())
    request.setRawHeader(b"X-Other", b"stays")
    assert BlockingNetworkRequest(manager).get(request) is OK
    assert SECRET.encode() in first.requests[0]
    assert SECRET.encode() not in other.requests[0] and b"stays" in other.requests[0]


@pytest.mark.parametrize("names", [["X-User-Token"], ["X-User-*"]])
def test_secret_fields_partition_the_cache(names: list[str], manager: NetworkAccessManager, serve: Serve) -> None:
    """With a wildcard, bob was once served the stored response of alice."""

    def greet(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            connection.respond(b"alice" if b"alice" in request else b"bob", headers="Cache-Control: max-age=60\r\n")

    server = serve(greet)
    manager.setCache(NetworkMemoryCache())
    manager.setSecretParameters(names)
    blocking = BlockingNetworkRequest(manager)
    for user in (b"alice", b"bob", b"alice"):
        request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
        request.setRawHeader(b"X-User-Token", user)
        assert blocking.get(request) is OK
        assert blocking.reply().body == user
    assert len(server.requests) == 2


# -- credentials of the requests adapter

CONFIGS = {
    "basic": AuthConfig.basic("user", SECRET),
    "bearer": AuthConfig.bearer(SECRET),
    "key in a field": AuthConfig.apiKey(SECRET, header="X-Key"),
    "key in the query": AuthConfig.apiKey(SECRET, parameter="appid"),
}


def has_secret(request: bytes) -> bool:
    return b"authorization:" in request.lower() or SECRET.encode() in request


@pytest.fixture(params=CONFIGS)
def manager_with_credentials(request: pytest.FixtureRequest, manager: NetworkAccessManager) -> NetworkAccessManager:
    manager.authRegistry().store(CONFIGS[request.param], "me")
    return manager


def test_session_sends_credentials_to_their_origin_only(
    manager_with_credentials: NetworkAccessManager, serve: Serve
) -> None:
    first, other = two_servers(serve)
    with requests_session(manager_with_credentials, authCfg="me", authOrigins=[first.url]) as session:
        assert session.get(first.url + "/a").content == b"other"
        assert session.get(other.url + "/c").content == b"other"
    assert has_secret(first.requests[0])
    assert not any(map(has_secret, other.requests)) and len(other.requests) == 2


def test_mounted_adapter_sends_credentials_to_its_origin_only(
    manager_with_credentials: NetworkAccessManager, serve: Serve
) -> None:
    first, other = two_servers(serve)
    with requests.Session() as session:
        session.mount("http://", QtAdapter(manager_with_credentials, authCfg="me", authOrigins=first.url + "/path"))
        assert session.get(first.url + "/a").content == b"other"
    assert has_secret(first.requests[0]) and not has_secret(other.requests[0])


def test_routed_requests_send_credentials_to_their_origins_only(
    manager_with_credentials: NetworkAccessManager, serve: Serve
) -> None:
    first, other = two_servers(serve)
    third = serve(always(b"third"))
    with route_requests(manager_with_credentials, authCfg="me", authOrigins=[first.url, third.url]):
        requests.get(first.url)
        requests.get(third.url)
        requests.get(other.url)
    assert has_secret(first.requests[0]) and has_secret(third.requests[0])
    assert not any(map(has_secret, other.requests))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"authCfg": "me"}, ValueError),
        ({"authOrigins": ["http://host"]}, ValueError),
        ({"authCfg": "me", "authOrigins": ["host"]}, ValueError),
        ({"authCfg": "me", "authOrigins": ["file:///x"]}, ValueError),
        ({"authCfg": "me", "authOrigins": [b"http://host"]}, TypeError),
        ({"authCfg": None, "authOrigins": ["http://host"]}, TypeError),
    ],
)
def test_credentials_without_origins_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    for make in (requests_session, QtAdapter, lambda **given: route_requests(**given).__enter__()):
        with pytest.raises(error, match=r"authOrigins|not an origin|authCfg must"):
            make(**options)


# -- keys compare all fields

CERTIFICATE, OTHER = Certificate(b"one"), Certificate(b"two")
ERROR = TlsError(TlsErrorKind.CertificateExpired, CERTIFICATE, "a.example")

KEYS: list[tuple[Any, dict[str, Any]]] = [
    (ERROR, {"kind": TlsErrorKind.SelfSignedCertificate, "certificate": OTHER, "host": "b.example"}),
    (
        TlsSettings(),
        {
            "caFile": "/a", "caData": b"x", "trust": "system", "verify": False, "clientCertificate": "/c", "clientKey": None,
            "keyPassword": "p", "minimumVersion": "1.2", "maximumVersion": "1.2", "pinnedFingerprints": ("sha256:" + "a" * 64,),
            "ignoredErrors": (ERROR,),
        },
    ),
    (
        TlsSettings(clientCertificate="/c", ignoredErrors=(ERROR,)),
        {
            "caFile": "/a", "caData": b"x", "trust": "system", "verify": False, "clientCertificate": "/d", "clientKey": "/k",
            "keyPassword": "p", "minimumVersion": "1.2", "maximumVersion": "1.2", "pinnedFingerprints": ("sha256:" + "a" * 64,),
            "ignoredErrors": (dataclasses.replace(ERROR, host="b.example"),),
        },
    ),
    (Proxy("http", "h", 1), {"kind": "socks5", "host": "i", "port": 2, "user": "u", "password": "p"}),
    (ConnectionCredentials("u", "p"), {"user": "v", "password": "q"}),
    (WorkerKey(), {"tls": (TlsSettings(), 0), "proxy": Proxy("none"), "connection_credentials": ConnectionCredentials("u", "p"), "qgis": True, "connection": ConnectionOptions(False)}),
    (RouteKey("http://a:80"), {"origin": "http://b:80", "tls": (TlsSettings(), 0), "proxy": Proxy("none"), "verify_name": "h", "connection": ConnectionOptions(False)}),
    (CERTIFICATE, {"der": b"two"}),
    (
        AuthConfig.basic("u", "p"),
        {"method": CONFIGS["bearer"].method, "user": "v", "secret": "q", "name": "n", "certificate": "c", "key": "k", "auth": None, "_auth_id": 1},
    ),
    (
        AuthConfig.requestsAuth(len),
        {"method": AuthConfig.requestsAuth(len).method, "user": "v", "secret": "q", "name": "n", "certificate": "c", "key": "k", "auth": repr, "_auth_id": 1},
    ),
]  # fmt: skip


def field_names(value: Any) -> list[str]:
    return (
        [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else list(value._fields)
    )


@pytest.mark.parametrize(("value", "others"), KEYS, ids=lambda each: type(each).__name__)
def test_keys_with_a_different_field_are_not_equal(value: Any, others: dict[str, Any]) -> None:
    """Settings that differed only in the host were once equal, so an error accepted for one host was accepted for another."""
    for name in field_names(value):
        if name not in others:
            pytest.fail(f"{type(value).__name__}.{name} has no other value here: add one")
        if others[name] == getattr(value, name):
            continue  # no other value is valid with the other fields
        try:
            other = (
                dataclasses.replace(value, **{name: others[name]})  # type: ignore[type-var]
                if dataclasses.is_dataclass(value)
                else value._replace(**{name: others[name]})
            )
        except (ValueError, TypeError):
            other = object.__new__(type(value))  # a value that the constructor refuses, or does not take
            for each in field_names(value):
                object.__setattr__(other, each, others[each] if each == name else getattr(value, each))
        assert other != value and hash(other) != hash(value), name


# -- line ends


@pytest.mark.parametrize("engine", ENGINES)
def test_line_ends_from_other_sources_are_not_sent(engine: str, serve: Serve) -> None:
    """Line ends in a cookie of another jar, in a method of requests, in a stored response."""

    def tag(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"x", headers='ETag: "a\rX-Injected: 1"\r\nCache-Control: no-cache\r\n')

    server = serve(tag)
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setCache(NetworkMemoryCache())
    session = requests.Session()
    session.cookies.set("a", "b\r\nX-Injected: 1", domain="127.0.0.1", path="/jar")
    manager.setCookieJar(blocking_request.CookieJar(session.cookies))
    blocking = BlockingNetworkRequest(manager)
    assert blocking.get(server.url + "/jar/x") is ErrorCode.NetworkError
    assert "Cookie holds a line end" in blocking.errorMessage() and "Injected" not in blocking.errorMessage()
    for _ in range(2):
        assert blocking.get(server.url) is OK, blocking.errorMessage()
    with requests_session(manager) as routed:
        for method in ("GET\r\nX-Injected: 1", "GET /x HTTP/1.1\r\n"):
            with pytest.raises((requests.RequestException, ValueError)):
                routed.request(method, server.url)
    for request in server.requests:
        assert all(not line.startswith(b"X-Injected") for line in request.replace(b"\r", b"\n").split(b"\n"))


def test_parts_of_a_form_cannot_end_a_line(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"ok"))
    with pytest.raises(ValueError, match=r"content type .* line end"):
        blocking.post(server.url, files={"a": ("b", b"c", "text/plain\r\nX-Injected: 1")})
    assert blocking.post(server.url, form={"n\r\nX: 1": "v"}, files={"a\nX: 1": ("b\r\nX: 1", b"c")}) is OK
    body = server.requests[-1].partition(b"\r\n\r\n")[2]
    assert b"\nX: 1" not in body and b"%0D%0AX: 1" in body

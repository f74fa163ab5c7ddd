"""Pickles of requests, replies, settings and cookies for other processes, with secrets only on request."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from pathlib import Path
from typing import Any, Callable

import pytest
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from blocking_request import (
    AuthConfig,
    BatchRequest,
    BatchResult,
    BlockingNetworkRequest,
    ErrorCode,
    NetworkAccessManager,
    PortableSettings,
    TlsSettings,
)
from blocking_request.proxies.rules import ProxyRules
from blocking_request.qt.binding import QtCore, QtNetwork, enum_value, field_name

from ..support.marks import needs_tls_in_qt
from ..support.names import REQUEST, Serve
from ..support.servers.raw import asking, echo


def pickled_copy(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def handler(realm: str, host: str, attempt: int) -> tuple[str, str]:
    return "ada", "password"


def with_all_settings(manager: NetworkAccessManager, url: str) -> NetworkAccessManager:
    """Set all settings of a manager."""
    manager.setUserAgent("traveller/1.0")
    manager.setDefaultHeaders({"X-Plain": "plain", "Authorization": "Bearer default-secret"})
    manager.setDeadline(20_000)
    manager.setProxy("none")
    manager.setNetrc("/nowhere/netrc")
    manager.setRetry(2)
    manager.setAuthHandler(handler)
    manager.setTlsSettings(TlsSettings(trust="certifi", clientCertificate=b"-----BEGIN key-secret"))
    manager.setStrictTransportSecurityEnabled(True)
    hosts = manager.strictTransportSecurityHosts()
    assert hosts is not None
    hosts.add("strict.test", 1000)
    manager.cookieJar().setCookie(url, "session", "of-the-parent")
    manager.authRegistry().store(AuthConfig.basic("ada", "registry-secret"), "ada1234")
    return manager


# -- settings


def test_settings_and_cookies_are_pickled(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(echo)
    made = pickled_copy(with_all_settings(manager, server.url).portableSettings()).manager()
    assert made is not manager
    assert made.engine() == manager.engine()
    assert (made.timeout(), made.deadline(), made.userAgent()) == (10_000, 20_000, "traveller/1.0")
    assert made.retry().total == 2
    assert made.proxy() == manager.proxy()
    assert made.authHandler() is handler
    assert made.strictTransportSecurityHosts().hosts() == ["strict.test"]
    body = made.blockingGet(server.url).body
    assert b"Cookie: session=of-the-parent\r\n" in body
    assert b"X-Plain: plain\r\n" in body


def test_secrets_are_pickled_only_on_request(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(echo)
    with_all_settings(manager, server.url).setProxy("http://user:proxy-secret@127.0.0.1:3128")
    portable = manager.portableSettings()
    text = pickle.dumps(portable)
    for secret in (b"default-secret", b"key-secret", b"registry-secret", b"proxy-secret"):
        assert secret not in text
    made = pickled_copy(portable).manager()
    assert made.authRegistry().configIds() == []
    assert made.tlsSettings() == TlsSettings(trust="certifi")
    assert (made.proxy().host, made.proxy().user) == ("127.0.0.1", "")

    portable = manager.portableSettings(secrets=True)
    assert "secret" not in repr(portable).replace("with secrets", "")
    made = pickled_copy(portable).manager()
    assert made.authRegistry().load("ada1234") == AuthConfig.basic("ada", "registry-secret")
    assert made.proxy().password == "proxy-secret"
    assert made.tlsSettings() == manager.tlsSettings()
    assert made.defaultHeaders()["Authorization"] == "Bearer default-secret"


def test_accepted_credentials_are_pickled_with_the_secrets(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(asking('Basic realm="r"'))
    manager.setAuthHandler(handler)
    assert manager.blockingGet(server.url).body == b"welcome"
    portable = manager.portableSettings(secrets=True)
    made = pickled_copy(portable).manager()
    made.setAuthHandler(None)
    assert made.blockingGet(server.url).body == b"welcome"
    made = pickled_copy(manager.portableSettings()).manager()
    made.setAuthHandler(None)
    assert made.blockingGet(server.url).statusCode() == 401


def test_auth_object_is_pickled_with_the_secrets(manager: NetworkAccessManager, httpbin: str) -> None:
    url = f"{httpbin}/basic-auth/user/pass"
    manager.authRegistry().store(AuthConfig.requestsAuth(HTTPBasicAuth("user", "pass")), "object")
    made = pickled_copy(manager.portableSettings(secrets=True)).manager()
    request = BlockingNetworkRequest(made)
    request.setAuthCfg("object")
    assert request.get(url) is ErrorCode.NoError and request.reply().json()["user"] == "user"
    assert b"pass" not in pickle.dumps(manager.portableSettings())
    # This one has a lock, which pickle refuses.
    manager.authRegistry().store(AuthConfig.requestsAuth(HTTPDigestAuth("user", "pass")), "object")
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(manager.portableSettings(secrets=True))


def test_proxy_rules_can_be_pickled() -> None:
    rules = ProxyRules(None, ("http://a/",), ("http://b/",), None, True)
    assert pickled_copy(rules) == rules


def test_same_settings_give_the_same_manager(manager: NetworkAccessManager) -> None:
    portable = manager.portableSettings()
    assert pickled_copy(portable).manager() is pickled_copy(portable).manager()
    assert manager.portableSettings().manager() is not portable.manager()


def test_used_manager_is_kept(manager: NetworkAccessManager) -> None:
    used = manager.portableSettings()
    made = used.manager()
    for _ in range(40):
        manager.portableSettings().manager()
        assert used.manager() is made


def test_settings_are_hashable(manager: NetworkAccessManager) -> None:
    portable = manager.portableSettings()
    assert {portable: 1}[pickled_copy(portable)] == 1
    assert portable != manager.portableSettings()


def test_secret_parameters_with_wildcard(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(echo)
    manager.setSecretParameters(("X-Ticket*",))
    manager.setDefaultHeaders({"X-Ticket-Id": "ticket-secret", "X-Plain": "plain"})
    text = pickle.dumps(manager.portableSettings())
    assert b"ticket-secret" not in text and b"X-Plain" in text
    reply = manager.blockingGet(server.url)
    assert b"X-Ticket-Id: ticket-secret" in reply.body
    assert pickle.dumps(reply).count(b"ticket-secret") == 1  # only in the body, which the server has sent


def test_request_can_be_copied() -> None:
    request = BatchRequest(with_field(b"Authorization"))
    assert copy.copy(request) is copy.deepcopy(request) is request


def test_original_manager_is_unchanged(manager: NetworkAccessManager, serve: Serve) -> None:
    made = with_all_settings(manager, serve(echo).url).portableSettings().manager()
    made.cookieJar().clear()
    made.authRegistry().clear()
    assert len(manager.cookieJar()) == 1
    assert manager.authRegistry().configIds() == ["ada1234"]
    assert manager.defaultHeaders()["Authorization"] == "Bearer default-secret"


# -- requests and replies


def test_request_is_pickled(serve: Serve, manager: NetworkAccessManager) -> None:
    server = serve(echo)
    qt_request = REQUEST(QtCore.QUrl(f"{server.url}/path?a=b%20c"))
    qt_request.setRawHeader(b"X-Own", b"mine")
    qt_request.setAttribute(REQUEST.Attribute.CookieLoadControlAttribute, enum_value(REQUEST.LoadControl.Manual))
    qt_request.setAttribute(REQUEST.Attribute.CustomVerbAttribute, QtCore.QByteArray(b"REPORT"))
    qt_request.setAttribute(REQUEST.Attribute.HttpPipeliningAllowedAttribute, True)
    qt_request.setTransferTimeout(1234)
    qt_request.setMaximumRedirectsAllowed(7)
    qt_request.setPriority(REQUEST.Priority.HighPriority)
    given = BatchRequest(qt_request, "", b"data", Path("file"))
    back = pickled_copy(given)
    assert back[1:] == given[1:]
    made = back.request
    assert made.url() == qt_request.url() and made.rawHeader(field_name(b"X-Own")) == b"mine"
    assert (made.transferTimeout(), made.maximumRedirectsAllowed()) == (1234, 7)
    assert made.priority() == qt_request.priority()
    assert made.attribute(REQUEST.Attribute.HttpPipeliningAllowedAttribute) is True
    manager.cookieJar().setCookie(server.url, "a", "b")
    ((_, code, reply),) = manager.sendMany([back._replace(path=None)])
    assert code is ErrorCode.NoError
    assert reply.body.startswith(b"REPORT /path?a=b%20c HTTP/1.1\r\n") and b"Cookie" not in reply.body


def test_urls_are_pickled_unchanged() -> None:
    for request in ("http://host.test/a b?c", QtCore.QUrl("http://host.test/")):
        assert pickled_copy(BatchRequest(request, "PUT", QtCore.QByteArray(b"x"))) == (request, "PUT", b"x", None)


@pytest.mark.parametrize(
    ("make", "text"),
    (
        (lambda: with_field(b"Authorization"), "Authorization"),
        (lambda: with_field(b"X-Api-Key"), "X-Api-Key"),
        (lambda: with_field(b"Password"), "Password"),
        (lambda: "http://ada:secret@host.test/", "a user and a password"),
        (lambda: "  http://ada:secret@host.test/", "a user and a password"),
        (lambda: "http:/ada:secret@host.test/", "a user and a password"),
        (lambda: "ada:secret@host.test/", "a user and a password"),
        (lambda: REQUEST(QtCore.QUrl("http://ada:secret@host.test/")), "a user and a password"),
    ),
)
def test_request_with_a_secret_is_not_pickled(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(TypeError, match=f"(?i){text}") as caught:
        pickle.dumps(BatchRequest(make()))
    assert "secrets=True" in str(caught.value) and "ada:" not in str(caught.value)


def with_field(name: bytes) -> QtNetwork.QNetworkRequest:
    request = REQUEST(QtCore.QUrl("http://host.test/"))
    request.setRawHeader(name, b"secret")
    return request


@needs_tls_in_qt
def test_request_with_a_tls_configuration_is_not_pickled() -> None:
    request = REQUEST(QtCore.QUrl("https://host.test/"))
    configuration = request.sslConfiguration()
    configuration.setPeerVerifyDepth(3)
    request.setSslConfiguration(configuration)
    with pytest.raises(TypeError, match="TlsSettings"):
        pickle.dumps(BatchRequest(request))


# -- other processes


def fetch(settings: PortableSettings, requests: list[Any]) -> tuple[int, list[BatchResult]]:
    """Send requests in another process."""
    return os.getpid(), list(settings.manager().sendMany(requests))


@pytest.mark.parametrize("method", ("spawn", "fork"))
def test_batch_in_other_processes(method: str, serve: Serve) -> None:
    server = serve(echo)
    manager = NetworkAccessManager()
    manager.setEngine("auto")
    manager.setTimeout(10_000)
    with_all_settings(manager, server.url)
    assert manager.blockingGet(server.url).errorCode() is ErrorCode.NoError  # the parent has engines
    before = server.connections
    requests = [BatchRequest(REQUEST(QtCore.QUrl(f"{server.url}/{number}"))) for number in range(20)]
    settings = manager.portableSettings()
    with multiprocessing.get_context(method).Pool(2) as pool:
        done = pool.starmap_async(fetch, [(settings, requests[:10]), (settings, requests[10:])]).get(50)
    assert server.connections > before
    results = [result for _, part in done for result in part]
    assert {process for process, _ in done}.isdisjoint({os.getpid()})
    assert [code for _, code, _ in results] == [ErrorCode.NoError] * 20
    assert [reply.body.split()[1] for _, _, reply in results] == [b"/%d" % number for number in range(20)]
    assert all(b"Cookie: session=of-the-parent\r\n" in reply.body for _, _, reply in results)

"""The manager of the process in a running QGIS follows QGIS's settings, also when they change."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.proxies.rules import ProxyRules

from ..support.names import OK, Serve
from ..support.qgis_program import BEGIN, END, needs_qgis, run
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import Connection, RawServer, always, silence
from ..support.servers.tls import TlsServer

SETTINGS = """
settings = QgsSettings()

def set_proxy(port, **more):
    values = {"proxyEnabled": True, "proxyType": "HttpProxy", "proxyHost": "127.0.0.1", "proxyPort": port, **more}
    for name, value in values.items():
        settings.setValue(f"proxy/{name}", value)
"""


@needs_qgis
def test_timeout_and_user_agent(tmp_path: Path, serve: Serve) -> None:
    server, quiet = serve(always(b"hello")), serve(silence)
    program = f"""{BEGIN}{SETTINGS}
url, quiet = sys.argv[1:]
manager = NetworkAccessManager.instance()
print(manager.timeout(), manager.userAgent().partition("/3")[0], manager.proxy())
settings.setValue("qgis/networkAndProxy/userAgent", "Mine")
settings.setValue("network/network-timeout", 300)
request = BlockingNetworkRequest()
print(request.get(url).name, request.timeout(), request.get(quiet).name)
settings.setValue("network/network-timeout", "soon")
print(manager.timeout(), request.get(url).name)
manager.setTimeout(250)
settings.setValue("network/network-timeout", 30_000)
print(manager.timeout(), request.get(quiet).name, manager.userAgent().partition("/3")[0])
{END}"""
    assert run(program, server.url, quiet.url, folder=tmp_path) == [
        "60000 Mozilla/5.0 QGIS Proxy(kind='none', host='', port=0)",
        "NoError 300 TimeoutError",
        "60000 NoError",
        "250 TimeoutError Mine QGIS",
    ]
    assert all(b"User-Agent: Mine QGIS/3" in request for request in server.requests)


@needs_qgis
def test_proxy_with_exclusions(tmp_path: Path, serve: Serve) -> None:
    server, first, second = serve(always(b"hello")), ProxyServer(), ProxyServer()
    program = f"""{BEGIN}{SETTINGS}
url, first, second = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
results = []

def get(path):
    results.append(NetworkAccessManager.blockingGet(url + path).text())

set_proxy(first)
get("/first")
caller = threading.Thread(target=get, args=("/first/thread",))
caller.start()
caller.join()
set_proxy(second)
get("/second")
settings.setValue("proxy/noProxyUrls", [url + "/direct"])
get("/direct")
get("/second/again")
settings.setValue("proxy/proxyEnabled", False)
get("/off")
print(results)
NetworkAccessManager.instance().setProxy(f"127.0.0.1:{{first}}")
get("/own")
NetworkAccessManager.setInstance(NetworkAccessManager())
settings.setValue("proxy/proxyEnabled", True)
get("/opted/out")
NetworkAccessManager.setInstance(None)
get("/followed/again")
print([each for each in results if each != "hello"])
{END}"""
    try:
        run(program, server.url, str(first.port), str(second.port), folder=tmp_path)
        paths = [[url.removeprefix(server.url) for url in proxy.asked] for proxy in (first, second)]
    finally:
        first.close()
        second.close()
    assert paths == [["/first", "/first/thread", "/own"], ["/second", "/second/again", "/followed/again"]]
    assert len(server.requests) == 9


def asks_for_password(connection: Connection) -> None:
    """A proxy that wants the password of a user."""
    login = b"Basic " + base64.b64encode(b"user:secret")
    while (request := connection.read_request()) is not None:
        if login in request:
            connection.respond(b"through the proxy")
        else:
            connection.respond(b"", "407 Who", 'Proxy-Authenticate: Basic realm="r"\r\n')


@needs_qgis
def test_proxy_that_asks_for_a_password(tmp_path: Path) -> None:
    """The credentials are in QGIS's settings, or in its authentication database."""
    proxy = RawServer(asks_for_password)
    program = f"""{BEGIN}{SETTINGS}
url = "http://example.invalid/"
auth = QgsApplication.authManager()
assert auth.setMasterPassword("master", True)
config = QgsAuthMethodConfig("Basic")
config.setName("proxy")
config.setConfig("username", "user")
config.setConfig("password", "secret")
assert auth.storeAuthenticationConfig(config)
results = []

def get():
    reply = NetworkAccessManager.blockingGet(url)
    results.append(reply.text() or reply.errorString().partition(" (")[0])

def get_in_thread():
    caller = threading.Thread(target=get)
    caller.start()
    caller.join()

set_proxy(int(sys.argv[1]))
get()
set_proxy(int(sys.argv[1]), proxyUser="user", proxyPassword="secret")
get()
set_proxy(int(sys.argv[1]), proxyUser="", proxyPassword="", authcfg=config.id())
get()
get_in_thread()
for engine in ("qt", "python"):
    NetworkAccessManager.instance().setEngine(engine)
    get()
print(results)
{END}"""
    try:
        lines = run(program, str(proxy.port), folder=tmp_path)
    finally:
        proxy.close()
    assert lines == [str(["Proxy requires authentication"] + ["through the proxy"] * 5)]


@needs_qgis
def test_parts_of_the_proxy_setting(tmp_path: Path, serve: Serve) -> None:
    """What the program sets replaces that part only. A wrong setting of QGIS is told, and nothing is sent."""
    server, proxy = serve(always(b"hello")), ProxyServer()
    program = f"""{BEGIN}{SETTINGS}
url, port = sys.argv[1], int(sys.argv[2])
manager = NetworkAccessManager.instance()

def get(path):
    reply = NetworkAccessManager.blockingGet(url + path)
    print(reply.text() or reply.errorString().partition(" (")[0])

manager.setProxy(f"127.0.0.1:{{port}}")
set_proxy(1)
settings.setValue("proxy/noProxyUrls", [url + "/direct"])
get("/own")
get("/direct")
print(manager.noProxyList() == [url + "/direct"], manager.excludeList())
NetworkAccessManager.setInstance(None)
set_proxy("abc")
get("/wrong")
get("/direct")
set_proxy(port, proxyHost="")
get("/no/host")
before = BlockingNetworkRequest()
settings.setValue("proxy/proxyHost", "127.0.0.1")
print(before.get(url + "/last").name)
{END}"""
    try:
        lines = run(program, server.url, str(proxy.port), folder=tmp_path)
        paths = [url.removeprefix(server.url) for url in proxy.asked]
    finally:
        proxy.close()
    assert lines == [
        "hello",
        "hello",
        "True []",
        "QGIS's proxy setting cannot be used: the port is 'abc', which is no number",
        "hello",
        "hello",
        "NoError",
    ]
    assert paths == ["/own", "/last"]


@needs_qgis
def test_objects_that_were_made_before_qgis(tmp_path: Path, serve: Serve) -> None:
    server = serve(always(b"hello"))
    program = f"""
import os, sys
from blocking_request import BlockingNetworkRequest, NetworkAccessManager
request, manager = BlockingNetworkRequest(), NetworkAccessManager.instance()
print(request.get(sys.argv[1]).name, manager.timeout())
from qgis.core import *
print(request.get(sys.argv[1]).name)
app = QgsApplication([], False)
app.initQgis()
QgsSettings().setValue("network/network-timeout", 1234)
print(request.get(sys.argv[1]).name, manager.timeout())
{END}"""
    assert run(program, server.url, folder=tmp_path) == ["NoError 60000", "NoError", "NoError 1234"]
    agents = [request.partition(b"User-Agent: ")[2].partition(b"/")[0] for request in server.requests]
    assert agents == [b"blocking-request", b"blocking-request", b"Mozilla"]


@needs_qgis
def test_preprocessors_of_qgis(tmp_path: Path, serve: Serve) -> None:
    """The line of the documentation passes requests to them."""
    server = serve(always(b"hello"))
    program = f"""{BEGIN}
QgsNetworkAccessManager.setRequestPreprocessor(lambda request: request.setRawHeader(b"X-Plugin", b"1"))
NetworkAccessManager.setRequestPreprocessor(QgsNetworkAccessManager.instance().preprocessRequest)
print(NetworkAccessManager.blockingGet(sys.argv[1]).text())
{END}"""
    assert run(program, server.url, folder=tmp_path) == ["hello"]
    assert b"X-Plugin: 1" in server.requests[0]


@needs_qgis
def test_certificates(tmp_path: Path) -> None:
    """An authority that the user has added, and a certificate error that the user has accepted."""
    added, stranger = trustme.CA(), trustme.CA()
    good, other = TlsServer(added.issue_cert("127.0.0.1")), TlsServer(stranger.issue_cert("127.0.0.1"))
    added.cert_pem.write_to_path(str(tmp_path / "added.pem"))
    program = f"""{BEGIN}
from qgis.PyQt.QtNetwork import QSslCertificate, QSslError
from blocking_request.qgis import followed_settings
good, other, folder = sys.argv[1:]
followed_settings.CERTIFICATES_SECONDS = 0.0
auth = QgsApplication.authManager()
assert auth.setMasterPassword("master", True)

def show():
    for engine in ("qt", "python"):
        NetworkAccessManager.instance().setEngine(engine)
        print([NetworkAccessManager.blockingGet(url).errorCode().name for url in (good, other)])

show()
assert auth.storeCertAuthorities(QSslCertificate.fromPath(folder + "/added.pem"))
show()
errors = NetworkAccessManager.blockingGet(other).sslErrors()
config = QgsAuthConfigSslServer()
config.setSslCertificate(QSslCertificate(errors[0].certificate.toPem().encode()))
config.setSslHostPort(other.partition("//")[2])
config.setSslIgnoredErrorEnums([QSslError.SslError(int(error.kind)) for error in errors])
assert auth.storeSslCertCustomConfig(config)
show()
{END}"""
    try:
        lines = run(program, good.url, other.url, str(tmp_path), folder=tmp_path)
    finally:
        good.close()
        other.close()
    none, one, both = (
        str([good, other]) for good, other in (("NetworkError",) * 2, ("NoError", "NetworkError"), ("NoError",) * 2)
    )
    assert lines == [none, none, one, one, both, both]


def test_instance_can_be_replaced(serve: Serve) -> None:
    """Outside QGIS, too."""
    server = serve(always(b"hello"))
    before = NetworkAccessManager.instance()
    mine = NetworkAccessManager()
    mine.setUserAgent("mine")
    try:
        NetworkAccessManager.setInstance(mine)
        assert NetworkAccessManager.instance() is mine
        assert BlockingNetworkRequest().get(server.url) is OK
        assert NetworkAccessManager.blockingGet(server.url).text() == "hello"
        NetworkAccessManager.setTimeout(1234)
        assert mine.timeout() == NetworkAccessManager.timeout() == 1234 != before.timeout()
        assert NetworkAccessManager.blockingPost(server.url, b"x").text() == "hello"
        NetworkAccessManager.setInstance(None)
        assert NetworkAccessManager.instance() not in (mine, before)
    finally:
        NetworkAccessManager.setInstance(before)
    assert all(b"User-Agent: mine" in request for request in server.requests)
    for wrong in ("http://x/", object()):
        with pytest.raises(TypeError, match=r"must be a blocking_request\.NetworkAccessManager"):
            NetworkAccessManager.setInstance(wrong)  # type: ignore[arg-type]


def test_preprocessors_of_the_class(serve: Serve) -> None:
    """They are static in QgsNetworkAccessManager."""
    server, seen = serve(always(b"hello")), list[str]()
    before = NetworkAccessManager.instance()
    NetworkAccessManager.setInstance(NetworkAccessManager())
    try:
        first = NetworkAccessManager.setRequestPreprocessor(lambda request: seen.append("request"))
        second = NetworkAccessManager.setReplyPreprocessor(lambda request, reply: seen.append("reply"))
        assert NetworkAccessManager.blockingGet(server.url).text() == "hello"
        NetworkAccessManager.removeRequestPreprocessor(first)
        NetworkAccessManager.removeReplyPreprocessor(second)
        assert NetworkAccessManager.blockingGet(server.url).text() == "hello"
        assert seen == ["request", "reply"]
        with pytest.raises(KeyError):
            NetworkAccessManager.removeRequestPreprocessor(first)
    finally:
        NetworkAccessManager.setInstance(before)


def test_credentials_of_a_proxy_need_qgis() -> None:
    """Outside QGIS, as after unpickling in another process, the proxy is used without them."""
    manager = NetworkAccessManager()
    manager.setProxy("http://127.0.0.1:3128")
    assert manager._settings.proxies == ProxyRules(manager.proxy())

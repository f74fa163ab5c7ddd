"""The manager of the process in a running QGIS follows QGIS's settings, also when they change."""

from __future__ import annotations

import base64
import pickle
from pathlib import Path

import pytest
import trustme

from blocking_request import NetworkAccessManager, Proxy
from blocking_request.manager.settings_holder import change_settings
from blocking_request.proxies.rules import ProxyRules
from blocking_request.qgis.auth import CREDENTIALS_SECONDS
from blocking_request.qgis.followed_settings import CERTIFICATES_SECONDS

from ..support.names import Serve
from ..support.qgis_program import BEGIN, END, STORE_CONFIG, needs_qgis, run
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
request = BlockingNetworkRequest()
QgsNetworkAccessManager.setTimeout(30_000)
print(request.get(url).name, request.timeout())
QgsNetworkAccessManager.setTimeout(300)
print(request.get(quiet).name)
manager.setTimeout(250)
QgsNetworkAccessManager.setTimeout(30_000)
print(manager.timeout(), request.get(quiet).name, manager.userAgent().partition("/3")[0])
{END}"""
    assert run(program, server.url, quiet.url, folder=tmp_path) == [
        "60000 Mozilla/5.0 QGIS Proxy(kind='none', host='', port=0)",
        "NoError 30000",
        "TimeoutError",
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
        lines = run(program, server.url, str(first.port), str(second.port), folder=tmp_path)
        paths = [[url.removeprefix(server.url) for url in proxy.asked] for proxy in (first, second)]
    finally:
        first.close()
        second.close()
    assert paths == [["/first", "/first/thread", "/own"], ["/second", "/second/again", "/followed/again"]]
    assert lines == ["['hello', 'hello', 'hello', 'hello', 'hello', 'hello']", "[]"]
    assert len(server.requests) == 9  # six through a proxy, and /direct, /off and /opted/out


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
{STORE_CONFIG}
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
QgsNetworkAccessManager.setTimeout(12_345)
print(request.get(sys.argv[1]).name, manager.timeout())
{END}"""
    assert run(program, server.url, folder=tmp_path) == ["NoError 60000", "NoError", "NoError 12345"]
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


ODD_VALUES = """
    [("proxy/proxyPort", float("inf")), ("proxy/proxyPort", float("nan")), ("proxy/proxyPort", "9" * 400)],
    [("proxy/noProxyUrls", 5), ("proxy/proxyExcludedUrls", True)],
    [("proxy/noProxyUrls", [None, b"x"]), ("proxy/proxyExcludedUrls", [])],
    [("qgis/networkAndProxy/userAgent", "a\\nb"), ("qgis/networkAndProxy/networkTimeout", "9" * 400)],
    [("qgis/networkAndProxy/networkTimeout", float("inf")), ("qgis/networkAndProxy/userAgent", b"bytes")],
    [("proxy/proxyHost", b"127.0.0.1"), ("proxy/proxyEnabled", "TRUE ")],
    [("proxy/proxyType", 7), ("proxy/proxyUser", 5), ("proxy/authcfg", 8)],
"""


@needs_qgis
def test_odd_values_of_settings(tmp_path: Path, serve: Serve) -> None:
    """A call returns a code and raises nothing."""
    server = serve(always(b"hello"))
    program = f"""{BEGIN}{SETTINGS}
for values in ({ODD_VALUES}):
    settings.clear()
    set_proxy(1)
    for key, value in values:
        settings.setValue(key, value)
        code = BlockingNetworkRequest().get(sys.argv[1], timeout=2_000)
        assert code.name in ("NoError", "NetworkError"), (key, value, code)
settings.clear()
print(BlockingNetworkRequest().get(sys.argv[1]).name)
{END}"""
    assert run(program, server.url, folder=tmp_path)[-1] == "NoError"


@needs_qgis
def test_exceptions_of_qgis(tmp_path: Path, serve: Serve) -> None:
    server = serve(always(b"hello"))
    program = f"""{BEGIN}
from blocking_request.qgis import followed_settings
followed_settings.CERTIFICATES_SECONDS = 0.0

def fail(qgis):
    raise RuntimeError("odd")

followed_settings.tls_of = fail
print(BlockingNetworkRequest().get(sys.argv[1]).name)
{END}"""
    assert run(program, server.url, folder=tmp_path)[-1] == "NoError"


LOCKED = f"""{STORE_CONFIG}
auth.clearMasterPassword()
asked = []

class Dialog(QgsCredentials):
    def __init__(self):
        super().__init__()
        self.setInstance(self)

    def requestMasterPassword(self, password="", stored=False):
        asked.append(threading.current_thread())
        return dialog(password, stored)

def run_in_threads(work, count=6):
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads: thread.start()
    while any(thread.is_alive() for thread in threads):
        app.processEvents()
        time.sleep(0.005)
"""


@needs_qgis
@pytest.mark.parametrize("user", ["proxy", "request"])
def test_locked_database(user: str, tmp_path: Path, serve: Serve) -> None:
    """QGIS asks for its master password once for all calls. Those in other threads end by their own timeouts."""
    server = serve(always(b"hello"))
    program = f"""{BEGIN}{SETTINGS}{LOCKED}
url, user = sys.argv[1:]
answered = threading.Event()

def dialog(password, stored):
    answered.wait(20)
    return False, ""

keep = Dialog()
codes = []

def work():
    request = BlockingNetworkRequest()
    if user == "request":
        request.setAuthCfg(config.id())
    codes.append(request.get(url, timeout=700).name)

if user == "proxy":
    set_proxy(1, authcfg=config.id())
started = time.monotonic()
run_in_threads(work)
print(set(codes), len(codes), time.monotonic() - started < 10, threading.active_count() <= 3)
answered.set()
{END}"""
    assert run(program, server.url, user, folder=tmp_path)[-1] == "{'TimeoutError'} 6 True True"


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
config.setSslIgnoredErrorEnums([QSslError.SslError(int(error.kind)) for error in errors])
for server in ("otherhost:443", "127.0.0.1", ":443", other.partition("//")[2]):
    config.setSslHostPort(server)
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
    assert lines == [none, none, one, one, *[one, one] * 3, both, both]


def test_credentials_of_a_proxy_need_qgis(serve: Serve) -> None:
    """In a program that is not QGIS, the proxy is used without them."""
    server, proxy = serve(always(b"hello")), ProxyServer()
    manager = NetworkAccessManager()
    rules = ProxyRules(Proxy("http", "127.0.0.1", proxy.port), qgis_auth_cfg="unknown")
    change_settings(manager, proxies=pickle.loads(pickle.dumps(rules)))
    try:
        assert manager.blockingGet(server.url).text() == "hello"
        assert (proxy.asked, proxy.authorizations) == ([f"{server.url}/"], [])
    finally:
        proxy.close()


def test_documented_limits() -> None:
    """docs/qgis.rst: certificates and credentials may be five seconds old."""
    assert (CERTIFICATES_SECONDS, CREDENTIALS_SECONDS) == (5.0, 5.0)

"""Inside QGIS, if it is installed for the system's Python, with the libraries that it ships."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import trustme

from blocking_request import NetworkAccessManager, NetworkDiskCache, Proxy
from blocking_request.qgis.settings import automatic_size

from ..support.names import ROOT, Serve
from ..support.qgis_program import BEGIN, END, STORE_CONFIG, SYSTEM_PYTHON, needs_qgis, run
from ..support.servers.raw import always, silence
from ..support.servers.tls import TlsServer

PROGRAM = """
import sys
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkRequest, QSslCertificate
from blocking_request import BlockingNetworkRequest
app = QgsApplication([], False)
app.initQgis()
request = QNetworkRequest(QUrl(sys.argv[1]))
blocking = BlockingNetworkRequest()
for engine in ("qt", "python"):
    blocking.setEngine(engine)
    print(blocking.get(request).name, blocking.errorMessage().partition(":")[0])
configuration = request.sslConfiguration()
configuration.addCaCertificates(QSslCertificate.fromPath(sys.argv[2]))
request.setSslConfiguration(configuration)
for engine in ("qt", "python"):
    blocking.setEngine(engine)
    print(blocking.get(request).name, blocking.reply().text(), blocking.reply().sessionProtocol())
sys.stdout.flush()
import os
os._exit(0)  # QGIS 3.22 may crash when the interpreter takes it down
"""


@needs_qgis
def test_both_engines_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    lines = run(PROGRAM, server.url, str(tmp_path / "ca.pem"), folder=tmp_path)
    server.close()
    assert lines == ["NetworkError SSL handshake failed"] * 2 + ["NoError secret TLSv1.3"] * 2


@needs_qgis
def test_requests_through_qgsnetworkaccessmanager(tmp_path: Path, serve: Serve) -> None:
    server, quiet = serve(always(b"hello")), serve(silence)
    program = f"""{BEGIN}
url, quiet = sys.argv[1:]
main, seen = QgsNetworkAccessManager.instance(), []
main.requestAboutToBeCreated["QgsNetworkRequestParameters"].connect(lambda p: seen.append(p.requestId()))
main.finished["QgsNetworkReplyContent"].connect(lambda content: seen.append(content.requestId()))
manager = NetworkAccessManager.fromQgis(useQgisManager=True)
replies = [manager.blockingGet(url), manager.blockingPost(url, b"data")]
caller = threading.Thread(target=lambda: replies.append(manager.blockingGet(url)))
caller.start()
caller.join()
print([(reply.errorCode().name, reply.text(), reply.engine()) for reply in replies])
app.processEvents()
print(len(seen), seen[0] == seen[1])
request = BlockingNetworkRequest(manager)
request.setTimeout(300)
print(request.get(quiet).name)
QgsNetworkAccessManager.setTimeout(300)
request.setTimeout(30_000)
print(request.get(quiet).name, request.errorMessage().partition(" (")[0])
QgsNetworkAccessManager.setTimeout(60_000)
feedback = QgsFeedback()
threading.Timer(0.2, feedback.cancel).start()
print(request.get(quiet, feedback=feedback).name)
print(manager.blockingGet(url).text())
{END}"""
    assert run(program, server.url, quiet.url, folder=tmp_path) == [
        str([("NoError", "hello", "qt")] * 3),
        "6 True",
        "TimeoutError",
        "TimeoutError Timed out: no data moved for as long as QGIS's network timeout allows",
        "CanceledError",
        "hello",
    ]
    assert all(b"User-Agent: Mozilla/5.0 QGIS/3" in request for request in server.requests)


@needs_qgis
def test_certificate_question_while_the_main_thread_is_blocked(tmp_path: Path, serve: Serve) -> None:
    """QGIS asks about a certificate in the main thread, and its network thread waits for the result."""
    tls = TlsServer(trustme.CA().issue_cert("127.0.0.1"))
    server = serve(always(b"hello"))
    program = f"""{BEGIN}
tls, url = sys.argv[1:]
manager = NetworkAccessManager.fromQgis(useQgisManager=True)

def call():
    request = BlockingNetworkRequest(manager)
    request.setTimeout(1_000)
    started = time.monotonic()
    print(request.get(tls).name, request.errorMessage().partition(":")[0], time.monotonic() - started < 5)

# the caller blocks the main thread itself and processes the question
request = BlockingNetworkRequest(manager)
print(request.get(tls).name, request.reply().elapsed() < 30, request.errorMessage().partition(":")[0])
# a caller in another thread while the main thread waits for it without an event loop
caller = threading.Thread(target=call)
caller.start()
caller.join()
print(manager.blockingGet(url).text())
# the same while the main thread processes events
caller = threading.Thread(target=call)
caller.start()
while caller.is_alive():
    app.processEvents()
    time.sleep(0.005)
{END}"""
    lines = run(program, tls.url, server.url, folder=tmp_path)
    tls.close()
    assert lines == [
        "NetworkError True SSL handshake failed",
        "TimeoutError Timed out True",
        "hello",
        "NetworkError SSL handshake failed True",
    ]


@needs_qgis
def test_authcfg_of_the_qgis_auth_database(tmp_path: Path, httpbin: str) -> None:
    program = f"""{BEGIN}
url = sys.argv[1]
{STORE_CONFIG}
manager = NetworkAccessManager.fromQgis()
request = QNetworkRequest(QUrl(url))
replies = [manager.blockingGet(request, config.id()), manager.blockingGet(url, config.id())]
caller = threading.Thread(target=lambda: replies.append(manager.blockingGet(url, config.id())))
caller.start()
caller.join()
print([reply.errorCode().name for reply in replies], request.hasRawHeader(b"Authorization"))
reply = manager.blockingGet(url, "nothing")
print(reply.errorCode().name, reply.errorString().partition(",")[0])
{END}"""
    assert run(program, f"{httpbin}/basic-auth/user/secret", folder=tmp_path) == [
        "['NoError', 'NoError', 'NoError'] False",
        "NetworkError There is no authentication config 'nothing'",
    ]


@needs_qgis
def test_settings_of_the_running_qgis(tmp_path: Path) -> None:
    program = f"""{BEGIN}
settings = QgsSettings()
settings.setValue("proxy/proxyEnabled", True)
settings.setValue("proxy/proxyType", "HttpProxy")
settings.setValue("proxy/proxyHost", "proxy")
settings.setValue("proxy/proxyPort", "3128")
settings.setValue("proxy/noProxyUrls", ["http://intranet/"])
settings.setValue("qgis/networkAndProxy/networkTimeout", 12345)
manager = NetworkAccessManager.fromQgis()
print(manager.proxy(), manager.noProxyList(), manager.timeout(), manager.userAgent().partition("QGIS")[0])
{END}"""
    assert run(program, folder=tmp_path) == [
        "Proxy(kind='http', host='proxy', port=3128) ['http://intranet/'] 12345 Mozilla/5.0 "
    ]


@needs_qgis
def test_cache_of_the_running_qgis(tmp_path: Path, serve: Serve) -> None:
    server = serve(always(b"hello", headers="Cache-Control: max-age=1000\r\n"))
    program = f"""{BEGIN}
settings = QgsSettings()
settings.setValue("cache/directory", sys.argv[2])
settings.setValue("cache/size-bytes", 20_000_000)
for with_qgis in (False, True):
    manager = NetworkAccessManager.fromQgis(useQgisManager=with_qgis)
    cache = manager.cache()
    print(cache.maximumCacheSize(), cache.cacheDirectory() == sys.argv[2] + "/blocking-request")
    replies = [manager.blockingGet(sys.argv[1]), manager.blockingGet(sys.argv[1])]
    print([(reply.text(), reply.isFromCache()) for reply in replies], manager.blockingGet(sys.argv[1], "", True).text())
{END}"""
    assert run(program, server.url, str(tmp_path / "mine"), folder=tmp_path) == [
        "20000000 True",
        "[('hello', False), ('hello', True)] hello",
        "20000000 True",
        "[('hello', True), ('hello', True)] hello",
    ]
    assert len(server.requests) == 3


@needs_qgis
def test_processing_download(tmp_path: Path) -> None:
    process = subprocess.run(
        [SYSTEM_PYTHON, str(ROOT / "examples/processing_download.py")],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path)},
        check=False,
    )
    assert process.stdout.splitlines() == ["downloaded: True 1000 bytes", "cancelled: True {} at once"], process.stderr


# -- a settings file, without QGIS


FULL = """
[proxy]
proxyEnabled=true
proxyType=Socks5Proxy
proxyHost=proxy.example.org
proxyPort=1081
proxyUser=user
proxyPassword=pass
proxyExcludedUrls=http://one/
noProxyUrls=http://two/, HTTP://Three/

[qgis]
networkAndProxy\\networkTimeout=30000
networkAndProxy\\userAgent=Mine
"""


def settings_file(folder: Path, text: str) -> str:
    file = folder / "QGIS3.ini"
    file.write_text(text)
    return str(file)


def test_settings_file(tmp_path: Path) -> None:
    manager = NetworkAccessManager.fromQgis(settings_file(tmp_path, FULL))
    assert manager.proxy() == Proxy("socks5", "proxy.example.org", 1081, "user", "pass")
    assert manager.excludeList() == ["http://one/"] and manager.noProxyList() == ["http://two/", "HTTP://Three/"]
    assert manager.timeout() == 30_000 and manager.userAgent() == "Mine"


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("", Proxy("none")),
        ("[proxy]\nproxyEnabled=false\nproxyType=HttpProxy\nproxyHost=p", Proxy("none")),
        ("[proxy]\nproxyEnabled=true", None),
        ("[proxy]\nproxyEnabled=true\nproxyType=DefaultProxy\nproxyHost=p", None),
        ("[proxy]\nproxyEnabled=true\nproxyType=HttpCachingProxy\nproxyHost=p", Proxy("http", "p", 8080)),
    ],
)
def test_proxy_of_a_settings_file(text: str, proxy: object, tmp_path: Path) -> None:
    manager = NetworkAccessManager.fromQgis(settings_file(tmp_path, text))
    assert manager.proxy() == proxy and manager.timeout() == 60_000 and manager.userAgent() == "Mozilla/5.0"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("size-bytes=20000000", 20_000_000),
        ("size-bytes=20000000\nsize=5", 20_000_000),
        ("size=70000000", 70_000_000),
    ],
)
def test_cache_of_a_settings_file(text: str, size: int, tmp_path: Path) -> None:
    file = settings_file(tmp_path, f"[cache]\ndirectory={tmp_path}/mine\n{text}\n")
    cache = NetworkAccessManager.fromQgis(file).cache()
    assert isinstance(cache, NetworkDiskCache)
    assert (cache.maximumCacheSize(), cache.cacheDirectory()) == (size, f"{tmp_path}/mine/blocking-request")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("text", ["size-bytes=0", "", "size=0"])
def test_automatic_cache_size_of_a_settings_file(text: str, tmp_path: Path) -> None:
    file = settings_file(tmp_path, f"[cache]\ndirectory={tmp_path}/mine\n{text}\n")
    cache = NetworkAccessManager.fromQgis(file).cache()
    assert cache is not None
    expected = automatic_size(shutil.disk_usage(tmp_path).free)
    assert cache.maximumCacheSize() == pytest.approx(expected, rel=0.05)


def test_automatic_cache_size() -> None:
    """As in QGIS: 1 GiB above 25 GB, else shares of the free space."""
    mib = 1 << 20
    sizes = [automatic_size(free * mib) // mib for free in (0, 100, 500, 1_000, 7_000, 20_000, 25_001, 900_000)]
    assert sizes == [10, 30, 150, 187, 637, 962, 1_024, 1_024]


def test_invalid_settings(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no settings file"):
        NetworkAccessManager.fromQgis(str(tmp_path / "none"))
    with pytest.raises(RuntimeError, match="this program is not QGIS"):
        NetworkAccessManager.fromQgis()
    with pytest.raises(RuntimeError, match="in a program with a QgsApplication only"):
        NetworkAccessManager.fromQgis(settings_file(tmp_path, ""), useQgisManager=True)
    with pytest.raises(ValueError, match="QGIS's network timeout is 'soon'"):
        NetworkAccessManager.fromQgis(settings_file(tmp_path, "[network]\nnetwork-timeout=soon"))
    with pytest.raises(ValueError, match="QGIS's cache size is 'big'"):
        NetworkAccessManager.fromQgis(settings_file(tmp_path, "[cache]\nsize=big"))
    with pytest.raises(ValueError, match="QGIS's proxy setting cannot be used: a proxy's port"):
        text = "[proxy]\nproxyEnabled=true\nproxyType=HttpProxy\nproxyHost=p\nproxyPort=99999"
        NetworkAccessManager.fromQgis(settings_file(tmp_path, text))

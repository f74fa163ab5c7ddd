# mypy: ignore-errors
"""Code as public plugins have it around QGIS's class and manager. A program runs it with theirs, and then with ours.

Arguments: "qgis" or "ours", the URL of a server, a URL that refuses connections. It prints one line for each pattern.
"""

import json
import os
import sys
import tempfile
import threading
from itertools import count
from urllib.parse import urlsplit

from qgis.core import (
    QgsApplication,
    QgsAuthMethodConfig,
    QgsBlockingNetworkRequest,
    QgsFeedback,
    QgsNetworkAccessManager,
    QgsNetworkReplyContent,
    QgsProcessingFeedback,
    QgsTask,
)
from qgis.PyQt.QtCore import QByteArray, QFile, QIODevice, QThread, QUrl, QUrlQuery
from qgis.PyQt.QtGui import QImage
from qgis.PyQt.QtNetwork import QNetworkReply, QNetworkRequest
from qgis.PyQt.QtXml import QDomDocument

which, URL, REFUSED = sys.argv[1:4]
if which == "ours":
    from blocking_request import BlockingNetworkRequest as QgsBlockingNetworkRequest
    from blocking_request import NetworkAccessManager as QgsNetworkAccessManager
    from blocking_request import ReplyContent as QgsNetworkReplyContent

app = QgsApplication([], False)
app.initQgis()
PATTERNS = []


def pattern(function):
    PATTERNS.append(function)
    return function


numbers = count()


def request_for(path):
    """QGIS's cache keeps each response for 30 seconds, so that the URLs differ."""
    return QNetworkRequest(QUrl(f"{URL}{path}?{next(numbers)}"))


def fetched(path):
    blocking = QgsBlockingNetworkRequest()
    error = blocking.get(request_for(path))
    return error, blocking.reply()


def echo(reply):
    """The request as the server has seen it."""
    return json.loads(bytes(reply.content()))


@pattern
def get_and_decode():
    blocking = QgsBlockingNetworkRequest()
    error = blocking.get(request_for("/text"))
    if error != QgsBlockingNetworkRequest.NoError:
        raise RuntimeError(blocking.errorMessage())
    return bytes(blocking.reply().content()).decode("utf-8")


@pattern
def get_with_scoped_enum():
    error, reply = fetched("/text")
    return error == QgsBlockingNetworkRequest.ErrorCode.NoError, reply.content().data()


@pattern
def compare_with_zero():
    return fetched("/text")[0] == 0, fetched("/missing")[0] > 0


@pattern
def status_code():
    error, reply = fetched("/missing")
    is_server_error = error == QgsBlockingNetworkRequest.ServerExceptionError
    return is_server_error, reply.attribute(QNetworkRequest.HttpStatusCodeAttribute)


@pattern
def reason_phrase():
    return fetched("/missing")[1].attribute(QNetworkRequest.HttpReasonPhraseAttribute)


@pattern
def body_of_an_error():
    return bytes(fetched("/broken")[1].content())


@pattern
def qt_error_of_the_reply():
    return fetched("/text")[1].error() == QNetworkReply.NoError, fetched("/missing")[
        1
    ].error() == QNetworkReply.ContentNotFoundError


@pattern
def message_of_an_error():
    blocking = QgsBlockingNetworkRequest()
    blocking.get(request_for("/missing"))
    return "Error transferring" in blocking.errorMessage() and "Not Found" in blocking.errorMessage()


@pattern
def connection_refused():
    blocking = QgsBlockingNetworkRequest()
    error = blocking.get(QNetworkRequest(QUrl(REFUSED)))
    return error != QgsBlockingNetworkRequest.NoError, blocking.errorMessage().startswith("Connection refused")


@pattern
def empty_url():
    blocking = QgsBlockingNetworkRequest()
    error = blocking.get(QNetworkRequest(QUrl()))
    return error != QgsBlockingNetworkRequest.NoError, blocking.errorMessage()


@pattern
def post_json():
    request = request_for("/echo")
    request.setHeader(QNetworkRequest.ContentTypeHeader, "application/json")
    blocking = QgsBlockingNetworkRequest()
    blocking.post(request, QByteArray(json.dumps({"a": 1}).encode()))
    seen = echo(blocking.reply())
    return seen["method"], seen["body"], seen["headers"]["content-type"]


@pattern
def post_form():
    query = QUrlQuery()
    query.addQueryItem("name", "a b")
    query.addQueryItem("other", "ä")
    request = request_for("/echo")
    request.setHeader(QNetworkRequest.ContentTypeHeader, "application/x-www-form-urlencoded")
    blocking = QgsBlockingNetworkRequest()
    blocking.post(request, query.toString(QUrl.FullyEncoded).encode())
    return echo(blocking.reply())["body"]


@pattern
def post_a_file():
    path = os.path.join(tempfile.mkdtemp(), "file")
    with open(path, "wb") as file:
        file.write(b"x" * 100_000)
    file = QFile(path)
    file.open(QIODevice.ReadOnly)
    blocking = QgsBlockingNetworkRequest()
    request = request_for("/echo")
    request.setHeader(QNetworkRequest.ContentTypeHeader, "application/octet-stream")
    blocking.post(request, file)
    return len(echo(blocking.reply())["body"])


@pattern
def put():
    request = request_for("/echo")
    request.setHeader(QNetworkRequest.ContentTypeHeader, "text/plain")
    blocking = QgsBlockingNetworkRequest()
    blocking.put(request, QByteArray(b"body"))
    seen = echo(blocking.reply())
    return seen["method"], seen["body"]


@pattern
def delete():
    blocking = QgsBlockingNetworkRequest()
    blocking.deleteResource(request_for("/echo"))
    return echo(blocking.reply())["method"]


@pattern
def head_for_the_size():
    blocking = QgsBlockingNetworkRequest()
    error = blocking.head(request_for("/text"))
    return error == QgsBlockingNetworkRequest.NoError, int(bytes(blocking.reply().rawHeader(b"Content-Length")))


@pattern
def header_fields():
    reply = fetched("/text")[1]
    names = [bytes(name).decode() for name in reply.rawHeaderList()]
    return bytes(reply.rawHeader(b"Content-Type")), reply.hasRawHeader(b"X-None"), "Content-Type" in names


@pattern
def own_header_fields():
    request = request_for("/echo")
    request.setRawHeader(b"Authorization", b"Bearer token")
    request.setRawHeader(b"Accept", b"application/geo+json")
    blocking = QgsBlockingNetworkRequest()
    blocking.get(request)
    headers = echo(blocking.reply())["headers"]
    return headers["authorization"], headers["accept"]


@pattern
def own_user_agent():
    request = request_for("/echo")
    request.setRawHeader(b"User-Agent", b"MyPlugin/1.0")
    blocking = QgsBlockingNetworkRequest()
    blocking.get(request)
    return "MyPlugin" in echo(blocking.reply())["headers"]["user-agent"]


@pattern
def user_agent_of_qgis():
    return "QGIS/3" in echo(fetched("/echo")[1])["headers"]["user-agent"]


@pattern
def forced_refresh():
    blocking = QgsBlockingNetworkRequest()
    blocking.get(request_for("/echo"), forceRefresh=True)
    return "no-cache" in echo(blocking.reply())["headers"].get("cache-control", "")


@pattern
def absolute_redirect():
    error, reply = fetched("/moved")
    return error == QgsBlockingNetworkRequest.NoError, bytes(reply.content()), reply.request().url().path()


@pattern
def relative_redirect():
    error, reply = fetched("/moved/relative")
    return error == QgsBlockingNetworkRequest.NoError, bytes(reply.content())


@pattern
def gzip():
    return bytes(fetched("/gzip")[1].content())


@pattern
def empty_response():
    blocking = QgsBlockingNetworkRequest()
    error = blocking.get(request_for("/empty"))
    return error == QgsBlockingNetworkRequest.NoError, bytes(blocking.reply().content())


@pattern
def json_of_the_reply():
    return json.loads(bytes(fetched("/json")[1].content()))["features"]


@pattern
def image():
    picture = QImage()
    return picture.loadFromData(fetched("/picture")[1].content()), picture.width()


@pattern
def xml():
    document = QDomDocument()
    return bool(document.setContent(fetched("/xml")[1].content())), document.documentElement().tagName()


@pattern
def file_name():
    reply = fetched("/attachment")[1]
    header = bytes(reply.rawHeader(b"Content-Disposition")).decode()
    return QgsNetworkReplyContent.extractFileNameFromContentDispositionHeader(header)


@pattern
def save_to_a_file():
    path = os.path.join(tempfile.mkdtemp(), "file")
    file = QFile(path)
    file.open(QIODevice.WriteOnly)
    file.write(fetched("/text")[1].content())
    file.close()
    with open(path, "rb") as saved:
        return saved.read()


@pattern
def feedback_of_processing():
    blocking = QgsBlockingNetworkRequest()
    error = blocking.get(request_for("/text"), False, QgsProcessingFeedback())
    return error == QgsBlockingNetworkRequest.NoError


@pattern
def canceled_by_feedback():
    feedback = QgsFeedback()
    threading.Timer(0.2, feedback.cancel).start()
    blocking = QgsBlockingNetworkRequest()
    blocking.get(request_for("/slow"), False, feedback)
    return feedback.isCanceled(), bytes(blocking.reply().content())


@pattern
def signals():
    seen = []
    blocking = QgsBlockingNetworkRequest()
    blocking.finished.connect(lambda: seen.append("finished"))
    blocking.downloadFinished.connect(lambda: seen.append("downloadFinished"))
    blocking.get(request_for("/text"))
    app.processEvents()
    return sorted(seen)


@pattern
def download_progress():
    seen = []
    blocking = QgsBlockingNetworkRequest()
    blocking.downloadProgress.connect(lambda received, total: seen.append((received, total)))
    blocking.get(request_for("/text"))
    app.processEvents()
    return bool(seen)


@pattern
def static_blocking_get():
    reply = QgsNetworkAccessManager.blockingGet(request_for("/text"))
    return reply.error() == QNetworkReply.NoError, bytes(reply.content())


@pattern
def static_blocking_post():
    reply = QgsNetworkAccessManager.instance().blockingPost(request_for("/echo"), QByteArray(b"body"))
    return echo(reply)["body"]


@pattern
def global_timeout():
    before = QgsNetworkAccessManager.timeout()
    QgsNetworkAccessManager.setTimeout(300)
    try:
        blocking = QgsBlockingNetworkRequest()
        error = blocking.get(request_for("/slow"))
        return before, error == QgsBlockingNetworkRequest.NoError, bytes(blocking.reply().content())
    finally:
        QgsNetworkAccessManager.setTimeout(before)


@pattern
def request_preprocessor():
    def add_field(request):
        request.setRawHeader(b"X-Added", b"1")

    id = QgsNetworkAccessManager.setRequestPreprocessor(add_field)
    seen = "x-added" in echo(fetched("/echo")[1])["headers"]
    QgsNetworkAccessManager.removeRequestPreprocessor(id)
    return seen, "x-added" in echo(fetched("/echo")[1])["headers"]


@pattern
def background_qthread():
    class Worker(QThread):
        def run(self):
            self.result = bytes(fetched("/text")[1].content())

    worker = Worker()
    worker.start()
    worker.wait()
    return worker.result


@pattern
def background_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(bytes(fetched("/text")[1].content())))
    thread.start()
    thread.join()
    return results


@pattern
def task_from_a_function():
    def work(task, path):
        return bytes(fetched(path)[1].content())

    task = QgsTask.fromFunction("fetch", work, "/text", on_finished=lambda exception, value=None: results.append(value))
    results = []
    QgsApplication.taskManager().addTask(task)
    while not results:
        app.processEvents()
    return results


@pattern
def auth_config():
    auth = QgsApplication.authManager()
    auth.setMasterPassword("master", True)
    config = QgsAuthMethodConfig("Basic")
    config.setName("mine")
    config.setConfig("username", "user")
    config.setConfig("password", "pass")
    auth.storeAuthenticationConfig(config)
    blocking = QgsBlockingNetworkRequest()
    blocking.setAuthCfg(config.id())
    blocking.get(request_for("/echo"))
    return blocking.authCfg() == config.id(), echo(blocking.reply())["headers"]["authorization"]


@pattern
def unknown_auth_config():
    blocking = QgsBlockingNetworkRequest()
    blocking.setAuthCfg("unknown")
    return blocking.get(request_for("/echo")) == QgsBlockingNetworkRequest.NetworkError, bool(blocking.errorMessage())


@pattern
def reply_outlives_its_request():
    def inner():
        blocking = QgsBlockingNetworkRequest()
        blocking.get(request_for("/text"))
        return blocking.reply()

    return bytes(inner().content())


@pattern
def empty_reply():
    reply = QgsNetworkReplyContent()
    return bytes(reply.content()), reply.error() == QNetworkReply.NoError, reply.requestId()


@pattern
def parameters_of_a_url():
    url = QUrl(URL + "/echo")
    query = QUrlQuery()
    query.addQueryItem("bbox", "1,2,3,4")
    query.addQueryItem("q", "a+b & c")
    url.setQuery(query)
    blocking = QgsBlockingNetworkRequest()
    blocking.get(QNetworkRequest(url))
    return urlsplit(echo(blocking.reply())["target"]).query


for each in PATTERNS:
    try:
        print(each.__name__, each(), flush=True)
    except Exception as error:
        print(each.__name__, type(error).__name__, error, flush=True)
os._exit(0)

"""docs/qgsblockingnetworkrequest.rst names each function, signal and enum value of QGIS's classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blocking_request import BlockingNetworkRequest, Feedback, NetworkAccessManager, ReplyContent, RequestParameters

from ..support.names import ROOT, Serve
from ..support.qgis_program import BEGIN, END, needs_qgis, run
from ..support.servers.raw import echo

PAGE = (ROOT / "docs/qgsblockingnetworkrequest.rst").read_text("utf-8")

# The public names of QGIS 3.22 to 4.0, of the headers in src/core and src/core/network of https://github.com/qgis/QGIS.
# Names that only C++ has are included if a caller in Python may look for them.

BLOCKING_REQUEST = """
    ErrorCode NoError NetworkError TimeoutError ServerExceptionError
    RequestFlag RequestFlags EmptyResponseIsValid flags
    get post head put deleteResource errorMessage reply authCfg setAuthCfg abort
    downloadProgress downloadFinished uploadProgress finished
"""
REPLY_CONTENT = """
    clear attribute attributes error errorString rawHeaderPairs hasRawHeader rawHeaderList rawHeader requestId request
    setContent content extractFilenameFromContentDispositionHeader extractFileNameFromContentDispositionHeader
"""
FEEDBACK = """
    isCanceled setProgress progress processedCount setProcessedCount createScaledFeedback cancel
    canceled progressChanged processedCountChanged
"""
MANAGER = """
    instance insertProxyFactory removeProxyFactory proxyFactories fallbackProxy excludeList noProxyList
    setFallbackProxyAndExcludes cacheLoadControlName cacheLoadControlFromName setupDefaultProxyAndCache useSystemProxy
    timeout setTimeout blockingGet blockingPost
    setRequestPreprocessor removeRequestPreprocessor setReplyPreprocessor removeReplyPreprocessor
    setAdvancedRequestPreprocessor removeAdvancedRequestPreprocessor preprocessRequest
    requestAuthOpenBrowser requestAuthCloseBrowser abortAuthBrowser
    requestAboutToBeCreated requestCreated finished requestTimedOut downloadProgress
    requestRequiresAuth requestAuthDetailsAdded requestEncounteredSslErrors cookiesChanged authBrowserAborted
"""
PARAMETERS = """
    RequestAttributes AttributeInitiatorClass AttributeInitiatorRequestId
    operation request originatingThreadId requestId content initiatorClassName initiatorRequestId
"""

CLASSES = {
    "QgsBlockingNetworkRequest": (BLOCKING_REQUEST, BlockingNetworkRequest, "flags EmptyResponseIsValid"),
    "QgsNetworkReplyContent": (REPLY_CONTENT, ReplyContent, "extractFilenameFromContentDispositionHeader"),
    "QgsFeedback": (FEEDBACK, Feedback, "createScaledFeedback"),
    "QgsNetworkAccessManager": (
        MANAGER,
        NetworkAccessManager,
        """
        insertProxyFactory removeProxyFactory proxyFactories cacheLoadControlName cacheLoadControlFromName
        setupDefaultProxyAndCache useSystemProxy setAdvancedRequestPreprocessor removeAdvancedRequestPreprocessor
        preprocessRequest requestAuthOpenBrowser requestAuthCloseBrowser abortAuthBrowser requestCreated
        requestTimedOut downloadProgress requestRequiresAuth requestAuthDetailsAdded requestEncounteredSslErrors
        cookiesChanged authBrowserAborted
        """,
    ),
    "QgsNetworkRequestParameters": (
        PARAMETERS,
        RequestParameters,
        "RequestAttributes AttributeInitiatorClass AttributeInitiatorRequestId initiatorClassName initiatorRequestId",
    ),
}


def names_on_page(kind: str) -> set[str]:
    """Return the names in the left column of the table of a class."""
    section = PAGE.partition(f"\n{kind}\n---")[2].partition("\n---")[0]
    rows = re.findall(r"^   \* - (.*?)^     - ", section, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(re.findall(r"``([^`]*)``", " ".join(rows)))))


@pytest.mark.parametrize("kind", CLASSES)
def test_page_has_each_name(kind: str) -> None:
    names = set(CLASSES[kind][0].split())
    assert names | {kind} <= names_on_page(kind)


@pytest.mark.parametrize("kind", CLASSES)
def test_class_has_each_name_that_the_page_does_not_exclude(kind: str) -> None:
    names, counterpart, missing = CLASSES[kind]
    holder = counterpart() if counterpart is NetworkAccessManager else counterpart  # its objects have the signals
    assert {name for name in names.split() if not hasattr(holder, name)} == set(missing.split())


def test_flag_is_a_value_of_its_enum() -> None:
    """As in QGIS, which has a scoped enum here."""
    assert int(BlockingNetworkRequest.RequestFlag.EmptyResponseIsValid) == 1


@needs_qgis
def test_lists_have_each_name_of_this_qgis(tmp_path: Path) -> None:
    program = f"""{BEGIN}
import qgis.core
from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtNetwork import QNetworkAccessManager
for kind in {list(CLASSES)}:
    kind = getattr(qgis.core, kind)
    base = next(each for each in (QNetworkAccessManager, QObject, object) if issubclass(kind, each))
    print(*(name for name in dir(kind) if not name.startswith("__") and not hasattr(base, name)))
{END}"""
    lines = run(program, folder=tmp_path)
    for (kind, (names, _, _)), line in zip(CLASSES.items(), lines):
        assert len(line.split()) > 5 and set(line.split()) <= set(names.split()), kind


@needs_qgis
def test_enum_values_are_those_of_this_qgis(tmp_path: Path) -> None:
    names = ["NoError", "NetworkError", "TimeoutError", "ServerExceptionError"]
    program = f"""{BEGIN}
for name in {names}:
    print(int(getattr(QgsBlockingNetworkRequest, name)) == int(getattr(BlockingNetworkRequest, name)))
{END}"""
    assert run(program, folder=tmp_path) == ["True"] * len(names)


@needs_qgis
def test_other_counterparts_of_the_page(tmp_path: Path, serve: Serve) -> None:
    """The rows with another name: preprocessRequest of QGIS, attributes of the initiator, codes in ``finished``."""
    program = f"""{BEGIN}
initiator = QNetworkRequest.Attribute(QgsNetworkRequestParameters.AttributeInitiatorClass)
def prepare(request):
    request.setRawHeader(b"X-Plugin", b"1")
id = QgsNetworkAccessManager.setRequestPreprocessor(prepare)
manager = NetworkAccessManager()
manager.setRequestPreprocessor(QgsNetworkAccessManager.instance().preprocessRequest)
manager.requestAboutToBeCreated.connect(lambda each: print(
    each.request().attribute(initiator),
    each.originatingThreadId() == threading.get_ident(),
))
manager.finished.connect(lambda reply: print(reply.errorCode().name))
request = QNetworkRequest(QUrl(sys.argv[1]))
request.setAttribute(initiator, "Plugin")
reply = manager.blockingGet(request)
print(b"X-Plugin: 1" in reply.body)
QgsNetworkAccessManager.removeRequestPreprocessor(id)
{END}"""
    assert run(program, serve(echo).url, folder=tmp_path) == ["Plugin True", "NoError", "True"]


def test_file_name_of_the_header_of_a_reply(serve: Serve) -> None:
    def attachment(connection) -> None:  # type: ignore[no-untyped-def]
        connection.read_request()
        connection.respond(b"x", headers='Content-Disposition: attachment; filename="a b.zip"\r\n')

    reply = NetworkAccessManager().blockingGet(serve(attachment).url)
    field = reply.rawHeader("Content-Disposition")
    assert reply.extractFileNameFromContentDispositionHeader(field) == "a b.zip"

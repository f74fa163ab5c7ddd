"""The pages of Qt's classes name each function, signal and enum that the binding shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from blocking_request import NetworkAccessManager
from blocking_request.qhttp import Http, HttpHeader, HttpRequestHeader, HttpResponseHeader
from blocking_request.qt.binding import QtCore, QtNetwork

DOCS = Path(__file__).parents[1] / "docs"


def names_of(kind: type, base: type) -> set[str]:
    """Return the names of a class, without those of its base and without the values of its enums."""
    own = {name: getattr(kind, name) for name in dir(kind) if not name.startswith("__") and not hasattr(base, name)}
    enums = tuple(each for each in own.values() if isinstance(each, type))
    return {name for name, value in own.items() if not isinstance(value, enums)}


@pytest.mark.parametrize(
    ("page", "name", "base"),
    [
        ("qnetworkreply.rst", "QNetworkReply", QtCore.QIODevice),
        ("qnetworkreply.rst", "QRestReply", object),
        ("qnetworkaccessmanager.rst", "QNetworkAccessManager", QtCore.QObject),
        ("qnetworkaccessmanager.rst", "QRestAccessManager", QtCore.QObject),
        ("qnetworkrequest.rst", "QNetworkRequest", object),
        ("qnetworkrequest.rst", "QNetworkRequestFactory", object),
        ("qnetworkrequest.rst", "QHttpHeaders", object),
        ("qnetworkrequest.rst", "QHttp1Configuration", object),
        ("qnetworkrequest.rst", "QHttp2Configuration", object),
    ],
)
def test_page_has_each_name(page: str, name: str, base: type) -> None:
    kind = getattr(QtNetwork, name, None)
    if kind is None:
        pytest.skip(f"this Qt has no {name}")
    text = (DOCS / page).read_text("utf-8")
    on_page = set(re.findall(r"\w+", " ".join(re.findall(r"``([^`]*)``", text))))
    names = names_of(kind, base)
    assert len(names) > (30 if kind in (QtNetwork.QNetworkReply, QtNetwork.QNetworkAccessManager) else 2)
    assert names <= on_page


def test_page_has_each_attribute() -> None:
    kind = QtNetwork.QNetworkRequest
    text = (DOCS / "qnetworkrequest.rst").read_text("utf-8")
    on_page = set(re.findall(r"\w+", " ".join(re.findall(r"``([^`]*)``", text))))
    holders: tuple[Any, ...] = kind.Attribute, kind.CacheLoadControl, kind.LoadControl, kind.RedirectPolicy
    if hasattr(kind.Attribute, "__members__"):
        names = {name for holder in holders for name in holder.__members__}
    else:  # PyQt5: the members are names of the class
        names = {name for name in dir(kind) if isinstance(getattr(kind, name), holders)}
    assert len(names) > 30
    assert names <= on_page


# The names of src/network/access/qhttp.h in Qt 4.8 (https://github.com/qt/qt), protected ones and those of Qt 3 included.
# No binding has these classes any more.

QHTTP = """
    ConnectionMode ConnectionModeHttp ConnectionModeHttps
    State Unconnected HostLookup Connecting Sending Reading Connected Closing
    Error NoError UnknownError HostNotFound ConnectionRefused UnexpectedClose InvalidResponseHeader WrongContentLength
    Aborted AuthenticationRequiredError ProxyAuthenticationRequiredError
    setHost setSocket setUser setProxy get post head request closeConnection close bytesAvailable read readBlock readAll
    currentId currentSourceDevice currentDestinationDevice currentRequest lastResponse hasPendingRequests
    clearPendingRequests state error errorString abort ignoreSslErrors
    stateChanged responseHeaderReceived readyRead dataSendProgress dataReadProgress requestStarted requestFinished done
    proxyAuthenticationRequired authenticationRequired sslErrors
"""
QHTTP_HEADER = """
    setValue setValues addValue values hasKey keys value allValues removeValue removeAllValues
    hasContentLength contentLength setContentLength hasContentType contentType setContentType
    toString isValid majorVersion minorVersion parseLine parse setValid
"""
QHTTP_REQUEST_HEADER = f"{QHTTP_HEADER} setRequest method path"
QHTTP_RESPONSE_HEADER = f"{QHTTP_HEADER} setStatusLine statusCode reasonPhrase"

PROTECTED = {"parseLine", "parse", "setValid"}


@pytest.mark.parametrize(
    ("qt_names", "counterpart", "missing"),
    [
        (QHTTP, Http, {"closeConnection", "readBlock"}),
        (QHTTP_HEADER, HttpHeader, PROTECTED),
        (QHTTP_REQUEST_HEADER, HttpRequestHeader, PROTECTED),
        (QHTTP_RESPONSE_HEADER, HttpResponseHeader, PROTECTED),
    ],
)
def test_page_of_qhttp_has_each_name(qt_names: str, counterpart: type, missing: set[str]) -> None:
    names = set(qt_names.split())
    quoted = re.findall(r"``([^`]*)``", (DOCS / "http.rst").read_text("utf-8"))
    assert {*names, f"Q{counterpart.__name__}"} <= set(re.findall(r"\w+", " ".join(quoted)))
    assert {name for name in names if not hasattr(counterpart, name)} == missing


@pytest.mark.parametrize("name", ("ConnectionMode", "State", "Error"))
def test_enums_of_qhttp_have_its_values(name: str) -> None:
    """Qt 4.8 numbers them from 0 in the order of its header."""
    names = QHTTP.split()
    kind = getattr(Http, name)
    begin = names.index(name) + 1
    assert [(each.name, each.value) for each in kind] == [(names[begin + at], at) for at in range(len(kind))]


# The bearer management of Qt 4.7 to 5.15, from the headers of Qt 4.8 and 5.15 (https://github.com/qt/qt and qt/qtbase):
# qnetworkaccessmanager.h, qnetworkconfigmanager.h, qnetworkconfiguration.h and qnetworksession.h. Qt 6 has no such names.

BEARER = {
    "QNetworkAccessManager": """
        configuration setConfiguration activeConfiguration networkAccessible setNetworkAccessible
        networkAccessibleChanged networkSessionConnected
        NetworkAccessibility UnknownAccessibility NotAccessible Accessible
    """,
    "QNetworkConfigurationManager": """
        capabilities defaultConfiguration allConfigurations configurationFromIdentifier updateConfigurations isOnline
        configurationAdded configurationRemoved configurationChanged onlineStateChanged updateCompleted
        Capability Capabilities
    """,
    "QNetworkConfiguration": """
        state type purpose bearerName bearerType bearerTypeName bearerTypeFamily identifier isRoamingAvailable children
        name isValid connectTimeout setConnectTimeout swap Type Purpose StateFlag StateFlags BearerType
    """,
    "QNetworkSession": """
        isOpen configuration interface state error errorString sessionProperty setSessionProperty
        bytesWritten bytesReceived activeTime usagePolicies waitForOpened open close stop migrate ignore accept reject
        stateChanged opened closed preferredConfigurationChanged newConfigurationActivated usagePoliciesChanged
        State SessionError UsagePolicy UsagePolicies
    """,
}

ALL_OF_QT_4_8 = """
    Operation proxy setProxy proxyFactory setProxyFactory cache setCache cookieJar setCookieJar
    head get post put deleteResource sendCustomRequest proxyAuthenticationRequired authenticationRequired finished sslErrors
    createRequest
"""
"""The other names of qnetworkaccessmanager.h of Qt 4.8, protected ones included."""


@pytest.mark.parametrize("kind", BEARER)
def test_page_has_each_name_of_bearer_management(kind: str) -> None:
    quoted = re.findall(r"``([^`]*)``", (DOCS / "qnetworkaccessmanager.rst").read_text("utf-8"))
    names = {*BEARER[kind].split(), kind}
    assert names <= set(re.findall(r"\w+", " ".join(quoted)))
    if hasattr(QtNetwork, kind) and kind != "QNetworkAccessManager":
        of_qt_5 = getattr(QtNetwork, kind)
        assert names_of(of_qt_5, QtCore.QObject if issubclass(of_qt_5, QtCore.QObject) else object) <= names


def test_page_has_each_name_of_qt_4_8() -> None:
    quoted = re.findall(r"``([^`]*)``", (DOCS / "qnetworkaccessmanager.rst").read_text("utf-8"))
    assert set(ALL_OF_QT_4_8.split()) <= set(re.findall(r"\w+", " ".join(quoted)))


def test_network_accessible_takes_the_values_of_qt_5() -> None:
    kind: Any = QtNetwork.QNetworkAccessManager
    manager = NetworkAccessManager()
    assert manager.networkAccessible() is True
    manager.setNetworkAccessible(getattr(kind, "NotAccessible", False))
    assert manager.networkAccessible() is False
    manager.setNetworkAccessible(getattr(kind, "Accessible", True))
    assert manager.networkAccessible() is True
    with pytest.raises(TypeError, match="accessible must be True or False"):
        manager.setNetworkAccessible(getattr(kind, "UnknownAccessibility", cast(bool, -1)))


TUTORIAL = """
    QCoreApplication exec quit QUrl QNetworkRequest setHeader KnownHeaders ContentTypeHeader QByteArray append
    QNetworkAccessManager get post finished authenticationRequired QAuthenticator setUser setPassword abort
    QNetworkReply error NetworkError NoError errorString readAll str json loads open write
"""
"""The names in the programs of https://zetcode.com/pyqt/qnetworkaccessmanager/, without those of their own."""

TUTORIAL_PROGRAMS = {
    "get_request.py": "get_page.py",
    "post_request.py": "post_form.py",
    "authentication.py": "basic_auth.py",
    "fetch_icon.py": "favicon.py",
}


def test_tutorial_has_each_name_of_the_programs() -> None:
    text = (DOCS / "tutorial.rst").read_text("utf-8")
    table = text.partition("Each class, function and signal of the four programs:")[2]
    rows = re.findall(r"^   \* - (.*?)^     - ", table, re.DOTALL | re.MULTILINE)
    assert set(TUTORIAL.split()) <= set(re.findall(r"\w+", " ".join(re.findall(r"``([^`]*)``", " ".join(rows)))))


@pytest.mark.parametrize(("program", "example"), TUTORIAL_PROGRAMS.items())
def test_tutorial_has_each_program(program: str, example: str) -> None:
    """tests/test_examples.py runs the example, and compares it with the page."""
    text = (DOCS / "tutorial.rst").read_text("utf-8")
    assert re.search(rf"\* - ``{program}``\n     - .*``examples/{example}``", text)
    assert f"<../examples/{example}>" in text and (DOCS.parent / "examples" / example).exists()

"""Wrong types and values raise at once, with a message that names the given and the expected value."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, Callable

import pytest
from urllib3.util import Retry

from blocking_request import (
    AuthConfig,
    AuthRegistry,
    BatchRequest,
    BlockingNetworkRequest,
    CookieJar,
    ErrorCode,
    Feedback,
    NetworkAccessManager,
    NetworkDiskCache,
    NetworkMemoryCache,
    Proxy,
    QtAdapter,
    TlsSettings,
    requests_session,
    route_requests,
)
from blocking_request.qhttp import Http
from blocking_request.qt.binding import API, QtCore, QtNetwork, type_name
from blocking_request.request.options import RequestOptions

from ..support.names import Serve
from ..support.servers.raw import always

URL = "http://127.0.0.1:1/"


def a_request() -> BlockingNetworkRequest:
    return BlockingNetworkRequest(NetworkAccessManager())


def a_manager() -> NetworkAccessManager:
    return NetworkAccessManager()


WRONG_CALLS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a URL as manager": (lambda: BlockingNetworkRequest("http://x"), TypeError, r"give the request to the call"),  # type: ignore[arg-type]
    "a parent for a manager": (
        lambda: NetworkAccessManager(QtCore.QCoreApplication.instance()),  # type: ignore[arg-type]
        TypeError,
        r"takes no parent, and was given a Q\w*Application: it is not a QObject, .*Write NetworkAccessManager\(\)",
    ),
    "a manager that sends": (
        lambda: a_manager().get(URL),  # type: ignore[attr-defined]
        AttributeError,
        r"no get\(\): send requests by BlockingNetworkRequest\(manager\).get\(...\)",
    ),
    "the application as manager": (
        lambda: BlockingNetworkRequest(QtCore.QCoreApplication.instance()),  # type: ignore[arg-type]
        TypeError,
        r"not Q\w*Application: a parent is given as parent=",
    ),
    "Qt's manager": (
        lambda: BlockingNetworkRequest(QtNetwork.QNetworkAccessManager()),  # type: ignore[arg-type]
        TypeError,
        r"blocking_request.NetworkAccessManager or None, not QNetworkAccessManager",
    ),
    "one URL for many": (lambda: a_manager().getMany("http://x"), TypeError, r"list of requests, not str: \[request\]"),
    "one BatchRequest for many": (
        lambda: a_manager().sendMany(BatchRequest(URL)),  # type: ignore[arg-type]
        TypeError,
        r"list of requests, not BatchRequest: \[request\]",
    ),
    "no list for many": (lambda: a_manager().getMany(None), TypeError, r"iterable of requests"),  # type: ignore[arg-type]
    "a number for a path": (lambda: list(a_manager().downloadMany([(URL, 5)])), TypeError, r"path of a download"),
    "user agent": (lambda: a_manager().setUserAgent(None), TypeError, r"userAgent must be a str, not NoneType"),  # type: ignore[arg-type]
    "default headers": (lambda: a_manager().setDefaultHeaders(None), TypeError, r"mapping, not NoneType: \{'X-Name'"),  # type: ignore[arg-type]
    "default header value": (lambda: a_manager().setDefaultHeaders({"a": 1}), TypeError, r"values must be str, not int"),  # type: ignore[dict-item]
    "AuthConfig by itself": (lambda: AuthConfig("u", "p"), TypeError, r"AuthConfig.basic\(user, password\)"),  # type: ignore[arg-type]
    "no password": (lambda: AuthConfig.basic("u", None), TypeError, r"must be a str, not NoneType"),  # type: ignore[arg-type]
    "proxy without a port": (lambda: a_manager().setProxy("localhost"), ValueError, r"'localhost' names no port"),
    "request's proxy without a port": (lambda: a_request().setProxy("localhost"), ValueError, r"'localhost' names no port"),
    "proxy's port": (lambda: Proxy("http", "h", "1"), TypeError, r"port is a number, not str"),  # type: ignore[arg-type]
    "proxy's host": (lambda: Proxy("http", 5, 1), TypeError, r"host is a str, not int"),  # type: ignore[arg-type]
    "redirect policy": (lambda: a_manager().setRedirectPolicy("x"), TypeError, r"RedirectPolicy, not 'x'"),  # type: ignore[arg-type]
    "secret names": (lambda: a_manager().setSecretParameters([1]), TypeError, r"list of str, such as \['ticket'\]"),  # type: ignore[list-item]
    "no secret names": (lambda: a_manager().setSecretParameters(None), TypeError, r"list of str"),  # type: ignore[arg-type]
    "netrc": (lambda: a_manager().setNetrc(5), TypeError, r"True, False or the path of a file, not int"),  # type: ignore[arg-type]
    "no cookie jar": (lambda: a_manager().setCookieJar(None), TypeError, r"not None: cookieJar\(\).clear\(\)"),  # type: ignore[arg-type]
    "a number as switch": (lambda: a_manager().setNetworkAccessible(-1), TypeError, r"True or False, not -1"),  # type: ignore[arg-type]
    "accessible": (lambda: a_manager().setNetworkAccessible("no"), TypeError, r"True or False, not 'no'"),  # type: ignore[arg-type]
    "cache folder": (lambda: NetworkDiskCache(5), TypeError, r"path of a folder, not int"),  # type: ignore[arg-type]
    "cache": (lambda: a_manager().setCache("/tmp"), TypeError, r"NetworkDiskCache, a NetworkMemoryCache or None"),  # type: ignore[arg-type]
    "resume": (lambda: a_request().download(URL, "/tmp/x", resume="x"), TypeError, r"resume must be True or False"),  # type: ignore[arg-type]
    "cookie's URL": (lambda: CookieJar().setCookie(5, "a", "b"), TypeError, r"url must be a QUrl or a str, not int"),  # type: ignore[arg-type]
    "cookie's value": (lambda: CookieJar().setCookie(URL, "a", 5), TypeError, r"value of a cookie is a str"),  # type: ignore[arg-type]
    "id": (lambda: AuthRegistry().load(5), TypeError, r"id of an authentication config is a str"),  # type: ignore[arg-type]
    "adapter's feedback": (lambda: QtAdapter(None, 5), TypeError, r"feedback must be a Feedback"),  # type: ignore[arg-type]
    "session's manager": (lambda: requests_session("x"), TypeError, r"manager must be"),  # type: ignore[arg-type]
    "Http's manager": (lambda: Http("h", manager=5), TypeError, r"manager must be"),  # type: ignore[arg-type]
    "feedback for forceRefresh": (lambda: a_request().get(URL, Feedback()), TypeError, r"forceRefresh must be a bool"),  # type: ignore[arg-type]
    "a dict as data": (lambda: a_request().post(URL, {"a": 1}), TypeError, r"give form=... or json=... instead"),
    "seconds for ms": (lambda: a_request().get(URL, timeout=1.5), TypeError, r"milliseconds, not float"),  # type: ignore[arg-type]
    "AuthConfig for an id": (
        lambda: a_request().setAuthCfg(AuthConfig.bearer("t")),  # type: ignore[arg-type]
        TypeError,
        r"not AuthConfig: setAuthConfig of a BlockingNetworkRequest takes",
    ),
    "a str as TLS file": (lambda: TlsSettings(5), TypeError, r"caFile must be the path of a PEM file"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_wrong_type_or_value_raises(case: str) -> None:
    act, error, words = WRONG_CALLS[case]
    with pytest.raises(error, match=words):
        act()


@pytest.mark.parametrize("name", sorted(name for name in dir(NetworkAccessManager) if name.startswith("set")))
@pytest.mark.parametrize("value", [object(), 5.5, b"bytes"], ids=["object", "float", "bytes"])
def test_setters_of_a_manager_refuse_wrong_types(name: str, value: Any) -> None:
    """No setter accepts one of these values; the error is a TypeError or ValueError, not an AttributeError."""
    arguments = [value, [], []] if name == "setFallbackProxyAndExcludes" else [value]
    manager = a_manager()
    before = manager._settings
    with pytest.raises((TypeError, ValueError)):
        getattr(manager, name)(*arguments)
    assert manager._settings == before


def assert_refused(act: Callable[[], Any], argument: str, value: Any) -> None:
    """The error names the argument and the given value, or its type."""
    with pytest.raises(TypeError) as raised:
        act()
    text = str(raised.value)
    assert re.search(rf"\b{argument}\b", text), text
    assert type(value).__name__ in text or repr(value) in text, text


def arguments_of(*methods: Callable[..., Any], without: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Pairs of the name of a method and of one of its arguments."""
    return [
        (method.__name__, name)
        for method in methods
        for name in inspect.signature(method).parameters
        if name not in ("self", *without)
    ]


WRONG_TYPES = pytest.mark.parametrize("value", [object(), 5.5], ids=["object", "float"])
OWN_SETTERS = sorted(name for name in vars(RequestOptions) if name.startswith("set"))


@pytest.mark.parametrize("name", OWN_SETTERS)
@pytest.mark.parametrize("value", [object(), 5.5, b"bytes"], ids=["object", "float", "bytes"])
def test_setters_of_a_request_refuse_wrong_types(name: str, value: Any) -> None:
    request = a_request()
    before = vars(request).copy()
    (argument,) = [each for each in inspect.signature(getattr(RequestOptions, name)).parameters if each != "self"]
    assert_refused(lambda: getattr(request, name)(value), argument, value)
    assert vars(request) == before


R = BlockingNetworkRequest
CALLS = (R.get, R.head, R.post, R.put, R.patch, R.deleteResource, R.options, R.sendCustomRequest, R.download, R.stream)


@WRONG_TYPES
@pytest.mark.parametrize(("name", "argument"), arguments_of(*CALLS, without=("json",)))
def test_calls_refuse_wrong_types(name: str, argument: str, value: Any, tmp_path: Path) -> None:
    """The call itself raises, also stream(), and the object is not left busy."""
    request = a_request()
    needed = {"sendCustomRequest": {"verb": "GET"}, "download": {"path": tmp_path / "file"}}.get(name, {})
    arguments = {"request": URL, **needed, argument: value}  # type: ignore[dict-item]
    assert_refused(lambda: getattr(request, name)(**arguments), argument, value)
    assert not request._runner._holder and list(tmp_path.iterdir()) == []


BATCHES = (NetworkAccessManager.getMany, NetworkAccessManager.sendMany, NetworkAccessManager.downloadMany)


@WRONG_TYPES
@pytest.mark.parametrize(("name", "argument"), arguments_of(*BATCHES))
def test_batches_refuse_wrong_types(name: str, argument: str, value: Any) -> None:
    """The call raises, not the first iteration."""
    arguments = {"requests": [], argument: value}
    assert_refused(lambda: getattr(a_manager(), name)(**arguments), argument, value)


@WRONG_TYPES
@pytest.mark.parametrize("field", BatchRequest._fields)
def test_batch_request_with_wrong_types(field: str, value: Any) -> None:
    given = BatchRequest(**{"request": URL, field: value})
    assert repr(given).startswith("<BatchRequest ")
    assert_refused(lambda: list(a_manager().sendMany([given])), field, value)
    assert_refused(lambda: list(a_manager().sendMany([tuple(given)])), field, value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "1 to 4 parts: a request, a verb, data and a path, not 0"),
        ((URL, "GET", None, None, 5), "1 to 4 parts: a request, a verb, data and a path, not 5"),
        (
            [URL, "POST"],
            "request must be a QNetworkRequest, a QUrl or a str, not list: a request with a verb must be a tuple",
        ),
    ],
)
def test_invalid_tuples_for_sendMany(given: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        list(a_manager().sendMany([given]))


@pytest.mark.parametrize(
    ("given", "kind"), [(URL, "str"), ([URL, "file"], "list"), ((URL, "GET", "file"), "a tuple of 3"), (5, "int")]
)
def test_invalid_pairs_for_downloadMany(given: Any, kind: str) -> None:
    words = rf"without folder=, requests must be pairs of a request and a path, such as \(url, 'file'\), not {kind}"
    with pytest.raises(TypeError, match=words):
        list(a_manager().downloadMany([given]))


@pytest.mark.parametrize("verb", [b"PUT", bytearray(b"PUT"), QtCore.QByteArray(b"PUT"), "PUT"])
def test_types_of_a_verb(blocking: BlockingNetworkRequest, serve: Serve, verb: Any) -> None:
    server = serve(always(b"ok"))
    blocking.sendCustomRequest(server.url, verb)
    with blocking.stream(server.url, verb=verb) as chunks:
        assert b"".join(chunks) == b"ok" and repr(chunks).startswith("<Stream: PUT http")
    assert len(list(a_manager().sendMany([(server.url, verb)]))) == 1
    assert [request.split()[0] for request in server.requests] == [b"PUT"] * 3
    assert repr(BatchRequest(URL, verb)) == f"<BatchRequest PUT {URL}>"


@WRONG_TYPES
@pytest.mark.parametrize("make", [QtAdapter, requests_session, route_requests])
@pytest.mark.parametrize("argument", ["manager", "feedback", "authCfg", "authOrigins"])
def test_adapter_refuses_wrong_types(make: Callable[..., Any], argument: str, value: Any) -> None:
    def act() -> None:
        made = make(**{"authCfg": "id", "authOrigins": URL, argument: value})
        if make is route_requests:
            made.__enter__()

    assert_refused(act, argument, value)


@pytest.mark.parametrize("origins", [b"https://a.example", [b"https://a.example"], None, [5]])
def test_origins_of_a_wrong_type(origins: Any) -> None:
    with pytest.raises(TypeError, match=r"authOrigins must be URLs as str, as in \['https://api.example.org'\], not"):
        QtAdapter(authCfg="id", authOrigins=origins)


@pytest.mark.parametrize("value", [object(), 5.5, "3", [3]])
def test_retries_of_an_adapter(value: Any) -> None:
    assert_refused(lambda: QtAdapter(max_retries=value), "max_retries", value)
    with pytest.raises(ValueError, match="max_retries must not be negative"):
        QtAdapter(max_retries=-1)
    for right in (0, 3, None, False, Retry(2)):
        QtAdapter(max_retries=right)


def test_object_of_another_binding() -> None:
    other = "PyQt6" if API == "PySide6" else "PySide6"
    foreign = type("QUrl", (), {"__module__": f"{other}.QtCore"})()
    words = rf"{other}.QtCore.QUrl, which belongs to {other} while blocking_request uses {API}"
    with pytest.raises(TypeError, match=words):
        a_request().get(foreign)
    assert type_name(QtCore.QUrl()) == "QUrl" and type_name(5) == "int"


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("QByteArray", lambda value: a_request().post("http://127.0.0.1/", value)),
        ("QFile", lambda value: a_request().post("http://127.0.0.1/", value)),
        ("QFile", lambda value: a_request().download("http://127.0.0.1/", value)),
        ("QByteArray", lambda value: a_request().get("http://127.0.0.1/", headers={"X": value})),
        ("QHttpHeaders", lambda value: a_request().get("http://127.0.0.1/", headers=value)),
        ("QNetworkCookieJar", lambda value: NetworkAccessManager().setCookieJar(value)),
        ("QNetworkDiskCache", lambda value: NetworkAccessManager().setCache(value)),
        ("QSslConfiguration", lambda value: NetworkAccessManager().setTlsSettings(value)),
        ("RedirectPolicy", lambda value: NetworkAccessManager().setRedirectPolicy(value)),
        ("QNetworkProxy", lambda value: NetworkAccessManager().setProxy(value)),
        ("QObject", lambda value: BlockingNetworkRequest(parent=value)),
        ("QObject", lambda value: Feedback(value)),
        ("QObject", lambda value: Http(parent=value)),
        ("KnownHeaders", lambda value: a_request().reply().header(value)),
        ("Attribute", lambda value: a_request().reply().attribute(value)),
    ],
)
def test_advice_for_objects_of_another_binding(name: str, use: Callable[[Any], object]) -> None:
    """Also for those of a subclass, and for those that would pass as files."""
    other = "PyQt6" if API == "PySide6" else "PySide6"
    members = {"__module__": f"{other}.QtNetwork", "read": bytes, "write": len, "value": 1}
    foreign = type(name, (), members)
    for kind in (foreign, type("Mine", (foreign,), {})):
        words = rf"{kind.__name__}, which belongs to {other} while blocking_request uses {API}\b"
        with pytest.raises(TypeError, match=rf"{words}.*: (import|give an object)"):
            use(kind())


@pytest.mark.parametrize("name", ["get", "head", "post", "put", "deleteResource", "sendCustomRequest"])
def test_advice_for_methods_of_a_QNetworkAccessManager(name: str) -> None:
    manager = a_manager()
    with pytest.raises(AttributeError, match=rf"by BlockingNetworkRequest\(manager\).{name}\(...\)"):
        getattr(manager, name)
    assert not hasattr(manager, name) and callable(getattr(BlockingNetworkRequest, name))


def test_other_names_that_a_manager_lacks() -> None:
    with pytest.raises(AttributeError, match=r"^'NetworkAccessManager' object has no attribute 'getOne'$"):
        a_manager().getOne  # type: ignore[attr-defined]
    NetworkAccessManager(None)
    NetworkAccessManager(parent=None)


def test_none_omits_a_form_field(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"ok"))
    blocking.post(server.url, form={"a": 1, "b": None, "c": ["x", None, "y"]})
    assert server.requests[0].endswith(b"\r\n\r\na=1&c=x&c=y")
    blocking.post(server.url, form={"a": 1, "b": None}, files={"f": b"x"})
    assert b'name="a"' in server.requests[1] and b'name="b"' not in server.requests[1]


# -- str() and repr()


def test_text_of_an_error_code() -> None:
    code = ErrorCode.TimeoutError
    assert str(code) == f"{code}" == "%s" % code == format(code) == "TimeoutError"  # noqa: UP031
    assert f"{code:>14}" == "  TimeoutError" and f"{code:d}" == "%d" % code == "2"  # noqa: UP031
    assert int(code) == 2 and code == 2 and code is ErrorCode(2) and repr(code) == "<ErrorCode.TimeoutError: 2>"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("404 Not Found", "Error transferring {url} - server replied: Not Found (404)"),
        ("404 Gone fishing", "Error transferring {url} - server replied: Gone fishing (404)"),
        ("599 ", "Error transferring {url} - server replied: an unknown status (599)"),
        ("401 Unauthorized", "Host requires authentication (401, {url})"),
        ("500 Internal Server Error", "Error transferring {url} - server replied: Internal Server Error (500)"),
    ],
)
def test_status_is_in_each_text(status: str, message: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"x", status))
    assert blocking.get(server.url) is ErrorCode.ServerExceptionError
    expected = message.format(url=server.url)
    assert blocking.errorMessage() == expected
    assert repr(blocking.reply()) == f"<ReplyContent ServerExceptionError: {expected}, 1 bytes>"
    assert repr(blocking) == f"<BlockingNetworkRequest: {blocking.reply()!r}>"
    with pytest.raises(Exception, match=status[:3]):
        blocking.reply().raiseForError()


def test_repr_of_public_objects(tmp_path: Path) -> None:
    manager = a_manager()
    manager.setProxy("http://user:s3cret@proxy:3128")
    manager.setCache(NetworkMemoryCache())
    shown = [
        BlockingNetworkRequest(manager), manager, Feedback(), CookieJar(), AuthRegistry(), manager.getMany([]), Http("h"),
        BlockingNetworkRequest(manager).stream("http://u:s3cret@h/?token=s3cret"), NetworkMemoryCache(), QtAdapter(manager),
        NetworkDiskCache(tmp_path / "cache"), BatchRequest(URL), AuthConfig.basic("u", "s3cret"), Proxy("http", "h", 1, "u", "s3cret"),
        TlsSettings(keyPassword="s3cret", clientCertificate="/c"), ErrorCode.NoError,
    ]  # fmt: skip
    for each in shown:
        text = repr(each)
        assert " object at 0x" not in text and "s3cret" not in text and type(each).__name__ in text

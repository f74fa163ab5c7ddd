"""ReplyContent: headers, body, errors, equality, pickling."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest

from blocking_request import (
    BlockingNetworkRequest,
    ErrorCode,
    NetworkRequestError,
    ReplyContent,
    RequestCanceledError,
    RequestError,
    RequestTimeoutError,
    ServerExceptionError,
)
from blocking_request.errors import EXCEPTIONS
from blocking_request.models.failure import Failure, QtNetworkError
from blocking_request.models.headers import Fields
from blocking_request.models.http_messages import Request, Response
from blocking_request.qt.binding import QtCore, QtNetwork, enum_value, field_name
from blocking_request.reply import next_request_id

from .support.names import Attribute, Serve
from .support.servers.raw import always

Known = QtNetwork.QNetworkRequest.KnownHeaders


def reply_with(body: bytes = b"", *headers: tuple[bytes, bytes], status: int = 200, **more: Any) -> ReplyContent:
    response = Response(
        Request("GET", "http://host/a?token=s3cret"), status, "OK", Fields(lambda: headers), body, **more
    )
    return ReplyContent.from_response(response, 0.25, next_request_id())


def test_empty_reply() -> None:
    empty = ReplyContent()
    assert empty.body == b"" and empty.content() == QtCore.QByteArray()
    assert (empty.statusCode(), empty.requestId(), empty.errorString()) == (None, -1, "")
    assert (empty.engine(), empty.httpVersion()) == ("", "")
    assert enum_value(empty.error()) == 0
    assert empty.errorCode() is ErrorCode.NoError
    assert empty.attributes() == {} and empty.attribute(Attribute.HttpStatusCodeAttribute) is None
    assert empty.rawHeaderList() == [] and empty.rawHeaderPairs() == [] and dict(empty.headers) == {}
    assert empty.history() == ()
    assert empty.url() == QtCore.QUrl()
    assert empty == ReplyContent() and hash(empty) == hash(ReplyContent())
    assert repr(empty) == "<ReplyContent (empty)>"
    empty.raiseForError()


@pytest.mark.parametrize(
    ("body", "value", "text"),
    [
        (b'{"a": 1}', {"a": 1}, ""),
        (b"null", None, ""),
        (b'{"a":', None, "Expecting value: line 1 column 6 (char 5)"),
        (b"", None, "Expecting value: line 1 column 1 (char 0)"),
        (b"\xff", None, "can't decode byte 0xff"),
        (b"[" * 100_000, None, "the JSON is nested too deeply"),
    ],
)
def test_names_of_qrestreply(body: bytes, value: Any, text: str) -> None:
    reply = reply_with(body, (b"Content-Type", b"application/json"))
    result, error = reply.readJson()
    assert result == value
    assert (error is None) == (text == "") and text in str(error or "")
    if error is not None:
        assert error.__traceback__ is None
        with pytest.raises(type(error)):
            reply.json()
    assert reply.readBody() == reply.content() and reply.readText() == reply.text()
    assert reply.httpStatus() == 200
    assert ReplyContent().httpStatus() == 0


def test_headers() -> None:
    reply = reply_with(
        b"",
        (b"Content-Type", b"text/html"),
        (b"Set-Cookie", b"a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
        (b"X-Many", b"one"),
        (b"x-many", b"two"),
        (b"Set-Cookie", b"b=2"),
    )
    assert reply.headers["content-TYPE"] == "text/html"
    assert reply.headers["X-Many"] == "one, two"
    assert reply.headers.getlist("set-cookie") == ("a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2")
    assert reply.headers.getlist("nothing") == ()
    assert "X-MANY" in reply.headers and "nothing" not in reply.headers and 5 not in reply.headers  # type: ignore[comparison-overlap]
    assert list(reply.headers) == ["Content-Type", "Set-Cookie", "X-Many"] and len(reply.headers) == 3
    with pytest.raises(TypeError):
        reply.headers["a"] = "b"  # type: ignore[index]
    for name in (b"content-type", "CONTENT-TYPE", QtCore.QByteArray(b"Content-Type")):
        assert reply.hasRawHeader(name)
        assert reply.rawHeader(name) == QtCore.QByteArray(b"text/html")
    assert not reply.hasRawHeader(b"nothing") and reply.rawHeader(b"nothing") == QtCore.QByteArray()
    assert reply.rawHeader(b"Set-Cookie").data().count(b"\n") == 1
    assert bytes(reply.rawHeaderList()[0]) == b"Content-Type"
    assert (QtCore.QByteArray(b"X-Many"), QtCore.QByteArray(b"one")) in reply.rawHeaderPairs()


def test_known_headers() -> None:
    reply = reply_with(
        b"",
        (b"Content-Length", b"12"),
        (b"Last-Modified", b"Sat, 21 Nov 2026 09:43:29 GMT"),
        (b"Location", b"http://host/x"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
    )
    assert reply.header(Known.ContentLengthHeader) == 12
    assert reply.header(Known.LastModifiedHeader).toUTC().time().hour() == 9
    assert reply.header(Known.LocationHeader) == QtCore.QUrl("http://host/x")
    assert [bytes(cookie.name()) for cookie in reply.header(Known.SetCookieHeader)] == [b"a", b"b"]
    assert reply.header(Known.ServerHeader) is None


def test_attributes(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"gone", "302 Found", "Location: /elsewhere\r\n"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setMaximumRedirectsAllowed(0)
    blocking.get(request)
    reply = blocking.reply()
    assert reply.attribute(Attribute.HttpStatusCodeAttribute) == 302
    assert reply.attribute(Attribute.HttpReasonPhraseAttribute) == "Found"
    assert reply.attribute(Attribute.RedirectionTargetAttribute) == QtCore.QUrl("/elsewhere")
    assert reply.attribute(Attribute.ConnectionEncryptedAttribute) is False
    assert reply.attribute(Attribute.SourceIsFromCacheAttribute) is False
    assert reply.attribute(Attribute.User) is None
    assert reply.attributes()[enum_value(Attribute.HttpStatusCodeAttribute)] == 302


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"caf\xc3\xa9", b"text/plain", "café"),
        (b"caf\xe9", b"text/plain; charset=ISO-8859-1", "café"),
        (b"caf\xe9", b'text/plain; charset="latin1"', "café"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", b"text/plain; charset=latin-1", "café"),
        ("café".encode("utf-16"), b"text/plain", "café"),
        (b"caf\xe9", b"text/plain", "caf�"),
        (b"caf\xc3\xa9", b"text/plain; charset=unheard-of", "café"),
        (b"caf\xc3\xa9", b"text/plain; charset=idna", "café"),
        (b"caf\xc3\xa9", b"text/plain; charset=undefined", "café"),
        (b"caf\xc3\xa9", b"text/plain; charset=punycode", "café"),
        (b"caf\xc3\xa9 \\x", b"text/plain; charset=unicode_escape", "café \\x"),
        (b"caf\xc3\xa9", b"text/plain; charset=rot13", "café"),
        (b"caf\xc3\xa9", b"", "café"),
    ],
)
def test_text(body: bytes, content_type: bytes, text: str) -> None:
    assert reply_with(body, (b"Content-Type", content_type)).text() == text


def test_text_with_encoding() -> None:
    assert reply_with(b"caf\xe9").text("latin-1") == "café"


def test_json() -> None:
    assert reply_with(b'{"a": [1, 2]}').json() == {"a": [1, 2]}
    assert reply_with('{"a": "é"}'.encode("utf-16")).json() == {"a": "é"}
    with pytest.raises(ValueError):
        reply_with(b"<html>").json()


def test_reply_is_immutable() -> None:
    reply = reply_with(b"x")
    with pytest.raises(AttributeError, match="immutable"):
        reply.body = b"y"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        reply.anything = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="immutable"):
        del reply._response
    assert copy.copy(reply) is reply and copy.deepcopy(reply) is reply
    assert isinstance(reply.body, bytes)


def test_equality() -> None:
    assert reply_with(b"x", (b"A", b"1")) == reply_with(b"x", (b"A", b"1"))
    assert hash(reply_with(b"x", (b"A", b"1"))) == hash(reply_with(b"x", (b"A", b"1")))
    assert reply_with(b"x") != reply_with(b"y")
    assert reply_with(b"x") != reply_with(b"x", status=201)
    assert reply_with(b"x") != "x"


def test_unpickle_without_application(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(f"{httpbin}/redirect-to?url=/cookies/set%3Fa%3D1"))
    request.setAttribute(Attribute.User, "not picklable with Qt")
    blocking.get(request)
    reply = blocking.reply()
    again = pickle.loads(pickle.dumps(reply))
    assert again == reply and again.requestId() == reply.requestId() and again.elapsed() == reply.elapsed()
    program = (
        "import pickle, sys; reply = pickle.load(sys.stdin.buffer); "
        "print(reply.statusCode(), reply.json(), len(reply.history()), reply.url().path(), reply.header)"
    )
    run = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(reply), capture_output=True, timeout=60)
    assert run.returncode == 0, run.stderr.decode()
    assert run.stdout.decode().startswith("200 {'cookies': {'a': '1'}} 2 /cookies")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ErrorCode.NetworkError, NetworkRequestError),
        (ErrorCode.TimeoutError, RequestTimeoutError),
        (ErrorCode.CanceledError, RequestCanceledError),
    ],
)
def test_raise_for_error(code: ErrorCode, kind: type[RequestError]) -> None:
    reply = reply_with(b"part", failure=Failure(code, QtNetworkError.RemoteHostClosedError, "It broke"))
    with pytest.raises(kind, match=r"^It broke \(http://host/a\?token=\*\*\*\)$") as raised:
        reply.raiseForError()
    assert raised.value.reply is reply
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is kind and str(again) == str(raised.value) and again.reply == reply
    assert isinstance(raised.value, RequestError)


def test_raise_for_status() -> None:
    with pytest.raises(ServerExceptionError, match="server replied: OK") as raised:
        reply_with(b"why", status=500).raiseForError()
    assert raised.value.reply.body == b"why"
    reply_with(status=399).raiseForError()


def test_timeout_exception_is_a_builtin_timeout_error() -> None:
    assert issubclass(RequestTimeoutError, TimeoutError)
    assert set(EXCEPTIONS) == set(ErrorCode) - {ErrorCode.NoError}


def test_repr_shows_no_secret() -> None:
    assert repr(reply_with(b"abc")) == "<ReplyContent NoError: 200 OK, 3 bytes>"
    assert "s3cret" not in repr(reply_with(status=404))
    response = Response(Request("GET", "http://u:s3cret@h/?token=s3cret", ((b"Authorization", b"s3cret"),), b"s3cret"))
    assert "s3cret" not in repr(response) + repr(response.request)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=plain.txt", "plain.txt"),
        ("attachment; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ("attachment; filename=\"old.txt\"; filename*=utf-8''new%20one.txt", "new one.txt"),
        ("attachment; filename*=utf-8''new.txt; filename=\"old; or not.txt\"", "new.txt"),
        ("inline", ""),
        ("", ""),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\temp\\\\x.txt"', "x.txt"),
        ('attachment; filename=".."', ""),
        ('ATTACHMENT; FILENAME="x"', "x"),
        (b'attachment; filename="na\xc3\xafve.txt"', "naïve.txt"),
        (b'attachment; filename="caf\xe9.txt"', "café.txt"),
    ],
)
def test_file_name(header: Any, name: str) -> None:
    assert ReplyContent.extractFileNameFromContentDispositionHeader(header) == name


def test_request_of_the_reply(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(f"{httpbin}/redirect/1"))
    request.setRawHeader(b"X-Mine", b"1")
    request.setAttribute(QtNetwork.QNetworkRequest.Attribute.User, "mine")
    blocking.get(request)
    sent = blocking.reply().request()
    assert sent.url() == QtCore.QUrl(f"{httpbin}/get")
    assert sent.rawHeader(field_name(b"X-Mine")) == QtCore.QByteArray(b"1")
    assert sent.attribute(QtNetwork.QNetworkRequest.Attribute.User) == "mine"
    sent.setRawHeader(b"X-Mine", b"2")
    assert blocking.reply().request().rawHeader(field_name(b"X-Mine")) == QtCore.QByteArray(b"1")


def test_reply_cannot_be_changed() -> None:
    """The methods of QgsNetworkReplyContent that change it say why."""
    for change in (ReplyContent().clear, lambda: ReplyContent().setContent(b"x")):
        with pytest.raises(TypeError, match="a ReplyContent is immutable"):
            change()


def test_request_ids_differ(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    seen = set()
    for _ in range(3):
        blocking.get(f"{httpbin}/status/200")
        seen.add(blocking.reply().requestId())
    assert len(seen) == 3 and min(seen) > 0

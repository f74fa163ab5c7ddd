"""The small values: URLs, header fields, bodies, the mailbox, the tables."""

from __future__ import annotations

import gzip
import pickle
import threading
import zlib
from queue import Empty

import pytest

from blocking_request.engines.body_errors import CorruptBody
from blocking_request.engines.body_reader import BodyReader
from blocking_request.engines.content_decoding import ACCEPT_ENCODING, READABLE_CODINGS
from blocking_request.engines.events import Cancel, Progress
from blocking_request.engines.mailbox import Mailbox
from blocking_request.models.failure import QtNetworkError, error_for_status
from blocking_request.models.headers import Fields
from blocking_request.models.redaction import redact_url
from blocking_request.models.urls import origin, split_userinfo
from blocking_request.qt.binding import QtNetwork, enum_value

TEXT = b"All work and no play makes Jack a dull boy. " * 1000


def test_error_codes_equal_those_of_qt() -> None:
    for member in QtNetworkError:
        assert enum_value(getattr(QtNetwork.QNetworkReply.NetworkError, member.name)) == member


def test_every_status_has_an_error_of_its_class() -> None:
    assert {error_for_status(status) for status in range(100, 400)} == {QtNetworkError.NoError}
    for status in range(400, 1000):
        error = error_for_status(status)
        assert error in (105, *range(201, 303)) if status < 500 else error in range(401, 500)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/a", "http://host:80"),
        ("https://host/a", "https://host:443"),
        ("http://HOST:8080", "http://host:8080"),
        ("http://u:p@host:80/", "http://host:80"),
        ("http://[::1]:8/", "http://::1:8"),
        ("file:///a", "file://:0"),
    ],
)
def test_origin(url: str, expected: str) -> None:
    assert origin(url) == expected


def test_userinfo() -> None:
    assert split_userinfo("http://host/a@b") == ("http://host/a@b", None)
    assert split_userinfo("http://us%3Aer:p%40ss@host:1/x") == ("http://host:1/x", ("us:er", "p@ss"))
    assert split_userinfo("http://user@host/") == ("http://host/", ("user", ""))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/plain", "http://host/plain"),
        ("http://u:p@host/", "http://host/"),
        ("http://host/?key=1&keys=2&monkey=3", "http://host/?key=***&keys=2&monkey=3"),
        ("http://host/?Api_Key=1;a=2", "http://host/?Api_Key=***;a=2"),
        ("http://host/?X-Goog-Signature=abc&x-amz-date=1", "http://host/?X-Goog-Signature=***&x-amz-date=***"),
        ("http://host/?token=", "http://host/?token=***"),
        ("http://host/#access_token=abc", "http://host/#access_token=***"),
        ("http://[::1/?token=abc", "http://[::1/"),
        ("not a url?token=abc", "not a url?token=***"),
    ],
)
def test_redacted_url(url: str, expected: str) -> None:
    assert redact_url(url) == expected


def test_redacted_url_with_own_names() -> None:
    assert redact_url("http://host/?token=1&mine=2", ("mine",)) == "http://host/?token=1&mine=***"


def test_fields_are_pickled_and_compared() -> None:
    fields = Fields(lambda: ((b"A", b"1"), (b"a", b"2")))
    assert pickle.loads(pickle.dumps(fields)) == fields
    assert hash(fields) == hash(Fields(lambda: [(b"A", b"1"), (b"a", b"2")]))
    assert fields.value(b"a") == b"1, 2" and fields.value(b"b") is None


# -- bodies


@pytest.mark.parametrize("step", [1, 7, 1000, 10**6])
@pytest.mark.parametrize(
    ("encoding", "data", "expected"),
    [
        (b"", TEXT, TEXT),
        (b"identity", TEXT, TEXT),
        (b"gzip", gzip.compress(TEXT, mtime=0), TEXT),
        (b"X-GZIP", gzip.compress(TEXT, mtime=0), TEXT),
        (b"gzip", gzip.compress(TEXT, mtime=0) + gzip.compress(b"more", mtime=0), TEXT + b"more"),
        (b"gzip", gzip.compress(TEXT, mtime=0) + b"\0\0\0", TEXT),
        (b"gzip", gzip.compress(b"", mtime=0), b""),
        (b"deflate", zlib.compress(TEXT), TEXT),
        (b"deflate", zlib.compress(TEXT)[2:-4], TEXT),
        (b"deflate, gzip", gzip.compress(zlib.compress(TEXT), mtime=0), TEXT),
        (b"sdch", b"left as it is", b"left as it is"),
        (b"gzip, sdch", b"left as it is", b"left as it is"),
    ],
)
def test_body_in_chunks_of_any_size(step: int, encoding: bytes, data: bytes, expected: bytes) -> None:
    reader = BodyReader(str(len(data)).encode(), encoding)
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
    assert reader.body_error() is None
    assert reader.content() == expected
    assert reader.encoded_bytes == len(data)


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_each_truncation_is_detected(encoding: bytes) -> None:
    whole = gzip.compress(TEXT, mtime=0) if encoding == b"gzip" else zlib.compress(TEXT)
    for length in range(1, len(whole)):
        reader = BodyReader(None, encoding)
        reader.feed(whole[:length])
        failure = reader.body_error()
        assert failure is not None and failure.error is QtNetworkError.ProtocolFailure


def test_optional_codings_are_offered_if_their_libraries_are_installed() -> None:
    assert b"gzip" in ACCEPT_ENCODING and b"deflate" in ACCEPT_ENCODING
    for name, compress in _compressors().items():
        assert name in READABLE_CODINGS
        data = compress(TEXT)  # type: ignore[operator]
        for end, whole in ((len(data), True), (len(data) - 3, False)):
            reader = BodyReader(None, name.encode())
            reader.feed(data[:end])
            assert (reader.body_error() is None) is whole
            assert (reader.content() == TEXT) is whole
        reader = BodyReader(None, name.encode())
        with pytest.raises(CorruptBody, match="corrupt"):
            reader.feed(b"\xff\xfe\xfd garbage" * 10)


def _compressors() -> dict[str, object]:
    found = {}
    try:
        import brotli

        found["br"] = brotli.compress
    except ImportError:
        pass
    if "zstd" in READABLE_CODINGS:
        try:
            from backports import zstd

            found["zstd"] = zstd.compress
        except ImportError:
            import zstandard

            found["zstd"] = zstandard.ZstdCompressor().compress
    return found


@pytest.mark.parametrize("length", [b"ten", b"-1", b"1, 2", b"1.5", b"0x10", b" "])
def test_invalid_content_length(length: bytes) -> None:
    with pytest.raises(CorruptBody, match="which is not a number of bytes"):
        BodyReader(length)


def test_content_is_not_copied() -> None:
    reader = BodyReader(None)
    for _ in range(100):
        reader.feed(b"x" * 100_000)
    assert reader.content() is reader.content()


# -- the mailbox


def test_mailbox_keeps_only_the_newest_progress() -> None:
    mailbox = Mailbox()
    for done in range(5):
        mailbox.report(Progress(False, done, 10))
    mailbox.report(Progress(True, 3, 3))
    mailbox.post(Cancel())
    assert {mailbox.take(0), mailbox.take(0)} == {Progress(False, 4, 10), Progress(True, 3, 3)}
    assert mailbox.take(0) == Cancel()
    with pytest.raises(Empty):
        mailbox.take(0)
    mailbox.report(Progress(False, 9, 10))
    assert mailbox.take(0) == Progress(False, 9, 10)


def test_mailbox_keeps_the_last_progress_of_another_thread() -> None:
    mailbox = Mailbox()
    count = 20_000

    def report() -> None:
        for done in range(count):
            mailbox.report(Progress(False, done, count))
        mailbox.post(Cancel())

    thread = threading.Thread(target=report)
    thread.start()
    last = None
    while not isinstance(event := mailbox.take(10), Cancel):
        last = event
    thread.join()
    assert last == Progress(False, count - 1, count)

"""Compressed bodies made to cost time or memory, or to hide bytes behind their end."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Iterator

import brotli
import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback, NetworkAccessManager
from blocking_request.engines.body_errors import BodyError
from blocking_request.engines.body_reader import BodyReader, Limits
from blocking_request.engines.content_decoding import MAXIMUM_CODINGS, _library_errors_mapped

from ..support.names import Serve
from ..support.servers.raw import Connection, always

TEXT = b"All work and no play makes Jack a dull boy. " * 20
EMPTY_MEMBER = gzip.compress(b"", mtime=0)


def bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "deflate": zlib.compress(TEXT),
    "deflate bare": bare_deflate(TEXT),
    "br": brotli.compress(TEXT),
}


def decode(coding: str, data: bytes, size: int) -> tuple[bytes, bool]:
    """Return the body that a reader decodes from ``data`` in parts of ``size`` bytes, and if it is valid."""
    reader = BodyReader(None, coding.split()[0].encode())
    try:
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
    except BodyError:
        return reader.content(), False
    return reader.content(), reader.body_error() is None


def splits(data: bytes) -> Iterator[int]:
    yield from (1, 2, 3, 7, len(data) - 1, len(data), len(data) + 1, 1 << 18)


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("behind", [b"", b"\0", b"\0" * 600, b"\0" * 70_000])
def test_zero_bytes_behind_a_compressed_body_are_padding(coding: str, behind: bytes) -> None:
    data = CODED[coding]
    for size in splits(data):
        assert decode(coding, data + behind, max(size, len(behind) // 500)) == (TEXT, True), size


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize(
    "behind",
    [
        b"x",
        b"\x1f",
        b"\x1f\x8c" + CODED["gzip"][2:],
        b"<html>an error page</html>",
        b"\0x",
        b"\0\0" + CODED["gzip"],
        CODED["br"],
        CODED["deflate"],
        b"\x1f\x8b\x08",
    ],
)
def test_other_bytes_behind_a_compressed_body_are_an_error(coding: str, behind: bytes) -> None:
    data = CODED[coding]
    for size in splits(data):
        content, is_whole = decode(coding, data + behind, size)
        assert not is_whole, size
        assert TEXT.startswith(content)


def test_memory_error_is_not_a_corrupt_body() -> None:
    """It is an error of the program, not of the server."""

    def lacking() -> Iterator[bytes]:
        raise MemoryError
        yield b""

    with pytest.raises(MemoryError):
        list(_library_errors_mapped(lacking()))


def test_several_gzip_members_are_one_body() -> None:
    data = CODED["gzip"] * 3
    for size in splits(CODED["gzip"]):
        assert decode("gzip", data, size) == (TEXT * 3, True)


def test_truncated_second_member() -> None:
    data = CODED["gzip"] * 2
    for size in (1, 7, 1 << 18):
        for end in range(len(CODED["gzip"]) + 1, len(data)):
            assert not decode("gzip", data[:end], size)[1], end


def test_error_of_bytes_behind_a_gzip_member(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(CODED["gzip"] + b"<html>", headers="Content-Encoding: gzip\r\n"))
    assert blocking.get(server.url) is ErrorCode.NetworkError
    assert "other bytes follow the end" in blocking.errorMessage()


def test_gzip_members_are_read_in_linear_time() -> None:
    """After each member all following bytes were once copied."""
    started = time.process_time()
    reader = BodyReader(None, b"gzip", Limits(0, 300))
    data = EMPTY_MEMBER * 10_000
    for _ in range(10):
        reader.feed(data)
    assert reader.body_error() is None and reader.content() == b""
    assert time.process_time() - started < 10


@pytest.mark.parametrize("layers", [2, 3])
def test_empty_gzip_members_in_several_codings(layers: int, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """34 KB with three codings once occupied a worker for 47 minutes."""
    body = EMPTY_MEMBER * 1_500_000
    for _ in range(layers - 1):
        body = gzip.compress(body, 9, mtime=0)
    server = serve(always(body, headers=f"Content-Encoding: {', '.join(['gzip'] * layers)}\r\n"))
    started = time.monotonic()
    assert blocking.get(server.url) is ErrorCode.NetworkError
    assert time.monotonic() - started < 10
    assert "setMaximumExpansion" in blocking.errorMessage()


def stored_brotli(data: bytes) -> bytes:
    """Brotli's meta-blocks of data that is not compressed (RFC 7932 section 9.2)."""
    bits = size = 0
    coded = bytearray()
    for start in range(0, len(data), 1 << 16):
        block = data[start : start + (1 << 16)]
        # The window (in the first byte only), not the last, four nibbles of length, and not compressed.
        fields = ((0, 1), (0, 1), (0, 2), (len(block) - 1, 16), (1, 1))
        for value, width in fields[0 if start == 0 else 1 :]:
            bits |= value << size
            size += width
        coded += bits.to_bytes(3, "little") + block
        bits = size = 0
    return bytes(coded) + b"\x03"


def test_zero_bytes_in_brotli_are_read_in_linear_time() -> None:
    """Each byte was once decoded separately: a hundred bytes in two codings could occupy a worker for hours."""
    data = bytes(1 << 23)
    stored = stored_brotli(data)
    started = time.process_time()
    for coding, body in ((b"br", stored), (b"br, br", brotli.compress(stored))):
        reader = BodyReader(None, coding)
        reader.feed(body)
        assert reader.body_error() is None and reader.content() == data
    assert time.process_time() - started < 5


@pytest.mark.parametrize("count", [MAXIMUM_CODINGS + 1, 2_000, 20_000])
def test_too_many_codings(count: int, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"x", headers=f"Content-Encoding: {','.join(['gzip'] * count)}\r\n"))
    assert blocking.get(server.url) is ErrorCode.NetworkError


@pytest.mark.parametrize("coding", ["zstd", "foo, gzip", "gzip, foo"])
def test_unknown_coding_leaves_the_body_encoded(coding: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    body = gzip.compress(b"text")
    server = serve(always(body, headers=f"Content-Encoding: {coding}\r\n"))
    assert blocking.get(server.url) == ErrorCode.NoError and blocking.reply().body == body
    assert blocking.reply().rawHeader("Content-Encoding") == coding.encode()


def test_five_codings_are_decoded(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    body = TEXT
    for _ in range(MAXIMUM_CODINGS):
        body = gzip.compress(body)
    server = serve(always(body, headers="Content-Encoding: gzip, x-gzip, gzip, identity, gzip, gzip\r\n"))
    assert blocking.get(server.url) is ErrorCode.NoError, blocking.errorMessage()
    assert blocking.reply().body == TEXT


@pytest.mark.parametrize("streams", [False, True])
def test_cancel_ends_decoding(streams: bool, manager: NetworkAccessManager, serve: Serve) -> None:
    """The worker is free for the next call at once and does not decode a gigabyte for a canceled call."""
    body = gzip.compress(bytes(1 << 24)) * 64
    feedback = Feedback()
    was_sent = threading.Event()

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.startswith(b"GET /small"):
                connection.respond(b"hi")
            else:
                connection.respond(body, headers="Content-Encoding: gzip\r\n")
                was_sent.set()

    server = serve(handle)
    manager.setMaximumExpansion(0)
    manager.setMaximumBodySize(0)
    blocking = BlockingNetworkRequest(manager)
    canceling = threading.Thread(target=lambda: (was_sent.wait(10), feedback.cancel()))  # type: ignore[func-returns-value]
    canceling.start()
    if streams:
        code = blocking.download(server.url, "/dev/null", feedback)
    else:
        code = blocking.get(server.url, feedback=feedback)
    canceling.join()
    assert code is ErrorCode.CanceledError
    started = time.monotonic()
    assert blocking.get(server.url + "/small") is ErrorCode.NoError
    assert time.monotonic() - started < 0.5

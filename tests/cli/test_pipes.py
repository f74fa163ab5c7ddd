"""Pipes in the place of files, such as ``<(command)`` in bash. Each is read once, and none is waited for without end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
import trustme

from ..support.command_line import cli, sent
from ..support.names import Serve
from ..support.servers.raw import echo
from ..support.servers.tls import TlsServer

pytest.importorskip("click")
pytest.importorskip("rich")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFO among its files")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Callable[[bytes], str]]:
    """Make a FIFO that another thread writes to once, and return its path."""
    writers: list[threading.Thread] = []

    def make(content: bytes) -> str:
        path = tmp_path / f"pipe{len(writers)}"
        os.mkfifo(path)
        writers.append(threading.Thread(target=path.write_bytes, args=(content,), daemon=True))
        writers[-1].start()
        return str(path)

    yield make
    for writer in writers:
        writer.join(20)
        assert not writer.is_alive(), "a pipe was not read"


def test_bodies_and_cookies(serve: Serve, pipe: Callable[[bytes], str], tmp_path: Path) -> None:
    server = serve(echo)
    assert cli(server.url, "-d", f"@{pipe(b'of a pipe')}").returncode == 0
    assert sent(server).body.endswith(b"of a pipe") or b"of a pipe\r\n" in sent(server).body
    assert cli(server.url, "-F", f"a=@{pipe(b'of a pipe')};type=text/plain").returncode == 0
    assert b"\r\n\r\nof a pipe\r\n" in sent(server).body
    cookies = pipe(b"127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tvalue\n")
    assert cli(server.url, "-b", cookies).returncode == 0 and sent(server).value("Cookie") == "name=value"
    urls, folder = pipe(server.url.encode()), tmp_path / "folder"
    assert cli("get", "--from", urls, "-o", str(folder)).returncode == 0 and len(os.listdir(folder)) == 2


def test_certificates(pipe: Callable[[bytes], str]) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"), trusts=authority)
    client = authority.issue_cert("me@home.test")
    ca = pipe(authority.cert_pem.bytes())
    mine, key = pipe(client.cert_chain_pems[0].bytes()), pipe(client.private_key_pem.bytes())
    result = cli("get", server.url, "--cacert", ca, "--cert", mine, "--key", key)
    server.close()
    assert (result.returncode, result.stdout) == (0, b"secret"), result.stderr


def test_pipes_that_are_refused(serve: Serve, tmp_path: Path) -> None:
    """They have no writer or reader, so a command that opened them would wait."""
    server, path = serve(echo), str(tmp_path / "pipe")
    os.mkfifo(path)
    for arguments, status, text in (
        ((server.url, "--netrc-file", path), 64, "--netrc-file: a pipe can be read once only"),
        ((server.url, "--har", path), 74, "it is not a regular file"),
        ((f"file://{path}",), 74, "cannot be read: it is a pipe or device"),
    ):
        result = cli(*arguments)
        assert (result.returncode, text in result.stderr.decode()) == (status, True), result.stderr
    assert not server.requests and os.listdir(tmp_path) == ["pipe"]

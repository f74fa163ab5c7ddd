"""The texts of an entry: a command for curl, and a program of this package. Both are run, and send the same request."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from typing import Any

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.netlog import NetworkEntry, NetworkLog

from ..support.names import OK, ROOT, Serve
from ..support.servers.raw import Connection, always

CASES: list[tuple[str, str, Any, dict[str, str]]] = [
    ("GET", "/a%20b?c=d&e='f'", None, {}),
    ("HEAD", "/", None, {"X-A": 'it\'s "quoted" $HOME `x` \\'}),
    ("POST", "/", b"a=1&b='2'\n@x", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("POST", "/", b"@file", {"User-Agent": "me", "Accept": "text/html", "X-Empty": ""}),
    ("POST", "/", b"", {}),
    ("PUT", "/b", bytes(range(256)), {"Content-Type": "application/octet-stream"}),
    ("PATCH", "/b", "\u00e4\u00f6\U0001f600\t\r\n%d".encode(), {}),
    (
        "POST",
        "/",
        b"--b\r\nContent-Disposition: form-data\r\n\r\n\x00\x89PNG\xff\r\n--b--\r\n",
        {"Content-Type": "image/png"},
    ),
    ("POST", "/", b"-n \xff", {"X-Latin": "caf\u00e9 %d'", "X-Utf": "\u65e5\u672c"}),
    ("POST", "/\u65e5\u00e4?\u672c=\U0001f600", b"'" * 19_990, {}),
    ("DELETE", "/b", None, {}),
    ("DELETE", "/b", b"body", {}),
    ("PURGE", "/[1-3]/../{x}", None, {"Host": "example.org"}),
]


def without_own_fields(request: bytes) -> tuple[bytes, list[tuple[str, str]], bytes]:
    """Return request line, fields and body, without the fields that a client adds for itself."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    fields = sorted((name.lower(), value.strip()) for name, _, value in (each.partition(":") for each in lines))
    own = ("accept-encoding", "connection", "content-length" if not body else "")
    return line.encode(), [pair for pair in fields if pair[0] not in own], body


@pytest.fixture
def entry_of(manager: NetworkAccessManager, log: NetworkLog) -> Any:
    def send(method: str, url: str, data: Any, headers: dict[str, str]) -> NetworkEntry:
        assert BlockingNetworkRequest(manager).sendCustomRequest(url, method, data, headers=headers) is OK
        return log.entries()[-1]

    return send


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(("method", "path", "data", "headers"), CASES)
def test_curl(method: str, path: str, data: Any, headers: dict[str, str], entry_of: Any, serve: Serve) -> None:
    server = serve(always(b""))
    command = entry_of(method, server.url + path, data, headers).asCurl()
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, (command, done.stderr)
    first, second = server.requests
    assert without_own_fields(second) == without_own_fields(first), command


@pytest.mark.parametrize(("method", "path", "data", "headers"), CASES)
def test_python(method: str, path: str, data: Any, headers: dict[str, str], entry_of: Any, serve: Serve) -> None:
    server = serve(always(b"body"))
    program = entry_of(method, server.url + path, data, headers).asPython()
    code = compile(program, "program", "exec")
    exec(code, {"print": lambda *values: None})
    first, second = server.requests
    own = {("content-type", "application/x-www-form-urlencoded")}  # another engine may have sent it
    one, other = without_own_fields(first), without_own_fields(second)
    assert (one[0], set(one[1]) - own, one[2]) == (other[0], set(other[1]) - own, other[2]), program


def test_program_prints_the_result(entry_of: Any, serve: Serve) -> None:
    server = serve(always(b"body"))
    program = entry_of("GET", server.url, None, {}).asPython()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert done.stdout.strip() == b"NoError 200 4", done.stderr


def test_body_that_is_not_kept(manager: NetworkAccessManager, serve: Serve) -> None:
    url = serve(always()).url
    with NetworkLog(manager, bodies=10) as log:
        request = BlockingNetworkRequest(manager)
        assert request.put(url, b"x" * 11) is OK
        assert request.put(url, io.BytesIO(b"a" * (2 << 20))) is OK
    first, second = log.entries()
    assert first.asCurl().endswith("--data-binary @body  # the log has not kept the body of 11 bytes")
    assert second.asCurl().endswith(f"@body  # the log has not kept the body of {2 << 20} bytes")
    assert "    # the log has not kept the body of 11 bytes\n" in first.asPython()
    for entry in (first, second):
        assert 'open("body", "rb"),' in entry.asPython()
        compile(entry.asPython(), "program", "exec")


@pytest.mark.parametrize("body", [b"x" * 130_000, b"'" * 30_000, b"\xff" * 60_000])
def test_body_that_is_too_long_for_a_command_line(body: bytes, manager: NetworkAccessManager, serve: Serve) -> None:
    with NetworkLog(manager, bodies=1 << 20) as log:
        assert BlockingNetworkRequest(manager).post(serve(always()).url, body) is OK
    text = (
        f"--data-binary @body  # the body, of {len(body)} bytes, is too long for a command line: save it in this file"
    )
    assert log.entries()[0].asCurl().endswith(text) and repr(body) in log.entries()[0].asPython()


def test_redirect_and_proxy(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b"/old " in request:
                connection.respond(b"", "302 Found", "Location: http://other.example/new\r\n")
            else:
                connection.respond(b"body")

    proxy = serve(handle)
    manager.setProxy(f"http://me:secret@127.0.0.1:{proxy.port}")
    assert BlockingNetworkRequest(manager).get("http://first.example/old") is OK
    (entry,) = log.entries()
    assert f"--location --proxy http://127.0.0.1:{proxy.port} " in entry.asCurl()
    assert "--location" not in entry.children()[0].asCurl() and "/new" in entry.children()[1].asCurl()
    assert "secret" not in entry.asCurl()


def test_curl_refuses_nothing_that_a_shell_would_run(
    manager: NetworkAccessManager, log: NetworkLog, serve: Serve
) -> None:
    """The texts of a request are data for the shell."""
    server = serve(always(b""))
    evil = "'; touch /tmp/evil; echo '$(touch /tmp/evil)`touch /tmp/evil`"
    request = BlockingNetworkRequest(manager)
    assert request.sendCustomRequest(server.url + "/?a=';id;'", "POST", evil.encode(), headers={"X-A": evil}) is OK
    words = subprocess.run(
        ["sh", "-c", log.entries()[0].asCurl().replace("curl", "printf '%s\\n'", 1)],
        capture_output=True,
        timeout=20,
        check=True,
    )
    lines = words.stdout.decode().splitlines()
    assert f"X-A: {evil}" in lines and lines[-1] == evil

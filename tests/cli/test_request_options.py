"""The options of the request: URL, method, headers, query, redirects, times, retries, cookies."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from blocking_request.cli.options.url import complete_url, is_like_url

from ..support.command_line import cli, sent
from ..support.names import ENGINES, Serve
from ..support.servers.raw import Connection, always, echo, silence

pytest.importorskip("click")
pytest.importorskip("rich")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("example.org", "http://example.org"),
        ("example.org/a?b#c", "http://example.org/a?b#c"),
        ("localhost:8000/x", "http://localhost:8000/x"),
        ("localhost", "http://localhost"),
        ("127.0.0.1:1", "http://127.0.0.1:1"),
        ("[::1]:8000/x", "http://[::1]:8000/x"),
        ("user:pw@host/x", "http://user:pw@host/x"),
        ("//host/x", "http://host/x"),
        (":8000/x", "http://localhost:8000/x"),
        (":/x", "http://localhost/x"),
        (":", "http://localhost"),
        ("host?u=http://other/", "http://host?u=http://other/"),
        (" https://h/ ", "https://h/"),
        ("HTTP://h/", "HTTP://h/"),
        ("http:/h", "http:/h"),
        ("file:/etc/x", "file:/etc/x"),
        ("data:,x", "data:,x"),
        ("ftp://h/", "ftp://h/"),
        ("mailto:a@b", "mailto:a@b"),
        ("git:x", "git:x"),
        ("C:\\x", "C:\\x"),
        ("intranet:80", "http://intranet:80"),
        ("intranet:80?q", "http://intranet:80?q"),
        ("intranet:", "http://intranet:"),
        ("intranet:/x", "http://intranet:/x"),
        ("user:p:w@host", "http://user:p:w@host"),
        ("", ""),
    ],
)
def test_url_without_scheme(text: str, url: str) -> None:
    assert complete_url(text) == url


@pytest.mark.parametrize("url", ["mailto:a@b", "ws://h/", "javascript:alert(1)", "git:x"])
def test_scheme_that_cannot_be_sent(url: str) -> None:
    result = cli(url)
    told = f'Protocol "{url.partition(":")[0]}" is unknown: the URL must begin with http:// or https://'
    assert (result.returncode, result.stderr.decode().startswith(told)) == (1, True), result.stderr


def test_words_that_are_no_commands() -> None:
    assert all(map(is_like_url, ("a.b", "localhost", "h:80", "h/", "::1", ":80")))
    assert not any(map(is_like_url, ("", "gte", "info", "no-such")))


@pytest.mark.parametrize("engine", ENGINES)
def test_url_alone(engine: str, serve: Serve) -> None:
    server = serve(echo)
    address = f"127.0.0.1:{server.port}"
    for arguments in ([address], ["get", address], ["send", address], ["-v", address], [f"http://{address}/"]):
        result = cli(*arguments, "--engine", engine)
        assert result.returncode == 0, result.stderr
        assert (sent(server).method, sent(server).target) == ("GET", "/")
    assert cli(address, "-d", "a=1", "--engine", engine).returncode == 0
    assert (sent(server).method, sent(server).body) == ("POST", b"a=1")
    assert cli("--engine", engine, "-X", "DELETE", address, "--form", "a=1").returncode == 0
    assert (sent(server).method, sent(server).body) == ("DELETE", b"a=1")
    head = cli("-I", address, "--engine", engine)
    assert (head.returncode, sent(server).method, head.stdout.splitlines()[0]) == (0, "HEAD", b"HTTP/1.1 200 OK")


def test_url_and_commands() -> None:
    result = cli("nonsense")
    assert (result.returncode, b"No such command 'nonsense'" in result.stderr) == (64, True)
    result = cli("info")
    assert b"PyQt" in result.stdout or b"PySide" in result.stdout
    for arguments, text in (
        (["-X", "", "h.test"], b"-X: the method is empty"),
        (["-X", "GET", "-I", "h.test"], b"-I and -X exclude each other"),
        (["-k"], b"Missing argument 'URL'"),
        (["--no-such", "h.test"], b"--no-such"),
    ):
        result = cli(*arguments)
        assert (result.returncode, text in result.stderr) == (64, True), result.stderr
    assert b"Usage: " in cli("-h").stdout and b"0.1" in cli("--version").stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_headers(engine: str, serve: Serve) -> None:
    server = serve(echo)
    assert cli(server.url, "-H", "X-A: 1", "-H", "x-a: 2", "-H", "X-Empty;", "--engine", engine).returncode == 0
    fields = sent(server).fields
    assert fields["x-a"] == ["1, 2"] and fields["x-empty"] == [""] and "user-agent" in fields
    assert cli(server.url, "-A", "mine", "-e", "http://from.test/", "--engine", engine).returncode == 0
    assert (sent(server).value("User-Agent"), sent(server).value("Referer")) == ("mine", "http://from.test/")
    assert cli(server.url, "-A", "mine", "-H", "user-agent: other", "--engine", engine).returncode == 0
    assert sent(server).value("User-Agent") == "other"


def test_headers_without_defaults(serve: Serve) -> None:
    server = serve(echo)
    for options in (["-H", "User-Agent:", "-H", "Accept-Encoding: ", "-H", "X-Never-Sent:"], ["-A", ""]):
        assert cli(server.url, *options).returncode == 0
        assert "user-agent" not in sent(server).fields
    assert cli(server.url, "-d", "x", "-H", "content-type:").returncode == 0
    assert "content-type" not in sent(server).fields
    result = cli(server.url, "-A", "", "--engine", "qt")
    assert (result.returncode, b"give a value, or use --engine python" in result.stderr) == (1, True), result.stderr


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (": x", "one has no name"),
        (":", "one has no name"),
        (" : x", "one has no name"),
        (":authority: x", "one has no name"),
        (";", "header name"),
        ("no colon", "one has no colon"),
        ("a b: c", "header name"),
        ("a: b\nc: d", "holds a line end"),
    ],
)
def test_wrong_headers(header: str, text: str) -> None:
    result = cli("get", "http://127.0.0.1:1/", "-H", header)
    assert (result.returncode, text in result.stderr.decode()) == (64, True), result.stderr


def test_query(serve: Serve) -> None:
    server = serve(echo)
    result = cli(f"{server.url}/p?a=0#part", "-q", "a=1 2", "-q", "b==&c", "-q", "d=", "--query", "\u00e9=\u00e9")
    assert result.returncode == 0, result.stderr
    assert sent(server).target == "/p?a=0&a=1+2&b=%3D%26c&d=&%C3%A9=%C3%A9"
    result = cli(server.url, "-q", "a")
    assert (result.returncode, b"one has no '='" in result.stderr) == (64, True)


def redirecting(connection: Connection) -> None:
    """Redirect /3 to /2, /2 to /1, and so on."""
    while (request := connection.read_request()) is not None:
        left = int(request.split(b" ")[1][1:] or b"0")
        if left == 0:
            connection.respond(b"there")
        else:
            connection.respond(b"moved", "302 Found", f"Location: /{left - 1}\r\n")


def test_redirects(serve: Serve) -> None:
    url = f"{serve(redirecting).url}/3"
    for options in ([], ["-L"], ["--location"], ["--max-redirs", "3"]):
        assert cli(url, *options).stdout == b"there"
    result = cli(url, "--max-redirs", "2")
    assert (result.returncode, b"Too many redirects: more than 2" in result.stderr) == (1, True)
    result = cli(url, "--no-location")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"moved", b"")
    head = cli("-I", url, "--no-location")
    assert (head.returncode, b"302 Found" in head.stdout) == (0, True)


@pytest.mark.parametrize("text", ["0.2", "200ms", ".2s", "0.2 S"])
def test_times(text: str, serve: Serve) -> None:
    url = serve(silence).url
    result = cli(url, "--timeout", text)
    assert (result.returncode, b"no data moved for 200 ms" in result.stderr) == (2, True)


@pytest.mark.parametrize("option", ["-m", "--max-time", "--deadline"])
def test_names_of_the_deadline(option: str, serve: Serve) -> None:
    result = cli(serve(silence).url, option, "100ms")
    assert (result.returncode, b"deadline of 100 ms" in result.stderr) == (2, True)


def test_units_of_times() -> None:
    from blocking_request.cli.options.values import DURATION

    found = [DURATION.convert(text, None, None) for text in ("5", "0", "2m", "1h", "1.5", "0.0001", 3, 0.25)]
    assert found == [5000, 0, 120_000, 3_600_000, 1500, 1, 3000, 250]
    for text in ("soon", "", "-1", "1e3", "nan", "5 d", "5,5", "1" * 40, "2147484"):
        with pytest.raises(Exception, match=r"is not a time: write 5 or|is too long"):
            DURATION.convert(text, None, None)


def failing_at_first(connection: Connection) -> None:
    while connection.read_request() is not None:
        is_last = len(connection.server.requests) == 3
        connection.respond(b"done" if is_last else b"later", "200 OK" if is_last else "503 Busy")


def test_retry(serve: Serve) -> None:
    server = serve(failing_at_first)
    result = cli(server.url, "--retry", "2", "--retry-delay", "100ms", "-v")
    assert (result.returncode, result.stdout, len(server.requests)) == (0, b"done", 3)
    assert result.stderr.count(f"* GET {server.url} (retry)\n".encode()) == 2
    server = serve(failing_at_first)
    started = time.monotonic()
    result = cli(server.url, "--retry", "1")
    assert (result.returncode, result.stdout, len(server.requests)) == (3, b"later", 2)
    assert re.fullmatch(rb"Trying again: .*503.*\n.*503.*\n", result.stderr), result.stderr
    assert time.monotonic() - started >= 1
    server = serve(failing_at_first)
    assert cli(server.url, "-d", "once", "--retry", "5", "--retry-delay", "0").returncode == 3
    assert len(server.requests) == 1
    result = cli(server.url, "--retry-delay", "1")
    assert (result.returncode, b"--retry-delay needs --retry N" in result.stderr) == (64, True)


def test_pauses_of_retries() -> None:
    from blocking_request.cli.options.retries import Retries

    rule, pauses = Retries(20), []
    for _ in range(12):
        rule = rule.increment("GET", "http://h/", error=ConnectionError())
        pauses.append(rule.get_backoff_time())
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    assert Retries(3, delay=0.5).increment("GET", "/", error=ConnectionError()).get_backoff_time() == 0.5


@pytest.mark.parametrize("engine", ENGINES)
def test_content_coding(engine: str, httpbin: str) -> None:
    for options, coding in (([], True), (["--compressed"], True), (["--no-compressed"], False)):
        result = cli(f"{httpbin}/headers", *options, "--engine", engine)
        assert (b"gzip" in result.stdout, b"identity" in result.stdout) == (coding, not coding), result.stderr
    assert b'"gzipped": true' in cli(f"{httpbin}/gzip", "--engine", engine).stdout


def test_interface_is_refused() -> None:
    result = cli("http://127.0.0.1:1/", "--interface", "eth0")
    assert (result.returncode, b"cannot bind a request to a network interface" in result.stderr) == (64, True)


def setting_cookies(connection: Connection) -> None:
    while connection.read_request() is not None:
        connection.respond(b"ok", headers="Set-Cookie: sid=s3cret; Path=/; Max-Age=1000\r\nSet-Cookie: short=1\r\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_cookies(engine: str, serve: Serve, tmp_path: Path) -> None:
    server, jar = serve(setting_cookies), str(tmp_path / "jar.txt")
    assert cli(server.url, "-b", "a=1; b=x=y", "-b", "c=\u00e9", "--engine", engine).returncode == 0
    assert sent(server).value("Cookie") == "a=1; b=x=y; c=\u00c3\u00a9"
    result = cli(server.url, "-b", jar, "-c", jar, "--engine", engine)
    assert (result.returncode, result.stderr) == (0, b"") and "cookie" not in sent(server).fields
    assert os.stat(jar).st_mode & 0o777 == 0o600 and "s3cret" in Path(jar).read_text()
    assert cli(server.url, "-b", jar, "-b", "a=1", "--engine", engine).returncode == 0
    assert sorted(sent(server).value("Cookie").split("; ")) == ["a=1", "short=1", "sid=s3cret"]


def test_cookies_into_a_device(serve: Serve, tmp_path: Path) -> None:
    """A device or a link is not replaced by a file. The devices are of the test's own making."""
    server, pipe = serve(setting_cookies), tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert cli(server.url, "-c", str(pipe)).returncode == 0
    assert b"s3cret" in os.read(reader, 10_000) and pipe.is_fifo()
    os.close(reader)
    result = cli(server.url, "-c", str(pipe))
    assert (
        result.returncode,
        b"pipe: the cookies cannot be written: No such device" in result.stderr,
        pipe.is_fifo(),
    ) == (74, True, True)
    result = cli(server.url, "-c", "/no/such/jar")
    assert (result.returncode, b"/no/such/jar: the cookies cannot be written: No such file" in result.stderr) == (
        74,
        True,
    )
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(file)
    assert cli(server.url, "-c", str(link)).returncode == 0
    assert link.is_symlink() and "s3cret" in file.read_text()


def test_wrong_cookies(tmp_path: Path) -> None:
    url, other = "http://127.0.0.1:1/", tmp_path / "other"
    other.write_text("no\tcookies\n")
    for arguments, status, text in (
        (["-b", str(tmp_path / "none")], 74, "none' cannot be read: No such file"),
        (["-b", str(other)], 74, "line 1 has not its seven fields"),
        (["-b", "a=1; hunter2"], 64, "one of these is not"),
        (["-b", "=hunter2"], 64, "one of these is not"),
        (["-c", "-"], 64, "give the name of a file"),
        (["-c", ""], 64, "the path is empty"),
    ):
        result = cli(url, *arguments)
        assert (result.returncode, text in result.stderr.decode()) == (status, True), result.stderr
        assert b"hunter2" not in result.stderr


def test_status_number_in_the_message(serve: Serve) -> None:
    for status in ("404 Not Found", "503", "401 Unauthorized", "499 Odd"):
        result = cli(serve(always(status=status)).url)
        assert result.returncode == 3 and status[:3] in result.stderr.decode()


def test_url_without_host() -> None:
    result = cli("http:///path")
    assert (result.returncode, b'Host "" not found: the URL names no host (http:///path)' in result.stderr) == (1, True)

"""The output of the command line on a terminal, and of the same commands in a pipe."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Callable

import pytest

from ..support.command_line import PROGRAM
from ..support.names import Serve
from ..support.servers.raw import Connection, always

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("termios")

from ..support.terminal import CommandRunner, Shown

JSON = b'{"a":1.0,"b":[1e400,{"c":"caf\\u00e9 \xc3\xa9"}],"a":null,"n":123456789012345678901234567890,"e":{}}'
LAID_OUT = """{
  "a": 1.0,
  "b": [
    1e400,
    {
      "c": "caf\\u00e9 \u00e9"
    }
  ],
  "a": null,
  "n": 123456789012345678901234567890,
  "e": {}
}
"""
JSON_TYPE = "Content-Type: application/json\r\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))
NOTE = "The body is binary, and is not shown on a terminal: use '-o FILE', or '-o -' to write it to the terminal\n"

ESCAPES = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture(scope="module")
def runner() -> Iterator[CommandRunner]:
    runner = CommandRunner()
    yield runner
    runner.close()


@pytest.fixture
def on_terminal(runner: CommandRunner) -> Callable[..., Shown]:
    """Run a command with a terminal for its standard output and standard error."""
    return runner.on_terminal


@pytest.fixture
def piped(runner: CommandRunner, tmp_path: Path) -> Callable[..., bytes]:
    """Run a command that succeeds, and return its standard output, which is no terminal."""
    return partial(runner.into_file, tmp_path / "output")


def test_body_without_line_end(serve: Serve, on_terminal: Callable[..., Shown], piped: Callable[..., bytes]) -> None:
    """The prompt, a message and the output of the next command stand in lines of their own."""
    plain = serve(always(b"no line end")).url
    assert on_terminal("get", plain) == (0, b"no line end\r\n")
    assert piped("get", plain) == b"no line end"
    assert on_terminal("get", serve(always(b"a\nb\n")).url) == (0, b"a\r\nb\r\n")
    assert on_terminal("get", serve(always(b"")).url) == (0, b"")
    missing = on_terminal("get", serve(always(b"why", "404 Not Found")).url)
    assert missing.status == 3 and missing.text.startswith("why\nError transferring ")
    truncated = on_terminal("get", serve(cut_off).url)
    assert truncated.status == 1 and truncated.text.startswith("half\n") and truncated.text.count("\n") == 2
    assert on_terminal("get", plain, "-o", "-") == (0, b"no line end")


def cut_off(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def test_json_is_laid_out(serve: Serve, on_terminal: Callable[..., Shown], piped: Callable[..., bytes]) -> None:
    """No number is rounded, no name is lost, the order is kept."""
    url = serve(always(JSON, headers=JSON_TYPE)).url
    shown = on_terminal("get", url)
    assert shown.status == 0 and "\x1b[" in shown.text
    assert ESCAPES.sub("", shown.text) == LAID_OUT
    assert '\x1b[1;34m"a"\x1b[0m: \x1b[36m1.0\x1b[0m' in shown.text
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CLICOLOR": "0"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert on_terminal("get", url, environment=environment).text == LAID_OUT
    assert on_terminal("get", url, environment={"NO_COLOR": ""}).output == shown.output
    assert on_terminal("get", url, "--no-pretty").text == JSON.decode() + "\n"
    assert on_terminal("get", url, "-o", "-").output == JSON
    assert piped("get", url) == piped("get", url, FORCE_COLOR="1") == JSON
    assert piped("get", url, "--pretty").decode() == LAID_OUT
    assert piped("get", url, "--pretty", CLICOLOR_FORCE="1").decode().replace("\n", "\r\n").encode() == shown.output


def test_json_of_other_types(serve: Serve, on_terminal: Callable[..., Shown], piped: Callable[..., bytes]) -> None:
    for content_type in ("application/problem+json; charset=utf-8", "Text/JSON", "application/vnd.api+json"):
        url = serve(always(b'{"a":1}', headers=f"Content-Type: {content_type}\r\n")).url
        assert piped("get", url, "--pretty") == b'{\n  "a": 1\n}\n'
    for content_type in ("text/plain", "application/x-ndjson", "application/json-seq"):
        url = serve(always(b'{"a":1}', headers=f"Content-Type: {content_type}\r\n")).url
        assert piped("get", url, "--pretty") == b'{"a":1}'
    missing = serve(always(b'{"a":1}', "404 Not Found", JSON_TYPE)).url
    shown = on_terminal("get", missing, environment={"NO_COLOR": "1"})
    assert shown.status == 3 and shown.text.startswith('{\n  "a": 1\n}\nError transferring ')


@pytest.mark.parametrize(
    "body",
    [
        b"{'a': 1}",
        b"[1,]",
        b"NaN",
        b'{"a":1} {"b":2}',
        b'["\xff"]',
        b"[" * 5000,
        b'["' + b"x" * (2 << 20) + b'"]',
        b"[" * 101 + b"]" * 101,
    ],
)
def test_json_that_is_written_as_it_is(
    body: bytes, serve: Serve, on_terminal: Callable[..., Shown], piped: Callable[..., bytes]
) -> None:
    """It is not valid, large, or nested very deeply."""
    url = serve(always(body, headers=JSON_TYPE)).url
    assert piped("get", url, "--pretty") == body
    shown = on_terminal("get", url)
    assert shown.output == body.replace(b"\xff", b"\\xff") + b"\r\n" and shown.status == 0


def test_large_json_is_written_while_it_arrives(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    """More than the limit is not kept: the rest of the body follows when its beginning has been written."""
    written = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n" + JSON_TYPE.encode() + b"Connection: close\r\n\r\n[" + b" " * (2 << 20))
        assert written.wait(20)
        connection.send(b"1]")

    shown = on_terminal("get", serve(handle).url, on_output=lambda so_far: written.set())
    assert shown.status == 0 and shown.output.endswith(b" 1]\r\n")


def test_encodings(serve: Serve, on_terminal: Callable[..., Shown], piped: Callable[..., bytes]) -> None:
    text = "caf\u00e9 \u20ac"
    for encoding, charset in (("utf-8", ""), ("utf-16", "; charset=utf-16"), ("cp1252", "; charset=windows-1252")):
        headers = f"Content-Type: text/plain{charset}\r\n"
        assert on_terminal("get", serve(always(text.encode(encoding), headers=headers)).url).text == f"{text}\n"
    for encoding, charset in (("utf-8-sig", ""), ("utf-16-le", ""), ("utf-32", ""), ("cp1252", "; charset=cp1252")):
        body = json.dumps([text], ensure_ascii=False).encode(encoding)
        url = serve(always(body, headers=f"Content-Type: application/json{charset}\r\n")).url
        assert piped("get", url, "--pretty").decode() == f'[\n  "{text}"\n]\n'
        assert piped("get", url) == body


def test_encodings_that_the_server_names_wrongly(
    serve: Serve, on_terminal: Callable[..., Shown], piped: Callable[..., bytes]
) -> None:
    """Text is shown as text, with the bytes that are not valid as escapes; JSON is laid out. A pipe gets the bytes."""
    text = "caf\u00e9 \u6f22\n"
    for encoding, charset, shown in (
        ("utf-16", "", text),
        ("utf-32", "; charset=utf-8", text),
        ("utf-16-le", "; charset=UTF-16", text),
        ("utf-8", "; charset=nonsense", text),
        ("gb18030", "; charset=gb18030", text),
        ("gb18030", "", "caf\\xa8\\xa6 \\x9dh\n"),
        ("utf-8", "; charset=us-ascii", "caf\\xc3\\xa9 \\xe6\\xbc\\xa2\n"),
    ):
        url = serve(always(text.encode(encoding), headers=f"Content-Type: text/plain{charset}\r\n")).url
        assert on_terminal("get", url) == (0, shown.replace("\n", "\r\n").encode()), (encoding, charset)
        assert piped("get", url) == text.encode(encoding)
    only_invalid = "\u041f\u0440\u0438\u0432\u0435\u0442".encode("cp1251")
    url = serve(always(only_invalid, headers="Content-Type: text/html\r\n")).url
    assert on_terminal("get", url).text == "\\xcf\\xf0\\xe8\\xe2\\xe5\\xf2\n"
    body = json.dumps(["\u00e9"], ensure_ascii=False)
    for encoding, charset in (("utf-16", ""), ("utf-8", "; charset=utf-16"), ("utf-32-be", "; charset=utf-8")):
        url = serve(always(body.encode(encoding), headers=f"Content-Type: application/json{charset}\r\n")).url
        assert piped("get", url, "--pretty").decode() == '[\n  "\u00e9"\n]\n'
    url = serve(always(body.encode("utf-16-le"), headers=JSON_TYPE)).url
    assert on_terminal("get", url, "--no-pretty").text == f"{body}\n"


def test_json_on_an_output_without_unicode(serve: Serve) -> None:
    """It stays JSON: Python's own replacement \\xe9 would not be valid there."""
    text = '["\u00e9\U0001f600"]'
    url = serve(always(text.encode(), headers=JSON_TYPE)).url
    program = [*PROGRAM, url, "--pretty"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    written = subprocess.run(program, capture_output=True, timeout=60, check=True, env=environment).stdout
    assert json.loads(written) == json.loads(text) and b"\\u00e9\\ud83d\\ude00" in written


def test_byte_order_mark_in_pieces() -> None:
    from blocking_request.cli.printed_body import PrintedBody

    class Terminal:
        written = b""

        def isatty(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.written += bytes(data)
            return len(data)

    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"):
        terminal = Terminal()
        printed = PrintedBody(terminal, False)  # type: ignore[arg-type]
        printed.begin("text/plain" + ("; charset=utf-16" if encoding == "utf-16-le" else ""))
        for number in "\u00e9x".encode(encoding):
            printed.write(bytes([number]))
        printed.end()
        assert terminal.written.decode() == "\u00e9x\n"


def test_control_characters_never_reach_the_terminal(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    """As text they are shown as escapes; in JSON as escapes of JSON, which mean the same."""
    url = serve(always(b"a\x1b]0;title\x07\xc2\x9b31m\rb\r\nc", headers="X-A: \x1b[31m\xc2\x9bred\r\n")).url
    shown = on_terminal("get", url, "-i", "--no-pretty")
    assert "\x1b" not in shown.text and "\x9b" not in shown.text and "\x07" not in shown.text
    assert "X-A: \\x1b[31m" in shown.text.replace("x-a", "X-A")
    assert shown.text.endswith("\n\na\\x1b]0;title\\x07\\x9b31m\nb\nc\n")
    body = '["\u202e\x7f\x9b"]'.encode()
    shown = on_terminal("get", serve(always(body, headers=JSON_TYPE)).url, environment={"NO_COLOR": "1"})
    assert shown.text == '[\n  "\\u202e\\u007f\\u009b"\n]\n'
    for engine in ("qt", "python"):
        url = serve(always(status="404 \x1b[31mNo\x07")).url
        shown = on_terminal("get", url, "-v", "--engine", engine, environment={"NO_COLOR": "1"})
        assert shown.status in (1, 3) and "\x1b" not in shown.text and "\x07" not in shown.text


def test_binary_body(serve: Serve, on_terminal: Callable[..., Shown], piped: Callable[..., bytes]) -> None:
    url = serve(always(PNG, headers="Content-Type: image/png\r\n")).url
    assert on_terminal("get", url).text == NOTE and on_terminal("get", url).status == 74
    assert on_terminal("get", url, "-s") == (74, b"")
    assert on_terminal("get", url, "-sS").text == NOTE
    assert on_terminal("get", url, "-o", "-") == (0, PNG.replace(b"\n", b"\r\n"))
    assert on_terminal("get", url, streams=("stderr",)) == (0, b"")
    assert piped("get", url) == piped("get", url, "--pretty") == PNG
    shown = on_terminal("get", serve(always(PNG, "404 Not Found")).url)
    assert (shown.status, shown.text.startswith(NOTE + "Error transferring ")) == (3, True)
    late = on_terminal("get", serve(always(b"text\n" * 20_000 + b"\0")).url)
    assert late.status == 74 and late.text.endswith(NOTE) and "\0" not in late.text
    json_type = on_terminal("get", serve(always(PNG, headers=JSON_TYPE)).url)
    assert (json_type.status, json_type.text) == (74, NOTE)


def test_binary_body_is_not_read_to_its_end(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    ended = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + PNG)
        connection.wait_for_close()
        ended.set()

    assert on_terminal("get", serve(handle).url).text == NOTE
    assert ended.wait(20)


@pytest.mark.parametrize("streams", [("stdout",), ("stdout", "stderr")])
@pytest.mark.parametrize("content_type", ["text/event-stream", "text/plain", "application/x-ndjson"])
def test_stream_is_written_at_once(
    content_type: str, streams: tuple[str, ...], serve: Serve, on_terminal: Callable[..., Shown]
) -> None:
    """The server sends each event when the terminal has shown the one before."""
    shown_events = [threading.Event() for _ in range(3)]

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n".encode())
        for number, event in enumerate(shown_events):
            connection.send(b"data: %d\n\n" % number)
            assert event.wait(20)

    def look(so_far: bytes) -> None:
        for number, event in enumerate(shown_events):
            if b"data: %d\r\n" % number in so_far:
                event.set()

    shown = on_terminal("get", serve(handle).url, streams=streams, on_output=look)
    assert shown == (0, b"".join(b"data: %d\r\n\r\n" % number for number in range(3)))


def test_json_that_breaks_off(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    """The part that has arrived is shown as it came."""

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n" + JSON_TYPE.encode() + b"Content-Length: 100\r\n\r\n[1, 2,")
        connection.wait_for_close()

    shown = on_terminal("get", serve(handle).url, "--deadline", "1.5", "-s")
    assert shown == (2, b"[1, 2,\r\n")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_ctrl_c_ends_the_line(is_terminal: bool, serve: Serve) -> None:
    """``is_terminal``: of standard error; the terminal has written ^C then, and the line gets its end once only."""
    import pty

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nno line end")
        connection.wait_for_close()

    reading, terminal = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "get", serve(handle).url],
        stdout=terminal,
        stderr=terminal if is_terminal else subprocess.PIPE,
    )
    shown = os.read(reading, 1000)
    os.kill(process.pid, signal.SIGINT)
    told = process.communicate(timeout=60)[1] or b""
    shown += os.read(reading, 1000)
    os.close(terminal)
    os.close(reading)
    assert process.returncode == -signal.SIGINT
    assert shown + told == b"no line end\r\nInterrupted" + (b"\r\n" if is_terminal else b"\n")


# -- the head


def test_include(serve: Serve, on_terminal: Callable[..., Shown], piped: Callable[..., bytes]) -> None:
    target = serve(always(b"{}", headers=JSON_TYPE)).url
    url = serve(always(b"moved", "302 Found", f"Location: {target}\r\n")).url
    expected = (
        f"http/1.1 302 found\ncontent-length: 5\nlocation: {target}\n\n"
        "http/1.1 200 ok\ncontent-length: 2\ncontent-type: application/json\n\n{}"
    )
    assert piped("get", url, "-i").decode().lower() == expected
    assert piped("head", target, "-i").decode().lower() == piped("head", target).decode().lower()
    assert piped("head", url, "-i").decode().lower().count("http/1.1 ") == 2
    assert piped("head", url).decode().lower().count("http/1.1 ") == 1
    shown = on_terminal("get", url, "--include")
    assert ESCAPES.sub("", shown.text).lower() == expected + "\n"
    assert "\x1b[34mHTTP/1.1\x1b[0m \x1b[1;33m302 Found\x1b[0m\n" in shown.text
    assert "\x1b[34mHTTP/1.1\x1b[0m \x1b[1;32m200 OK\x1b[0m\n" in shown.text
    assert f"\x1b[36mlocation\x1b[0m: {target}\n" in shown.text.replace("Location", "location")
    plain = on_terminal("get", url, "-i", environment={"NO_COLOR": "1"})
    assert plain.text.lower() == expected + "\n"
    assert on_terminal("head", target, "--no-pretty").text.encode() == piped("head", target)
    assert "\x1b[1;32m200 OK\x1b[0m" in on_terminal("head", target).text


def test_include_of_errors(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    shown = on_terminal("get", serve(always(b"why", "404 Not Found")).url, "-i", "-s", "--no-pretty")
    assert (shown.status, shown.text.lower()) == (3, "http/1.1 404 not found\ncontent-length: 3\n\nwhy\n")
    result = on_terminal("get", "http://127.0.0.1:1/", "-i")
    assert result.status == 1 and result.text.count("\n") == 1


def test_include_into_a_file_is_refused(serve: Serve, tmp_path: object, on_terminal: Callable[..., Shown]) -> None:
    shown = on_terminal("get", serve(always(b"x")).url, "-i", "-o", f"{tmp_path}/file")
    assert shown.status == 64 and "--include writes the headers before the body" in shown.text
    assert on_terminal("get", serve(always(b"x")).url, "-i", "-o", "/dev/null") == (0, b"")
    shown = on_terminal("get", serve(always(b"x")).url, "-i", "-o", "/dev/stderr")
    assert shown.text.lower() == "http/1.1 200 ok\ncontent-length: 1\n\nx"


def test_silent(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    missing = serve(always(b"", "404 Not Found")).url
    assert on_terminal("get", missing, "-s") == (3, b"")
    assert on_terminal("head", missing, "-s", "-o", "/dev/null") == (3, b"")
    assert on_terminal("get", "http://127.0.0.1:1/", "--silent") == (1, b"")
    assert b"Connection refused" in on_terminal("get", "http://127.0.0.1:1/", "--silent", "--show-error").output
    assert b"Connection refused" in on_terminal("get", "http://127.0.0.1:1/", "--show-error").output
    shown = on_terminal("get", missing, "-sv")
    assert shown.status == 3 and b"Not Found" in shown.output and b"Error" not in shown.output


def test_verbose_is_colored(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    url = serve(always(b"x")).url
    shown = on_terminal("get", url, "-v")
    assert "< \x1b[34mHTTP/1.1\x1b[0m \x1b[1;32m200 OK\x1b[0m\n" in shown.text
    for arguments in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_terminal("get", url, "-v", environment=arguments).text
    assert "\x1b" not in on_terminal("get", url, "-v", "--no-pretty").text


@pytest.mark.parametrize("engine", ["qt", "python"])
def test_verbose_shows_the_head_before_the_body(engine: str, serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    """The server sends the body when the terminal has shown the head."""
    has_head = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nb")
        assert has_head.wait(20)
        connection.send(b"ody")

    def look(so_far: bytes) -> None:
        if b"< HTTP/1.1 200 OK\r\n" in so_far:
            has_head.set()

    url = serve(handle).url
    shown = on_terminal("get", url, "-v", "--engine", engine, environment={"NO_COLOR": "1"}, on_output=look)
    lines = shown.text.splitlines()
    assert lines[:2] == [f"* GET {url}", "> GET / HTTP/1.1"] and lines.count("< HTTP/1.1 200 OK") == 1
    assert lines.index("< HTTP/1.1 200 OK") < lines.index("body") < len(lines) - 1
    assert lines[lines.index("body") + 1].startswith("* 4 bytes in ")


# -- the width of the terminal


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_help_fits_the_terminal(columns: int, on_terminal: Callable[..., Shown]) -> None:
    for command in ("", "get", "head", "post", "request", "cache", "cache info", "config set-password", "info", "demo"):
        shown = on_terminal(*command.split(), "--help", columns=columns)
        # The examples are not wrapped: a line that is copied must be a whole command.
        text = re.sub(r"(?m)^Examples:\n(?:  .*\n)+", "", shown.text)
        assert shown.status == 0 and max(map(len, text.splitlines())) <= min(columns, 80), text
        assert "..." not in text.replace("[ARGS]...", "")
        joined = " ".join(text.split())
        assert "74 a file or standard output cannot be read or written" in joined


def test_help_divides_no_word(on_terminal: Callable[..., Shown]) -> None:
    """A terminal of 20 columns shows a word that is longer in a line of its own."""
    for command in ("", "get", "completion"):
        narrow = on_terminal(*command.split(), "--help", columns=20).text
        assert set(on_terminal(*command.split(), "--help", columns=80).text.split()) == set(narrow.split())
        without_examples = re.sub(r"(?m)^Examples:\n(?:  .*\n)+", "", narrow)
        assert all(len(line) <= 20 or len(line.split()) == 1 for line in without_examples.splitlines())


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_info_fits_the_terminal(columns: int, on_terminal: Callable[..., Shown]) -> None:
    shown = on_terminal("info", columns=columns)
    text = ESCAPES.sub("", shown.text)
    assert shown.status == 0 and "content codings" in text and "auto takes" in text
    assert all(len(line) <= columns or len(line.split()) == 1 for line in text.splitlines())
    plain = {"NO_COLOR": "1"}, {"TERM": "dumb"}
    assert [on_terminal("info", columns=columns, environment=each).text for each in plain] == [text, text]
    if columns == 20:
        assert {"QCoreApplication([])", "application", "thread."} <= set(text.split())


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_messages_fit_the_terminal(columns: int, on_terminal: Callable[..., Shown]) -> None:
    for arguments in (
        ["get", "http://127.0.0.1:1/"],
        ["get", "--no-such"],
        ["get", "-o", "/no/such/file", "http://h/"],
    ):
        shown = on_terminal(*arguments, columns=columns, streams=("stderr",))
        lines = shown.text.splitlines()
        assert shown.status != 0 and max(map(len, lines)) <= columns
        whole = on_terminal(*arguments, columns=1000, streams=("stderr",)).text
        assert whole.count("\n") == 1 and shown.text.split() == whole.split()
    url = "http://127.0.0.1:1/" + "a" * 100
    assert f"({url})" in on_terminal("get", url, columns=40).text


# -- the progress bar


def slowly(total: str, pause: float, count: int) -> object:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\nConnection: close\r\n{total}\r\n".encode())
        for _ in range(count):
            connection.send(b"x" * 100_000)
            time.sleep(pause)

    return handle


def screens(shown: bytes) -> Iterator[str]:
    """Yield each state of the line of the progress bar."""
    for each in re.split(r"\r|\n", re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", shown.decode())):
        if each.strip():
            yield each


def test_no_progress_bar_for_a_quick_transfer(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    url = serve(always(b"x" * 1_000_000)).url
    assert on_terminal("get", url, "-o", "/dev/null") == (0, b"")
    assert on_terminal("get", url, streams=("stderr",)) == (0, b"")
    assert on_terminal("post", url, "-d", "x" * 100_000, "-o", "/dev/null") == (0, b"")


@pytest.mark.parametrize(
    ("is_known", "columns"), [(True, 12), (True, 20), (True, 40), (True, 80), (False, 30), (False, 80)]
)
def test_progress_bar_fits_the_terminal(
    is_known: bool, columns: int, serve: Serve, on_terminal: Callable[..., Shown]
) -> None:
    # 1.5 s: three times as long as the time until the bar is shown.
    url = serve(slowly("Content-Length: 1500000\r\n" if is_known else "", 0.1, 15)).url  # type: ignore[arg-type]
    shown = on_terminal("get", url, "-o", "/dev/null", columns=columns)
    lines = list(screens(shown.output))
    assert shown.status == 0 and lines, shown
    assert max(map(len, lines)) <= columns and "\u2026" not in "".join(lines)
    assert all(("received" in line) is (columns >= 40) for line in lines)
    # The bytes, of the total if it is known, and the speed.
    total = r"/1\.5 MB" if is_known and columns > 12 else ""
    speed = r" \d+\.\d [kM]B/s" if columns > 20 else r" *\Z"
    assert re.search(rf"\d\.\d MB{total}{speed}", lines[-1])


def test_progress_bar_of_a_resized_terminal_without_colors(runner: CommandRunner, serve: Serve) -> None:
    """A terminal of 80 columns gets 30 when the bar has been shown."""
    is_resized = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1500000\r\n\r\n")
        for number in range(15):
            connection.send(b"x" * 100_000)
            if number == 9:
                assert is_resized.wait(20)
            time.sleep(0.1)

    def look(so_far: bytes) -> None:
        if b" MB/1.5 MB" in so_far and not is_resized.is_set():
            runner.resize(30)
            is_resized.set()

    shown = runner.on_terminal(
        "get", serve(handle).url, "-o", "/dev/null", columns=80, environment={"CLICOLOR": "0"}, on_output=look
    )
    lines = list(screens(shown.output))
    assert shown.status == 0 and b"\x1b[3" not in shown.output
    assert lines[0].startswith("received ") and re.fullmatch(r"1\.5 MB/1\.5 MB \d+\.\d [kM]B/s", lines[-1].strip())


def test_no_progress_bar(serve: Serve, on_terminal: Callable[..., Shown]) -> None:
    """Not if the body is shown on the terminal, for a terminal without escapes, and with --silent."""
    url = serve(slowly("", 0.1, 8)).url  # type: ignore[arg-type]
    body = b"x" * 800_000 + b"\r\n"
    assert on_terminal("get", url) == (0, body)
    assert on_terminal("get", url, "-o", "/dev/null", environment={"TERM": "dumb"}) == (0, b"")
    assert on_terminal("get", url, "-o", "/dev/null", "-s") == (0, b"")
    assert on_terminal("get", url, "-o", "/dev/null", streams=("stdout",)) == (0, b"")


def test_no_progress_bar_over_a_pipe(serve: Serve) -> None:
    """A pager that reads the pipe writes to the terminal, too."""
    import pty

    url = serve(slowly("", 0.1, 8)).url  # type: ignore[arg-type]
    reading, terminal = pty.openpty()
    result = subprocess.run(
        [*PROGRAM, url],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
        check=True,
        timeout=60,
    )
    assert len(result.stdout) == 800_000 and not select.select([reading], [], [], 0)[0]
    os.close(terminal)
    os.close(reading)


def test_file_that_the_url_names_is_shown(serve: Serve, on_terminal: Callable[..., Shown], tmp_path: Path) -> None:
    url = serve(always(b"x")).url
    for name in ("a", "a (1)"):
        assert on_terminal(f"{url}/a", "-o", str(tmp_path)).text == f"Written to {tmp_path / name}\n"
    assert on_terminal(f"{url}/a", "-o", str(tmp_path), "-s").text == ""
    assert on_terminal(f"{url}/a", "-o", str(tmp_path / "b")).text == ""


def test_summary_of_a_resumed_list(serve: Serve, on_terminal: Callable[..., Shown], tmp_path: Path) -> None:
    url = serve(always(b"x")).url
    (tmp_path / "urls").write_text("".join(f"{url}/{name}\n" for name in "abcde"))
    arguments = ["get", "--from", str(tmp_path / "urls"), "-o", str(tmp_path / "folder"), "-C"]
    assert on_terminal(*arguments).text.endswith("5 of 5 files, 5 bytes\n")
    (tmp_path / "folder" / "b").unlink()
    assert on_terminal(*arguments).text.endswith("1 of 1 files, 1 bytes; 4 were there before\n")

"""The command line with streams and files that cannot be used, and with invalid arguments."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blocking_request.cli.devices import OpenedDevice

from ..support.names import ROOT, Serve
from ..support.servers.raw import Connection, once

pytest.importorskip("click")
pytest.importorskip("rich")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")


FILE, BROKEN_PIPE, USAGE = 74, 141, 64


class Case:
    """A command line with its streams, and the expected exit status and message."""

    def __init__(
        self,
        *arguments: str,
        status: int,
        stdout: str = "",
        stderr: str = "",
        says: str = "",
        environment: Any = None,
        file_size: int = 0,
    ) -> None:
        self.file_size = file_size
        self.arguments = arguments
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.says = says
        self.environment = environment or {}


def check(cases: list[Case], folder: Path) -> None:
    """Run the cases. Compare the status and standard error, which is '' or one line with the expected text."""
    described = [
        {
            "arguments": case.arguments,
            "stdout": case.stdout or str(folder / f"{number}.out"),
            "stderr": case.stderr or str(folder / f"{number}.err"),
            "file_size": case.file_size,
            "environment": {"XDG_CACHE_HOME": str(folder / "cache"), **case.environment},
        }
        for number, case in enumerate(cases)
    ]
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.cli_runner"],
        input=json.dumps(described).encode(),
        capture_output=True,
        timeout=100,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 0, result.stderr.decode()
    wrong = []
    for number, (case, status) in enumerate(zip(cases, json.loads(result.stdout))):
        told = "" if case.stderr else (folder / f"{number}.err").read_text(errors="surrogateescape")
        told = re.sub(r"qt\.network\.ssl: .*\n", "", told)  # a warning of PyPI's PyQt5 about OpenSSL
        is_right = status == case.status and "Traceback" not in told
        if not case.stderr:
            is_right = (
                is_right and re.fullmatch(rf"(?s)[^\n]*{case.says}[^\n]*\n" if case.says else "", told) is not None
            )
        if not is_right:
            wrong.append(f"{case.arguments} {case.stdout} {case.stderr}: {status}, {told!r}")
    assert not wrong, "\n".join(wrong)


def every_command(url: str, folder: Path) -> dict[str, tuple[str, ...]]:
    """Return command lines that write to standard output: at least one for each subcommand."""
    from blocking_request.cli.commands import commands

    others = {name: (name, "--help") for name in commands.commands}
    return {
        **others,
        "get": ("get", url),
        "head": ("head", url),
        "post": ("post", url, "-d", "x"),
        "put": ("put", url, "-d", "x"),
        "patch": ("patch", url, "-d", "x"),
        "delete": ("delete", url),
        "request": ("request", "OPTIONS", url),
        "error": ("get", f"{url}/missing"),
        "cache info": ("cache", "info"),
        "info": ("info",),
        "demo": ("demo",),
        "demo --json": ("demo", "--json"),
        "completion": ("completion", "bash"),
        "include": ("get", url, "-i"),
        "include of an error": ("get", f"{url}/missing", "-i"),
        "pretty": ("get", f"{url}/json", "--pretty"),
        "raw": ("get", url, "-o", "-"),
        "write-out": ("get", url, "-o", "/dev/null", "-w", "%{http_code}"),
        "write-out of head": ("head", url, "-o", "/dev/null", "-w", "%{http_code}"),
        "help": ("--help",),
        "help of a command": ("get", "--help"),
        "version": ("--version",),
    }


def respond(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if request.startswith(b"HEAD"):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Name: value\r\n\r\n")
        elif b"/missing" in request:
            connection.respond(b"why\n", "404 Not Found")
        elif b"/json" in request:
            connection.respond(b'{"a": 1}', headers="Content-Type: application/json\r\n")
        elif b"/large" in request:
            connection.respond(bytes(100_000))
        else:
            connection.respond(b"body")


def test_unwritable_standard_output(serve: Serve, tmp_path: Path) -> None:
    url = serve(respond).url
    cases = []
    for arguments in every_command(url, tmp_path).values():
        cases.append(
            Case(
                *arguments,
                stdout="/dev/full",
                status=FILE,
                says="Standard output cannot be written: No space left on device",
            )
        )
        cases.append(
            Case(
                *arguments, stdout="closed", status=FILE, says="Standard output cannot be written: Bad file descriptor"
            )
        )
        cases.append(Case(*arguments, stdout="broken pipe", status=BROKEN_PIPE))
    # With --silent only the status tells it.
    cases.append(Case("get", url, "-s", stdout="/dev/full", status=FILE))
    cases.append(Case("get", url, "-s", stdout="broken pipe", status=BROKEN_PIPE))
    cases.append(Case("get", url, "-sS", stdout="/dev/full", status=FILE, says="No space left on device"))
    check(cases, tmp_path)


def test_unwritable_standard_output_that_is_not_used(serve: Serve, tmp_path: Path) -> None:
    url = serve(respond).url
    urls = tmp_path / "urls"
    urls.write_text(f"{url}/a\n{url}/b\n")
    cases = []
    for stream in ("/dev/full", "closed", "broken pipe"):
        cases += [
            Case("get", url, "-o", str(tmp_path / "got"), stdout=stream, status=0),
            Case("head", url, "-o", str(tmp_path / "head"), stdout=stream, status=0),
            Case("get", "--from", str(urls), "-o", str(tmp_path / "many"), stdout=stream, status=0),
            Case("cache", "clear", stdout=stream, status=0),
            Case("get", "http://127.0.0.1:1/", stdout=stream, status=1, says="refused"),
        ]
    check(cases, tmp_path)
    assert (tmp_path / "got").read_bytes() == b"body"
    # Qt 6 converts the names of headers to lower case.
    head = (tmp_path / "head").read_bytes().lower()
    assert head == b"http/1.1 200 ok\ncontent-length: 4\nx-name: value\n\n"


def test_descriptors_are_appended_to(serve: Serve, tmp_path: Path) -> None:
    """The file behind /dev/stdout is not replaced and not truncated."""
    url = serve(respond).url
    log = tmp_path / "log"
    log.write_bytes(b"old\n")
    paths = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
    cases = [Case("get", url, "-o", path, stdout=str(log), status=0) for path in paths]
    cases += [
        Case("get", url, "-o", "/dev/stderr", stdout="/dev/full", stderr=str(log), status=0),
        Case("get", url, "-o", "/dev/fd/999", status=FILE, says="/dev/fd/999 cannot be written: Bad file descriptor"),
        Case("head", url, "-o", "/dev/fd/2", stdout="/dev/full", stderr=str(log), status=0),
        Case("head", url, "-o", "-", stdout=str(log), status=0),
    ]
    check(cases, tmp_path)
    assert log.read_bytes().startswith(b"old\nbodybodybodybodybodyHTTP/1.1 200 OK\n")
    assert log.read_bytes().count(b"HTTP/1.1 200 OK\n") == 2


def test_unwritable_standard_error(serve: Serve, tmp_path: Path) -> None:
    """Then only the exit status tells the error."""
    url = serve(respond).url
    (tmp_path / "urls").write_text("http://127.0.0.1:1/a\n")
    cases = []
    for stream in ("/dev/full", "closed", "broken pipe"):
        cases += [
            Case("get", url, "-v", stderr=stream, status=0),
            Case("get", "http://127.0.0.1:1/", stderr=stream, status=1),
            Case("get", f"{url}/missing", stderr=stream, status=3),
            Case("get", stderr=stream, status=USAGE),
            Case("post", url, "-d", "@/no/such", stderr=stream, status=FILE),
            Case("get", "--from", str(tmp_path / "urls"), "-o", str(tmp_path / "d"), stderr=stream, status=1),
            Case("get", url, stdout="/dev/full", stderr=stream, status=FILE),
        ]
    check(cases, tmp_path)
    assert (tmp_path / "0.out").read_bytes() == b"body"


def test_failure_leaves_the_file_unchanged(serve: Serve, tmp_path: Path) -> None:
    target, logs = tmp_path / "target", tmp_path / "logs"
    logs.mkdir()
    target.mkdir()
    path = target / "data"
    path.write_bytes(b"precious")
    truncated = serve(once(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
    empty = serve(once(b""))
    missing = f"{serve(respond).url}/missing"
    cases = []
    for verb in ("get", "post", "put", "patch", "delete", "head", "request GET", "request REPORT"):
        words = verb.split(" ")
        cases += [
            Case(*words, "http://127.0.0.1:1/", "-o", str(path), status=1, says="Connection refused"),
            Case(*words, empty.url, "-o", str(path), status=1, says=empty.url),
        ]
        if verb != "head":
            cases.append(Case(*words, missing, "-o", str(path), status=3, says="Not Found"))
            cases.append(Case(*words, truncated.url, "-o", str(path), status=1, says="4 of 100 bytes"))
            # A limit of the file size, with the same effect as a disk that gets full during the body.
            large = f"{serve(respond).url}/large"
            says = "cannot be written: File too large"
            cases.append(Case(*words, large, "-o", str(path), file_size=50_000, status=FILE, says=says))
    check(cases, logs)
    assert (path.read_bytes(), list(target.iterdir())) == (b"precious", [path])
    assert all(not file.read_bytes() for file in logs.glob("*.out"))


def test_unreadable_and_unwritable_files(serve: Serve, tmp_path: Path) -> None:
    url = serve(respond).url
    present = tmp_path / "present"
    present.write_text("kept")
    cases = [
        Case("post", url, "-d", "x", "-o", "/dev/full", status=FILE, says="/dev/full cannot be written: No space left"),
        Case("get", url, "-o", "/dev/null", status=0),
        Case("get", url, "--cacert", "/no/such.pem", status=FILE, says="/no/such.pem' cannot be read: No such file"),
        Case("get", url, "--cert", "/no/such.pem", status=FILE, says="/no/such.pem' cannot be read: No such file"),
        Case("get", "--from", "/no/such", "-o", "x", status=FILE, says="/no/such' cannot be read: No such file"),
        Case("get", "--from", str(tmp_path), "-o", "x", status=FILE, says="cannot be read: Is a directory"),
        Case("get", "--from", "/dev/null", "-o", str(present), status=FILE, says="present: this is a file"),
        Case("get", "--from", "/bin/sh", "-o", "x", status=FILE, says="/bin/sh' cannot be read: it is not UTF-8 text"),
        Case("cache", "info", environment={"XDG_CACHE_HOME": str(present)}, status=FILE, says=""),
    ]
    cases[-1].stderr = str(tmp_path / "cache.err")
    for verb in ("get", "head", "delete", "post", "put", "patch", "request GET", "request POST"):
        words = [*verb.split(" "), url]
        for path, reason in (
            ("/dev/full", "No space left on device"),
            (
                "/no/such/folder/file",
                "No such file or directory" if verb == "head" else "The folder /no/such/folder does",
            ),
            ("/proc/file", "No such file or directory"),
            (f"{present}/file", "Not a directory"),
        ):
            cases.append(Case(*words, "-o", path, status=FILE, says=reason))
        cases.append(
            Case(*words, "-o", "", status=USAGE, says="Invalid value for '-o' / '--output': the path is empty")
        )
    for verb in ("post", "put", "patch", "request PROPFIND"):
        words = [*verb.split(" "), url]
        cases.append(Case(*words, "-d", "@/no/such", status=FILE, says="/no/such' cannot be read: No such file"))
        cases.append(Case(*words, "-d", f"@{tmp_path}", status=FILE, says="cannot be read: Is a directory"))
    check(cases, tmp_path)
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")
    assert present.read_text() == "kept"


def test_invalid_values(serve: Serve, tmp_path: Path) -> None:
    url = serve(respond).url
    cases = [
        Case(
            "get",
            url,
            "--deadline",
            "abc",
            status=USAGE,
            says="'-m' / '--deadline' / '--max-time': 'abc' is not a time",
        ),
        Case("get", url, "--deadline", "9" * 30, status=USAGE, says="is not a time: write 5"),
        Case("get", url, "--timeout", "-1", status=USAGE, says="'--timeout': '-1' is not a time"),
        Case("get", url, "--engine", "curl", status=USAGE, says="'curl' is not one of 'auto', 'qt', 'python'"),
        Case("get", url, "-H", "no colon", status=USAGE, says="one has no colon"),
        Case("gte\x1b[31m", status=USAGE, says=r"gte\\x1b\[31m"),
        Case("get", url, "--no-such", status=USAGE, says="--no-such"),
        Case("get", url, url, status=USAGE, says="is one word too many"),
        Case("get", "http://h/\udcff", status=USAGE, says="the URL is not UTF-8 text "),
        Case("request", "\udcff", url, status=USAGE, says="the method is not UTF-8 text"),
        Case("get", url, "--cacert", "a\0b", status=USAGE, says="is not a path: embedded null"),
        Case("post", url, "-d", "@a\0b", status=USAGE, says="is not a path: embedded null"),
        Case("get", url, "-o", "a\0b", status=USAGE, says="the path has a null character"),
        Case("get", url, "--key", "/dev/null", status=USAGE, says="--key can only be used with --cert"),
        Case("get", "https://127.0.0.1:1/", "--cacert", "/bin/sh", status=1, says="cannot be read as PEM"),
        Case("get", "", status=USAGE, says="the URL is empty"),
        Case("get", "ftp://example.test", status=1, says="must begin with http:// or https://"),
        Case("get", "http://h\0/", status=1, says="URL"),
        Case("get", url, "-H", "a\0: b", status=USAGE, says="header name"),
        Case("get", url, "-H", ": b", status=USAGE, says="one has no name"),
        Case("get", url, "-H", "a: b\r\nc: d", status=USAGE, says="The value of the header a holds a line end"),
        Case("request", "A B", url, status=1, says="A B"),
        Case(
            "get", url, environment={"BLOCKING_REQUEST_ENGINE": "[/x]"}, status=1, says=r"there is no engine '\[/x\]'"
        ),
        Case("info", environment={"BLOCKING_REQUEST_ENGINE": "[/x]"}, status=0),
        Case("info", environment={"BLOCKING_REQUEST_ENGINE": "\udcff"}, status=0),
        Case("info", environment={"FORCE_COLOR": "1", "COLUMNS": "x", "TERM": "\udcff"}, status=0),
        Case("get", url, environment={"FORCE_COLOR": "1", "TERM": "xterm"}, status=0),
        Case("get", url, "-H", "X-Bytes: \udcff", "-v", "--offline", status=1, stderr=str(tmp_path / "offline")),
        Case("nonsense", status=USAGE, says="No such command 'nonsense'"),
        Case("cache", "nonsense", status=USAGE, says="No such command 'nonsense'"),
    ]
    check(cases, tmp_path)


def test_device_replaced_by_a_file(tmp_path: Path) -> None:
    """If a file replaces the device after the check, it must be kept; if the device is deleted, no file is created."""
    path = tmp_path / "device"
    path.write_bytes(b"mine")
    with pytest.raises(OSError, match="a file has taken the place of the pipe or device"):
        OpenedDevice(str(path), None).write(b"HTTP/1.1 200 OK\n")
    assert path.read_bytes() == b"mine"
    path.unlink()
    with pytest.raises(FileNotFoundError):
        OpenedDevice(str(path), None).write(b"HTTP/1.1 200 OK\n")
    assert OpenedDevice("/dev/null", None).write(b"x") == 1

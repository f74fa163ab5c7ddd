"""The command ``demo``."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from blocking_request.qt.binding import API

pytest.importorskip("click")
pytest.importorskip("rich")

NAMES = ["outcomes", "threads", "cancel", "main thread", "truncated body", "download"]
from ..support.command_line import PROGRAM


def demo(*options: str, first: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``demo`` in a process of its own. ``first``: Python code that is executed before."""
    program = (
        f"import sys; sys.argv = ['blocking-request', 'demo', *{options!r}]\n"
        f"{first}\n"
        "from blocking_request.cli.run import run; run()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def promises(document: Any) -> dict[str, Any]:
    return {promise["name"]: promise for promise in document["promises"]}


def test_all_promises_are_kept() -> None:
    result = demo()
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\nAll 6 promises were kept, in \d+\.\d s\.\n\Z", result.stdout)
    for code in ("NoError", "ServerExceptionError", "NetworkError", "TimeoutError"):
        assert f": {code}\n" in result.stdout
    assert "5 of 5 calls ended with CanceledError" in result.stdout
    assert "Engine qt: 64 of 64 threads" in result.stdout and "Engine python: 64 of 64 threads" in result.stdout
    assert "QNetworkReply says NoError" in result.stdout
    assert result.stdout.count("   kept      yes\n") == 6
    assert "\x1b" not in result.stdout  # neither colours nor a progress bar in a pipe


def test_lines_are_wrapped_between_words() -> None:
    wide = set(demo(COLUMNS="200").stdout.split())
    for columns in (22, 40, 80):
        lines = demo(COLUMNS=str(columns)).stdout.splitlines()
        assert max(map(len, lines)) <= columns
        assert all(line == line.rstrip() for line in lines)
        words = set(" ".join(lines).split())
        # Only the measured figures differ.
        assert {word for word in words - wide if not re.search(r"\d", word)} == set()


def test_json() -> None:
    result = demo("--json")
    assert (result.returncode, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert list(document) == [
        "version", "binding", "bindingVersion", "qtVersion", "kept", "milliseconds", "promises"
    ]  # fmt: skip
    assert document["binding"] == API and document["kept"] is True
    assert [promise["name"] for promise in document["promises"]] == NAMES
    for promise in document["promises"]:
        assert list(promise) == ["name", "promised", "happened", "qtAlone", "kept", "figures"]
        assert promise["kept"] is True
    figures = {name: promise["figures"] for name, promise in promises(document).items()}
    assert [row["code"] for row in figures["outcomes"]["requests"]].count("NoError") == 8
    assert [of_engine["ownResponses"] for of_engine in figures["threads"]["engines"]] == [64, 64]
    assert len(figures["cancel"]["latencies"]) == figures["cancel"]["canceled"] == 5
    main_thread = figures["main thread"]
    assert main_thread["entered"] == {"timers": 0, "events": 0}
    assert main_thread["qtAlone"]["timers"] > 0 and main_thread["qtAlone"]["events"] == 1
    truncated = figures["truncated body"]
    assert truncated["code"] == "NetworkError" and truncated["bytes"] < truncated["completeBytes"]
    assert truncated["qtAlone"] == {"error": 0, "bytes": truncated["bytes"]}
    assert figures["download"]["progressReports"] > 0
    assert figures["download"]["progressReportsInOtherThreads"] == 0


BROKEN = {
    "outcomes": "server._Handler.do_DELETE = lambda self: self._respond(500, b'')",
    "threads": "server._Handler._respond = lambda self, *a, r=server._Handler._respond, **k: "
    "r(self, a[0], b'/number/0' if '/number/' in self.path else a[1], *a[2:], **k)",
    "cancel": "threads.CANCEL_MS = -1",
    "main thread": "from blocking_request import BlockingNetworkRequest\n"
    "BlockingNetworkRequest.get = lambda self, url, get=BlockingNetworkRequest.get, **k: "
    "(qt_alone.get_with_qt(url) if url.endswith('/slow') else None, get(self, url, **k))[1]",
    "truncated body": "server.TEXT = qt_alone.TEXT = b'x'; server.gzip.compress = lambda data: b''",
    "download": "download.DOWNLOAD_CHECKSUM = 'sha256:' + '0' * 64",
}


@pytest.mark.parametrize("name", NAMES)
def test_promise_that_is_not_kept(name: str) -> None:
    first = f"from blocking_request.cli.demo import download, qt_alone, server, threads\n{BROKEN[name]}"
    result = demo("--json", first=first)
    assert result.returncode == 1, result.stderr
    document = json.loads(result.stdout)
    assert document["kept"] is False
    assert [promise["name"] for promise in document["promises"] if not promise["kept"]] == [name]


def test_text_of_a_promise_that_is_not_kept() -> None:
    result = demo(
        first=f"from blocking_request.cli.demo import download, qt_alone, server, threads\n{BROKEN['outcomes']}"
    )
    assert result.returncode == 1, result.stderr
    assert "   kept      NO\n" in result.stdout
    assert result.stdout.endswith("\n1 of 6 promises was not kept.\n")
    assert "Not as documented: DELETE" in result.stdout


NO_LOOPBACK = {
    "no free port": "def fail(*a): raise OSError(98, 'Address already in use')\nserver.DemoServer.__init__ = fail",
    "not reached": "def fail(*a, **k): raise OSError(101, 'Network is unreachable')\n"
    "server.socket.create_connection = fail",
}


@pytest.mark.parametrize("name", NO_LOOPBACK)
def test_no_loopback(name: str) -> None:
    result = demo("--json", first=f"from blocking_request.cli.demo import server\n{NO_LOOPBACK[name]}")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("The server of the demonstration cannot be used: 127.0.0.1 ")


INTERRUPTED = {
    "threads": "server._Handler._respond = lambda self, *a, **k: "
    "(self.path == '/number/9' and os.kill(os.getpid(), signal.SIGINT), respond(self, *a, **k))",
    "timer": "qt_alone._EntryCounter.timerEvent = lambda self, event: os.kill(os.getpid(), signal.SIGINT)",
    "download": "server._Handler._send_download = lambda self: "
    "(os.kill(os.getpid(), signal.SIGINT), respond(self, 200, b''), self.wfile.write(b'x' * 1_000_000))",
}


@pytest.mark.parametrize("moment", INTERRUPTED)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c(moment: str) -> None:
    """Neither a traceback of the server's threads, nor an abort by PyQt because a timer has raised an exception."""
    first = "import os, signal\nfrom blocking_request.cli.demo import qt_alone, server\n"
    result = demo(first=f"{first}respond = server._Handler._respond\n{INTERRUPTED[moment]}")
    assert (result.returncode, result.stderr) == (-signal.SIGINT, "Interrupted\n")


@pytest.mark.parametrize("engine", ["qt", "python"])
def test_engine_of_the_environment(engine: str) -> None:
    result = demo("--json", BLOCKING_REQUEST_ENGINE=engine)
    assert result.returncode == 0, result.stdout
    outcomes = promises(json.loads(result.stdout))["outcomes"]["figures"]["requests"]
    assert {row["engine"] for row in outcomes} == {engine}


def test_proxy_of_the_environment_is_not_used() -> None:
    result = demo(http_proxy="http://127.0.0.1:1", all_proxy="http://127.0.0.1:1")
    assert result.returncode == 0, result.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="pty")
def test_progress_bar_on_a_terminal() -> None:
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "60"}
    program = [*PROGRAM, "demo"]
    with subprocess.Popen(program, stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        written = b""
        try:
            while piece := os.read(master, 65536):
                written += piece
        except OSError:  # Linux: the other side is closed
            pass
        assert process.wait(timeout=60) == 0
    os.close(master)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    assert text.count("progress") > 1 and "8.4/8.4 MB" in text and "/100 bytes" not in text
    assert re.search(r"[1-7]\.\d/8\.4 MB", text)
    assert "All 6 promises were kept" in text

"""HAR files that are written as calls end: BLOCKING_REQUEST_LOG, and --har of the command line."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from functools import partial
from pathlib import Path
from typing import Any, Callable

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.netlog import NetworkLog
from blocking_request.netlog.har_file import HarFile
from blocking_request.trace import add_recorder, remove_recorder

from ..support.har_schema import entries_of_valid_har
from ..support.names import OK, ROOT, Serve
from ..support.servers.raw import always
from ..support.waiting import eventually


def run(program: str, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), **environment},
        timeout=100,
        check=False,
    )


def entries_of(path: Path) -> list[dict[str, Any]]:
    return entries_of_valid_har(path.read_text("utf-8"))


CRASHING = """
    import os, signal, sys
    from blocking_request import BlockingNetworkRequest, NetworkAccessManager
    from blocking_request.qt.binding import QtCore
    app = QtCore.QCoreApplication([])
    url = sys.argv[1]
    request = BlockingNetworkRequest()
    assert request.get(url + "/1?token=hunter2") == 0
    os.chdir("/")
    assert request.post(url + "/2", b"data") == 0
    list(NetworkAccessManager.instance().getMany([url + "/3"]))
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
"""


@pytest.mark.parametrize("end", ["SIGKILL", "SIGABRT"])
def test_file_of_the_environment_is_whole_after_a_crash(end: str, serve: Serve, tmp_path: Path) -> None:
    done = run(CRASHING, tmp_path, serve(always(b"x" * 5000)).url, end, BLOCKING_REQUEST_LOG="calls.har")
    assert done.returncode == -getattr(signal, end), done.stderr
    path = tmp_path / "calls.har"
    entries = entries_of(path)
    assert [entry["request"]["url"][-2:] for entry in entries] == ["**", "/2", "/3"]
    assert (
        entries[1]["request"]["postData"]["text"] == "data" and entries[0]["response"]["content"]["text"] == "x" * 5000
    )
    assert b"hunter2" not in path.read_bytes() and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_crash_at_any_moment_loses_no_earlier_call(serve: Serve, tmp_path: Path) -> None:
    program = """
        import sys, threading
        from blocking_request import BlockingNetworkRequest
        def call():
            request = BlockingNetworkRequest()
            while True:
                request.get(sys.argv[1])
        for _ in range(4):
            threading.Thread(target=call).start()
    """
    url = serve(always(b"x" * 3000)).url
    for number in range(5):
        path = tmp_path / f"{number}.har"
        environment = {**os.environ, "BLOCKING_REQUEST_LOG": str(path)}
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), url], cwd=ROOT, env=environment
        ) as process:
            assert eventually(lambda: path.exists() and path.stat().st_size > 50_000 + 7_000 * number, timeout=30)  # noqa: B023
            process.kill()
        # The kernel may have written a part of the last entry.
        assert NetworkLog().loadHar(path) > 10


def test_each_process_has_a_file(serve: Serve, tmp_path: Path) -> None:
    program = """
        import os, subprocess, sys
        from blocking_request import BlockingNetworkRequest
        assert BlockingNetworkRequest().get(sys.argv[1] + "/" + sys.argv[2]) == 0
        if sys.argv[2] == "first":
            child = os.fork()
            if child == 0:
                assert BlockingNetworkRequest().get(sys.argv[1] + "/forked") == 0
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            subprocess.run([sys.executable, "-c", sys.argv[3], sys.argv[1], "second"], check=True)
            assert BlockingNetworkRequest().get(sys.argv[1] + "/last") == 0
    """
    url = serve(always(b"body")).url
    text = textwrap.dedent(program)
    done = run(text, tmp_path, url, "first", text, BLOCKING_REQUEST_LOG=str(tmp_path / "calls.har"))
    assert done.returncode == 0, done.stderr
    written = {
        tuple(entry["request"]["url"].rpartition("/")[2] for entry in entries_of(path)) for path in tmp_path.iterdir()
    }
    assert written == {("first", "last"), ("forked",), ("second",)}
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[-1] == "calls.har" and all(name.startswith("calls.") and name.endswith(".har") for name in names)
    # The next program replaces the file of the one before.
    assert run(text, tmp_path, url, "next", BLOCKING_REQUEST_LOG=str(tmp_path / "calls.har")).returncode == 0
    assert len(entries_of(tmp_path / "calls.har")) == 1


def test_file_that_cannot_be_written(serve: Serve, tmp_path: Path) -> None:
    program = """
        import sys
        from blocking_request import BlockingNetworkRequest
        for _ in range(2):
            assert BlockingNetworkRequest().get(sys.argv[1]) == 0
    """
    done = run(program, tmp_path, serve(always()).url, BLOCKING_REQUEST_LOG="/no such folder/calls.har")
    assert done.returncode == 0
    assert done.stderr.decode() == (
        "blocking_request: no calls are written to /no such folder/calls.har, the file of BLOCKING_REQUEST_LOG: "
        "No such file or directory\n"
    )
    for path, problem in (("/", "it is a folder"), (str(tmp_path), "it is not a regular file")):
        done = run(program, tmp_path, serve(always()).url, BLOCKING_REQUEST_LOG=path)
        assert (done.returncode, done.stderr.decode().count(problem), done.stderr.count(b"\n")) == (0, 1, 1), (
            done.stderr
        )


def test_child_that_calls_before_its_parent(serve: Serve, tmp_path: Path) -> None:
    program = """
        import os, subprocess, sys
        from blocking_request import BlockingNetworkRequest
        name = "child"
        if len(sys.argv) > 2:
            name, (reader, writer) = "parent", os.pipe()
            if os.fork():
                subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1]], check=True)
            else:
                name = "orphan"
                os.close(writer)
                os.read(reader, 1)  # until the parent has ended
        assert BlockingNetworkRequest().get(f"{sys.argv[1]}/{name}") == 0
    """
    url, text = serve(always(b"body")).url, textwrap.dedent(program)
    done = run(text, tmp_path, url, text, BLOCKING_REQUEST_LOG="calls.har")
    assert done.returncode == 0, done.stderr
    written = [entry["request"]["url"] for path in tmp_path.iterdir() for entry in entries_of(path)]
    assert sorted(written) == [f"{url}/child", f"{url}/orphan", f"{url}/parent"]
    assert [entry["request"]["url"] for entry in entries_of(tmp_path / "calls.har")] == [f"{url}/parent"]


def test_program_without_calls(tmp_path: Path) -> None:
    (tmp_path / "calls.har").write_text("of an earlier program")
    program = (
        "import subprocess, sys, blocking_request; subprocess.run([sys.executable, '-c', 'import blocking_request'])"
    )
    assert run(program, tmp_path, BLOCKING_REQUEST_LOG="calls.har").returncode == 0
    assert [entries_of(path) for path in tmp_path.iterdir()] == [[]]


def test_file_that_another_program_changes(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "calls.har"
    file, url = HarFile(str(path), 100), serve(always(b"body")).url
    file.open()
    add_recorder(file)
    try:
        changes: list[Callable[[], None]] = [partial(os.truncate, path, 0), partial(os.truncate, path, 70), path.unlink]
        for number, change in enumerate(changes):
            for name in ("a", "b"):
                assert BlockingNetworkRequest(manager).get(f"{url}/{number}{name}") is OK
            change()
            assert BlockingNetworkRequest(manager).get(f"{url}/{number}c") is OK
            assert [entry["request"]["url"][-2:] for entry in entries_of(path)] == [f"{number}c"]
    finally:
        remove_recorder(file)


def test_disk_that_is_full_from_the_beginning(
    manager: NetworkAccessManager, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    write = os.write

    def write_a_part(descriptor: int, data: Any) -> int:
        if len(data) < 60:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(data)[:10])

    file = HarFile(str(tmp_path / "calls.har"), 100)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_a_part)
        file.open_plain()
        add_recorder(file)
        try:
            assert BlockingNetworkRequest(manager).get(serve(always()).url) is OK
        finally:
            remove_recorder(file)
    assert (tmp_path / "calls.har").read_bytes() == b""
    assert "no calls are written" in caplog.text and "No space left on device" in caplog.text


def test_without_the_variable_nothing_is_loaded(tmp_path: Path) -> None:
    program = "import sys, blocking_request; print([name for name in sys.modules if 'netlog' in name or name.endswith('.har')])"
    for value in ({}, {"BLOCKING_REQUEST_LOG": ""}):
        done = run(program, tmp_path, **value)
        assert done.stdout.strip() == b"[]", done.stderr


def test_full_disk(
    manager: NetworkAccessManager, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    file = HarFile(str(tmp_path / "calls.har"), 100)
    write, sizes = os.write, []

    def write_a_part(descriptor: int, data: Any) -> int:
        if "/second" in bytes(data).decode():
            sizes.append(len(data))
            if len(sizes) > 1:
                raise OSError(28, "No space left on device")
            return write(descriptor, bytes(data)[:100])
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", write_a_part)
    add_recorder(file)
    try:
        request, url = BlockingNetworkRequest(manager), serve(always(b"body")).url
        for path in ("/first", "/second", "/third"):
            assert request.get(url + path) is OK
    finally:
        remove_recorder(file)
    assert [entry["request"]["url"] for entry in entries_of(tmp_path / "calls.har")] == [f"{url}/first"]
    assert "No space left on device" in caplog.text


def test_many_threads(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    file = HarFile(str(tmp_path / "calls.har"), 1000)
    url = serve(always(b"body")).url
    add_recorder(file)
    try:
        threads = [threading.Thread(target=lambda: list(manager.getMany([url] * 10))) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        remove_recorder(file)
    assert len(entries_of(tmp_path / "calls.har")) == 160


def test_command_line(httpbin: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.har"
    command = [
        sys.executable,
        "-m",
        "blocking_request",
        "get",
        "--har",
        str(path),
        "-H",
        "Authorization: Bearer hunter2",
    ]
    done = subprocess.run(
        [*command, f"{httpbin}/redirect-to?url=/json"], capture_output=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = entries_of(path)
    assert (first["response"]["status"], second["response"]["status"]) == (302, 200)
    assert json.loads(second["response"]["content"]["text"]) == json.loads(done.stdout)
    assert second["timings"]["wait"] > 0 and "hunter2" not in path.read_text()
    urls = tmp_path / "urls.txt"
    urls.write_text(f"{httpbin}/get?a=1\n{httpbin}/status/404\n")
    command = [
        sys.executable,
        "-m",
        "blocking_request",
        "get",
        "--har",
        str(path),
        "--from",
        str(urls),
        "-o",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert sorted(entry["response"]["status"] for entry in entries_of(path)) == [200, 404]
    command = [sys.executable, "-m", "blocking_request", "get", "--har", "/no such folder/x.har", httpbin]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, b"No such file" in done.stderr) == (74, True)

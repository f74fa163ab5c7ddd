"""The pytest plugin: its fixtures and its marker, with unittest, xdist and pytest-qt."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import textwrap
from configparser import ConfigParser
from pathlib import Path

import pytest

from ..support.names import ROOT, Serve
from ..support.servers.raw import always

TESTS = """
    import unittest
    import pytest
    from blocking_request import BlockingNetworkRequest

    URL = "http://127.0.0.1:{port}/"

    def get(url=URL):
        request = BlockingNetworkRequest()
        request.get(url, timeout=5000)
        return request.reply().text() or request.errorMessage()

    def test_fake_replies(fake_replies):
        fake_replies.get(URL, body="fake")
        assert get() == "fake" and fake_replies.callCount == 1

    @pytest.mark.unmatched_requests
    def test_no_network(no_network):
        assert get() == f"The test must not use the network (fixture no_network), and has sent this GET request ({{URL}})"
        assert len(no_network.unmatched) == 1

    def test_order_of_the_fixtures(fake_replies, no_network):
        fake_replies.get(URL, body="fake")
        assert get() == "fake"
        no_network.get("*", body="own")

    def test_network_recording(network_recording):
        assert get() == "recorded"
        assert network_recording.playedCount + network_recording.recordedCount == 1

    @pytest.mark.network_recording
    @pytest.mark.parametrize("value", ["a/b", "é", "x" * 300])
    def test_marker(value):
        assert get() == "recorded"

    @pytest.mark.network_recording("own/file.har", mode="new", matchBody=False)
    def test_own_file():
        assert get() == "recorded"

    @pytest.mark.network_recording
    def test_that_sends_nothing():
        pass

    @pytest.mark.unmatched_requests
    @pytest.mark.network_recording
    def test_nothing_but_the_recording(no_network):
        assert get("http://other.invalid/").startswith(("The test must not use", "The recording "))

    class TestUnit(unittest.TestCase):
        @pytest.mark.network_recording
        def test_marker(self):
            self.assertEqual(get(), "recorded")

        def test_context_managers(self):
            from blocking_request.testing import FakeReplies
            fake = FakeReplies().start()
            self.addCleanup(fake.stop)
            fake.get(URL, body="fake")
            self.assertEqual(get(), "fake")
"""
FILES = {
    "own/file.har",
    "recordings/test_it/TestUnit.test_marker.har",
    "recordings/test_it/test_network_recording.har",
}
"""The recordings of these tests, besides three whose names are hashed."""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the plugin in a folder."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "pytest_blocking_request",
        "-p",
        "no:cacheprovider",
        *arguments,
    ]
    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("arguments", [[], ["-n2"]])
def test_fixtures_and_marker(arguments: list[str], serve: Serve, tmp_path: Path) -> None:
    if arguments and importlib.util.find_spec("xdist") is None:
        pytest.skip("pytest-xdist is not installed")
    server = serve(always(b"recorded"))
    (tmp_path / "test_it.py").write_text(textwrap.dedent(TESTS.format(port=server.port)), "utf-8")
    done = run(tmp_path, *arguments)
    assert done.returncode == 0 and "12 passed" in done.stdout, done.stdout + done.stderr
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.har")}
    assert files > FILES and len(files) == 6
    count = len(server.requests)
    server.close()
    done = run(tmp_path, *arguments, "--network-recording=none", "--strict-markers", "-k", "not nothing_but")
    assert done.returncode == 0 and "11 passed" in done.stdout, done.stdout + done.stderr
    assert len(server.requests) == count == 6
    done = run(tmp_path, "--network-recording=all", "-k", "test_own_file")
    assert done.returncode == 1 and "Connection refused" in done.stdout


def test_each_test_has_a_file_of_its_own(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(f"""
            import pytest
            from blocking_request import BlockingNetworkRequest

            pytestmark = pytest.mark.network_recording

            @pytest.mark.parametrize("value", ["a/b", "a:b", "a b", "a_b", "{"x" * 160}1", "{"x" * 160}2"])
            def test_it(value):
                assert not BlockingNetworkRequest().get("{serve(always(b"x")).url}", params={{"value": value}})

            def test_it_a_b():
                test_it("function")

            def test_größe():
                test_it("größe")

            class TestA:
                class TestInner:
                    def test_it(self):
                        test_it("A")

            class TestB:
                class TestInner:
                    def test_it(self):
                        test_it("B")
        """),
        "utf-8",
    )
    for _ in range(2):
        done = run(tmp_path)
        assert done.returncode == 0 and "10 passed" in done.stdout, done.stdout + done.stderr
    names = {path.stem for path in tmp_path.rglob("*.har")}
    plain = {"test_it[a_b]", "test_it_a_b", "test_größe", "TestA.TestInner.test_it", "TestB.TestInner.test_it"}
    assert len(names) == 10 and names > plain and all(len(name) < 150 for name in names)


def test_requests_without_a_reply_fail_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import pytest
            from blocking_request import BlockingNetworkRequest

            def names():
                request = BlockingNetworkRequest()
                return request.reply().json() if request.get("https://h/names?token=s3cret") == 0 else []

            def test_fake(fake_replies):
                fake_replies.get("https://h/name", json=["a"])
                assert names() == []

            def test_no_network(no_network):
                assert names() == []

            @pytest.mark.network_recording(mode="none")
            def test_recording():
                assert names() == []

            @pytest.mark.unmatched_requests
            @pytest.mark.network_recording(mode="none")
            def test_allowed(fake_replies, no_network):
                assert names() == []

            def test_failed(fake_replies):
                assert names() == ["a"]
        """)
    )
    done = run(tmp_path)
    assert "1 failed, 4 passed, 3 errors" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("requests that got no reply: GET https://h/names?token=***. Add replies") == 3
    assert "s3cret" not in done.stdout.replace("token=s3cret", "")


def test_copy_of_the_package_within_a_plugin(tmp_path: Path) -> None:
    copied = tmp_path / "my_plugin" / "blocking_request"
    shutil.copytree(ROOT / "blocking_request", copied, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "my_plugin" / "__init__.py").write_text("")
    (tmp_path / "pytest.ini").write_text("[pytest]\nblocking_request_package = my_plugin.blocking_request\n")
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import pytest
            from my_plugin.blocking_request import BlockingNetworkRequest

            def test_fake(fake_replies):
                fake_replies.get("http://127.0.0.1:9/", json=1)
                request = BlockingNetworkRequest()
                assert request.get("http://127.0.0.1:9/") == 0 and request.reply().json() == 1

            @pytest.mark.unmatched_requests
            def test_no_network(no_network):
                request = BlockingNetworkRequest()
                assert request.get("http://127.0.0.1:9/") == 1 and "must not use" in request.errorMessage()

            @pytest.mark.network_recording
            def test_recording(fake_replies):
                test_fake(fake_replies)
        """)
    )
    done = run(tmp_path)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr


def test_plugin_imports_no_qt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    names = ('blocking_request', 'PyQt5', 'PyQt6', 'PySide6', 'requests', 'urllib3')\n"
        "    assert not set(names) & set(sys.modules)\n"
    )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins import more
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_wrong_markers(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.network_recording('a', 'once', 'more')\n"
        "def test_arguments(): pass\n"
        "@pytest.mark.network_recording(mode='some')\n"
        "def test_mode(): pass\n"
    )
    done = run(tmp_path)
    assert "takes at most a path and a mode" in done.stdout and "mode must be one of 'once'" in done.stdout
    assert run(tmp_path, "--network-recording=some").returncode == 4


@pytest.mark.skipif(importlib.util.find_spec("pytestqt") is None, reason="pytest-qt is not installed")
def test_with_pytest_qt(tmp_path: Path) -> None:
    """A request in a slot and a request in a thread, while qtbot waits in the event loop."""
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import threading
            from blocking_request import BlockingNetworkRequest
            from blocking_request.qt.binding import QtCore

            def test_it(qtbot, fake_replies):
                fake_replies.get("https://h/", body="x", delay=60000)
                request = BlockingNetworkRequest()
                QtCore.QTimer.singleShot(0, lambda: request.get("https://h/", timeout=0))
                with qtbot.waitSignal(request.finished, timeout=5000):
                    pass
                assert request.reply().text() == "x"
                other = BlockingNetworkRequest()
                thread = threading.Thread(target=other.get, args=("https://h/",))
                thread.start()
                qtbot.waitUntil(lambda: not thread.is_alive(), timeout=5000)
                assert fake_replies.callCount == 2
        """)
    )
    done = run(tmp_path)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_entry_point_names_the_plugin() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    name, _, module = setup["options.entry_points"]["pytest11"].strip().partition(" = ")
    assert name == module == setup["options"]["py_modules"] and (ROOT / f"{module}.py").is_file()

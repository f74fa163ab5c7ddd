"""NetworkMonitor in programs: it is loaded only if it is used, and it needs a QApplication. tests/windows has the rest."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from blocking_request.netlog import NetworkMonitor
from blocking_request.qt.binding import API

from ..support.names import ROOT

WINDOWS = sorted(path.name for path in (ROOT / "tests/windows").glob("test_*.py"))
MEASURE = ("coverage", "run", "-m") if "coverage" in sys.modules else ()


@pytest.mark.skipif(importlib.util.find_spec("pytestqt") is None, reason="pytest-qt is not installed")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", WINDOWS)
def test_in_a_window(name: str, tmp_path: Path) -> None:
    """The widgets need a QApplication, and the other tests have a QCoreApplication: so it is another process."""
    environment = {**os.environ, "QT_API": API.lower(), "PYTEST_QT_API": API.lower()}
    for variable in [each for each in environment if each.startswith("PYTEST_XDIST")]:
        del environment[variable]
    command = [sys.executable, "-m", *MEASURE, "pytest", "-q", "-p", "no:cacheprovider", f"tests/windows/{name}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_without_widgets() -> None:
    with pytest.raises(RuntimeError, match="A NetworkMonitor is a widget: make a QApplication before it"):
        NetworkMonitor()


def run(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, "QT_API": API.lower()},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_widgets_are_loaded_only_if_they_are_used() -> None:
    assert run(
        f"""
        import sys
        import blocking_request.netlog as netlog
        log = netlog.NetworkLog()
        names = ["{API}.QtWidgets", "{API}.QtGui", "blocking_request.netlog.monitor"]
        print([name in sys.modules for name in names], "NetworkMonitor" in dir(netlog))
        netlog.NetworkMonitor
        print([name in sys.modules for name in names])
        try:
            netlog.Nothing
        except AttributeError as error:
            print(error)
        """
    ) == [
        "[False, False, False] True",
        "[True, True, True]",
        "module 'blocking_request.netlog' has no attribute 'Nothing'",
    ]


def test_program_that_ends_while_calls_run_and_a_file_is_saved(tmp_path: Path) -> None:
    """The process ends without a crash, and the file is whole."""
    target = tmp_path / "calls.har"
    assert run(
        f"""
            import socket, threading
            from {API}.QtWidgets import QApplication
            from blocking_request import BlockingNetworkRequest
            from blocking_request.netlog import NetworkLog, NetworkMonitor
            app = QApplication([])
            silent = socket.create_server(("127.0.0.1", 0))
            log = NetworkLog(maximumEntries=5000)
            monitor = NetworkMonitor(log)
            monitor.show()
            are_enough = threading.Event()

            def run():
                while not are_enough.is_set():
                    BlockingNetworkRequest().get("http://127.0.0.1:1/")
                BlockingNetworkRequest().get(f"http://127.0.0.1:{{silent.getsockname()[1]}}/silent")

            threads = [threading.Thread(target=run, daemon=True) for _ in range(3)]
            for thread in threads:
                thread.start()
            while log.count() < 300:
                app.processEvents()
            are_enough.set()
            while len(log.entries("/silent")) < 3:
                app.processEvents()
            monitor.saveHar({str(target)!r})
            print("end")
            """
    ) == ["end"]
    assert target.read_text("utf-8").endswith("]}}\n") and len(list(tmp_path.iterdir())) == 1

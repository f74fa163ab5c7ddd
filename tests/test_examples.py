"""Every file in examples/ runs and says what it should; and the README shows them as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from blocking_request.qt import API

from .servers.raw import RawServer

ROOT = Path(__file__).parent.parent
OF_QGIS = "processing_download.py"
"""Runs with QGIS's Python: see test_qgis.py; docs/qgis.rst has it."""

EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name != OF_QGIS)


def run(path: Path, folder: Path, *arguments: str, runner: tuple[str, ...] = ()) -> str:
    """Run an example with the binding of this test run."""
    copy = folder / path.name
    copy.write_text(path.read_text().replace("PyQt5", API))
    process = subprocess.run(
        [sys.executable, *runner, str(copy), *arguments], capture_output=True, text=True, timeout=60, cwd=folder
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_script(httpbin: str, tmp_path: Path) -> None:
    output = run(ROOT / "examples/script.py", tmp_path, httpbin).splitlines()
    assert output[:2] == ["Sample Slide Show", "{'born': '1815', 'name': 'Ada'}"]
    assert output[2].startswith(f"ServerExceptionError - Error transferring {httpbin}/status/404 - server replied: N")


def test_background_thread(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    def half(connection) -> None:  # type: ignore[no-untyped-def]
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        connection.wait_for_close()

    server: RawServer = serve(half)
    output = run(ROOT / "examples/background_thread.py", tmp_path, server.url)
    assert output.splitlines() == ["50 %", f"Operation canceled ({server.url})"]


def test_with_pytest(tmp_path: Path) -> None:
    output = run(
        ROOT / "examples/test_with_pytest.py", tmp_path, runner=("-m", "pytest", "-q", "-p", "no:cacheprovider")
    )
    assert "2 passed" in output


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_run_and_shown_in_the_readme(path: Path) -> None:
    assert f"test_{path.stem.replace('test_', '')}" in globals()
    readme = (ROOT / "README.rst").read_text()
    assert f"examples/{path.name}" in readme
    code = path.read_text().partition('"""\n\n')[2].strip()
    shown = "\n".join(f"    {line}".rstrip() for line in code.splitlines())
    assert shown in readme, f"README.rst must show examples/{path.name} as it is"

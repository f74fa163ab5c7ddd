"""The texts for a first reader: README.rst, its form on a package index, and the pictures."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .support.names import ROOT

README = (ROOT / "README.rst").read_text("utf-8")
FIGURES = """\
-- on Linux x86_64, 2 processors, Python 3.11.7, PyQt6, Qt 6.11.2
-- small_get
warm GET of 1 KB, http, PyQt6: python 78.5 us, auto 391.9 us, nested QEventLoop 301.9 us
    python, of urllib3's time: 0.46 (at most 0.65)
warm GET of 1 KB, http, busy, PyQt6: python 192.4 us, auto 480.2 us
-- batch
1024 bytes, PyQt6: blocking_request 9000.1 requests/s, aiohttp 4000.0 requests/s
-- start
both, http, PyQt6: python 59.3 ms, auto 63.5 ms, requests 62.1 ms
"""


def test_length() -> None:
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("page", ["README.rst", "CONTRIBUTING.rst", "CHANGELOG.rst"])
def test_linked_files_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    targets = re.findall(r"<([^`<>]+)>`_|^\.\. image:: (.+)", text, flags=re.MULTILINE)
    missing = [
        link or picture
        for link, picture in targets
        if not link.startswith("https:") and not (ROOT / (link or picture)).exists()
    ]
    assert not missing


def test_description_for_a_package_index_has_no_broken_links() -> None:
    specification = importlib.util.spec_from_file_location("setup", ROOT / "setup.py")
    assert specification is not None and specification.loader is not None
    setup = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(setup)
    description = setup.description()
    assert ">`_" not in re.sub(r"<https:[^>]*>`_", "", description)
    assert "``docs/tutorial.rst``" in description
    assert ".. image::" in README and ".. image::" not in description and ":alt:" not in description
    assert ".. test:" in README and ".. test:" not in description
    # Nothing else is lost.
    assert description.count(".. code-block::") == README.count(".. code-block::")
    assert re.findall(r"^---+$", description, re.MULTILINE) == re.findall(r"^---+$", README, re.MULTILINE)


def run(*arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def size_of_png(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_pictures_of_the_demo_and_the_windows(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    run("docs/pictures/draw.py", "demo", "window", "monitor", str(tmp_path))
    text = (tmp_path / "demo.svg").read_text("utf-8")
    assert text.count(">yes<") == 6 and "promises" in text and "https://cdnjs" not in text
    width, height = size_of_png(tmp_path / "download_window.png")
    assert width == 640 and 100 < height < 300
    drawn, kept = (size_of_png(folder / "network_monitor.png") for folder in (tmp_path, ROOT / "docs/pictures"))
    assert drawn == kept == (1720, 1120)


def test_picture_of_the_benchmarks(tmp_path: Path) -> None:
    from benchmarks import plot

    figures = plot.read_figures(FIGURES)
    assert figures["both, http, PyQt6"] == {"python": 59.3, "auto": 63.5, "requests": 62.1}
    assert len(figures) == 4
    pytest.importorskip("matplotlib")
    (tmp_path / "figures.txt").write_text(FIGURES)
    run("-m", "benchmarks.plot", str(tmp_path / "figures.txt"), str(tmp_path / "benchmarks.svg"))
    assert "nested QEventLoop" in (tmp_path / "benchmarks.svg").read_text("utf-8")

"""Which Qt binding is used, and what is said if it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blocking_request.qt.binding import API

from ..support.names import ROOT


def outcome(program: str, api: str = "", folder: str = "") -> str:
    """Return the last line that a program prints, or the message of its ImportError."""
    environment = {name: value for name, value in os.environ.items() if name != "QT_API"}
    path = os.pathsep.join(filter(None, (folder, str(ROOT))))
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**environment, "QT_API": api, "PYTHONPATH": path},
    )
    return (run.stdout.splitlines() or run.stderr.splitlines())[-1]


WHICH = "from blocking_request.qt.binding import API; print(API)"


def test_variable_names_the_binding() -> None:
    assert outcome(WHICH, API.lower()) == API
    assert outcome(WHICH, API.upper()) == API


def test_imported_binding_is_used() -> None:
    """Another one, too, would crash the process."""
    assert outcome(f"import {API}.QtCore\n{WHICH}", "pyside6" if API != "PySide6" else "pyqt5") == API


def test_unknown_binding() -> None:
    text = outcome(WHICH, "pyside2")
    assert "QT_API is 'pyside2'; blocking_request knows 'pyqt5', 'pyqt6', 'pyside6'" in text


def test_binding_that_is_not_installed() -> None:
    program = f"import sys\nfor name in ('PyQt5', 'PyQt6', 'PySide6'): sys.modules[name] = None\n{WHICH}"
    text = outcome(program)
    assert "blocking_request needs a Qt binding and found none (PyQt5: " in text and "PySide6: " in text
    assert "python3 -m pip install PyQt5 (or PyQt6, or PySide6)" in text
    text = outcome(program, "pyqt6")
    assert "QT_API is 'pyqt6', but blocking_request cannot import it (PyQt6: " in text
    assert "python3 -m pip install PyQt6" in text and "unset it" in text


@pytest.mark.parametrize("names", [("PyQt6", "PySide6"), ("PySide6", "PyQt6")])
def test_first_of_two_imported_bindings_is_used(names: tuple[str, str]) -> None:
    program = f"import sys, types\nfor name in {names}: sys.modules[name + '.QtCore'] = types.ModuleType(name)\n{WHICH}"
    text = outcome(f"import sys\nsys.modules['PyQt6'] = sys.modules['PySide6'] = None\n{program}")
    assert f"The program has imported {names[0]}, but blocking_request cannot import its QtNetwork" in text


@pytest.mark.parametrize("start", ["module", "script"])
def test_command_line_without_a_binding_shows_no_traceback(start: str, tmp_path: Path) -> None:
    for name in ("PyQt5", "PyQt6", "PySide6"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not installed')")
    script = tmp_path / "blocking-request"
    script.write_text("from blocking_request.__main__ import main\nmain()")
    run = subprocess.run(
        [sys.executable, *(["-m", "blocking_request"] if start == "module" else [str(script)]), "info"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "QT_API": "", "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
    )
    assert run.returncode == 1
    assert run.stderr.startswith("blocking_request needs a Qt binding and found none (PyQt5: not installed")
    assert "Traceback" not in run.stderr


def test_pyside2_is_refused() -> None:
    program = f"import sys, types\nsys.modules['PySide2.QtCore'] = types.ModuleType('PySide2.QtCore')\n{WHICH}"
    assert "already imported PySide2, and blocking_request works with PyQt5, PyQt6 and PySide6 only" in outcome(program)


@pytest.mark.parametrize(("version", "is_refused"), [("(6, 12, 0)", True), ("(6, 9, 3)", False)])
def test_pyside_that_crashes_on_old_pythons(version: str, is_refused: bool, tmp_path: Path) -> None:
    """PySide6 6.12 on Python 3.11: "Fatal Python error: none_dealloc" after some thousand calls."""
    package = tmp_path / "PySide6"
    package.mkdir()
    (package / "__init__.py").write_text(f"__version_info__ = {version}\n__version__ = 'of the test'\n")
    program = f"import sys\nsys.version_info, sys.modules['shiboken6'] = (3, 11, 7), None\n{WHICH}"
    text = outcome(program, "pyside6", str(tmp_path))
    assert ("counts references wrongly on Python 3.11 and older" in text) is is_refused
    assert ("'PySide6<6.10', or use Python 3.12 or newer" in text) is is_refused

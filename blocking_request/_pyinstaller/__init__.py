"""The hook of this package for PyInstaller, which finds it by the entry point ``pyinstaller40`` in setup.cfg."""

from __future__ import annotations

from pathlib import Path


def hook_directories() -> list[str]:
    """Return the folder of ``hook-blocking_request.py``."""
    return [str(Path(__file__).parent)]

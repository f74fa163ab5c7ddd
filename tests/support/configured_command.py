"""A configuration file, and command lines that read it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .names import ROOT


class Setup:
    """A configuration file, and the commands that read it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "config.toml"

    def write(self, text: str) -> None:
        self.path.write_text(text, "utf-8")

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "BLOCKING_REQUEST_CONFIG": str(self.path),
            "PYTHONPATH": str(ROOT),
            "PYTHON_KEYRING_BACKEND": "tests.support.file_keyring.FileKeyring",
            "FILE_KEYRING": str(self.folder / "keyring"),
            **options.pop("env", {}),
        }
        return subprocess.run(
            [sys.executable, "-m", "blocking_request", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
            cwd=self.folder,
            **options,
        )

    def fields(self, *arguments: str, **options: Any) -> dict[str, str]:
        """Run a command for a server that echoes the request. Return the header fields, with names in lower case."""
        result = self.run(*arguments, **options)
        assert result.returncode == 0, result.stderr
        lines = result.stdout.partition("\n\n")[0].splitlines()[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

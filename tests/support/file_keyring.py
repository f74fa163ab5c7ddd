"""A keyring in a file, for command lines that run in a process of their own.

``PYTHON_KEYRING_BACKEND=tests.support.file_keyring.FileKeyring``, and FILE_KEYRING names the file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Optional

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    """Keeps passwords in a JSON file."""

    priority = 1  # type: ignore[assignment]

    def _kept(self) -> dict[str, str]:
        path = Path(os.environ["FILE_KEYRING"])
        if path.is_dir():
            raise RuntimeError("the keyring is locked")
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def _keep(self, kept: dict[str, str]) -> None:
        Path(os.environ["FILE_KEYRING"]).write_text(json.dumps(kept))

    def get_password(self, service: str, username: str) -> Optional[str]:
        return self._kept().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._keep({**self._kept(), f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        kept = self._kept()
        del kept[f"{service} {username}"]
        self._keep(kept)

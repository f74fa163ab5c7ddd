"""SettingsHolder: holds the settings of a manager. Any thread may read and change them at any time."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, Callable

from ..prepare.settings import Settings


class SettingsHolder:
    """Base class of the manager. Every method may be called in any thread."""

    def __init__(self) -> None:
        self._settings = Settings()
        self._settings_guard = threading.Lock()

    def _change(self, **changes: Any) -> None:
        with self._settings_guard:
            self._settings = replace(self._settings, **changes)

    def _change_by(self, changes: Callable[[Settings], dict[str, Any]]) -> None:
        """Change settings depending on their present values. ``changes`` is called while the lock is held."""
        with self._settings_guard:
            self._settings = replace(self._settings, **changes(self._settings))


def settings_of(manager: SettingsHolder) -> Settings:
    """Return the present settings of a manager: a frozen value, which a call keeps until it ends."""
    return manager._settings


def change_settings(manager: SettingsHolder, **changes: Any) -> None:
    """Replace some of the settings of a manager."""
    manager._change(**changes)

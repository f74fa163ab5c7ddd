"""SettingsHolder: the settings of a manager, which any thread may read and change at any time."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, Callable

from ..prepare.settings import Settings


class SettingsHolder:
    """Base of the manager. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._settings = Settings()
        self._settings_guard = threading.Lock()

    def _change(self, **changes: Any) -> None:
        with self._settings_guard:
            self._settings = replace(self._settings, **changes)

    def _change_by(self, changes: Callable[[Settings], dict[str, Any]]) -> None:
        """Change settings by what they are now; ``changes`` is called under the lock."""
        with self._settings_guard:
            self._settings = replace(self._settings, **changes(self._settings))


def settings_of(manager: SettingsHolder) -> Settings:
    """The settings of a manager as they are now: a frozen value, which a call keeps to its end."""
    return manager._settings


def change_settings(manager: SettingsHolder, **changes: Any) -> None:
    """Replace some of the settings of a manager."""
    manager._change(**changes)

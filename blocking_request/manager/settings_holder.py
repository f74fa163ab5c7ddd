"""SettingsHolder: holds the settings of a manager. Any thread may read and change them at any time."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Optional

from .._first_use import first_use
from ..prepare.settings import Settings

if TYPE_CHECKING:
    from ..qgis.followed_settings import FollowedSettings


class SettingsHolder:
    """Base class of the manager. Every method may be called in any thread."""

    def __init__(self) -> None:
        self._own_settings = Settings()
        self._own_names: frozenset[str] = frozenset()
        """The settings that the program has set."""
        self._settings_guard = threading.Lock()
        self._may_follow_qgis = False
        """Whether QGIS's settings hold if the program has set none of its own, and is a running QGIS."""
        self._followed: Optional[FollowedSettings] = None
        """QGIS's settings, after they were first looked for in a running QGIS."""

    @property
    def _settings(self) -> Settings:
        if not self._may_follow_qgis:
            return self._own_settings
        self._read_qgis()
        return self._merged()

    def _read_qgis(self) -> None:
        if "qgis.core" not in sys.modules:
            return
        followed = self._followed
        if followed is None:
            with first_use:
                from ..qgis.followed_settings import FollowedSettings
            followed = self._followed = FollowedSettings()
        followed.read()

    def _merged(self) -> Settings:
        own, followed = self._own_settings, self._followed
        return own if followed is None else followed.merged_into(own, self._own_names)

    def _change(self, **changes: Any) -> None:
        with self._settings_guard:
            self._own_settings = replace(self._own_settings, **changes)
            self._own_names = self._own_names.union(changes)

    def _change_by(self, changes: Callable[[Settings], dict[str, Any]], *parts: str) -> None:
        """Change settings depending on their present values. ``changes`` is called while the lock is held.

        ``parts``: the parts of ``proxies`` that change, if it is that setting; the others go on to follow QGIS.
        """
        if self._may_follow_qgis:
            self._read_qgis()  # before the lock is taken
        with self._settings_guard:
            new = changes(self._merged())
            self._own_settings = replace(self._own_settings, **new)
            self._own_names = self._own_names.union(parts or new)


def settings_of(manager: SettingsHolder) -> Settings:
    """Return the present settings of a manager: a frozen value, which a call keeps until it ends."""
    return manager._settings


def follow_qgis(manager: SettingsHolder) -> None:
    """Have a manager follow the settings of QGIS, as soon as this program is a running QGIS."""
    manager._may_follow_qgis = True


def change_settings(manager: SettingsHolder, **changes: Any) -> None:
    """Replace some of the settings of a manager."""
    manager._change(**changes)

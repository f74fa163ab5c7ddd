"""SettingsHolder: holds the settings of a manager. Any thread may read and change them at any time."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from .._first_use import first_use
from ..models.redaction import hidden_repr
from ..prepare.settings import Settings

if TYPE_CHECKING:
    from ..qgis.followed_settings import FollowedSettings


class ProgramSettings(NamedTuple):
    """The settings that the program has made."""

    settings: Settings
    names: frozenset[str]
    """Those that it has set. The others have their defaults."""

    def __repr__(self) -> str:
        return hidden_repr(self)


class SettingsHolder:
    """Base class of the manager. Every method may be called in any thread."""

    def __init__(self) -> None:
        self._program_settings = ProgramSettings(Settings(), frozenset())
        """It is replaced as a whole, so that other threads never see a part of a change."""
        self._settings_guard = threading.RLock()
        """Reentrant, because the garbage collector may call a destructor of the program that changes a setting."""
        self._may_follow_qgis = False
        """Whether QGIS's settings stand in for those that the program has not set, in a running QGIS."""
        self._followed: Optional[FollowedSettings] = None
        """QGIS's settings, after they were first looked for in a running QGIS."""
        _holders.add(self)

    @property
    def _settings(self) -> Settings:
        if not self._may_follow_qgis:
            return self._program_settings.settings
        self._read_qgis()
        return self._merged()

    def _read_qgis(self) -> None:
        if "qgis.core" not in sys.modules:
            return
        if self._followed is None:
            with first_use:
                from ..qgis.followed_settings import FollowedSettings
            new = FollowedSettings()
            new.read()  # before another thread can use it
            with self._settings_guard:
                self._followed = self._followed or new
        self._followed.read()

    def _merged(self) -> Settings:
        own, followed = self._program_settings, self._followed
        return own.settings if followed is None else followed.merged_into(own)

    def _change(self, **changes: Any) -> None:
        self._change_by(lambda settings: changes)

    def _change_by(self, changes: Callable[[Settings], dict[str, Any]], *parts: str) -> None:
        """Change settings depending on their present values. ``changes`` is called while the lock is held.

        ``parts``: the parts of ``proxies`` that change, if it is that setting; the others go on to follow QGIS.
        """
        if self._may_follow_qgis:
            self._read_qgis()  # before the lock is taken
        with self._settings_guard:
            old = self._program_settings
            new = changes(self._merged())
            self._program_settings = ProgramSettings(replace(old.settings, **new), old.names.union(parts or new))
        # The old values are released here, after the lock: a destructor of the program may wait for another thread.
        del old


_holders: weakref.WeakSet[SettingsHolder] = weakref.WeakSet()


def _replace_locks_after_fork() -> None:
    """In a forked child, a thread of the parent that held a lock does not exist."""
    for holder in _holders:
        holder._settings_guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_locks_after_fork)


def settings_of(manager: SettingsHolder) -> Settings:
    """Return the present settings of a manager: a frozen value, which a call keeps until it ends."""
    return manager._settings


def follow_qgis(manager: SettingsHolder) -> None:
    """Have a manager follow the settings of QGIS, as soon as this program is a running QGIS."""
    manager._may_follow_qgis = True


def change_settings_by(manager: SettingsHolder, changes: Callable[[Settings], dict[str, Any]]) -> None:
    """Replace some of the settings of a manager depending on their present values. The lock is held meanwhile."""
    manager._change_by(changes)


def change_settings(manager: SettingsHolder, **changes: Any) -> None:
    """Replace some of the settings of a manager."""
    manager._change(**changes)

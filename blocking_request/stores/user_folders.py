"""The folders of this package among those of the user."""

from __future__ import annotations

from pathlib import Path

from ..qt.binding import QtCore

_NAME = "blocking-request"


def user_folder(kind: str) -> Path:
    """Return the folder, which need not exist. ``kind``: "cache" or "config".

    Raises RuntimeError if the user has no home folder.
    """
    is_cache = kind == "cache"
    try:
        from platformdirs import user_cache_path, user_config_path
    except ImportError:  # for example in QGIS; Qt names the same folders
        locations = QtCore.QStandardPaths.StandardLocation
        location = locations.GenericCacheLocation if is_cache else locations.GenericConfigLocation
        return Path(QtCore.QStandardPaths.writableLocation(location)) / _NAME
    return user_cache_path(_NAME, appauthor=False) if is_cache else user_config_path(_NAME, appauthor=False)

"""The default folder of an application's cache."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ...qt.binding import QtCore

FOLDER = "blocking-request"
_NOT_IN_A_NAME = re.compile(r"[^\w.-]+")


def default_folder(application: str = "") -> Path:
    """Return the folder of an application, in the folder of the user's caches."""
    return _user_caches() / (_file_name(application) or _file_name(_application()) or "python")


def _user_caches() -> Path:
    try:
        from platformdirs import user_cache_path
    except ImportError:  # for example in QGIS; Qt names the same folder
        location = QtCore.QStandardPaths.StandardLocation.GenericCacheLocation
        return Path(QtCore.QStandardPaths.writableLocation(location)) / FOLDER
    return user_cache_path(FOLDER, appauthor=False)


def _application() -> str:
    # Without an application Qt has no name for it.
    return QtCore.QCoreApplication.applicationName() or Path(sys.argv[0] if sys.argv else "").stem


def _file_name(text: str) -> str:
    return _NOT_IN_A_NAME.sub("-", text).strip("-.")

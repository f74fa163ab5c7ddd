"""The default folder of an application's cache."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ...qt.binding import QtCore
from ..user_folders import user_folder

_NOT_IN_A_NAME = re.compile(r"[^\w.-]+")


def default_folder(application: str = "") -> Path:
    """Return the folder of an application, in the folder of the user's caches."""
    return user_folder("cache") / (_file_name(application) or _file_name(_application()) or "python")


def _application() -> str:
    # Without an application Qt has no name for it.
    return QtCore.QCoreApplication.applicationName() or Path(sys.argv[0] if sys.argv else "").stem


def _file_name(text: str) -> str:
    return _NOT_IN_A_NAME.sub("-", text).strip("-.")

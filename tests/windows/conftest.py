"""Tests of widgets, with pytest-qt. They need a QApplication, and the other tests have a QCoreApplication.

So they run in a process of their own: ``tests/netlog/test_monitor.py`` starts it, and so does
``python -m pytest tests/windows``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from blocking_request.models.har import HarEntry
from blocking_request.models.timings import Timings
from blocking_request.netlog import NetworkLog
from blocking_request.netlog.har_records import record_of
from blocking_request.netlog.log import ring_of
from blocking_request.qt.binding import API
from blocking_request.qt.widgets import QtGui, QtWidgets

os.environ["PYTEST_QT_API"] = API.lower()


@pytest.fixture(scope="session", autouse=True)
def app() -> QtWidgets.QApplication:
    """Take the place of the QCoreApplication of the other tests."""
    made = QtWidgets.QApplication([])
    made.setStyle("Fusion")
    return made


@pytest.fixture
def log() -> Iterator[NetworkLog]:
    """A log of all managers."""
    with NetworkLog() as made:
        yield made


AddCall = Callable[..., None]


@pytest.fixture
def add(log: NetworkLog) -> AddCall:
    """Add a call that has ended to the log."""
    count = 0

    def add_call(
        url: str = "",
        *,
        method: str = "GET",
        status: int = 200,
        body: Optional[bytes] = b"body",
        content_type: str = "text/plain",
        started: float = 0.0,
        seconds: float = 0.5,
        timings: Timings = Timings(),  # noqa: B008
        **more: Any,
    ) -> None:
        nonlocal count
        count += 1
        headers = ((b"Content-Type", content_type.encode()),)
        entry = HarEntry(
            method,
            url or f"http://h/{count}",
            started or 1000.0 + count,
            seconds,
            status=status,
            response_headers=headers,
            response_body=body,
            timings=timings,
            **more,
        )
        ring_of(log).add(record_of(entry))

    return add_call


def dark_palette() -> QtGui.QPalette:
    palette = QtGui.QPalette()
    role = QtGui.QPalette.ColorRole
    for name, color in (
        *(("Window", "#353535"), ("WindowText", "#ffffff"), ("Base", "#232323"), ("AlternateBase", "#353535")),
        *(("Text", "#ffffff"), ("Button", "#353535"), ("ButtonText", "#ffffff"), ("Highlight", "#2a82da")),
        *(("HighlightedText", "#000000"), ("ToolTipBase", "#232323"), ("ToolTipText", "#ffffff")),
    ):
        palette.setColor(getattr(role, name), QtGui.QColor(color))
    return palette


PICTURES = Path(os.environ["BLOCKING_REQUEST_PICTURES"]) if "BLOCKING_REQUEST_PICTURES" in os.environ else None
"""A folder for the pictures of the tests, to look at."""

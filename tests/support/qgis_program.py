"""Programs that run inside QGIS, if it is installed for the system's Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .names import ROOT

SYSTEM_PYTHON = "/usr/bin/python3"

BEGIN = """
import os, sys, threading, time
from qgis.core import *
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkRequest
from blocking_request import BlockingNetworkRequest, NetworkAccessManager
app = QgsApplication([], False)
app.initQgis()
"""
STORE_CONFIG = """
auth = QgsApplication.authManager()
assert auth.setMasterPassword("master", True)
config = QgsAuthMethodConfig("Basic")
config.setName("mine")
config.setConfig("username", "user")
config.setConfig("password", "secret")
assert auth.storeAuthenticationConfig(config)
"""
"""Stores credentials in QGIS's authentication database. Their id is ``config.id()``."""

END = """
sys.stdout.flush()
os._exit(0)
"""


def has_qgis() -> bool:
    command = [SYSTEM_PYTHON, "-c", "import qgis.core"]
    return Path(SYSTEM_PYTHON).exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_qgis = pytest.mark.skipif(
    sys.platform != "linux" or not has_qgis(), reason="QGIS is not installed for the system's Python"
)


def run(program: str, *arguments: str, folder: Path, **environment: str) -> list[str]:
    """The lines a program of the system's Python prints."""
    process = subprocess.run(
        [SYSTEM_PYTHON, "-X", "faulthandler", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env={"PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen", "HOME": str(folder), **environment},
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout.splitlines()

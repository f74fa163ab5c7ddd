"""A program frozen by PyInstaller. If the environment has several Qt bindings, only one is included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import blocking_request
from blocking_request.qt.binding import API, has_tls

from ..support.names import ROOT, Serve
from ..support.servers.raw import always

PROGRAM = f"""
import os, pickle, sys
from {API}.QtCore import QCoreApplication
import blocking_request
from blocking_request.__main__ import main
from blocking_request.qt.binding import API, has_tls
import certifi

if len(sys.argv) > 2:
    main()
app = QCoreApplication([])
blocking = blocking_request.BlockingNetworkRequest()
for engine in ("qt", "python"):
    blocking.setEngine(engine)
    print(blocking.get(sys.argv[1]).name, blocking.reply().engine(), blocking.errorMessage())
print(pickle.loads(pickle.dumps(blocking.reply())) == blocking.reply())
print(all(getattr(blocking_request, name) for name in blocking_request.__all__))
print(blocking_request.__version__, API, has_tls(), os.path.exists(certifi.where()))
"""


def run(*command: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done.stdout


def test_frozen_program(tmp_path: Path, serve: Serve) -> None:
    """Sends requests, because a missing module is noticed only when the first request needs it."""
    pytest.importorskip("PyInstaller", reason="tox installs PyInstaller into the environments with PyQt6 only")
    (tmp_path / "app.py").write_text(PROGRAM)
    hooks = Path(blocking_request.__file__).parent / "_pyinstaller"
    run(
        *(sys.executable, "-m", "PyInstaller", "--onedir", "--noconfirm", "--log-level=ERROR"),
        *("--additional-hooks-dir", str(hooks), "app.py"),
        cwd=tmp_path,
    )
    app = str(tmp_path / "dist" / "app" / "app")
    url = serve(always(b"hello")).url
    assert run(app, url, cwd=tmp_path).splitlines() == [
        "NoError qt ",
        "NoError python ",
        "True",
        "True",
        f"{blocking_request.__version__} {API} {has_tls()} True",
    ]
    assert run(app, "get", url, cwd=tmp_path) == "hello"

"""Draw the pictures of the documentation again: python docs/pictures/draw.py demo window monitor [FOLDER].

- ``demo``: the output of ``blocking-request demo`` as demo.svg.
- ``window``: the window of examples/download_window.py, at 62 % of a download, as download_window.png.
- ``monitor``: the window of examples/network_monitor.py, after its downloads, as network_monitor.png. It makes the
  picture itself.

They send requests to a server on loopback only. The pictures are written beside this file, or into FOLDER.
benchmarks.svg is drawn by ``python -m benchmarks.plot``.
"""

from __future__ import annotations

import io
import os
import re
import runpy
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PERCENT = 62


def draw_demo(folder: Path) -> None:
    import rich.console

    from blocking_request.cli.demo import report
    from blocking_request.qt.binding import QtCore

    application = QtCore.QCoreApplication(sys.argv[:1])  # as the command has

    console = rich.console.Console(record=True, width=80, file=io.StringIO())
    with patch("rich.console.Console", return_value=console):
        if report.show_demo():
            sys.exit("a promise of the demo was not kept")
    del application
    picture = console.export_svg(
        title="python3 -m pip install '.[pyqt5,cli]' && blocking-request demo", unique_id="demo"
    )
    # The picture must look the same without a network: rich names fonts of a web server.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    lines = (line.rstrip() for line in picture.replace("Fira Code", "DejaVu Sans Mono").splitlines())
    (folder / "demo.svg").write_text("\n".join(filter(None, lines)) + "\n", "utf-8")


class HalfABody(BaseHTTPRequestHandler):
    """Sends a part of the body, and then nothing until the client closes the connection."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * PERCENT * 1000)
        self.rfile.read(1)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def draw_window(folder: Path) -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QT_SCALE_FACTOR", "2")
    from blocking_request.qt.binding import API

    widgets = __import__(f"{API}.QtWidgets", fromlist=["QApplication"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), HalfABody)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def grab(*_: Any) -> None:
        """Take the place of ``exec``: process events until the bar has its value, and grab the window."""
        window = widgets.QApplication.topLevelWidgets()[0]
        window.resize(320, window.sizeHint().height())
        bar = window.findChild(widgets.QProgressBar)
        while bar.value() < PERCENT:
            widgets.QApplication.processEvents()
        window.grab().save(str(folder / "download_window.png"))
        window.close()

    example = (ROOT / "examples/download_window.py").read_text("utf-8").replace("PyQt5", API)
    with tempfile.TemporaryDirectory() as scratch, patch.object(widgets.QApplication, "exec", grab):
        program = Path(scratch, "download_window.py")
        program.write_text(example, "utf-8")
        url = f"http://127.0.0.1:{server.server_port}/"
        with patch.object(sys, "argv", [str(program), url, str(Path(scratch, "download.bin"))]):
            runpy.run_path(str(program), run_name="__main__")
    server.shutdown()
    server.server_close()


def draw_monitor(folder: Path) -> None:
    from blocking_request.qt.binding import API

    settings = {"QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": "2", "QT_FONT_DPI": "96"}
    example = (ROOT / "examples/network_monitor.py").read_text("utf-8").replace("PyQt5", API)
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch, "network_monitor.py")
        program.write_text(example, "utf-8")
        command = [sys.executable, str(program), "--picture", str((folder / "network_monitor.png").resolve())]
        subprocess.run(command, check=True, env={**settings, **os.environ, "PYTHONPATH": str(ROOT)})


PICTURES = {"demo": draw_demo, "window": draw_window, "monitor": draw_monitor}


def main() -> None:
    names = [name for name in sys.argv[1:] if name in PICTURES]
    folders = [Path(name) for name in sys.argv[1:] if name not in PICTURES]
    if not names or len(folders) > 1:
        sys.exit(__doc__)
    if len(names) == 1:
        PICTURES[names[0]](folders[0] if folders else HERE)
        return
    for name in names:  # a process for each, because each needs an application of its own kind
        subprocess.run([sys.executable, __file__, name, *folders], check=True)


if __name__ == "__main__":
    main()

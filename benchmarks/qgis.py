"""A warm GET of 1 KB beside QGIS's own class, from the main thread. Needs Debian's python3-qgis.

Runs itself with the system's Python, where the bindings of QGIS are; says so where they are not.
"""

import os
import subprocess
import sys
from pathlib import Path

from .measure import bound, finish, medians, show
from .nginx import nginx

SYSTEM_PYTHON = "/usr/bin/python3"
CALLS = 50
ROUNDS = 9


def compare() -> None:
    from qgis.core import QgsApplication, QgsBlockingNetworkRequest
    from qgis.PyQt.QtCore import QUrl
    from qgis.PyQt.QtNetwork import QNetworkRequest

    from blocking_request import BlockingNetworkRequest

    app = QgsApplication([], False)
    app.initQgis()
    with nginx(1024) as (server, _):
        request = QNetworkRequest(QUrl(f"{server}/1024"))

        def ours() -> None:
            for _ in range(CALLS):
                blocking = BlockingNetworkRequest()
                assert blocking.get(request, True) == 0 and len(blocking.reply().content()) == 1024

        def qgis() -> None:
            for _ in range(CALLS):
                blocking = QgsBlockingNetworkRequest()
                assert blocking.get(request, True) == 0 and len(blocking.reply().content()) == 1024

        took = medians({"blocking_request": ours, "QgsBlockingNetworkRequest": qgis}, ROUNDS)
    show("warm GET of 1 KB", "us", {name: seconds / CALLS * 1e6 for name, seconds in took.items()})
    bound("of QGIS's time", took["blocking_request"] / took["QgsBlockingNetworkRequest"], 0.4)
    sys.stdout.flush()
    try:
        finish()
    except SystemExit as end:
        # QGIS 3.22 may crash when the interpreter takes it down.
        os._exit(int(end.code or 0))


def main() -> None:
    if "--here" in sys.argv:
        compare()
        return
    probe = subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], capture_output=True, check=False)
    if probe.returncode != 0:
        print("python3-qgis is not installed; nothing to compare with (apt-get install python3-qgis)")
        return
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(Path(__file__).parent.parent)}
    sys.exit(
        subprocess.run([SYSTEM_PYTHON, "-m", "benchmarks.qgis", "--here"], env=environment, check=False).returncode
    )


if __name__ == "__main__":
    main()

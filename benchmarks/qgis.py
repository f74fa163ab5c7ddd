"""A warm GET of 1 KB beside QGIS's own class, over http and https, from the main thread. Needs Debian's python3-qgis.

Runs itself with the system's Python, where the bindings of QGIS are; says so where they are not.
"""

import os
import subprocess
import sys
from pathlib import Path

from .measure import bound, finish, medians, show
from .nginx import CA_FILE, nginx

SYSTEM_PYTHON = "/usr/bin/python3"
CALLS = 50
ROUNDS = 9
BOUNDS = {"http": 0.4, "https": 0.15}


def compare(server: str, ca: str) -> None:
    from qgis.core import QgsApplication, QgsBlockingNetworkRequest
    from qgis.PyQt.QtCore import QUrl
    from qgis.PyQt.QtNetwork import QNetworkRequest, QSslCertificate

    from blocking_request import BlockingNetworkRequest

    app = QgsApplication([], False)
    app.initQgis()
    request = QNetworkRequest(QUrl(f"{server}/1024"))

    configuration = request.sslConfiguration()
    configuration.addCaCertificates(QSslCertificate.fromPath(ca))
    request.setSslConfiguration(configuration)

    def ours() -> None:
        for _ in range(CALLS):
            blocking = BlockingNetworkRequest()
            assert blocking.get(request, True) == 0, blocking.errorMessage()
            assert len(blocking.reply().content()) == 1024

    def qgis() -> None:
        for _ in range(CALLS):
            blocking = QgsBlockingNetworkRequest()
            assert blocking.get(request, True) == 0 and len(blocking.reply().content()) == 1024

    took = medians({"blocking_request": ours, "QgsBlockingNetworkRequest": qgis}, ROUNDS)
    scheme = server.partition(":")[0]
    show(f"warm {scheme} GET of 1 KB", "us", {name: seconds / CALLS * 1e6 for name, seconds in took.items()})
    bound("of QGIS's time", took["blocking_request"] / took["QgsBlockingNetworkRequest"], BOUNDS[scheme])
    sys.stdout.flush()
    try:
        finish()
    except SystemExit as end:
        # QGIS 3.22 may crash when the interpreter takes it down.
        os._exit(int(end.code or 0))


def main() -> None:
    if "--here" in sys.argv:
        compare(*sys.argv[-2:])
        return
    probe = subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], capture_output=True, check=False)
    if probe.returncode != 0:
        print("python3-qgis is not installed; nothing to compare with (apt-get install python3-qgis)")
        return
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [SYSTEM_PYTHON, "-m", "benchmarks.qgis", "--here"]
    missed = 0
    for tls in (False, True):
        with nginx(1024, tls=tls) as (server, folder):
            ca = str(folder / CA_FILE)
            missed |= subprocess.run([*command, server, ca], env=environment, check=False).returncode
    sys.exit(missed)


if __name__ == "__main__":
    main()

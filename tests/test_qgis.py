"""Inside QGIS, where one is installed for the system's Python, with the libraries that it ships."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from .servers.tls import TlsServer

SYSTEM_PYTHON = "/usr/bin/python3"
ROOT = Path(__file__).parent.parent

PROGRAM = """
import sys
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkRequest, QSslCertificate
from blocking_request import BlockingNetworkRequest
app = QgsApplication([], False)
app.initQgis()
request = QNetworkRequest(QUrl(sys.argv[1]))
blocking = BlockingNetworkRequest()
for engine in ("qt", "urllib3"):
    blocking.setEngine(engine)
    print(blocking.get(request).name, blocking.errorMessage().partition(":")[0])
configuration = request.sslConfiguration()
configuration.addCaCertificates(QSslCertificate.fromPath(sys.argv[2]))
request.setSslConfiguration(configuration)
for engine in ("qt", "urllib3"):
    blocking.setEngine(engine)
    print(blocking.get(request).name, blocking.reply().text(), blocking.reply().sessionProtocol())
sys.stdout.flush()
import os
os._exit(0)  # QGIS 3.22 may crash when the interpreter takes it down
"""


def has_qgis() -> bool:
    command = [SYSTEM_PYTHON, "-c", "import qgis.core"]
    return Path(SYSTEM_PYTHON).exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(sys.platform != "linux" or not has_qgis(), reason="QGIS is not installed for the system's Python")
def test_both_wires_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    run = subprocess.run(
        [SYSTEM_PYTHON, "-c", PROGRAM, server.url, str(tmp_path / "ca.pem")],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path)},
        check=False,
    )
    server.close()
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["NetworkError SSL handshake failed"] * 2 + ["NoError secret TLSv1.3"] * 2, (
        run.stderr
    )

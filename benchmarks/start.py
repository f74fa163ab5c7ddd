"""The start of a process: the import, and the first GET, beside requests. Each figure is of a process of its own.

Qt is imported before, as a program with a GUI has it; PyQt6 has then made its enums, which takes 14 ms when the first
one is asked for. What is imported is compiled: the first round is not counted. Much is imported here when it is first
used, so the two together are shown as well, and the first GET over https.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from blocking_request.qt.binding import API

from .measure import bound, finish, show
from .nginx import CA_FILE, nginx

ROUNDS = 15

IMPORT_BOUND = 1.0
FIRST_GET_BOUND = 3.0
"""Of the time of requests, on PyQt5. PyQt6 makes all enums of QLocale in the first request, which takes 5 ms."""

PROGRAM = """
import json, sys, time
from {api} import QtCore, QtNetwork
name, url, ca = sys.argv[1:]
app = QtCore.QCoreApplication([])
QtCore.Qt.ConnectionType
started = time.perf_counter()
if name == "requests":
    import requests
    imported = time.perf_counter()
    assert len(requests.get(url, verify=ca or True).content) == 1024
else:
    from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
    imported = time.perf_counter()
    manager = NetworkAccessManager.instance()
    manager.setEngine(name)
    if ca:
        manager.setTlsSettings(TlsSettings(caFile=ca))
    request = BlockingNetworkRequest()
    assert request.get(url) == 0 and len(request.reply().body) == 1024, request.errorMessage()
ended = time.perf_counter()
print(json.dumps([imported - started, ended - imported]))
"""


def run(name: str, url: str, ca: str, folder: str) -> list[float]:
    """Return the seconds of the import and of the first GET."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = folder
    command = [sys.executable, "-c", PROGRAM.format(api=API), name, url, ca]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    return list(json.loads(done.stdout))


def compare(scheme: str, url: str, ca: str, names: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        seconds: dict[str, list[list[float]]] = {name: [] for name in names}
        for place in range(ROUNDS + 1):
            for name in names:
                taken = run(name, url, ca, folder)
                if place:
                    seconds[name].append(taken)
    medians = {name: [statistics.median(each) for each in zip(*taken)] for name, taken in seconds.items()}
    both = {name: statistics.median(map(sum, taken)) for name, taken in seconds.items()}
    imports, firsts = ({name: taken[place] for name, taken in medians.items()} for place in range(2))
    for what, figures in (("import", imports), ("first GET", firsts), ("both", both)):
        show(f"{what}, {scheme}, {API}", "ms", {name: value * 1000 for name, value in figures.items()})
    if scheme == "http" and API == "PyQt5":
        bound("import, of requests'", imports["python"] / imports["requests"], IMPORT_BOUND)
        bound("first GET on python, of requests'", firsts["python"] / firsts["requests"], FIRST_GET_BOUND)


def main() -> None:
    with nginx(1024) as (server, _):
        compare("http", f"{server}/1024", "", ("python", "auto", "requests"))
    with nginx(1024, tls=True) as (server, folder):
        compare("https", f"{server}/1024", str(folder / CA_FILE), ("python", "requests"))
    finish()


if __name__ == "__main__":
    main()

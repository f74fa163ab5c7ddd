"""Programs whose threads meet at a bad moment, as on a busy machine. No program crashes."""

from __future__ import annotations

import subprocess
import sys

from ..support.names import ROOT


def output(program: str) -> str:
    """Return the text that a program prints."""
    command = [sys.executable, "-X", "faulthandler", "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_calls_make_no_class_of_qt() -> None:
    """PySide6 makes a class at its first use, and crashes if two threads do so at once: two network threads, say."""
    program = """
import time
import trustme
from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.qt.binding import QtCore, QtNetwork, has_tls
from tests.support.servers.raw import RawServer
from tests.support.servers.tls import TlsServer


def classes():
    pairs = [pair for module in (QtCore, QtNetwork) for pair in list(vars(module).items())]
    return {name for name, value in pairs if isinstance(value, type) and name.startswith("Q")}


def slowly(connection):
    while connection.read_request() is not None:
        connection.send(b"HTTP/1.1 200 OK\\r\\nSet-Cookie: a=b\\r\\nContent-Length: 2\\r\\n\\r\\n1")
        time.sleep(0.03)  # a timer of the network thread fires in the meantime
        connection.send(b"2")


before = classes()
app = QtCore.QCoreApplication([])
authority = trustme.CA()
urls = [RawServer(slowly).url]
if has_tls():
    urls.append(TlsServer(authority.issue_cert("127.0.0.1"), slowly).url)
for url in urls:
    for trusted in (None, authority.cert_pem.bytes()):
        manager = NetworkAccessManager()
        manager.setEngine("qt")
        manager.setTlsSettings(TlsSettings(caData=trusted))
        blocking = BlockingNetworkRequest(manager)
        for signal in (blocking.metaDataChanged, blocking.encrypted, blocking.downloadProgress):
            signal.connect(lambda *values: None)
        codes = [blocking.get(url), blocking.head(url), blocking.post(url, b"body"), blocking.deleteResource(url)]
        if codes[0].name == "NoError":
            with blocking.stream(url) as pieces:
                print(*[code.name for code in codes], b"".join(pieces))
print(sorted(classes() - before))
"""
    lines = output(program).splitlines()
    assert lines[-1] == "[]"
    assert "NoError NoError NoError NoError b'12'" in lines[:-1]


def test_worker_is_woken_while_it_ends() -> None:
    """An aborted request wakes its worker, which may end at this moment. Its objects must not be deleted before."""
    program = """
import sys, threading, time
from blocking_request.engines.qt.engine import QtEngine
from blocking_request.engines.qt.manager import WorkerKey
from blocking_request.qt.binding import QtCore

app = QtCore.QCoreApplication([])
sys.setswitchinterval(1e-5)
engine, workers, ended = QtEngine(), [], []
end = time.monotonic() + 2


def disturb():
    while time.monotonic() < end:
        for worker in workers[-1:]:
            worker.wake()
            if worker.retired:
                worker.stop()


threads = [threading.Thread(target=disturb) for _ in range(2)]
for thread in threads:
    thread.start()
while time.monotonic() < end:
    worker, _ = engine._reserve("http://h", WorkerKey(), 6)
    engine._start_thread(worker)
    workers[:] = [worker]
    while worker.dispatcher is None:
        time.sleep(0)
    engine.retire(worker)
    worker.stop()
    while not worker.ended:
        time.sleep(0)
    ended.append(worker)
for thread in threads:
    thread.join()
engine.shutdown()
print(len(ended) > 0, {worker.thread for worker in ended})
"""
    assert output(program) == "True {None}\n"


def test_threads_release_objects_at_once() -> None:
    """Two workers that start do so. Symptom on PySide6: a request fails with a ValueError."""
    program = """
import sys, threading, time
from blocking_request.qt.binding import QtCore, delete
from blocking_request.qt.objects import release_ownership

sys.setswitchinterval(1e-6)
end, met = time.monotonic() + 1, []


def release():
    try:
        while time.monotonic() < end:
            released = QtCore.QObject()
            release_ownership(released)
            delete(released)
    except Exception as error:
        met.append(error)


threads = [threading.Thread(target=release) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(met)
"""
    assert output(program) == "[]\n"

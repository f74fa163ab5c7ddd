"""Which modules the package imports, and when: a program must not wait for modules that it does not use."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import blocking_request
from blocking_request.qt.binding import API

from ..support.marks import needs_fork
from ..support.names import ROOT, Serve
from ..support.servers.raw import always

LOADED_LATER = (
    *("requests", "urllib3", "sqlite3", "ssl", "hashlib", "email", "http.client", "http.cookiejar", "h2", "certifi"),
    *("tempfile", "json", "uuid", "ctypes", "truststore", "click", "rich", "encodings.idna"),
    "blocking_request._pickled",
    "blocking_request.batch",
    "blocking_request.bodies.file_sink",
    "blocking_request.bodies.multipart",
    "blocking_request.cli",
    "blocking_request.engines.python.http2",
    "blocking_request.engines.python.tls",
    "blocking_request.flows.auth",
    "blocking_request.flows.cache.flow",
    "blocking_request.flows.retry",
    "blocking_request.manager.portable",
    "blocking_request.qgis",
    "blocking_request.qhttp",
    "blocking_request.requests_adapter",
    "blocking_request.stores.cache",
    "blocking_request.stores.cookie_jar",
)


def run(program: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


IMPORT = f"""
import sys
from {API} import QtCore, QtNetwork
before = set(sys.modules)
import blocking_request
print(*(set(sys.modules) - before))
"""


def test_import_loads_only_modules_that_each_request_needs() -> None:
    (line,) = run(IMPORT)
    loaded = line.split()
    assert "blocking_request.engines.python.engine" in loaded and "blocking_request.engines.qt.engine" in loaded
    assert not [name for name in loaded for later in LOADED_LATER if name == later or name.startswith(f"{later}.")]


FIRST_GET = f"""
import sys
from {API} import QtCore, QtNetwork
from blocking_request import BlockingNetworkRequest
app = QtCore.QCoreApplication([])
request = BlockingNetworkRequest()
request.setEngine(sys.argv[2])
before = set(sys.modules)
print(request.get(sys.argv[1]).name, *(set(sys.modules) - before))
"""


def test_first_get_imports_nothing(engine: str, serve: Serve) -> None:
    """An import during a call takes time. It also holds a module's lock, which a fork would copy in its locked state."""
    url = serve(always(b"body")).url
    assert run(FIRST_GET, url, engine) == ["NoError"]
    if engine == "python":  # with a name look-up, which runs in a thread of its own
        assert run(FIRST_GET, url.replace("127.0.0.1", "localhost"), engine) == ["NoError"]


EVERY_NAME = """
import threading
import blocking_request
names, found = list(blocking_request.__all__), []
threads = [
    threading.Thread(target=lambda: found.append([getattr(blocking_request, name) for name in names]))
    for _ in range(8)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
from blocking_request import *
print(len(found), all(each == found[0] for each in found), found[0] == [globals()[name] for name in names])
"""


def test_names_can_be_loaded_in_any_thread() -> None:
    assert run(EVERY_NAME) == ["8 True True"]


def test_dir_lists_names_that_are_loaded_later() -> None:
    assert set(blocking_request.__all__) <= set(dir(blocking_request))
    with pytest.raises(AttributeError, match="module 'blocking_request' has no attribute 'BlockingRequest'"):
        blocking_request.BlockingRequest
    with pytest.raises(ImportError):
        from blocking_request import BlockingRequest  # type: ignore[attr-defined]  # noqa: F401


OTHER_BINDING = f"""
import sys, types, warnings
from blocking_request import BlockingNetworkRequest
from {API} import QtCore

class QCoreApplication:
    instance = staticmethod(lambda: sys.argv[1] == "with application" or None)

other = sys.modules[sys.argv[2] + ".QtCore"] = types.ModuleType("QtCore")
other.QCoreApplication = QCoreApplication
if sys.argv[3] == "with ours":
    app = QtCore.QCoreApplication([])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    BlockingNetworkRequest()
print(*(f"{{each.category.__name__}}: {{each.message}}" for each in caught))
"""


FOREIGN_OBJECT = f"""
import sys
if sys.argv[1] == "imported by the program":
    from {API} import QtCore
from blocking_request import BlockingNetworkRequest
foreign = type("QUrl", (), {{"__module__": sys.argv[2] + ".QtCore"}})
try:
    BlockingNetworkRequest().get(foreign())
except TypeError as error:
    print(error)
"""


def test_advice_for_an_object_of_another_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    """QT_API and the order of the imports count only if the program has not imported this binding first."""
    monkeypatch.setenv("QT_API", API.lower())
    other = "PyQt5" if API == "PyQt6" else "PyQt6"
    (line,) = run(FOREIGN_OBJECT, "imported by the program", other)
    words = f"{other}.QtCore.QUrl, which belongs to {other} while blocking_request uses {API}"
    assert line.endswith(f"{words}, which this program imported first: give an object of {API}")
    (line,) = run(FOREIGN_OBJECT, "chosen by the package", other)
    assert line.endswith(f"{words}: import {other} before blocking_request, or set QT_API={other.lower()}")
    (line,) = run(FOREIGN_OBJECT, "chosen by the package", "PySide2")  # which blocking_request cannot use
    assert line.endswith(f"which belongs to PySide2 while blocking_request uses {API}: give an object of {API}")


def test_warning_if_the_program_has_imported_two_bindings() -> None:
    other = "PyQt5" if API == "PyQt6" else "PyQt6"
    program = f"from {API} import QtCore\n{OTHER_BINDING}"
    (line,) = run(program, "with application", other, "alone")
    words = f"This program uses {other}, but blocking_request uses {API}, which this program imported before {other}"
    assert line.startswith(f"RuntimeWarning: {words}")
    assert line.endswith(f"Signals do not reach slots of {other}: do not import {API}, or use {API} only")


def test_warning_if_the_program_uses_another_binding() -> None:
    """It was imported after this package, so no signal reaches its slots."""
    other = "PyQt5" if API == "PyQt6" else "PyQt6"
    (line,) = run(OTHER_BINDING, "with application", other, "alone")
    assert line.startswith(f"RuntimeWarning: This program uses {other}, but blocking_request uses {API}")
    assert line.endswith(f"import {other} before blocking_request, or set QT_API={other.lower()}")
    assert run(OTHER_BINDING, "without application", other, "alone") == [""]
    assert run(OTHER_BINDING, "with application", other, "with ours") == [""]


FORK = """
import os, signal, sys, threading
from blocking_request._first_use import first_use
sys.path.insert(0, sys.argv[1])

def load():
    with first_use:
        import slow_to_import

thread = threading.Thread(target=load)
thread.start()
while "slow_to_import" not in sys.modules:
    pass
child = os.fork()
if child == 0:
    signal.alarm(10)
    load()
    os._exit(7)
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_fork
def test_fork_waits_for_imports(tmp_path: Path) -> None:
    """Otherwise the lock of the module would stay locked in the child."""
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.5)\n")
    assert run(FORK, str(tmp_path)) == ["7"]


def test_modules_that_are_loaded_later_work_together(serve: Serve) -> None:
    """Modules that are imported at their first use: batch, cache, retry and cookies in one call, in a thread."""
    url = serve(always(b"body", headers="Set-Cookie: a=b\r\nCache-Control: max-age=9\r\n")).url
    codes: list[blocking_request.ErrorCode] = []

    def work() -> None:
        manager = blocking_request.NetworkAccessManager()
        manager.setEngine("python")
        manager.setCache(blocking_request.NetworkMemoryCache())
        manager.setRetry(2)
        codes.extend(result.code for result in manager.getMany([url] * 2))
        assert len(manager.cookieJar()) == 1

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert codes == [blocking_request.ErrorCode.NoError] * 2

"""A plugin with its own copy of the package: it is reloaded, beside another one; and a task."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest

from ..support.names import ROOT, Serve
from ..support.qgis_program import BEGIN, END, needs_qgis, run
from ..support.servers.raw import always, silence

PLUGIN = """
from .blocking_request import (
    BatchRequest,
    BlockingNetworkRequest,
    CookieJar,
    NetworkAccessManager,
    NetworkMemoryCache,
    requests_session,
)


class Plugin:
    def initGui(self):
        pass

    def fetch(self, url):
        results = []
        manager = NetworkAccessManager()
        manager.setCache(NetworkMemoryCache())
        manager.setCookieJar(CookieJar())
        for engine in ("qt", "python"):
            manager.setEngine(engine)
            results.append(BlockingNetworkRequest(manager).get(url).name)
        results += [result.code.name for result in manager.sendMany([BatchRequest(url), BatchRequest(url, "POST", b"x")])]
        with requests_session(manager) as session:
            results.append(session.get(url).status_code)
        return results

    def unload(self):
        NetworkAccessManager.instance().shutdown()


def classFactory(iface):
    return Plugin()
"""

FETCHED = ["NoError", "NoError", "NoError", "NoError", 200]

METADATA = """[general]
name={name}
description=fetches a page
version=1
qgisMinimumVersion=3.0
author=nobody
email=nobody@example.org
"""

PLUGINS = """
import qgis.utils
folder, url, quiet = sys.argv[1:4]
qgis.utils.plugin_paths = [folder]
sys.path.insert(0, folder)
qgis.utils.updateAvailablePlugins()

def start(name):
    assert qgis.utils.loadPlugin(name) and qgis.utils.startPlugin(name), name
    return qgis.utils.plugins[name]

def mixed_modules():
    # The modules that refer to a module of an earlier load.
    modules = {name: module for name, module in sys.modules.items() if name.startswith("fetcher")}
    return [
        (name, value.__name__)
        for name, module in modules.items()
        for value in vars(module).values()
        if isinstance(value, type(sys)) and value.__name__.startswith("fetcher") and modules.get(value.__name__) is not value
    ]

def counts():
    return threading.active_count(), len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
"""


def install_plugin(folder: Path, name: str) -> None:
    plugin = folder / name
    shutil.copytree(
        ROOT / "blocking_request", plugin / "blocking_request", ignore=shutil.ignore_patterns("__pycache__")
    )
    (plugin / "__init__.py").write_text(PLUGIN)
    (plugin / "metadata.txt").write_text(METADATA.format(name=name))


@needs_qgis
def test_plugin_that_is_reloaded(tmp_path: Path, serve: Serve) -> None:
    """``unload`` ends its threads and closes its connections."""
    server = serve(always(b"hello"))
    install_plugin(tmp_path, "fetcher")
    program = f"""{BEGIN}{PLUGINS}
found, mixed = [], []
for _ in range(10):
    plugin = start("fetcher")
    assert plugin.fetch(url) == {FETCHED}
    mixed = mixed or mixed_modules()
    assert qgis.utils.unloadPlugin("fetcher")
    del plugin
    found.append(counts())
# Python's threads, all threads, descriptors. A thread of Qt may end a moment later.
first, last = (list(zip(*rounds)) for rounds in (found[:4], found[-4:]))
print(all(min(late) <= max(early) for early, late in zip(first, last)) or found, mixed)
{END}"""
    assert run(program, str(tmp_path), server.url, "", folder=tmp_path) == ["True []"]


@needs_qgis
def test_two_plugins_with_two_copies(tmp_path: Path, serve: Serve) -> None:
    """If one is unloaded, the calls of the other go on."""
    server, quiet = serve(always(b"hello")), serve(silence)
    install_plugin(tmp_path, "first")
    install_plugin(tmp_path, "second")
    program = f"""{BEGIN}{PLUGINS}
first, second = start("first"), start("second")
print(first.fetch(url), second.fetch(url))
request = sys.modules["second"].BlockingNetworkRequest()
codes = []
caller = threading.Thread(target=lambda: codes.append(request.get(quiet).name))
caller.start()
time.sleep(0.3)
assert qgis.utils.unloadPlugin("first")
print(second.fetch(url), codes)
request.abort()
caller.join()
print(codes)
reply = sys.modules["second"].BlockingNetworkRequest().reply()
print(type(reply).__module__)
{END}"""
    assert run(program, str(tmp_path), server.url, quiet.url, folder=tmp_path) == [
        f"{FETCHED} {FETCHED}",
        f"{FETCHED} []",
        "['CanceledError']",
        "second.blocking_request",
    ]


@needs_qgis
def test_task_that_is_canceled(tmp_path: Path, serve: Serve) -> None:
    server, quiet = serve(always(b"x" * 1_000_000)), serve(silence)
    program = f"""{BEGIN}
url, quiet = sys.argv[1:]

class Fetch(QgsTask):
    def __init__(self, url):
        super().__init__("fetch", QgsTask.CanCancel)
        self.url = url

    def run(self):
        code = BlockingNetworkRequest().get(self.url, feedback=self)
        codes.append((code.name, self.progress()))
        return code == BlockingNetworkRequest.NoError

    def finished(self, result):
        ended.append(result)

ended, codes = [], []
whole, canceled = Fetch(url), Fetch(quiet)
for task in (whole, canceled):
    QgsApplication.taskManager().addTask(task)
started = time.monotonic()
while len(ended) < 2 and time.monotonic() - started < 20:
    if ended:
        canceled.cancel()
    app.processEvents()
    time.sleep(0.005)
print(ended, codes, time.monotonic() - started < 10)
{END}"""
    assert run(program, server.url, quiet.url, folder=tmp_path) == [
        "[True, False] [('NoError', 100.0), ('CanceledError', 0.0)] True"
    ]


@needs_qgis
def test_plugin_of_the_documentation(tmp_path: Path, serve: Serve) -> None:
    server, quiet = serve(always(b"hello")), serve(silence)
    page = (ROOT / "docs/qgis.rst").read_text(encoding="utf-8")
    block = page[
        page.index("    from qgis.core import QgsApplication, QgsTask") : page.index("* ``shutdown()`` of any manager")
    ]
    program = f"""{BEGIN}
{textwrap.dedent(block)}
plugin = Plugin(None)
for url in sys.argv[1:]:
    plugin.fetch(url)


def has_ended(task):
    try:
        return task.status() in (QgsTask.Complete, QgsTask.Terminated)
    except RuntimeError:
        return True


while not has_ended(plugin.tasks[0]):
    app.processEvents()
started = time.monotonic()
plugin.unload()
app.processEvents()
print(time.monotonic() - started < 5)
{END}"""
    lines = run(program, server.url, quiet.url, folder=tmp_path)
    assert lines[0] == "True hello" and lines[1].startswith("False Operation canceled") and lines[2] == "True"


@needs_qgis
@pytest.mark.parametrize("has_own_copy", [True, False], ids=["own copy", "installed package"])
def test_plugin_with_the_network_monitor(has_own_copy: bool, tmp_path: Path, serve: Serve) -> None:
    """The example: its dock shows calls, and ``unload`` removes it while calls run."""
    server, quiet = serve(always(b"hello")), serve(silence)
    plugin = tmp_path / "qgis_network_monitor"
    shutil.copytree(ROOT / "examples/qgis_network_monitor", plugin)
    package = "qgis_network_monitor.blocking_request" if has_own_copy else "blocking_request"
    if has_own_copy:
        shutil.copytree(
            ROOT / "blocking_request", plugin / "blocking_request", ignore=shutil.ignore_patterns("__pycache__")
        )
    program = f"""{BEGIN.replace("QgsApplication([], False)", "QgsApplication([], True)")}
{PLUGINS}
import gc, weakref
from qgis.PyQt.QtWidgets import QDockWidget, QMainWindow, QTableView
from qgis.PyQt import sip


class Interface(QMainWindow):
    # The methods of QgisInterface that the plugin calls.
    actions = []

    def mainWindow(self):
        return self

    def addPluginToMenu(self, name, action):
        self.actions.append(action)

    def removePluginMenu(self, name, action):
        self.actions.remove(action)


qgis.utils.iface = window = Interface()
window.show()
for _ in range(3):
    plugin = start("qgis_network_monitor")
    package = sys.modules["{package}"]
    sys.modules["qgis_network_monitor.plugin"].URL = url
    window.actions[-1].trigger()
    caller = threading.Thread(target=package.BlockingNetworkRequest().get, args=(quiet,))
    caller.start()
    table = window.findChild(QTableView)
    ended = time.monotonic() + 10
    while table.model().rowCount() < 2 and time.monotonic() < ended:
        app.processEvents()
    rows = [table.model().index(row, 2).data() for row in range(2)]
    monitor = weakref.ref(plugin.dock.widget())
    del table
    assert qgis.utils.unloadPlugin("qgis_network_monitor")
    del plugin
    if not {has_own_copy}:
        package.NetworkAccessManager.instance().shutdown()
    caller.join(10)
    for _ in range(3):
        app.sendPostedEvents(None, 52)  # DeferredDelete
        app.processEvents()
    gc.collect()
    print(rows, window.findChildren(QDockWidget), window.actions, monitor(), caller.is_alive())
{END}"""
    lines = run(program, str(tmp_path), server.url, quiet.url, folder=tmp_path)
    assert lines == ["['200', 'running'] [] [] None False"] * 3

"""Public names: their ``__module__``, their members, and their names in pickles."""

from __future__ import annotations

import pickletools
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import blocking_request
from blocking_request import netlog, qhttp, requests_adapter, testing

PACKAGE = Path(blocking_request.__file__).parent


@pytest.mark.parametrize("module", [blocking_request, netlog, qhttp, requests_adapter, testing])
def test_public_names_have_the_module_that_offers_them(module: object) -> None:
    names = {name: getattr(module, name) for name in module.__all__}  # type: ignore[attr-defined]
    origins = {name: value.__module__ for name, value in names.items() if not isinstance(value, str)}
    adapter = {"QtAdapter", "requests_session", "route_requests"} if module is requests_adapter else set()
    assert {name for name, origin in origins.items() if origin != module.__name__} == adapter  # type: ignore[attr-defined]


def public_members(kind: type) -> set[str]:
    """Return the public names of a class, without those of bases outside the package."""
    own = [each for each in kind.__mro__ if each.__module__.startswith("blocking_request")]
    of_pyside = {"staticMetaObject"}
    return {name for each in own for name in vars(each) if not name.startswith("_")} - of_pyside


def test_members_of_public_classes() -> None:
    """A new public member must be added to public_names.txt, so that none becomes public by mistake."""
    listed = {}
    for line in Path(__file__).with_name("public_names.txt").read_text("utf-8").splitlines():
        name, _, members = line.partition(":")
        listed[name] = set(members.split())
    modules = (netlog, qhttp, testing, blocking_request)
    offered = {name: getattr(module, name) for module in modules for name in module.__all__}
    assert {name: public_members(offered[name]) for name in listed} == listed
    assert {name for name, value in offered.items() if isinstance(value, type)} == set(listed)


WRITE = """
    import pickle, sys
    from {package} import BatchRequest, BlockingNetworkRequest, CookieJar, NetworkAccessManager, Proxy, TlsSettings
    from {package}.qt.binding import QtCore, QtNetwork
    app = QtCore.QCoreApplication([])
    manager = NetworkAccessManager()
    manager.setProxy("http://proxy:3128")
    manager.setTlsSettings(TlsSettings(minimumVersion="1.2"))
    request = BlockingNetworkRequest()
    request.get("data:text/plain,body")
    qt_request = QtNetwork.QNetworkRequest(QtCore.QUrl("http://host/"))
    values = (request.reply(), manager.portableSettings(), BatchRequest(qt_request), Proxy("http", "host", 1))
    sys.stdout.buffer.write(pickle.dumps(values))
"""
READ = """
    import pickle, sys
    from {package} import BatchRequest, PortableSettings, Proxy, ReplyContent
    from {package}.qt.binding import QtCore
    app = QtCore.QCoreApplication([])
    reply, settings, batch, proxy = pickle.loads(sys.stdin.buffer.read())
    assert [type(each) for each in (reply, settings, batch, proxy)] == [ReplyContent, PortableSettings, BatchRequest, Proxy]
    assert reply.body == b"body", reply
    assert settings.manager().tlsSettings().minimumVersion == "1.2"
    assert batch.request.url().toString() == "http://host/"
"""


def run(program: str, package: str, folder: Path, data: bytes = b"") -> bytes:
    command = [sys.executable, "-c", textwrap.dedent(program.format(package=package))]
    done = subprocess.run(command, input=data, capture_output=True, cwd=folder, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def copied(folder: Path, plugin: str) -> str:
    """Copy the package into a plugin. Return its name in the plugin."""
    (folder / plugin).mkdir(parents=True)
    (folder / plugin / "__init__.py").touch()
    shutil.copytree(PACKAGE, folder / plugin / "blocking_request", ignore=shutil.ignore_patterns("__pycache__"))
    return f"{plugin}.blocking_request"


def with_moved_modules(package: Path) -> None:
    """Change a copy of the package into a later version, in which internal modules have other names."""
    moves = {"http_messages": "messages_moved", "pickling": "packed_moved", "portable": "portable_moved"}
    for path in package.rglob("*.py"):
        text = path.read_text("utf-8")
        for old, new in moves.items():
            text = text.replace(f"{old} import", f"{new} import").replace(f'.{old}"', f'.{new}"')
        path.write_text(text, "utf-8")
    for old, new in moves.items():
        for path in package.rglob(f"{old}.py"):
            path.rename(path.with_name(f"{new}.py"))


def test_pickles_between_a_plugin_and_its_later_version(tmp_path: Path) -> None:
    package = copied(tmp_path / "one", "plugin")
    pickled = run(WRITE, package, tmp_path / "one")
    names = {argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str)}
    own = {name for name in names if name.startswith("plugin.")}
    assert own == {package, f"{package}._pickled"}
    run(READ, package, tmp_path / "one", pickled)
    later = copied(tmp_path / "two", "plugin")
    with_moved_modules(tmp_path / "two" / "plugin" / "blocking_request")
    run(READ, later, tmp_path / "two", pickled)
    run(READ, package, tmp_path / "one", run(WRITE, later, tmp_path / "two"))


def test_two_plugins_with_own_copies(tmp_path: Path) -> None:
    for plugin in ("first", "second"):
        copied(tmp_path, plugin)
    program = """
        import pickle
        from first import blocking_request as one
        from second import blocking_request as two
        from first.blocking_request.qt.binding import QtCore
        app = QtCore.QCoreApplication([])
        for package in (one, two):
            assert package.ReplyContent.__module__ == package.__name__
            request = package.BlockingNetworkRequest()
            assert request.get("data:,x") == package.ErrorCode.NoError, request.errorMessage()
            assert type(pickle.loads(pickle.dumps(request.reply()))) is package.ReplyContent
    """
    run(program, "", tmp_path)

"""The fixtures of all tests: the application, the servers, the engines."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["BLOCKING_REQUEST_CONFIG"] = os.devnull  # the configuration of the command line of who runs the tests
for _name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # The tests run in the background of a shell. Programs that they start would ignore Ctrl-C, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.qt.binding import QtCore
from blocking_request.testing import FakeReplies

from .support.names import ENGINES, Serve
from .support.servers.httpbin_server import HttpbinServer
from .support.servers.raw import Handler, RawServer


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> Optional[bool]:
    """Collect tests/windows only if it is named: it needs another application object."""
    is_named = any("windows" in argument for argument in config.args)
    return True if collection_path.name == "windows" and not is_named else None


@pytest.fixture(scope="session", autouse=True)
def app() -> QtCore.QCoreApplication:
    """An application whose event loop never runs."""
    return QtCore.QCoreApplication.instance() or QtCore.QCoreApplication([])


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine of all requests of the test, unless a request sets another one."""
    manager = NetworkAccessManager.instance()
    manager.setEngine(request.param)
    yield request.param
    manager.setEngine("auto")
    manager.cookieJar().clear()


@pytest.fixture
def on_qt() -> BlockingNetworkRequest:
    """A request on the qt engine, for tests of features that only this engine has."""
    request = BlockingNetworkRequest()
    request.setEngine("qt")
    return request


@pytest.fixture
def on_python() -> BlockingNetworkRequest:
    """A request on the python engine, for tests of features that only this engine has."""
    request = BlockingNetworkRequest()
    request.setEngine("python")
    request.setTimeout(10_000)
    return request


@pytest.fixture
def blocking(engine: str) -> BlockingNetworkRequest:
    """A request with an idle timeout of 10 s, so that a test cannot hang."""
    request = BlockingNetworkRequest()
    request.setTimeout(10_000)
    return request


@pytest.fixture
def manager(engine: str) -> NetworkAccessManager:
    """A manager with an idle timeout of 10 s, so that a test cannot hang."""
    made = NetworkAccessManager()
    made.setEngine(engine)
    made.setTimeout(10_000)
    return made


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start raw servers. They are closed at the end of the test."""
    servers: list[RawServer] = []

    def start(handler: Handler) -> RawServer:
        servers.append(RawServer(handler))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def fake() -> Iterator[FakeReplies]:
    """Replies in the place of a server, for tests of logic above the engines. Time is virtual."""
    with FakeReplies() as made:
        yield made


@pytest.fixture(scope="session")
def httpbin() -> Iterator[str]:
    """The URL of an httpbin server."""
    server = HttpbinServer()
    yield server.url
    server.close()

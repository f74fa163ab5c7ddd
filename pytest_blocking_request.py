"""The pytest plugin of blocking_request: fixtures for tests without a server.

docs/howto/tests_without_server.rst shows how they are used. It is a module beside the package, because pytest loads it
in every run in which the package is installed, and the package imports Qt. Nothing is imported here until a fixture is
used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from blocking_request.testing import FakeReplies, Recording

MODES = ("once", "none", "all", "new")
MARKER = "network_recording"
_LONGEST_NAME = 150
"""The longest name of a file, in characters: file systems allow 255 bytes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("blocking_request").addoption(
        "--network-recording",
        choices=MODES,
        help="The mode of all network recordings, in place of that of their marker: 'none' for continuous integration, "
        "'all' to record them anew.",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(path=..., mode=..., ...): record the requests of blocking_request in a HAR file and replay them. "
        "The arguments are those of blocking_request.testing.Recording. A relative path begins at the test's folder.",
    )


@pytest.fixture
def fake_replies() -> Iterator[FakeReplies]:
    """FakeReplies of blocking_request, which serve all of its requests during the test."""
    from blocking_request.testing import FakeReplies

    with FakeReplies() as fake:
        yield fake


@pytest.fixture
def no_network() -> Iterator[FakeReplies]:
    """Let every request of blocking_request fail during the test, except those that fake_replies or a recording serve.

    The value is FakeReplies: it lists the requests, and takes replies.
    """
    from blocking_request.testing.fake_replies import NoNetwork

    with NoNetwork() as fake:
        yield fake


@pytest.fixture
def network_recording(request: pytest.FixtureRequest) -> Iterator[Recording]:
    """The Recording of blocking_request that the marker network_recording describes, or a usual one.

    The file is recordings/MODULE/TEST.har beside the file of the test, unless the marker names another one.
    """
    from blocking_request.testing import Recording

    marker = request.node.get_closest_marker(MARKER)
    names = ("path", "mode")
    options: dict[str, Any] = {}
    if marker is not None:
        if len(marker.args) > len(names):
            raise TypeError(f"the marker {MARKER} takes at most a path and a mode without their names")
        options = {**dict(zip(names, marker.args)), **marker.kwargs}
    mode = request.config.getoption("--network-recording")
    if mode is not None:
        options["mode"] = mode
    folder = request.path.parent
    path = options.pop("path", None)
    if path is None:
        path = Path("recordings", request.path.stem, f"{_file_name(request.node)}.har")
    with Recording(folder / path, **options) as recording:
        yield recording


@pytest.fixture(autouse=True)
def _network_recording_of_marker(request: pytest.FixtureRequest) -> None:
    """Begin the recording of a test that has the marker, and does not name the fixture."""
    if request.node.get_closest_marker(MARKER) is not None:
        request.getfixturevalue(MARKER)


def _file_name(item: Any) -> str:
    """Return the name of a test, with its class and its parameters, as a name that every file system allows."""
    kind = f"{item.cls.__name__}." if getattr(item, "cls", None) is not None else ""
    name = re.sub(r"[^\w.\-]+", "_", f"{kind}{item.name}", flags=re.ASCII).strip("_")
    if len(name) <= _LONGEST_NAME and name.isascii():
        return name
    from hashlib import sha256

    return f"{name[:100]}-{sha256(item.nodeid.encode()).hexdigest()[:16]}"

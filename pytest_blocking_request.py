"""The pytest plugin of blocking_request: fixtures for tests without a server.

docs/howto/tests_without_server.rst shows how they are used. It is a module beside the package, because pytest loads it
in every run in which the package is installed, and the package imports Qt. Nothing is imported here until a fixture is
used.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from blocking_request.testing import FakeReplies, Recording

MODES = ("once", "none", "all", "new")
MARKER = "network_recording"
UNMATCHED_MARKER = "unmatched_requests"
PACKAGE = "blocking_request_package"
_LONGEST_NAME = 150
"""The longest name of a file, in bytes: file systems allow 255."""

_HAS_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("blocking_request").addoption(
        "--network-recording",
        choices=MODES,
        help="The mode of all network recordings, in place of that of their marker: 'none' for continuous integration, "
        "'all' to record them anew.",
    )
    parser.addini(
        PACKAGE,
        "The name of the package whose requests the fixtures serve: another one for a copy of it within a plugin, such "
        "as 'my_plugin.blocking_request'.",
        default="blocking_request",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(path=..., mode=..., ...): record the requests of blocking_request in a HAR file and replay them. "
        "The arguments are those of blocking_request.testing.Recording. A relative path begins at the test's folder.",
    )
    config.addinivalue_line(
        "markers",
        f"{UNMATCHED_MARKER}: let the test pass although fake_replies, no_network or a recording had no reply for a "
        "request.",
    )


@pytest.hookimpl(hookwrapper=True)  # older versions of pytest do not know wrapper=True
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    if outcome.get_result().failed:
        item.stash[_HAS_FAILED] = True


def _testing(request: pytest.FixtureRequest) -> Any:
    """Return the package ``testing`` of the package under test."""
    return importlib.import_module(f"{request.config.getini(PACKAGE)}.testing")


def _check_unmatched(request: pytest.FixtureRequest, unmatched: list[str]) -> None:
    """Fail a test that would pass, if it has sent requests that got no reply. The code under test may hide them."""
    node = request.node
    if unmatched and not node.stash.get(_HAS_FAILED, False) and node.get_closest_marker(UNMATCHED_MARKER) is None:
        pytest.fail(
            f"the test has sent requests that got no reply: {', '.join(unmatched)}. Add replies for them, or add the "
            f"marker {UNMATCHED_MARKER} to the test",
            pytrace=False,
        )


def _shown(fake: Any) -> list[str]:
    """Return the requests without a reply, without secrets."""
    return [repr(sent)[len("<SentRequest ") : -1] for sent in fake.unmatched]


@pytest.fixture
def fake_replies(request: pytest.FixtureRequest) -> Iterator[FakeReplies]:
    """FakeReplies of blocking_request, which serve all of its requests during the test.

    A request without a reply fails the test at its end, unless it has the marker unmatched_requests.
    """
    with _testing(request).FakeReplies() as fake:
        yield fake
    _check_unmatched(request, _shown(fake))


@pytest.fixture
def no_network(request: pytest.FixtureRequest) -> Iterator[FakeReplies]:
    """Let every request of blocking_request fail during the test, except those that fake_replies or a recording serve.

    Such a request fails the test at its end, too, unless it has the marker unmatched_requests. The value is
    FakeReplies: it lists the requests, and takes replies. A recording cannot record then.
    """
    with _testing(request).fake_replies.NoNetwork() as fake:
        yield fake
    _check_unmatched(request, _shown(fake))


@pytest.fixture
def network_recording(request: pytest.FixtureRequest) -> Iterator[Recording]:
    """The Recording of blocking_request that the marker network_recording describes, or a usual one.

    The file is recordings/MODULE/TEST.har beside the file of the test, unless the marker names another one.
    """
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
    with _testing(request).Recording(folder / path, **options) as recording:
        yield recording
    _check_unmatched(request, recording.unmatched)


@pytest.fixture(autouse=True)
def _network_recording_of_marker(request: pytest.FixtureRequest) -> None:
    """Begin the recording of a test that has the marker, and does not name the fixture."""
    if request.node.get_closest_marker(MARKER) is not None:
        request.getfixturevalue(MARKER)


def _file_name(item: Any) -> str:
    """Return the name of a test, with its classes and its parameters, as a name that every file system allows.

    Tests have different names. If a name had to be changed, a hash keeps it different.
    """
    classes = (node.name for node in item.listchain() if isinstance(node, pytest.Class))
    wanted = ".".join((*classes, item.name))
    name = re.sub(r"[^\w.\-\[\]]+", "_", wanted)
    if name == wanted and len(name.encode()) <= _LONGEST_NAME:
        return name
    from hashlib import sha256

    cut = name.encode()[: _LONGEST_NAME - 50].decode("utf-8", "ignore")
    return f"{cut}-{sha256(wanted.encode()).hexdigest()[:16]}"

"""The start of the command line: which modules it imports, and Ctrl-C while it imports them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blocking_request.qt.binding import API

from ..support.names import Serve
from ..support.servers.raw import always
from ..support.unmeasured import unmeasured_environment

pytest.importorskip("click")
pytest.importorskip("rich")

LOADED_LATER = (
    *("requests", "urllib3", "rich", "http.server", "http.client", "email", "sqlite3", "ssl", "keyring", "tomli"),
    "blocking_request.bodies.multipart",
    "blocking_request.cli.batch",
    "blocking_request.cli.demo",
    "blocking_request.cli.info",
    "blocking_request.cli.options.form_fields",
    "blocking_request.cli.options.json_items",
    "blocking_request.cli.verbose",
    "blocking_request.netlog",
    "blocking_request.stores.cache",
)
"""What only some commands and options need. A start takes twice the time with these modules."""

MODULE = ["-m", "blocking_request"]
FUNCTION = ["-c", "from blocking_request.__main__ import main; main()"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    # The measure of coverage would import more.
    environment = unmeasured_environment()
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


@pytest.mark.parametrize("start", [MODULE, FUNCTION], ids=["module", "function"])
def test_version_and_help_import_only_what_they_need(start: list[str]) -> None:
    for option in ("--version", "--help")[: 1 if start is FUNCTION else 2]:
        result = run("-X", "importtime", *start, option)
        assert result.returncode == 0
        loaded = imported(result.stderr)
        assert "blocking_request.cli.commands" in loaded
        assert not later(loaded) and "blocking_request.cli.send" not in loaded


def imported(report: str) -> set[str]:
    """Return the modules in the report of -X importtime."""
    return set(re.findall(r"^import time: .*\| +(\S+)$", report, re.MULTILINE))


def later(loaded: set[str]) -> list[str]:
    return sorted(name for name in loaded for each in LOADED_LATER if name == each or name.startswith(f"{each}."))


def test_get_imports_only_what_it_needs(serve: Serve) -> None:
    result = run("-X", "importtime", *MODULE, serve(always(b"body")).url, "--no-config")
    assert (result.returncode, result.stdout) == (0, "body")
    assert "blocking_request.cli.send" in imported(result.stderr) and not later(imported(result.stderr))


CTRL_C_AT_AN_IMPORT = """
import importlib.abc, os, signal, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == wanted and not met:
            met.append(name)
            os.kill(os.getpid(), signal.SIGINT)
wanted, met = sys.argv.pop(), []
sys.meta_path.insert(0, Finder())
sys.argv[0] = "blocking-request"
from blocking_request.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("module", "told"),
    [("blocking_request._first_use", ""), (f"{API}.QtNetwork", ""), ("blocking_request.cli.info", "Interrupted\n")],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_at_an_import(module: str, told: str) -> None:
    """There is no traceback. Before the first command the signal ends the process, as it ends a program in C."""
    result = run("-c", CTRL_C_AT_AN_IMPORT, "info", module)
    assert (result.returncode, result.stdout, result.stderr) == (-signal.SIGINT, "", told)


def test_ignored_ctrl_c_stays_ignored() -> None:
    """A shell ignores it for a program that is started with &."""
    program = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{CTRL_C_AT_AN_IMPORT}"
    result = run("-c", program, "--version", "click")
    assert (result.returncode, result.stderr) == (0, "") and "version" in result.stdout


def test_ctrl_c_in_the_module_of_a_user(tmp_path: Path) -> None:
    """Its handler stays that of Python, also while Python imports the package of -m."""
    package = tmp_path / "blocking_tool"
    package.mkdir()
    (package / "__init__.py").write_text("import blocking_request")
    (package / "__main__.py").write_text(
        "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    program = [sys.executable, "-m", "blocking_tool", "blocking_request"]
    environment = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (result.stdout, result.stderr) == ("True\n", "")

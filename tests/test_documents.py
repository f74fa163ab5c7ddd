"""Every code block of the documentation runs, against a server that stands for the hosts in it.

How an author uses it
---------------------

The blocks of README.rst, CONTRIBUTING.rst and of each page below docs/ run from top to bottom, each page in a process of its own. So a
later block may use the names of an earlier one. Write what a reader needs, and run::

    python -m pytest tests/test_documents.py -k howto/proxy

A failure names the line of the page.

Blocks
    ``.. code-block:: python``, and ``::``: Python, which is executed. ``PyQt5`` and ``PyQt6`` are replaced by the binding of
    the test run. ``.. code-block:: console`` (or ``::`` with commands only): shell commands. Each line must begin with a
    command that the test knows: options and arguments of ``blocking-request`` are parsed by the real parser, extras
    of ``pip install '.[x]'`` must be in setup.cfg, environments of ``tox -e`` in tox.ini, ``python -m benchmarks
    NAME`` in benchmarks/. ``.. code-block:: toml``, ``ini``, ``json``: parsed. ``.. code-block:: text``: not code. No
    other language is allowed. A block that is the text of a file in examples/ counts as run: ``test_examples.py``
    runs that file.

Names that are there
    All of ``blocking_request.__all__``, and ``request`` (a ``BlockingNetworkRequest``), ``manager`` (a new
    ``NetworkAccessManager``, which is that of ``request``), ``feedback``, ``url`` ("https://example.org/data.json"),
    ``urls`` (a list of three) and ``data`` (bytes). An application exists, a ``QApplication``, unless a block of the
    page makes one. The folder is a scratch folder. It contains company-ca.pem, me.pem (a client certificate with its
    key), large.tif (2 MB), data.csv, body.json and urls.txt.

Hosts
    ``example.org``, ``example.com``, ``example.net`` and ``httpbin.org``, all names below them, and
    ``localhost:8000``, on every port, by http and https: one server. All names ending in ``.invalid`` do not exist.
    The server also is a proxy, HTTP, SOCKS5 and SOCKS4a, of every name above (``http://proxy.example.org:3128``); any
    user and password will do. Its certificates are trusted, except that ``intranet.example.org`` needs
    company-ca.pem, and ``untrusted.example.org`` has an issuer that is unknown. Only the python engine and Python's
    own sockets find the hosts, so the engine is pinned by ``BLOCKING_REQUEST_ENGINE=python``. A
    ``QNetworkAccessManager`` that a block itself makes finds them too, over http.

Paths
    Those of httpbin (/get, /post, /json, /status/404, /basic-auth/user/password, /redirect/2, /delay/3, /drip,
    /bytes/1000, /image/png ...), and any other: ``*.json`` is an object, ``*.zip``, ``*.tif``, ``*.gpkg`` and
    ``*.bin`` are 300 000 bytes that can be resumed, the rest is text, all with ``ETag`` and ``Cache-Control:
    max-age=60``. POST, PUT, PATCH and DELETE return what was sent as JSON, as httpbin does. ``/missing...`` is 404,
    ``/private...`` wants a user and a password (``user``, ``password``) or any Bearer token, ``/slow...`` sends
    nothing for a minute, ``/trickle...`` sends a byte every tenth of a second.

Comments that steer it
    Each is a comment of reStructuredText, so no reader sees it. Code in it is indented below, after an empty line.

    ``.. test: setup``
        Code that runs before the next block: a stand-in for a dialog, a shorter time.
    ``.. test: check``
        Code that runs after the block before it. Use it: a block without a check only shows that nothing is raised.
    ``.. test: raises ValueError``
        The next block must raise this.
    ``.. test: output``
        The next block, a ``text``, is what the Python block before it must print (``...`` stands for any text).
    ``.. test: program arguments``
        The next block is a whole program: it runs in a process of its own, with these arguments, as ``__main__``.
        Code below the comment runs before it. A program that ends in ``app.exec()`` needs something that ends it:
        ``threading.Timer(1, QCoreApplication.quit).start()``.
    ``.. test: pytest``
        The next block is a file of tests: pytest runs it in a process of its own, and all must pass.
    ``.. test: needs qgis.core``
        The next block, and the comments between, run only if this module can be imported. It is for modules that no
        package index has, and not for what is hard.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blocking_request.qt.binding import API

from .support.documents import Block, blocks_of
from .support.names import ROOT
from .support.servers.example_hosts import BINARY, ExampleHosts

pytest.importorskip("click")

PAGE_SECONDS = 60.0

PAGES = sorted(path for path in (ROOT / "docs").rglob("*.rst") if "_build" not in path.parts)
TEXTS = [ROOT / name for name in ("README.rst", "CONTRIBUTING.rst", "CHANGELOG.rst")]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ExampleHosts, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    server = ExampleHosts(folder)
    yield server, folder
    server.close()


@pytest.fixture
def folder(tmp_path: Path, hosts: tuple[ExampleHosts, Path]) -> Path:
    """The folder in which the blocks of a page run."""
    for certificate in hosts[1].iterdir():
        (tmp_path / certificate.name).write_bytes(certificate.read_bytes())
    (tmp_path / "large.tif").write_bytes(BINARY * 7)
    (tmp_path / "data.csv").write_text("name,born\nAda,1815\n")
    (tmp_path / "body.json").write_text('{"name": "Ada"}')
    (tmp_path / "urls.txt").write_text("https://example.org/tiles/1.bin\nhttps://example.org/tiles/2.bin\n")
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    authority = str(folder / "public-ca.pem")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "QT_API": API.lower(),
        "QT_QPA_PLATFORM": "offscreen",
        "QT_LOGGING_RULES": "qt.network.ssl.warning=false",
        "BLOCKING_REQUEST_ENGINE": "python",
        "SSL_CERT_FILE": authority,
        "REQUESTS_CA_BUNDLE": authority,
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "XDG_RUNTIME_DIR": str(folder),
        "HOME": str(folder),
    }


def with_binding(text: str) -> str:
    """Return the code with the binding of the test run."""
    return text.replace("PyQt5", API).replace("PyQt6", API)


def run(
    page: str, steps: list[dict[str, Any]], port: int, folder: Path, program: bool = False, arguments: str = ""
) -> None:
    job = {
        "page": page,
        "port": port,
        "steps": steps,
        "program": program,
        "argv": ["program.py", *shlex.split(arguments)],
        "makes_application": any("Application(" in step["text"] for step in steps),
    }
    path = folder / ".job.json"
    path.write_text(json.dumps(job))
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.support.run_page", str(path)]
    run_command(command, page, folder)


def run_command(command: list[str], page: str, folder: Path) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment(folder), timeout=PAGE_SECONDS, check=False
    )
    assert done.returncode == 0, f"{page}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"


def step(block: Block, kind: str = "", raises: str = "") -> dict[str, Any]:
    text = with_binding(block.text)
    return {"kind": kind or block.kind, "text": text, "line": block.line, "raises": raises}


def example_texts() -> set[str]:
    return {path.read_text("utf-8").partition('"""\n\n')[2].strip() for path in (ROOT / "examples").glob("*.py")}


class Page:
    """Sorts the blocks of a page: those of one namespace, and programs of their own."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(ROOT).as_posix()
        self.steps: list[dict[str, Any]] = []
        self.programs: list[tuple[str, list[dict[str, Any]]]] = []
        self.pytest_files: list[Block] = []
        self.missing: list[str] = []
        """Why blocks are not run here."""
        examples = example_texts()
        for block in blocks_of(path):
            self._add(block, examples)

    def _add(self, block: Block, examples: set[str]) -> None:
        known = {"setup", "check", "raises", "output", "program", "pytest", "needs"}
        unknown = {each.kind for each in block.comments} - known
        assert not unknown, f"{self.name}:{block.line}: no such comment: {unknown}"
        for comment in block.comments:
            if comment.kind in ("setup", "check"):
                self.steps.append(step(comment))
            elif comment.kind == "needs" and not is_importable(comment.arguments):
                self.missing.append(f"line {block.line} needs {comment.arguments}")
                return
        if block.kind == "python" and block.text not in examples:
            self._add_python(block)
        elif block.kind == "text" and block.comment("output"):
            self.steps.append(step(block, "output"))
        elif block.kind not in ("python", "text"):
            CHECKS[block.kind](block.text, f"{self.name}:{block.line}")

    def _add_python(self, block: Block) -> None:
        program, raises = block.comment("program"), block.comment("raises")
        if program is not None:
            self.programs.append((program.arguments, [step(program), step(block)]))
        elif block.comment("pytest"):
            self.pytest_files.append(block)
        else:
            self.steps.append(step(block, "python", raises.arguments if raises else ""))


def is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def check_commands(text: str, where: str) -> None:
    """Check the lines of a shell: the programs, and their options."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.strip().removeprefix("$ "), comments=True)
        while words:
            end = next((number for number, word in enumerate(words) if word in ("&&", ";", "|", ">", "2>")), len(words))
            check_command(words[:end], f"{where}: {line.strip()}")
            words = words[end + 1 :] if words[end : end + 1] not in ([">"], ["2>"]) else words[end + 2 :]


def check_command(words: list[str], where: str) -> None:
    while words and re.fullmatch(r"[A-Za-z_]+=.*", words[0]):
        del words[0]
    if words[:2] in (["python", "-m"], ["python3", "-m"]):
        words = words[2:]
    program, arguments = words[0], words[1:]
    if program in ("python", "python3") and arguments and arguments[0].endswith(".py"):
        assert (ROOT / arguments[0]).exists(), f"{where}: there is no file {arguments[0]}"
        return
    if program in ("blocking-request", "blocking_request"):
        check_blocking_request(arguments, where)
    elif program == "pip":
        for extra in re.findall(r"\[([\w,]+)\]", " ".join(arguments)):
            unknown = set(extra.split(",")) - set(setup_cfg()["options.extras_require"])
            assert not unknown, f"{where}: setup.cfg has no extra {unknown}"
    elif program == "tox":
        check_tox(arguments, where)
    elif program.startswith("benchmarks"):
        names = [*program.split(".")[1:], *(each for each in arguments if each.islower())][:1]
        assert all((ROOT / "benchmarks" / f"{name}.py").exists() for name in names), f"{where}: no such benchmark"
    else:
        assert program in OTHER_PROGRAMS, f"{where}: {program} is no command that this test knows"


OTHER_PROGRAMS = frozenset(
    ("cd", "cat", "ls", "git", "curl", "sudo", "apt", "apt-get", "source", "export", "venv", "pytest", "pre-commit")
    + ("pyinstaller", "PyInstaller", "nuitka", "jupyter")
)


def check_blocking_request(arguments: list[str], where: str) -> None:
    import click

    from blocking_request.cli.commands import commands
    from blocking_request.cli.config_file import ConfigurationError

    try:
        with commands.make_context("blocking-request", list(arguments), resilient_parsing=False) as context:
            name, command, rest = commands.resolve_command(context, list(arguments))
            assert command is not None
            while isinstance(command, click.Group):
                name, command, rest = command.resolve_command(context, rest)
                assert command is not None
            command.make_context(name, rest, parent=context)
    except click.exceptions.Exit:  # --help and --version
        pass
    except click.FileError:  # the files of an example need not be there
        pass
    except ConfigurationError as error:  # the profiles of an example need not be there
        assert error.message.startswith("There is no profile"), f"{where}: {error.message}"
    except click.UsageError as error:
        assert "does not exist" in error.format_message(), f"{where}: {error.format_message()}"


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    return parser


def check_tox(arguments: list[str], where: str) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", "utf-8")
    known = {name.rpartition(":")[2] for name in parser if name.startswith("testenv")}
    known |= {name.strip() for name in parser["tox"]["envlist"].split(",")}
    if "-e" in arguments:
        wanted = set(arguments[arguments.index("-e") + 1].split(","))
        assert wanted <= known, f"{where}: tox.ini has no {wanted - known}"


def check_ini(text: str, where: str) -> None:
    configparser.ConfigParser(interpolation=None).read_string(text, where)


def check_json(text: str, _: str) -> None:
    json.loads(text)


def check_toml(text: str, _: str) -> None:
    if sys.version_info >= (3, 11):
        import tomllib

        tomllib.loads(text)


CHECKS = {"console": check_commands, "ini": check_ini, "json": check_json, "toml": check_toml}


@pytest.mark.parametrize("path", [*TEXTS, *PAGES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_blocks_of_page(path: Path, folder: Path, hosts: tuple[ExampleHosts, Path]) -> None:
    page = Page(path)
    port = hosts[0].port
    if page.steps:
        run(page.name, page.steps, port, folder)
    for arguments, steps in page.programs:
        run(page.name, steps, port, folder, program=True, arguments=arguments)
    for number, block in enumerate(page.pytest_files):
        file = folder / f"test_page_{number}.py"
        file.write_text(with_binding(block.text))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_blocking_request"]
        run_command([*command, str(file)], page.name, folder)
    if page.missing and not (page.steps or page.programs):
        pytest.skip("; ".join(page.missing))


def test_broken_block_fails(folder: Path, hosts: tuple[ExampleHosts, Path]) -> None:
    """The mechanism itself: an error is told with the line of the page, and a wrong output is seen."""
    path = folder / "page.rst"
    path.write_text("Title\n=====\n\n.. code-block:: python\n\n    reply = request.reply()\n    reply.nothing()\n")
    block = blocks_of(path)[0]
    with pytest.raises(AssertionError, match=r'File "page.rst", line 7'):
        run("page.rst", [step(block)], hosts[0].port, folder)
    path.write_text("::\n\n    print(1 + 1)\n\n.. test: output\n\n.. code-block:: text\n\n    3\n")
    first, second = blocks_of(path)
    with pytest.raises(AssertionError, match="the page says"):
        run("page.rst", [step(first), step(second, "output")], hosts[0].port, folder)


def test_wrong_command_fails() -> None:
    check_commands("blocking-request get https://example.org/ --cache -o FILE && tox -e style", "here")
    for wrong in (
        "blocking-request get URL --none",
        "blocking-request nothing",
        "pip install '.[none]'",
        "tox -e none",
        "nothing",
    ):
        with pytest.raises((AssertionError, SystemExit)):
            check_commands(wrong, "here")

"""The tasks of docs/reference/command_comparison.rst, with curl and with ``blocking-request``, and its table of options."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

click = pytest.importorskip("click")
pytest.importorskip("rich")

from blocking_request.cli.commands import commands

from ..support.command_line import PROGRAM
from ..support.names import ROOT
from ..support.servers.recording_httpbin import Received, RecordingHttpbin
from ..support.servers.squid import has_squid, squid
from ..support.servers.tls import TlsServer

PAGE = (ROOT / "docs" / "reference" / "command_comparison.rst").read_text("utf-8")

TASK = re.compile(
    r"   \* - (?P<name>.+)\n     - \| ``curl (?P<curl>.+)``\n       \| ``blocking-request (?P<ours>.+)``\n"
    r"     - (?P<curl_status>\d+), (?P<our_status>\d+)\n"
)


@dataclass(frozen=True)
class Check:
    """How the results of a task are compared.

    ``fields``: header fields that must be the same, beside FIELDS. ``first``: what the server does with the first
    request. ``runs_before``: whether the command runs once before, with a response that is cut off. ``same_body``:
    whether the bytes of the request body are the same. ``ignored``: fields that may differ. ``sends_nothing``: whether
    only curl sends a request.
    """

    fields: tuple[str, ...] = ()
    first: str = ""
    runs_before: bool = False
    same_body: bool = True
    ignored: tuple[str, ...] = ()
    sends_nothing: bool = False


FIELDS = ("authorization", "content-type", "cookie", "range", "referer", "x-token")

CHECKS = {
    "form that needs encoding": Check(same_body=False),  # a space is %20 in curl, and + in a form of HTML
    "JSON": Check(fields=("accept",)),
    "Digest": Check(ignored=("cookie",)),  # httpbin sets cookies
    "file that cannot be written": Check(sends_nothing=True),
    "header": Check(fields=("user-agent",)),
    "header removed, header empty": Check(fields=("user-agent",)),
    "connection lost": Check(first="cut"),
    "continue after that": Check(runs_before=True),
    "retry": Check(first="busy"),
}


class Result(NamedTuple):
    """``told``: standard error."""

    status: int
    output: bytes
    told: str
    files: dict[str, bytes]
    requests: list[Received]


TASKS = {match["name"]: match for match in TASK.finditer(PAGE)}


@pytest.fixture(scope="module")
def httpbin_server() -> Iterator[RecordingHttpbin]:
    server = RecordingHttpbin()
    yield server
    server.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_server(authority: trustme.CA) -> Iterator[TlsServer]:
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    yield server
    server.close()


@pytest.fixture
def variables(
    request: pytest.FixtureRequest, httpbin_server: RecordingHttpbin, tls_server: TlsServer
) -> Iterator[dict[str, str]]:
    """The variables of the page. squid runs for the tasks that need it."""
    values = {
        "$URL": httpbin_server.url,
        "$TLS": tls_server.url.rstrip("/"),
        "$SITE": f"http://somewhere.test:{httpbin_server.port}",
    }
    if request.node.callspec.params["name"] != "proxy":
        yield values
        return
    if not has_squid():
        pytest.skip("squid is not installed")
    with squid("open") as port:
        yield {**values, "$PROXY": f"http://127.0.0.1:{port}"}


def prepare(folder: Path, authority: trustme.CA) -> Path:
    folder.mkdir()
    (folder / "photo.png").write_bytes(bytes(range(256)) * 10)
    (folder / "data.csv").write_text("a,b\n1,2\n")
    (folder / "netrc").write_text("machine 127.0.0.1\nlogin user\npassword password\n")
    (folder / "netrc").chmod(0o600)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder


def run(program: list[str], line: str, folder: Path, server: RecordingHttpbin, check: Check) -> Result:
    words = [*program, *shlex.split(line)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), "CURL_HOME": str(folder)}
    before = set(folder.iterdir())

    def once(arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            arguments,
            capture_output=True,
            timeout=60,
            check=False,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
        )

    if check.runs_before:
        server.begin("cut")
        assert once([word for word in words if word not in ("-C", "-")]).returncode in (1, 18)
    server.begin(check.first)
    done = once(words)
    # A download that can be continued is kept beside the file.
    files = {
        path.name: path.read_bytes() for path in folder.iterdir() if path not in before and ".part" not in path.name
    }
    return Result(done.returncode, done.stdout, done.stderr.decode(), files, server.requests)


def sent(request: Received, check: Check) -> tuple[Any, ...]:
    """Return the parts of a request that both programs must send."""
    fields = {name: request.headers.get(name, "") for name in {*FIELDS, *check.fields} - {*check.ignored}}
    if fields["authorization"].startswith("Digest "):
        fields["authorization"] = "Digest"  # a random number is in it
    body = request.body
    boundary = re.search("boundary=(.+)", fields["content-type"])
    if boundary:
        body = body.replace(boundary[1].encode(), b"BOUNDARY")
        fields["content-type"] = fields["content-type"].replace(boundary[1], "BOUNDARY")
    return (request.method, request.target, fields, body if check.same_body else b"")


def comparable(body: bytes) -> Any:
    """Return a body without that what tells the programs apart: the header fields that httpbin repeats."""
    try:
        value = json.loads(body)
    except ValueError:
        if not body.startswith(b"HTTP/"):
            return body
        lines = sorted(line.strip().lower() for line in body.splitlines())
        return [line for line in lines if not line.startswith(b"date:")]
    return {name: each for name, each in value.items() if name != "headers"} if isinstance(value, dict) else value


def cookies(content: bytes) -> list[bytes]:
    return [line for line in content.splitlines() if line and not line.startswith(b"# ")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("name", TASKS)
def test_task(
    name: str,
    variables: dict[str, str],
    httpbin_server: RecordingHttpbin,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    task, check = TASKS[name], CHECKS.get(name, Check())
    lines = {}
    for program in ("curl", "ours"):
        line = task[program]
        for variable, value in variables.items():
            line = line.replace(variable, value)
        lines[program] = line
    curl = run(["curl", "-sS"], lines["curl"], prepare(tmp_path / "curl", authority), httpbin_server, check)
    ours = run(
        PROGRAM,
        lines["ours"],
        prepare(tmp_path / "ours", authority),
        httpbin_server,
        check,
    )
    assert (curl.status, ours.status) == (int(task["curl_status"]), int(task["our_status"])), (curl.told, ours.told)
    if check.sends_nothing:
        assert ours.requests == []
    else:
        assert [sent(each, check) for each in ours.requests] == [sent(each, check) for each in curl.requests]
    assert comparable(ours.output) == comparable(curl.output)
    if name == "connection lost":  # curl leaves a half of the file
        assert (list(curl.files), list(ours.files)) == (["got"], [])
        return
    assert list(ours.files) == list(curl.files)
    for file, content in ours.files.items():
        same = cookies if file == "jar" else bytes
        assert same(content) == same(curl.files[file]), file
    is_told = ours.status != 0 or name == "retry"  # each retry is told
    assert bool(ours.told) == is_told, ours.told


def test_tasks_of_the_page() -> None:
    assert len(TASKS) >= 20 and CHECKS.keys() <= TASKS.keys()
    assert PAGE.count("| ``curl ") == len(TASKS)


def options_of_the_page() -> set[str]:
    table = PAGE.split("Differences\n---")[0]
    cells = re.findall(r"^   \* - (.*)$", table, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"(?<![\w-])--?[\w.][\w.-]*", cell)}


def test_table_has_every_option() -> None:
    names = {
        name
        for command in commands.commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden and "section" in vars(parameter)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    assert names - options_of_the_page() == set()

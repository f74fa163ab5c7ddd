"""``--write-out``, beside curl if it is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import trustme

from ..support.command_line import cli
from ..support.names import ROOT, Serve
from ..support.servers.raw import Connection, always
from ..support.servers.tls import TlsServer

pytest.importorskip("click")
pytest.importorskip("rich")


def written(*arguments: str) -> str:
    return cli(*arguments).stdout.decode()


EXACT = (
    "content_type",
    "http_code",
    "response_code",
    "http_version",
    "method",
    "num_connects",
    "num_headers",
    "num_redirects",
    "redirect_url",
    "remote_ip",
    "remote_port",
    "size_download",
    "size_header",
    "size_upload",
    "ssl_verify_result",
    "url",
    "url_effective",
)
"""The variables that must have the same values as curl's."""


def respond(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        path = request.split(b" ")[1]
        if path == b"/redirect":
            connection.respond(b"moved", "302 Found", "Location: /target?a=1\r\nX-One: 1\r\nX-One: 2\r\n")
        elif path == b"/not-followed":
            connection.respond(b"choose", "300 Multiple Choices", "Location: /target\r\n")
        elif path == b"/missing":
            connection.respond(b"why", "404 Not Found", "Content-Type: text/plain\r\n")
        elif path == b"/empty":
            connection.send(b"HTTP/1.1 204 No Content\r\nX-Name: value\r\n\r\n")
        else:
            connection.respond(b"body", headers="Content-Type: text/html; charset=utf-8\r\nX-Name: value\r\n")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ["/"],
        ["/redirect"],
        ["/missing"],
        ["/not-followed"],
        ["/empty"],
        ["/", "-d", "some=data"],
        ["/redirect", "-d", "some=data"],
    ],
)
def test_values_of_curl(arguments: list[str], serve: Serve, tmp_path: Path) -> None:
    url = serve(respond).url + arguments[0]
    text = "".join(f"{name}=%{{{name}}}\\n" for name in EXACT)
    text += "h=%header{x-one} %header{X-NAME} %header{none}|%%|%|%z|\\t|\\x|%{unterminated"
    verb = "post" if "-d" in arguments else "get"
    common = [url, *arguments[1:], "-o", "/dev/null", "-w", text, "-H", "User-Agent: same"]
    ours = cli(verb, *common, "--engine", "python").stdout
    # curl would follow a 300, which leaves the choice to the user (RFC 9110 section 15.4.1).
    follow = [] if arguments[0] == "/not-followed" else ["-L"]
    curls = subprocess.run(["curl", "-s", *follow, *common], capture_output=True, timeout=60, check=False).stdout
    assert ours.decode() == curls.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_text_in_a_file_as_curl(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "format"
    file.write_bytes(b"one\r\ntwo %{http_code}\\n\n\\ttabbed \xff%{stderr}to stderr %{stdout}\xc3\xa9%{HTTP_Code}\n")
    url = serve(respond).url
    common = [url, "-o", "/dev/null", "-w"]
    ours = cli("get", *common, f"@{file}")
    curls = subprocess.run(["curl", "-s", *common, f"@{file}"], capture_output=True, timeout=60, check=False)
    assert (ours.stdout, ours.stderr) == (curls.stdout, curls.stderr)
    assert cli("get", *common, "@-", input=file.read_bytes()).stdout == curls.stdout


def test_unknown_variable(serve: Serve) -> None:
    result = cli("get", serve(respond).url, "-s", "-w", "|%{foo}|%{http_code}|%{foo}\\n")
    assert (result.returncode, result.stdout) == (0, b"body||200|\n")
    assert result.stderr == b"unknown --write-out variable: 'foo'\n"


@pytest.mark.parametrize(
    ("value", "status", "message"),
    [
        ("@", 64, "name of the file is missing"),
        ("@/no/such", 74, "/no/such' cannot be read"),
        ("%{http_code} %output{file}", 64, "%output{FILE} is not supported: use %{stderr}"),
    ],
)
def test_wrong_text(value: str, status: int, message: str) -> None:
    result = cli("get", "http://127.0.0.1:1/", "-w", value)
    assert (result.returncode, result.stdout) == (status, b"") and message in result.stderr.decode()


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "request OPTIONS"])
def test_each_method(verb: str, serve: Serve) -> None:
    url = serve(always(b"" if verb == "head" else b"body")).url
    told = written(*verb.split(" "), url, "-w", "<%{method} %{http_code} %{exitcode}>")
    assert told.endswith(f"<{verb.rpartition(' ')[2].upper()} 200 0>")


def test_failures(serve: Serve, tmp_path: Path) -> None:
    text = "%{http_code} %{exitcode} %{errormsg}%{onerror}|failed"
    result = cli("get", "http://127.0.0.1:1/", "-w", text)
    assert result.returncode == 1
    assert re.fullmatch(r"000 1 .*Connection refused.*\|failed", result.stdout.decode())
    assert result.stderr.decode().strip() in result.stdout.decode()
    assert written("get", f"{serve(respond).url}/missing", "-s", "-w", text).startswith("why404 3 Error transferring ")
    assert written("get", serve(respond).url, "-s", "-w", text) == "body200 0 "
    unwritable = cli("get", serve(respond).url, "-s", "-o", "/no/such/file", "-w", "%{exitcode}")
    assert (unwritable.returncode, unwritable.stdout, unwritable.stderr) == (74, b"74", b"")


def test_times(serve: Serve) -> None:
    text = "%{time_namelookup} %{time_connect} %{time_pretransfer} %{time_starttransfer} %{time_total}"
    for path in ("/", "/redirect"):
        told = written("get", serve(respond).url + path, "-o", "/dev/null", "-w", text)
        assert re.fullmatch(r"(\d+\.\d{6} ?){5}", told)
        times = [float(each) for each in told.split(" ")]
        assert times == sorted(times) and times[1] > 0 and times[4] < 60
    redirect, total = written(
        "get", f"{serve(respond).url}/redirect", "-o", "/dev/null", "-w", "%{time_redirect} %{time_total}"
    ).split(" ")
    assert 0 < float(redirect) < float(total)


def test_times_that_qt_knows(serve: Serve) -> None:
    names = ("time_namelookup", "time_connect", "time_pretransfer", "time_starttransfer", "time_total")
    text = " ".join(f"%{{{name}}}" for name in names)
    url = serve(respond).url
    told = written("get", url, "-o", "/dev/null", "--engine", "qt", "-w", f"{text} %{{num_connects}}%{{remote_ip}}")
    assert told.startswith("0.000000 0.000000 ") and told.endswith(" 0")
    times = [float(each) for each in told.split(" ")]
    assert times[:5] == sorted(times[:5]) and 0 < times[2] < times[3]


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    text = "%{scheme} %{ssl_verify_result} %{time_connect} %{time_appconnect}"
    scheme, verified, connect, tls = written(
        "get", server.url, "--cacert", str(ca), "-o", "/dev/null", "-w", text, "--engine", "python"
    ).split(" ")
    assert (scheme, verified) == ("https", "0") and 0 < float(connect) < float(tls)
    assert written("get", server.url, "-s", "-w", text).startswith("https 1 ")
    server.close()


def test_json(serve: Serve) -> None:
    url = f"{serve(respond).url}/redirect"
    shown = json.loads(written("get", url, "-o", "/dev/null", "-w", "%{json}"))
    assert shown["http_code"] == 200 and shown["num_redirects"] == 1 and shown["redirect_url"] is None
    assert shown["size_download"] == 4 and isinstance(shown["time_total"], float) and shown["errormsg"] is None
    assert set(EXACT) < set(shown)
    fields = json.loads(written("get", f"{serve(respond).url}/not-followed", "-o", "-", "-w", "\\n%{header_json}")[7:])
    assert fields == {"content-length": ["6"], "location": ["/target"]}
    assert json.loads(written("get", "http://127.0.0.1:1/", "-s", "-w", "%{json}"))["http_code"] == 0
    assert written("get", "http://127.0.0.1:1/", "-s", "-w", "%{header_json}") == "{}"


def test_no_password_is_written(serve: Serve) -> None:
    url = serve(respond).url.replace("//", "//user:hunter2@")
    told = cli("get", url, "-w", "%{url} %{url_effective} %{json} %{header_json}")
    assert told.returncode == 0 and b"hunter2" not in told.stdout + told.stderr
    # A script that asks for the URL gets all of its query.
    assert "?token=abc" in written("get", f"{serve(respond).url}/?token=abc", "-w", "%{url_effective}")


def test_list(serve: Serve, tmp_path: Path) -> None:
    """Each file has its own line."""
    url = serve(respond).url
    (tmp_path / "urls").write_text(f"{url}/a\n{url}/missing\n{url}/redirect\n")
    text = "%{url} %{http_code} %{exitcode} %{size_download} %{filename_effective}\\n"
    result = cli("get", "-s", "--from", str(tmp_path / "urls"), "-o", str(tmp_path / "out"), "-w", text)
    assert (result.returncode, result.stderr) == (3, b"")
    assert sorted(result.stdout.decode().splitlines()) == [
        f"{url}/a 200 0 4 {tmp_path / 'out' / 'a'}",
        f"{url}/missing 404 3 3 ",
        f"{url}/redirect 200 0 4 {tmp_path / 'out' / 'target'}",
    ]


def test_documented_variables() -> None:
    """The manual has all variables, and no other."""
    from blocking_request.cli.transfer_values import VARIABLES

    page = (ROOT / "docs" / "reference" / "command_line.rst").read_text()
    table = re.search(r"\.\. code-block:: text\n\n((?:    content_type.*\n)(?:    .*\n)*)", page)
    assert table is not None and sorted(re.findall(r"\w+", table[1])) == sorted(VARIABLES)

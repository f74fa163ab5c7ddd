"""The options of the body: -d, --json, --form and -F."""

from __future__ import annotations

import email
import email.policy
import json
from pathlib import Path
from typing import Any

import pytest

from ..support.command_line import Sent, cli, sent
from ..support.names import ENGINES, Serve
from ..support.servers.raw import echo

pytest.importorskip("click")
pytest.importorskip("rich")

URL = "http://127.0.0.1:1/"


@pytest.mark.parametrize("engine", ENGINES)
def test_data(engine: str, serve: Serve, tmp_path: Path) -> None:
    server, file = serve(echo), tmp_path / "file"
    file.write_bytes(b"f\x00\xff\n")

    def body(*arguments: str, **options: Any) -> bytes:
        result = cli(*arguments, "--engine", engine, **options)
        assert result.returncode == 0, result.stderr
        return sent(server).body

    assert body("post", server.url, "-d", "a=1", "-d", "b=2") == b"a=1&b=2"
    assert sent(server).value("Content-Type") == "application/x-www-form-urlencoded"
    assert body("put", server.url, "-d", f"@{file}", "-d", "b") == b"f\x00\xff\n&b"
    assert sent(server).value("Content-Type") == "application/x-www-form-urlencoded"
    assert body("patch", server.url, "--data", f"@{file}", "-H", "Content-Type: a/b") == b"f\x00\xff\n"
    assert sent(server).value("Content-Type") == "a/b"
    assert body(server.url, "-d", "@-", "-d", "", input=b"piped") == b"piped&"
    assert body("delete", server.url, "-d", "x") == b"x" and sent(server).method == "DELETE"
    assert body(server.url, "-d", "") == b"" and sent(server).method == "POST"
    assert sent(server).value("Content-Length") == "0"


def test_large_file_is_read_as_it_is_sent(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * 5_000_000)
    server = serve(echo)
    assert cli("put", server.url, "-d", f"@{file}", "-o", str(tmp_path / "out")).returncode == 0
    assert (len(sent(server).body), sent(server).value("Content-Length")) == (5_000_000, "5000000")


@pytest.mark.parametrize("engine", ENGINES)
def test_json(engine: str, serve: Serve, tmp_path: Path) -> None:
    server = serve(echo)
    file, text = tmp_path / "a.json", tmp_path / "a.txt"
    file.write_text('{ "x": [1.50] }')
    text.write_text('caf\u00e9 "1"', encoding="utf-8")
    items = ["name=Ann", "age:=42", "tags:=[1, 2.50]", "none:=null", f"f:=@{file}", f"t=@{text}", "eq==b", "u=\u00e9"]
    options = [word for item in items for word in ("--json", item)]
    assert cli(server.url, *options, "--engine", engine).returncode == 0
    request = sent(server)
    assert request.method == "POST" and request.value("Accept") == request.value("Content-Type") == "application/json"
    assert json.loads(request.body) == {
        "name": "Ann",
        "age": 42,
        "tags": [1, 2.5],
        "none": None,
        "f": {"x": [1.5]},
        "t": 'caf\u00e9 "1"',
        "eq": "=b",
        "u": "\u00e9",
    }
    assert b"[1, 2.50]" in request.body
    whole = ('{"a": 1.50}', "[1]", "null", "5", '"a=b"', f"@{file}", '{"a=b": ":=c"}')
    for value in whole:
        assert cli("put", server.url, "--json", value, "--engine", engine).returncode == 0
        assert sent(server).body == (file.read_bytes() if value.startswith("@") else value.encode())
    assert cli(server.url, "--json", "@-", "-H", "Accept: a/b", "-H", "Content-Type: c/d", input=b"[]").returncode == 0
    assert (sent(server).body, sent(server).value("Accept"), sent(server).value("Content-Type")) == (
        b"[]",
        "a/b",
        "c/d",
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_form(engine: str, serve: Serve) -> None:
    server = serve(echo)
    assert cli(server.url, "--form", "a=1 2", "--form", "b=@x&=", "--form", "c=", "--engine", engine).returncode == 0
    assert (sent(server).method, sent(server).body) == ("POST", b"a=1+2&b=%40x%26%3D&c=")
    assert sent(server).value("Content-Type") == "application/x-www-form-urlencoded"


def parts(request: Sent) -> list[tuple[Any, Any, str, bytes]]:
    head = f"Content-Type: {request.value('Content-Type')}\r\n\r\n".encode()
    message = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type() if part["Content-Type"] else "",
            part.get_payload(decode=True),  # type: ignore[misc]
        )
        for part in message.iter_parts()  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_form_with_files(engine: str, serve: Serve, tmp_path: Path) -> None:
    server = serve(echo)
    (tmp_path / "a.txt").write_bytes(b"text")
    (tmp_path / "b;type=x").write_bytes(b"\x00\xff")
    options = ["-F", "field=a;b", "-F", "f=@a.txt", "-F", "g=@b;type=x;type=image/png;filename=c d.png"]
    options += ["-F", "h=@-;filename=piped", "--form", "plain=1", "--engine", engine, "-H", "Content-Type: wrong/type"]
    result = cli(server.url, *options, cwd=tmp_path, input=b"stdin")
    # Only the last parameters are taken from the end: this file has a name that looks like one.
    assert result.returncode == 74 and b"'b' cannot be read" in result.stderr
    options[5] = "g=@./a.txt;type=image/png;filename=c d.png"
    result = cli(server.url, *options, cwd=tmp_path, input=b"stdin")
    assert result.returncode == 0, result.stderr
    assert parts(sent(server)) == [
        ("plain", None, "", b"1"),
        ("field", None, "", b"a;b"),
        ("f", "a.txt", "text/plain", b"text"),
        ("g", "c d.png", "image/png", b"text"),
        ("h", "piped", "application/octet-stream", b"stdin"),
    ]
    assert cli(server.url, "-F", "only=field", "--engine", engine).returncode == 0
    assert parts(sent(server)) == [("only", None, "", b"field")]


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["-d", "@"], 64, "-d: after @ the name of a file is missing; @- is standard input"),
        (["-d", "a", "-d", "@"], 64, "after @ the name of a file is missing"),
        (["-d", "@/no/such"], 74, "the file '/no/such' cannot be read"),
        (["-d", "a", "-d", "@/no/such"], 74, "the file '/no/such' cannot be read"),
        (["-F", "f=@"], 64, "-F: after @ the name of a file is missing"),
        (["-F", "f=@/no/such"], 74, "the file '/no/such' cannot be read"),
        (["-F", "hunter2"], 64, "written NAME=@FILE or NAME=VALUE"),
        (["-F", "=hunter2"], 64, "written NAME=@FILE or NAME=VALUE"),
        (["-F", "f=@/dev/null;type=a\nb"], 64, "holds a line end"),
        (["--form", "hunter2"], 64, "written NAME=VALUE"),
        (["--json", "@"], 64, "--json: after @ the name of a file is missing"),
        (["--json", "hunter2"], 64, "neither JSON"),
        (["--json", '{"a": hunter2'], 64, "neither JSON"),
        (["--json", "NaN"], 64, "JSON has no NaN"),
        (["--json", "a:=Infinity"], 64, "--json a:=: this is not JSON (JSON has no Infinity)"),
        (["--json", "a:=hunter2"], 64, "; a text is written a=text"),
        (["--json", "a:=@/no/such"], 74, "the file '/no/such' cannot be read"),
        (["--json", "a=1", "--json", "hunter2"], 64, "written name=text or name:=JSON"),
        (["--json", "a=1", "--json", "@/dev/null"], 64, "written name=text or name:=JSON"),
        (["--json", "@/dev/null"], 64, "--json @/dev/null: this is not JSON"),
        (["--json", "[" * 100_000], 64, "nested too deeply"),
        (["--json", "a=\udcff"], 64, "this is not UTF-8 text"),
        (["-d", "a", "--json", "b=c"], 64, "a request has one body: give -d or --json, not both"),
        (["-d", "a", "-F", "b=c"], 64, "give -d or --form or -F, not both"),
    ],
)
def test_wrong_bodies(arguments: list[str], status: int, text: str) -> None:
    result = cli(URL, *arguments)
    assert (result.returncode, text in result.stderr.decode()) == (status, True), result.stderr
    assert b"hunter2" not in result.stderr and b"Traceback" not in result.stderr

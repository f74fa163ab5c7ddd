"""The options of the output: files named after the URL, resumed downloads, checksums, --fail; and lists of URLs."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from blocking_request.cli.download_record import DownloadRecord

from ..support.command_line import PROGRAM, cli, sent
from ..support.names import ENGINES, Serve
from ..support.servers.raw import Connection, Handler, always, echo

pytest.importorskip("click")
pytest.importorskip("rich")

URL = "http://127.0.0.1:1/a"


@pytest.mark.parametrize("engine", ENGINES)
def test_file_named_after_the_url(engine: str, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"new", headers="Content-Disposition: attachment; filename=named.txt\r\n"))
    own = {"cwd": tmp_path}
    url = f"{server.url}/folder/a%20b.txt?q=1"
    (tmp_path / "a b.txt").write_bytes(b"old")
    assert cli("-O", url, "--engine", engine, **own).returncode == 0  # replaced, as by curl
    assert cli("-OJ", url, "--engine", engine, **own).returncode == 0
    assert cli("get", "-O", "-J", url, "--engine", engine, **own).returncode == 0
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"a b.txt": b"new", "named.txt": b"new", "named (1).txt": b"new"}
    result = cli("-O", f"{server.url}/..%2F..%2Fx", "--engine", engine, **own)
    assert (result.returncode, (tmp_path / "x").exists()) == (0, True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("options", [[], ["-H", "Accept-Encoding: identity"]])
def test_replaced_file_keeps_its_permissions(options: list[str], serve: Serve, tmp_path: Path) -> None:
    path, server = tmp_path / "a", serve(always(b"new"))
    for before, after in ((0o600, 0o600), (0o755, 0o755), (0o440, 0o640)):
        path.write_bytes(b"old")
        path.chmod(before)
        assert cli(server.url, "-o", str(path), *options).returncode == 0
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", after)
        path.chmod(0o600)


def test_name_without_room_for_that_of_a_part(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / ("a" * 250)
    result = cli(serve(always(b"new")).url, "-o", str(path))
    assert (result.returncode, os.listdir(tmp_path)) == (0, [path.name]), result.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_fail(engine: str, serve: Serve) -> None:
    url = serve(always(b"page", "404 Not Found")).url
    result = cli(url, "--engine", engine)
    assert (result.returncode, result.stdout) == (3, b"page")
    for option in ("-f", "--fail"):
        result = cli(url, option, "--engine", engine)
        assert (result.returncode, result.stdout) == (3, b"")
        assert b"server replied: Not Found (404)" in result.stderr
    assert cli(serve(always(b"page")).url, "-f").stdout == b"page"


@pytest.mark.parametrize("engine", ENGINES)
def test_checksum(engine: str, serve: Serve, tmp_path: Path) -> None:
    url, path = serve(always(b"content")).url, tmp_path / "out"
    right = f"sha256:{hashlib.sha256(b'content').hexdigest()}"
    for target in (["-o", str(path)], ["-o", "/dev/null"], []):
        assert cli(url, "--checksum", right, "--engine", engine, *target).returncode == 0
    assert path.read_bytes() == b"content"
    path.unlink()
    result = cli(url, "--checksum", f"md5:{'0' * 32}", "-o", str(path), "--engine", engine)
    assert (result.returncode, b"the md5 checksum is " in result.stderr, path.exists()) == (1, True, False)


CONTENT = bytes(range(256)) * 1000


def half_at_first(connection: Connection) -> None:
    """Stop in the middle of the first body, and send the rest in response to a range request."""
    request = connection.read_request() or b""
    asked = re.search(rb"(?i)\r\nrange: bytes=(\d+)-\r\n", request)
    size = len(CONTENT)
    if asked is not None:
        start = int(asked[1])
        fields = f'Content-Range: bytes {start}-{size - 1}/{size}\r\nETag: "1"\r\n'
        connection.respond(CONTENT[start:], "206 Partial Content", fields)
    else:
        head = f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "1"\r\n\r\n'
        connection.send(head.encode() + CONTENT[: size // 2])
        connection.wait_for_close()


@pytest.mark.parametrize("spelling", [["-C"], ["-C", "-"], ["--continue"], ["--continue-at", "-"], ["--resume"]])
def test_resume(spelling: list[str], serve: Serve, tmp_path: Path) -> None:
    server = serve(half_at_first)
    arguments = [f"{server.url}/data", "-O", "--timeout", "300ms", *spelling]
    result = cli(*arguments, cwd=tmp_path)
    assert (result.returncode, b" bytes are kept. " in result.stderr) == (2, True)
    result = cli(*arguments, cwd=tmp_path)
    assert (result.returncode, (tmp_path / "data").read_bytes()) == (0, CONTENT), result.stderr
    assert sent(server).value("Range").startswith("bytes=")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-J"], "-J can only be used with -O"),
        (["-O", "-o", "x"], "-o and -O exclude each other"),
        (["-C"], "-C can only be used with GET and -o FILE"),
        (["-C", "-o", "x", "-d", "a"], "-C can only be used with GET"),
        (["-C", "-o", "x", "--cache"], "-C can only be used with GET"),
        (["-C", "-o", "x", "-H", "Range: bytes=0-0"], "-C can only be used with GET"),
        (["-C", "-O", "-J"], "-C: . is no name of a file"),
        (["--checksum", "abc"], "--checksum: a checksum is written 'sha256:...'"),
        (["--checksum", "sha256:12"], "--checksum: a sha256 checksum has 64 hexadecimal digits"),
        (["-I", "-O"], "the response to HEAD has no body"),
        (["-I", "-J"], "the response to HEAD has no body"),
    ],
)
def test_wrong_usage(arguments: list[str], text: str, tmp_path: Path) -> None:
    result = cli(URL, *arguments, cwd=tmp_path)
    assert (result.returncode, text in result.stderr.decode()) == (64, True), result.stderr
    assert not list(tmp_path.iterdir())


def test_list_to_standard_output(tmp_path: Path) -> None:
    result = cli("get", "--from", "-", "-o", "-", input=b"", cwd=tmp_path)
    assert (result.returncode, list(tmp_path.iterdir())) == (64, [])
    assert b"--from needs a folder for -o" in result.stderr


def test_url_without_file_name(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:1", "http://127.0.0.1:1/folder/", "http://127.0.0.1:1/..", "http://["):
        result = cli("-O", url, cwd=tmp_path)
        assert (result.returncode, b"-O: the URL ends without a file name" in result.stderr) == (64, True)


def broken(*names: bytes) -> Handler:
    """Return a handler that answers with the path of the URL, and 404 for some paths."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            path = request.split(b" ")[1]
            is_named = path.startswith(b"/named")
            fields = "Content-Disposition: attachment; filename=server.txt\r\n" if is_named else ""
            connection.respond(path, "404 Not Found" if path in names else "200 OK", fields)

    return handle


def paths(requests: list[bytes]) -> list[str]:
    return sorted(request.split(b" ")[1].decode() for request in requests)


@pytest.mark.parametrize("engine", ENGINES)
def test_list_is_resumed(engine: str, serve: Serve, tmp_path: Path) -> None:
    wrong = broken(b"/a1", b"/x/same", b"/a7", b"/named2")
    first, second = serve(wrong), serve(broken())
    names = [f"a{number}" for number in range(10)] + ["x/same", "y/same", "named1", "named2"]
    urls, folder = tmp_path / "urls", tmp_path / "out"

    def run(url: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        urls.write_text("".join(f"  # a comment\n{url}/{name}\n" for name in names))
        return cli("get", "--from", str(urls), "-o", str(folder), "--engine", engine, *options)

    result = run(first.url)
    failed = re.findall(r"/((?:x/)?\w+) - server replied: Not Found \(404\)", result.stderr.decode())
    assert (result.returncode, failed) == (3, ["a1", "a7", "x/same", "named2"]), result.stderr
    assert result.stderr.splitlines()[-1].startswith(b"10 of 14 files, ")
    before = len(first.requests)
    result = run(first.url, "--resume")
    assert (result.returncode, paths(first.requests[before:])) == (3, ["/a1", "/a7", "/named2", "/x/same"])
    assert sorted(os.listdir(folder))[1:] == sorted(
        [*(name for name in names if name[0] == "a" and name not in ("a1", "a7")), "same", "server.txt"]
    )
    assert result.stderr.splitlines()[-1].endswith(b" 4 ServerExceptionError; 10 were there before")
    # The URLs of another server have other files, also if their names are the same.
    result = run(second.url, "--resume")
    assert (result.returncode, result.stderr) == (0, b"")
    assert paths(second.requests) == sorted(f"/{name}" for name in names)
    before = len(second.requests)
    names.reverse()
    assert (run(second.url, "-C").returncode, len(second.requests)) == (0, before)
    (folder / "a7").unlink()
    assert run(second.url, "-C").returncode == 0
    assert paths(second.requests[before:]) == ["/a7"]


def test_list_leaves_its_files_and_a_record(serve: Serve, tmp_path: Path) -> None:
    server = serve(broken())
    lines = f"127.0.0.1:{server.port}/a\n{server.url}/b\n".encode()
    options = ["get", "--from", "-", "-o", str(tmp_path / "out"), "-u", "ann:x", "-q", "t=1", "-H", "X-A: 1"]
    assert cli(*options, input=lines).returncode == 0
    assert sorted(os.listdir(tmp_path / "out")) == [".blocking-request.json", "a", "b"]
    assert "127.0.0.1" not in (tmp_path / "out" / ".blocking-request.json").read_text()
    assert paths(server.requests) == ["/a?t=1", "/b?t=1"]
    for index in (0, 1):
        assert sent(server, index).value("X-A") == "1" and "authorization" in sent(server, index).fields
    assert cli(*options, "-C", input=lines).returncode == 0 and len(server.requests) == 2
    # Another parameter makes other URLs.
    assert cli(*options, "-C", "-q", "t=2", input=lines).returncode == 0 and len(server.requests) == 4


def test_files_of_another_program_count(serve: Serve, tmp_path: Path) -> None:
    server = serve(broken())
    (tmp_path / "a").write_text("by another program")
    lines = f"{server.url}/a\n{server.url}/b\n".encode()
    options = ["get", "--from", "-", "-o", str(tmp_path), "-C"]
    for _ in range(2):
        assert cli(*options, input=lines).returncode == 0
    assert (paths(server.requests), (tmp_path / "a").read_text()) == (["/b"], "by another program")


def test_file_that_another_url_has_replaced(tmp_path: Path) -> None:
    """A record of a deleted file must not name the file that has got its name."""
    (tmp_path / "a").touch()
    record = DownloadRecord(tmp_path, ["http://x/a"])
    record.add("http://x/a", str(tmp_path / "a"))
    record.save()
    other = DownloadRecord(tmp_path, ["http://y/a", "http://x/a"])
    assert other.missing() == ["http://y/a"]
    other.add("http://y/a", str(tmp_path / "a"))
    other.save()
    assert DownloadRecord(tmp_path, ["http://y/a", "http://x/a"]).missing() == ["http://x/a"]


def test_list_is_retried(serve: Serve, tmp_path: Path) -> None:
    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"x", "503 Busy" if len(connection.server.requests) == 1 else "200 OK")

    server = serve(handle)
    options = ["--from", "-", "-o", str(tmp_path), "--retry", "1", "--retry-delay", "0"]
    assert cli("get", *options, input=f"{server.url}/a".encode()).returncode == 0
    assert (len(server.requests), sorted(os.listdir(tmp_path))[1:]) == (2, ["a"])


def test_wrong_url_in_a_list(serve: Serve, tmp_path: Path) -> None:
    server = serve(broken())
    lines = f"http://[\n# b\nhttp://a b/\n{server.url}/a\nhttp:///x\n".encode()
    result = cli("get", "--from", "-", "-o", str(tmp_path), "-C", input=lines)
    assert (result.returncode, sorted(os.listdir(tmp_path))[1:]) == (1, ["a"])
    texts = [
        "Line 1 of --from: The URL is not valid",
        "Line 3 of --from: The URL is not valid",
        'Host "" not found',
        "1 of 4 files",
    ]
    assert [text in line for text, line in zip(texts, result.stderr.decode().splitlines())] == [True] * 4


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"x": 1}', "\x00"])
def test_damaged_record(content: str, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / ".blocking-request.json").write_text(content)
    server = serve(broken())
    options = ["get", "--from", "-", "-o", str(tmp_path), "-C"]
    assert cli(*options, input=f"{server.url}/a\n{server.url}/named\n".encode()).returncode == 0
    assert sorted(os.listdir(tmp_path)) == [".blocking-request.json", "a", "server.txt"]


def test_ctrl_c_keeps_the_record(serve: Serve, tmp_path: Path) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.startswith((b"GET /slow", b"GET /last")):
                connection.wait_for_close()
                return
            connection.respond(b"x", headers="Content-Disposition: attachment; filename=server.txt\r\n")

    server = serve(handle)
    urls, folder = tmp_path / "urls", tmp_path / "out"
    urls.write_text("".join(f"{server.url}/{name}\n" for name in ("named", "slow", "next", "last")))
    options = ["get", "--from", str(urls), "-o", str(folder)]
    command = [*PROGRAM, *options, "--jobs", "2", "-w", "%{url}\n"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline().endswith(b"/named\n")  # the file is noted
    os.kill(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30)[1] == b"Interrupted\n" and process.returncode == -signal.SIGINT
    quick = serve(echo)
    urls.write_text(f"{server.url}/named\n{quick.url}/slow\n")
    before = len(server.requests)
    assert (cli(*options, "-C").returncode, len(server.requests)) == (0, before)


def endless(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
    piece = b"x" * 1_000_000
    with suppress(OSError):
        while True:
            connection.sock.sendall(piece)


MEMORY = """
import resource, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
got = 0
while got < 200_000_000 and (piece := child.stdout.read(1_000_000)):
    got += len(piece)
child.stdout.close()
child.wait(60)
print(child.returncode, got, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss")
@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--engine", "python"], 141),
        (["--engine", "qt"], 141),
        (["--engine", "python", "-f"], 3),
        (["--engine", "qt", "-o", "file"], 3),
    ],
)
def test_endless_error(options: list[str], status: int, serve: Serve, tmp_path: Path) -> None:
    """Its body is not collected in memory. If it is not wanted, only its beginning is read."""
    command = [*PROGRAM, serve(endless).url, *options]
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, *command], capture_output=True, timeout=60, check=False, cwd=tmp_path
    )
    code, got, kilobytes = map(int, result.stdout.split())
    assert (code, got) == (status, 200_000_000 if status == 141 else 0)
    assert kilobytes < 150_000 and not list(tmp_path.iterdir())


def test_error_body_keeps_the_connection(serve: Serve) -> None:
    """The body of a challenge, or of a response that is tried again, is read, so that the connection can be used."""

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.respond(b"why", "401 Unauthorized", 'WWW-Authenticate: Digest realm="r", nonce="n"\r\n')
        connection.read_request()
        connection.respond(b"busy", "503 Busy")
        connection.read_request()
        connection.respond(b"gone", "404 Not Found")

    server = serve(handle)
    options = ["-u", "a:b", "--digest", "--retry", "1", "--retry-delay", "0", "--engine", "python"]
    result = cli(server.url, *options)
    assert (result.returncode, result.stdout, len(server.requests)) == (3, b"gone", 3)

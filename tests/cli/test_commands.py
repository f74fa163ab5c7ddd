"""The command line, run in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from blocking_request.qt.binding import API, QT_VERSION, QtCore, has_tls

from ..support.command_line import PROGRAM, cli
from ..support.names import Serve
from ..support.servers.raw import Connection, always, echo, silence
from ..support.servers.tls import TlsServer
from ..support.waiting import eventually

pytest.importorskip("click")
pytest.importorskip("rich")


@pytest.mark.parametrize("verb", ["get", "delete"])
def test_verbs(verb: str, httpbin: str) -> None:
    result = cli(verb, f"{httpbin}/anything")
    assert result.returncode == 0, result.stderr
    assert f'"method": "{verb.upper()}"'.encode() in result.stdout


@pytest.mark.parametrize("verb", ["post", "put", "patch"])
def test_verbs_with_data(verb: str, serve: Serve, tmp_path: Path) -> None:
    server = serve(echo)
    path = tmp_path / "data"
    path.write_bytes(b"from a file \x00\xff")
    assert cli(verb, server.url, "-d", "text").stdout.endswith(b"\r\n\r\ntext")
    assert cli(verb, server.url, "--data", f"@{path}").stdout.endswith(b"\r\n\r\nfrom a file \x00\xff")
    assert cli(verb, server.url, "-d", "@-", input=b"piped").stdout.endswith(b"\r\n\r\npiped")
    assert cli(verb, server.url).stdout.endswith(b"\r\n\r\n")


def test_request_with_any_verb(serve: Serve) -> None:
    server = serve(echo)
    result = cli("request", "PROPFIND", server.url, "-H", "Depth: 1", "-H", "X-Empty:", "-d", "<a/>")
    assert result.stdout.startswith(b"PROPFIND / HTTP/1.1\r\n")
    assert b"epth: 1\r\n" in result.stdout and result.stdout.endswith(b"<a/>")


def test_header_that_is_given_twice(serve: Serve) -> None:
    result = cli("get", serve(echo).url, "-H", "X-A: 1", "-H", "x-a: 2", "-H", "Cookie: a=1", "-H", "Cookie: b=2")
    assert b"x-a: 1, 2\r\n" in result.stdout.lower() and b"cookie: a=1; b=2\r\n" in result.stdout.lower()
    result = cli("get", "http://127.0.0.1:1/", "-H", "Content-Type: a/b", "-H", "Content-Type: c/d")
    assert result.returncode == 64 and b"given twice, and it can have one value only" in result.stderr


def test_head_shows_status_line_and_headers(serve: Serve) -> None:
    fields = "X-Name: one\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
    server = serve(always(headers=fields))
    expected = b"http/1.1 200 ok\ncontent-length: 0\n" + fields.replace("\r", "").lower().encode() + b"\n"
    result = cli("head", server.url)
    # Qt 6 converts the names of headers to lower case.
    assert (result.returncode, result.stdout.lower(), result.stderr) == (0, expected, b"")
    assert cli("request", "HEAD", server.url).stdout.lower() == expected
    missing = cli("head", serve(always(status="404 Not Found")).url)
    assert (missing.returncode, missing.stdout.lower()) == (3, b"http/1.1 404 not found\ncontent-length: 0\n\n")


def test_output_file(httpbin: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    result = cli("get", f"{httpbin}/bytes/1000?seed=1", "-o", str(path))
    assert (result.returncode, result.stdout, path.stat().st_size) == (0, b"", 1000)


def test_exit_status_is_the_error_code(serve: Serve) -> None:
    missing = serve(always(b"why", "404 Not Found"))
    result = cli("get", missing.url)
    assert (result.returncode, result.stdout) == (3, b"why")
    assert result.stderr.decode().strip() == f"Error transferring {missing.url} - server replied: Not Found (404)"
    assert cli("get", "http://127.0.0.1:1/").returncode == 1
    silent = serve(silence)
    result = cli("get", silent.url, "--timeout", "200ms")
    assert (result.returncode, b"no data moved for 200 ms" in result.stderr) == (2, True)
    result = cli("get", silent.url, "--deadline", "200ms")
    assert (result.returncode, b"deadline of 200 ms" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["get"], 64, "Missing argument 'URL'"),
        (["get", "http://h/", "--timeout", "soon"], 64, "'soon' is not a time: write 5 or 0.5 (seconds), 500ms or 2m"),
        (["head"], 64, "Missing argument 'URL'"),
        (["request", "http://h/"], 64, "Missing argument 'METHOD'"),
        (["request", "TRACE"], 64, "Missing argument 'URL'"),
        (
            ["get", "http://h/", "-H", "no colon"],
            64,
            "-H: a header is written 'NAME: VALUE', and one has no colon",
        ),
        (["post", "http://h/", "-d", "@/no/such/file"], 74, "No such file or directory"),
        (["get", "ftp://example.test/"], 1, "the URL must begin with http:// or https://"),
        (["nonsense"], 64, "No such command 'nonsense'"),
    ],
)
def test_wrong_usage(arguments: list[str], status: int, message: str) -> None:
    result = cli(*arguments)
    assert result.returncode == status
    assert message in result.stderr.decode()


@pytest.mark.parametrize("arguments", [[], ["cache"]])
def test_no_command(arguments: list[str]) -> None:
    result = cli(*arguments)
    told = result.stderr.decode()
    assert (result.returncode, result.stdout) == (64, b"")
    assert told.startswith("Usage: ") and "\nCommands:\n" in told


def test_https_prints_only_the_error() -> None:
    """A warning of PyPI's PyQt5 about OpenSSL is suppressed."""
    for arguments in ([], ["-H", "X-A: b"], ["-k"]):
        result = cli("get", "https://127.0.0.1:1/", *arguments)
        assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)


def test_output_that_cannot_be_written(serve: Serve) -> None:
    server = serve(always(b"x"))
    result = cli("get", server.url, "-o", "/no/such/folder/file")
    assert result.returncode == 74
    assert b"The folder /no/such/folder does not exist" in result.stderr


def test_verbose(httpbin: str) -> None:
    host = httpbin.partition("//")[2]
    url = f"http://user:hunter2@{host}/redirect-to?url=/cookies/set%3Fsid%3Dhunter2"
    result = cli("get", "-v", url, "-H", "X-Api-Key: hunter2", "-H", "X-Shown: yes")
    told = result.stderr.decode().lower()
    assert result.returncode == 0
    request_line = "> get /redirect-to?url=/cookies/set%3fsid%3dhunter2 http/1.1"
    for line in (request_line, f"> host: {host}", "> x-shown: yes", "< http/1.1 302 found", "< http/1.1 200 ok"):
        assert line in told
    assert told.count("> get ") == 3 and told.count(" ms over python") == 3
    secret = [line for line in told.splitlines() if line.startswith(("> authorization", "> x-api-key", "< set-cookie"))]
    assert len(secret) == 7
    assert all("***" in line and "hunter2" not in line for line in secret)


def test_status_without_file(serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "data")
    result = cli("get", serve(always(b"a or b", "300 Multiple Choices")).url, "-o", path)
    assert (result.returncode, b"No file was written: the server answered 300" in result.stderr) == (3, True)
    result = cli("get", serve(always(b"", "304 Not Modified")).url, "-o", path, "-H", 'If-None-Match: "1"')
    assert (result.returncode, result.stderr, list(tmp_path.iterdir())) == (0, b"", [])


def test_file_in_a_folder(serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"x", headers="Content-Disposition: attachment; filename=named.txt\r\n"))
    result = cli("get", f"{server.url}/path", "-o", str(tmp_path), "-v")
    assert (result.returncode, result.stdout) == (0, b"")
    assert (tmp_path / "named.txt").read_bytes() == b"x"
    assert f"* written to {tmp_path / 'named.txt'}".encode() in result.stderr


def test_body_is_written_while_it_arrives(serve: Serve) -> None:
    """The server sends the second event when the first one has been written."""
    shown = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n")
        assert shown.wait(20)
        connection.send(b"data: 2\n\n")

    for engine in ("qt", "python"):
        shown.clear()
        command = [*PROGRAM, "get", serve(handle).url, "--engine", engine]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 100) == b"data: 1\n\n"
        shown.set()
        assert (process.communicate(timeout=30)[0], process.returncode) == (b"data: 2\n\n", 0)


CONTENT = bytes(range(256)) * 1000


def half_at_first(connection: Connection) -> None:
    """Stop in the middle of the first body, and send the rest in response to a range request."""
    request = connection.read_request()
    asked = re.search(rb"(?i)\r\nrange: bytes=(\d+)-\r\n", request or b"")
    if asked is not None:
        start, size = int(asked[1]), len(CONTENT)
        fields = f'Content-Range: bytes {start}-{size - 1}/{size}\r\nETag: "1"\r\n'
        connection.respond(CONTENT[start:], "206 Partial Content", fields)
    else:
        head = f'HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\nETag: "1"\r\n\r\n'
        connection.send(head.encode() + CONTENT[: len(CONTENT) // 2])
        connection.wait_for_close()


def test_ctrl_c_keeps_the_partial_download(serve: Serve, tmp_path: Path) -> None:
    server = serve(half_at_first)
    path, part = tmp_path / "data", tmp_path / "data.part"
    path.write_bytes(b"precious")
    arguments = ["get", server.url, "-o", str(path)]
    process = subprocess.Popen([*PROGRAM, *arguments], stderr=subprocess.PIPE)
    assert eventually(lambda: part.exists() and part.stat().st_size > 0, timeout=20)
    os.kill(process.pid, signal.SIGINT)
    told = process.communicate(timeout=30)[1].decode()
    assert (process.returncode, path.read_bytes()) == (-signal.SIGINT, b"precious")
    assert re.fullmatch(r"\d+ bytes are kept\. Run the same command again to continue\.\nInterrupted\n", told), told
    assert (cli(*arguments).returncode, path.read_bytes()) == (0, CONTENT)
    assert list(tmp_path.iterdir()) == [path]
    assert b"ange: bytes=" in server.requests[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_as_ctrl_c_does(number: int, serve: Serve, tmp_path: Path) -> None:
    """Temporary files are deleted; the first signal of ``timeout`` comes twice."""
    server, folder = serve(half_at_first), tmp_path / "folder"
    (tmp_path / "urls").write_text(server.url)
    arguments = ["get", "--from", str(tmp_path / "urls"), "-o", str(folder)]
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, number, signal.SIG_DFL),  # nohup, which may run the tests, ignores SIGHUP
    )
    assert eventually(lambda: folder.exists() and len(list(folder.iterdir())) == 1, timeout=20)
    os.kill(process.pid, number)
    os.kill(process.pid, number)
    assert process.communicate(timeout=30)[1] in (b"Terminated\n", b"")
    assert (process.returncode, list(folder.iterdir())) == (-number, [])


def test_timeout_keeps_the_partial_download(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "data"
    arguments = ["get", serve(half_at_first).url, "-o", str(path), "--timeout", "0.3"]
    result = cli(*arguments)
    assert (result.returncode, b" bytes are kept. " in result.stderr, path.exists()) == (2, True, False)
    assert (cli(*arguments).returncode, path.read_bytes()) == (0, CONTENT)


def test_part_file_of_another_program_is_kept(serve: Serve, tmp_path: Path) -> None:
    other = tmp_path / "data.part"
    other.write_bytes(b"of a browser")
    assert cli("get", serve(always(b"new")).url, "-o", str(tmp_path / "data")).returncode == 0
    assert ((tmp_path / "data").read_bytes(), other.read_bytes()) == (b"new", b"of a browser")


def test_range_header_is_sent(serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"x", "206 Partial Content", "Content-Range: bytes 0-0/9\r\n"))
    path = tmp_path / "data"
    assert cli("get", server.url, "-H", "Range: bytes=0-0", "-o", str(path)).returncode == 0
    assert (path.read_bytes(), b"ange: bytes=0-0\r\n" in server.requests[0]) == (b"x", True)


def test_verbose_hides_secrets_in_headers(serve: Serve) -> None:
    fields = (
        "Location: http://user:hunter2@127.0.0.1:1/next?a=1&token=hunter2#access_token=hunter2\r\n"
        "Content-Location: /here?password=hunter2\r\n"
        "X-Next: //user:with hunter2@h/\r\n"
        "Link: <https://user:hunter2@h/?api_key=hunter2>; rel=next, </x?sig=hunter2>\r\n"
        "Refresh: 5; url=http://h/?key=hunter2\r\n"
        "Set-Cookie: sid=hunter2\r\n"
        "X-Title: \x1b]0;title\x07\r\n"
    )
    result = cli("get", "-v", serve(always(status="302 \x1b[31mFound", headers=fields)).url)
    told = result.stderr.decode()
    assert (result.returncode, "hunter2" in told, "\x1b" in told, "\x07" in told) == (1, False, False, False)
    assert "< Location: http://127.0.0.1:1/next?a=1&token=***#access_token=***\n" in told
    assert "< Link: <https://h/?api_key=***>; rel=next, </x?sig=***>\n" in told


def test_locales_and_a_bare_environment(serve: Serve, tmp_path: Path) -> None:
    """Without HOME and PATH, and with bytes that are not UTF-8: file names and headers keep their bytes."""
    server = serve(echo)
    name = os.fsencode(str(tmp_path)) + b"/caf\xe9"
    for locale in ({}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}):
        own = {key: os.environ[key] for key in ("PYTHONPATH", "QT_API") if key in os.environ}
        command = [os.fsencode(sys.executable), b"-m", b"blocking_request", b"get", server.url.encode(), b"-v"]
        command += [b"-H", b"X-Bytes: caf\xe9 \xc3\xa9", b"-o", name]
        result = subprocess.run(command, capture_output=True, timeout=60, check=False, env={**own, **locale})
        assert result.returncode == 0, result.stderr
        assert b": caf\xe9 \xc3\xa9\r\n" in Path(os.fsdecode(name)).read_bytes()
        assert b"written to" in result.stderr
    result = subprocess.run(
        [*PROGRAM, "info"],
        capture_output=True,
        timeout=60,
        check=False,
        env={**own, "PYTHONIOENCODING": "ascii"},
    )
    assert (result.returncode, b"blocking-request" in result.stdout) == (0, True), result.stderr


def test_closed_streams(serve: Serve, tmp_path: Path) -> None:
    """Output for a closed stream must not get into a file or socket that has the same descriptor."""
    server = serve(always(b"x" * 100_000))
    path = tmp_path / "out"
    run = [*PROGRAM, "get", server.url, "-v"]
    for streams in (">&-", "2>&-", "<&- >&- 2>&-"):
        script = f'exec "$@" {streams}'
        result = subprocess.run(["sh", "-c", script, "sh", *run, "-o", str(path)], timeout=60, check=False)
        assert (result.returncode, path.read_bytes()) == (0, b"x" * 100_000)
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *run[:-1]], capture_output=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (74, b"Standard output cannot be written: Bad file descriptor\n")
    post = [*run[:3], "post", server.url, "-d", "@-"]
    result = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *post], capture_output=True, timeout=60, check=False)
    assert (result.returncode, b"Standard input cannot be read" in result.stderr) == (74, True)
    assert len(server.requests) == 4


def test_exit_statuses_are_in_every_help() -> None:
    from click.testing import CliRunner

    from blocking_request.cli.commands import commands

    names = [[], *([name] for name in commands.commands), ["cache", "info"], ["cache", "clear"]]
    for name in names:
        told = CliRunner().invoke(commands, [*name, "--help"]).output
        assert "  74  a file or standard output cannot be read or written\n" in told


def test_ctrl_c(serve: Serve) -> None:
    server = serve(silence)
    process = subprocess.Popen([*PROGRAM, "get", server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    server.wait_for_requests(1)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (-signal.SIGINT, b"Interrupted\n")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_ctrl_c_ends_a_loop_of_the_shell(serve: Serve) -> None:
    """bash goes on with the loop if the program exits with a status of its own."""
    server = serve(silence)
    script = f"while true; do {shlex.join([sys.executable, '-m', 'blocking_request', server.url])}; done"
    process = subprocess.Popen(["bash", "-c", script], start_new_session=True, stderr=subprocess.PIPE)
    server.wait_for_requests(1)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr, len(server.requests)) == (-signal.SIGINT, b"Interrupted\n", 1)


def test_info() -> None:
    result = cli("info", env={**os.environ, "COLUMNS": "80"})
    told = result.stdout.decode()
    assert result.returncode == 0
    for part in (API, str(QtCore.qVersion()), "http://", "https://", "requests", "urllib3", "gzip", "OpenSSL"):
        assert part in told
    for name in ("h2", "socksio"):
        assert version(name) in next(line for line in told.splitlines() if f"{name} (" in line)
    assert "…" not in told and max(map(len, told.splitlines())) <= 80
    assert "BLOCKING_REQUEST_ENGINE is not set" in told
    assert ("not usable here" in told) is not has_tls()


def test_info_shows_the_engine_of_auto() -> None:
    from blocking_request.cli.info import decisions

    table = {row[0]: row[1:] for row in decisions()}
    body, secure = "python" if QT_VERSION < (6,) else "qt", "qt" if has_tls() else "python"
    taken = {what: row[0] for what, row in table.items()}
    assert taken == {
        "http://": "qt",
        "http://, in a batch or a QHttp": "python",
        "http://, download or stream": "python",
        "http://, with a cache": "python",
        "http://, with a body": body,
        "https://": secure,
        "https://, with a body": body if has_tls() else "python",
        "file:, data:, qrc:": "qt",
        "in a program without an application": "python",
    }
    assert table["https://"][1].startswith("yes" if has_tls() else "no: SSL handshake failed: this Qt")
    assert table["file:, data:, qrc:"][2].startswith("no: The python engine cannot read")


@pytest.mark.parametrize("engine", ["auto", "qt", "python"])
def test_engine(engine: str, httpbin: str) -> None:
    result = cli("get", "-v", f"{httpbin}/get", "--engine", engine)
    assert result.returncode == 0
    # A body is streamed to standard output; for streams, auto takes the python engine.
    assert f"over {'python' if engine == 'auto' else engine}".encode() in result.stderr
    assert b"\n< HTTP/1.1 200 OK\n" in result.stderr
    assert b"first byte after " in result.stderr and (engine == "qt" or b"\n* connect " in result.stderr)


def encrypted_key(client: trustme.LeafCert) -> bytes:
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"s3cret"))


def encrypted_pkcs12(client: trustme.LeafCert) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        None,
        serialization.load_pem_private_key(client.private_key_pem.bytes(), None),  # type: ignore[arg-type]
        x509.load_pem_x509_certificate(client.cert_chain_pems[0].bytes()),
        None,
        serialization.BestAvailableEncryption(b"s3cret"),
    )


def test_tls_options(tmp_path: Path) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"), trusts=authority)
    ca, mine, key = (str(tmp_path / name) for name in ("ca.pem", "mine.pem", "key.pem"))
    authority.cert_pem.write_to_path(ca)
    client = authority.issue_cert("me@home.test")
    client.cert_chain_pems[0].write_to_path(mine)
    client.private_key_pem.write_to_path(key)
    result = cli("get", server.url)
    assert (result.returncode, b"SSL handshake failed" in result.stderr) == (1, True)
    assert cli("get", server.url, "-k").stdout == b"secret"
    result = cli("get", "-v", server.url, "--cacert", ca, "--cert", mine, "--key", key)
    assert (result.returncode, result.stdout) == (0, b"secret")
    assert b", TLSv1.3 TLS_AES_256_GCM_SHA384" in result.stderr
    assert server.client_names == ["me@home.test"]
    pkcs12_file = tmp_path / "mine.p12"
    pkcs12_file.write_bytes(
        pkcs12.serialize_key_and_certificates(
            None,
            serialization.load_pem_private_key(client.private_key_pem.bytes(), None),  # type: ignore[arg-type]
            x509.load_pem_x509_certificate(client.cert_chain_pems[0].bytes()),
            None,
            serialization.NoEncryption(),
        )
    )
    assert cli("get", server.url, "--cacert", ca, "--cert", str(pkcs12_file)).stdout == b"secret"
    assert server.client_names == ["me@home.test"] * 2
    pkcs12_file.write_bytes(encrypted_pkcs12(client))
    (tmp_path / "key-with-password.pem").write_bytes(encrypted_key(client))
    (tmp_path / "urls").write_text(server.url)
    for options in (["--cert", str(pkcs12_file)], ["--cert", mine, "--key", str(tmp_path / "key-with-password.pem")]):
        many = ["--from", str(tmp_path / "urls"), "-o", str(tmp_path / "folder")]
        for more in ([server.url], [server.url, "-v"], many):
            result = cli("get", *more, "--cacert", ca, *options)
            assert result.returncode == 1 and b"keyPassword" not in result.stderr
            assert b"its password is missing or wrong: give it with --pass or --cert FILE:PASSWORD" in result.stderr
    result = cli("get", server.url, "--key", key)
    assert (result.returncode, b"--key can only be used with --cert" in result.stderr) == (64, True)
    result = cli("get", server.url, "--cacert", "/no/such.pem")
    assert (result.returncode, b"/no/such.pem' cannot be read: No such file" in result.stderr) == (74, True)
    server.close()


def test_message_if_click_is_missing() -> None:
    program = "import sys; sys.modules['click'] = None; from blocking_request.__main__ import main; main()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert result.returncode == 1
    assert b"python3 -m pip install 'blocking-request[cli]'" in result.stderr


def test_cache_options(serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"page", headers="Cache-Control: max-age=1000\r\n"))
    own = {"env": {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}}

    def get(*options: str) -> tuple[int, bytes, bool]:
        result = cli("get", "-v", *options, server.url, **own)
        return result.returncode, result.stdout, b"* from the cache" in result.stderr

    assert get("--offline") == (1, b"", False)
    assert get() == (0, b"page", False) and get("--cache") == (0, b"page", False)
    assert len(server.requests) == 2
    for option in ("--cache", "--offline"):
        assert get(option) == (0, b"page", True)
    assert get("--refresh") == (0, b"page", False)
    assert len(server.requests) == 3
    shown = cli("cache", "info", **own)
    assert (shown.returncode, b": 1 entries, " in shown.stdout) == (0, True)
    assert str(tmp_path).encode() in shown.stdout
    assert cli("cache", "clear", **own).returncode == 0
    assert b": 0 entries, 0 of " in cli("cache", "info", **own).stdout
    assert get("--offline") == (1, b"", False)
    wrong = cli("get", "--refresh", "--offline", server.url, **own)
    assert wrong.returncode == 64 and b"give one of them" in wrong.stderr


def test_unusable_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    result = cli("cache", "info", env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")})
    assert result.returncode == 74 and b"is disabled" in result.stderr


def test_get_from_a_list(serve: Serve, tmp_path: Path) -> None:
    def handle(connection: Connection) -> None:
        while True:
            request = connection.read_request()
            if request is None:
                return
            path = request.split(b" ")[1]
            connection.respond(path, "404 Not Found" if path == b"/none" else "200 OK")

    server = serve(handle)
    names = [f"tile{number}" for number in range(50)]
    (tmp_path / "urls.txt").write_text(
        "# tiles\n  # an indented comment\n" + "".join(f"{server.url}/{name}\n\n" for name in names)
    )
    result = cli("get", "--from", str(tmp_path / "urls.txt"), "-o", str(tmp_path / "new" / "out"), "--jobs", "8")
    # If standard error is not a terminal, only errors are reported.
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    found = {path.name: path.read_text() for path in (tmp_path / "new" / "out").iterdir() if path.name[0] != "."}
    assert found == {name: f"/{name}" for name in names}
    result = cli("get", "--from", "-", "-o", str(tmp_path / "out"), input=f"{server.url}/none\n{server.url}/a".encode())
    assert result.returncode == 3
    assert b"server replied: Not Found" in result.stderr and b"1 of 2 files" in result.stderr
    assert b"1 ServerExceptionError" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir())[1:] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], b"(or --from FILE)"),
        (["http://a/", "--jobs", "2"], b"--jobs can only be used with --from"),
        (["http://a/", "--from", "-", "-o", "x"], b"not both"),
        (["--from", "-"], b"needs -o FOLDER"),
        (["--from", "-", "-o", "x", "-v"], b"cannot be used with --from"),
    ],
)
def test_wrong_usage_of_from(arguments: list[str], text: bytes, tmp_path: Path) -> None:
    result = cli("get", *arguments, input=b"", cwd=tmp_path)
    assert result.returncode == 64 and text in result.stderr
    assert list(tmp_path.iterdir()) == []

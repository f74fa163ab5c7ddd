"""The options of authentication and of proxies."""

from __future__ import annotations

import base64
import os
import pty
import select
from pathlib import Path
from typing import Any

import pytest

from blocking_request.cli.options.groups import call_setup_of
from blocking_request.qt.binding import QtCore

from ..support.command_line import PROGRAM, cli, sent
from ..support.names import ENGINES, Serve
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import Connection, always, asking

pytest.importorskip("click")
pytest.importorskip("rich")

URL = "http://127.0.0.1:1/"


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("engine", ENGINES)
def test_user_and_password(engine: str, serve: Serve) -> None:
    server = serve(always(b"ok"))
    for given in ("ann:hunter2", "ann:", "ann:a:b", "\u00e9:\u00e9"):
        assert cli(server.url, "-u", given, "--engine", engine).returncode == 0
        assert sent(server).value("Authorization") == basic(given)
    assert cli(server.url, "--bearer", "tok.en", "--engine", engine).returncode == 0
    assert sent(server).value("Authorization") == "Bearer tok.en"


@pytest.mark.parametrize("engine", ENGINES)
def test_digest(engine: str, serve: Serve) -> None:
    server = serve(asking('Digest realm="r", nonce="n", qop="auth"'))
    assert cli(server.url, "-u", "ann:hunter2", "--digest", "--engine", engine).stdout == b"welcome"
    assert "authorization" not in sent(server, 0).fields
    assert sent(server).value("Authorization").startswith('Digest username="ann"')


def test_netrc(serve: Serve, tmp_path: Path) -> None:
    server, file = serve(always(b"ok")), tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login ann password hunter2\n")
    file.chmod(0o600)
    own = {"env": {**os.environ, "NETRC": str(file)}}
    assert cli(server.url, **own).returncode == 0 and "authorization" not in sent(server).fields
    for options in (["--netrc"], ["-n"], ["--netrc-file", str(file)]):
        assert cli(server.url, *options, **own).returncode == 0
        assert sent(server).value("Authorization") == basic("ann:hunter2")
    assert cli(server.url, "-n", "-u", "bob:x", **own).returncode == 0
    assert sent(server).value("Authorization") == basic("bob:x")


def test_password_stays_at_its_origin(serve: Serve) -> None:
    other = serve(always(b"other"))
    server = serve(always(status="302 Found", headers=f"Location: {other.url}/\r\n"))
    for options in (["-u", "ann:hunter2"], ["--bearer", "hunter2"]):
        assert cli(server.url, *options).stdout == b"other"
        assert "authorization" in sent(server).fields and "authorization" not in sent(other).fields


def test_refused_credentials(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login ann password hunter2")
    server = serve(always(b"", "401 No"))
    for options, advice in (
        (["-u", "ann:hunter2"], b": check the user and the password of -u\n"),
        (["--bearer", "hunter2"], b": check the token of --bearer\n"),
        (["--netrc-file", str(tmp_path / "netrc")], b": check the entry of this host in the netrc file\n"),
        ([], b")\n"),
    ):
        result = cli(server.url, *options)
        assert result.returncode == 3 and result.stderr.endswith(advice) and b"hunter2" not in result.stderr


def test_password_is_not_shown(serve: Serve, tmp_path: Path) -> None:
    server, har = serve(always(b"ok")), tmp_path / "calls.har"
    for options in (["-u", "ann:hunter2"], ["--bearer", "hunter2"], ["-b", "sid=hunter2"]):
        result = cli(server.url, "-v", "--har", str(har), *options)
        assert result.returncode == 0 and b"hunter2" not in result.stderr + har.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-u", "ann"], "-u: the password is missing, and there is no terminal to ask for it"),
        (["--digest"], "--digest can only be used with -u"),
        (["-u", "a:hunter2", "--bearer", "hunter2"], "-u and --bearer exclude each other"),
        (["--bearer", ""], "must not be empty"),
        (["--bearer", "hunter2\n"], "must not hold a line end"),
        (["-u", "a:hunter2\r"], "must not hold a line end"),
        (["-u", "a:hunter2\udcff"], "the value of -u is not UTF-8 text"),
        (["--bearer", "hunter2\udcff"], "the value of --bearer is not UTF-8 text"),
        (["-U", "a:hunter2"], "-U can only be used with -x"),
        (["-x", "ftp://a:hunter2@h:1/"], "-x: a proxy is spoken to by"),
        (["-x", "a:hunter2@h"], "names no port"),
        (["-x", "http://h:99999"], "-x: "),
        (["-x", "h:1", "-U", "ann"], "-U: the password is missing"),
    ],
)
def test_wrong_usage(arguments: list[str], text: str) -> None:
    result = cli(URL, *arguments, start_new_session=True)
    assert (result.returncode, text in result.stderr.decode()) == (64, True), result.stderr
    assert b"hunter2" not in result.stderr and b"Traceback" not in result.stderr


def answered_on_a_terminal(answer: bytes, *arguments: str, status: int = 0) -> bytes:
    """Run the command with a terminal, which is asked for a password. Return the text on the terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(PROGRAM[0], [*PROGRAM, *arguments])
    shown = b""
    while True:
        if not select.select([terminal], [], [], 30)[0]:
            break
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        shown += piece
        if answer and b"assword of ann" in shown:
            os.write(terminal, answer)
            answer = b""
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == status, shown
    return shown


def test_terminal_asks_for_the_password(serve: Serve) -> None:
    server = serve(always(b"ok"))
    shown = answered_on_a_terminal(b"hunter2\n", server.url, "-u", "ann")
    assert sent(server).value("Authorization") == basic("ann:hunter2")
    assert b"Password of ann: " in shown and b"hunter2" not in shown


def test_password_or_user_that_a_terminal_cannot_show() -> None:
    shown = answered_on_a_terminal(b"hunter2\xff\n", URL, "-u", "ann\x1b[31m", status=64)
    assert b"Password of ann\\x1b[31m: " in shown and b"the password is not UTF-8 text" in shown
    assert b"hunter2" not in shown


@pytest.mark.parametrize("engine", ENGINES)
def test_proxy(engine: str, serve: Serve) -> None:
    proxy, server = ProxyServer(), serve(always(b"direct"))
    address = f"127.0.0.1:{proxy.port}"
    own = ["--engine", engine]
    assert cli(f"{server.url}/a", "-x", address, *own).stdout == b"direct"
    assert cli(f"{server.url}/b", "-x", f"http://{address}", "-U", "ann:hunter2", *own).returncode == 0
    assert cli(f"{server.url}/c", "-x", f"http://ann:hunter2@{address}", *own).returncode == 0
    assert proxy.asked == [f"{server.url}/{name}" for name in "abc"]
    assert proxy.authorizations == [basic("ann:hunter2")] * 2
    for options in (["--noproxy", "127.0.0.1"], ["--noproxy", "*"], ["--noproxy", "a.test,127.0.0.0/8"]):
        assert cli(server.url, "-x", address, *options, *own).returncode == 0
    assert cli(server.url, "-x", address, *own, env={**os.environ, "no_proxy": "127.0.0.1"}).returncode == 0
    for none in ("none", ""):
        assert cli(server.url, "-x", none, *own, env={**os.environ, "all_proxy": address}).returncode == 0
    assert len(proxy.asked) == 3
    options = ["--noproxy", "other.test", *own]
    assert cli(server.url, "-x", address, *options, env={**os.environ, "no_proxy": "127.0.0.1"}).returncode == 0
    assert len(proxy.asked) == 4
    # Names are for the proxy to look up.
    assert cli(f"http://name.test:{server.port}/", "-x", address, *own).stdout == b"direct"
    proxy.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_proxy_of_the_environment(engine: str, serve: Serve) -> None:
    proxy, server = ProxyServer(), serve(always(b"direct"))
    env = {**os.environ, "http_proxy": f"http://127.0.0.1:{proxy.port}"}
    url = f"http://name.test:{server.port}/"
    assert cli(url, "--engine", engine, env=env).stdout == b"direct"
    assert proxy.asked == [url]
    result = cli(url, "--engine", engine, "--noproxy", "name.test", "-m", "5", env=env)
    assert (result.returncode, b"Host name.test not found" in result.stderr) == (1, True)
    assert proxy.asked == [url]
    proxy.close()


def test_socks_proxy(serve: Serve) -> None:
    proxy, server = ProxyServer(), serve(always(b"direct"))
    for scheme in ("socks5", "socks5h", "socks4a"):
        assert cli(server.url, "-x", f"{scheme}://127.0.0.1:{proxy.port}").stdout == b"direct"
    addresses = [f"socks 127.0.0.1:{server.port}"] * 2 + [f"socks4 127.0.0.1:{server.port}"]
    assert proxy.asked == addresses
    proxy.close()


def forbidding(connection: Connection) -> None:
    while connection.read_request() is not None:
        connection.respond(b"", "407 Who", 'Proxy-Authenticate: Basic realm="r"\r\n')


def test_proxy_that_refuses(serve: Serve) -> None:
    server = serve(forbidding)
    result = cli(URL, "-x", f"127.0.0.1:{server.port}", "-U", "ann:hunter2")
    assert (result.returncode, b"hunter2" in result.stderr) in ((1, False), (3, False))
    assert b"roxy" in result.stderr


def test_setup_shows_no_secret() -> None:
    import click

    from blocking_request.cli.commands import commands

    command: Any = commands.commands["send"]
    secrets = ["-u", "ann:hunter2", "-b", "a=hunter2", "-H", "X-A: hunter2"]
    # A command keeps its first --help: it needs the settings of the program.
    with click.Context(commands, **commands.context_settings) as parent:
        context = command.make_context("send", [URL, *secrets], parent)
    setup = call_setup_of(context.params)
    request = setup.request_of(URL)
    assert request.url() == QtCore.QUrl(URL)
    assert "hunter2" not in repr(setup)

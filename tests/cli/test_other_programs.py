"""Words of curl, HTTPie and httpx, and words with typing errors: the messages about them."""

from __future__ import annotations

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")

from blocking_request.cli import other_programs
from blocking_request.cli.commands import commands
from blocking_request.cli.options.sections import names_of

from ..support.command_line import cli, refusal_of, sent
from ..support.names import Serve
from ..support.servers.raw import always

URL = "http://127.0.0.1:1/"


def message_of(*words: str) -> str:
    """Return the message about a command line that is refused."""
    error = refusal_of(*words)
    assert isinstance(error, click.UsageError) and error.ctx is not None
    return str(error.format_message())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--verify=no"], "No such option --verify: -k does not verify"),
        (["--auth=a:hunter2"], "No such option --auth: -u USER:PASSWORD sends"),
        (["-aa:hunter2"], "No such option -a: -u USER:PASSWORD sends"),
        (["-sG"], "No such option -G: -q NAME=VALUE adds"),
        (["--follow"], "No such option --follow: this is done by default"),
        (["--resolve", "h:1:2"], "No such option --resolve: no option here does this"),
        (["-V"], "No such option -V: --version shows"),
        (["--disable"], "No such option --disable: --no-config does not read"),
        (["--from", "x"], "No such option --from: 'send' lacks it, 'get' has it"),
        (["--ouput"], "No such option --ouput: did you mean --output or --timeout?"),
        (["-o", "x", "-C", "5"], "-C takes no offset: it continues after the bytes that are there"),
        (["--user"], "Option '--user' requires an argument"),
    ],
)
def test_unknown_option(words: list[str], text: str) -> None:
    message = message_of(URL, *words)
    assert text in message and "hunter2" not in message


def test_option_of_other_commands() -> None:
    assert message_of("get", URL, "-d", "x").startswith("No such option -d: 'get' lacks it, 'send', 'post', ")


def test_advice_names_options_that_exist() -> None:
    known = {name for command in commands.commands.values() for name in names_of(command)}
    for names, advice in other_programs._ADVICE.items():
        assert not {*names.split()} & {*names_of(commands.commands["send"])}
        written = {word.strip("';,") for word in advice.split() if word.startswith(("-", "'-"))}
        assert written <= known | {"--help", "--version"}, written - known


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["post", URL, "a=hunter2"], "HTTPie's item NAME=VALUE is --json NAME=VALUE here"),
        (["get", URL, "a=hunter2"], "HTTPie's item NAME=VALUE is -q NAME=VALUE here"),
        ([URL, "a:=1"], "HTTPie's item NAME:=VALUE is --json NAME:=JSON here"),
        ([URL, "a==hunter2"], "HTTPie's item NAME==VALUE is -q NAME=VALUE here"),
        ([URL, "X-A:hunter2"], "HTTPie's item NAME:VALUE is -H 'NAME: VALUE' here"),
        ([URL, "a@hunter2"], "HTTPie's item NAME@VALUE is -F NAME=@FILE here"),
        (["-H", "X:", "hunter2", URL], f"{URL} is one word too many: the first word is the URL"),
        (["get", URL, "http://a:hunter2@h/"], "http://h/ is one word too many"),
        ([URL, "hunter2"], "there is one word too many"),
        ([URL, "hunter2", "hunter2"], "there are 2 words too many"),
        (["config", "set-password", "a", "hunter2"], "there is a word too many"),
        (["gte", URL], "No such command 'gte': did you mean 'get'?"),
        (["PROPFIND", URL], "No such command 'PROPFIND': 'request PROPFIND URL' sends this method"),
        (["intranet"], "No such command 'intranet': a host without a dot is written with http:// before it"),
        ([""], "the URL is empty"),
        ([URL, "-H", "Authorization Bearer hunter2"], "-H: a header is written 'NAME: VALUE', and one has no colon"),
        ([URL, "-q", "hunter2"], "-q: a parameter is written NAME=VALUE, and one has no '='"),
    ],
)
def test_words_that_mean_nothing(words: list[str], text: str) -> None:
    message = message_of(*words)
    assert text in message and "hunter2" not in message


def test_method_of_httpie(serve: Serve) -> None:
    server = serve(always(b"ok"))
    assert cli("PUT", server.url, "--data-raw", "@x", "--data-binary", "y").stdout == b"ok"
    assert (sent(server).method, sent(server).body) == ("PUT", b"y&@x")
    assert cli(server.url, "--data-raw", "@x").stdout == b"ok"
    assert (sent(server).method, sent(server).body) == ("POST", b"@x")

"""Options that exclude each other: on the command line, in a profile and in the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")

from blocking_request.cli.commands import commands
from blocking_request.cli.options.groups import call_setup_of
from blocking_request.cli.options.sections import SectionedOption

URL = "http://127.0.0.1:1/"


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("BLOCKING_REQUEST_CONFIG", str(path))
    return path.write_text


def values_of(name: str, *words: str) -> dict[str, Any]:
    """Return the values of the parameters that a command line gives."""
    command: Any = commands.commands[name]
    with click.Context(commands, **commands.context_settings) as root:
        context = command.make_context(name, [URL, *words], parent=root)
    return dict(context.params)


LATER_WINS = {
    "version": (["--http1.1", "--http2"], "http_version", "1.1", "2"),
    "redirects": (["-L", "--no-location"], "follows", True, False),
    "compression": (["--compressed", "--no-compressed"], "compressed", True, False),
}


@pytest.mark.parametrize("name", LATER_WINS)
def test_later_of_two_options(name: str) -> None:
    (first, second), parameter, of_first, of_second = LATER_WINS[name]
    assert values_of("send", first, second)[parameter] == of_second
    assert values_of("send", second, first)[parameter] == of_first
    assert values_of("send", second, first, second)[parameter] == of_second


EXCLUDED: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "token": ('bearer = "t"', ["-u", "a:b"], {"bearer": None, "user": "a:b"}),
    "digest": ('user = "a:b"\ndigest = true', ["--bearer", "t"], {"bearer": "t", "user": None, "digest": False}),
    "own digest": ("digest = true", ["-u", "a:b"], {"user": "a:b", "digest": True}),
    "netrc": ('user = "a:b"', ["-n"], {"user": None, "netrc": True}),
    "authorization": ('header = ["Authorization: x", "X: 1"]', ["-u", "a:b"], {"headers": ("X: 1",)}),
    "header": ('user = "me"\nreferer = "x"', ["-H", "Authorization: t"], {"user": None, "referer": "x"}),
    "user agent": ('header = "user-agent: x"', ["-A", "y"], {"headers": (), "user_agent": "y"}),
    "body": ('json = "a=1"', ["-d", "x"], {"json_items": (), "data": ("x",)}),
    "form": ('data = "x"', ["-F", "a=b"], {"data": (), "form_files": ("a=b",)}),
    "method": ('request = "PUT"', ["-I"], {"method": None, "head": True}),
    "file names": ("remote-name = true\nremote-header-name = true", ["-o", "-"], {"remote_name": False, "output": "-"}),
    "offline": ("offline = true", ["--refresh"], {"offline": False, "refresh": True}),
    "version": ("http2 = true", ["--http1.1"], {"http_version": "1.1"}),
    "verification": ("insecure = true", ["--cacert", __file__], {"insecure": False}),
    "another proxy": (
        'proxy = "h:1"\nproxy-user = "a:b"',
        ["-x", "h:2"],
        {"proxy": "h:2", "proxy_user": None},
    ),
    "every host without a proxy": ('noproxy = "*"', ["-x", "h:2"], {"proxy": "h:2", "noproxy": None}),
    "some hosts without a proxy": ('noproxy = "a.test"', ["-x", "h:2"], {"proxy": "h:2", "noproxy": "a.test"}),
    "key": ('key = "/missing"\npass = "x"', ["--cert", "c"], {"cert": "c", "key": None, "key_password": None}),
    "additions": (
        'digest = true\nretry-delay = 5\nproxy-user = "a:b"\nkey = "/missing"\nremote-header-name = true',
        [],
        {"digest": False, "retry_delay": None, "proxy_user": None, "key": None, "remote_header_name": False},
    ),
    "additions that are used": (
        "retry-delay = 5\ncontinue = true",
        ["--retry", "2", "-o", "x"],
        {"retry_delay": 5000, "resume": True},
    ),
}


@pytest.mark.parametrize("name", EXCLUDED)
def test_excluded_by_the_command_line(name: str, write: Any) -> None:
    text, words, expected = EXCLUDED[name]
    write(f"[profiles.a]\n{text}\n")
    values = values_of("send", "--profile", "a", *words)
    assert {parameter: values[parameter] for parameter in expected} == expected
    if name != "key":  # its files are not there
        call_setup_of(values)


def test_excluded_by_the_profile(write: Any) -> None:
    write(
        """
        [defaults]
        http2 = true
        offline = true
        data = "x"
        proxy = "h:1"
        proxy-user = "a:b"
        jobs = 3
        [profiles.a]
        "http1.1" = true
        refresh = true
        json = "1"
        proxy = "h:2"
        [profiles.b]
        http2 = false
        offline = false
        """
    )
    values = values_of("send")
    assert (values["http_version"], values["offline"], values["data"]) == ("2", True, ("x",))
    values = values_of("send", "--profile", "a")
    assert (values["http_version"], values["offline"], values["refresh"]) == ("1.1", False, True)
    assert (values["data"], values["json_items"], values["proxy_user"]) == ((), ("1",), None)
    values = values_of("send", "--profile", "b")
    assert (values["http_version"], values["offline"], values["data"]) == (None, False, ("x",))
    assert values_of("get")["jobs"] is None and values_of("get", "--from", "x")["jobs"] == 3


def test_head_without_options_of_the_body(write: Any) -> None:
    write("[defaults]\nremote-name = true\ncontinue = true\nchecksum = 'x'\n")
    for words in (("head",), ("send", "-I")):
        values = values_of(*words)
        assert (values["remote_name"], values["resume"], values["checksum"]) == (False, False, None)


def test_tables_have_names_of_parameters() -> None:
    from blocking_request.cli.options import precedence

    known = {
        parameter.name
        for command in commands.commands.values()
        for parameter in command.params
        if isinstance(parameter, SectionedOption)
    }
    alternatives = {name for group in precedence.ALTERNATIVES for names in group for name in names}
    additions = {name for names in precedence.ADDITIONS.values() for name in names}
    assert alternatives | additions | set(precedence.ADDITIONS) | set(precedence.HEADERS) <= known

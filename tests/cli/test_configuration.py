"""The configuration file of the command line: defaults, profiles, precedence, and wrong files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")

from click.core import ParameterSource

from blocking_request.cli.commands import commands
from blocking_request.cli.config_file import ConfigurationError, config_path
from blocking_request.cli.options.configuration import reads_file
from blocking_request.cli.options.precedence import ADDITIONS, NOT_OF_HEAD

from ..support.configured_command import Setup
from ..support.names import Serve
from ..support.servers.raw import echo

USAGE, FILE = 64, 74


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


def test_defaults_and_profiles(setup: Setup, serve: Serve) -> None:
    url = serve(echo).url
    setup.write(
        """
        [defaults]
        header = ["X-Default: 1", "X-Both: default"]
        timeout = 5

        [profiles.work]
        header = "x-both: work"
        engine = "python"

        [profiles.home]
        header = ["X-Home: 1"]
        """
    )
    fields = setup.fields("get", url)
    assert (fields["x-default"], fields["x-both"]) == ("1", "default")
    fields = setup.fields("get", url, "--profile", "work")
    assert (fields["x-default"], fields["x-both"]) == ("1", "work")
    fields = setup.fields("post", "--profile=work", url, "-H", "X-BOTH: command line", "-H", "X-Own: 1", "-d", "x")
    assert (fields["x-default"], fields["x-both"], fields["x-own"]) == ("1", "command line", "1")
    fields = setup.fields("get", url, "--no-config")
    assert "x-default" not in fields and "x-both" not in fields


def test_precedence_of_an_option(setup: Setup, serve: Serve) -> None:
    url = serve(echo).url
    setup.write('[defaults]\nengine = "qt"\n[profiles.work]\nengine = "python"\n[profiles.empty]\n')
    for arguments, engine in (
        ([], "qt"),
        (["--profile", "empty"], "qt"),
        (["--profile", "work"], "python"),
        (["--profile", "work", "--engine", "qt"], "qt"),
        (["--engine", "python"], "python"),
    ):
        result = setup.run("get", url, "-v", *arguments)
        assert f" over {engine}\n" in result.stderr, (arguments, result.stderr)


def test_options_of_every_group(setup: Setup, serve: Serve, tmp_path: Path) -> None:
    """An option that the command lacks is ignored: --data of get."""
    url = serve(echo).url
    setup.write(
        '[defaults]\nverbose = true\ninsecure = false\noutput = "got"\ndata = "body"\n[profiles.quiet]\nverbose = false\n'
    )
    result = setup.run("get", url)
    assert (result.returncode, result.stdout) == (0, "") and "> GET / HTTP/1.1" in result.stderr
    assert (tmp_path / "got").read_bytes().startswith(b"GET / ")
    assert setup.run("post", url, "--profile", "quiet").stderr == ""
    assert (tmp_path / "got").read_bytes().endswith(b"\r\n\r\nbody")


def test_path_in_the_home_folder(setup: Setup, serve: Serve, tmp_path: Path) -> None:
    setup.write('[defaults]\noutput = "~/got"\n')
    assert setup.run("get", serve(echo).url, env={"HOME": str(tmp_path)}).returncode == 0
    assert (tmp_path / "got").exists()


def test_file_that_does_not_exist(setup: Setup, serve: Serve, tmp_path: Path) -> None:
    url = serve(echo).url
    result = setup.run("get", url)
    assert result.returncode == FILE
    assert result.stderr == (
        f"The file {setup.path} of BLOCKING_REQUEST_CONFIG cannot be read: No such file or directory\n"
    )
    own = {"BLOCKING_REQUEST_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path)}
    assert setup.run("get", url, env=own).returncode == 0
    result = setup.run("get", url, "--profile", "work", env=own)
    assert result.returncode == USAGE
    place = tmp_path / "blocking-request" / "config.toml"
    assert result.stderr == f"There is no profile 'work': there is no configuration file {place}\n"
    place.parent.mkdir()
    place.write_text("[profiles.work]\nheader = 'X-Work: 1'\n")
    assert setup.fields("get", url, "--profile", "work", env=own)["x-work"] == "1"
    assert setup.run("config", "path", env=own).stdout == f"{place}\n"
    assert setup.run("config", "path").stdout == f"{setup.path}\n"


def test_default_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BLOCKING_REQUEST_CONFIG")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert config_path() == tmp_path / "blocking-request" / "config.toml"
    with_platformdirs = config_path()
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert config_path() == with_platformdirs


WRONG = {
    "key": ("x = 1", "x is unknown: expected [defaults], or [profiles.NAME] for a profile"),
    "option": (
        "[defaults]\ntime-out = 5",
        "defaults.time-out is no option: expected the long name of an option without --, such as timeout",
    ),
    "underscore": (
        "[profiles.a]\nprox_y = 'x'",
        "profiles.a.prox_y is no option: expected the long name of an option without --, such as proxy",
    ),
    "option that chooses the file": (
        "[profiles.a]\nprofile = 'b'",
        "profiles.a.profile is no option: expected the long name of an option without --, such as ",
    ),
    "value": (
        '[profiles.a]\nengine = "curl"',
        "profiles.a.engine is wrong: 'curl' is not one of 'auto', 'qt', 'python'.",
    ),
    "list": ("[defaults]\nengine = [1]", "defaults.engine is a list: expected text or a number"),
    "date": (
        "[defaults]\nheader = [1979-05-27]",
        "defaults.header is a date or time: expected text or a number, or a list of them",
    ),
    "flag": ('[defaults]\ninsecure = "yes"', "defaults.insecure is text: expected true or false"),
    "switch for text": ("[defaults]\noutput = true", "defaults.output is true or false: expected text or a number"),
    "defaults": ("defaults = 5", "defaults is a number: expected a table, [defaults]"),
    "profiles": ("profiles = []", "profiles is a list: expected a table, [profiles.NAME]"),
    "profile": ("[profiles]\na = 'x'", "profiles.a is text: expected a table, [profiles.a]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_key_or_value(name: str, setup: Setup) -> None:
    text, problem = WRONG[name]
    setup.write(text)
    arguments = ["--profile", "a"] if "profiles.a" in text else []
    result = setup.run("get", "http://127.0.0.1:1/", *arguments)
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert (
        result.stderr.startswith(f"The configuration file {setup.path}: {problem}") and result.stderr.count("\n") == 1
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[defaults]\ntimeout 5\n", "is not TOML: Expected '=' after a key in a key/value pair (at line 2, column 9)"),
        (b"[defaults]\n# \xff\n", "is not UTF-8 text (at line 2)"),
        (b"x = " + b"[" * 100_000, "is not TOML: "),
        pytest.param(
            b"x = " + b"9" * 10_000,
            "is not TOML: a number has too many digits",
            marks=pytest.mark.skipif(not hasattr(sys, "get_int_max_str_digits"), reason="no limit in this Python"),
            id="digits",
        ),
    ],
)
def test_file_that_is_not_toml(content: bytes, problem: str, setup: Setup) -> None:
    setup.path.write_bytes(content)
    result = setup.run("get", "http://127.0.0.1:1/")
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert result.stderr.startswith(f"The configuration file {setup.path} {problem}") and result.stderr.count("\n") == 1
    # These do not need the file.
    assert setup.run("get", "--help").returncode == 0
    assert setup.run("get", "http://127.0.0.1:1/", "--no-config").returncode == 1


def test_wrong_files(setup: Setup) -> None:
    setup.write('[defaults]\ncacert = "missing.pem"\n')
    result = setup.run("get", "http://127.0.0.1:1/")
    assert result.returncode == FILE
    assert result.stderr == (
        f"defaults.cacert of {setup.path}: the file 'missing.pem' cannot be read: No such file or directory\n"
    )
    setup.write('[profiles.a]\ndata = "@missing.json"\n')  # a file that is opened after the parsing
    result = setup.run("post", "http://127.0.0.1:1/", "--profile", "a")
    assert (result.returncode, result.stderr) == (
        FILE,
        f"profiles.a.data of {setup.path}: the file 'missing.json' cannot be read: No such file or directory\n",
    )
    result = setup.run("get", "http://127.0.0.1:1/", env={"BLOCKING_REQUEST_CONFIG": str(setup.folder)})
    assert (result.returncode, result.stderr) == (FILE, f"The file {setup.folder} cannot be read: Is a directory\n")


def test_error_that_a_value_of_the_file_causes_later(setup: Setup) -> None:
    setup.write('[defaults]\nheader = "no colon"\ntimeout = 3\n[profiles.a]\nreferer = "x"\n')
    result = setup.run("get", "http://127.0.0.1:1/", "--profile", "a")
    assert result.returncode == USAGE and result.stderr.count("\n") == 1
    assert f"; the configuration file {setup.path} sets defaults.header (" in result.stderr
    # The file has nothing to do with this one.
    for words in ([], ["http://127.0.0.1:1/", "-o", "x", "-O", "-H", "a: b"]):
        result = setup.run("get", *words)
        assert result.returncode == USAGE and str(setup.path) not in result.stderr
    # A value of the command line is not the file's fault.
    result = setup.run("get", "http://127.0.0.1:1/", "--timeout", "x")
    assert result.returncode == USAGE and str(setup.path) not in result.stderr


def test_continue_holds_for_downloads_that_can_be_continued(setup: Setup, serve: Serve) -> None:
    setup.write("[defaults]\ncontinue = true\n")
    for arguments in (["post", "-d", "x", "-o", "got"], ["get", "-H", "Range: bytes=0-", "-o", "got"], ["get"]):
        result = setup.run(*arguments, serve(echo).url)
        assert (result.returncode, result.stderr) == (0, ""), arguments


def test_wrong_profile(setup: Setup) -> None:
    setup.write("[profiles.work]\n[profiles.home]\n")
    result = setup.run("get", "http://127.0.0.1:1/", "--profile", "wrok")
    assert result.returncode == USAGE
    assert result.stderr == (
        f"There is no profile 'wrok' in the configuration file {setup.path}: expected one of home, work\n"
    )
    result = setup.run("get", "http://127.0.0.1:1/", "--profile", "work", "--no-config")
    assert result.returncode == USAGE and "--profile and --no-config exclude each other" in result.stderr


def test_commands_that_send_nothing_do_not_read_the_file(setup: Setup) -> None:
    setup.write("wrong")
    for arguments in (["--version"], ["cache", "info"], ["completion", "bash"], ["config", "path"]):
        assert setup.run(*arguments, env={"XDG_CACHE_HOME": str(setup.folder)}).returncode == 0, arguments


def test_names_of_profiles_are_completed(setup: Setup) -> None:
    setup.write("[profiles.work]\n[profiles.home]\n[profiles.web]\n")
    words = {"COMP_WORDS": "blocking-request\nget\n--profile\nw", "COMP_CWORD": "3"}
    environment = {"BLOCKING_REQUEST_CONFIG": str(setup.path), "_BLOCKING_REQUEST_COMPLETE": "bash_complete"}
    program = "import sys; sys.argv = ['blocking-request']; from blocking_request.__main__ import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **words, **environment},
    )
    assert result.stdout.split() == ["plain,work", "plain,web"]


def test_every_option_has_a_key(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option can be set, in whichever group it is declared: the value is accepted, or refused in words."""
    monkeypatch.setenv("BLOCKING_REQUEST_CONFIG", str(setup.path))
    monkeypatch.chdir(setup.folder)
    (setup.folder / "1").write_text("x")
    seen = set()
    for name, command in commands.commands.items():
        for parameter in command.params if reads_file(command) else ():
            if not isinstance(parameter, click.Option) or parameter.name in ("profile", "no_config", "help"):
                continue
            key = next(option[2:] for option in parameter.opts if option.startswith("--"))
            value = "true" if parameter.is_flag else 0 if parameter.count else '["1"]' if parameter.multiple else '"1"'
            setup.write(f'[profiles.a]\n"{key}" = {value}\n')
            words = [name, *(["OPTIONS"] if name == "request" else []), "http://127.0.0.1/", "--profile", "a"]
            if key == "user":
                setup.write('[profiles.a]\nuser = "me:password"\n')
            try:
                with commands.make_context("blocking-request", words) as root:
                    context = command.make_context(name, words[1:], parent=root)
            except click.UsageError as error:
                assert not isinstance(error, ConfigurationError) or f"profiles.a.{key} is wrong: " in error.message, (
                    error
                )
                continue
            seen.add(key)
            is_ignored = parameter.name in ADDITIONS or (name == "head" and parameter.name in NOT_OF_HEAD)
            assert is_ignored or context.get_parameter_source(parameter.name) is ParameterSource.DEFAULT_MAP, key
    assert {"header", "cacert", "output", "cache", "proxy", "http2", "http1.1", "json"} <= seen

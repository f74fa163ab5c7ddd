"""The passwords of profiles, in the keyring."""

from __future__ import annotations

import base64
import sys
import textwrap
from pathlib import Path

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")

from blocking_request.cli.commands import commands

from ..support.configured_command import Setup
from ..support.names import ROOT, Serve
from ..support.servers.raw import echo

USAGE, FILE = 64, 74


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


@pytest.fixture
def with_keyring() -> None:
    pytest.importorskip("keyring", exc_type=ImportError)


def basic(user_and_password: str) -> str:
    return "Basic " + base64.b64encode(user_and_password.encode()).decode()


@pytest.mark.usefixtures("with_keyring")
def test_password_from_the_keyring(setup: Setup, serve: Serve) -> None:
    url = serve(echo).url
    setup.write('[profiles.work]\nuser = "me"\n[profiles.other]\nuser = "you:open"\n')
    result = setup.run("get", url, "--profile", "work")
    assert result.returncode == USAGE
    assert result.stderr == (
        f"The configuration file {setup.path}: profiles.work.user has no password in the keyring: "
        "run 'blocking-request config set-password work'\n"
    )
    result = setup.run("config", "set-password", "work", input="s3cret\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert setup.fields("get", url, "--profile", "work")["authorization"] == basic("me:s3cret")
    assert setup.fields("get", url, "--profile", "other")["authorization"] == basic("you:open")
    assert setup.fields("get", url, "--profile", "work", "-u", "a:b")["authorization"] == basic("a:b")
    assert setup.fields("get", url, "--profile", "work", "--bearer", "t")["authorization"] == "Bearer t"
    assert "authorization" not in setup.fields("get", url)
    setup.write('[profiles.work]\nuser = "changed"\n')
    result = setup.run("get", url, "--profile", "work")
    assert result.returncode == USAGE and "s3cret" not in result.stderr
    assert "the keyring has the password of another user" in result.stderr
    assert setup.run("config", "delete-password", "work").returncode == 0
    result = setup.run("config", "delete-password", "work")
    assert result.returncode == USAGE and "has no password of the profile 'work'" in result.stderr


@pytest.mark.usefixtures("with_keyring")
def test_keyring_that_cannot_be_used(setup: Setup) -> None:
    (setup.folder / "keyring").mkdir()
    setup.write('[profiles.work]\nuser = "me"\n')
    for arguments in (["get", "http://127.0.0.1:1/", "--profile", "work"], ["config", "set-password", "work"]):
        result = setup.run(*arguments, input="x\n")
        told = (
            "The keyring cannot be used (the keyring is locked): unlock it or set it up, or give the password with -u\n"
        )
        assert (result.returncode, result.stderr) == (FILE, told)


BACKENDS = {
    "none": ("keyring.backends.fail.Keyring", "The keyring cannot be used (the system has none): unlock it "),
    "not installed": ("no_such.Keyring", "The keyring cannot be used (No module named 'no_such'): unlock it "),
    "that keeps nothing": ("keyring.backends.null.Keyring", "The keyring has not kept the password: look at "),
}


@pytest.mark.usefixtures("with_keyring")
@pytest.mark.parametrize("name", BACKENDS)
def test_keyring_without_a_backend(name: str, setup: Setup) -> None:
    backend, told = BACKENDS[name]
    setup.write('[profiles.work]\nuser = "me"\n')
    result = setup.run("config", "set-password", "work", input="x\n", env={"PYTHON_KEYRING_BACKEND": backend})
    assert (result.returncode, result.stderr.startswith(told), result.stderr.count("\n")) == (FILE, True, 1)


def test_keyring_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, setup: Setup) -> None:
    """Before the command asks for the password."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setenv("BLOCKING_REQUEST_CONFIG", str(setup.path))
    setup.write('[profiles.work]\nuser = "me"\n')
    for words in (["config", "set-password", "work"], ["get", "http://127.0.0.1:1/", "--profile", "work"]):
        with pytest.raises(click.UsageError) as caught:
            commands.main(words, "blocking-request", standalone_mode=False)
        assert "needs the package keyring: python3 -m pip install" in caught.value.message


@pytest.mark.usefixtures("with_keyring")
@pytest.mark.parametrize(
    ("typed", "status", "told"),
    [
        (b"", USAGE, "the password is empty"),
        (b"\n", USAGE, "the password is empty"),
        (b"hunter2\xff\n", USAGE, "the password is not UTF-8 text"),
        (b"hunter2\rx\n", USAGE, "must not hold a line end"),
    ],
)
def test_wrong_password(typed: bytes, status: int, told: str, setup: Setup) -> None:
    setup.write('[profiles.work]\nuser = "me"\n')
    with open(setup.folder / "typed", "w+b") as file:
        file.write(typed)
        file.seek(0)
        result = setup.run("config", "set-password", "work", stdin=file)
    assert (result.returncode, told in result.stderr, "hunter2" in result.stderr) == (status, True, False)
    assert not (setup.folder / "keyring").exists()


def test_password_of_a_profile_without_a_user(setup: Setup) -> None:
    setup.write('[profiles.a]\n[profiles.b]\nuser = "me:password"\n')
    for profile in "ab":
        result = setup.run("config", "set-password", profile, input="x\n")
        assert result.returncode == USAGE and f'profiles.{profile} needs user = "NAME"' in result.stderr
    assert setup.run("config", "set-password", "c").returncode == USAGE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("user", "me:s3cret"),
        ("bearer", "s3cret"),
        ("header", "authorization: Bearer s3cret"),
        ("header", "Cookie: a=s3cret"),
        ("header", "X-API-Key: s3cret"),
        ("cookie", "a=s3cret"),
    ],
)
def test_credentials_are_refused_in_the_defaults(key: str, value: str, setup: Setup) -> None:
    setup.write(f'[defaults]\n{key} = "{value}"\n')
    result = setup.run("get", "http://127.0.0.1:1/")
    assert result.returncode == USAGE and "s3cret" not in result.stderr
    text = f"defaults.{key} has a credential, which every server would get: expected it in [profiles.NAME]"
    assert text in result.stderr


def test_example_of_the_documentation(setup: Setup, serve: Serve) -> None:
    page = (ROOT / "docs" / "reference" / "command_configuration.rst").read_text("utf-8")
    indented = page.split(".. code-block:: toml\n\n")[1].split("\n\n.. code-block")[0]
    setup.write(textwrap.dedent(indented))
    result = setup.run("get", serve(echo).url, "--profile", "debug")
    assert (
        result.returncode == 0 and "> Accept: application/json" in result.stderr and " over python\n" in result.stderr
    )
    result = setup.run("get", "http://127.0.0.1:1/", "--profile", "work")
    assert result.returncode != 1 and "is no option" not in result.stderr

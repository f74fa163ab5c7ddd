"""``--help``: the options in groups, and examples that can be run."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from blocking_request.cli.commands import commands
from blocking_request.cli.options.sections import OTHER, SECTIONS

SENDING = ["send", "get", "head", "post", "put", "patch", "delete", "request"]


def help_of(*words: str) -> str:
    return CliRunner().invoke(commands, [*words, "--help"], terminal_width=80).output


@pytest.mark.parametrize("name", SENDING)
def test_options_stand_in_groups(name: str) -> None:
    lines = help_of(name).splitlines()
    found = [line[:-1] for line in lines if line[:-1] in SECTIONS]
    assert found == [section for section in SECTIONS if section in found] and len(found) > 4
    only_help = lines[lines.index(f"{OTHER}:") + 1 :]
    assert only_help[0].split()[0] == "-h," and not only_help[1].strip()
    assert "Options:" not in lines


def test_command_without_groups() -> None:
    assert "\nOptions:\n  -h, --help" in help_of("info")


@pytest.mark.parametrize("name", SENDING)
def test_three_examples(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    command: Any = commands.commands[name]
    assert len(command.examples) == 3
    for example in command.examples:
        assert f"\n  {example}\n" in help_of(name) and len(example) <= 76
        words = shlex.split(example.rpartition("| ")[2])
        assert (words[0] == "blocking-request" and words[1] == name) or name == "send"
        try:
            with click.Context(commands, **commands.context_settings) as parent:
                command.make_context(name, words[1 if name == "send" else 2 :], parent)
        except click.FileError:  # the files of the example are not there
            pass


@pytest.mark.parametrize("words", [(), ("cache",), ("config",)])
def test_examples_of_groups(words: tuple[str, ...]) -> None:
    assert help_of(*words).count("\n  blocking-request ") == 3


@pytest.mark.parametrize("name", [*SENDING, "info", "demo"])
def test_help_fits_80_columns(name: str) -> None:
    assert max(map(len, help_of(name).splitlines())) <= 80

"""The manual page in the documents, which is made from the declarations of the command."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")

from blocking_request.cli.commands import commands
from blocking_request.cli.options.sections import SECTIONS

from ..support.names import ROOT


@pytest.fixture(scope="module")
def manual() -> Any:
    path = ROOT / "docs" / "extensions" / "manual_text.py"
    specification = importlib.util.spec_from_file_location("manual_text", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_synopsis_has_every_command(manual: Any) -> None:
    lines = manual.synopsis()
    assert "blocking-request cache clear [OPTIONS]" in lines
    for name, command in commands.commands.items():
        assert isinstance(command, click.Group) or any(line.startswith(f"blocking-request {name} [") for line in lines)
    assert len(manual.descriptions()) == len(lines)
    assert all(text.endswith(".") for _, text in manual.descriptions())


def test_options_in_groups(manual: Any) -> None:
    options = manual.options()
    assert list(options) == [section for section in SECTIONS if section in options] and len(options) > 5
    shown = {name for rows in options.values() for names, _ in rows for name in names.replace(",", " ").split()}
    for _, command in manual.all_commands():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden and not parameter.is_eager:
                assert {*parameter.opts, *parameter.secondary_opts} <= shown | {"/"}, parameter.opts


def test_commands_of_an_option(manual: Any) -> None:
    texts = {names: text for rows in manual.options().values() for names, text in rows}
    jobs = next(text for names, text in texts.items() if names.startswith("--jobs"))
    assert jobs.endswith(" Only with get.")
    assert not any("Only with" in text for names, text in texts.items() if "--timeout" in names)
    assert next(text for names, text in texts.items() if names == "--json").endswith(" Only with demo.")


def test_exit_statuses(manual: Any) -> None:
    statuses = dict(manual.exit_statuses())
    assert statuses["0"] == "no error" and list(statuses) == ["0", "1", "2", "3", "4", "64", "74", "130", "141", "143"]


def test_examples(manual: Any) -> None:
    examples = manual.examples()
    assert "blocking-request get --from urls.txt -o tiles/ --jobs 32" in examples
    assert all("blocking-request " in example for example in examples)

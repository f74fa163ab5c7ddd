"""The parts of the manual page of ``blocking-request``, taken from the declarations of click."""

from __future__ import annotations

from collections.abc import Iterator

import click

from blocking_request.cli.commands import commands
from blocking_request.cli.messages import EXIT_STATUSES
from blocking_request.cli.options.sections import OTHER, SECTIONS

PROGRAM = "blocking-request"


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Yield the words of each command, without groups, and the command."""
    pending: list[tuple[str, click.Command]] = sorted(commands.commands.items(), reverse=True)
    while pending:
        words, command = pending.pop()
        if isinstance(command, click.Group):
            pending += [(f"{words} {name}", sub) for name, sub in sorted(command.commands.items(), reverse=True)]
        elif not command.hidden:
            yield words, command


def _context(words: str, command: click.Command) -> click.Context:
    # With the settings of the program: click keeps the names of the help option of the first context.
    parent = click.Context(commands, info_name=PROGRAM, **commands.context_settings)
    return click.Context(command, parent, info_name=words)


def synopsis() -> list[str]:
    """Return a line for each command."""
    return [
        " ".join([PROGRAM, words, *command.collect_usage_pieces(_context(words, command))])
        for words, command in all_commands()
    ]


def descriptions() -> list[tuple[str, str]]:
    """Return the words of each command, and its whole help."""
    return [(words, " ".join((command.help or "").split())) for words, command in all_commands()]


def examples() -> list[str]:
    """Return the examples of all commands."""
    return [example for _, command in all_commands() for example in getattr(command, "examples", ())]


def exit_statuses() -> list[tuple[str, str]]:
    """Return each exit status and its meaning."""
    lines = EXIT_STATUSES.splitlines()[2:]
    pairs = (line.split(maxsplit=1) for line in lines)
    return [(status, meaning) for status, meaning in pairs]


def options() -> dict[str, list[tuple[str, str]]]:
    """Return for each group its options, as the help shows them: the names with the value, and the text.

    If only some of the commands that have the group also have the option, the text names them.
    """
    commands_of: dict[tuple[str, str, str], list[str]] = {}
    with_group: dict[str, list[str]] = {}
    for words, command in all_commands():
        context = _context(words, command)
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
            if record is not None and not parameter.is_eager:
                section = getattr(parameter, "section", OTHER)
                commands_of.setdefault((section, *record), []).append(words)
                if words not in with_group.setdefault(section, []):
                    with_group[section].append(words)
    found: dict[str, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
    for (section, names, text), words in commands_of.items():
        is_for_all = section != OTHER and words == with_group[section]
        found[section].append((names, text if is_for_all else f"{text} Only with {_listed(words)}."))
    return {section: rows for section, rows in found.items() if rows}


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

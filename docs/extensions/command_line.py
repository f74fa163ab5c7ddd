"""The directive ``command-help``: the help texts of the command ``blocking-request``, as it shows them."""

from __future__ import annotations

from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from blocking_request.cli.commands import commands

COLUMNS = 100


def help_of(*words: str) -> str:
    command: click.Command = commands
    context = click.Context(commands, info_name="blocking-request", terminal_width=COLUMNS, max_content_width=COLUMNS)
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
        context = click.Context(command, context, info_name=word, terminal_width=COLUMNS, max_content_width=COLUMNS)
    return command.get_help(context)


class CommandHelp(SphinxDirective):
    """``.. command-help:: get``"""

    optional_arguments = 2

    def run(self) -> list[nodes.Node]:
        text = help_of(*self.arguments)
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}

"""Groups of commands: their help, and the command that is meant if none is named."""

from __future__ import annotations

import difflib
from typing import Any

import click

from .messages import EXIT_USAGE
from .options.configuration import ConfiguredCommand
from .options.sections import WithExamples
from .options.url import is_like_url


class Commands(WithExamples, click.Group):
    """A group of commands."""

    command_class = ConfiguredCommand

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help if no command is given. click does it too, but its exit status depends on its version."""
        if not args and not ctx.resilient_parsing:  # which completion by a shell sets
            click.echo(ctx.get_help(), err=True)
            ctx.exit(EXIT_USAGE)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with the first sentences of their help. click would cut them after some words."""
        rows = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(200)) for name, command in rows if not command.hidden]
            )

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None  # click would write an empty line to standard error


METHOD_COMMANDS = ("get", "head", "post", "put", "patch", "delete")

DEFAULT_COMMAND = "send"
"""The command that is meant if the first word is a URL or an option of a request."""


class MainCommands(Commands):
    """The commands of the program. The name of ``send`` may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add the name of the default command if it is left out."""
        position = self._position_of_command(ctx, args)
        return super().parse_args(ctx, [*args[:position], *self._with_command(args[position:])])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Find the command of some words. Raises click.UsageError."""
        words = self._with_command(args)
        if words and words[0] not in self.commands and not ctx.resilient_parsing:
            raise click.UsageError(self._about_unknown(words[0]), ctx)
        return super().resolve_command(ctx, words)

    def _about_unknown(self, word: str) -> str:
        """Return the message about a word that is neither a command nor a URL."""
        if not word.strip():
            return "the URL is empty"
        if word.isalpha() and word.isupper():
            return f"No such command {word!r}: 'request {word} URL' sends this method"
        near = difflib.get_close_matches(word, self.commands, 1)
        advice = f"did you mean {near[0]!r}?" if near else "a host without a dot is written with http:// before it"
        return f"No such command {word!r}: {advice}"

    def _with_command(self, words: list[str]) -> list[str]:
        """Return the words with the name of the default command, if they name none."""
        word = words[0] if words else ""
        if word.isupper() and word.lower() in METHOD_COMMANDS:  # as HTTPie has it
            return [word.lower(), *words[1:]]
        is_left_out = word not in self.commands and (is_like_url(word) or (word.startswith("-") and word != "--"))
        return [DEFAULT_COMMAND, *words] if is_left_out else words

    def _position_of_command(self, ctx: click.Context, args: list[str]) -> int:
        """Return the position of the first argument that is no option of the program."""
        options = {name: each for each in self.get_params(ctx) for name in (*each.opts, *each.secondary_opts)}
        position = 0
        while position < len(args):
            name, equals, _ = args[position].partition("=")
            option: Any = options.get(name)
            if option is None:
                break
            has_value = not equals and not option.is_flag and not option.count
            position += 1 + option.nargs if has_value else 1
        return position

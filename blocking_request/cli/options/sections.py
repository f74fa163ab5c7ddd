"""Shows the options of a command in groups, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Optional

import click

from ..completion import completed_values
from ..help_layout import SizedContext
from ..other_programs import about_extra_words, advice_for

REQUEST = "Request"
BODY = "Body"
AUTHENTICATION = "Authentication"
TLS = "TLS"
PROXY = "Proxy"
OUTPUT = "Output"
CACHE = "Cache"
CONFIGURATION = "Configuration"
OTHER = "Other"
SECTIONS = (REQUEST, BODY, AUTHENTICATION, TLS, PROXY, OUTPUT, CACHE, CONFIGURATION, OTHER)
"""The groups of ``--help``, in their order."""

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class SectionedOption(click.Option):
    """An option that belongs to a group of ``--help``."""

    def __init__(
        self, *declarations: Any, section: str = OTHER, ignored_value: Optional[str] = None, **attributes: Any
    ) -> None:
        """``ignored_value``: a word that may follow this flag, because that of curl has a value."""
        super().__init__(*declarations, **attributes)
        self.section = section
        self.ignored_value = ignored_value

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Return how the shell may complete a value, as click calls it."""
        return super().shell_complete(ctx, incomplete) or completed_values(self, incomplete)


def option(section: str, *names: str, **attributes: Any) -> Decorator:
    """Declare an option of a group: ``names`` and ``attributes`` as those of ``click.option``."""
    return click.option(*names, cls=SectionedOption, section=section, **attributes)


def decorated(command: Command, decorators: Sequence[Decorator]) -> Command:
    """Add options to a command. ``--help`` shows them in this order."""
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def names_of(command: click.Command) -> list[str]:
    """Return the names of the options and arguments of a command."""
    return [name for each in command.params for name in (*each.opts, *each.secondary_opts)]


class WithExamples(click.Command):
    """A command whose ``--help`` ends with examples."""

    context_class = SizedContext

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        """``examples``: command lines that ``--help`` shows, each of at most 76 characters."""
        super().__init__(*arguments, **attributes)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the last part, as click calls it."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    # Not wrapped: a line that is copied must be a whole command.
                    formatter.write(f"  {example}\n")
        super().format_epilog(ctx, formatter)


class SectionedCommand(WithExamples):
    """A command whose ``--help`` has the options in groups."""

    allow_extra_args = True
    """click's message about them would show them, and they may be secrets."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, without the values that flags ignore."""
        ignored = {name: each.ignored_value for each in self.params if isinstance(each, SectionedOption)
                   for name in each.opts if each.ignored_value is not None}  # fmt: skip
        kept = [word for before, word in zip(["", *args], args) if ignored.get(before) != word]
        for before, word in zip(args, args[1:]):
            if before in ignored and word.isdigit() and not ctx.resilient_parsing:
                raise click.UsageError(f"{before} takes no offset: it continues after the bytes that are there", ctx)
        try:
            rest = self.parse_words(ctx, kept)
        except click.NoSuchOption as error:
            advice = self._advice_for(error.option_name, ctx)
            if advice is None and error.possibilities:
                advice = f"did you mean {' or '.join(sorted(error.possibilities))}?"
            if advice is None:
                raise
            raise click.UsageError(f"No such option {error.option_name}: {advice}", ctx) from None
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if ctx.args and not ctx.resilient_parsing:
            raise click.UsageError(about_extra_words(ctx.args, names_of(self)), ctx)
        return rest

    def _advice_for(self, name: str, ctx: click.Context) -> Optional[str]:
        """Return what to do about an option that this command lacks."""
        if "url" not in names_of(self):
            return None
        root = ctx.find_root().command
        commands = root.commands if isinstance(root, click.Group) else {}
        owners = [
            repr(each) for each, command in commands.items() if name in names_of(command) and "url" in names_of(command)
        ]
        if owners:
            return f"{self.name!r} lacks it, {', '.join(owners)} {'has' if len(owners) == 1 else 'have'} it"
        return advice_for(name)

    def parse_words(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, after which words may be left in the context."""
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, as click calls it."""
        rows: dict[str, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
        for parameter in self.get_params(ctx):
            # click 8.2 lists arguments, too. The usage line has them.
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                rows[getattr(parameter, "section", OTHER)].append(row)
        is_plain = not any(rows[section] for section in SECTIONS if section != OTHER)
        for section, records in rows.items():
            if records:
                with formatter.section("Options" if is_plain else section):
                    formatter.write_dl(records)

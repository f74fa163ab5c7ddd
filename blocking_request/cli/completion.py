"""Completion of commands, options and values by the shell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from .messages import PROGRAM

SHELLS = ("bash", "zsh", "fish")

HEADER_NAMES = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Content-Encoding",
    "Content-Language",
    "Content-Type",
    "Cookie",
    "Depth",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Origin",
    "Prefer",
    "Range",
    "Referer",
    "User-Agent",
    "X-Requested-With",
)
"""The fields that requests have most often."""

_MARK = "\x1f"
"""A character that no word of a command line has."""

_NEEDS_NO_QUOTES = re.compile(r"[\w./%+,:-]+")


def _with_option(items: list[Any], incomplete: str) -> list[Any]:
    """Return the completions of ``--option=value`` with the option. click leaves it out, and zsh and fish delete it."""
    option, equals, value = incomplete.partition("=")
    if not option.startswith("--") or not equals:
        return items
    if any(item.type == "file" for item in items):
        return list(_paths(f"{option}=", value))
    return [CompletionItem(f"{option}={item.value}", item.type, item.help, nospace=item.nospace) for item in items]


class _Bash(BashComplete):
    """click's completion for bash, which also can leave out the space after a completed word.

    bash splits a line at ``:``, ``=`` and ``@``, too, and replaces only the part after the last of them. So the words
    are found in the line, and the part that bash keeps is removed from each completion.
    """

    _kept = ""
    """The part of the incomplete word that bash keeps."""

    source_template = """\
%(complete_func)s() {
    local response type value

    response=$(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_REPLACED="$2" \
%(complete_var)s=bash_complete "$1" 2>/dev/null)

    while IFS=',' read -r type value; do
        case $type in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            nospace) COMPREPLY+=("$value"); compopt -o nospace ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done <<< "$response"
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the complete words and the incomplete one, as click calls it."""
        before = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT") or 0)]
        # The mark keeps an incomplete word that is empty, or that has only a quote.
        words = split_arg_string(f"{before}{_MARK}")
        if len(words) < 2 or words[0] not in os.environ["COMP_WORDS"].split("\n")[:1]:
            return super().get_completion_args()  # the script is that of an older version
        incomplete, replaced = words[-1].removesuffix(_MARK), os.environ.get("COMP_REPLACED", "")
        self._kept = incomplete.removesuffix(replaced) if incomplete.endswith(replaced) else ""
        return words[1:-1], incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
        """Return the completions, as click calls it."""
        return _with_option(super().get_completions(args, incomplete), incomplete)

    def format_completion(self, item: Any) -> str:
        """Return the line that the script reads."""
        return f"{'nospace' if item.nospace else item.type},{item.value.removeprefix(self._kept)}"


class _Zsh(ZshComplete):
    """click's completion for zsh, also for values after ``=``."""

    def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
        """Return the completions, as click calls it."""
        return _with_option(super().get_completions(args, incomplete), incomplete)


class _Fish(FishComplete):
    """click's completion for fish, also for values after ``=``, and for descriptions with commas."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')

    def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
        """Return the completions, as click calls it."""
        return _with_option(super().get_completions(args, incomplete), incomplete)


for _class in (_Bash, _Zsh, _Fish):
    add_completion_class(_class)


def completion_script(shell: str, command: click.Command) -> str:
    """Return the script that teaches a shell the words of a command."""
    completion_class = get_completion_class(shell)
    assert completion_class is not None
    variable = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
    completion = completion_class(command, {}, PROGRAM, variable)
    # Not completion.source(): for bash, it starts bash and looks at its version.
    return completion.source_template % completion.source_vars()


def completed_values(option: click.Option, incomplete: str) -> list[Any]:
    """Return how the value of an option may go on: names of headers, files and folders."""
    metavar = option.metavar or ""
    if "--header" in option.opts:
        start = incomplete.lower()
        return [
            CompletionItem(f"{name}:", nospace=True) for name in HEADER_NAMES if f"{name}:".lower().startswith(start)
        ]
    if "@FILE" in metavar:
        prefix, at, path = incomplete.partition("@")
        return list(_paths(prefix + at, path)) if at else []
    if "FILE" in metavar:
        return [CompletionItem(incomplete, type="file")]
    if "FOLDER" in metavar:
        return [CompletionItem(incomplete, type="dir")]
    return []


def _paths(prefix: str, path: str) -> Iterator[Any]:
    """Yield the files whose paths begin with ``path``, with a prefix, which the shell's own completion would not find.

    Names that the shell would split or expand are left out.
    """
    folder, name = os.path.split(path)
    try:
        with os.scandir(folder or ".") as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        is_hidden = entry.name.startswith(".") and not name.startswith(".")
        if entry.name.startswith(name) and not is_hidden and _NEEDS_NO_QUOTES.fullmatch(entry.name):
            value = prefix + os.path.join(folder, entry.name)
            yield CompletionItem(f"{value}/", nospace=True) if entry.is_dir() else CompletionItem(value)

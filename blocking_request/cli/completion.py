"""Completion of commands, options and values by the shell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

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

_NEEDS_NO_QUOTES = re.compile(r"[\w./%+,:-]+")


class _Bash(BashComplete):
    """click's completion for bash, which also can leave out the space after a completed word."""

    source_template = """\
%(complete_func)s() {
    local response type value

    response=$(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
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

    def format_completion(self, item: Any) -> str:
        """Return the line that the script reads."""
        return f"nospace,{item.value}" if item.nospace else super().format_completion(item)


add_completion_class(_Bash)


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

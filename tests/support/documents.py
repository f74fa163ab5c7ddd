"""The code blocks of a page of the documentation, and the comments that steer them: see ``tests/test_documents.py``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SHELL = ("blocking-request", "python", "python3", "pip", "tox", "git", "cd", "$", "export", "source", "sudo")
LANGUAGES = ("python", "console", "toml", "ini", "json", "text")
_ASSIGNMENTS = re.compile(r"^\s*(?:[A-Za-z_]+=\S+ +)*")
"""Of the environment, before a command."""
_COMMENT = re.compile(r"\.\. test: *(?P<kind>\w+) *(?P<arguments>.*)$")
_DIRECTIVE = re.compile(r"\.\. (?:code-block|code|sourcecode):: *(?P<language>\S*)$")
_ANY_DIRECTIVE = re.compile(r"\.\. .*::")


@dataclass
class Block:
    """One block, or the code of a comment. ``line``: of its first line on the page, from 1."""

    kind: str
    """A language, or the word behind ``test:`` of a comment."""
    text: str
    line: int
    comments: list[Block] = field(default_factory=list)
    """The comments between the block before and this one; their ``arguments`` and ``text``."""
    arguments: str = ""

    def comment(self, kind: str) -> Block | None:
        return next((each for each in self.comments if each.kind == kind), None)


def blocks_of(path: Path) -> list[Block]:
    """Read the blocks of a page; each has the comments before it. Comments at the end belong to an empty block."""
    blocks: list[Block] = []
    comments: list[Block] = []
    for block in _all_blocks(path.read_text("utf-8").splitlines()):
        if block.kind in LANGUAGES:
            block.comments, comments = comments, []
            blocks.append(block)
        else:
            comments.append(block)
    if comments:
        blocks.append(Block("text", "", comments[0].line, comments))
    return blocks


def _all_blocks(lines: list[str]) -> Iterator[Block]:
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if match := _COMMENT.match(line):
            text, number, first = _indented(lines, number)
            yield Block(match["kind"], text, first, arguments=match["arguments"])
        elif match := _DIRECTIVE.match(line):
            text, number, first = _indented(lines, number)
            yield Block(_language(match["language"], text), text, first)
        elif line.endswith("::") and not _ANY_DIRECTIVE.match(line):
            text, number, first = _indented(lines, number)
            yield Block(_language("", text), text, first)


def _indented(lines: list[str], number: int) -> tuple[str, int, int]:
    """The text that is indented below a line, the number of the line behind it, and that of its first line, from 1."""
    indentation = _width(lines[number - 1])
    start = number
    while number < len(lines) and (not lines[number].strip() or _width(lines[number]) > indentation):
        number += 1
    body = lines[start:number]
    while body and (not body[0].strip() or body[0].strip().startswith(":")):  # options of the directive
        del body[0]
        start += 1
    return textwrap.dedent("\n".join(body)).strip("\n"), number, start + 1


def _width(line: str) -> int:
    return len(line) - len(line.lstrip())


def _language(name: str, text: str) -> str:
    if name in ("bash", "shell", "sh"):
        return "console"
    if name in ("none", "rst"):
        return "text"
    if name:
        assert name in LANGUAGES, f"{name} is no language that the test knows: {LANGUAGES}"
        return name
    lines = [line for line in text.splitlines() if line.strip()]
    return "console" if all(_ASSIGNMENTS.sub("", line).split()[0] in SHELL for line in lines) else "python"

"""Count telling words in comments, docstrings and documents, beside the figures of six well-told packages.

    python .ci/count_words.py blocking_request tests docs README.rst

Prints a table with a row for each folder and file given, in words per 1 000 words, and ends with 1 if a row misses a
target. CONTRIBUTING.rst says why these words are counted.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

COLUMNS: dict[str, tuple[str, ...]] = {
    "if": ("if",),
    "where": ("where",),
    "what": ("what",),
    "nobody ...": ("nobody", "whoever", "somebody", "whom"),
}
"""The words of each column."""

MODELS = {"if": 10.9, "where": 0.9, "what": 0.4, "nobody ...": 0.0}
"""The figures of httpcore, httpx, h11, urllib3, trustme and pytest-qt."""

AT_LEAST = {"if": 6.0}
"""Not for tests: the conditions stand in their names."""
AT_MOST = {"where": 2.0, "what": 2.0, "nobody ...": 0.2}

_WORD = re.compile(r"[A-Za-z']+")
_LITERAL = re.compile(r"``[^`]*``|`[^`]*`_|^ {4,}\S.*$", re.MULTILINE)
"""Code in a document: literals, targets of links, indented blocks."""


def comments_and_docstrings(source: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")
    for node in ast.walk(ast.parse(source)):
        for child in getattr(node, "body", None) or () if not isinstance(node, (ast.Lambda, ast.IfExp)) else ():
            if (
                isinstance(child, ast.Expr)
                and isinstance(child.value, ast.Constant)
                and isinstance(child.value.value, str)
            ):
                yield child.value.value


def words_of(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    prose = " ".join(comments_and_docstrings(text)) if path.suffix == ".py" else _LITERAL.sub(" ", text)
    return _WORD.findall(prose.lower())


def files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(each for suffix in ("py", "rst") for each in path.rglob(f"*.{suffix}"))


def frequencies(words: list[str]) -> dict[str, float]:
    counter = Counter(words)
    return {
        column: 1000 * sum(counter[word] for word in its_words) / max(len(words), 1)
        for column, its_words in COLUMNS.items()
    }


def misses(name: str, figures: dict[str, float]) -> list[str]:
    at_least = {} if name == "tests" else AT_LEAST
    too_few = [column for column, least in at_least.items() if figures[column] < least]
    return too_few + [column for column, most in AT_MOST.items() if figures[column] > most]


def row(title: str, count: str, figures: dict[str, float]) -> str:
    return f"{title:34}{count:>8}" + "".join(f"{figures[column]:>12.1f}" for column in COLUMNS)


def main(arguments: list[str]) -> int:
    print(f"{'':34}{'words':>8}" + "".join(f"{column:>12}" for column in COLUMNS))
    print(row("six other packages", "", MODELS))
    missed = False
    for argument in arguments:
        words = [word for path in files_of(Path(argument)) for word in words_of(path)]
        figures = frequencies(words)
        faults = misses(argument, figures)
        missed = missed or bool(faults)
        print(row(argument, str(len(words)), figures) + (f"   missed: {', '.join(faults)}" if faults else ""))
    goals = ", ".join(
        [f"{column} >= {least:g}" for column, least in AT_LEAST.items()]
        + [f"{column} <= {most:g}" for column, most in AT_MOST.items()]
    )
    print(f"targets: {goals}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

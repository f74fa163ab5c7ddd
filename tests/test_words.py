"""Words that must not be used any more. The glossary has the usual word for each."""

from __future__ import annotations

import re
from pathlib import Path

from .support.names import ROOT

RETIRED = ("wire", "grip", "occasion", "crowd", "keeper", "bell", "audience")
# The words are also found as a part of a name, as in read_wire or QtWire.
_RETIRED = re.compile(
    rf"(?<![a-z])(?:{'|'.join(RETIRED)})s?(?![a-z])|(?:{'|'.join(map(str.title, RETIRED))})s?(?![a-z])"
)
_LETTERS = re.compile(r"\bLetters?\b|_letters?\b|\bletters?_")
"""``letter`` may only be used for a letter of an alphabet."""


def test_no_retired_words() -> None:
    paths = [*(ROOT / "docs").rglob("*.rst"), ROOT / "README.rst"]
    for folder in ("blocking_request", "tests", "benchmarks", "examples"):
        paths += (ROOT / folder).rglob("*.py")
    found = []
    for path in paths:
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if _RETIRED.search(line) or _LETTERS.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)

"""Each regular expression of the package takes linear time, even if a server sends hostile text.

``re`` holds the GIL while it backtracks. If a pattern has two adjacent quantifiers that match the same bytes, a few
kilobytes of text block every thread of the process, and no deadline helps.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import blocking_request
from blocking_request.models.body_redaction import _names, _xml_pattern
from blocking_request.models.redaction import SECRET_PARAMETERS, _secret_in_text, _secret_name, _secret_parameter

ROOT = Path(blocking_request.__file__).parent
METHODS = frozenset(("match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"))
ANCHORED = frozenset(("match", "fullmatch"))
SIZE = 12_000


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages([str(ROOT)], "blocking_request."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def patterns_of(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(getattr(value, "__self__", None), re.Pattern):  # a bound method: re.compile(...).match
        yield value.__self__
    elif isinstance(value, (tuple, list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from patterns_of(each)


def is_searched(module: Any, name: str) -> bool:
    """Return whether a pattern is searched at each position of a text, and not only matched at one."""
    source = Path(module.__file__).read_text("utf-8")
    return any(f"{name}.{method}(" in source for method in METHODS - ANCHORED)


def all_patterns() -> dict[re.Pattern[Any], bool]:
    """Return all patterns, each with whether it is searched."""
    # These patterns are made at run time, from the names of secret parameters.
    found = {make(SECRET_PARAMETERS): True for make in (_secret_in_text, _secret_parameter)}
    found[_xml_pattern(())] = True
    found[_secret_name(SECRET_PARAMETERS)] = found[_names(())] = False
    for module in modules():
        for name, value in vars(module).items():
            for pattern in patterns_of(value):
                searched = isinstance(value, dict) or is_searched(module, name)
                found[pattern] = found.get(pattern, False) or searched
    return found


PATTERNS = all_patterns()


def test_patterns_are_compiled_at_module_level() -> None:
    """Otherwise test_pattern_takes_linear_time would not find them."""
    loose = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr in METHODS:
                loose.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert loose == []


def seeds(pattern: str) -> list[str]:
    """Return the characters in the pattern, and one character of each usual class."""
    literal = {character for character in pattern if character.isprintable() and not character.isalnum()}
    words = set(re.findall(r"[A-Za-z]{2,}", pattern))
    literals = (re.split(r"[\[*+?{]", re.sub(r"\\(.)", r"\1", each))[0] for each in re.split(r"[|()]", pattern))
    words |= {separator + each for each in literals if len(each) > 1 for separator in "?&"}
    return sorted(
        literal | words | {" ", "\t", "0", "a", "A", "\\", '"', "=", ",", ";", "\r", "\n", "\x00", "\x80", '\\"'}
    )


def prefixes(pattern: str) -> list[str]:
    """Return texts that match the first part of the pattern, so that a hostile text reaches its middle."""
    literal = re.sub(r"\\(.)", r"\1", re.split(r"[\[(*+?{|]", pattern)[0])
    return ["", literal, "HTTP/1.1 200", "bytes=", 'a="', "a=", "http://a", "-----BEGIN CERTIFICATE-----", "&token="]


LIMIT_SECONDS = 0.1
"""Quadratic growth takes more: test_quadratic_pattern_is_found."""


def seconds(pattern: re.Pattern[Any], text: Any, searched: bool) -> float:
    started = time.process_time()
    pattern.match(text)
    pattern.fullmatch(text)
    if searched:
        pattern.sub(text[:0], text)
    return time.process_time() - started


def hostile(pattern: re.Pattern[Any], size: int) -> Iterator[Any]:
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    for prefix, unit, end in itertools.product(prefixes(source), seeds(source), ("\rX\n", "\x01")):
        text = prefix + unit * (size // len(unit)) + end
        yield text if isinstance(pattern.pattern, str) else text.encode("latin-1")


@pytest.mark.parametrize("pattern", sorted(PATTERNS, key=str), ids=lambda pattern: str(pattern.pattern)[:40])
def test_pattern_takes_linear_time(pattern: re.Pattern[Any]) -> None:
    """12 000 characters take about a millisecond. With quadratic growth they take a hundred times as long."""
    for text in hostile(pattern, SIZE):
        taken = seconds(pattern, text, PATTERNS[pattern])
        if taken > LIMIT_SECONDS:  # measure again: the machine may have been busy
            taken = min(taken, seconds(pattern, text, PATTERNS[pattern]))
        assert taken < LIMIT_SECONDS, f"{taken:.2f} s for {text[:40]!r}..."


def test_quadratic_pattern_is_found() -> None:
    """Checks the method of this file with an earlier pattern for the status line, which took quadratic time."""
    bad = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9]{2})(?:[ \t]+([^\r\n]*))?[ \t]*\r?\n")
    assert any(seconds(bad, text, False) > 0.1 for text in hostile(bad, 900))

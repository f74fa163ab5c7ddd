"""Private names stay in their module: ``x._name`` is used only in the module that defines ``_name``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import blocking_request

PACKAGE = Path(blocking_request.__file__).parent
ALLOWED = {
    "_replace",  # a documented method of NamedTuple
    "_fields",
    "_make",
    "_asdict",
    "_current_frames",  # a documented function of sys
}

HTTP_COOKIEJAR = {"_cookies", "_now", "_policy", "_cookies_for_request"}
"""Private names of ``http.cookiejar`` that may be used: its public method needs a urllib Request and is three times slower."""


def defined_names(tree: ast.AST) -> Iterator[str]:
    """Yield each name that a module binds: functions, classes, variables, attributes of its own objects."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # a name in __slots__


def foreign_private_names(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    own = set(defined_names(tree))
    name = path.relative_to(PACKAGE)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name.startswith("_") and node.module is not None:
                    yield f"{name}:{node.lineno}: from {node.module} import {alias.name}"
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.endswith("__"):
            continue
        is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        if is_own or node.attr in own or node.attr in ALLOWED:
            continue
        if name == Path("stores", "cookie_jar.py") and node.attr in HTTP_COOKIEJAR:
            continue
        yield f"{name}:{node.lineno}: {ast.unparse(node)}"


def test_private_names_stay_in_their_module() -> None:
    found = [line for path in sorted(PACKAGE.rglob("*.py")) for line in foreign_private_names(path)]
    assert not found, "\n".join(found)

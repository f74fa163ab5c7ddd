"""The directive ``command-manual``: a part of the manual page, made from the declarations of the command.

``.. command-manual:: options``; the parts are the functions of manual_text.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import manual_text
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# Options, values and quoted texts are literal: elsewhere, Sphinx replaces hyphens and quotation marks by others.
_LITERAL = re.compile(r"(?<![\w-])(?:--?[\w.]+(?:-[\w.]+)*|'[^']*'|@?[A-Z]{2,}(?:[|:][@A-Z]+)*|[\w-]+\.\w+)(?![\w-])")


def paragraph(text: str) -> nodes.paragraph:
    made = nodes.paragraph()
    end = 0
    for match in _LITERAL.finditer(text):
        made += nodes.Text(text[end : match.start()])
        made += nodes.literal(text=match[0])
        end = match.end()
    made += nodes.Text(text[end:])
    return made


def definitions(rows: Iterable[tuple[str, str]]) -> nodes.definition_list:
    made = nodes.definition_list()
    for name, text in rows:
        term = nodes.term("", "", nodes.literal(text=name))
        made += nodes.definition_list_item("", term, nodes.definition("", paragraph(text)))
    return made


class CommandManual(SphinxDirective):
    """``.. command-manual:: synopsis``"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        part = self.arguments[0]
        if part in ("synopsis", "examples"):
            text = "\n".join(getattr(manual_text, part)())
            return [nodes.literal_block(text, text, language="text" if part == "synopsis" else "console")]
        if part == "options":
            return [self._group(section, rows) for section, rows in manual_text.options().items()]
        return [definitions({"commands": manual_text.descriptions, "exit-status": manual_text.exit_statuses}[part]())]

    def _group(self, section: str, rows: list[tuple[str, str]]) -> nodes.Node:
        group = nodes.section(ids=[nodes.make_id(f"options {section}")])
        group += nodes.title(text=section)
        group += definitions(rows)
        return group


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("command-manual", CommandManual)
    return {"parallel_read_safe": True}

"""The directive ``layer-picture``: the layers of the package, drawn from the import contract in .importlinter."""

from __future__ import annotations

import configparser
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CONTRACT = Path(__file__).parents[2] / ".importlinter"
PACKAGE = "blocking_request."

WIDTH, ROW, BOX, GAP, NOTE_X = 860, 34, 26, 8, 330

NOTES = {
    "__main__": "python -m blocking_request",
    "cli": "the command blocking-request",
    "requests_adapter": "other interfaces over the same calls",
    "request": "the public classes",
    "calls": "one call: drives its flow, keeps its time limits, reads its body",
    "prepare": "arguments, request and settings become one Request",
    "qgis": "settings and credentials of QGIS",
    "stores": "outlive a call: cookies, cache, credentials, HSTS hosts",
    "bodies": "uploads, forms, downloads, checksums",
    "engines": "send one request, give one response: qt, python",
    "flows": "policies as generators, no I/O: redirects, login, retry, cache rules",
    "reply": "ReplyContent, Feedback",
    "proxies": "which proxy; certificates between files, Python and Qt",
    "qt": "what differs between the bindings",
    "trace": "the steps of a transfer, reported in one place",
    "models": "values: Request, Response, headers, URLs, errors",
    "errors": "ErrorCode, exceptions; environment variables",
}


def layers() -> list[list[str]]:
    """The layers of the contract, the top one first; modules of one layer stand together."""
    parser = configparser.ConfigParser()
    parser.read(CONTRACT, "utf-8")
    lines = parser["importlinter:contract:layers"]["layers"].split("\n")
    return [
        [part.strip().removeprefix(PACKAGE) for part in line.replace("|", ":").split(":")] for line in lines if line
    ]


def svg() -> str:
    rows = layers()
    height = len(rows) * ROW + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="100%" role="img" '
        'font-family="monospace" font-size="13" fill="currentColor">',
        "<title>The layers of blocking_request: each imports only those below it</title>",
    ]
    for number, row in enumerate(rows):
        parts += _row(row, 4 + number * ROW)
    return "\n".join([*parts, "</svg>"])


def _row(names: list[str], top: int) -> list[str]:
    width = (NOTE_X - GAP * (len(names) + 1)) / len(names)
    parts = []
    for number, name in enumerate(names):
        left = GAP + number * (width + GAP)
        size = 13 if len(name) * 8 < width else 11
        parts.append(
            f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{BOX}" rx="4" fill="none" '
            f'stroke="currentColor"/><text x="{left + width / 2:.0f}" y="{top + 18}" text-anchor="middle" '
            f'font-size="{size}">{escape(name)}</text>'
        )
    # A layer without a note is a mistake here: whoever adds a layer says what it is.
    note = NOTES[names[0]]
    parts.append(f'<text x="{NOTE_X + 2 * GAP}" y="{top + 18}" font-family="sans-serif">{escape(note)}</text>')
    return parts


class LayerPicture(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(CONTRACT))
        return [nodes.raw("", f'<div class="layer-picture">{svg()}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("layer-picture", LayerPicture)
    return {"parallel_read_safe": True}

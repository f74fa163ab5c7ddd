"""Autodoc for a package whose public names are loaded at first use and say that they are from the package itself.

Two things: attribute docstrings are read from the modules in which the classes are written. And the build warns, and so
fails, if a public name, or a public member of tests/public_names.txt, is on no page of the reference.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import blocking_request
from blocking_request import netlog, qhttp, requests_adapter, testing
from blocking_request.qt.binding import QtCore

MODULES = (blocking_request, netlog, qhttp, requests_adapter, testing)
MEMBERS = Path(__file__).parents[2] / "tests" / "public_names.txt"
INTERNAL = {
    "blocking_request.BlockingNetworkRequest.connectNotify",
    "blocking_request.ReplyContent.from_response",
    "blocking_request.netlog.NetworkMonitor.event",
    "blocking_request.qhttp.Http.event",
    "blocking_request.qhttp.Http.timerEvent",
}
"""Members that other modules of the package, or Qt, need, and users do not."""

logger = logging.getLogger(__name__)


def origins() -> dict[str, type]:
    """The public classes, by full name."""
    found = {}
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type):
                found.setdefault(f"{module.__name__}.{name}", value)
    return found


def read_attribute_docstrings(_: Sphinx) -> None:
    """Let the analysis of each public module contain that of the modules in which its classes are written."""
    for full_name, kind in origins().items():
        module = full_name.rpartition(".")[0]
        written_in = _module_of_source(kind)
        if written_in != module:
            _merge(ModuleAnalyzer.for_module(module), ModuleAnalyzer.for_module(written_in), kind.__name__)


def _module_of_source(kind: type) -> str:
    """The module whose file has the class statement. It is loaded, because the class is."""
    statement = f"\nclass {kind.__name__}"
    for name, module in sorted(sys.modules.items()):
        is_there = name.startswith("blocking_request") and vars(module).get(kind.__name__) is kind
        if is_there and statement in inspect.getsource(module):
            return name
    raise LookupError(f"no module has the source of {kind}")


def _merge(target: ModuleAnalyzer, source: ModuleAnalyzer, name: str) -> None:
    target.analyze()
    source.analyze()
    start = len(target.tagorder)
    for (scope, attribute), text in source.attr_docs.items():
        if scope.split(".")[0] == name:
            target.attr_docs[scope, attribute] = text
    for tag, order in source.tagorder.items():
        if tag.split(".")[0] == name:
            target.tagorder[tag] = start + order
    for key in ("annotations", "finals", "overloads"):
        values = getattr(source, key)
        if isinstance(values, dict):
            getattr(target, key).update(values)


def expected_objects() -> set[str]:
    """The full names that the reference must have."""
    members = {}
    for line in MEMBERS.read_text("utf-8").splitlines():
        name, _, listed = line.partition(":")
        members[name] = listed.split()
    expected = set()
    for module in MODULES:
        for name in module.__all__:
            # Names of requests_adapter are documented there, although the package offers most of them too.
            if name != "__version__" and (module is requests_adapter or name not in requests_adapter.__all__):
                expected |= {
                    f"{module.__name__}.{each}" for each in (name, *(f"{name}.{m}" for m in members.get(name, ())))
                }
    return expected


def check_reference(app: Sphinx, env: BuildEnvironment) -> None:
    documented = {name for name, *_ in env.get_domain("py").get_objects()}
    missing = sorted(expected_objects() - documented - INTERNAL)
    if missing:
        logger.warning("public names that are on no page of the reference: %s", ", ".join(missing))


def drop_useless_docstring(_app: Sphinx, _kind: str, _name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Drop the docstring that Python gives to each field of a NamedTuple."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()


class SignalTable(SphinxDirective):
    """``.. signal-table:: blocking_request.Feedback``: the signals of a class, and their meanings."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        meta = getattr(importlib.import_module(module), name).staticMetaObject
        docstrings = ModuleAnalyzer.for_module(module).attr_docs
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 40 60", "", "   * - signal", "     - meaning"]
        for number in range(meta.methodOffset(), meta.methodCount()):
            method = meta.method(number)
            if method.methodType() == QtCore.QMetaMethod.MethodType.Signal:
                signature = bytes(method.methodSignature()).decode()
                signal = signature.partition("(")[0]
                meaning = " ".join(docstrings[name, signal]).strip()
                text = signature.replace("PyQt_PyObject", "object").replace(",", ", ")
                lines += [f"   * - :attr:`{text} <{self.arguments[0]}.{signal}>`", f"     - {meaning}"]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("signal-table", SignalTable)
    app.connect("autodoc-process-docstring", drop_useless_docstring)
    app.connect("builder-inited", read_attribute_docstrings)
    app.connect("env-check-consistency", check_reference)
    return {"parallel_read_safe": True}

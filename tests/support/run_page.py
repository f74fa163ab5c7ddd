"""Run the Python blocks of one page of the documentation: ``python -m tests.support.run_page JOB.json``.

The job is written by ``tests/test_documents.py``, which also says what the blocks may use. Exits with 1 and the
traceback of the first block that fails; its lines are those of the page.
"""

from __future__ import annotations

import contextlib
import fnmatch
import io
import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any, Optional

_HOSTS = re.compile(r"(?:.*\.)?(?:example\.(?:org|com|net)|httpbin\.org)\.?$")
_LOCAL_PORT = 8000
_getaddrinfo = socket.getaddrinfo


def _find_example_hosts(server_port: int) -> None:
    """Let the names of the documentation be the server."""

    def look_up(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or ""
        if _HOSTS.match(name) or (name in ("localhost", "127.0.0.1") and port == _LOCAL_PORT):
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", server_port))]
        if name.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return _getaddrinfo(host, port, *arguments, **options)

    socket.getaddrinfo = look_up


def _let_qt_find_example_hosts(server_port: int) -> None:
    """Let managers that blocks make send to the server; Qt asks the system for names."""
    import blocking_request.engines.qt.manager
    from blocking_request.qt.binding import QtCore, QtNetwork

    base: Any = QtNetwork.QNetworkAccessManager

    class Manager(base):  # type: ignore[misc]
        def createRequest(self, operation: Any, request: Any, device: Any = None) -> Any:
            url = request.url()
            if _HOSTS.match(url.host()):
                request = QtNetwork.QNetworkRequest(request)
                request.setRawHeader(b"Host", url.host().encode())
                url.setScheme("http")
                url.setHost("127.0.0.1")
                url.setPort(server_port)
                request.setUrl(QtCore.QUrl(url))
            return super().createRequest(operation, request, device)

    Manager.__name__ = "QNetworkAccessManager"
    del blocking_request
    QtNetwork.QNetworkAccessManager = Manager  # type: ignore[misc]


def _make_application() -> Any:
    from blocking_request.qt.binding import API

    widgets = __import__(f"{API}.QtWidgets", fromlist=["QApplication"])
    return widgets.QApplication(sys.argv[:1])


def _names() -> dict[str, Any]:
    import blocking_request

    names = {name: getattr(blocking_request, name) for name in blocking_request.__all__}
    manager = blocking_request.NetworkAccessManager()
    manager.setTimeout(10_000)
    return {
        **names,
        "__name__": "__page__",
        "manager": manager,
        "request": blocking_request.BlockingNetworkRequest(manager),
        "feedback": blocking_request.Feedback(),
        "url": "https://example.org/data.json",
        "urls": [f"https://example.org/tiles/{number}.bin" for number in range(3)],
        "data": b"name=Ada&born=1815",
    }


def _execute(step: dict[str, Any], page: str, names: dict[str, Any]) -> str:
    """Run one block, and return its output."""
    code = compile("\n" * (step["line"] - 1) + step["text"], page, "exec")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        if not step.get("raises"):
            exec(code, names)
        else:
            _expect(code, names, step["raises"], f"{page}:{step['line']}")
    sys.stdout.write(output.getvalue())
    return output.getvalue()


def _expect(code: Any, names: dict[str, Any], name: str, where: str) -> None:
    try:
        exec(code, names)
    except BaseException as error:
        if name in {kind.__name__ for kind in type(error).__mro__}:
            return
        raise
    raise AssertionError(f"{where}: nothing was raised; expected {name}")


def _check_output(step: dict[str, Any], page: str, printed: str) -> None:
    def plain(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip().splitlines())

    pattern = plain(step["text"]).replace("[", "[[]").replace("...", "*")
    if not fnmatch.fnmatchcase(plain(printed), pattern):
        raise AssertionError(f"{page}:{step['line']}: the page says\n{step['text']}\nbut the block printed\n{printed}")


def main(path: str) -> None:
    job = json.loads(Path(path).read_text("utf-8"))
    _find_example_hosts(job["port"])
    if job["program"]:
        sys.argv[:] = job["argv"]
        names: dict[str, Any] = {"__name__": "__main__"}
        for step in job["steps"]:
            _execute(step, job["page"], names)
        return
    _let_qt_find_example_hosts(job["port"])
    application: Optional[Any] = None if job["makes_application"] else _make_application()
    names, printed = _names(), ""
    for step in job["steps"]:
        if step["kind"] == "output":
            _check_output(step, job["page"], printed)
        elif step["kind"] == "python":
            printed = _execute(step, job["page"], names)
        else:
            _execute(step, job["page"], names)
    sys.stdout.flush()
    del application
    os._exit(0)  # objects that blocks leave behind, such as widgets, do not matter


if __name__ == "__main__":
    main(sys.argv[1])

"""The same code with QGIS's class and with ours: the results differ only as docs/qgis.rst says."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

from ..support.names import ROOT
from ..support.qgis_program import SYSTEM_PYTHON, needs_qgis
from ..support.servers.raw import Connection, RawServer
from ..support.servers.unreachable import unused_port

PICTURE = (
    b"P6 3 1 255\n" + bytes(9)  # netpbm
)


def serve_patterns(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        path = target.partition("?")[0]
        if path == "/slow":
            connection.wait_for_close()
            return
        host = next(line.partition(": ")[2] for line in lines if line.lower().startswith("host:"))
        pages = {
            "/text": (b"hello", "200 OK", "Content-Type: text/plain\r\n"),
            "/missing": (b"no such page", "404 Not Found", ""),
            "/broken": (b"it is broken", "500 Internal Server Error", ""),
            "/empty": (b"", "204 No Content", ""),
            "/moved": (b"", "302 Found", f"Location: http://{host}/text\r\n"),
            "/moved/relative": (b"", "302 Found", "Location: /text\r\n"),
            "/gzip": (gzip.compress(b"hello"), "200 OK", "Content-Encoding: gzip\r\n"),
            "/json": (b'{"features": [1, 2]}', "200 OK", "Content-Type: application/json\r\n"),
            "/xml": (b"<capabilities/>", "200 OK", "Content-Type: text/xml\r\n"),
            "/picture": (PICTURE, "200 OK", "Content-Type: image/x-portable-pixmap\r\n"),
            "/attachment": (b"x", "200 OK", 'Content-Disposition: attachment; filename="a b.zip"\r\n'),
        }
        if path == "/echo":
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            seen = {"method": method, "target": target, "headers": headers, "body": body.decode("latin-1")}
            pages[path] = json.dumps(seen).encode(), "200 OK", ""
        content, status, fields = pages[path]
        if method == "HEAD":
            connection.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{fields}\r\n".encode())
        else:
            connection.respond(content, status, fields)


def results(which: str, folder: Path) -> dict[str, str]:
    server = RawServer(serve_patterns)
    try:
        process = subprocess.run(
            [SYSTEM_PYTHON, str(Path(__file__).with_name("usage_patterns.py")), which, server.url]
            + [f"http://127.0.0.1:{unused_port()}/"],
            capture_output=True,
            text=True,
            timeout=100,
            env={"PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen", "HOME": str(folder / which)},
            check=False,
        )
    finally:
        server.close()
    assert process.returncode == 0, process.stdout + process.stderr
    return dict(line.split(" ", 1) for line in process.stdout.splitlines())


DIFFERENCES = {
    "empty_url": (
        "(True, 'Protocol \"\" is unknown')",
        "(True, 'Protocol \"\" is unknown: the URL must begin with http:// or https://')",
    ),
    "own_user_agent": ("False", "True"),
    "relative_redirect": ("(False, b'')", "(True, b'hello')"),
    "empty_response": ("(False, b'')", "(True, b'')"),
    "global_timeout": ("(60000, True, b'')", "(60000, False, b'')"),
}
"""How the results of QGIS 3.22 and ours differ, on purpose."""


@needs_qgis
def test_results_are_those_of_qgis(tmp_path: Path) -> None:
    qgis, ours = results("qgis", tmp_path), results("ours", tmp_path)
    assert len(ours) == 46
    missing = {name for name, result in qgis.items() if result.startswith("AttributeError")}  # in an old QGIS
    found = {name: (qgis[name], ours[name]) for name in ours if qgis[name] != ours[name] and name not in missing}
    assert found == DIFFERENCES
    assert not [result for result in ours.values() if "Error" in result]

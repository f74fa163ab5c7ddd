"""The cache judged by the public suite of HTTP cache tests (cache-tests.fyi), which is not part of this project.

``python -m benchmarks.cache_suite FOLDER``: a checkout of https://github.com/http-tests/cache-tests, in which ``npm
install`` has run; needs node. The suite's own client talks to a gateway that sends everything by a
BlockingNetworkRequest, so it is the suite that judges. Counted are the cases that a cache of one user has to pass;
each that fails is named.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, NetworkDiskCache
from blocking_request.qt.binding import QtCore, QtNetwork

from .measure import finish
from .nginx import free_port, wait_for_port

REQUIRED = 130
"""Of 137 in the suite of 2026."""

REQUEST = QtNetwork.QNetworkRequest
OF_THE_CONNECTION = frozenset(("connection", "keep-alive", "host", "content-length", "transfer-encoding"))

RUN = """
import {{ runTests, getResults }} from '{engine}/client/runner.mjs'
import tests from '{folder}/tests/index.mjs'
await runTests(tests, true, '{gateway}', 25)
const kinds = {{}}
for (const group of tests) for (const test of group.tests)
  if (!test.cdn_only && !test.browser_skip) kinds[test.id] = test.kind || 'required'
console.log(JSON.stringify([kinds, getResults()]))
"""


class Gateway(BaseHTTPRequestHandler):
    """Sends on what it is asked, to the suite's server."""

    protocol_version = "HTTP/1.1"
    manager: NetworkAccessManager
    server_url: str

    def _send_on(self) -> None:
        request = REQUEST(QtCore.QUrl(self.server_url + self.path))
        for name in dict.fromkeys(self.headers):
            if name.lower() not in OF_THE_CONNECTION:
                value = ", ".join(self.headers.get_all(name))
                request.setRawHeader(name.encode(), value.encode("latin-1"))
        for attribute in (REQUEST.Attribute.CookieLoadControlAttribute, REQUEST.Attribute.CookieSaveControlAttribute):
            request.setAttribute(attribute, REQUEST.LoadControl.Manual)
        length = int(self.headers.get("content-length", 0))
        blocking = BlockingNetworkRequest(self.manager)
        blocking.sendCustomRequest(request, self.command, self.rfile.read(length) if length else None)
        reply = blocking.reply()
        if reply.statusCode() is None or reply._response.failure is not None:
            self.send_error(504)
            return
        self.send_response_only(reply.statusCode(), reply.reasonPhrase())
        for name, value in reply._response.headers.pairs:
            if name.decode().lower() not in OF_THE_CONNECTION:
                self.send_header(name.decode(), value.decode("latin-1"))
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" and reply.statusCode() not in (204, 304):
            self.wfile.write(reply.body)

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self._send_on
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        pass


def engine_of(folder: Path) -> Path:
    engine = folder / "test-engine"
    return engine if engine.is_dir() else folder


@contextmanager
def suite_server(folder: Path, port: int, scratch: str) -> Iterator[None]:
    environment = {
        **os.environ,
        "npm_config_protocol": "http",
        "npm_config_port": str(port),
        "npm_config_pidfile": f"{scratch}/pid",
    }
    process = subprocess.Popen(
        ["node", "--no-warnings", engine_of(folder) / "server" / "server.mjs"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield
    finally:
        process.terminate()
        process.wait()


def results(folder: Path, gateway: str) -> tuple[dict[str, str], dict[str, object]]:
    """The kind of each case that a cache of one user can have, and what came of it: True, or what was wrong."""
    program = RUN.format(engine=engine_of(folder).as_uri(), folder=folder.as_uri(), gateway=gateway)
    command = ["node", "--no-warnings", "--input-type=module", "-e", program]
    printed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    return tuple(json.loads(printed.splitlines()[-1]))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1]).resolve()
    app = QtCore.QCoreApplication([])
    with tempfile.TemporaryDirectory() as scratch:
        origin_port, port = free_port(), free_port()
        manager = NetworkAccessManager()
        manager.setEngine("python")
        manager.setRedirectPolicy(REQUEST.RedirectPolicy.ManualRedirectPolicy)
        manager.setCache(NetworkDiskCache(f"{scratch}/cache"))
        Gateway.manager, Gateway.server_url = manager, f"http://127.0.0.1:{origin_port}"
        gateway = ThreadingHTTPServer(("127.0.0.1", port), Gateway)
        # A client that leaves is no error of ours.
        gateway.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        with suite_server(folder, origin_port, scratch):
            cases, outcomes = results(folder, f"http://127.0.0.1:{port}")
        gateway.shutdown()
        manager.shutdown()
    for kind in ("required", "optimal", "check"):
        names = sorted(name for name, each in cases.items() if each == kind)
        passed = [name for name in names if outcomes.get(name) is True]
        print(f"{kind}: {len(passed)} of {len(names)}")
        for name in names:
            if outcomes.get(name) is not True:
                print(f"    not {name}: {outcomes.get(name)}")
        if kind == "required" and len(passed) < min(REQUIRED, len(names)):
            print(f"    MISSED: at least {REQUIRED}")
            sys.exit(1)
    del app
    finish()


if __name__ == "__main__":
    main()

"""httpbin on loopback, in a thread of the test run."""

from __future__ import annotations

import logging
import threading

from httpbin import app  # type: ignore[import-untyped]
from werkzeug.serving import make_server


class HttpbinServer:
    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(10)

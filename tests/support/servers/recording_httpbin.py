"""httpbin on loopback, which records the requests, and can cut a body off or be busy."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

from httpbin import app  # type: ignore[import-untyped]
from werkzeug.serving import make_server


class Received(NamedTuple):
    """A request, as the server has read it. ``headers``: by name in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class RecordingHttpbin:
    """``requests``: what has arrived since ``begin``."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[Received] = []
        self._first = ""
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def begin(self, first: str = "") -> None:
        """Forget the requests. ``first``: what happens to the next one: "busy" (503), "cut" (half a body)."""
        self.requests = []
        self._first = first

    def _serve(self, environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # httpbin reads the length from here; a chunked body has none.
        length = environment.get("CONTENT_LENGTH")
        body = environment["wsgi.input"].read(int(length)) if length else b""
        environment["wsgi.input"] = io.BytesIO(body)
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environment.items() if name.startswith("HTTP_")
        }
        headers["content-type"] = environment.get("CONTENT_TYPE") or ""
        query = environment.get("QUERY_STRING")
        target = environment["PATH_INFO"] + (f"?{query}" if query else "")
        self.requests.append(Received(environment["REQUEST_METHOD"], target, headers, body))
        first, self._first = self._first, ""
        if first == "busy":
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        content: Iterable[bytes] = app(environment, self._with_quoted_etag(start_response))
        if first == "cut":
            whole = b"".join(content)
            return [whole[: len(whole) // 2]]
        return content

    def _with_quoted_etag(self, start_response: Any) -> Any:
        """httpbin's /range sends ETag without the quotes that RFC 9110 section 8.8.3 requires."""

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            fields = [
                (name, f'"{value}"' if name.lower() == "etag" and value[:1] not in ('"', "W") else value)
                for name, value in headers
            ]
            return start_response(status, fields, *rest)

        return start

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(10)

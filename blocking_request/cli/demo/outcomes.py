"""The promise about the codes: each kind of outcome is made to happen once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable

from ... import BlockingNetworkRequest, ErrorCode
from .promise import Outcome, ShowProgress, new_request
from .server import HELLO, DemoServer

TIMEOUT_MS = 250


@dataclass(frozen=True)
class _Row:
    """The result of one request, and whether it is the documented one."""

    request: str
    code: ErrorCode
    status: Any
    size: int
    milliseconds: float
    engine: str
    is_as_documented: bool


def try_outcomes(server: DemoServer, _: ShowProgress) -> Outcome:
    request, url = new_request(), server.url
    late = new_request()
    late.setTimeout(TIMEOUT_MS)
    good, broken = ErrorCode.NoError, ErrorCode.NetworkError
    refused, timeout = ErrorCode.ServerExceptionError, ErrorCode.TimeoutError
    size = len(HELLO)
    rows = [
        _row(request, "GET", good, 200, size, lambda: request.get(f"{url}/hello")),
        _row(request, "HEAD", good, 200, 0, lambda: request.head(f"{url}/hello")),
        _row(request, "POST", good, 200, 7, lambda: request.post(f"{url}/echo", b"a=1&b=2")),
        _row(request, "PUT", good, 200, 100_000, lambda: request.put(f"{url}/echo", b"x" * 100_000)),
        _row(request, "PATCH", good, 200, 5, lambda: request.patch(f"{url}/echo", b"patch")),
        _row(request, "DELETE", good, 200, size, lambda: request.deleteResource(f"{url}/hello")),
        _row(request, "OPTIONS", good, 200, size, lambda: request.sendCustomRequest(f"{url}/hello", "OPTIONS")),
        _row(request, "a redirect", good, 200, size, lambda: request.post(f"{url}/redirect", b"a=1")),
        _row(request, "status 404", refused, 404, 23, lambda: request.get(f"{url}/missing")),
        _row(request, "no server", broken, None, 0, lambda: request.get("http://127.0.0.1:1/")),
        _row(request, "connection lost", broken, 200, size, lambda: request.get(f"{url}/truncated")),
        _row(late, f"silence for {TIMEOUT_MS} ms", timeout, None, 0, lambda: late.get(f"{url}/silence")),
    ]
    server.silent.acquire(timeout=1)
    happened = [
        f"{', '.join(row.request for row in rows if row.code is code)}: {code.name}"
        for code in ErrorCode
        if any(row.code is code for row in rows)
    ]
    wrong = [row for row in rows if not row.is_as_documented]
    if wrong:
        happened.append(f"Not as documented: {', '.join(row.request for row in wrong)}")
    return Outcome(
        not wrong,
        tuple(happened),
        {
            "requests": [
                {
                    "request": row.request,
                    "code": row.code.name,
                    "status": row.status,
                    "bytes": row.size,
                    "milliseconds": round(row.milliseconds, 3),
                    "engine": row.engine,
                    "asDocumented": row.is_as_documented,
                }
                for row in rows
            ]
        },
    )


def _row(
    blocking: BlockingNetworkRequest, name: str, code: ErrorCode, status: Any, size: int, call: Callable[[], ErrorCode]
) -> _Row:
    """Do a call, and compare its result with the documented code, status and size of the body."""
    started = time.perf_counter()
    actual = call()
    milliseconds = (time.perf_counter() - started) * 1000
    reply = blocking.reply()
    is_as_documented = (actual, reply.statusCode(), len(reply.body)) == (code, status, size)
    return _Row(name, actual, reply.statusCode(), len(reply.body), milliseconds, reply.engine(), is_as_documented)

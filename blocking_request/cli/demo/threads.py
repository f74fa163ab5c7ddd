"""The promises about threads: many of them call at once, and one cancels the call of another."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

from ... import BlockingNetworkRequest, ErrorCode, Feedback
from .promise import LIMIT_MS, Outcome, ShowProgress, new_request
from .server import DemoServer

THREADS = 64
CANCELS = 5
CANCEL_MS = 50


def try_threads(server: DemoServer, _: ShowProgress) -> Outcome:
    results = [_run_threads(server, engine) for engine in ("qt", "python")]
    return Outcome(
        all(result["ownResponses"] == THREADS for result in results),
        tuple(
            f"Engine {result['engine']}: {result['ownResponses']} of {THREADS} threads got their own response in "
            f"{result['milliseconds']:.0f} ms; up to {result['mostAtOnce']} requests were at the server at once"
            for result in results
        ),
        {"threads": THREADS, "engines": results},
    )


def _run_threads(server: DemoServer, engine: str) -> dict[str, Any]:
    start = threading.Barrier(THREADS + 1)
    is_own = [False] * THREADS

    def call(number: int) -> None:
        request = new_request(engine)
        start.wait()
        code = request.get(f"{server.url}/number/{number}")
        is_own[number] = code is ErrorCode.NoError and request.reply().body == b"/number/%d" % number

    threads = [threading.Thread(target=call, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    start.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return {
        "engine": engine,
        "ownResponses": sum(is_own),
        "milliseconds": round((time.perf_counter() - started) * 1000, 3),
        "mostAtOnce": server.most_running(),
    }


def try_cancel(server: DemoServer, _: ShowProgress) -> Outcome:
    request = new_request()
    results = [_cancel_call(request, server) for _ in range(CANCELS)]
    canceled = sum(code is ErrorCode.CanceledError for code, _ in results)
    latencies = [latency for _, latency in results]
    median = statistics.median(latencies)
    return Outcome(
        # The fastest one counts: on a busy machine, a thread that may run waits for a processor.
        canceled == CANCELS and min(latencies) <= CANCEL_MS,
        (
            f"{canceled} of {CANCELS} calls ended with CanceledError, {median:.1f} ms after the cancel (the median), "
            "while the server sent nothing",
        ),
        {"calls": CANCELS, "canceled": canceled, "latencies": [round(latency, 3) for latency in latencies]},
    )


def _cancel_call(request: BlockingNetworkRequest, server: DemoServer) -> tuple[ErrorCode, float]:
    """Cancel a call whose request has arrived at the server. Return its code and the latency in milliseconds."""
    feedback = Feedback()
    canceled_at = 0.0

    def cancel() -> None:
        nonlocal canceled_at
        server.silent.acquire(timeout=LIMIT_MS / 1000)
        canceled_at = time.perf_counter()
        feedback.cancel()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    code = request.get(f"{server.url}/silence", feedback=feedback)
    ended_at = time.perf_counter()
    thread.join()
    return code, (ended_at - canceled_at) * 1000

"""The promise about a download to a file."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from ... import ErrorCode
from .promise import Outcome, ShowProgress, new_request
from .server import DOWNLOAD_BYTES, DOWNLOAD_CHECKSUM, DemoServer


def try_download(server: DemoServer, show: ShowProgress) -> Outcome:
    request = new_request()
    caller = threading.get_ident()
    reports: list[tuple[int, int]] = []
    elsewhere = 0

    def progress(done: int, total: int) -> None:
        nonlocal elsewhere
        elsewhere += threading.get_ident() != caller
        reports.append((done, total))
        show(done, total)

    request.downloadProgress.connect(progress)
    with tempfile.TemporaryDirectory(prefix="blocking-request-demo-") as folder:
        path = Path(folder) / "file"
        started = time.perf_counter()
        code = request.download(f"{server.url}/download", path, checksum=DOWNLOAD_CHECKSUM)
        milliseconds = (time.perf_counter() - started) * 1000
        size = path.stat().st_size if path.exists() else 0
    is_rising = bool(reports) and reports == sorted(reports) and reports[-1] == (DOWNLOAD_BYTES, DOWNLOAD_BYTES)
    return Outcome(
        code is ErrorCode.NoError and size == DOWNLOAD_BYTES and is_rising and not elsewhere,
        (
            f"{code.name}: a file of {size / 1e6:.1f} MB in {milliseconds:.0f} ms, {len(reports)} reports of progress"
            + (f", {elsewhere} of them in another thread" if elsewhere else ""),
        ),
        {
            "code": code.name,
            "bytes": size,
            "milliseconds": round(milliseconds, 3),
            "progressReports": len(reports),
            "progressReportsInOtherThreads": elsewhere,
        },
    )

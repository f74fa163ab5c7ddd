"""Run the benchmarks that are named, or all of them, one after another. Exits with 1 if one has missed a bound.

On a virtual machine it can take 40 us to wake a processor that has nothing to do, and each request waits for that once.
Whether it does changes from minute to minute, for each of the clients. If the figures vary, measure on one processor,
which the client and the server share: ``taskset -c 0 python -m benchmarks small_get``.
"""

import os
import platform
import subprocess
import sys

from blocking_request.qt.binding import API, QtCore

TRANSFERS = ("large_get", "transfer", "memory", "adapter")
BENCHMARKS = (
    "start",
    "connections",
    "small_get",
    "signals",
    "netlog",
    "monitor",
    "cache",
    "post",
    "policy",
    "threads",
    "batch",
    *TRANSFERS,
    "cancel",
    "qgis",
    "freeze",
)


def main() -> None:
    wanted = sys.argv[1:] or list(BENCHMARKS)
    unknown = sorted(set(wanted) - set(BENCHMARKS))
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    missed = []
    print(
        f"-- on {platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, {API}, Qt {QtCore.qVersion()}",
        flush=True,
    )
    for name in wanted:
        print(f"-- {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            missed.append(name)
    sys.exit(f"missed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()

"""Run every benchmark, one after another; 1 where one missed a bound."""

import subprocess
import sys

TRANSFERS = ("large_get", "transfer", "memory", "adapter")
BENCHMARKS = (
    "start",
    "connections",
    "small_get",
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
    for name in wanted:
        print(f"-- {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            missed.append(name)
    sys.exit(f"missed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()

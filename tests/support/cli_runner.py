"""Runs many command lines, each in a forked process with standard streams of its own.

The package is imported once, which is what takes the time of a start. Reads a JSON list of cases from standard input:
``arguments``, ``stdout`` and ``stderr`` ("closed", "broken pipe", or a file), ``environment``, ``file_size`` (the largest
file it may write, in bytes; 0: any). Writes the list of exit statuses.

With the argument ``serve`` it runs one case for each line of standard input, until that ends, and writes a line for each.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from typing import Any

# The modules that a command imports when it runs are imported here, so that not each fork does it.
import blocking_request.cli.batch
import blocking_request.cli.demo.report
import blocking_request.cli.info
import blocking_request.cli.send
import blocking_request.cli.verbose
import blocking_request.netlog.har_file
import blocking_request.stores.cache.disk  # noqa: F401
from blocking_request.cli.run import run

LIMIT_SECONDS = 20


def place(number: int, where: str) -> None:
    """Make file descriptor 1 or 2 as a case demands."""
    if where == "closed":
        os.close(number)
        setattr(sys, {1: "stdout", 2: "stderr"}[number], None)
        return
    if where == "broken pipe":
        reading, descriptor = os.pipe()
        os.close(reading)
    else:
        descriptor = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, number)
    os.close(descriptor)


def child(case: dict[str, Any]) -> None:
    signal.alarm(LIMIT_SECONDS)
    # click shows the name of the program.
    sys.argv[0], sys.modules["__main__"].__package__ = "blocking-request", None
    for name in case.get("unset", ()):
        os.environ.pop(name, None)
    os.environ.update(case["environment"])
    if case["file_size"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (case["file_size"], case["file_size"]))
    place(2, case["stderr"])
    place(1, case["stdout"])
    try:
        run(case["arguments"])
    except SystemExit as stop:
        # As the interpreter does at its end: if a stream cannot be flushed, the status is 120.
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(stop.code)  # type: ignore[arg-type]
    except BaseException:
        traceback.print_exc()
        os._exit(99)


def status_of(case: dict[str, Any]) -> int:
    process = os.fork()
    if process == 0:
        child(case)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def serve() -> None:
    with open(os.dup(0), "rb", buffering=0) as lines:  # unbuffered: a child must not find the next case there
        for line in lines:
            print(status_of(json.loads(line)), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        cases = json.load(sys.stdin)
        print(json.dumps([status_of(case) for case in cases]))

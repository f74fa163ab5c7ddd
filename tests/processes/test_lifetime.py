"""Programs that end, lose their application, fork or are interrupted while requests run. No program hangs or crashes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from blocking_request.qt.binding import API

from ..support.servers.raw import Connection, RawServer
from ..support.unmeasured import unmeasured_environment

CANCELED = "CanceledError: Operation canceled"
APPLICATION_ENDED = CANCELED + ": the Qt application has ended"

OUTCOMES: dict[str, list[str]] = {
    "no_application": ["NoError python", "NetworkError: There is no Qt application", "NoError qt"],
    "idle_at_exit": ["NoError"],
    "dropped_at_exit": ["NoError"],
    "silent_at_exit": [],
    "streaming_at_exit": [],
    "many_at_exit": [],
    "clients_at_exit": ["5"],
    "silent_as_the_application_goes": [APPLICATION_ENDED, "False"],
    "streaming_as_the_application_goes": [APPLICATION_ENDED, "False"],
    "application_made_again": (["NoError"] * 4) * 5,
    "quits_while_requests_run": [CANCELED, CANCELED, "[False, False]", "NoError"],
    "interrupted": ["KeyboardInterrupt ['CanceledError'] True", "NoError"],
    "forked": ["NoError", "child NoError", "parent NoError"],
    "forked_in_flight": ["child NoError", "True"],
    "forked_right_after_a_reply": ["{0}"],
    "forked_during_the_first_calls": ["9 {0}"],
    "called_at_exit": ["NoError", "at exit NoError"],
    "workers_of_threads_that_end": ["240 {200}"],
    "feedback_outlives_its_application": ["NoError", "True"],
    "application_with_a_notify_of_its_own": ["NoError"] * 3,
}
"""The beginnings of the lines that each program prints. At exit it is open whether a daemon thread can still print."""


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.startswith(b"GET /silent"):
                connection.wait_for_close()
            elif request.startswith(b"GET /stream"):
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n")
                try:
                    while True:
                        connection.sock.sendall(b"x" * 65536)
                        time.sleep(0.005)  # slow enough not to fill the memory
                except OSError:
                    return
            else:
                connection.respond(b"hello")

    server = RawServer(handle)
    yield server
    server.close()


def test_subinterpreter_is_refused_at_import() -> None:
    """In a subinterpreter, a call would not return if the main interpreter has imported PyQt, and the process hangs."""
    program = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
run = getattr(interpreters, "run_string", None) or interpreters.exec
number = interpreters.create("legacy") if hasattr(interpreters, "new_config") else interpreters.create()
outcome = run(number, '''
import sys
sys.path[:0] = %r
try:
    import blocking_request
except ImportError as error:
    print(error)
''' % sys.path)
assert outcome is None, outcome
"""
    run = subprocess.run(
        [sys.executable, "-c", "import sys\n" + program], capture_output=True, text=True, timeout=40, check=False
    )
    assert run.returncode == 0, run.stderr
    texts = (
        "blocking_request works in the main interpreter of a process only",
        "Interpreter change detected",  # raised by an extension module that is imported before ours
    )
    assert run.stdout.startswith(texts)


def test_exit_cancels_calls_before_it_waits_for_them(server: RawServer) -> None:
    """Otherwise the exit waits for a second, and then PyQt ends while the calls still run, which may crash."""
    program = f"""
import atexit, os, threading, time
began = [0.0]
atexit.register(lambda: print(time.monotonic() - began[0] < 0.9))
from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
atexit.register(lambda: began.append(began.pop() or time.monotonic()))
inside = threading.Event()


def call():
    request = BlockingNetworkRequest()
    inside.set()
    # Not print: a daemon thread that holds the lock of sys.stdout at the exit aborts the process.
    os.write(1, (request.get("{server.url}/silent").name + "\\n").encode())


threading.Thread(target=call, daemon=True).start()
inside.wait()
time.sleep(0.2)  # enough for the call to begin; if it begins later, it is refused
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=40, check=False)
    assert (run.returncode, run.stdout) == (0, "CanceledError\nTrue\n"), run.stderr


ENDED = [
    f"{engine} {outcome}"
    for engine in ("python", "qt")
    for outcome in (*["batch CanceledError"] * 3, "batch NoError", "stream CanceledError")
]


def run_script(name: str, server: RawServer) -> list[str]:
    """Run a program, check that it ends without error, and return the lines that it prints."""
    # The measure of coverage has locks, which the child of a fork may wait for.
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.support.lifetime_scripts", name, server.url],
        capture_output=True,
        text=True,
        timeout=40,
        env={**unmeasured_environment(), "PYTHONUNBUFFERED": "1"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stderr, run.stderr
    return run.stdout.splitlines()


def test_application_quits_while_streams_and_batches_run(server: RawServer) -> None:
    *ended, alive, again = run_script("quits_while_streams_and_batches_run", server)
    assert sorted(ended) == ENDED
    assert (alive, again) == ("[False, False, False, False]", "NoError")


@pytest.mark.parametrize("turn", range(2))
def test_streams_and_batches_at_exit(turn: int, server: RawServer) -> None:
    """The exit waits until their calls have returned."""
    assert set(run_script("streams_and_batches_at_exit", server)) == set(ENDED)


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("turn", range(2))
def test_program(name: str, turn: int, server: RawServer) -> None:
    lines = run_script(name, server)
    if name == "forked_in_flight":
        del lines[2:]  # the line that the daemon thread may print at exit
    if not name.endswith("_at_exit") or name.startswith(("idle", "dropped", "called")):
        assert len(lines) == len(OUTCOMES[name]), lines
    for line, expected in zip(lines, OUTCOMES[name]):
        if API == "PySide6" and name.endswith("as_the_application_goes"):
            expected = expected.partition(": the Qt")[0]  # shutdown() has come before
        assert line.startswith(expected), lines

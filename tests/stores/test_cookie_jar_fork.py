"""The cookie jar in a forked child: neither its lock nor its cache is left as another thread had it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from ..support.marks import needs_fork
from ..support.names import ROOT

FORKING = """
    import faulthandler, os, threading
    from blocking_request import CookieJar
    from blocking_request.stores.cookie_jar import cookie_header, receive_cookies
    jar = CookieJar()
    is_stopped = threading.Event()
    def work():
        while not is_stopped.is_set():
            receive_cookies(jar, "http://www.example.com/", [b"a=1"])
            cookie_header(jar, "http://www.example.com/")
            len(jar)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for thread in threads: thread.start()
    for _ in range(50):
        process = os.fork()
        if process == 0:
            faulthandler.dump_traceback_later(20, exit=True)
            receive_cookies(jar, "http://www.example.com/", [b"b=1"])
            os._exit(0 if b"b=1" in cookie_header(jar, "http://www.example.com/") else 1)
        if os.WEXITSTATUS(os.waitpid(process, 0)[1]) != 0:
            os._exit(1)
    is_stopped.set()
    for thread in threads: thread.join()
    os._exit(0)
"""


@needs_fork
def test_fork_while_other_threads_use_the_jar() -> None:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKING)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stderr


FORK_IN_A_CHANGE = """
    import os
    from http import cookiejar
    from blocking_request import CookieJar
    from blocking_request.stores.cookie_jar import cookie_header, receive_cookies
    jar, url = CookieJar(), "http://www.example.com/"
    receive_cookies(jar, url, [b"a=1"])
    assert cookie_header(jar, url) == b"a=1"
    # Another thread has stored a cookie and has not counted the change yet.
    receive_cookies(jar, "http://other.example/", [b"b=2"])
    assert cookie_header(jar, url) == b"a=1"
    (cookie,) = [each for each in jar.jar if each.name == "b"]
    cookie.domain = "www.example.com"
    cookiejar.CookieJar.set_cookie(jar.jar, cookie)
    process = os.fork()
    if process == 0:
        os._exit(0 if cookie_header(jar, url) == b"a=1; b=2" else 1)
    os._exit(os.WEXITSTATUS(os.waitpid(process, 0)[1]))
"""


@needs_fork
def test_fork_while_another_thread_changes_the_jar() -> None:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORK_IN_A_CHANGE)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stderr

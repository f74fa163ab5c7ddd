"""Many transfers of the python engine that are ended at random leave nothing behind."""

from __future__ import annotations

import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Optional

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.engines import choice, waiting
from blocking_request.engines.python.pool import KEPT_IN_ALL, KEPT_PER_ORIGIN

from ...support.marks import needs_descriptors, needs_fork
from ...support.names import CANCELED, OK, ROOT, Serve
from ...support.servers.http2 import Http2Peer, Http2Request, Http2Server
from ...support.servers.raw import Connection, Handler, always, flood, silence
from ...support.servers.tls import TlsServer
from ...support.waiting import eventually

THREADS = 32
CANCELS = {"plain": 3_000, "TLS": 3_500, "HTTP/2": 3_500}
BODY = b"x" * 100_000


def drip(connection: Connection) -> None:
    """Send a body in small parts with short pauses."""
    if connection.read_request() is None:
        return
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY))
    for start in range(0, len(BODY), 1_000):
        connection.send(BODY[start : start + 1_000])
        time.sleep(0.001)  # the work of a server
    connection.wait_for_close()


def descriptors() -> int:
    """Return how many descriptors are open, except those of idle waiters."""
    of_a_waiter = 1 if hasattr(os, "eventfd") else 2
    return len(list(Path("/proc/self/fd").iterdir())) - of_a_waiter * len(waiting._idle_waiters)


def http2_server(authority: trustme.CA) -> Http2Server:
    def handle(peer: Http2Peer, request: Http2Request) -> None:
        path = request.field(b":path")
        if path != b"/silence":
            peer.respond(request, BODY, ends=path != b"/half")

    return Http2Server(authority, handle)


@needs_descriptors
@pytest.mark.parametrize("kind", CANCELS)
def test_random_cancels_leave_no_resources(kind: str, serve: Serve) -> None:
    """10 000 cancels in all."""
    manager = NetworkAccessManager()
    manager.setEngine("python")
    manager.setTimeout(20_000)
    handlers = [always(BODY), silence, drip]
    authority = trustme.CA()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    if kind == "HTTP/2":
        servers: list[Any] = [http2_server(authority)]
        urls = [servers[0].url + path for path in ("/whole", "/silence", "/half")]
        endless = urls[1:]
    else:
        if kind == "plain":
            servers = [serve(handler) for handler in handlers]
        else:
            certificate = authority.issue_cert("127.0.0.1", "localhost")
            servers = [TlsServer(certificate, handler) for handler in handlers]
        urls = [server.url for server in servers]
        endless = urls[1:]  # drip reads one request only
        urls.append(urls[0].replace("127.0.0.1", "localhost"))
    active: list[Optional[BlockingNetworkRequest]] = [None] * THREADS
    codes: Counter[Any] = Counter()
    is_over = threading.Event()

    def cancel() -> None:
        while not is_over.wait(0.0005):
            for request in random.sample(active, 6):
                if request is not None:
                    request.abort()

    def work(number: int) -> None:
        request, chance = BlockingNetworkRequest(manager), random.Random(number)
        while codes[CANCELED] < CANCELS[kind]:
            url = chance.choice(urls)
            if url in endless or chance.random() < 0.8:  # some requests end normally on a fast machine, too
                active[number] = request
            codes[request.get(url)] += 1
            active[number] = None

    engine: Any = choice.engine("python")
    manager.shutdown()
    descriptors_before, threads_before = descriptors(), threading.active_count()
    threads = [threading.Thread(target=cancel), *(threading.Thread(target=work, args=(n,)) for n in range(THREADS))]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    is_over.set()
    threads[0].join()
    assert set(codes) == {OK, CANCELED}, codes
    assert not engine._running
    manager.shutdown()
    gc.collect()
    # The servers of this process have sockets and threads, too.
    assert eventually(lambda: descriptors() <= descriptors_before), (descriptors(), descriptors_before)
    assert eventually(lambda: threading.active_count() <= threads_before), threading.enumerate()
    assert len(waiting._idle_waiters) <= 2 * THREADS
    for server in servers:
        server.close()


IN_A_SLOT = """
import os, sys
from blocking_request import BlockingNetworkRequest
url, other = sys.argv[1:]
request = BlockingNetworkRequest()
request.setEngine("python")
children = []
def fork_once(done, total):
    if children or not done:
        return
    child = os.fork()
    if child:
        children.append(child)
        return
    try:
        inner = BlockingNetworkRequest()
        inner.setEngine("python")
        print("child", inner.get(other).name, inner.reply().body.decode(), flush=True)
    finally:
        os._exit(0)
request.downloadProgress.connect(fork_once)
print("parent", request.get(url).name, len(request.reply().body), flush=True)
print("status", [os.waitpid(child, 0)[1] for child in children], flush=True)
print("again", request.get(other).name, flush=True)
"""


@needs_fork
def test_fork_in_a_slot(serve: Serve) -> None:
    server, other = serve(drip), serve(always(b"ok"))
    command = [sys.executable, "-c", IN_A_SLOT, server.url, other.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert sorted(run.stdout.splitlines()) == [
        "again NoError",
        "child NoError ok",
        f"parent NoError {len(BODY)}",
        "status [0]",
    ]


GOES_ON = """
import os, sys
from blocking_request import BlockingNetworkRequest
url, other = sys.argv[1:]
request = BlockingNetworkRequest()
request.setEngine("python")
forked = []
def fork_once(done, total):
    if not forked and done:
        forked.append(os.fork())
request.downloadProgress.connect(fork_once)
code = request.get(url)
if not forked[0]:
    print("child", code.name, request.get(other).name, flush=True)
    os._exit(0)
os.waitpid(forked[0], 0)
print("parent", code.name, len(request.reply().body), request.get(other).name, flush=True)
"""


@needs_fork
def test_call_is_canceled_in_the_forked_child(serve: Serve) -> None:
    """The connection belongs to the parent; the child must not read its response."""
    command = [sys.executable, "-c", GOES_ON, serve(drip).url, serve(always(b"ok")).url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert sorted(run.stdout.splitlines()) == [
        "child CanceledError NoError",
        f"parent NoError {len(BODY)} NoError",
    ]


INTERRUPTED = """
import os, signal, sys, threading, time
from blocking_request import BlockingNetworkRequest
from blocking_request.engines import choice, waiting
from blocking_request.engines.python.pool import KEPT_IN_ALL, KEPT_PER_ORIGIN
silent, url = sys.argv[1:]
request = BlockingNetworkRequest()
request.setEngine("python")
engine = choice.engine("python")
for _ in range(20):
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        request.get(silent)
        print("not interrupted")
    except KeyboardInterrupt:
        pass
    assert not engine._running and engine.pool.idle_count() == 0, engine._running
    assert request.get(url).name == "NoError", request.errorMessage()
    engine.clear_connections()
print("done", len(waiting._idle_waiters))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="a signal is sent as on Unix")
def test_ctrl_c_closes_the_connection(serve: Serve) -> None:
    silent, server = serve(silence), serve(always(b"ok"))
    command = [sys.executable, "-c", INTERRUPTED, silent.url, server.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert (run.returncode, run.stdout) == (0, "done 1\n"), run.stderr
    assert eventually(lambda: silent.open_connections == 0)


def test_deadline_with_a_fast_server(serve: Serve) -> None:
    request = BlockingNetworkRequest()
    request.setEngine("python")
    request.setDeadline(300)
    started = time.monotonic()
    assert request.get(serve(flood).url).name == "TimeoutError"
    assert time.monotonic() - started < 1.0


def test_server_that_reads_nothing(serve: Serve) -> None:
    """An upload that the server does not read ends by the idle timeout, a deadline or a cancel."""
    ended = threading.Event()

    def read_nothing(connection: Connection) -> None:
        ended.wait(20)

    server = serve(read_nothing)
    server._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    request = BlockingNetworkRequest()
    request.setEngine("python")
    request.setTimeout(300)
    assert request.post(server.url, bytes(50_000_000)).name == "TimeoutError"
    request.setTimeout(0)
    request.setDeadline(300)
    assert request.post(server.url, bytes(50_000_000)).name == "TimeoutError"
    request.setDeadline(0)
    threading.Timer(0.2, request.abort).start()
    started = time.monotonic()
    assert request.post(server.url, bytes(50_000_000)) is CANCELED
    assert time.monotonic() - started < 2
    ended.set()


MANY_DESCRIPTORS = """
import os, resource, sys
from blocking_request import BlockingNetworkRequest, NetworkAccessManager
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 4096 and hard > 0 else 4096, hard))
held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1500)]
manager = NetworkAccessManager()
manager.setEngine("python")
print(manager.blockingGet(sys.argv[1]).errorCode().name)
print({code.name for _, code, _ in manager.getMany([sys.argv[1]] * 50)})
"""


@pytest.mark.skipif(os.name == "nt", reason="select has a limit on Windows")
def test_descriptors_beyond_1024(serve: Serve) -> None:
    command = [sys.executable, "-c", MANY_DESCRIPTORS, serve(always(b"ok")).url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert (run.returncode, run.stdout) == (0, "NoError\n{'NoError'}\n"), run.stderr


def test_slow_slot_delays_no_other_caller(serve: Serve) -> None:
    """With one connection pool, and with the GIL released, as with a slow disk."""
    server = serve(always(BODY))
    is_in_slot, may_go_on = threading.Event(), threading.Event()

    def new_request() -> BlockingNetworkRequest:
        request = BlockingNetworkRequest()
        request.setEngine("python")
        request.setTimeout(20_000)
        return request

    quick = new_request()

    def block(done: int, total: int) -> None:
        is_in_slot.set()
        may_go_on.wait(20)

    codes: list[Any] = []

    def call() -> None:
        slow = new_request()  # PySide6 calls a function in the thread in which the request was made
        slow.downloadProgress.connect(block)
        codes.append(slow.get(server.url))

    thread = threading.Thread(target=call)
    thread.start()
    assert is_in_slot.wait(10)
    assert [quick.get(server.url) for _ in range(50)] == [OK] * 50
    may_go_on.set()
    thread.join()
    assert codes == [OK]


FORKS_BESIDE_CALLS = """
import collections, gc, os, signal, sys, threading
from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
url, authority = sys.argv[1:]
manager = NetworkAccessManager()
manager.setEngine("python")
manager.setTimeout(20_000)
manager.setTlsSettings(TlsSettings(caData=authority.encode()))
is_over, codes = threading.Event(), collections.Counter()
begun = threading.Semaphore(0)
def work():
    request = BlockingNetworkRequest(manager)
    while not is_over.is_set():
        code = request.get(url).name
        codes[code if code == "NoError" else request.errorMessage()] += 1
        begun.release()
def batches():
    while not is_over.is_set():
        codes.update(code.name for _, code, _ in manager.getMany([url] * 8))
threads = [threading.Thread(target=target) for target in (work, work, work, batches)]
for thread in threads: thread.start()
statuses = collections.Counter()
for _ in range(12):
    begun.acquire()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        gc.collect()
        results = [code.name for _, code, _ in manager.getMany([url] * 3)]
        results.append(BlockingNetworkRequest(manager).get(url).name)
        os._exit(0 if set(results) == {"NoError"} else 1)
    statuses[os.waitpid(child, 0)[1]] += 1
is_over.set()
for thread in threads: thread.join()
print(set(codes), dict(statuses))
"""


@needs_fork
@pytest.mark.parametrize("kind", ["HTTP/1.1", "HTTP/2"])
def test_fork_during_calls_of_other_threads(kind: str) -> None:
    authority = trustme.CA()

    def respond(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY))
            for start in range(0, len(BODY), 10_000):
                connection.send(BODY[start : start + 10_000])

    if kind == "HTTP/2":
        server: Any = Http2Server(authority, lambda peer, request: peer.respond(request, BODY))
    else:
        server = TlsServer(authority.issue_cert("127.0.0.1"), respond)
    pem = authority.cert_pem.bytes().decode()
    command = [sys.executable, "-W", "ignore", "-c", FORKS_BESIDE_CALLS, server.url, pem]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    server.close()
    assert (run.returncode, run.stdout) == (0, "{'NoError'} {0: 12}\n"), run.stderr


FORKS_BESIDE_CONTEXTS = """
import collections, os, signal, threading
from blocking_request import TlsSettings
from blocking_request.engines.python.ssl_context import context_for
is_over, settings = threading.Event(), TlsSettings(verify=False)
def make():
    while not is_over.is_set():
        context_for(settings)
threads = [threading.Thread(target=make) for _ in range(4)]
for thread in threads: thread.start()
statuses = collections.Counter()
for _ in range(200):
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        context_for(settings)
        os._exit(0)
    statuses[os.waitpid(child, 0)[1]] += 1
is_over.set()
for thread in threads: thread.join()
print(dict(statuses))
"""


@needs_fork
def test_fork_while_other_threads_create_tls_contexts() -> None:
    """Without a lock around their creation one child in a hundred hangs."""
    command = [sys.executable, "-W", "ignore", "-c", FORKS_BESIDE_CONTEXTS]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert (run.returncode, run.stdout) == (0, "{0: 200}\n"), run.stderr


IDLE = """
import sys, time
from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.engines.python.engine import engine
from blocking_request.qt.binding import QtCore
authority, each, *urls = sys.argv[1:]
app = QtCore.QCoreApplication([])
manager = NetworkAccessManager()
manager.setEngine("python")
manager.setTimeout(20_000)
if authority:
    manager.setTlsSettings(TlsSettings(caData=authority.encode()))
for url in urls:
    results = manager.getMany([url] * int(each), maxConcurrent=int(each))
    assert {result.code.name for result in results} == {"NoError"}
print(engine.pool.idle_count())
before = time.process_time()
loop = QtCore.QEventLoop()  # ending the application's own event loop would close the connections
QtCore.QTimer.singleShot(500, loop.quit)
loop.exec()
print(time.process_time() - before)
request = BlockingNetworkRequest(manager)
def took(url):
    started = time.perf_counter()
    assert request.get(url).name == "NoError", request.errorMessage()
    return time.perf_counter() - started
print(min(took(url) for url in urls[-4:]))
print(engine.pool.idle_count())
"""


def answering_together(count: int) -> Handler:
    """Return a handler that responds when ``count`` requests have arrived, and then to each request."""
    together = threading.Barrier(count)

    def handle(connection: Connection) -> None:
        connection.read_request()
        together.wait(20)
        connection.respond(b"ok")
        always(b"ok")(connection)

    return handle


@pytest.mark.parametrize("kind", ["plain", "HTTP/2"])
def test_idle_connections_take_no_processor_time(kind: str, serve: Serve) -> None:
    """With the maximum of idle connections and an event loop; then a request on one of them is fast."""
    authority = trustme.CA()
    if kind == "plain":
        each, kept, pem = KEPT_PER_ORIGIN, KEPT_IN_ALL, ""
        servers: list[Any] = [serve(answering_together(each)) for _ in range(KEPT_IN_ALL // each + 1)]
    else:
        each, kept, pem = 1, 40, authority.cert_pem.bytes().decode()
        servers = [Http2Server(authority, lambda peer, request: peer.respond(request, b"ok")) for _ in range(kept)]
    command = [sys.executable, "-c", IDLE, pem, str(each), *(server.url for server in servers)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    idle_count, used, quickest, idle_count_afterwards = map(float, run.stdout.split())
    assert (idle_count, idle_count_afterwards) == (kept, kept)
    assert used < 0.1
    assert quickest < 0.05
    if kind == "plain":
        assert sum(server.connections for server in servers) == each * len(servers)
    else:
        assert [len(server.peers) for server in servers] == [1] * kept
        for server in servers:
            server.close()

"""10 GB streamed, downloaded and uploaded by the python engine, and by how much memory grows.

The server is another process, which sends the same megabyte again and again. Nothing is written to a disk.
"""

import subprocess
import sys
import time

from blocking_request.qt.binding import QtCore
from tests.support.large_bodies import PIECE_BYTES, TRANSFERS, growth_of, serve_large_bodies
from tests.support.servers.raw import RawServer

from .measure import bound, finish

SIZE = 10_000 * PIECE_BYTES
MOST_MIB = 32


def serve() -> None:
    """Print the URL, and serve until the standard input ends."""
    print(RawServer(serve_large_bodies).url, flush=True)
    sys.stdin.read()


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        serve()
        return
    app = QtCore.QCoreApplication([])
    command = [sys.executable, "-m", "benchmarks.memory", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        for kind in TRANSFERS:
            started = time.perf_counter()
            grown = growth_of(kind, url, SIZE)
            print(f"{kind}: {SIZE / 1e9:.1f} GB in {time.perf_counter() - started:.1f} s")
            bound("MiB above the start", grown, MOST_MIB)
        server.stdin.close()
    del app
    finish()


if __name__ == "__main__":
    main()

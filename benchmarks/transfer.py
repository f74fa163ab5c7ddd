"""A gibibyte to a file and from a file, beside requests and curl, and how much memory it takes."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Callable

import requests

from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import API, QtCore
from tests.support.large_bodies import growth

from .measure import bound, finish, medians, show
from .nginx import nginx

SIZE = 1 << 30
ROUNDS = 7
MIB = 1 << 20


class Drain:
    """Reads what is sent and says ok; in C's time, nearly."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        room = bytearray(MIB)
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = sock.recv(65536)
                if not piece:
                    return
                head += piece
            head, _, rest = head.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            left = length - len(rest)
            while left > 0:
                left -= sock.recv_into(room, min(left, MIB))
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def main() -> None:
    app = QtCore.QCoreApplication([])
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with nginx(SIZE) as (server, _), tempfile.TemporaryDirectory(dir=memory) as scratch:
        url, target = f"{server}/{SIZE}", Path(scratch) / "file"
        requests_by_engine = {}
        for engine in ("auto", "python", "qt"):
            requests_by_engine[engine] = BlockingNetworkRequest()
            requests_by_engine[engine].setEngine(engine)

        def download(engine: str) -> Callable[[], None]:
            def run() -> None:
                # Memory that was never used costs more than what has been, and two files need twice as much.
                target.unlink(missing_ok=True)
                request = requests_by_engine[engine]
                assert request.download(url, target) == 0, request.errorMessage()

            return run

        def with_requests() -> None:
            target.unlink(missing_ok=True)
            with requests.get(url, stream=True) as response, target.open("wb") as file:
                for chunk in response.iter_content(1 << 16):
                    file.write(chunk)

        def with_curl() -> None:
            target.unlink(missing_ok=True)
            subprocess.run(["curl", "-s", "-o", target, url], check=True)

        contenders = {name: download(name) for name in requests_by_engine}
        contenders.update({"requests": with_requests, "curl": with_curl})
        took = medians(contenders, ROUNDS)
        show(f"1 GiB to a file, {API}", "s", took)
        print(f"    auto took {requests_by_engine['auto'].reply().engine()}; qt: {took['qt'] / took['requests']:.2f}")
        bound("of requests' time", took["auto"] / took["requests"], 0.7)
        bound("python, of curl's time", took["python"] / took["curl"], 1.2)
        for engine in requests_by_engine:
            bound(f"{engine}, MiB above the start", growth(contenders[engine]), 32)
        target.unlink()

    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        source, drain = Path(scratch) / "source", Drain()
        with source.open("wb") as file:
            for _ in range(SIZE // MIB):
                file.write(os.urandom(MIB))
        session, blocking, on_qt = requests.Session(), BlockingNetworkRequest(), BlockingNetworkRequest()
        on_qt.setEngine("qt")

        def upload(request: BlockingNetworkRequest) -> Callable[[], None]:
            def run() -> None:
                with source.open("rb") as file:
                    assert request.put(drain.url, file) == 0, request.errorMessage()

            return run

        def theirs() -> None:
            with source.open("rb") as file:
                assert session.put(drain.url, data=file).ok

        took = medians({"auto": upload(blocking), "qt": upload(on_qt), "requests": theirs}, ROUNDS)
        show(f"1 GiB from a file, {API}", "s", took)
        engine, ratio = blocking.reply().engine(), took["qt"] / took["requests"]
        print(f"    auto took {engine}; Qt takes {ratio:.2f} of requests' time")
        bound("of requests' time", took["auto"] / took["requests"], 1.0)
        bound("auto, MiB above the start", growth(upload(blocking)), 32)
        bound("qt, MiB above the start", growth(upload(on_qt)), 32)
    del app
    finish()


if __name__ == "__main__":
    main()

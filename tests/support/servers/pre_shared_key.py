"""A TLS server with a pre-shared key: the program ``openssl s_server``, with answers of our own."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from typing import Any

from .raw import Connection, RawServer
from .relay import relay_to
from .unreachable import unused_port

PROGRAM = shutil.which("openssl")

IDENTITY, KEY = "me", b"\xaa\xbb\xcc\xdd"

_REQUEST = re.compile(rb"(?:GET|POST|PUT) /[^ ]* HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n")


class PreSharedKeyServer:
    """Serves one connection after another, as ``s_server`` does. Every response is ``secret``."""

    def __init__(self, *options: str, hint: str = "", key: bytes = KEY, port: int = 0) -> None:
        """``options``: of ``s_server``, for example ``-tls1_2`` or ``-cert FILE``. Without the latter the server has no
        certificate.
        """
        assert PROGRAM is not None, "the tests need the program openssl"
        self.port = port or unused_port()
        self.url = f"https://127.0.0.1:{self.port}/"
        self.requests: list[bytes] = []
        self.log = b""
        """All that the program has printed."""
        command = [PROGRAM, "s_server", "-accept", f"127.0.0.1:{self.port}", "-psk", key.hex()]
        command += ["-psk_identity", IDENTITY, *(("-psk_hint", hint) if hint else ()), *options]
        command += [] if "-cert" in options else ["-nocert"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        end = time.monotonic() + 10
        while b"ACCEPT" not in self.log:
            assert self._process.poll() is None and time.monotonic() < end, self.log
            time.sleep(0.01)

    @property
    def connections(self) -> int:
        """How many handshakes were complete."""
        return self.log.count(b"CIPHER is ")

    def _serve(self) -> None:
        output, responses = self._process.stdout, self._process.stdin
        assert output is not None and responses is not None
        unread = b""
        while chunk := output.read(1 << 16):
            self.log += chunk
            unread += chunk
            while match := _REQUEST.search(unread):
                self.requests.append(match.group())
                unread = unread[match.end() :]
                with suppress(OSError):
                    responses.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class ParallelPreSharedKeyServer(RawServer):
    """Serves many connections at a time, each by a program of its own."""

    def __init__(self, *options: str, **more: Any) -> None:
        self._arguments = options, more
        self.programs: list[PreSharedKeyServer] = []
        super().__init__(self._pass_on)
        self.url = self.url.replace("http:", "https:")

    def _pass_on(self, connection: Connection) -> None:
        options, more = self._arguments
        program = PreSharedKeyServer(*options, **more)
        self.programs.append(program)
        try:
            relay_to(program.port)(connection)
        finally:
            program.close()

    @property
    def handshakes(self) -> int:
        """How many handshakes were complete."""
        return sum(program.connections for program in self.programs)

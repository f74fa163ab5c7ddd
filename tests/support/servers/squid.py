"""A real squid on loopback: open, wanting user and password, or refusing everybody."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .unreachable import unused_port

PROGRAM = shutil.which("squid") or "/usr/sbin/squid"
USER, PASSWORD = "user", "pass word"

CONFIGURATION = """
http_port 127.0.0.1:{port}
pid_filename {folder}/squid.pid
access_log none
cache_log {folder}/cache.log
cache deny all
coredump_dir {folder}
pinger_enable off
shutdown_lifetime 0 seconds
hosts_file {folder}/hosts
dns_nameservers 127.0.0.1
visible_hostname squid
forwarded_for delete
{rules}
"""

RULES = {
    "open": "http_access allow all",
    "refusing": "http_access deny all",
    "basic": (
        "auth_param basic program {folder}/check\n"
        "auth_param basic realm the proxy's realm\n"
        "auth_param basic children 2\n"
        "acl known proxy_auth REQUIRED\n"
        "http_access allow known\n"
        "http_access deny all"
    ),
}

CHECK = """#!/bin/sh
while read -r user password; do
    if [ "$user" = "{user}" ] && [ "$password" = "{password}" ]; then echo OK; else echo ERR; fi
done
"""


def has_squid() -> bool:
    return Path(PROGRAM).exists()


@contextmanager
def squid(kind: str) -> Iterator[int]:
    """``kind``: a key of RULES; gives the port. Names that end in ``.test`` are this machine to it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        check = folder / "check"
        # squid hands user and password over percent-encoded
        check.write_text(CHECK.format(user=USER, password=PASSWORD.replace(" ", "%20")))
        check.chmod(0o755)
        (folder / "hosts").write_text("127.0.0.1 somewhere.test another.test\n")
        port = unused_port()
        rules = RULES[kind].format(folder=folder)
        (folder / "squid.conf").write_text(CONFIGURATION.format(port=port, folder=folder, rules=rules))
        process = subprocess.Popen(
            [PROGRAM, "-N", "-f", str(folder / "squid.conf")], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            _wait_for(port, process, folder)
            yield port
        finally:
            # Asked to end, it takes five seconds, whatever ``shutdown_lifetime`` says.
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                log = folder / "cache.log"
                raise RuntimeError(log.read_text() if log.exists() else "squid did not start") from None
            time.sleep(0.05)

"""nginx on loopback, with files of known sizes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    log_format connections '$connection';
    access_log {log}; sendfile on; tcp_nodelay on; keepalive_requests 100000000; default_type application/octet-stream;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} {tls}; root {folder}/files;
        location /post {{ return 200 "posted"; }}
    }}
}}
"""

CA_FILE = "ca.pem"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def nginx(*sizes: int, log: bool = False, tls: bool = False, http2: bool = False) -> Iterator[tuple[str, Path]]:
    """Serve a file of each size, named by it; gives the URL and the folder.

    ``log``: a connection number a line; ``tls``: with a certificate of the authority in ``CA_FILE``.
    """
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        sys.exit("the benchmarks need nginx: apt-get install nginx-light")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "files").mkdir()
        for size in sizes:
            with (folder / "files" / str(size)).open("wb") as file:
                for start in range(0, size, 1 << 20):
                    file.write(b"x" * min(1 << 20, size - start))
        port = free_port()
        access = f"{folder}/access.log connections" if log else "off"
        ssl = _tls_options(folder) if tls else ""
        # This form is that of versions before 1.25.1, which take it with a warning afterwards.
        ssl = ssl.replace("ssl;", "ssl http2;", 1) if http2 else ssl
        (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port, log=access, tls=ssl))
        process = subprocess.Popen([program, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port)
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}", folder
        finally:
            process.terminate()
            process.wait()


def _tls_options(folder: Path) -> str:
    import trustme

    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / CA_FILE))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return f"ssl; ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem"


def wait_for_port(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)

"""A real nginx on loopback, which speaks HTTP/2 over TLS."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import trustme

from .unreachable import unused_port

PROGRAM = shutil.which("nginx") or "/usr/sbin/nginx"

CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    log_format connections '$connection';
    access_log {folder}/connections connections;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    client_max_body_size 100m; {options}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
        location /files/ {{ root {folder}; }}
        location /small {{ return 200 "small"; }}
        location /refused {{ return 413 "too large"; }}
        {locations}
    }}
}}
"""


class Nginx(NamedTuple):
    url: str
    folder: Path

    def connections(self) -> list[str]:
        """The number of the connection of each request so far."""
        return (self.folder / "connections").read_text().split()


def has_nginx() -> bool:
    return Path(PROGRAM).exists()


@contextmanager
def nginx(authority: trustme.CA, options: str = "", upstream: str = "") -> Iterator[Nginx]:
    """``options``: for all of HTTP; ``upstream``: the URL of the server of all other paths."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "files").mkdir()
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        locations = f"location / {{ proxy_pass {upstream}; proxy_set_header Host upstream.test; }}" if upstream else ""
        port = unused_port()
        text = CONFIGURATION.format(folder=folder, port=port, options=options, locations=locations)
        (folder / "nginx.conf").write_text(text)
        process = subprocess.Popen([PROGRAM, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 10
            while not (folder / "pid").exists() or not (folder / "pid").read_text():
                assert process.poll() is None and time.monotonic() < end, (folder / "error.log").read_text()
                time.sleep(0.02)
            yield Nginx(f"https://127.0.0.1:{port}", folder)
        finally:
            process.terminate()
            process.wait()

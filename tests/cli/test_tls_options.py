"""The options of TLS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from ..support.command_line import cli
from ..support.names import TLS_ENGINES
from ..support.servers.http2 import Http2Server
from ..support.servers.tls import TlsServer

pytest.importorskip("click")
pytest.importorskip("rich")


class Site(NamedTuple):
    """A server, and the files of a client that it accepts. The password of the keys is ``s3cret``."""

    server: TlsServer
    folder: Path
    pin: str

    def file(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    server = TlsServer(certificate, trusts=authority)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    client = authority.issue_cert("me@home.test")
    client.cert_chain_pems[0].write_to_path(tmp_path / "mine.pem")
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"s3cret")
    form = serialization.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    own = x509.load_pem_x509_certificate(client.cert_chain_pems[0].bytes())
    (tmp_path / "mine.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(None, key, own, None, encryption)  # type: ignore[arg-type]
    )
    shown = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes())
    yield Site(server, tmp_path, shown.fingerprint(hashes.SHA256()).hex())
    server.close()


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_password_of_the_key(engine: str, site: Site) -> None:
    own = [site.server.url, "--cacert", site.file("ca.pem"), "--engine", engine]
    for options in (
        ["--cert", site.file("mine.p12"), "--pass", "s3cret"],
        ["--cert", f"{site.file('mine.p12')}:s3cret"],
        ["-E", f"{site.file('mine.pem')}:s3cret", "--key", site.file("key.pem")],
        ["-E", site.file("mine.pem"), "--key", site.file("key.pem"), "--pass", "s3cret"],
    ):
        result = cli(*own, *options)
        assert (result.returncode, result.stdout) == (0, b"secret"), result.stderr
    assert site.server.client_names == ["me@home.test"] * 4
    for options in (["--cert", f"{site.file('mine.p12')}:hunter2"], ["-E", site.file("mine.p12"), "--pass", "hunter2"]):
        result = cli(*own, *options, "-v")
        assert result.returncode == 1 and b"hunter2" not in result.stderr
        assert b"its password is missing or wrong: give it with --pass or --cert FILE:PASSWORD" in result.stderr


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_pinned_fingerprint(engine: str, site: Site) -> None:
    wrong = "0" * 64
    own = [site.server.url, "--cacert", site.file("ca.pem"), "--engine", engine]
    for options in (["--pinned-sha256", site.pin], ["--pinned-sha256", f"sha256:{site.pin}", "--pinned-sha256", wrong]):
        assert cli(*own, *options).stdout == b"secret"
    result = cli(site.server.url, "-k", "--engine", engine, "--pinned-sha256", wrong)
    assert result.returncode == 1 and f"sha256:{site.pin}, which is not pinned".encode() in result.stderr


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_message_names_the_file(engine: str, site: Site) -> None:
    other = site.file("other.pem")
    for arguments in (["get"], ["head"]):
        result = cli(*arguments, site.server.url, "--cacert", other, "--engine", engine)
        assert result.returncode == 1 and b"SSL handshake failed" in result.stderr
        assert f": only the certificates of {other} are trusted (--cacert)\n".encode() in result.stderr
    many = ["--from", "-", "-o", site.file("out"), "--cacert", other, "--engine", engine]
    result = cli("get", *many, input=site.server.url.encode())
    assert result.returncode == 1 and f"only the certificates of {other} are trusted".encode() in result.stderr
    assert b"): --cacert FILE names the certificates to trust\n" in cli(site.server.url, "--engine", engine).stderr
    # The file has nothing to do with this one.
    result = cli(site.server.url, "--cacert", site.file("ca.pem"), "--engine", engine, "--pinned-sha256", "00" * 32)
    assert b"is not pinned" in result.stderr and b"(--cacert)" not in result.stderr
    empty = site.folder / "empty.pem"
    empty.write_bytes(b"")
    result = cli("get", site.server.url, "--cacert", str(empty), "--engine", engine)
    assert result.returncode == 1 and str(empty).encode() in result.stderr


def test_versions_of_http(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = Http2Server(authority, lambda peer, request: peer.respond(request, b"HTTP/2 " + request.body))
    own = [server.url, "--cacert", str(tmp_path / "ca.pem")]
    for engine in TLS_ENGINES:
        for option, body in (("--http2", b"HTTP/2 "), ("--http1.1", b"HTTP/1.1")):
            assert cli(*own, option, "--engine", engine).stdout == body
    assert cli(*own, "--engine", "python").stdout == b"HTTP/2 "
    assert cli(*own, "--http2", "--json", "a=b").stdout == b'HTTP/2 {"a": "b"}'
    server.close()


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_certificate_without_its_key(engine: str, site: Site) -> None:
    cert = site.file("mine.pem")
    result = cli(site.server.url, "-k", "--cert", cert, "--engine", engine)
    assert result.returncode == 1 and result.stderr.decode().endswith(
        f"if {cert} lacks the key, --key FILE names its file\n"
    )


def test_http2_without_h2() -> None:
    program = "import sys; sys.modules['h2'] = None; sys.argv = ['x', 'https://127.0.0.1:1/', '--http2']\n"
    program += "from blocking_request.cli.run import run; run()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert (result.returncode, b"--http2 needs the package h2" in result.stderr) == (64, True), result.stderr


def test_wrong_usage(site: Site) -> None:
    cert = site.file("mine.p12")
    for arguments, status, text in (
        (["--cert", "/no/such:hunter2"], 74, "--cert: the file '/no/such' cannot be read"),
        (["--cert", f"{cert}:hunter2", "--pass", "hunter2"], 64, "is given twice"),
        (["--pass", "hunter2"], 64, "--pass can only be used with --cert"),
        (["--key", cert], 64, "--key can only be used with --cert"),
        (["--pinned-sha256", "abc"], 64, "--pinned-sha256 cannot be used: a fingerprint is 'sha256:' and 64"),
        (["--cert", "a\udcff:hunter2"], 74, "cannot be read"),
    ):
        result = cli(site.server.url, *arguments)
        assert (result.returncode, text in result.stderr.decode()) == (status, True), result.stderr
        assert b"hunter2" not in result.stderr

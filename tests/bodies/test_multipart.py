"""Bodies made of form fields, files and JSON, on both engines."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path

import pytest

from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore, QtNetwork

from ..support.names import OK, Serve
from ..support.servers.raw import always
from ..support.uploads import BODY, SMUGGLED, Generous, Unmeasured, bodies


def test_form(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    assert blocking.post(f"{httpbin}/post", form={"a": "1 ä&", "b": ["x", "y"]}) is OK
    reply = blocking.reply().json()
    assert reply["form"] == {"a": "1 ä&", "b": ["x", "y"]}
    assert reply["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    assert blocking.put(f"{httpbin}/put", form=[("a", "1"), ("a", "2")]) is OK
    assert blocking.reply().json()["form"] == {"a": ["1", "2"]}


def test_json(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    for send, path in ((blocking.post, "post"), (blocking.put, "put"), (blocking.patch, "patch")):
        assert send(f"{httpbin}/{path}", json={"a": [1, None, "ä"]}) is OK
        assert blocking.reply().json()["json"] == {"a": [1, None, "ä"]}
    own = QtNetwork.QNetworkRequest(QtCore.QUrl(f"{httpbin}/post"))
    own.setRawHeader(b"Content-Type", b"application/geo+json")
    assert blocking.post(own, json={}) is OK
    assert blocking.reply().json()["headers"]["Content-Type"] == "application/geo+json"
    with pytest.raises(ValueError):
        blocking.post(f"{httpbin}/post", json=float("nan"))


def test_form_with_files(blocking: BlockingNetworkRequest, httpbin: str, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(b"z" * 3_000_000)
    (tmp_path / "n\u00e4me.txt").write_text("text")
    with (tmp_path / "large.bin").open("rb") as opened:
        code = blocking.post(
            f"{httpbin}/post",
            form={"field": "v\u00e4lue", "number": 5},
            files={
                "path": tmp_path / "n\u00e4me.txt",
                "bytes": b"held",
                "named": ("report.csv", b"a,b", "text/csv"),
                "open": opened,
            },
        )
    assert code is OK, blocking.errorMessage()
    reply = blocking.reply().json()
    assert reply["form"] == {"field": "v\u00e4lue", "number": "5"}
    assert {name: value[:5] for name, value in reply["files"].items()} == {
        "path": "text", "bytes": "held", "named": "a,b", "open": "zzzzz",
    }  # fmt: skip
    assert len(reply["files"]["open"]) == 3_000_000
    assert reply["headers"]["Content-Type"].startswith("multipart/form-data; boundary=")
    assert "Transfer-Encoding" not in reply["headers"]


def test_files_are_sent_again_after_a_redirect(blocking: BlockingNetworkRequest, httpbin: str, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(b"z" * 3_000_000)
    url = f"{httpbin}/redirect-to?url=/post&status_code=307"
    assert blocking.post(url, files={"f": tmp_path / "large.bin"}) is OK, blocking.errorMessage()
    assert len(blocking.reply().json()["files"]["f"]) == 3_000_000


def test_invalid_arguments(blocking: BlockingNetworkRequest, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="give one of data and json, not both"):
        blocking.post("http://x/", b"a", json=1)
    with pytest.raises(FileNotFoundError):
        blocking.post("http://x/", files={"f": tmp_path / "none"})
    with pytest.raises(TypeError, match="a file is a path, bytes or a binary file"):
        blocking.post("http://x/", files={"f": 5})
    with pytest.raises(TypeError, match="form and files are a mapping, or pairs"):
        blocking.post("http://x/", form=["a"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="opened as text"):
        blocking.post("http://x/", files={"f": io.StringIO("x")})


def test_files_of_unknown_size(blocking: BlockingNetworkRequest, httpbin: str, tmp_path: Path) -> None:
    for module, name in ((gzip, "a.gz"), (bz2, "a.bz2")):
        with module.open(tmp_path / name, "wb") as file:  # type: ignore[attr-defined]
            file.write(b"inside")
        with module.open(tmp_path / name) as file:  # type: ignore[attr-defined]
            assert blocking.post(f"{httpbin}/post", files={"f": ("n", file)}) is OK
        assert blocking.reply().json()["files"]["f"] == "inside"
    assert blocking.post(f"{httpbin}/post", files={"f": ("n", Unmeasured(b"small")), "v": "/proc/version"}) is OK
    files = blocking.reply().json()["files"]
    assert files["f"] == "small" and files["v"].startswith("Linux")


def test_file_that_reads_more_than_asked(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """A part has as many bytes as its file; the surplus was once sent as a request of its own."""
    server = serve(always(b"ok"))
    source = Generous(BODY + SMUGGLED)
    assert blocking.post(server.url, files={"a": ("a", source), "b": b"second"}) is OK, blocking.errorMessage()
    assert bodies(server)[0].count(SMUGGLED) == 1 and bodies(server)[0].endswith(b"--\r\n")
    assert blocking.get(server.url) is OK
    assert [request.split()[0] for request in server.requests] == [b"POST", b"GET"]

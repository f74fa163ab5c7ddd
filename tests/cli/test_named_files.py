"""Files that the command line names: a call that fails leaves them as they are, and none is used for two purposes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ..support.names import Serve
from ..support.servers.raw import always, echo

pytest.importorskip("click")
pytest.importorskip("rich")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="each command runs in a fork")

from .test_streams import FILE, USAGE, Case, check


def test_wrong_call_leaves_files_as_they_are(serve: Serve, tmp_path: Path) -> None:
    url, folder = serve(echo).url, tmp_path / "folder"
    folder.mkdir()
    kept, new = folder / "kept", folder / "new"
    kept.write_text("kept")
    cases = []
    for har, jar in ((kept, new), (new, kept)):
        files = ("--har", str(har), "-c", str(jar))
        cases += [
            Case("get", *files, status=USAGE, says="Missing argument 'URL'"),
            Case("get", url, *files, "--checksum", "x", status=USAGE, says="--checksum"),
            Case("get", url, *files, "-C", status=USAGE, says="-C can only be used"),
            Case("head", url, *files, "-O", status=USAGE, says="no body"),
            Case("get", url, *files, "-H", ": x", status=USAGE, says="no name"),
            Case("post", url, *files, "-d", "@/no/such", status=FILE, says="/no/such' cannot be read"),
            Case("get", url, *files, "-b", "/no/such", status=FILE, says="/no/such' cannot be read"),
            Case("get", *files, "--from", "/no/such", "-o", "/no/x", status=FILE, says="/no/such' cannot be read"),
            Case("get", "http://[", *files, status=1, says=r"\(http://\[\)"),
            Case("get", "ftp://h/", *files, status=1, says="must begin with http:// or https://"),
        ]
    jar_only = ("-c", str(kept))
    cases += [
        Case("get", "http://127.0.0.1:1/", *jar_only, status=1, says="refused"),
        Case(
            "get",
            url,
            "--har",
            "/no/such/har",
            *jar_only,
            status=FILE,
            says="/no/such/har: the calls cannot be written",
        ),
        Case("get", url, "--har", "-", status=USAGE, says="--har: give the name of a file"),
        Case("get", url, "--har", "/dev/stdout", status=USAGE, says="--har: give the name of a file"),
    ]
    check(cases, tmp_path)
    assert (kept.read_text(), os.listdir(folder)) == ("kept", ["kept"])


def test_file_for_two_purposes(serve: Serve, tmp_path: Path) -> None:
    server, folder = serve(echo), tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("kept")
    (folder / "soft").symlink_to("file")
    os.link(folder / "file", folder / "hard")
    url = f"{server.url}/file"
    same = [str(folder / name) for name in ("file", "soft", "hard", "../folder/file")]
    new = str(folder / "new"), str(folder / "." / "new")
    cases = []

    def refuse(*arguments: str, stdout: str = "") -> None:
        says = "name the same file, which would be overwritten"
        cases.append(Case(*arguments, stdout=stdout, status=USAGE, says=says))

    for other in same:
        refuse("get", url, "-o", same[0], "--har", other)
        refuse("send", url, "-o", other, "-d", f"@{same[0]}")
    for one, other in (("--har", "-o"), ("-c", "-o"), ("-c", "--har")):
        refuse("get", url, one, new[0], other, new[1])
    for options in (
        ("-b", same[1]),
        ("--json", f"@{same[1]}"),
        ("--json", f"a:=@{same[1]}"),
        ("-F", f"a=@{same[1]};type=text/plain"),
        ("--cacert", same[1]),
        ("--cert", f"{same[1]}:password"),
        ("--netrc-file", same[1]),
    ):
        refuse("send", url, "-o", same[0], *options)
    refuse("head", url, "-o", same[0], "-b", same[1])
    refuse("get", "--from", same[1], "-o", str(folder), "--har", same[0])
    refuse("get", "--from", same[1], "-o", str(folder), "-c", same[0])
    refuse("get", url, "--har", f"{same[0]}.part", "-o", same[0])
    refuse("get", url, "--har", same[0], stdout=same[0])
    check(cases, tmp_path)
    assert (folder / "file").read_text() == "kept" and not server.requests
    assert sorted(os.listdir(folder)) == ["file", "hard", "soft"]


def test_har_file_that_cannot_be_written(serve: Serve, tmp_path: Path) -> None:
    """The limit of the file size has the effect of a disk that gets full."""
    url, urls = serve(always(b"x" * 10_000)).url, tmp_path / "urls"
    urls.write_text(f"{url}/a\n")
    says = "no calls are written to .*calls.har: File too large"
    har = ("--har", str(tmp_path / "calls.har"))
    folder = str(tmp_path / "folder")
    cases = [
        Case("get", url, *har, "-o", str(tmp_path / "body"), file_size=10_100, status=FILE, says=says),
        Case("get", "--from", str(urls), *har, "-o", folder, file_size=10_100, status=FILE, says=says),
    ]
    check(cases, tmp_path)


def test_list_without_a_response_keeps_the_cookies(tmp_path: Path) -> None:
    (tmp_path / "urls").write_text("http://127.0.0.1:1/\n")
    jar = tmp_path / "jar"
    jar.write_text("kept")
    folder = str(tmp_path / "folder")
    options = ("--from", str(tmp_path / "urls"), "-o", folder, "-c", str(jar))
    check([Case("get", *options, status=1, stderr=str(tmp_path / "told"))], tmp_path)
    assert jar.read_text() == "kept"


def test_files_that_may_be_the_same(serve: Serve, tmp_path: Path) -> None:
    server, folder = serve(always(b"x", headers="Set-Cookie: a=1; Max-Age=1000\r\n")), tmp_path / "folder"
    folder.mkdir()
    jar, har = folder / "jar", folder / "calls.har"
    same = str(jar)
    cases = [
        Case("get", server.url, "-b", same, "-c", same, "--har", str(har), status=0),
        Case("send", server.url, "-b", same, "-d", f"@{jar}", status=0),
        Case("send", server.url, "-o", "/dev/null", "-d", "@/dev/null", status=0),
    ]
    check(cases, tmp_path)
    assert "a\t1" in jar.read_text()
    assert len(json.loads(har.read_text())["log"]["entries"]) == 1

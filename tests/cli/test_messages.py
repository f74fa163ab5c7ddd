"""The messages about values of options that cannot be used, and about files that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")

from ..support.command_line import refusal_of

URL = "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["get", ""], "the URL is empty"),
        (["post", " ", "-d", "x"], "the URL is empty"),
        (["request", "", URL], "the method is empty"),
        (["-X", "", URL], "-X: the method is empty"),
    ],
)
def test_empty_argument(words: list[str], told: str) -> None:
    assert refusal_of(*words).format_message() == told


FILES = {
    "-d": ["-d", "@{}"],
    "-d twice": ["-d", "a", "-d", "@{}"],
    "--json": ["--json", "@{}"],
    "--json a=": ["--json", "a=@{}"],
    "--json a:=": ["--json", "a:=@{}"],
    "-F": ["-F", "a=@{}"],
    "-b": ["-b", "{}"],
    "-w": ["-w", "@{}"],
    "--cacert": ["--cacert", "{}"],
    "--cert": ["--cert", "{}"],
    "--cert with a password": ["--cert", "{}:hunter2"],
    "--key": ["--cert", __file__, "--key", "{}"],
    "--netrc-file": ["--netrc-file", "{}"],
}


@pytest.mark.parametrize("name", FILES)
def test_file_that_cannot_be_read(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    option = name.partition(" with")[0].partition(" twice")[0]
    for path, problem in (("a b", "No such file or directory"), ("folder", "Is a directory")):
        error = refusal_of("post", URL, *(word.format(path) for word in FILES[name]))
        assert error.format_message() == f"{option}: the file '{path}' cannot be read: {problem}"
    error = refusal_of("post", URL, *(word.format("a\0b") for word in FILES[name]))
    assert "'a\\x00b' is not a path" in error.format_message()


def test_list_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin").write_bytes(b"http://\xe9/\n")
    for path, problem in (("no", "No such file or directory"), ("latin", "it is not UTF-8 text (")):
        error = refusal_of("get", "--from", path, "-o", "folder")
        assert error.format_message().startswith(f"--from: the file '{path}' cannot be read: {problem}")


@pytest.mark.parametrize("text", ["", "nan", "inf", "-1", "1.5", "1e2", "1001", "9" * 50, "\u0663", "0x1", "1_0"])
@pytest.mark.parametrize("option", ["--retry", "--max-redirs", "--jobs"])
def test_wrong_number(option: str, text: str) -> None:
    message = refusal_of("get", URL, f"{option}={text}").format_message()
    assert f"is not a whole number from {int(option == '--jobs')} to 1000" in message and len(message) < 200


@pytest.mark.parametrize("text", ["", " ", "nan", "inf", "-1", "1e9", "5x", "9" * 50, "597h", "\u0663", "1,5"])
@pytest.mark.parametrize("option", ["--timeout", "-m", "--retry-delay"])
def test_wrong_time(option: str, text: str) -> None:
    message = refusal_of("get", URL, option, text).format_message()
    assert ("is not a time: write 5" in message or "is too long" in message) and len(message) < 200


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        ("--checksum", "", "a checksum is written 'sha256:...'"),
        ("--checksum", "sha256", "a checksum is written 'sha256:...'"),
        ("--checksum", "sha256:", "a sha256 checksum has 64 hexadecimal digits"),
        ("--checksum", "shake_128:00", "a checksum is written 'sha256:...'"),
        ("--pinned-sha256", "", "64 hexadecimal digits"),
        ("--pinned-sha256", "sha256//AAAA", "64 hexadecimal digits"),
    ],
)
def test_wrong_digest(option: str, text: str, told: str) -> None:
    message = refusal_of("get", URL, option, text).format_message()
    assert message.startswith(option) and told in message

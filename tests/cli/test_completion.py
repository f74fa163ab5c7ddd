"""Completion by bash, zsh and fish, each with the script that ``completion`` writes."""

from __future__ import annotations

import os
import re
import select
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")

from blocking_request.cli.commands import commands
from blocking_request.cli.completion import SHELLS, completion_script

from ..support.command_line import PROGRAM
from ..support.names import ROOT

LINES = {
    "blocking-request po": {"post"},
    "blocking-request get http://127.0.0.1/ --eng": {"--engine"},
    "blocking-request get http://127.0.0.1/ --engine ": {"auto", "python", "qt"},
    "blocking-request get http://127.0.0.1/ --engine=p": {"--engine=python"},
    "blocking-request post http://127.0.0.1/ --json=@da": {"--json=@data.json", "--json=@data.txt"},
    "blocking-request get http://127.0.0.1/ -H 'X: a b' -H acc": {"Accept:", "Accept-Encoding:", "Accept-Language:"},
    "blocking-request post http://127.0.0.1/ -d @da": {"@data.json", "@data.txt"},
    "blocking-request post http://127.0.0.1/ -d @folder/d": {"@folder/deep/"},
    "blocking-request cache i": {"info"},
}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, and the command in ``bin``."""
    for name in ("data.json", "data.txt", "other.txt", "data (1).txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    command = tmp_path / "bin" / "blocking-request"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nfrom blocking_request.__main__ import main\nmain()\n")
    command.chmod(0o755)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder), "TERM": "dumb", "PS1": "ready> "}


def output(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=110, check=False, cwd=folder, env=environment(folder)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Terminal:
    """A shell on a terminal that is wide enough for each line."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        import fcntl
        import pty
        import termios

        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 300, 0, 0))
        self._process = subprocess.Popen(
            arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=environment(folder),
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""

    def type(self, text: str, expected: str) -> str:
        """Type a text. Return what the shell shows, as soon as it matches."""
        os.write(self._master, text.encode())
        self.shown = ""
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            if select.select([self._master], [], [], 0.1)[0]:
                self.shown += os.read(self._master, 65536).decode(errors="replace")
                self.shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x07", "", self.shown)
                if re.search(expected, self.shown):
                    return self.shown
        raise AssertionError(f"{expected!r} is not in {self.shown!r}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)


@pytest.mark.parametrize("shell", SHELLS)
def test_script(shell: str, folder: Path) -> None:
    script = output(folder, "blocking-request", "completion", shell)
    assert script == completion_script(shell, commands)
    assert f"_BLOCKING_REQUEST_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize("arguments", [[], ["powershell"]])
def test_unknown_shell(arguments: list[str]) -> None:
    command = [*PROGRAM, "completion", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.count("\n") == 1
    for shell in SHELLS:
        assert shell in result.stderr


def words_of(line: str) -> tuple[list[str], str]:
    """Return the words of a line, as bash sees them, and the last one, which is to be completed."""
    *words, last = re.findall(r"'[^']*'|[^ ]+", line) + ([""] if line.endswith(" ") else [])
    return [part for word in words for part in ([word] if "'" in word else re.split("(:)", word)) if part], last


@needs("bash")
def test_words_in_bash(folder: Path) -> None:
    program = """
        eval "$(blocking-request completion bash)"
        compopt() { :; }
        complete_words() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _blocking_request_completion blocking-request
            echo "${COMPREPLY[*]}"
        }
    """
    for line in LINES:
        words, last = words_of(line)
        program += "\ncomplete_words " + " ".join(f'"{word}"' for word in (*words, last))
    shown = output(folder, "bash", "--norc", "-c", program).splitlines()
    assert dict(zip(LINES, [set(row.split()) for row in shown])) == LINES


@needs("fish")
def test_words_in_fish(folder: Path) -> None:
    program = "blocking-request completion fish | source\nfor line in $argv; complete -C $line; echo end; end"
    shown = output(folder, "fish", "--no-config", "-c", program, *LINES)
    found = [{row.partition("\t")[0] for row in rows.splitlines()} for rows in shown.split("end\n")]
    assert dict(zip(LINES, found)) == LINES
    # A description may have commas.
    assert "send\tSend a request: GET, or POST if" in output(
        folder, "fish", "--no-config", "-c", program, "blocking-request sen"
    )


@needs("bash")
def test_tab_in_bash(folder: Path) -> None:
    terminal = Terminal(folder, "bash", "--norc", "--noprofile", "-i")
    try:
        terminal.type(
            'bind "set enable-bracketed-paste off"; eval "$(blocking-request completion bash)"; echo ok\n', r"\nok"
        )
        assert "get http://127.0.0.1/ --engine " in terminal.type(
            "blocking-request ge\thttp://127.0.0.1/ --eng\t", "engine "
        )
        terminal.type("p\t", "python ")
        terminal.type("-o oth\t", "other.txt ")  # a file
        # No space: the value of the header follows at once.
        terminal.type("-H Content-T\ttext/x", "Content-Type:text/x")
        # bash splits words at these characters, and replaces only the part after the last of them.
        start = "\x15blocking-request http://127.0.0.1:80/ "
        for typed, shown in (
            ("--eng\t", r"--engine "),
            ("-d @oth\t", r" -d @other\.txt "),
            ("--json=@oth\t", r" --json=@other\.txt "),
            ("--engine=p\t", r" --engine=python "),
        ):
            terminal.type(start + typed, f"http://127.0.0.1:80/ ?{shown}")
    finally:
        terminal.close()


@needs("zsh")
def test_tab_in_zsh(folder: Path) -> None:
    terminal = Terminal(folder, "zsh", "-f", "-i")
    try:
        terminal.type(
            "autoload -U compinit; compinit -u -D; unsetopt zle_bracketed_paste; PS1='%% '; echo o''k\n", "\nok"
        )
        terminal.type('eval "$(blocking-request completion zsh)"; echo do""ne\n', "\ndone")
        terminal.type("blocking-request pu\t", "put ")
        terminal.type("http://127.0.0.1/ --eng\t", "engine ")
        terminal.type("p\t", "ython ")
        terminal.type("-d @oth\t", "er.txt ")
        terminal.type("--engine=q\t", "--engine=qt ")
    finally:
        terminal.close()

"""Runs the command ``blocking-request`` in a process of its own, and reads the requests that it has sent."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from .servers.raw import RawServer

PROGRAM = [sys.executable, "-m", "blocking_request"]


def cli(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end. ``options``: as those of ``subprocess.run``."""
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, timeout=60, check=False, **options)


class Sent(NamedTuple):
    """A request as the server has read it."""

    method: str
    target: str
    fields: dict[str, list[str]]
    """The values by the name in lower case."""
    body: bytes

    def value(self, name: str) -> str:
        """Return the value of a field that the request has once; '' if it has not."""
        values = self.fields.get(name.lower(), [""])
        assert len(values) == 1
        return values[0]


def sent(server: RawServer, index: int = -1) -> Sent:
    """Return a request that a server has read, by default the last one."""
    head, _, body = server.requests[index].partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ") if ": " in line else line.partition(":")
        fields.setdefault(name.lower(), []).append(value)
    return Sent(method, target, fields, body)


def refusal_of(*words: str) -> Any:
    """Return click's exception about a command line that is refused."""
    import click

    from blocking_request.cli.commands import commands

    with pytest.raises(click.ClickException) as caught:
        commands.main(list(words), "blocking-request", standalone_mode=False)
    return caught.value

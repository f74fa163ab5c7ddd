"""``--write-out``: a text with values of the transfer, after each request."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from .. import ReplyContent
from ..models.call_record import CallRecord
from ..models.redaction import printable
from ..trace import CallRecorder, recording
from .messages import show_always
from .output_settings import output_settings
from .streams import RawOutput, write_all
from .transfer_values import VARIABLES, Transfer, all_json, header_json

_PART = re.compile(r"%%|%\{(?P<variable>[^{}]*)\}|%header\{(?P<header>[^{}]*)\}|\\(?P<escape>[nrt])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


class WriteOut(CallRecorder):
    """Records the calls of a command, and writes the text for each of them."""

    def __init__(self, text: str, output: RawOutput) -> None:
        self._text = text
        self._output = output
        self._calls: dict[int, CallRecord] = {}
        self._unknown: set[str] = set()
        """The names that were reported as unknown."""

    def call_ended(self, call: CallRecord) -> None:
        self._calls[call.identifier] = call

    def write(self, reply: ReplyContent, exit_status: int) -> None:
        """Write the text for a reply. Raises OutputError."""
        transfer = Transfer(reply, exit_status, self._calls.pop(reply.requestId(), None))
        parts, to_errors = [""], [False]
        position = 0
        for match in _PART.finditer(self._text):
            parts[-1] += self._text[position : match.start()]
            position = match.end()
            name = (match["variable"] or "").lower()
            if name in ("stdout", "stderr"):
                parts.append("")
                to_errors.append(name == "stderr")
            elif name == "onerror" and exit_status == 0:
                position = len(self._text)
                break
            else:
                parts[-1] += self._value(match, name, transfer)
        parts[-1] += self._text[position:]
        for part, to_error in zip(parts, to_errors):
            self._write_part(part, to_error)

    def _value(self, match: re.Match[str], name: str, transfer: Transfer) -> str:
        if match[0] == "%%":
            return "%"
        if match["escape"] is not None:
            return _ESCAPED[match["escape"]]
        if match["header"] is not None:
            return transfer.field(match["header"])
        if name == "json":
            return all_json(transfer)
        if name == "header_json":
            return header_json(transfer)
        if name == "onerror":
            return ""
        if name not in VARIABLES:
            if name not in self._unknown:
                self._unknown.add(name)
                show_always(f"unknown --write-out variable: '{match['variable']}'")
            return ""
        value = VARIABLES[name](transfer)
        if name in ("http_code", "response_code"):
            return f"{value:03}"
        return f"{value:.6f}" if isinstance(value, float) else str(value)

    def _write_part(self, part: str, to_error: bool) -> None:
        """Write a part of the text to a standard stream. Control characters are escapes on a terminal."""
        stream = sys.stderr if to_error else sys.stdout
        if stream.isatty():
            part = printable(part, allowed="\r\n\t")
        if to_error:
            click.echo(part, nl=False, err=True)
        else:
            write_all(self._output, part.encode("utf-8", "surrogateescape"))


_KEY = __name__


@contextmanager
def recorded_for_write_out() -> Iterator[None]:
    """Record the calls of the block for the text of --write-out, if the present command has one."""
    text = output_settings().write_out
    if not text:
        yield
        return
    context = click.get_current_context()
    recorder = context.meta[_KEY] = WriteOut(text, context.obj)
    with recording(recorder):
        yield


def report_reply(reply: ReplyContent, exit_status: int) -> None:
    """Write the text of --write-out, if the present command has one, for a request that has ended.

    Raises OutputError.
    """
    write_out = click.get_current_context().meta.get(_KEY)
    if write_out is not None:
        write_out.write(reply, exit_status)

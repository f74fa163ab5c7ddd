"""``--verbose``: each request and response on standard error."""

from __future__ import annotations

import sys
from typing import Optional

import click

from ..models.call_record import FIRST, CallRecord
from ..models.redaction import printable
from ..netlog.entry import NetworkEntry
from ..trace import CallRecorder, steps_text
from .head import painted_field, painted_status_line
from .messages import failure_text, show_always
from .output_settings import output_settings
from .terminal import Paint, paint_for, paint_plain


class VerboseRecorder(CallRecorder):
    """A recorder that writes each request, as it was sent, and its response to standard error, without credentials."""

    def __init__(self) -> None:
        self._streaming: Optional[CallRecord] = None
        """The request whose heads were written, and whose body goes to the user."""

    def call_ended(self, call: CallRecord) -> None:
        self._end_streaming()

    def _end_streaming(self) -> None:
        """Write the end of a request. When it ends, it is too early: the last line of the body is not complete then."""
        if self._streaming is not None:
            _show_end(self._streaming)
            self._streaming = None

    def request_started(self, request: CallRecord, call: CallRecord) -> None:
        self._end_streaming()
        reason = "" if request.kind == FIRST else f" ({request.kind})"
        show_always(f"* {request.method} {request.url}{reason}")

    def response_started(self, request: CallRecord, call: CallRecord) -> None:
        _show_heads(request)
        self._streaming = request

    def request_ended(self, request: CallRecord, call: CallRecord) -> None:
        if request is not self._streaming:
            _show_heads(request)
            _show_end(request)


def _show_heads(request: CallRecord) -> None:
    entry = NetworkEntry(request)
    paint = paint_for(sys.stderr) if output_settings().pretty is not False else paint_plain
    if entry.requestLine():
        _show_head("> ", paint("1", printable(entry.requestLine())), entry.requestHeaders(), paint)
    elif entry.statusCode() is not None:
        line = printable(f"{entry.method()} {entry.url()}")
        _show_head("> ", f"{paint('1', line)} (Qt adds more header fields)", entry.requestHeaders(), paint)
    if entry.statusCode() is not None:
        line = f"{entry.httpVersion()} {entry.statusCode()} {entry.reasonPhrase()}".strip()
        _show_head("< ", painted_status_line(line, paint), entry.responseHeaders(), paint)


def _show_end(request: CallRecord) -> None:
    entry = NetworkEntry(request)
    outcome = failure_text(entry.errorString()) or f"{entry.receivedBytes()} bytes"
    tls = f", {entry.sessionProtocol()} {entry.sessionCipher()}" if entry.sessionProtocol() else ""
    show_always(f"* {outcome} in {entry.elapsed() * 1000:.1f} ms over {entry.engine() or 'no engine'}{tls}")
    steps = steps_text(request.trace)
    if steps:
        show_always(f"* {steps}")


def _show_head(mark: str, line: str, fields: list[tuple[str, str]], paint: Paint) -> None:
    lines = [line, *(painted_field(printable(name), printable(value), paint) for name, value in fields)]
    click.echo("".join(f"{mark}{each}\n" for each in lines), nl=False, err=True, color=True)

"""``--verbose``: each request and response on standard error."""

from __future__ import annotations

import sys

import click

from ..models.call_record import CallRecord
from ..models.redaction import printable
from ..netlog.entry import NetworkEntry
from ..trace import steps_text
from .color import Paint, paint_for, paint_plain
from .head import painted_field, painted_status_line
from .output import failure_text, show
from .output_settings import output_settings


class Narrator:
    """A recorder that writes each request, as it was sent, and its response to standard error, without credentials."""

    body_limit = 0
    wants_trace = True

    def wants(self, owner: object) -> bool:
        return True

    def call_started(self, call: CallRecord) -> None:
        pass

    def call_ended(self, call: CallRecord) -> None:
        pass

    def request_started(self, request: CallRecord, call: CallRecord) -> None:
        show(f"* {request.method} {request.url}")

    def request_ended(self, request: CallRecord, call: CallRecord) -> None:
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
        outcome = failure_text(entry.errorString()) or f"{entry.receivedBytes()} bytes"
        tls = f", {entry.sessionProtocol()} {entry.sessionCipher()}" if entry.sessionProtocol() else ""
        show(f"* {outcome} in {entry.elapsed():.1f} ms over {entry.engine() or 'no engine'}{tls}")
        steps = steps_text(request.trace)
        if steps:
            show(f"* {steps}")


def _show_head(mark: str, line: str, fields: list[tuple[str, str]], paint: Paint) -> None:
    lines = [line, *(painted_field(printable(name), printable(value), paint) for name, value in fields)]
    click.echo("".join(f"{mark}{each}\n" for each in lines), nl=False, err=True, color=True)

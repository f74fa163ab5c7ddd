"""What the command line shows while it works: the bar, and with --verbose what goes over the wire."""

from __future__ import annotations

import click
import rich.console
import rich.progress

from . import BlockingNetworkRequest
from .exchange import Answer, Exchange
from .headers import CREDENTIAL_FIELDS, Pairs

_SECRET_FIELDS = CREDENTIAL_FIELDS | {b"set-cookie"}


class Narrator:
    """Tells on the error output what is sent and what comes back; credentials are not shown."""

    def exchange_started(self, exchange: Exchange) -> None:
        self._say(f"> {exchange.method} {exchange.shown_url}")
        self._say_fields("> ", exchange.headers, exchange.secret_names)

    def exchange_ended(self, answer: Answer, seconds: float) -> None:
        if answer.status is not None:
            self._say(f"< {answer.status} {answer.reason}")
            self._say_fields("< ", answer.headers.pairs, ())
        what = answer.failure.text if answer.failure else f"{answer.wire_bytes} bytes"
        session = None if answer.tls is None else answer.tls.session
        tls = f", {session.protocol} {session.cipher}" if session is not None and session.protocol else ""
        self._say(f"* {what} in {seconds * 1000:.1f} ms over {answer.engine or 'nothing'}{tls}")

    def _say_fields(self, mark: str, pairs: Pairs, secret_names: tuple[str, ...]) -> None:
        secret = _SECRET_FIELDS | {name.lower().encode() for name in secret_names}
        for name, value in pairs:
            text = "***" if name.lower() in secret else value.decode("latin-1")
            self._say(f"{mark}{name.decode('latin-1')}: {text}")

    def _say(self, line: str) -> None:
        click.echo(line, err=True)


class ProgressBar:
    """A bar on the error output while a transfer runs, if that is a terminal."""

    def __init__(self, blocking: BlockingNetworkRequest) -> None:
        self._blocking = blocking
        self._console = rich.console.Console(stderr=True)
        self._progress = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.DownloadColumn(),
            rich.progress.TransferSpeedColumn(),
            rich.progress.TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, rich.progress.TaskID] = {}

    def __enter__(self) -> None:
        if self._console.is_terminal:
            self._progress.start()
            self._blocking.uploadProgress.connect(lambda done, total: self._show("sent", done, total))
            self._blocking.downloadProgress.connect(lambda done, total: self._show("received", done, total))

    def _show(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what)
        self._progress.update(self._tasks[what], completed=done, total=total if total >= 0 else None)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

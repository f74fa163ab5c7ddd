"""The command line: one command for each verb, ``cache``, ``info`` and ``demo``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Optional

import click

from .. import BlockingNetworkRequest, ErrorCode, NetworkDiskCache
from .._version import VERSION
from ..bodies.upload import body_for
from ..manager.batch_methods import MAX_CONCURRENT
from ..netlog.har_file import HarFile
from ..qt.binding import QtCore
from ..request.request import send_into_sink
from ..trace import add_recorder
from .batch import download_list
from .body import BodyTarget, write_head
from .info import show_demo, show_installation
from .options import (
    can_continue,
    check_text,
    command_line_cache,
    configured,
    data_option,
    many_options,
    opened,
    request_options,
)
from .output import (
    EXIT_BROKEN_PIPE,
    EXIT_FILE,
    EXIT_INTERRUPTED,
    EXIT_STATUSES,
    EXIT_USAGE,
    Narrator,
    ProgressBar,
    exit_status,
    failure_text,
    say,
)
from .streams import OutputError, RawOutput, replace_streams


def run(arguments: Optional[Sequence[str]] = None) -> NoReturn:
    """Run the command line and exit. ``arguments``: None uses those of the process."""
    output = replace_streams()
    # PyPI's PyQt5 warns about OpenSSL 3 at each https request. The environment variable QT_LOGGING_RULES takes
    # precedence over this filter.
    QtCore.QLoggingCategory.setFilterRules("qt.network.ssl.warning=false")
    application = QtCore.QCoreApplication.instance() or QtCore.QCoreApplication(sys.argv[:1])
    status = _status(arguments, output)
    del application
    sys.exit(status)


def _status(arguments: Optional[Sequence[str]], output: RawOutput) -> int:
    """Run a command and return its exit status. An exception is shown as one sentence."""
    try:
        status = commands.main(arguments, standalone_mode=False, obj=output)
        sys.stdout.flush()
        return int(status or 0)
    except click.UsageError as error:
        return _failed(_with_command(error), EXIT_USAGE)
    except click.FileError as error:
        return _failed(f"The file {error.ui_filename} cannot be read: {error.message}", EXIT_FILE)
    except OutputError as error:
        return EXIT_BROKEN_PIPE if error.is_broken_pipe else _failed(str(error), EXIT_FILE)
    except (click.Abort, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends the program at once
        if sys.stderr.isatty():
            say("")  # the terminal has shown ^C in this line
        return _failed("Interrupted", EXIT_INTERRUPTED)
    except OSError as error:
        file = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return _failed(f"{file}{error.strerror or error}", EXIT_FILE)
    except ValueError as error:  # the library refuses the value of an option
        return _failed(str(error), EXIT_USAGE)


def _failed(message: str, status: int) -> int:
    say(message)
    return status


def _with_command(error: click.UsageError) -> str:
    command = "blocking-request" if error.ctx is None else error.ctx.command_path
    message = error.format_message().rstrip(".")
    return f"{command}: {message} ('{command} --help' shows the usage)"


class _Commands(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help if no command is given. click does it too, but its exit status depends on its version."""
        if not args:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(EXIT_USAGE)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None  # click would write an empty line to standard error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_STATUSES)
@click.version_option(VERSION, prog_name="blocking-request")
def commands() -> None:
    """Send HTTP requests over Qt."""


def _add_verb(verb: str, summary: str, with_data: bool) -> None:
    def command(**options: Any) -> int:
        return _send(verb, **options)

    command.__doc__ = summary
    command = request_options(command)
    if verb == "GET":
        command = many_options(command)
    commands.command(verb.lower(), epilog=EXIT_STATUSES)(data_option(command) if with_data else command)


for _verb, _summary, _with_data in (
    ("GET", "GET a resource. If a download to a file is interrupted, run the same command again to continue.", False),
    ("HEAD", "Show the status line and the headers of a resource.", False),
    ("POST", "POST a body.", True),
    ("PUT", "PUT a body.", True),
    ("PATCH", "PATCH a resource with a body.", True),
    ("DELETE", "DELETE a resource.", False),
):
    _add_verb(_verb, _summary, _with_data)


@commands.command("request", epilog=EXIT_STATUSES)
@click.argument("verb")
@request_options
@data_option
def _request(verb: str, **options: Any) -> int:
    """Send a request with any VERB."""
    return _send(verb, **options)


def _send(
    verb: str,
    url: Optional[str],
    output: Optional[str],
    verbose: bool,
    har: Optional[str] = None,
    data: Optional[str] = None,
    urls: Optional[str] = None,
    jobs: Optional[int] = None,
    **options: Any,
) -> int:
    if har is not None:
        _write_har(har)
    if urls is not None:
        return _send_many(url, output, urls, jobs, verbose, options)
    if url is None and "://" in verb:
        raise click.UsageError("Missing argument 'VERB': it precedes the URL")
    if url is None:
        raise click.UsageError("Missing argument 'URL'" + (" (or --from FILE)" if verb == "GET" else ""))
    if jobs is not None:
        raise click.UsageError("--jobs can only be used with --from")
    check_text(verb, "verb")
    manager, request_of = configured(**options)
    blocking = BlockingNetworkRequest(manager)
    if verbose:
        add_recorder(Narrator())
    body = body_for(verb, None if data is None else _body(data))
    if verb.upper() == "HEAD":
        return _send_head(blocking, verb, request_of(url), body, output)
    may_resume = verb.upper() == "GET" and body is None and can_continue(**options)
    target = BodyTarget(click.get_current_context().obj, output, may_resume)
    return _send_to(target, blocking, verb, request_of(url), body, verbose)


HAR_BODY_BYTES = 1 << 20
"""How many bytes of each body ``--har`` writes."""


def _write_har(path: str) -> None:
    """Write all calls of this command into a HAR file. Raises OSError."""
    file = HarFile(path, HAR_BODY_BYTES)
    file.open()
    add_recorder(file)
    if file.path != path:
        say(f"Another process is writing {path}: the calls are written to {file.path}")


def _send_to(
    target: BodyTarget, blocking: BlockingNetworkRequest, verb: str, request: Any, body: Any, verbose: bool
) -> int:
    try:
        with ProgressBar(blocking, target.is_standard_output and sys.stdout.isatty()):
            code = send_into_sink(blocking, request, verb, body, target.sink)
    except KeyboardInterrupt:
        if target.resume_hint():
            say(target.resume_hint())
        raise
    reply = blocking.reply()
    if target.is_standard_output:
        target.write(reply.body)
    if verbose:
        _say_origin(reply.isFromCache(), target)
    if code is not ErrorCode.NoError:
        say(failure_text(reply.errorString()))
        if target.resume_hint() and code is not ErrorCode.ServerExceptionError:
            say(target.resume_hint())
    elif target.lacks_file() and reply.statusCode() != NOT_MODIFIED:
        say(f"No file was written: the server answered {reply.statusCode()} {reply.reasonPhrase()}")
        return int(ErrorCode.ServerExceptionError)
    return exit_status(code, reply)


NOT_MODIFIED = 304
"""The response to a conditional request (-H), which says that the file has not changed."""


def _say_origin(is_from_cache: bool, target: BodyTarget) -> None:
    if is_from_cache:
        say("* from the cache")
    if target.written() is not None:
        say(f"* written to {target.written()}")


def _send_head(blocking: BlockingNetworkRequest, verb: str, request: Any, body: Any, output: Optional[str]) -> int:
    code = blocking.sendCustomRequest(request, verb, body)
    reply = blocking.reply()
    if reply.statusCode() is not None and (output is None or code is ErrorCode.NoError):
        write_head(click.get_current_context().obj, reply, output)
    if code is not ErrorCode.NoError:
        say(failure_text(reply.errorString()))
    return exit_status(code, reply)


def _send_many(
    url: Optional[str], folder: Optional[str], urls: str, jobs: Optional[int], verbose: bool, options: dict[str, Any]
) -> int:
    if url is not None:
        raise click.UsageError("give a URL or --from FILE, not both")
    if folder is None:
        raise click.UsageError("--from needs -o FOLDER, the folder for the files")
    if verbose:
        raise click.UsageError("--verbose shows single requests: it cannot be used with --from")
    addresses = _addresses(urls)
    manager, request_of = configured(**options)
    wanted = [request_of(address) for address in addresses]
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError as error:
        raise OSError(error.errno, "this is a file: --from needs a folder for -o", folder) from None
    return download_list(manager, wanted, Path(folder), jobs or MAX_CONCURRENT)


def _addresses(file: str) -> list[str]:
    raw = _standard_input() if file == "-" else _contents(file)
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise click.FileError(file, f"it is not UTF-8 text ({error})") from None
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


@commands.group("cache", cls=_Commands, epilog=EXIT_STATUSES)
def _cache_commands() -> None:
    """Show or clear the cache of --cache."""


@_cache_commands.command("info", epilog=EXIT_STATUSES)
def _cache_info() -> int:
    """Show the folder and the size of the cache."""
    cache = command_line_cache()
    statistics = cache.statistics()
    click.echo(f"{cache.cacheDirectory()}: {statistics.count} entries, {statistics.size} of {statistics.limit} bytes")
    return _cache_status(cache)


@_cache_commands.command("clear", epilog=EXIT_STATUSES)
def _cache_clear() -> int:
    """Delete all entries of the cache."""
    cache = command_line_cache()
    cache.clear()
    return _cache_status(cache)


def _cache_status(cache: NetworkDiskCache) -> int:
    return EXIT_FILE if cache.problem() else 0


def _body(data: str) -> bytes:
    if not data.startswith("@"):
        return os.fsencode(data)
    return _standard_input() if data == "@-" else _contents(data[1:])


def _contents(path: str) -> bytes:
    """Read a file. Raises click.FileError."""
    with opened(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise click.FileError(path, error.strerror or str(error)) from None


def _standard_input() -> bytes:
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise click.FileError("standard input", error.strerror or str(error)) from None


@commands.command("info", epilog=EXIT_STATUSES)
def _info() -> int:
    """Show the versions of all components, and which engine sends which request."""
    show_installation()
    return 0


@commands.command("demo", epilog=EXIT_STATUSES)
def _demo() -> int:
    """Start a local server, send each kind of request to it, and show the results."""
    return int(show_demo() > 0)

"""The commands of the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

import click

from .._first_use import first_use
from .._version import VERSION
from .command_groups import DEFAULT_COMMAND, Commands, MainCommands
from .completion import SHELLS, completion_script
from .config_commands import CONFIG_COMMANDS
from .messages import EXIT_FILE, EXIT_STATUSES, PROGRAM
from .options.cache import command_line_cache
from .options.groups import all_options
from .options.request import many_options
from .options.sections import REQUEST, option

if TYPE_CHECKING:
    from .. import NetworkDiskCache


@click.group(
    cls=MainCommands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_STATUSES,
    examples=(
        "blocking-request example.org",
        "blocking-request https://example.org/users --json name=Ann",
        "blocking-request get --help",
    ),
)
@click.version_option(VERSION, prog_name=PROGRAM)
def commands() -> None:
    """Send HTTP requests over Qt.

    'blocking-request URL' is 'blocking-request send URL': GET, or POST if there is a body.
    """


@commands.command(
    DEFAULT_COMMAND,
    epilog=EXIT_STATUSES,
    examples=(
        "blocking-request example.org",
        "blocking-request https://example.org/users --json name=Ann",
        "blocking-request -X DELETE -u me https://example.org/users/1",
    ),
)
@option(REQUEST, "-X", "--request", "method", metavar="METHOD", help="Send this method.")
@option(REQUEST, "-I", "--head", is_flag=True, help="Send HEAD: show the status line and the headers.")
@partial(all_options, with_body=True)
def _send_command(method: Optional[str], head: bool, **values: Any) -> int:
    """Send a request: GET, or POST if there is a body.

    The word 'send' can be left out: 'blocking-request URL'. A host that is called like a command needs it, or the
    scheme: 'blocking-request http://info/'.
    """
    if head and method is not None:
        raise click.UsageError("-I and -X exclude each other: give one of them")
    if method == "":
        raise click.UsageError("-X: the method is empty")
    return _send_request("HEAD" if head else method, values)


def _send_request(method: Optional[str], values: Mapping[str, Any]) -> int:
    """Send a request, and return the exit status. Help and completion do not import what that needs."""
    with first_use:
        from .send import send
    return send(method, values)


def _add_method(method: str, summary: str, with_body: bool, examples: Sequence[str]) -> None:
    def command(**values: Any) -> int:
        return _send_request(method, values)

    command.__doc__ = summary
    command = all_options(command, with_body)
    if method == "GET":
        command = many_options(command)
    commands.command(method.lower(), epilog=EXIT_STATUSES, examples=examples)(command)


for _method, _summary, _with_body, _examples in (
    (
        "GET",
        "GET a resource. If a download to a file is interrupted, run the same command again to continue.",
        False,
        (
            "blocking-request get https://example.org/data.json -q page=2",
            "blocking-request get https://example.org/data.zip -o data.zip",
            "blocking-request get --from urls.txt -o tiles/ --jobs 32",
        ),
    ),
    (
        "HEAD",
        "Show the status line and the headers of a resource.",
        False,
        (
            "blocking-request head https://example.org/data.json",
            "blocking-request head https://example.org/ -H 'Accept-Language: de'",
            "blocking-request head https://intranet.example.org/ --cacert company.pem",
        ),
    ),
    (
        "POST",
        "POST a body.",
        True,
        (
            "blocking-request post https://example.org/ --json name=Ann --json age:=42",
            "blocking-request post https://example.org/upload -F photo=@garden.jpg",
            "date | blocking-request post https://example.org/log -d @-",
        ),
    ),
    (
        "PUT",
        "PUT a body.",
        True,
        (
            "blocking-request put https://example.org/files/a.txt -d @a.txt",
            "blocking-request put https://example.org/users/1 --json @ann.json -u me",
            "blocking-request put https://example.org/a -d @a -H 'If-None-Match: *'",
        ),
    ),
    (
        "PATCH",
        "PATCH a resource with a body.",
        True,
        (
            "blocking-request patch https://example.org/users/1 --json name=Ann",
            "blocking-request patch https://example.org/users/1 --json @changes.json",
            "blocking-request patch https://example.org/a -d @p -H 'If-Match: \"1\"'",
        ),
    ),
    (
        "DELETE",
        "DELETE a resource.",
        True,
        (
            "blocking-request delete https://example.org/files/a.txt -u me",
            "blocking-request delete https://example.org/a -H 'If-Match: \"1\"'",
            "blocking-request delete https://example.org/a -v",
        ),
    ),
):
    _add_method(_method, _summary, _with_body, _examples)


@commands.command(
    "request",
    epilog=EXIT_STATUSES,
    examples=(
        "blocking-request request PROPFIND https://example.org/dav/ -H 'Depth: 1'",
        "blocking-request request OPTIONS https://example.org/",
        "blocking-request request REPORT https://example.org/dav/ -d @report.xml",
    ),
)
@click.argument("method")
@partial(all_options, with_body=True)
def _request_command(method: str, **values: Any) -> int:
    """Send a request with any METHOD."""
    return _send_request(method, values)


@commands.group(
    "cache",
    cls=Commands,
    epilog=EXIT_STATUSES,
    examples=(
        "blocking-request get https://example.org/data.json --cache",
        "blocking-request cache info",
        "blocking-request cache clear",
    ),
)
def _cache_commands() -> None:
    """Show or clear the cache of --cache."""


def _cache_status(cache: NetworkDiskCache) -> int:
    return EXIT_FILE if cache.problem() else 0


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


@commands.group(
    "config",
    cls=Commands,
    epilog=EXIT_STATUSES,
    examples=(
        "blocking-request config path",
        "blocking-request config set-password work",
        "blocking-request get https://intranet.example.org/ --profile work",
    ),
)
def _config_commands() -> None:
    """Show the path of the configuration file, or keep the passwords of profiles in the keyring."""


for _command in CONFIG_COMMANDS:
    _config_commands.add_command(_command)


@commands.command("info", epilog=EXIT_STATUSES)
def _info() -> int:
    """Show the versions of all components, and which engine sends which request."""
    with first_use:
        from .info import show_installation
    show_installation()
    return 0


_DEMO_STATUSES = """\b
Exit status:
   0  all promises were kept
   1  a promise was not kept
""" + "".join(EXIT_STATUSES.splitlines(True)[-4:])


@commands.command("demo", epilog=_DEMO_STATUSES)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, for scripts.")
def _demo(as_json: bool) -> int:
    """Try what the package promises, on a local server, and show what happened. It takes about 2 seconds."""
    with first_use:
        from .demo.report import show_demo
    return int(show_demo(as_json) > 0)


@commands.command(
    "completion",
    epilog=EXIT_STATUSES,
    examples=(
        'eval "$(blocking-request completion bash)"',
        "blocking-request completion zsh > ~/.zfunc/_blocking-request",
        "blocking-request completion fish | source",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
def _completion(shell: str) -> int:
    """Write the script with which a SHELL (bash, zsh or fish) completes commands, options and values."""
    click.echo(completion_script(shell, commands), nl=False)
    return 0

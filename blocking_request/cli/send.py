"""Sends the request of one command, and writes its response."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Optional

import click

from .. import BlockingNetworkRequest, ErrorCode
from ..bodies.upload import body_for
from ..netlog.har_file import HarFile
from ..request.request import send_into_sink
from ..trace import add_recorder
from .batch import send_list
from .body import BodyTarget, write_head
from .options.body import body_of
from .options.groups import can_continue, configured
from .options.values import check_text
from .output import Narrator, ProgressBar, exit_status, failure_text, say

HAR_BODY_BYTES = 1 << 20
"""How many bytes of each body ``--har`` writes."""

NOT_MODIFIED = 304
"""The response to a conditional request (-H), which says that the file has not changed."""


def send(verb: str, values: Mapping[str, Any]) -> int:
    """Send the request that the values of the options make. Return the exit status.

    Raises click.UsageError, OSError.
    """
    if values["har"] is not None:
        _write_har(values["har"])
    if values.get("urls") is not None:
        return send_list(values)
    url = values["url"]
    if url is None and "://" in verb:
        raise click.UsageError("Missing argument 'VERB': it precedes the URL")
    if url is None:
        raise click.UsageError("Missing argument 'URL'" + (" (or --from FILE)" if verb == "GET" else ""))
    if values.get("jobs") is not None:
        raise click.UsageError("--jobs can only be used with --from")
    check_text(verb, "verb")
    setup = configured(values)
    blocking = BlockingNetworkRequest(setup.manager)
    if values["verbose"]:
        add_recorder(Narrator())
    body = body_for(verb, body_of(values))
    request = setup.request_of(url)
    if verb.upper() == "HEAD":
        return _send_head(blocking, verb, request, body, values["output"])
    may_resume = verb.upper() == "GET" and body is None and can_continue(values)
    target = BodyTarget(click.get_current_context().obj, values["output"], may_resume)
    return _send_to(target, blocking, verb, request, body, values["verbose"])


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

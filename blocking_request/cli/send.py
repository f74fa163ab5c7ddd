"""Sends the request of one command, and writes its response."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Optional

import click

from .. import BlockingNetworkRequest, ErrorCode, ReplyContent
from .._first_use import first_use
from ..bodies.upload import body_for
from ..request.request import send_into_sink
from ..trace import CallRecorder, recording
from .body_target import BodyTarget
from .failure_messages import failure_message
from .har_output import har_output
from .head import write_head
from .messages import EXIT_FILE, exit_status, show_always, show_message
from .options.body import RequestBody, body_of
from .options.call_setup import CallSetup
from .options.configuration import is_from_file
from .options.groups import call_setup_of, can_continue
from .options.named_files import check_named_files
from .options.output import checksum_of, target_path
from .options.precedence import NOT_OF_HEAD
from .options.url import complete_url, with_invalid_url
from .options.values import check_text
from .output_settings import output_settings
from .progress import ProgressBar
from .streams import OutputError
from .write_out import recorded_for_write_out, report_reply

BINARY_NOTE = "The body is binary, and is not shown on a terminal: use '-o FILE', or '-o -' to write it to the terminal"

NOT_MODIFIED = 304
"""The response to a conditional request (-H), which says that the file has not changed."""


def send(method: Optional[str], values: Mapping[str, Any]) -> int:
    """Send the request that the values of the options make, or those of --from. Return the exit status.

    ``method``: None: GET, or POST if there is a body. Raises click.UsageError, OSError, OutputError.
    """
    try:
        with recorded_for_write_out():
            if values.get("url_file") is None:
                return _send_one(method, values)
            with first_use:
                from .batch import send_list
            return send_list(values)
    except OutputError as error:
        if output_settings().hides_messages and not error.is_broken_pipe:
            return EXIT_FILE
        raise


def _send_one(method: Optional[str], values: Mapping[str, Any]) -> int:
    url = _checked_url(method, values)
    check_named_files(values, values["output"] if method == "HEAD" else target_path(values))
    body = body_of(values)
    method = method or ("GET" if body is None else "POST")
    check_text(method, "method")
    setup = call_setup_of(values)
    request = setup.request_of(url)
    data = body_for(method.upper(), _with_body_fields(setup, body))
    blocking = setup.blocking_request()
    if method.upper() == "HEAD":
        _check_head_options(values)
        run = partial(_send_head, setup, blocking)
    else:
        target = _target(method, data is not None, values)
        run = partial(_send_to, target, setup, blocking)
    # A request that is not sent, because its URL is not valid, must not replace files.
    with _shown_requests(values), har_output() if setup.can_send(url) else nullcontext() as har:
        status = run(method, request, data, values)
    if har is not None and har.has_failed:
        status = status or EXIT_FILE
    if blocking.reply().statusCode() is not None or blocking.reply().history():
        setup.save_cookies()
    report_reply(blocking.reply(), status)
    return status


def _shown_requests(values: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Show the requests of a block: all of them with -v, otherwise those that are sent again."""
    recorder: CallRecorder
    if output_settings().verbose:
        with first_use:
            from .verbose import VerboseRecorder
        recorder = VerboseRecorder()
    elif values["retry"]:
        with first_use:
            from .retry_messages import RetryRecorder
        recorder = RetryRecorder()
    else:
        return nullcontext()
    return recording(recorder)


def _checked_url(method: Optional[str], values: Mapping[str, Any]) -> str:
    """Return the URL of a single request. Raises click.UsageError."""
    url: Optional[str] = values["url"]
    if url is None and method is not None and "://" in method:
        raise click.UsageError("Missing argument 'METHOD': it precedes the URL")
    if url is None:
        raise click.UsageError("Missing argument 'URL'" + (" (or --from FILE)" if method == "GET" else ""))
    if not url.strip() or method == "":  # a variable of the shell that is not set
        raise click.UsageError(f"the {'method' if method == '' else 'URL'} is empty")
    if values.get("jobs") is not None:
        raise click.UsageError("--jobs can only be used with --from")
    return url


def _check_head_options(values: Mapping[str, Any]) -> None:
    if any(values[name] for name in NOT_OF_HEAD):
        raise click.UsageError("the response to HEAD has no body: -O, -J, -C and --checksum cannot be used")


def _with_body_fields(setup: CallSetup, body: Optional[RequestBody]) -> Any:
    """Add the header fields of a body, and return its data."""
    if body is None:
        return None
    if body.content_type.startswith("multipart/"):
        # Without the boundary, which is in this field, the body cannot be parsed.
        setup.headers = [pair for pair in setup.headers if pair[0].lower() != b"content-type"]
    setup.add_default_header("Content-Type", body.content_type)
    if body.accept is not None:
        setup.add_default_header("Accept", body.accept)
    return body.data


def _target(method: str, has_body: bool, values: Mapping[str, Any]) -> BodyTarget:
    """Return the target of the body. Raises click.UsageError."""
    path = target_path(values)
    is_resumable = method.upper() == "GET" and not has_body and can_continue(values)
    # In the configuration file, -C holds for the downloads that can be continued.
    must_resume = values["resume"] and not is_from_file("resume")
    if must_resume and (path is None or not is_resumable):
        raise click.UsageError(
            "-C can only be used with GET and -o FILE or -O, and not with a cache, a Range or an Accept-Encoding"
        )
    target = BodyTarget(click.get_current_context().obj, path, is_resumable, checksum_of(values))
    if must_resume and not target.may_resume:
        raise click.UsageError(f"-C: {path} is no name of a file, or another program has written {path}.part")
    return target


def _send_to(
    target: BodyTarget,
    setup: CallSetup,
    blocking: BlockingNetworkRequest,
    method: str,
    request: Any,
    data: Any,
    values: Mapping[str, Any],
) -> int:
    try:
        with ProgressBar(blocking, target.is_shown):
            code = send_into_sink(blocking, request, method, data, target.sink, setup.headers, setup.query)
    except KeyboardInterrupt:
        target.stop()
        if target.resume_hint():
            show_message(target.resume_hint())
        raise
    reply = blocking.reply()
    target.finish(reply)
    _show_source_and_file(reply, target, values)
    if target.refused_binary():
        show_message(BINARY_NOTE)
        if code in (ErrorCode.NoError, ErrorCode.NetworkError):
            return EXIT_FILE
    if code is not ErrorCode.NoError:
        _show_failure(reply, values)
        if target.resume_hint() and code is not ErrorCode.ServerExceptionError:
            show_message(target.resume_hint())
    elif target.lacks_file() and reply.statusCode() != NOT_MODIFIED:
        show_message(f"No file was written: the server answered {reply.statusCode()} {reply.reasonPhrase()}")
        return int(ErrorCode.ServerExceptionError)
    return exit_status(code, reply)


def _show_failure(reply: ReplyContent, values: Mapping[str, Any]) -> None:
    show_message(with_invalid_url(failure_message(reply, values), complete_url(values["url"])))


def _show_source_and_file(reply: ReplyContent, target: BodyTarget, values: Mapping[str, Any]) -> None:
    """With -v, show that the body is from the cache. Show the file if the server may have named it."""
    settings = output_settings()
    if settings.verbose and reply.isFromCache():
        show_always("* from the cache")
    if target.written() is None:
        return
    if settings.verbose:
        show_always(f"* written to {target.written()}")
    elif (values["output"] is None or os.path.isdir(values["output"])) and sys.stderr.isatty():
        show_message(f"Written to {target.written()}")


def _send_head(
    setup: CallSetup, blocking: BlockingNetworkRequest, method: str, request: Any, data: Any, values: Mapping[str, Any]
) -> int:
    output = values["output"]
    code = blocking.sendCustomRequest(request, method, data, headers=setup.headers, params=setup.query)
    reply = blocking.reply()
    if reply.statusCode() is not None and (output is None or code is ErrorCode.NoError):
        settings = output_settings()
        is_pretty = settings.pretty if settings.pretty is not None else sys.stdout.isatty()
        write_head(click.get_current_context().obj, reply, output, is_pretty, settings.include)
    if code is not ErrorCode.NoError:
        _show_failure(reply, values)
    return exit_status(code, reply)

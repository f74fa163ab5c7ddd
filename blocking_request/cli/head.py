"""Writes the status line and the headers of responses."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any, Optional

from .. import ReplyContent
from ..bodies.finished_file import Naming, is_special
from ..bodies.temporary_file import TemporaryFile
from ..models.http_messages import Response
from ..models.redaction import printable
from ..reply import response_of
from .devices import OpenedDevice, descriptor_of
from .streams import RawOutput, write_all
from .terminal import Paint, paint_for, paint_plain


def head_bytes(response: Response) -> bytes:
    """Return the status line and the headers in the format of HTTP/1.1, as the server has sent them."""
    lines = [_status_line(response).encode("latin-1", "replace")]
    lines += [name + b": " + value for name, value in response.headers.pairs]
    return b"".join(line + b"\n" for line in (*lines, b""))


def head_text(response: Response, paint: Paint) -> str:
    """Return the status line and the headers for a terminal, with control characters as escapes."""
    lines = [painted_status_line(_status_line(response), paint)]
    for name, value in response.headers.pairs:
        lines.append(painted_field(_shown(name), _shown(value), paint))
    return "".join(line + "\n" for line in (*lines, ""))


def _status_line(response: Response) -> str:
    return f"{response.http_version or 'HTTP/1.1'} {response.status} {response.reason}".rstrip()


def _shown(value: bytes) -> str:
    return printable(value.decode("utf-8", "backslashreplace"), allowed="\t")


def painted_status_line(line: str, paint: Paint) -> str:
    """Return a status line with the color of its status."""
    version, space, rest = printable(line).partition(" ")
    return paint("version", version) + space + paint(rest[:1] if rest[:1] in tuple("12345") else "1", rest)


def painted_field(name: str, value: str, paint: Paint) -> str:
    """Return a line with a header field. The texts are printable."""
    return f"{paint('name', name)}: {value}"


def write_heads(output: RawOutput, responses: list[Response], is_pretty: bool) -> None:
    """Write heads to standard output."""
    for response in responses:
        if output.isatty():
            text = head_text(response, paint_for(sys.stdout) if is_pretty else paint_plain)
            write_all(output, text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        else:
            write_all(output, head_bytes(response))


def write_head(output: RawOutput, reply: ReplyContent, path: Optional[str], is_pretty: bool, with_all: bool) -> None:
    """Write the head of a reply. Raises OSError if the file of -o cannot be written.

    ``with_all``: also write the heads of the redirects that led to it.
    """
    response = response_of(reply)
    responses = [*response.history, response] if with_all else [response]
    descriptor = descriptor_of(path)
    if descriptor == 1:
        write_heads(output, responses, is_pretty)
        return
    assert path is not None
    text = b"".join(map(head_bytes, responses))
    if descriptor is not None or is_special(Path(path)):
        target: Any = OpenedDevice(path, descriptor)
        while text:
            text = text[target.write(text) :]
        return
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    destination = TemporaryFile(Path(os.path.realpath(path)))
    try:
        with destination.open(0) as file:
            file.write(text)
    except OSError as error:
        destination.discard(corrupt=True)
        raise OSError(error.errno, error.strerror, path) from None
    destination.rename(Naming(True, False, {}))

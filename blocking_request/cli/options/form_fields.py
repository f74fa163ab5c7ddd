"""The body of ``--form`` and ``-F``: an HTML form."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from ...bodies.multipart import encoded
from .file_content import content_of, named_file
from .values import check_readable

_PARAMETER = re.compile(r";\s*(type|filename)=((?:(?!;\s*(?:type|filename)=).)*)\Z", re.DOTALL)


def form_body(fields: tuple[str, ...], files: tuple[str, ...]) -> tuple[Any, str]:
    """Return a form and its ``Content-Type``: multipart if there is a -F. Raises click.UsageError, click.FileError."""
    pairs = [_pair(text, "--form") for text in fields]
    parts = []
    for text in files:
        name, value = _pair(text, "-F")
        if value.startswith("@"):
            parts.append((name, _file(value)))
        else:
            pairs.append((name, value))
    try:
        body = encoded(None, [(name, os.fsencode(value)) for name, value in pairs], parts if files else None, None)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"-F: {error}") from None
    assert body is not None
    return body.body, body.content_type


def _pair(text: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        form = "NAME=@FILE or NAME=VALUE" if what == "-F" else "NAME=VALUE"
        # The text may be a secret and is not shown.
        raise click.UsageError(f"{what}: a field is written {form}, and one is not")
    return name, value


def _file(value: str) -> tuple[Any, ...]:
    """Return ``(file name, path or bytes[, content type])`` of ``@FILE;type=...;filename=...``."""
    parameters: dict[str, str] = {}
    while (match := _PARAMETER.search(value)) is not None:
        parameters.setdefault(match[1], match[2].strip())
        value = value[: match.start()]
    path = named_file(value, "-F")
    kind = (parameters["type"],) if "type" in parameters else ()
    if path == "-":
        return parameters.get("filename", "-"), content_of(value, "-F"), *kind
    check_readable(path, "-F")
    return parameters.get("filename", os.path.basename(path)), path, *kind

"""The body of ``--json``: a value, a file, or the members of an object."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Optional

import click

from .file_content import content_of

_ITEM = re.compile(r"([^=:]+)(:=|=)(.*)", re.DOTALL)


def json_body(items: tuple[str, ...]) -> bytes:
    """Return JSON. A whole value is sent as it was given. Raises click.UsageError, click.FileError."""
    if len(items) == 1:
        whole = _whole_value(items[0])
        if whole is not None:
            return whole
    members = dict(map(_member, items))
    return b"{%s}" % b", ".join(b"%s: %s" % member for member in members.items())


def _whole_value(text: str) -> Optional[bytes]:
    """Return the bytes of a value that is not a member of an object; None if it is a member."""
    if text.startswith("@"):
        content = content_of(text, "--json")
        _check(content, f"--json {text}")
        return content
    try:
        _loads(os.fsencode(text))
    except ValueError as error:
        if _ITEM.fullmatch(text) and text.lstrip()[:1] not in tuple('{["'):
            return None
        raise click.UsageError(f"--json: this is neither JSON ({error}) nor name=text or name:=JSON") from None
    return os.fsencode(text)


def _member(item: str) -> tuple[bytes, bytes]:
    """Return name and value of a member, both as JSON."""
    match = _ITEM.fullmatch(item)
    if match is None:
        # The text may be a secret and is not shown.
        raise click.UsageError("--json: the members of an object are written name=text or name:=JSON, and one is not")
    name, kind, value = match.groups()
    what = f"--json {name}{kind}"
    content = content_of(value, what) if value.startswith("@") else os.fsencode(value)
    if kind == ":=":
        _check(content, what, f"; a text is written {name}=text")
    else:
        content = _string(content, what)
    return _string(os.fsencode(name), what), content


def _check(content: bytes, what: str, advice: str = "") -> None:
    try:
        _loads(content)
    except ValueError as error:
        raise click.UsageError(f"{what}: this is not JSON ({error}){advice}") from None


def _string(content: bytes, what: str) -> bytes:
    try:
        return json.dumps(content.decode()).encode()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{what}: this is not UTF-8 text ({error})") from None


def _loads(content: bytes) -> Any:
    """Parse JSON by RFC 8259, which has no NaN and no Infinity. Raises ValueError."""
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")
